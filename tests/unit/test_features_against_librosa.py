"""What the sets hold is what direct calls of librosa give, although one transform is shared."""

import librosa
import numpy as np
import pytest

from genreatlas.audio.feature_sets import FEATURE_SETS, compute_sets

RATE = 22050


@pytest.fixture(scope="module")
def music():
    """Four seconds with a chord, a drum and noise, and half a second of silence before."""
    time = np.arange(4 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * hz * time) for hz in (220.0, 277.2, 329.6)) * 0.1
    beat = np.exp(-30 * (time % 0.5)) * np.random.default_rng(1).standard_normal(time.size) * 0.3
    return np.concatenate([np.zeros(RATE // 2), chord + beat]).astype(np.float32)


@pytest.fixture(scope="module")
def computed(music):
    sets = [FEATURE_SETS[name] for name in ("mfcc12_frames", "summary9", "gtzan57")]
    values = compute_sets(sets, music)
    return {s.name: dict(zip([f.name for f in s.features], values[s.name].T, strict=True)) for s in sets}


def mean(values):
    return np.mean(values, axis=-1, dtype=np.float64)


def var(values):
    return np.var(values, axis=-1, dtype=np.float64)


def test_mfcc_frames_are_librosas_to_the_bit(music, computed):
    expected = librosa.feature.mfcc(y=music, sr=RATE, n_mfcc=12)
    np.testing.assert_array_equal(list(computed["mfcc12_frames"].values()), expected)


def test_summary9_holds_the_means_of_nine_librosa_calls_to_the_bit(music, computed):
    expected = np.concatenate(
        [
            mean(librosa.feature.chroma_stft(y=music, sr=RATE)),
            mean(librosa.feature.spectral_contrast(y=music, sr=RATE)),
            mean(librosa.feature.mfcc(y=music, sr=RATE, n_mfcc=20)),
            mean(librosa.feature.rms(y=music)),
            mean(librosa.feature.spectral_centroid(y=music, sr=RATE)),
            mean(librosa.feature.spectral_bandwidth(y=music, sr=RATE)),
            mean(librosa.feature.spectral_rolloff(y=music, sr=RATE)),
            mean(librosa.feature.zero_crossing_rate(music)),
            mean(librosa.feature.spectral_flatness(y=music)),
        ]
    )
    np.testing.assert_array_equal(list(computed["summary9"].values()), expected)


def test_gtzan57_holds_means_and_variances_of_librosa_calls_to_the_bit(music, computed):
    frames = [
        librosa.feature.chroma_stft(y=music, sr=RATE).reshape(1, -1),
        librosa.feature.rms(y=music),
        librosa.feature.spectral_centroid(y=music, sr=RATE),
        librosa.feature.spectral_bandwidth(y=music, sr=RATE),
        librosa.feature.spectral_rolloff(y=music, sr=RATE),
        librosa.feature.zero_crossing_rate(music),
        *(part[np.newaxis] for part in librosa.effects.hpss(music)),
    ]
    mfcc = librosa.feature.mfcc(y=music, sr=RATE, n_mfcc=20)
    expected = [statistic(values)[0] for values in frames for statistic in (mean, var)]
    expected += [librosa.beat.beat_track(y=music, sr=RATE)[0][0]]
    expected += [statistic(mfcc)[row] for row in range(20) for statistic in (mean, var)]
    np.testing.assert_array_equal(list(computed["gtzan57"].values()), expected)


def test_the_same_name_holds_the_same_value_in_every_set(computed):
    shared = computed["summary9"].keys() & computed["gtzan57"].keys()
    assert len(shared) == 25
    assert all(computed["summary9"][name] == computed["gtzan57"][name] for name in shared)
