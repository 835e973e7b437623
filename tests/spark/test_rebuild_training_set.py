"""A model's training set can be made again, to the bit, whatever happened to the tables since."""

import json
import os
import time

import numpy as np
import pytest
from pyspark.sql import functions as F
from training_library import SET, clip_row, fill, library, song, with_train

from conftest import make_config
from genreatlas.errors import ConfigError, ModelError
from genreatlas.steps import rebuild_training_set, train_models
from genreatlas.store import Snapshot, Store
from genreatlas.tables import CLIPS, MODELS, SONG_GENRES, SONGS, SPLITS

pytestmark = pytest.mark.slow

CANDIDATES = ({"engine": "sklearn", "estimator": "logistic_regression", "feature_sets": ("plain",)},)


def trained(spark, folder, songs=6, **settings):
    """A store with trained models, and its configuration; some labels and a condition that reads other tables."""
    config = with_train(make_config(folder), candidates=CANDIDATES, where="isrc IS NULL AND bytes = 1", **settings)
    store = Store(spark, config.store)
    fill(store, library(songs), frames=False)
    train_models.run(store, config)
    return store, config


def models(store):
    return {(row.engine, row.estimator): row for row in store.read(MODELS).collect()}


def rebuilt(store, config, row):
    """Arrays of the rebuilt matrix, and what is said of them."""
    config = config.model_copy(update={"rebuild": config.rebuild.model_copy(
        update={"model_id": row.model_id, "path": config.models.path.parent / "rebuilt"})})  # fmt: skip
    rebuild_training_set.run(store, config)
    folder = config.rebuild.path / row.model_id
    facts = json.loads((folder / "matrix.json").read_text())
    return {name: np.load(folder / f"{row.dataset_id}-{name}.npy") for name in ("X", "y", "fold", "song")}, facts


def change_everything(store):
    """New songs, another genre, another value, a song that moved away: each would change the matrix."""
    fresh = [song(number, "rock") for number in range(40, 46)]
    put = {SONGS: [{"song_id": s["song_id"], "source": "test"} for s in fresh], CLIPS: map(clip_row, fresh)}
    for table, rows in put.items():
        store.upsert(table, list(rows))
    split = {"split": "default", "split_version": 2, "grouped_by": "artist"}
    moved = song(0, "jazz") | {"part": "excluded", "fold": None}
    names = ("song_id", "group_id", "part", "fold")
    store.upsert(SPLITS, [split | {name: s[name] for name in names} for s in [*fresh, moved]])
    store.upsert(SONG_GENRES, [{"song_id": s["song_id"], "genre_id": "rock", "source": "test", "genre": "Rock",
                                "weight": 1.0} for s in [*fresh, song(1, "jazz")]])  # fmt: skip
    features = store.read(SET).withColumn("tempo", F.col("tempo") + 1)
    store.upsert(SET, features, update=True)


@pytest.mark.slow
def test_the_training_set_of_a_model_is_made_again_after_its_tables_have_changed(spark, tmp_path):
    store, config = trained(spark, tmp_path)
    kept = models(store)
    model, blind = kept["sklearn", "logistic_regression"], kept["baseline", "technical"]
    before, facts = rebuilt(store, config, model)
    assert facts["sha256"] == model.matrix_sha256
    assert facts["songs"] == sorted(s["song_id"] for s in library(6) if s["part"] == "train")
    assert before["X"].shape == (15, len(facts["features"]))
    change_everything(store)
    after, again = rebuilt(store, config, model)
    assert {name: array.tobytes() for name, array in after.items()} == {
        name: array.tobytes() for name, array in before.items()
    }
    assert again == facts
    assert rebuilt(store, config, blind)[1]["sha256"] == blind.matrix_sha256

    with pytest.raises(ConfigError, match=r"rebuild.model_id = 'nobody': the table models has no such row"):
        rebuild_training_set.run(store, config.model_copy(update={"rebuild": config.rebuild.model_copy(
            update={"model_id": "nobody"})}))  # fmt: skip
    store.upsert(MODELS, [model.asDict() | {"matrix_sha256": "0" * 64}], update=True)
    with pytest.raises(ModelError, match="the rebuilt training set has the hash"):
        rebuilt(store, config, models(store)["sklearn", "logistic_regression"])


def test_a_snapshot_reads_what_was_there_when_it_was_first_asked_and_cannot_write(store):
    store.upsert(SONGS, [{"song_id": "a", "source": "test"}])
    snapshot = Snapshot(store)
    assert snapshot.read(SONGS).count() == 1
    store.upsert(SONGS, [{"song_id": "b", "source": "test"}])
    assert (snapshot.read(SONGS).count(), store.read(SONGS).count()) == (1, 2)
    assert snapshot.read_versions == {"songs": 1}
    assert Snapshot(snapshot).read(SONGS).count() == 1
    past = Snapshot(store, {"songs": 1}, only=True)
    assert (past.read(SONGS).count(), past.read(CLIPS).count(), past.exists(SPLITS)) == (1, 0, False)
    assert not hasattr(snapshot, "upsert") and not hasattr(snapshot, "sql")


@pytest.mark.slow
def test_it_is_made_again_after_a_year_of_appends_optimising_and_vacuum(spark, tmp_path):
    store, config = trained(spark, tmp_path)
    model = models(store)["sklearn", "logistic_regression"]
    before, facts = rebuilt(store, config, model)
    tables = ("songs", "song_genres", "song_artists", "splits", "clips", "feature_sets", SET.name)
    long_ago = time.time() - 400 * 24 * 3600
    for name in tables:
        for file in store.location.local_path(name).rglob("*"):
            if file.is_file():
                os.utime(file, (long_ago, long_ago))
    change_everything(store)
    for number in range(12):  # a checkpoint comes after ten commits, and with it Delta cleans its log
        store.upsert(SONGS, [{"song_id": f"later{number}", "source": "test"}])
        store.upsert(SET, [{"clip_id": f"later{number}", "set_version": "1", "preprocessing_id": "prep",
                            "song_id": f"later{number}", "tempo": float(number)}])  # fmt: skip
    assert list(store.location.local_path("songs", "_delta_log").glob("*.checkpoint*.parquet"))
    for name in tables:
        store.sql(f"OPTIMIZE {store.location.sql(name)}")
        store.sql(f"VACUUM {store.location.sql(name)}")
    train_models.run(store, config)
    newer = [row for row in store.read(MODELS).where("engine = 'sklearn'").collect() if row.model_id != model.model_id]
    assert [row.matrix_sha256 == model.matrix_sha256 for row in newer] == [False]
    after, again = rebuilt(store, config, model)
    assert {name: array.tobytes() for name, array in after.items()} == {
        name: array.tobytes() for name, array in before.items()
    }
    assert again == facts
