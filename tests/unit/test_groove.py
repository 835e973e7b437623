"""Rhythm, on clicks and bars whose tempo, beats, swing and pattern are known."""

import librosa
import numpy as np
import pytest

from genreatlas.audio.engine import FAST_GRAPH, REFERENCE_GRAPH
from genreatlas.audio.feature_sets import FEATURE_SETS, compute_sets
from genreatlas.audio.kernels.periods import beat_path, beat_path_plain
from genreatlas.audio.rhythm import TEMPO_RATIOS

RATE = 22050
SECONDS = 20


def hits(times, low=0.0, high=RATE / 2, seed=0, level=0.5):
    """Short bursts of noise in a band."""
    samples = np.zeros(SECONDS * RATE)
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(1500) * np.exp(-np.arange(1500) / 200))
    hertz = np.fft.rfftfreq(1500, 1 / RATE)
    spectrum[(hertz < low) | (hertz > high)] = 0.0
    burst = np.fft.irfft(spectrum)
    burst *= level / np.abs(burst).max()
    for time in times:
        start = round(time * RATE)
        samples[start : start + 1500] += burst[: max(len(samples) - start, 0)][:1500]
    return samples


def compute(samples, *names):
    values = FAST_GRAPH.compute(names, samples=np.asarray(samples, np.float32), sample_rate=RATE)
    return values[names[0]] if len(names) == 1 else [values[name] for name in names]


def groove(samples):
    feature_set = FEATURE_SETS["groove"]
    values = compute_sets([feature_set], np.asarray(samples, np.float32), FAST_GRAPH)
    named = dict(zip([f.name for f in feature_set.features], values["groove"].tolist(), strict=True))
    return named | {array.name: values[f"groove.{array.name}"] for array in feature_set.arrays}


def beats_of(bpm, first=0.25):
    return np.arange(first, SECONDS - 0.2, 60 / bpm)


@pytest.fixture(scope="module")
def clicks():
    return groove(hits(beats_of(120)))


def test_a_click_track_at_120_has_its_tempo_and_a_beat_every_half_second(clicks):
    assert clicks["tempo"] == pytest.approx(120, rel=0.03)
    assert clicks["tempo_tracked"] == pytest.approx(120, rel=0.002)
    np.testing.assert_allclose(np.diff(clicks["tracked_beat_times"]), 0.5, atol=0.013)
    expected = beats_of(120)
    apart = np.abs(clicks["tracked_beat_times"][:, np.newaxis] - expected).min(axis=1)
    assert apart.max() < 0.035  # out of silence, the frame before the click hears it already
    assert len(clicks["tracked_beat_times"]) >= len(expected) - 2
    assert clicks["beat_steadiness"] < 0.02


@pytest.mark.parametrize("bpm", [72, 97.3, 133])
def test_the_tracked_tempo_is_not_bound_to_whole_frames(bpm):
    assert compute(hits(beats_of(bpm)), "beat_tempo") == pytest.approx(bpm, rel=0.003)


def test_every_click_is_an_onset_and_they_follow_evenly(clicks):
    assert len(clicks["onset_times"]) == len(beats_of(120))
    assert clicks["onset_rate"] == pytest.approx(len(beats_of(120)) / SECONDS)
    assert clicks["inter_onset_mean"] == pytest.approx(0.5, abs=0.01)
    assert clicks["inter_onset_median"] == pytest.approx(0.5, abs=0.025)
    assert clicks["inter_onset_std"] < 0.02
    assert clicks["inter_onset_entropy"] == 0.0


def test_clicks_have_a_clear_pulse_and_noise_has_none(clicks):
    noise = np.random.default_rng(1).standard_normal(SECONDS * RATE) * 0.1
    assert clicks["pulse_clarity"] > 0.8 > 0.4 > compute(noise, "pulse_clarity")
    assert clicks["tempo_confidence"] > 0.6


def test_librosas_beats_onsets_and_tempogram_are_librosas():
    samples = (hits(beats_of(110)) + 0.01 * np.random.default_rng(0).standard_normal(SECONDS * RATE)).astype(np.float32)
    found = compute(samples, "tempo", "beat_frames", "onset_frames", "onset_strength", "tempogram", "tempogram_mean")
    tempo, beats = librosa.beat.beat_track(y=samples, sr=RATE)
    assert found[0] == tempo[0]
    np.testing.assert_array_equal(found[1], beats)
    beat_times, onset_times = compute(samples, "beat_times", "onset_times")
    np.testing.assert_array_equal(beat_times, librosa.beat.beat_track(y=samples, sr=RATE, units="time")[1])
    np.testing.assert_array_equal(onset_times, librosa.onset.onset_detect(y=samples, sr=RATE, units="time"))
    np.testing.assert_array_equal(found[2], librosa.onset.onset_detect(y=samples, sr=RATE))
    np.testing.assert_allclose(found[3], librosa.onset.onset_strength(y=samples, sr=RATE), atol=1e-4)
    expected = librosa.feature.tempogram(y=samples, sr=RATE)
    np.testing.assert_allclose(found[4], expected, atol=1e-5)
    np.testing.assert_allclose(found[5], expected.mean(axis=1), atol=1e-5)


def test_tempo_ratios_are_librosas_of_the_mean_tempogram():
    samples = hits(np.sort(np.concatenate([beats_of(100), beats_of(100)[::2] + 0.15])))
    mean, tempo, ratios = compute(samples, "tempogram_mean", "tempo", "tempo_ratios")
    factors = np.array([over / under for over, under in TEMPO_RATIOS])
    expected = librosa.feature.tempogram_ratio(tg=mean[:, np.newaxis], bpm=np.array([tempo]), sr=RATE, factors=factors)
    np.testing.assert_allclose(ratios, expected[:, 0], atol=1e-9)


@pytest.mark.parametrize("envelope", [np.zeros(500), np.random.default_rng(0).uniform(0, 3, 500), np.ones(40)])
def test_the_faster_tempogram_is_the_reference(envelope):
    given = {"onset_strength": envelope.astype(np.float32), "sample_rate": RATE}
    for name in ("tempogram", "tempogram_mean"):
        expected, found = (graph.compute([name], **given)[name] for graph in (REFERENCE_GRAPH, FAST_GRAPH))
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("period", "size"), [(21.4, 400), (50.0, 400), (33.3, 30), (10.0, 1)])
def test_the_kernel_finds_the_path_that_numpy_finds(period, size):
    activation = np.random.default_rng(1).uniform(0, 1, size) ** 3
    np.testing.assert_array_equal(beat_path(activation, period, 100.0), beat_path_plain(activation, period, 100.0))


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
def test_a_swung_hi_hat_has_its_ratio(ratio):
    beats = beats_of(120)
    late = beats + 0.5 * ratio / (1 + ratio)
    samples = hits(beats, high=120) + hits(beats, low=5000, seed=1) + hits(late[:-1], low=5000, seed=1)
    values = groove(samples)
    assert values["tempo_tracked"] == pytest.approx(120, rel=0.01)
    assert values["swing_ratio"] == pytest.approx(ratio, abs=0.15)
    assert values["swing_parts"] == 2


def test_beats_in_three_do_not_swing():
    beats = beats_of(100)
    thirds = np.concatenate([beats + 0.6 / 3, beats + 1.2 / 3])[:-2]
    samples = hits(beats, high=120, level=1.0) + hits(np.concatenate([beats, thirds]), low=3000, level=0.3)
    values = groove(samples)
    assert values["tempo_tracked"] == pytest.approx(100, rel=0.01)
    assert np.isnan(values["swing_ratio"])


def bar_of(metre, seed=0):
    """Kick on the first beat, a snare on the others, hi-hats on half beats, and a chord that changes every bar."""
    beats = beats_of(120)
    time = np.arange(SECONDS * RATE) / RATE
    bar = ((time - beats[0]) / (0.5 * metre)).astype(int)
    tone = 0.1 * np.sin(2 * np.pi * np.array([220.0, 293.7, 329.6])[bar % 3] * time)
    samples = hits(beats[::metre], high=140, level=0.9) + hits(np.delete(beats, np.s_[::metre]), 300, 1500, 1, 0.5)
    return samples + hits(np.sort(np.concatenate([beats, beats[:-1] + 0.25])), low=4000, seed=2, level=0.2) + tone


@pytest.mark.parametrize("metre", [3, 4])
def test_a_bar_has_as_many_beats_as_it_repeats_after_and_begins_with_the_kick(metre):
    values = groove(bar_of(metre))
    assert values["beats_per_bar"] == metre
    assert values["bar_confidence"] > 0.7
    kicks = beats_of(120)[::metre]
    assert np.abs(values["downbeat_times"][:, np.newaxis] - kicks).min(axis=1).max() < 0.04


def test_the_pattern_of_a_bar_shows_what_is_played_in_its_steps():
    values = groove(bar_of(4))
    pattern = {b: np.array([values[f"pattern_{b}_{n}"] for n in range(1, 17)]) for b in ("low", "mid", "high")}
    assert np.argmax(pattern["low"]) == 0
    assert set(np.argsort(pattern["mid"])[-3:]) == {4, 8, 12}
    assert set(np.argsort(pattern["high"])[-8:]) == set(range(0, 16, 2))
    assert values["cycle_high_8"] > 0.3  # eight hi-hats a bar are eight cycles


def test_cycles_do_not_depend_on_where_the_bar_begins():
    pattern = np.random.default_rng(0).uniform(0, 1, 48)
    rotated = np.roll(pattern.reshape(3, 16), 5, axis=1).reshape(-1)
    expected, found = (
        REFERENCE_GRAPH.compute(["step_cycles"], step_pattern=p)["step_cycles"] for p in (pattern, rotated)
    )
    assert expected.shape == (24,)
    np.testing.assert_allclose(found, expected)


def test_the_level_does_not_move_the_beats():
    loud, quiet = (groove(gain * bar_of(4)) for gain in (0.5, -0.0625))
    for name in ("tracked_beat_times", "downbeat_times", "beat_times", "onset_times"):
        np.testing.assert_array_equal(loud[name], quiet[name])
    assert loud["swing_ratio"] == pytest.approx(quiet["swing_ratio"], abs=1e-3)


def test_silence_has_no_rhythm():
    values = groove(np.zeros(5 * RATE))
    defined = {name for name, value in values.items() if np.ndim(value) == 0 and not np.isnan(value)}
    assert defined == {"onset_strength_mean", "onset_strength_std", "onset_rate"}
    assert all(len(value) == 0 for value in values.values() if np.ndim(value))
