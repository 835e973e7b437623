"""Signals whose features are known from a formula."""

import numpy as np
import pytest

from genreatlas.audio.engine import REFERENCE_GRAPH
from genreatlas.audio.feature_sets import FEATURE_SETS, compute_sets
from genreatlas.audio.pitch import PITCH_CLASSES

RATE = 22050
SECONDS = 6
TIME = np.arange(SECONDS * RATE) / RATE


def compute(samples, *names):
    values = REFERENCE_GRAPH.compute(names, samples=np.asarray(samples, np.float32), sample_rate=RATE)
    return values[names[0]] if len(names) == 1 else [values[name] for name in names]


def inner(frames):
    """Frames that do not hang over the ends of the signal."""
    return frames[..., 3:-3]


def tone(frequency, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * frequency * TIME)


def clicks(bpm):
    samples = np.zeros(TIME.size)
    burst = np.random.default_rng(0).standard_normal(400) * np.hanning(400)
    for start in np.arange(0.25, SECONDS - 0.1, 60 / bpm):
        samples[int(start * RATE) :][:400] += burst
    return samples


def summary(samples, name="gtzan57"):
    feature_set = FEATURE_SETS[name]
    values = compute_sets([feature_set], np.asarray(samples, np.float32))[name]
    return dict(zip([f.name for f in feature_set.features], values.tolist(), strict=True))


@pytest.mark.parametrize("frequency", [440.0, 1000.0, 4000.0])
def test_a_tone_has_its_centroid_and_its_rolloff_at_its_frequency(frequency):
    centroid, rolloff = compute(tone(frequency), "spectral_centroid", "spectral_rolloff")
    np.testing.assert_allclose(inner(centroid), frequency, rtol=2e-3)
    np.testing.assert_allclose(inner(rolloff), frequency, atol=2 * RATE / 2048)


def test_two_equal_tones_spread_half_their_distance_around_their_middle():
    low, high = 100 * RATE / 2048, 300 * RATE / 2048  # centres of bins, so that both are seen equally loud
    centroid, bandwidth = compute(tone(low) + tone(high), "spectral_centroid", "spectral_bandwidth")
    np.testing.assert_allclose(inner(centroid), (low + high) / 2, rtol=1e-4)
    np.testing.assert_allclose(inner(bandwidth), (high - low) / 2, rtol=1e-3)


@pytest.mark.parametrize(("frequency", "pitch"), [(440.0, "a"), (261.63, "c"), (739.99, "fs")])
def test_a_tone_is_loudest_in_its_pitch_class(frequency, pitch):
    chroma = inner(compute(tone(frequency), "chroma_stft"))
    assert set(np.argmax(chroma, axis=0)) == {PITCH_CLASSES.index(pitch)}
    np.testing.assert_allclose(chroma.max(axis=0), 1.0)


def test_a_tone_a_quarter_of_a_semitone_sharp_is_tuned_so():
    assert compute(tone(440 * 2 ** (0.25 / 12)), "tuning") == pytest.approx(
        0.25, abs=0.04
    )  # peaks are found to 0.03 semitones


def test_the_rms_of_a_sine_is_its_amplitude_over_the_root_of_two():
    np.testing.assert_allclose(inner(compute(tone(440, 0.5), "rms")), 0.5 / np.sqrt(2), rtol=1e-2)


def test_a_sine_crosses_zero_twice_a_period():
    np.testing.assert_allclose(inner(compute(tone(441), "zero_crossing_rate")), 2 * 441 / RATE, atol=1 / 2048)


def test_white_noise_is_flat_and_a_tone_is_not():
    noise = np.random.default_rng(2).standard_normal(TIME.size) * 0.1
    # the power of a bin of Gaussian noise is exponential: exp(E log x) / E x = exp(-0.5772)
    assert inner(compute(noise, "spectral_flatness")).mean() == pytest.approx(np.exp(-np.euler_gamma), abs=0.01)
    assert inner(compute(tone(440), "spectral_flatness")).max() < 1e-5


def test_an_impulse_has_a_flat_spectrum_in_the_frames_that_see_it():
    samples = np.zeros(TIME.size)
    samples[3 * RATE] = 1.0
    flatness, centroid, rms = compute(samples, "spectral_flatness", "spectral_centroid", "rms")
    middle = round(3 * RATE / 512)
    assert flatness[middle] == pytest.approx(1.0, abs=1e-4)
    assert centroid[middle] == pytest.approx(RATE / 4, rel=1e-3)
    assert rms[middle] == pytest.approx(np.sqrt(1 / 2048))
    assert rms[middle + 10] == 0


@pytest.mark.parametrize("bpm", [100, 120, 150])
def test_a_click_track_has_its_tempo(bpm):
    assert compute(clicks(bpm), "tempo") == pytest.approx(bpm, rel=0.03)


def test_noise_bursts_are_percussive_and_a_tone_is_harmonic():
    bursts, steady = summary(clicks(120)), summary(tone(440))
    assert bursts["perceptr_var"] > 5 * bursts["harmony_var"]
    assert steady["harmony_var"] == pytest.approx(0.125, rel=0.03)
    assert steady["perceptr_var"] < 0.01 * steady["harmony_var"]


def test_harmonic_and_percussive_parts_add_up_to_the_signal():
    samples = (tone(440) + clicks(120) * 0.3).astype(np.float32)
    harmonic, percussive = compute(samples, "harmonic", "percussive")
    np.testing.assert_allclose(harmonic + percussive, samples, atol=1e-6)


def test_dc_has_its_centroid_at_the_bottom_no_crossings_and_no_tempo():
    values = summary(np.full(TIME.size, 0.5))
    assert values["spectral_centroid_mean"] < 2 * RATE / 2048
    assert values["zero_crossing_rate_mean"] == 0
    assert np.isnan(values["tempo"])
    assert values["rms_mean"] == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize("samples", [tone(440), np.eye(1, TIME.size, 3 * RATE)[0]], ids=["tone", "one click"])
def test_without_two_onsets_there_is_no_tempo(samples):
    assert np.isnan(compute(samples, "tempo"))


UNDEFINED_IN_SILENCE = {
    "gtzan57": {
        f"{name}_{statistic}"
        for name in ("chroma_stft", "spectral_centroid", "spectral_bandwidth", "rolloff")
        for statistic in ("mean", "var")
    }
    | {"tempo"},
    "summary9": {
        f.name
        for f in FEATURE_SETS["summary9"].features
        if f.name.startswith(("chroma", "contrast", "spectral", "rolloff", "flatness"))
    },
}


@pytest.mark.parametrize("name", UNDEFINED_IN_SILENCE)
def test_silence_leaves_undefined_exactly_what_has_no_meaning_in_it(name):
    values = summary(np.zeros(TIME.size), name)
    assert {key for key, value in values.items() if np.isnan(value)} == UNDEFINED_IN_SILENCE[name]
    assert values["rms_mean"] == 0
    assert values["mfcc1_mean"] == pytest.approx(-100 * np.sqrt(128))  # 128 bands at librosa's floor of -100 dB
    assert values["mfcc2_mean"] == pytest.approx(0, abs=1e-3)


def test_mfcc_frames_of_silence_are_finite():
    frames = compute_sets([FEATURE_SETS["mfcc12_frames"]], np.zeros(RATE, np.float32))["mfcc12_frames"]
    assert frames.shape == (1 + RATE // 512, 12)
    assert np.isfinite(frames).all()


@pytest.mark.parametrize("seconds", [0.05, 0.5, 1.0])
def test_short_signals_give_finite_values_apart_from_tempo(seconds):
    samples = tone(440)[: int(seconds * RATE)]
    for name in ("gtzan57", "summary9"):
        values = summary(samples, name)
        assert {key for key, value in values.items() if not np.isfinite(value)} <= {"tempo"}


def test_extreme_signals_never_give_infinity():
    square = np.sign(tone(100))
    tiny = tone(440, 1e-30)
    for samples in (square, tiny, square * 40.0):
        for name in ("gtzan57", "summary9"):
            assert not np.isinf(list(summary(samples, name).values())).any()
