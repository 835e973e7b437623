"""Features joined with genres and split: what is in, what is left out, and the matrix on the driver."""

from dataclasses import replace

import numpy as np
import pytest
from training_library import GENRES, SET, fill, library, song, with_train

from genreatlas.datasets.dataset import build_dataset
from genreatlas.datasets.library import read_library
from genreatlas.datasets.matrix import training_rows, write_matrix
from genreatlas.errors import ConfigError, InputError, SplitLeakError
from genreatlas.tables import CLIPS, GENRE_PARENTS, SPLITS

SONGS = [
    *library(5, GENRES[:2]),
    song(20, "blues", genres=("blues", "jazz")),
    song(21, "jazz", isrc="GBAYE0601498"),
    song(22, "jazz", isrc="GB-AYE-06-01498", group_id="artist-jazz021", fold=1),
]


@pytest.fixture(scope="module")
def filled(spark, tmp_path_factory):
    """A store that no test changes, its configuration and its library."""
    from conftest import make_config
    from genreatlas.store import Store

    config = with_train(make_config(tmp_path_factory.mktemp("dataset")), min_songs=2)
    store = Store(spark, config.store)
    fill(store, SONGS)
    return store, config, read_library(store, config)


def build(filled, feature_set="plain", **settings):
    store, config, songs = filled
    return build_dataset(store, with_train(config, **({"min_songs": 2} | settings)), songs, feature_set)


def test_a_row_is_a_clip_with_its_song_its_genre_and_its_features_in_order(filled):
    dataset = build(filled)
    assert dataset.features == ("tempo", "energy", "key=0", "key=1", "key=2", "noise")
    assert (dataset.classes, dataset.class_names) == (("blues", "jazz"), ("Blues", "Jazz"))
    row = dataset.frame.where("song_id = 'blues000'").collect()[0].asDict()
    features = song(0, "blues")["features"]
    assert row.pop("features") == pytest.approx([features["tempo"], None, 1.0, 0.0, 0.0, features["noise"]])
    assert row == {
        "song_id": "blues000",
        "clip_id": "clip-blues000",
        "group_id": "artist-blues000",
        "part": "train",
        "fold": 0,
        "genres": ["blues"],
        "weight": 1.0,
    }


def test_what_was_kept_and_dropped_is_counted_per_genre(filled):
    dropped = build(filled).dropped.set_index("genre_id")
    assert dropped.loc["blues", ["songs", "several", "duplicates", "kept"]].tolist() == [6, 1, 0, 5]
    assert dropped.loc["jazz", ["songs", "several", "duplicates", "kept"]].tolist() == [8, 1, 1, 6]


def test_a_condition_may_name_songs_clips_and_features(filled):
    condition = "songs.title <> 'blues001' AND sample_rate = 44100 AND features.key <> 2"
    dataset = build(filled, where=condition)
    numbers = sorted(row.song_id for row in dataset.frame.collect() if row.song_id.startswith("blues"))
    assert numbers == ["blues000", "blues003", "blues004"]
    assert dataset.dropped.set_index("genre_id").filtered["blues"] == 3


@pytest.mark.parametrize(
    "condition, words",
    [("tmepo > 3", "tmepo"), ("tempo >", "PARSE"), ("tempo + 1", "not true or false"), ("int(title) > 3", "CAST")],
)
def test_a_bad_condition_is_refused_in_one_line_with_sparks_words(filled, condition, words):
    with pytest.raises(ConfigError) as error:
        build(filled, where=condition)
    assert condition in str(error.value) and words in str(error.value).replace(condition, "")
    assert "\n" not in str(error.value)


def test_an_unknown_feature_set_is_refused_with_the_nearest(filled):
    with pytest.raises(ConfigError, match="Did you mean plain"):
        build(filled, "plian")


def test_fewer_than_two_usable_genres_is_an_input_error(filled):
    with pytest.raises(InputError, match="Fewer than two usable genres"):
        build(filled, min_songs=6)


def test_baselines_see_the_songs_of_the_set_that_they_are_held_against(filled):
    store, config, songs = filled
    main = build(filled)
    technical = build_dataset(store, config, songs, "technical", songs_of=main)
    assert technical.features == (
        "sample_rate",
        "channels",
        "bit_rate",
        "duration_s",
        "codec=MPEG_LAYER_III",
        "provider=folder",
    )
    assert technical.songs is main.songs
    assert technical.frame.where("song_id = 'jazz000'").collect()[0].features == [44100, 2, 128000, 180, 1, 1]


def test_the_matrix_is_sorted_and_the_same_however_the_rows_are_cut(filled, tmp_path):
    dataset = build(filled)
    one = write_matrix(dataset, training_rows(dataset, 4), tmp_path / "one")
    rows = training_rows(dataset, 4, buckets=3).repartition(5, "clip_id")
    other = write_matrix(dataset, rows, tmp_path / "other", buckets=3)
    assert one.dataset_id == other.dataset_id
    for name in one.ARRAYS:
        np.testing.assert_array_equal(one.array(name), other.array(name))
    training = [s for s in SONGS if s["part"] == "train" and s["song_id"] not in ("blues020", "jazz022")]
    assert len(training) == one.n_rows == one.n_songs
    assert one.array("X").dtype == np.float32 and one.array("X").shape == (one.n_rows, 6)
    np.testing.assert_allclose(one.array("X")[:, 0], [s["features"]["tempo"] for s in training], rtol=1e-6)
    assert np.isnan(one.array("X")[0, 1])
    assert one.array("y").tolist() == [GENRES.index(s["genres"][0]) for s in training]
    assert one.array("fold").tolist() == [s["fold"] for s in training]


def test_frames_are_spread_evenly_over_the_clip(filled, tmp_path):
    dataset = build(filled, "plain_frames")
    matrix = write_matrix(dataset, training_rows(dataset, 4), tmp_path)
    frames = song(0, "blues")["frames"]
    np.testing.assert_array_equal(matrix.array("X")[:4], frames[[1, 3, 6, 8]])
    assert (matrix.array("song")[:5].tolist(), matrix.axis) == ([0, 0, 0, 0, 1], "frames")


def test_several_genres_are_several_columns_of_y(filled, tmp_path):
    dataset = build(filled, labels="multi")
    matrix = write_matrix(dataset, training_rows(dataset, 4), tmp_path)
    truth = matrix.array("y")[:]
    assert truth.dtype == bool and truth.sum(axis=0).tolist() == [5, 6]


def test_a_set_that_none_of_the_songs_has_is_an_empty_matrix(filled, tmp_path):
    dataset = build(filled)
    empty = replace(dataset, frame=dataset.frame.where("false"))
    matrix = write_matrix(empty, training_rows(empty, 4), tmp_path)
    assert (matrix.n_rows, matrix.n_songs, matrix.folds, matrix.array("X").shape) == (0, 0, (), (0, 6))


def put(store, table, *rows):
    store.upsert(table, store.frame(table, rows), update=True)


def test_only_the_current_version_and_clips_that_still_count_are_used(store, config):
    songs = library(4, GENRES[:2])
    fill(store, songs)
    old = [s | {"features": dict.fromkeys(s["features"], -1.0)} for s in songs]
    put(store, SET, *({"clip_id": f"clip-{s['song_id']}", "song_id": s["song_id"], "set_version": "0",
                       "preprocessing_id": "prep", **s["features"]} for s in old))  # fmt: skip
    from training_library import clip_row

    put(store, CLIPS, clip_row(songs[0]) | {"replaced_by": "another"})
    dataset = build_dataset(store, with_train(config, min_songs=2), read_library(store, config), "plain")
    rows = {row.song_id: row.features for row in dataset.frame.collect()}
    assert sorted(rows) == [s["song_id"] for s in songs[1:]]
    assert min(features[0] for features in rows.values()) > 0
    assert dataset.dropped.set_index("genre_id").no_features["blues"] == 1


@pytest.mark.slow
def test_parents_are_the_classes_where_that_is_the_level(store, config):
    fill(store, library(4))
    parent = {"parent_id": "roots", "parent": "Roots", "source": "configuration"}
    put(store, GENRE_PARENTS, *({"genre_id": genre, "genre": genre.title(), **parent} for genre in ("blues", "jazz")))
    config = with_train(config, level="parent")
    dataset = build_dataset(store, config, read_library(store, config), "plain")
    assert (dataset.classes, dataset.class_names, dataset.level) == (("rock", "roots"), ("Rock", "Roots"), "parent")
    assert len(dataset.songs) == 12


def test_a_split_that_leaks_is_refused_by_the_name_of_the_group(store, config):
    songs = library(4, GENRES[:2])
    fill(store, [*songs, song(40, "blues", group_id="artist-blues003", part="train", fold=0)])
    with pytest.raises(SplitLeakError, match="artist-blues003"):
        read_library(store, config)


def test_a_split_without_songs_is_refused(store, config):
    put(store, SPLITS)
    with pytest.raises(InputError, match="Run assign_splits"):
        read_library(store, config)
