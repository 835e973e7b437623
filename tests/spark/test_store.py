"""The store on real Delta tables."""

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
from pyspark.sql import functions as F

from conftest import METASTORE
from genreatlas.errors import LeaseHeldError, StoreError
from genreatlas.tables import ARTISTS, METRICS, PREDICTIONS, SONGS


def rows(frame):
    return sorted(tuple(row) for row in frame.collect())


def artist(key, name="Somebody"):
    return {"artist_id": key, "name": name}


def test_a_table_that_was_never_written_reads_as_no_rows(store):
    assert rows(store.read(ARTISTS)) == []
    assert store.read(ARTISTS).columns == list(ARTISTS.column_names)
    assert store.version(ARTISTS) is None


def test_merging_the_same_rows_again_adds_nothing_and_commits_nothing(store):
    frame = store.frame(ARTISTS, [artist("a"), artist("b")])
    assert store.upsert(ARTISTS, frame) == 2
    version = store.version(ARTISTS)
    assert store.upsert(ARTISTS, frame) == 0
    assert store.upsert(ARTISTS, frame, update=True) == 0
    assert rows(store.read(ARTISTS)) == [("a", "Somebody"), ("b", "Somebody")]
    assert store.version(ARTISTS) == version


def test_update_replaces_only_rows_that_differ(store):
    store.upsert(ARTISTS, [artist("a"), artist("b")])
    assert store.upsert(ARTISTS, store.frame(ARTISTS, [artist("a", "New"), artist("b")]), update=True) == 1
    assert rows(store.read(ARTISTS)) == [("a", "New"), ("b", "Somebody")]
    assert rows(store.read(ARTISTS, version=1)) == [("a", "Somebody"), ("b", "Somebody")]


def test_what_the_driver_holds_is_written_and_checked_like_a_frame(store):
    assert store.upsert(ARTISTS, [artist("a"), artist("b")]) == 2
    assert store.upsert(ARTISTS, [artist("a", "New"), artist("c")]) == 1
    assert rows(store.read(ARTISTS)) == [("a", "Somebody"), ("b", "Somebody"), ("c", "Somebody")]
    assert store.upsert(ARTISTS, pd.DataFrame([artist("a", "New"), artist("c"), artist("d")]), update=True) == 2
    assert [row[1] for row in rows(store.read(ARTISTS))] == ["New", "Somebody", "Somebody", "Somebody"]
    with pytest.raises(StoreError, match="1 rows repeat a key"):
        store.upsert(ARTISTS, [artist("e"), artist("e")])
    with pytest.raises(StoreError, match="NULL in required column name"):
        store.upsert(ARTISTS, [{"artist_id": "e"}])
    with pytest.raises(StoreError, match="no such columns: age"):
        store.upsert(ARTISTS, [artist("e") | {"age": 1}])


def test_two_writers_with_the_same_new_rows_add_them_once(store):
    store.upsert(ARTISTS, [artist("first")])
    names = [artist(f"artist {number}") for number in range(20)]
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(store.upsert, ARTISTS, names[start:]) for start in range(4)]
    assert [one.exception() for one in done] == [None] * 4
    assert rows(store.read(ARTISTS)) == sorted((row["artist_id"], row["name"]) for row in [artist("first"), *names])


def test_maps_are_compared_by_content(store):
    row = {
        "model_id": "m",
        "song_id": "s",
        "group_id": "g",
        "part": "test",
        "genres": ["x"],
        "predicted": "x",
        "confidence": 0.9,
        "score_kind": "margin",
        "n_rows": 1,
    }
    store.upsert(PREDICTIONS, store.frame(PREDICTIONS, [row | {"scores": {"x": 0.9, "y": 0.1}}]))
    same = store.frame(PREDICTIONS, [row | {"scores": {"y": 0.1, "x": 0.9}}])
    other = store.frame(PREDICTIONS, [row | {"scores": {"y": 0.2, "x": 0.8}}])
    assert store.upsert(PREDICTIONS, same, update=True) == 0
    assert store.upsert(PREDICTIONS, other, update=True) == 1


def test_a_key_that_appears_twice_is_refused(store):
    with pytest.raises(StoreError, match="1 rows repeat a key"):
        store.upsert(ARTISTS, store.frame(ARTISTS, [artist("a"), artist("a", "Other")]))
    assert not store.exists(ARTISTS)


def test_null_in_a_required_column_is_refused(store):
    with pytest.raises(StoreError, match="NULL in required column name"):
        store.upsert(ARTISTS, store.frame(ARTISTS, [{"artist_id": "a"}]))


def test_wrong_columns_and_types_are_named(store):
    frame = store.frame(ARTISTS, [artist("a")]).withColumn("name", F.lit(1)).withColumn("age", F.lit(2))
    with pytest.raises(StoreError, match="age is not a column of it; name is int, not string"):
        store.upsert(ARTISTS, frame)


def test_comments_with_units_and_quotes_reach_describe_table(store):
    store.create(METRICS)
    described = {row[0]: row[2] for row in store.sql(f"DESCRIBE TABLE {store.location.sql('metrics')}").collect()}
    assert described["other"] == METRICS.column("other").full_comment
    assert SONGS.column("isrc").full_comment in SONGS.column("isrc").comment


def test_inputs_of_training_keep_their_history(store):
    store.create(SONGS)
    properties = {row[0]: row[1] for row in store.sql(f"SHOW TBLPROPERTIES {store.location.sql('songs')}").collect()}
    assert properties["delta.deletedFileRetentionDuration"] == store.settings.history
    assert properties["delta.logRetentionDuration"] == store.settings.history
    assert properties["delta.enableDeletionVectors"] == "false"


def test_a_staged_frame_is_evaluated_once_and_found_again_after_a_crash(store):
    frame = store.spark.range(5).withColumn("draw", F.rand())  # a second evaluation would draw other numbers
    staged = store.stage(frame, "some_step", "chunk-1")
    first = rows(staged.frame)
    assert [(found.step, found.chunk) for found in store.staged("some_step")] == [("some_step", "chunk-1")]
    assert rows(store.staged("some_step")[0].frame) == first
    other = store.stage(frame, "some_step", "chunk-2")
    staged.drop()
    assert [found.chunk for found in store.staged("some_step")] == ["chunk-2"]
    other.drop()
    assert store.staged("some_step") == []
    assert rows(store.stage(frame.limit(1), "some_step", "chunk-3").frame.select("id")) == [(0,)]


@pytest.mark.skipif(bool(METASTORE), reason="a catalog's lease is a row: the test below")
def test_a_lease_is_held_by_one_run_and_lost_by_a_dead_one(store):
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(f"""
            from types import SimpleNamespace
            from genreatlas.store.lease import hold
            from genreatlas.store.reader import Location
            store = SimpleNamespace(run_id="other", location=Location(root={store.location.root!r}))
            with hold(store, "extract_features"):
                print("held", flush=True)
                input()
        """),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "held\n"
    with pytest.raises(LeaseHeldError, match=f"run other, process {child.pid}"), store.lease("extract_features"):
        pass
    with store.lease("assign_splits"):
        pass
    os.kill(child.pid, 9)
    child.wait()
    with store.lease("extract_features"):
        pass


def test_where_the_store_is_no_local_folder_the_lease_is_a_row(store, monkeypatch):
    if not METASTORE:
        monkeypatch.setattr(type(store.location), "folder", None)
    other = type(store)(store.spark, store.settings, run_id="other")
    with store.lease("train_models"), pytest.raises(LeaseHeldError, match="run test-run"), other.lease("train_models"):
        pass
    with other.lease("train_models"):
        pass
