"""Housekeeping: old stores become like new ones, nothing is lost, and models keep what they were trained on."""

import json
import os
import shutil
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from genreatlas.errors import LeaseHeldError
from genreatlas.steps import housekeeping
from genreatlas.store import Store
from genreatlas.tables import CLIPS, MODELS, QUARANTINE, RUNS, SONG_GENRES, SONGS, TABLES

OLD = Path(__file__).parents[1] / "resources" / "store_of_2026_11"


def contents(store):
    """Every described table's rows, as text without order."""
    return {
        table.name: sorted(str(sorted(row.asDict().items())) for row in store.read(table).collect())
        for table in TABLES
        if store.exists(table)
    }


def detail(store, table):
    return store.sql(f"DESCRIBE DETAIL {store.location.sql(table.name)}").collect()[0]


@pytest.mark.slow
def test_an_old_store_becomes_like_a_new_one_in_place_and_loses_nothing(store, config):
    shutil.copytree(OLD, store.location.folder)
    before = contents(store)
    store.sql(f"ALTER TABLE {store.location.sql('songs')} ALTER COLUMN title COMMENT 'Old words.'")
    assert "delta.logRetentionDuration" not in detail(store, CLIPS).properties
    counts = housekeeping.run(store, config)
    assert contents(store) == before
    assert counts.read == counts.written == len(housekeeping.existing_tables(store))
    for table in housekeeping.existing_tables(store):
        found = detail(store, table)
        assert set(table.column_names) <= set(store.read(table.name).columns)
        assert list(found.clusteringColumns) == list(table.cluster_by)
        assert ("delta.logRetentionDuration" in found.properties) == table.history
    comments = {field.name: field.metadata.get("comment") for field in store.read("songs").schema}
    assert comments == {column.name: column.full_comment for column in SONGS.columns}
    assert "songs: described title" in counts.notes
    again = housekeeping.run(Store(store.spark, store.settings), config)
    assert [note for note in again.notes if "files became" not in note] == []


@pytest.mark.slow
def test_small_files_are_merged_and_versions_that_a_model_was_trained_on_stay_unless_their_loss_is_allowed(
    store, config
):
    for number in range(3):
        store.upsert(SONGS, [{"song_id": f"s{number}", "source": "test"}])
    trained_on = store.version(SONGS)
    store.upsert(SONGS, [{"song_id": "s0", "source": "other"}], update=True)
    model = dict.fromkeys(MODELS.column_names) | {
        "model_id": "m1", "experiment_id": "x", "candidate": "c", "engine": "sklearn", "estimator": "e",
        "feature_set": "f", "params": "{}", "dataset_id": "d", "split": "default", "split_version": 1, "level": "genre",
        "labels": "drop", "seed": 1, "classes": [], "class_names": [], "features": [], "score_kind": "margin",
        "grouping": "artist-safe", "format": "skops", "input_versions": {"songs": trained_on},
    }  # fmt: skip
    store.upsert(MODELS, [model])
    folder = store.location.local_path("songs")
    long_ago = time.time() - 30 * 24 * 3600
    for file in folder.rglob("*"):
        if file.is_file():
            os.utime(file, (long_ago, long_ago))

    short = config.store.model_copy(update={"history": "interval 8 days"})
    impatient = Store(store.spark, short)
    counts = housekeeping.run(impatient, config.model_copy(update={"store": short}))
    assert counts.skipped == 1
    assert [note for note in counts.notes if "m1" in note] == [
        f"songs: version {trained_on}, which m1 was trained on, is older than store.history: kept. "
        "housekeeping.allow_orphans = true deletes it"
    ]
    assert any(note.startswith("songs: ") and note.endswith("files became 1") for note in counts.notes)
    assert len(store.read(SONGS, version=trained_on).where("source = 'test'").collect()) == 3
    assert detail(store, SONGS).properties["delta.logRetentionDuration"] == "interval 3650 days"

    allowed = config.model_copy(update={"store": short, "housekeeping": config.housekeeping.model_copy(
        update={"allow_orphans": True})})  # fmt: skip
    counts = housekeeping.run(Store(store.spark, short), allowed)
    assert [note for note in counts.notes if "m1" in note] == [
        f"songs: version {trained_on}, which m1 was trained on, is older than store.history: its files may be deleted, "
        "and the training set cannot be rebuilt then"
    ]
    assert detail(store, SONGS).properties["delta.logRetentionDuration"] == "interval 8 days"


def test_it_stops_where_a_step_is_at_work(store, config):
    store.upsert(QUARANTINE, [{"stage": "s", "key": "k", "version": "v", "reason": "silent"}])
    store.upsert(SONG_GENRES, [{"song_id": "s", "genre_id": "g", "source": "t", "genre": "G", "weight": 1.0}])
    with ExitStack() as held:
        held.enter_context(Store(store.spark, store.settings, "other").lease("extract_features"))
        with pytest.raises(LeaseHeldError, match="extract_features: run other"):
            housekeeping.run(store, config)


@pytest.mark.slow
def test_secrets_that_an_older_release_wrote_to_runs_are_taken_out_of_the_table_and_off_the_disk(store, config):
    secret = "AKIA" + "J7QXW3EXAMPLEKEY"
    old = {"spark": {"settings": {"spark.hadoop.fs.s3a.secret.key": secret, "spark.sql.shuffle.partitions": "2"}}}
    row = {"run_id": "old", "step": "import_folder", "status": "failed", "versions": {"python": "3.11"}}
    store.upsert(RUNS, [row | {"config": json.dumps(old), "error": f"cannot reach https://me:{secret}@host/x"}])
    clean = row | {"run_id": "new", "config": json.dumps({"clip": {"seconds": 30.0}}), "error": None}
    store.upsert(RUNS, [clean])
    folder = store.location.local_path("runs")
    assert any(secret.encode() in file.read_bytes() for file in folder.glob("*.parquet"))

    only_runs = config.model_copy(update={"housekeeping": config.housekeeping.model_copy(update={"vacuum": False})})
    counts = housekeeping.run(store, only_runs)
    assert "runs: removed secrets from 1 rows, and deleted the files of its older versions" in counts.notes
    assert not [file for file in folder.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()]
    rows = {row.run_id: row.asDict() for row in store.read(RUNS).collect()}
    kept = json.loads(rows["old"]["config"])["spark"]["settings"]
    assert kept == {"spark.hadoop.fs.s3a.secret.key": "(left out)", "spark.sql.shuffle.partitions": "2"}
    assert rows["old"]["versions"] == {"python": "3.11"} and "host" in rows["old"]["error"]
    assert {name: rows["new"][name] for name in clean} == clean
    again = housekeeping.run(Store(store.spark, store.settings), only_runs)
    assert not [note for note in again.notes if "secrets" in note]
