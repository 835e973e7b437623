"""What recording and encoder left in a clip, on signals whose answer is known."""

import io

import numpy as np
import pytest
import soundfile
from scipy.signal import fftconvolve, firwin

from genreatlas.audio.engine import REFERENCE_GRAPH
from genreatlas.audio.feature_sets import FEATURE_SETS
from genreatlas.audio.worker import extract_clip
from genreatlas.config import ClipSection

RATE = 44100
TIME = np.arange(4 * RATE) / RATE


def sine(amplitude=1.0, hertz=1000.0):
    return (amplitude * np.sin(2 * np.pi * hertz * TIME)).astype(np.float32)


def noise(amplitude=0.1):
    return (amplitude * np.random.default_rng(0).standard_normal(TIME.size)).astype(np.float32)


def node(name, samples, rate=RATE):
    return REFERENCE_GRAPH.compute([name], source_samples=samples, source_rate=rate)[name]


def quality(samples, clip=None, **kind):
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, **(kind or {"format": "WAV", "subtype": "FLOAT"}))
    file.seek(0)
    (row,) = extract_clip(file, 0.0, 4.0, clip or ClipSection(), [FEATURE_SETS["quality"]])
    return dict(zip([f.name for f in FEATURE_SETS["quality"].features], row.values.tolist(), strict=True))


def test_a_reference_tone_has_the_loudness_that_the_standard_gives_it():
    # EBU Tech 3341, case 1: 1 kHz at -23 dBFS in both channels is -23 LUFS; one channel alone is 3 dB less
    values = quality(sine(10 ** (-23 / 20)))
    assert values["loudness_lufs"] == pytest.approx(-23 - 10 * np.log10(2), abs=0.1)
    assert values["peak_dbfs"] == pytest.approx(-23, abs=0.01)


def test_a_clip_that_is_half_silent_is_half_silence():
    samples = np.where(TIME < 2, sine(0.5), 0.0).astype(np.float32)
    assert node("silence_share", samples) == 0.5
    assert node("silence_share", sine(0.5)) == 0.0
    assert node("silence_share", np.zeros(100, np.float32)) == 1.0


@pytest.mark.parametrize(("amplitude", "share"), [(1.1e-3, 1.0), (1.5e-3, 0.0)])
def test_silence_ends_at_an_rms_of_minus_sixty_decibels(amplitude, share):
    assert node("silence_share", sine(amplitude)) == share


def test_a_square_wave_clips_throughout_and_a_sine_at_full_scale_does_not():
    assert node("clipping_share", np.sign(sine() + 1e-9)) == 1.0
    assert node("clipping_share", sine()) == 0.0


def test_a_sine_cut_at_half_its_height_clips_two_thirds_of_the_time():
    # |sin| > 1/2 for two thirds of a period
    assert node("clipping_share", np.clip(sine(2.0, 100.0), -1, 1)) == pytest.approx(2 / 3, abs=0.01)


def test_a_quiet_flat_top_is_a_sound_and_not_clipping():
    assert node("clipping_share", np.sign(sine()) * np.float32(0.3)) == 0.0


def test_noise_below_eight_kilohertz_has_a_bandwidth_of_eight_kilohertz():
    lowpass = firwin(801, 8000, window=("kaiser", 8.0), fs=RATE)
    filtered = fftconvolve(noise(), lowpass, mode="same").astype(np.float32)
    assert node("effective_bandwidth", filtered) == pytest.approx(8000, rel=0.03)
    assert node("effective_bandwidth", noise()) == pytest.approx(RATE / 2)


def test_a_tone_has_the_bandwidth_of_its_frequency():
    assert node("effective_bandwidth", sine(0.5, 5000.0)) == pytest.approx(5000, abs=5 * RATE / 2048)


def test_a_low_bit_rate_leaves_a_lower_bandwidth_than_a_high_one():
    low, high = (
        quality(noise(), format="MP3", bitrate_mode="CONSTANT", compression_level=level)["effective_bandwidth"]
        for level in (0.9, 0.0)
    )
    assert 15_000 < low < 18_500 < high < 21_000


def test_silence_has_no_bandwidth():
    assert np.isnan(node("effective_bandwidth", np.zeros(RATE, np.float32)))


def test_gain_and_polarity_change_the_level_alone():
    loud, quiet = quality(noise(0.1)), quality(noise(0.1) * -0.25)
    assert loud["peak_dbfs"] - quiet["peak_dbfs"] == pytest.approx(20 * np.log10(4), abs=1e-4)
    assert loud["loudness_lufs"] - quiet["loudness_lufs"] == pytest.approx(20 * np.log10(4), abs=1e-4)
    assert loud["effective_bandwidth"] == quiet["effective_bandwidth"]


def test_quality_is_that_of_the_file_whatever_normalisation_does():
    clipped = np.clip(sine(2.0, 100.0), -1, 1)
    plain, normalised = quality(clipped), quality(clipped, ClipSection(normalise="rms", target_rms_dbfs=-20.0))
    assert plain["clipping_share"] == pytest.approx(2 / 3, abs=0.01)
    assert normalised == plain
