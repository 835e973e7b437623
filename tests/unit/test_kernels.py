"""Every compiled kernel against its numpy twin."""

import librosa
import numpy as np
import pytest

from genreatlas.audio.constant_q import (
    _filtered,
    _frames,
    _lowered,
    _near_a_step,
    constant_q,
    constant_q_plan,
    octave_of_frames,
    octaves,
)
from genreatlas.audio.kernels import bins, periods, separation, transform, waves
from genreatlas.audio.spectral import contrast_bands
from genreatlas.audio.statistics import moments, summarise_plain

BINS = 1025


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def spectrogram(n_frames, seed=0):
    """Magnitudes over six decades, with a silent frame and ties."""
    frames = np.abs(random(n_frames, BINS, seed=seed)) * 10 ** random(n_frames, 1, seed=seed + 1)
    frames[::7, 5:9] = frames[::7, 4:5]
    frames[n_frames // 2] = 0
    return transform.to_lanes(frames)


@pytest.mark.parametrize("n_frames", [1, 63, 64, 130])
def test_frames_come_back_from_lanes(n_frames):
    frames = random(n_frames, BINS)
    there = transform.to_lanes(frames)
    np.testing.assert_array_equal(transform.to_frames(there), frames)
    np.testing.assert_array_equal(transform.to_frames_plain(there), frames)


@pytest.mark.parametrize("n_samples", [0, 1, 511, 512, 40_000, 33_000])
def test_the_transform_of_64_frames_at_once_is_scipys(n_samples):
    samples = random(n_samples)
    expected, found = transform.spectrum_plain(samples), transform.spectrum(samples, with_parts=True)
    n_frames = expected.magnitude.n_frames
    assert found.magnitude.n_frames == n_frames == 1 + n_samples // 512
    for part in (0, 1):
        pair = [transform.to_frames_plain(transform.Lanes(s.parts[:, part], n_frames)) for s in (expected, found)]
        np.testing.assert_allclose(*pair, atol=1e-6 * np.abs(pair[0]).max(), rtol=1e-6)
    pair = [transform.to_frames_plain(s.magnitude) for s in (expected, found)]
    np.testing.assert_allclose(*pair, rtol=3e-7, atol=1e-20)
    np.testing.assert_array_equal(
        transform.to_frames_plain(transform.spectrum(samples, with_parts=False).magnitude), pair[1]
    )


def test_magnitudes_are_numpys_to_the_bit_but_for_bins_that_are_rounding_alone():
    samples = random(40_000)
    expected = np.abs(librosa.stft(samples)).T
    found = transform.to_frames_plain(transform.spectrum(samples, with_parts=False).magnitude)
    assert np.mean(found == expected) > 0.9999
    np.testing.assert_allclose(found, expected, rtol=3e-7, atol=1e-9 * expected.max())


def test_magnitudes_of_a_faint_and_of_an_enormous_sound_neither_vanish_nor_overflow():
    samples = random(5000)
    whole = transform.to_frames_plain(transform.spectrum(samples, False).magnitude)
    for gain in (1e-18, 1e9):
        scaled = transform.spectrum((samples * np.float32(gain)).astype(np.float32), False)
        np.testing.assert_allclose(transform.to_frames_plain(scaled.magnitude), whole * gain, rtol=1e-5)


@pytest.mark.parametrize("n_frames", [1, 64, 100])
def test_sums_over_bins_rolloff_flatness_and_extremes_are_their_twins(n_frames):
    there = spectrogram(n_frames)
    np.testing.assert_allclose(bins.bin_sums(there), bins.bin_sums_plain(there), rtol=1e-12)
    np.testing.assert_array_equal(bins.rolloff_bins(there, 0.85), bins.rolloff_bins_plain(there, 0.85))
    np.testing.assert_allclose(bins.flatness(there, 1e-10), bins.flatness_plain(there, 1e-10), rtol=1e-10)
    bands = contrast_bands(22_050)
    for found, expected in zip(bins.extremes(there, *bands), bins.extremes_plain(there, *bands), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_band_powers_are_their_twins():
    there = spectrogram(70)
    weights = np.zeros((5, BINS), np.float32)
    for band, (first, end) in enumerate([(0, 3), (2, 9), (100, 400), (1000, 1025)]):
        weights[band, first:end] = np.abs(random(end - first, seed=band)) + 0.1
    expected = bins.bands_plain(there, weights)
    scale = expected.max(axis=1, keepdims=True) + 1
    np.testing.assert_allclose(bins.narrow_bands(there, weights) / scale, expected / scale, atol=1e-6)
    wide = bins.wide_bands(there, np.ascontiguousarray(weights.T))
    np.testing.assert_allclose(wide / scale, expected / scale, atol=1e-6)


@pytest.mark.parametrize("squared", [True, False])
def test_the_same_peaks_are_found_at_the_same_places(squared):
    there = spectrogram(100)
    found, expected = (find(there, 14, 372, 0.1, squared, 10.77) for find in (bins.peaks, bins.peaks_plain))
    assert len(found[0]) == len(expected[0]) > 1000
    for mine, twin in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.sort(mine), np.sort(twin), rtol=1e-6)


def test_the_masked_spectrum_is_its_twin():
    parts = random(2, 2, BINS, transform.LANES)
    harmonic, percussive = np.abs(random(100, BINS, seed=1)), np.abs(random(2, BINS, transform.LANES, seed=2))
    harmonic[3], percussive[0, :, 3] = 0, 0
    found, expected = (f(parts, harmonic, percussive) for f in (separation.masked, separation.masked_plain))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(found[3], 0.5 * (parts[0, 0, :, 3] + 1j * parts[0, 1, :, 3]), rtol=1e-6)


@pytest.mark.parametrize("n", [1, 511, 512, 513, 5000])
def test_sums_of_chunks_of_samples_are_their_twins(n):
    samples = random(n)
    samples[::5] = 0
    np.testing.assert_allclose(waves.chunk_energy(samples, 512), waves.chunk_energy_plain(samples, 512), rtol=1e-12)
    for found, expected in zip(
        waves.chunk_crossings(samples, 512), waves.chunk_crossings_plain(samples, 512), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_central_moments_are_their_twins_though_the_mean_is_large():
    rows = random(4, 1001) + np.float32(1000)
    found, expected = waves.central_moments(rows, 4), waves.central_moments_plain(rows, 4)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_statistics_are_numpys_and_scipys(n, dtype):
    values = random(2, 3, n).astype(dtype)
    values[0, 0] = 0.25
    names = ["mean", "var", "std", "skew", "kurtosis", "median", "min", "max"]
    found, expected = moments(values, names), summarise_plain(values, names)
    for name in names:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
    assert np.isnan(found["kurtosis"][0, 0])


@pytest.mark.parametrize("hop", [4, 32, 64, 256, 512])
def test_filtered_frames_are_the_same_however_they_are_read(hop):
    signal, bank = random(5000), random(256, 24, seed=1)
    padded = np.pad(signal, 128)
    frames = np.lib.stride_tricks.sliding_window_view(padded, 256)[::hop]
    np.testing.assert_allclose(_filtered(signal, bank, hop), frames @ bank, atol=1e-4)


def test_frames_with_a_pitch_class_within_rounding_of_a_step_are_found():
    chroma = np.full((12, 4), 0.6 / 11)
    chroma[0] = 0.4
    chroma[:, 1] = [0.39] + [0.61 / 11] * 11
    chroma[:, 3] = 0
    assert _near_a_step(chroma * 7).tolist() == [True, False, True, False]


def music_with_a_gap(rate):
    """Two seconds: a chord, a second of digital silence, and a chord on an offset that drowns it."""
    time = np.arange(2 * rate) / rate
    chord = sum(np.sin(2 * np.pi * hz * time) for hz in (196.0, 246.9, 1480.0)) * 0.1 + 1e-3 * random(time.size)
    chord[rate // 2 : rate] = 0
    chord[rate:] = 1e-5 * chord[rate:] + 0.2
    return chord.astype(np.float32)


@pytest.mark.parametrize(("rate", "tuning"), [(22_050, 0.0), (44_100, -0.13), (22_050, 0.21)])
def test_single_frames_of_the_constant_q_transform_are_librosas_to_the_bit(rate, tuning):
    samples = music_with_a_gap(rate)
    expected = np.abs(librosa.cqt(samples, sr=rate, tuning=tuning))
    plan = constant_q_plan(rate, tuning)
    signal, hop = samples, 512
    if plan.halvings:
        signal, hop = _lowered(signal, 2**plan.halvings), hop >> plan.halvings
    some = np.arange(0, expected.shape[1], 7)
    for octave, steps in enumerate(octaves(rate / 2**plan.halvings, tuning, 7)):
        found = octave_of_frames(_frames(signal, 256, hop)[some].T, steps)
        rows = slice(72 - 12 * octave, 84 - 12 * octave)
        np.testing.assert_array_equal(found, expected[rows, some])
        signal, hop = _lowered(signal, 2), hop // 2


@pytest.mark.parametrize("rate", [22_050, 44_100])
@pytest.mark.parametrize("gain", [1, 1e-25])
def test_shares_of_pitch_classes_are_librosas_in_silence_and_beneath_an_offset(rate, gain):
    samples = music_with_a_gap(rate) * np.float32(gain)
    shares = []
    for octaves_of in (np.abs(librosa.cqt(samples, sr=rate, tuning=0.1)), constant_q(samples, rate, 0.1)):
        chroma = octaves_of.reshape(7, 12, -1).sum(axis=0)
        total = chroma.sum(axis=0)
        shares.append(chroma / np.where(total > 0, total, 1))
    np.testing.assert_allclose(shares[1], shares[0], atol=1e-5)


@pytest.mark.parametrize("length", [384, 345])
@pytest.mark.parametrize("n_frames", [1, 40, 1293])
def test_autocorrelations_of_windows_that_slide_are_those_of_each_window(n_frames, length):
    envelope = np.abs(random(n_frames + length - 1))
    for found, expected in zip(
        periods.local_autocorrelation(envelope, length),
        periods.local_autocorrelation_plain(envelope, length),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_autocorrelation_after_a_crash_is_that_of_the_quiet_and_silence_has_none():
    envelope = np.concatenate([1e3 * np.ones(400), np.zeros(500), 1e-4 * np.abs(random(600))])
    found, mean = periods.local_autocorrelation(envelope, 384)
    expected, expected_mean = periods.local_autocorrelation_plain(envelope, 384)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(mean, expected_mean, atol=1e-5)
    assert not found[400:516].any() and found[516 + 384 :, 0] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_energy_after_two_filters_is_scipys_in_sound_and_in_the_silence_after_it(dtype):
    signal = np.concatenate([random(9000), np.zeros(200_000)]).astype(dtype)
    sections = np.array([[1.5, -2.6, 1.2, 1.0, -1.6, 0.7], [1.0, -2.0, 1.0, 1.0, -1.99, 0.990025]])
    places = np.array([0, 4410, 8820, 8821, 13_000, 209_000])
    found = waves.filtered_energy(signal, sections, places)
    expected = waves.filtered_energy_plain(signal, sections, places)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-30)
