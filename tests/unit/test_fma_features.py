"""The sets that follow FMA's table: its names, and its values by one librosa call per feature."""

import librosa
import numpy as np
import pytest
from scipy import stats

from genreatlas.audio.feature_sets import FEATURE_SETS, compute_sets

ROWS = {
    "chroma_cens": 12, "chroma_cqt": 12, "chroma_stft": 12, "mfcc": 20, "rmse": 1, "spectral_bandwidth": 1,
    "spectral_centroid": 1, "spectral_contrast": 7, "spectral_rolloff": 1, "tonnetz": 6, "zcr": 1,
}  # fmt: skip
MOMENTS = {
    "kurtosis": stats.kurtosis, "max": np.max, "mean": np.mean, "median": np.median, "min": np.min, "skew": stats.skew,
    "std": np.std,
}  # fmt: skip


def music(rate):
    """Three seconds of a detuned chord and a drum."""
    time = np.arange(3 * rate) / rate
    chord = sum(np.sin(2 * np.pi * hz * 1.01 * time + np.sin(3 * time)) for hz in (110.0, 277.2, 329.6, 880.0)) * 0.1
    beat = np.exp(-30 * (time % 0.5)) * np.random.default_rng(1).standard_normal(time.size) * 0.3
    return (chord + beat).astype(np.float32)


def by_one_call_each(x, rate):
    """FMA's features as its paper describes them; spectral ones without the rate."""
    cqt = np.abs(librosa.cqt(x, sr=rate, bins_per_octave=12, n_bins=84, tuning=None))
    cens = librosa.feature.chroma_cens(C=cqt, bins_per_octave=12)
    spectrum = np.abs(librosa.stft(x))
    mel = librosa.feature.melspectrogram(sr=rate, S=spectrum**2)
    return {
        "chroma_cens": cens,
        "chroma_cqt": librosa.feature.chroma_cqt(C=cqt, bins_per_octave=12),
        "chroma_stft": librosa.feature.chroma_stft(S=spectrum**2),
        "mfcc": librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=20),
        "rmse": librosa.feature.rms(S=spectrum),
        "spectral_bandwidth": librosa.feature.spectral_bandwidth(S=spectrum),
        "spectral_centroid": librosa.feature.spectral_centroid(S=spectrum),
        "spectral_contrast": librosa.feature.spectral_contrast(S=spectrum),
        "spectral_rolloff": librosa.feature.spectral_rolloff(S=spectrum),
        "tonnetz": librosa.feature.tonnetz(chroma=cens),
        "zcr": librosa.feature.zero_crossing_rate(x),
    }


@pytest.mark.parametrize("name", ["fma518_44k", "fma518_22k"])
def test_the_columns_are_fmas_in_its_order(name):
    expected = [
        f"{feature}_{moment}_{row + 1:02d}"
        for feature, rows in ROWS.items()
        for moment in MOMENTS
        for row in range(rows)
    ]
    assert len(expected) == 518
    assert [feature.name for feature in FEATURE_SETS[name].features] == expected


def test_only_columns_that_lack_their_rate_are_not_in_hz():
    units = {f.name: f.unit for f in FEATURE_SETS["fma518_44k"].features}
    assert units["spectral_centroid_mean_01"] == units["spectral_rolloff_max_01"] == "Hz as if at 22,050 Hz"
    assert units["spectral_centroid_skew_01"] == ""
    assert {f.unit for f in FEATURE_SETS["fma518_22k"].features} == {"", "0..1", "dB", "full scale", "Hz"}


@pytest.mark.parametrize(("name", "rate"), [("fma518_44k", 44_100), ("fma518_22k", 22_050)])
def test_values_are_the_moments_of_one_librosa_call_per_feature(name, rate):
    x = music(rate)
    features = by_one_call_each(x, rate)
    expected = np.concatenate(
        [moment(features[f].astype(np.float64), axis=1) for f in ROWS for moment in MOMENTS.values()]
    )
    found = compute_sets([FEATURE_SETS[name]], x)[name]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_at_44_khz_a_tone_has_half_its_frequency_as_its_centroid_as_in_fmas_table():
    tone = (0.5 * np.sin(2 * np.pi * 4000 * np.arange(2 * 44_100) / 44_100)).astype(np.float32)
    values = compute_sets([FEATURE_SETS["fma518_44k"]], tone)["fma518_44k"]
    names = [feature.name for feature in FEATURE_SETS["fma518_44k"].features]
    assert values[names.index("spectral_centroid_median_01")] == pytest.approx(2000, rel=5e-3)
