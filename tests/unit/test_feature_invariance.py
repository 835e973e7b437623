"""What features do not hear: polarity, level and a little time, except for the columns that are listed here."""

import io
from fnmatch import fnmatch

import numpy as np
import pytest
import soundfile

from genreatlas.audio.feature_sets import FEATURE_SETS, Feature
from genreatlas.audio.worker import extract_clip, warm_up
from genreatlas.config import ClipSection

RATE = 44_100
SECONDS = 8
#: 10 ms.
SHIFT = 441

#: Means of a waveform turn with it; all else is taken from magnitudes.
TURNS_WITH_POLARITY = {"gtzan57": ("harmony_mean", "perceptr_mean")}

#: Says how loud a clip is, or is added to by it. The first cepstral coefficient is the level of the mel bands.
MOVES_WITH_GAIN = {
    "mfcc12_frames": ("mfcc1",),
    "summary9": ("mfcc1_mean", "rms_mean", "flatness_mean"),
    "gtzan57": ("mfcc1_mean", "rms_*", "harmony_*", "perceptr_*"),
    "fma518_44k": ("mfcc_m*_01", "rmse_m*", "rmse_std_01"),
    "fma518_22k": ("mfcc_m*_01", "rmse_m*", "rmse_std_01"),
    "loudness": ("loudness_lufs", "peak_dbfs", "rms_dbfs"),
    "quality": ("loudness_lufs", "peak_dbfs"),
    "windows": ("rms", "energy", "magnitude_*", "mfcc1_mean"),
    "mfcc_cov": ("mfcc1_mean",),
    "mel128": ("lowest",),
    "groove": (),
    "tonality": (),
    "timbre_pitch": ("loudness", "loudness_start", "loudness_max", "timbre_1"),
    "rhythm_notes": (),
    "groove_bars": (),
    "fingerprint": (),
}
#: Models of the ear: in sone, nearly every number moves with the level.
HEARS_LEVEL = {"ssd_rp"}
#: Comes from a logarithm, which a gain moves by a constant: what is left of that is rounding.
ROUNDED = ("*mfcc*", "*contrast*", "step", "timbre_*")
#: The onset strength is a difference of logarithms, and so is all that is taken from it.
ROUNDED += ("onset_*", "tempo*", "*clarity", "*confidence", "pattern_*", "cycle_*", "time", "beat_phase", "strength")
ROUNDING = 1e-4

#: Hangs on single frames or beats: the mean of a slope on its ends, a pattern on which beat begins the bar.
HANGS_ON_FEW = ("delta_*", "pattern_*", "cycle_*", "bar_confidence")

#: How far a mean may move in 10 ms, by its unit: in its unit, and in parts of the value.
SHIFT_TOLERANCE = {
    "dB": (1.0, 0.02),
    "0..1": (0.02, 0.02),
    "Hz": (0.0, 0.03),
    "Hz as if at 22,050 Hz": (0.0, 0.03),
    "full scale": (1e-5, 0.03),
    "LUFS": (0.05, 0.0),
    "dBFS": (0.05, 0.0),
    "bpm": (0.5, 0.0),
}


def music(offset: int = 0) -> np.ndarray:
    """Chords, drums and a floor of noise, from ``offset`` samples on."""
    time = (np.arange(SECONDS * RATE) + offset) / RATE
    noise = np.random.default_rng(3).standard_normal(SECONDS * RATE + SHIFT)[offset:][: time.size]
    tones = [
        (1 + 0.3 * np.sin(2 * np.pi * (0.5 + i) * time)) * np.sin(2 * np.pi * hz * time + i)
        for i, hz in enumerate((110.0, 277.2, 329.6, 440.0))
    ]
    return 0.05 * sum(tones) + (0.12 * np.exp(-25 * ((time + 0.2) % 0.5)) + 0.001) * noise


def columns_of(samples: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Values by set and column; one number of a summary, all frames of a frame set, both numbers of a scale."""
    file = io.BytesIO()
    soundfile.write(file, samples.astype(np.float32), RATE, format="WAV", subtype="FLOAT")
    found = {}
    for row in extract_clip(file, 0.0, SECONDS, ClipSection(), list(FEATURE_SETS.values())):
        feature_set = FEATURE_SETS[row.feature_set]
        names = [feature.name for feature in feature_set.features]
        if row.frames is not None:
            columns = dict(zip(names, row.frames.astype(float).reshape(-1, row.width).T, strict=True))
        elif row.quantised is not None:
            columns = dict(zip(("lowest", "step"), np.atleast_2d(row.values).T, strict=True))
        elif feature_set.axis in ("events", "codes"):
            columns = dict(zip(names, row.arrays, strict=True))
        else:
            columns = dict(zip(names, np.atleast_2d(row.values).T, strict=True))
            columns |= dict(zip((array.name for array in feature_set.arrays), row.arrays or (), strict=True))
        found[feature_set.name] = columns
    return found


@pytest.fixture(scope="module")
def plain():
    warm_up()  # one thread: sums of several differ in their last bits
    return columns_of(music())


@pytest.fixture(scope="module")
def turned(plain):
    return columns_of(-music())


@pytest.fixture(scope="module")
def halved(plain):
    return columns_of(0.5 * music())


@pytest.fixture(scope="module")
def shifted(plain):
    return columns_of(music(SHIFT))


def listed(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def differing(some: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> list[str]:
    return [name for name in some if not np.array_equal(some[name], other[name], equal_nan=True)]


@pytest.mark.parametrize("name", FEATURE_SETS)
def test_polarity_is_not_heard_to_the_bit(plain, turned, name):
    turns = [column for column in plain[name] if listed(column, TURNS_WITH_POLARITY.get(name, ()))]
    assert differing(plain[name], turned[name]) == turns
    for column in turns:
        np.testing.assert_array_equal(turned[name][column], -plain[name][column])


@pytest.mark.parametrize("name", sorted(FEATURE_SETS.keys() - HEARS_LEVEL))
def test_half_the_level_changes_what_says_how_loud_a_clip_is_and_no_other_bit(plain, halved, name):
    moving = [column for column in plain[name] if listed(column, MOVES_WITH_GAIN[name])]
    rounded = {column for column in plain[name] if listed(column, ROUNDED)} - set(moving)
    assert [column for column in differing(plain[name], halved[name]) if column not in rounded] == moving
    for column in rounded:
        np.testing.assert_allclose(halved[name][column], plain[name][column], rtol=ROUNDING, atol=ROUNDING)


def means(name: str) -> list[Feature]:
    """Features that are means over the clip, in a unit that has a tolerance; other statistics hang on single frames."""
    feature_set = FEATURE_SETS[name]
    axes = {"summary": ("mean", "value"), "frames": ("value",)}
    return [
        feature
        for feature in feature_set.features
        if feature.statistic in axes.get(feature_set.axis, ()) and feature.unit in SHIFT_TOLERANCE
        if not listed(feature.name, HANGS_ON_FEW)
    ]


@pytest.mark.parametrize("name", [name for name in FEATURE_SETS if means(name)])
def test_ten_milliseconds_move_means_within_the_tolerance_of_their_unit(plain, shifted, name):
    for feature in means(name):
        before, after = (np.mean(columns[name][feature.name]) for columns in (plain, shifted))
        least, share = SHIFT_TOLERANCE[feature.unit]
        np.testing.assert_allclose(after, before, rtol=0, atol=max(least, share * abs(before)), err_msg=feature.name)
