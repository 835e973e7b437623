"""Loudness of known signals, and what normalisation does to them."""

import io

import numpy as np
import pyloudnorm
import pytest
import soundfile

from genreatlas.audio.preprocess import Loudness, integrated, measure, normalise, prepare
from genreatlas.config import ClipSection

RATE = 48_000


def sine(level: float, hz: float = 997.0, seconds: float = 5.0) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def test_a_full_scale_997_hz_sine_in_one_channel_has_minus_3_lufs():
    loudness = measure(sine(1.0), RATE)
    assert loudness.lufs == pytest.approx(-3.01, abs=0.05)  # ITU-R BS.1770-4, annex 1
    assert loudness.peak_dbfs == pytest.approx(0.0, abs=0.01)
    assert loudness.rms_dbfs == pytest.approx(-3.01, abs=0.01)
    assert loudness.gain_db == 0.0


def test_off_changes_no_sample_and_measures():
    signal = sine(0.25)
    same, loudness = normalise(signal, RATE, ClipSection())
    assert same is signal
    assert (loudness.gain_db, loudness.lufs) == (0.0, pytest.approx(-15.05, abs=0.05))


def test_ebur128_reaches_its_target():
    loud, before = normalise(sine(0.1), RATE, ClipSection(normalise="ebur128", target_lufs=-14.0))
    assert measure(loud, RATE).lufs == pytest.approx(-14.0, abs=0.01)
    assert before.lufs == pytest.approx(-23.01, abs=0.05)
    assert before.gain_db == pytest.approx(-14.0 - before.lufs)


def test_rms_reaches_its_target():
    loud, before = normalise(sine(0.1), RATE, ClipSection(normalise="rms"))
    assert measure(loud, RATE).rms_dbfs == pytest.approx(-20.0, abs=1e-4)
    assert before.gain_db == pytest.approx(3.01, abs=0.01)


def test_the_gain_is_capped_at_20_db_both_ways():
    for level, gain in [(1e-4, 20.0), (30.0, -20.0)]:
        scaled, loudness = normalise(sine(level), RATE, ClipSection(normalise="rms", target_rms_dbfs=-20.0))
        assert loudness.gain_db == gain
        assert scaled == pytest.approx(sine(level) * 10 ** (gain / 20), rel=1e-5)


def test_nothing_limits_what_leaves_full_scale():
    crest = np.zeros(RATE * 2, dtype=np.float32)
    crest[::1000] = 1.0
    loud, loudness = normalise(crest, RATE, ClipSection(normalise="rms", target_rms_dbfs=-20.0))
    assert loudness.gain_db == pytest.approx(10.0, abs=0.01)
    assert loud.max() == pytest.approx(10**0.5, rel=1e-3)


@pytest.mark.parametrize("rule", ["ebur128", "rms"])
def test_silence_is_left_alone(rule):
    silence = np.zeros(RATE, dtype=np.float32)
    same, loudness = normalise(silence, RATE, ClipSection(normalise=rule))
    assert np.array_equal(same, silence)
    assert loudness == Loudness(None, None, None, 0.0)


def test_a_cut_shorter_than_one_block_has_no_lufs_and_is_left_alone():
    short = sine(0.1, seconds=0.3)
    same, loudness = normalise(short, RATE, ClipSection(normalise="ebur128"))
    assert same is short
    assert (loudness.lufs, loudness.gain_db) == (None, 0.0)
    assert loudness.rms_dbfs == pytest.approx(-23.01, abs=0.05)


def test_it_is_measured_on_the_mono_mix_of_the_cut_alone():
    half = np.concatenate([sine(0.01, seconds=4.0), sine(0.5, seconds=4.0)])
    stereo = np.stack([half, np.zeros_like(half)], axis=1)
    file = io.BytesIO()
    soundfile.write(file, stereo, RATE, format="WAV", subtype="FLOAT")
    signal, loudness = prepare(file, 4.0, 4.0, ClipSection(normalise="rms"))
    assert loudness.rms_dbfs == pytest.approx(20 * np.log10(0.25 / np.sqrt(2)), abs=0.01)
    assert np.sqrt(np.mean(signal.samples.astype(float) ** 2)) == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("seconds", [0.4, 0.45, 0.61, 7.3])
def test_integrated_loudness_is_pyloudnorms_at_any_rate_and_length(rate, seconds):
    count = int(rate * seconds) + 1
    fading = np.random.default_rng(0).standard_normal(count) * np.exp(-np.linspace(0, 15, count))
    expected = pyloudnorm.Meter(rate).integrated_loudness(fading)
    assert integrated(fading, rate) == pytest.approx(expected, abs=1e-9)
