"""Windows of a second, the covariance of cepstra, and the mel spectrogram, on signals with known answers."""

import librosa
import numpy as np
import pytest

from genreatlas.audio.feature_sets import FEATURE_SETS, compute_sets
from genreatlas.audio.layouts import dequantise, pack_set
from genreatlas.audio.windows import window_bounds

RATE = 22050
TIME = np.arange(4 * RATE) / RATE


def computed(samples, name):
    feature_set = FEATURE_SETS[name]
    values = compute_sets([feature_set], np.asarray(samples, np.float32))[name]
    return dict(zip([f.name for f in feature_set.features], values.T, strict=True))


@pytest.fixture(scope="module")
def music():
    chord = sum(np.sin(2 * np.pi * hz * TIME) for hz in (220.0, 277.2, 329.6)) * 0.1
    beat = np.exp(-30 * (TIME % 0.5)) * np.random.default_rng(1).standard_normal(TIME.size) * 0.3
    return (chord + beat).astype(np.float32)


def test_a_clip_of_four_seconds_has_seven_windows_half_a_second_apart():
    assert window_bounds(4 * RATE, RATE) == [(i * 11025, i * 11025 + RATE) for i in range(7)]
    assert FEATURE_SETS["windows"].hop_s == 0.5


def test_a_clip_shorter_than_a_window_is_one():
    assert window_bounds(1000, RATE) == [(0, 1000)]
    assert computed(0.5 * np.sin(2 * np.pi * 440 * TIME[:1000]), "windows")["rms"] == pytest.approx(0.35, abs=0.01)


def test_a_sine_in_one_second_is_heard_in_the_windows_that_hold_it_alone():
    samples = np.where((TIME >= 2) & (TIME < 3), 0.5 * np.sin(2 * np.pi * 1000.0 * TIME), 0.0)
    values = computed(samples, "windows")
    np.testing.assert_allclose(values["rms"], np.array([0, 0, 0, 0.25, 0.5 / np.sqrt(2), 0.25, 0]), atol=1e-4)
    np.testing.assert_allclose(values["energy"], values["rms"] ** 2 * RATE, rtol=1e-6)
    # 1 kHz is the middle of bin 1000 of 1 Hz; a Hann window gives its neighbours half; the band has 160 bins
    assert values["magnitude_920_1080_hz"][4] == pytest.approx((0.5 + 2 * 0.25) / 160, rel=1e-3)
    assert values["magnitude_920_1080_hz"][4] == max(v[4] for k, v in values.items() if k.startswith("magnitude"))


def test_a_windows_cepstra_are_the_mean_of_the_frames_centred_in_it(music):
    frames = librosa.feature.mfcc(y=music, sr=RATE, n_mfcc=20)
    values = computed(music, "windows")
    centres = np.arange(frames.shape[1]) * 512
    for window, start in enumerate(range(0, 3 * RATE + 1, 11025)):
        inside = (centres >= start) & (centres < start + RATE)
        expected = frames[:, inside].mean(axis=1)
        np.testing.assert_allclose([values[f"mfcc{n}_mean"][window] for n in range(1, 21)], expected, rtol=1e-4)


def test_mfcc_cov_holds_numpys_mean_and_covariance_of_librosas_mfcc_and_deltas(music):
    mfcc = librosa.feature.mfcc(y=music, sr=RATE, n_mfcc=13).astype(np.float64)
    frames = np.concatenate([mfcc, librosa.feature.delta(mfcc)])
    values = computed(music, "mfcc_cov")
    covariance = np.cov(frames, bias=True)
    assert len(values) == 26 + 26 * 27 // 2
    assert values["mfcc1_mean"] == pytest.approx(mfcc[0].mean())
    assert values["delta_mfcc13_mean"] == pytest.approx(frames[25].mean(), abs=1e-9)
    assert values["mfcc2_var"] == pytest.approx(covariance[1, 1])
    assert values["mfcc1_mfcc3_cov"] == pytest.approx(covariance[0, 2])
    assert values["mfcc13_delta_mfcc2_cov"] == pytest.approx(covariance[12, 14])
    assert values["delta_mfcc12_delta_mfcc13_cov"] == pytest.approx(covariance[24, 25])


def test_a_clip_of_fewer_than_nine_frames_has_means_but_no_slopes(music):
    values = computed(music[:2048], "mfcc_cov")
    undefined = {name for name, value in values.items() if np.isnan(value)}
    assert undefined == {name for name in values if "delta" in name}


def test_mel128_is_librosas_log_mel_spectrogram_to_half_a_step(music):
    expected = librosa.power_to_db(librosa.feature.melspectrogram(y=music, sr=RATE))
    feature_set = FEATURE_SETS["mel128"]
    row = pack_set(feature_set, compute_sets([feature_set], music))
    lowest, step = row.values
    assert row.n_frames, row.width == expected.shape[::-1]
    assert step <= 80 / 255
    np.testing.assert_allclose(dequantise(row.quantised, 128, lowest, step), expected.T, atol=step / 2 + 1e-4)
