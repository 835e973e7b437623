"""Words are the clusters that frames were drawn from, shares are those that a clip was made of, and genres say so."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import genreatlas
from conftest import make_config
from genreatlas import checks
from genreatlas.audio.audio_words import TopicModel, Words, count_batches, share_batches, topic_set
from genreatlas.audio.feature_sets import FEATURE_SETS, Registered
from genreatlas.audio.whole_files import whole_file
from genreatlas.errors import ModelError
from genreatlas.models import one_file
from genreatlas.models.topic_files import topics_of, write_topics
from genreatlas.topics.describing import describe
from one_file_models import recipe, save_model, sound

CENTRES = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0], [5.0, 5.0]])


def words() -> Words:
    """Four clusters of frames whose second value was measured in hundredths, and lies 3 too high."""
    return Words(mean=np.array([0.0, 3.0]), factor=np.array([1.0, 100.0]), centres=CENTRES)


def frames(drawn: list[int], seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.3, (len(drawn), 2))
    return (CENTRES[drawn] + noise) / words().factor + words().mean


def model() -> TopicModel:
    """Two topics: words 0 and 1, and words 2 and 3."""
    topic_words = np.array([[500.0, 500.0, 0.1, 0.1], [0.1, 0.1, 300.0, 900.0]])
    return TopicModel(words(), np.full(2, 0.1), topic_words)


def test_frames_become_the_words_that_they_were_drawn_from():
    drawn = np.random.default_rng(2).integers(0, 4, 500)
    assert words().nearest(frames(drawn.tolist())).tolist() == drawn.tolist()
    assert words().counts(frames([3, 3, 1])).tolist() == [0, 1, 0, 2]


def test_a_frame_without_one_of_its_values_is_no_word():
    some = frames([0, 3, 1])
    some[1, 0] = np.nan
    assert words().nearest(some).tolist() == [0, 1]


def test_shares_are_those_that_a_clip_was_made_of():
    assert model().shares(np.array([30.0, 30, 10, 30])) == pytest.approx([0.6, 0.4], abs=0.01)
    assert model().shares(np.array([0.0, 0, 25, 75])) == pytest.approx([0.0, 1.0], abs=0.01)
    assert model().shares(np.array([30.0, 30, 10, 30])).sum() == pytest.approx(1)


def test_a_clip_without_words_has_no_shares():
    assert np.isnan(model().shares(np.zeros(4))).all()


def test_shares_do_not_depend_on_the_clips_beside():
    drawn = np.random.default_rng(3).integers(0, 4, (5, 40)).tolist()
    alone = [next(share_batches(model(), iter([batch([frames(one)])]))).to_pylist()[0] for one in drawn]
    together = next(share_batches(model(), iter([batch([frames(one) for one in drawn])]))).to_pylist()
    assert [row["shares"] for row in alone] == [row["shares"] for row in together]
    (counted,) = count_batches(words(), iter([batch([frames([0, 0, 2]), frames([])])]))
    assert counted.to_pylist() == [{"clip_id": "c0", "counts": [2, 0, 1, 0]}, {"clip_id": "c1", "counts": [0] * 4}]


def batch(clips: list[np.ndarray]) -> pa.RecordBatch:
    names = pa.array([f"c{number}" for number in range(len(clips))])
    lists = pa.array([one.ravel().tolist() for one in clips], pa.list_(pa.float32()))
    widths = pa.array([2] * len(clips), pa.int32())
    return pa.RecordBatch.from_pydict({"clip_id": names, "song_id": names, "width": widths, "frames": lists})


def test_topics_are_described_by_genres_with_enough_songs_and_songs_of_several_groups():
    songs = pd.DataFrame({"song_id": [f"s{n}" for n in range(8)], "group_id": ["a", "a", "b", "c", "d", "e", "f", "g"]})
    first = np.array([0.9, 0.8, 0.7, 0.6, 0.2, 0.2, 0.1, 0.1])
    genres = ["folk"] * 4 + ["house"] * 3 + ["odd"]
    labels = pd.DataFrame({"song_id": songs.song_id, "genre_id": genres, "genre": [one.title() for one in genres]})
    twice = labels.iloc[:1].assign(song_id="s5")  # s5 is folk, too
    shares = np.stack([first, 1 - first], axis=1)
    one, two = describe(model().probabilities, shares, songs, pd.concat([labels, twice]), min_songs=3)
    assert (one["topic"], one["share"]) == (1, pytest.approx(first.mean()))
    assert one["genres"] == ["folk", "house"] and one["genre_names"] == ["Folk", "House"]
    assert one["genre_shares"] == pytest.approx([(0.9 + 0.8 + 0.7 + 0.6 + 0.2) / 5, 0.5 / 3])
    assert one["genre_lifts"] == pytest.approx([0.64 / first.mean(), 0.5 / 3 / first.mean()])
    assert one["examples"] == ["s0", "s2", "s3"] and one["example_shares"] == pytest.approx([0.9, 0.7, 0.6])
    assert two["words"] == [3, 2, 0, 1] and two["word_weights"][:2] == pytest.approx([0.75, 0.25], abs=1e-3)
    assert two["genres"] == ["house", "folk"] and two["examples"] == ["s6", "s7", "s4"]


def test_sets_without_frames_and_more_topics_than_words_are_faults(tmp_path):
    told = checks.fit_topics(make_config(tmp_path, "topics.feature_set=summary9", "topics.words=8", "topics.topics=9"))
    assert [str(fault) for fault in told] == [
        "topics.feature_set: summary9 holds summary, but topics need frames. Name such a set.",
        "topics.topics = 9: there are more topics than words (topics.words = 8). Raise topics.words.",
    ]
    assert checks.fit_topics(make_config(tmp_path)) == []


def of_frames(n_words: int = 8) -> TopicModel:
    """Topics of the frames of sounds of noise and of tones."""
    how = recipe(make_config(Path(), "clip.seconds=2.0"), "mfcc12_frames")
    heard = [whole_file(sound(kind, seed=seed), how, content=True) for kind in ("noise", "tone") for seed in (1, 2, 3)]
    values = np.concatenate([window.values for one in heard for window in one.windows]).astype(np.float64)
    mean, factor = values.mean(axis=0), 1 / values.std(axis=0)
    centres = (values[np.linspace(0, len(values) - 1, n_words).astype(int)] - mean) * factor
    topic_words = np.full((2, n_words), 0.1)
    topic_words[0, : n_words // 2] = topic_words[1, n_words // 2 :] = 50.0
    return TopicModel(Words(mean, factor, centres), np.full(2, 0.1), topic_words)


def test_a_model_of_topics_brings_them_along_and_scores_files(tmp_path, monkeypatch):
    config = make_config(tmp_path, "clip.seconds=2.0")
    source = FEATURE_SETS["mfcc12_frames"]
    known = topic_set("topics2", "1-abc", source, of_frames())
    monkeypatch.setitem(FEATURE_SETS, "topics2", known)
    save_model(config, "topics", "topics2")
    monkeypatch.delitem(FEATURE_SETS, "topics2")
    folder = config.models.path.absolute() / "topics"
    with pytest.raises(ModelError, match="topics2 were imported, so they cannot be computed from audio"):
        genreatlas.predict(sound("tone", seed=50), config.models.path, "topics")
    write_topics(folder, (known,))
    one_file._load.cache_clear()
    said = [genreatlas.predict(sound(kind, seed=50), config.models.path, "topics") for kind in ("noise", "tone")]
    assert [one.genre for one in said] == ["noise", "tone"]
    (read,) = topics_of(folder)
    how = recipe(config, "mfcc12_frames")
    frames = whole_file(sound("tone", seed=9), how, content=True).windows[0].values
    asked = replace(how, feature_set="topics2", columns=("topic_1", "topic_2"), registered=Registered((), (read,)))
    shares = whole_file(sound("tone", seed=9), asked, content=True).windows[0].values
    assert shares[0] == pytest.approx(known.model.shares(known.model.words.counts(frames)), abs=1e-6)


def test_topics_of_other_frames_and_damaged_ones_are_refused(tmp_path):
    source = FEATURE_SETS["mfcc12_frames"]
    write_topics(tmp_path, (topic_set("topics2", "1-abc", source, model()),))
    (read,) = topics_of(tmp_path)
    assert (read.name, read.version, read.source) == ("topics2", "1-abc", source)
    assert np.array_equal(read.model.topic_words, model().topic_words)
    told = json.loads((tmp_path / "topics.json").read_text())
    (tmp_path / "topics.json").write_text(json.dumps([told[0] | {"source_version": "0"}]))
    with pytest.raises(ModelError, match="fitted on mfcc12_frames version 0, which this release computes differently"):
        topics_of(tmp_path)
    (tmp_path / "topics.npz").write_bytes(b"no arrays")
    with pytest.raises(ModelError, match="not the topics of a model of this version"):
        topics_of(tmp_path)
    assert topics_of(tmp_path / "other") == ()
