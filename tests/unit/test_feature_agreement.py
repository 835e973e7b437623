"""What extraction stores is what plain librosa would have stored: composed clips, from MP3 bytes to rows."""

import librosa
import numpy as np
import pytest

from genreatlas.audio import worker
from genreatlas.audio.decode import read_clip, resample
from genreatlas.audio.engine import FAST_GRAPH, REFERENCE_GRAPH
from genreatlas.audio.feature_sets import FEATURE_SETS
from genreatlas.config import ClipSection
from genreatlas.config.sections import SandboxSection
from genreatlas.sandbox import GENRES, plan_library, write_library

SETS = ("mfcc12_frames", "summary9", "gtzan57", "fma518_44k", "fma518_22k")


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> list[str]:
    """Short composed songs."""
    section = SandboxSection(
        path=tmp_path_factory.mktemp("composed"), genres=tuple(GENRES)[:2], seconds=6.0,
        artists_per_genre=1, songs_per_artist=1, broken_files=False,
    )  # fmt: skip
    write_library(section)
    paths = [str(section.path / file.path) for file in plan_library(section)]
    return [paths[0], paths[-1]]


@pytest.fixture(scope="module")
def rows(clips) -> tuple[list, list]:
    """Rows of all sets by the engine, and by plain librosa."""
    sets = [FEATURE_SETS[name] for name in SETS]
    worker.warm_up(frozenset(SETS))
    ours = [row for clip in clips for row in worker.extract_clip(clip, 0.0, 6.0, ClipSection(), sets)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "FAST_GRAPH", REFERENCE_GRAPH)
        plain = [row for clip in clips for row in worker.extract_clip(clip, 0.0, 6.0, ClipSection(), sets)]
    return ours, plain


@pytest.mark.parametrize("name", [name for name in SETS if FEATURE_SETS[name].axis == "summary"])
def test_columns_agree_within_the_stated_tolerance(rows, name):
    ours, plain = (np.array([row.values for row in some if row.feature_set == name]) for some in rows)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(plain))
    deviation = np.nan_to_num(np.abs(ours - plain) / np.maximum(1.0, np.abs(plain)))
    assert deviation.shape[1] == len(FEATURE_SETS[name].features)
    assert np.mean(deviation <= 1e-4) >= 0.9999
    assert deviation.max() <= 1e-3


def test_frames_agree_within_a_hundred_thousandth_of_their_range(rows):
    ours, plain = ([row for row in some if row.feature_set == "mfcc12_frames"] for some in rows)
    for mine, theirs in zip(ours, plain, strict=True):
        frames, expected = (row.frames.reshape(-1, row.width) for row in (mine, theirs))
        assert frames.shape == expected.shape
        assert (np.abs(frames - expected) <= 1e-5 * np.ptp(expected, axis=0)).all()


def test_tempo_is_librosas(rows):
    position = [feature.name for feature in FEATURE_SETS["gtzan57"].features].index("tempo")
    ours, plain = ([row.values[position] for row in some if row.feature_set == "gtzan57"] for some in rows)
    np.testing.assert_array_equal(ours, plain)


@pytest.mark.parametrize("place", [0, 1])
def test_tuning_tempo_beats_and_onsets_are_librosas_exactly(clips, place):
    signal = read_clip(clips[place])
    samples = resample(signal.samples, signal.sample_rate, 22_050)
    names = ("tuning", "magnitude_tuning", "tempo", "beat_frames", "onset_frames")
    tuning, magnitude_tuning, tempo, beats, onsets = FAST_GRAPH.compute(
        names, samples=samples, sample_rate=22_050
    ).values()
    assert tuning == librosa.estimate_tuning(S=np.abs(librosa.stft(samples)) ** 2, bins_per_octave=12)
    assert magnitude_tuning == librosa.estimate_tuning(y=samples, bins_per_octave=12)
    expected_tempo, expected_beats = librosa.beat.beat_track(y=samples)
    assert tempo == expected_tempo[0]
    np.testing.assert_array_equal(beats, expected_beats)
    np.testing.assert_array_equal(onsets, librosa.onset.onset_detect(y=samples))
