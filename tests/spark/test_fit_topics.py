"""Topics end to end: fitted on training songs alone, a set that models learn from, refused where they leak."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from training_library import FRAME_WIDTH, FRAMES, GENRES, clip_row, fill, library, song, with_train

import stored_rows
from conftest import make_config
from connect_server import connect_server
from genreatlas.config.topics import TopicsSection
from genreatlas.counts import Counts
from genreatlas.datasets.dataset import build_dataset
from genreatlas.datasets.library import read_library
from genreatlas.datasets.topic_sets import topic_model
from genreatlas.errors import InputError, SplitLeakError
from genreatlas.report.topics import read_topics
from genreatlas.session import DELTA_SETTINGS, LOCAL_SETTINGS, jars_folder
from genreatlas.sql.registering import register_views
from genreatlas.steps import fit_topics, train_models
from genreatlas.store import Store
from genreatlas.tables import CLIPS, FEATURE_SETS, MODELS, SONG_GENRES, SONGS, SPLITS, TOPIC_MODELS, TOPICS
from genreatlas.topics import fitting

pytestmark = pytest.mark.slow

#: Clusters of frames, two for each genre.
CENTRES = np.array([[9.0, 0, 0], [9, 9, 0], [0, 9, 0], [0, 9, 9], [0, 0, 9], [9, 0, 9]])
TOPICS_OF_THREE = (
    "topics.feature_set=plain_frames", "topics.words=6", "topics.topics=3", "topics.iterations=12",
    "topics.min_songs=3", "splits.promotion=0.0",
)  # fmt: skip
JOB = Path(__file__).parents[2] / "jobs" / "fit_topics.py"
TABLES = (TOPIC_MODELS, TOPICS, FEATURE_SETS, "features_topics3")


def with_topics(one, shares=None):
    """A song whose frames are from its genre's two clusters, but for some of all."""
    random = np.random.default_rng([5, *one["song_id"].encode()])
    place = GENRES.index(one["genres"][0])
    chance = np.full(6, 0.1 / 4) if shares is None else shares
    if shares is None:
        chance[[2 * place, 2 * place + 1]] = 0.45
    drawn = random.choice(6, size=60, p=chance)
    return one | {"frames": (CENTRES[drawn] + random.normal(0, 0.4, (60, FRAME_WIDTH))).astype("f4")}


def settings(folder, *more):
    return with_train(
        make_config(folder, *TOPICS_OF_THREE, *more),
        feature_sets=("topics3",),
        candidates=({"engine": "sklearn", "estimator": "logistic_regression", "grid": {"C": [1.0]}},),
    )  # fmt: skip


@pytest.fixture(scope="module")
def fitted(spark, tmp_path_factory):
    """A store with topics, and what the step said."""
    config = settings(tmp_path_factory.mktemp("topics"))
    store = Store(spark, config.store, run_id="test-run")
    fill(store, [with_topics(one) for one in library()])
    return store, config, fit_topics.run(store, config)


def lasting(store):
    """The fits, but for what two equal runs may store differently."""
    rows = [row.asDict() for row in store.read(TOPIC_MODELS).orderBy("sequence").collect()]
    return [{name: value for name, value in row.items() if name not in TOPIC_MODELS.volatile} for row in rows]


def test_topics_are_the_genres_mixtures_of_words_and_songs_have_their_shares(fitted):
    store, _, counts = fitted
    assert (counts.read, counts.written, counts.failed) == (36, 36, 0)
    (fit,) = lasting(store)
    assert fit["set_version"].startswith("1-") and len(fit["songs"]) == 27 and fit["n_frames"] == 27 * 60
    model = topic_model(fit)
    found = np.sort(model.words.nearest(CENTRES))
    assert found.tolist() == list(range(6)), "every cluster is a word"
    topics = [row.asDict() for row in store.read(TOPICS).orderBy("topic").collect()]
    assert sorted(one["genres"][0] for one in topics) == sorted(GENRES)
    for one in topics:
        assert one["genre_lifts"][0] > 2 and one["genre_shares"][0] > 0.75
        of_genre = 2 * GENRES.index(one["genres"][0])
        assert set(one["words"][:2]) == set(model.words.nearest(CENTRES[[of_genre, of_genre + 1]]).tolist())
        assert sum(one["word_weights"][:2]) > 0.85 and len(one["examples"]) == 3
    rows = [row.asDict() for row in store.read("features_topics3").collect()]
    assert len(rows) == 36 and {row["preprocessing_id"] for row in rows} == {"prep"}
    assert all(sum(row[f"topic_{n}"] for n in (1, 2, 3)) == pytest.approx(1) for row in rows)


def test_a_rerun_adds_nothing_and_the_views_and_report_have_the_topics(fitted):
    store, config, _ = fitted
    before = [store.version(table) for table in TABLES]
    assert fit_topics.run(store, config) == Counts()
    assert [store.version(table) for table in TABLES] == before
    register_views(store)
    rows = store.spark.sql("SELECT * FROM topic_genres ORDER BY topic, rank").collect()
    assert [row["rank"] for row in rows] == [1, 2, 3] * 3
    first = store.read(TOPICS).where("topic = 1").collect()[0]
    assert (rows[0]["genre_id"], rows[0]["genre"]) == (first["genres"][0], first["genre_names"][0])
    assert (rows[0]["share"], rows[0]["lift"]) == (first["genre_shares"][0], first["genre_lifts"][0])
    shown, clips = read_topics(store)
    assert {one.number for one in shown} == {1, 2, 3} and shown == sorted(shown, key=lambda one: -one.share)
    assert len(clips) == 9 and all(len(one.songs) == 3 for one in shown)


@pytest.mark.timeout(1800)
def test_a_connect_server_fits_the_same_topics(fitted, tmp_path):
    store, config, _ = fitted
    there = tmp_path / "tables"
    shutil.copytree(
        config.store.path, there, ignore=shutil.ignore_patterns(TOPIC_MODELS.name, TOPICS.name, "features_topics3")
    )
    env = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK_", "PYSPARK_GATEWAY"))}
    env |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    jars = ",".join(map(str, sorted(jars_folder().glob("*.jar"))))
    spark_settings = DELTA_SETTINGS | LOCAL_SETTINGS | {"spark.jars": jars, "spark.sql.shuffle.partitions": "2"}
    with connect_server(tmp_path, env, spark_settings) as (address, _):
        done = subprocess.run(
            [sys.executable, str(JOB), *(part for one in (f'store.path="{there}"', *TOPICS_OF_THREE)
                                         for part in ("--set", one))],
            env=env | {"SPARK_REMOTE": address}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=1500, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout
    other = Store(store.spark, config.store.model_copy(update={"path": str(there)}))
    for table in (TOPIC_MODELS, TOPICS, fit_topics.topic_table("topics3", 3)):
        mine, theirs = (stored_rows.rows(one, table) for one in (store, other))
        pd.testing.assert_frame_equal(mine, theirs, check_exact=True)


def test_test_songs_change_nothing_of_the_fit(fitted, spark, tmp_path):
    store, _, _ = fitted
    config = settings(tmp_path)
    other = Store(spark, config.store, run_id="other-run")
    alike = np.array([1.0, 0, 0, 0, 0, 0])
    songs = [with_topics(one, alike if one["part"] == "test" else None) for one in library()]
    fill(other, songs)
    fit_topics.run(other, config)
    assert lasting(other) == lasting(store)[:1]
    mine, theirs = (
        {row["clip_id"]: row["topic_1"] for row in one.read("features_topics3").collect()} for one in (store, other)
    )
    changed = {f"clip-{one['song_id']}" for one in songs if one["part"] == "test"}
    assert all((mine[clip] == theirs[clip]) == (clip not in changed) for clip in theirs)


def test_models_learn_from_topics_and_a_split_that_judges_by_their_songs_is_refused(fitted):
    store, config, _ = fitted
    train_models.run(store, config)
    model = store.read(MODELS).where("engine = 'sklearn'").collect()[0]
    assert model.feature_set == "topics3" and model.features == ["topic_1", "topic_2", "topic_3"]
    assert model.set_version == lasting(store)[-1]["set_version"] and model.left_out == []
    swapped = [
        row.asDict() | {"split": "swapped", "part": "test" if row["part"] == "train" else "train", "fold": 0}
        for row in store.read(SPLITS).where("split = 'default'").collect()
    ]
    store.append(SPLITS, store.frame(SPLITS, swapped))
    other = config.model_copy(update={"splits": config.splits.model_copy(update={"name": "swapped"})})
    with pytest.raises(SplitLeakError, match="training part of the split 'default', which may contain songs"):
        build_dataset(store, other, read_library(store, other), "topics3")
    moved = read_library(store, config)
    moved.songs.loc[moved.songs.song_id == "rock000", "part"] = "promotion"
    with pytest.raises(SplitLeakError, match="1 of these songs, such as rock000, are now in its part promotion"):
        build_dataset(store, config, moved, "topics3")


def test_new_songs_get_shares_and_only_those_of_the_training_part_a_new_fit(fitted):
    store, config, _ = fitted
    add(store, with_topics(song(15, "jazz")))
    assert (counts := fit_topics.run(store, config)).written == 1 and counts.notes == ()
    assert len(lasting(store)) == 1
    add(store, with_topics(song(16, "jazz")))
    counts = fit_topics.run(store, config)
    first, second = lasting(store)
    assert second["set_version"].startswith("2-") and "jazz016" in second["songs"] and "jazz015" not in second["songs"]
    versions = [
        row["set_version"] for row in store.read("features_topics3").where("clip_id = 'clip-jazz016'").collect()
    ]
    # a model was trained on the first fit: new clips get their shares by it, too
    assert set(versions) == {first["set_version"], second["set_version"]} and counts.written == 38 + 1
    assert fit_topics.run(store, config) == Counts()


def add(store, one):
    """One more song, with its clip, genre, place in the split, and frames."""
    keys = {"clip_id": f"clip-{one['song_id']}", "song_id": one["song_id"]}
    place = {name: one[name] for name in ("song_id", "group_id", "part", "fold")}
    split = {"split": "default", "split_version": 2, "grouped_by": "artist"} | place
    label = {
        "song_id": one["song_id"],
        "genre_id": one["genres"][0],
        "source": "test",
        "genre": one["genres"][0].title(),
    }
    frames = {"set_version": "1", "preprocessing_id": "prep", "n_frames": 60, "width": FRAME_WIDTH, "hop_s": 0.02}
    store.upsert(SONGS, [{"song_id": one["song_id"], "source": "test", "title": one["song_id"]}])
    store.upsert(SONG_GENRES, [label | {"weight": 1.0}])
    store.upsert(SPLITS, [split])
    store.upsert(CLIPS, [clip_row(one)])
    store.upsert(FRAMES, [keys | frames | {"frames": one["frames"].ravel().tolist()}])


def test_shares_are_those_that_spark_infers(spark):
    random = np.random.default_rng(4)
    topics = random.dirichlet(np.full(30, 0.1), 3)
    rows = []
    for number in range(40):
        words = random.dirichlet(np.full(3, 0.3)) @ topics
        counts = random.multinomial(300, words).astype(float)
        rows.append((f"clip{number:02}", counts.tolist()))
    section = TopicsSection(words=30, topics=3, iterations=30)
    documents = spark.createDataFrame(rows, "clip_id string, counts array<double>")
    vectors, theirs = fitting.fit_lda(documents, section)
    model = fitting.to_model(fit_words(30), theirs)
    said = {row["clip_id"]: np.array(row["topicDistribution"].toArray()) for row in theirs.transform(vectors).collect()}
    mine = {clip: model.shares(np.array(counts)) for clip, counts in rows}
    assert max(np.abs(mine[clip] - said[clip]).max() for clip in said) < 0.01
    nearest = (np.abs(model.probabilities[:, None] - topics[None]).sum(axis=2) / 2).min(axis=0)
    assert (nearest < 0.15).all(), "every topic that the clips were made of is found"


def fit_words(n):
    return fitting.Words(np.zeros(1), np.ones(1), np.arange(float(n))[:, None])


def test_too_few_clips_and_settings_are_told_in_one_line(spark, tmp_path):
    config = settings(tmp_path, "topics.topics=3", "topics.words=2000")
    store = Store(spark, config.store, run_id="test-run")
    fill(store, [with_topics(one) for one in library(4)])
    with pytest.raises(InputError, match=r"540 frames of training songs can be used, and topics.words = 2000"):
        fit_topics.run(store, config)
    few = config.model_copy(update={"topics": config.topics.model_copy(update={"topics": 20})})
    with pytest.raises(InputError, match=r"9 clips of training songs have frames, and topics.topics = 20"):
        fit_topics.run(store, few)
    assert lasting(store) == []
