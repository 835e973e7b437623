"""Files of fetched bytes: staged, published once, read by their batch alone, and adopted or removed after a kill."""

import hashlib
import json
import shutil

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from conftest import METASTORE
from genreatlas.store import Store, arrivals, upkeep
from genreatlas.store.delta_log import is_whole, missing_actions
from genreatlas.tables import CLIP_AUDIO, Table

pytestmark = pytest.mark.skipif(bool(METASTORE), reason="a catalog's tables are written by Spark")
STEP = "fetch_previews"
ROWS = pa.schema(
    [
        ("key", pa.string()), ("provider", pa.string()), ("sha256", pa.string()), ("ingest_batch", pa.string()),
        ("bytes", pa.int64()), ("file", pa.string()), ("file_bytes", pa.int64()),
    ]
)  # fmt: skip


def arrive(place, batch, sounds, provider="http"):
    """Write one file, as a task does; returns the small rows of songs ``<batch> 0``, ``<batch> 1`` and so on."""
    file = place.open(batch)
    rows = [
        {"sha256": hashlib.sha256(sound).hexdigest(), "provider": provider, "bytes": len(sound), "audio": sound}
        for sound in sounds
    ]
    file.add(rows)
    file.close()
    about = {"ingest_batch": batch, "file": file.name}
    small = [row | about | {"key": f"{batch} {number}"} for number, row in enumerate(rows)]
    failed = [{"key": f"{batch} failed"}]
    return pa.Table.from_pylist([{n: row.get(n) for n in ROWS.names} for row in small + failed], ROWS)


def stage(store, batches, session="s", died=False, provider="http"):
    """Stage batches of a session; with ``died`` its place is left as a killed run leaves it."""
    holder = store.arriving(CLIP_AUDIO, STEP, session)
    place = holder.__enter__()
    staged = [
        store.stage_files(place, arrive(place, f"{session}-{number}", sounds, provider), STEP, number)
        for number, sounds in enumerate(batches, 1)
    ]
    if died:  # the lock goes with the process
        assert not holder.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
        return staged
    return holder, staged


def kept(store):
    return sorted((row.ingest_batch, bytes(row.audio)) for row in store.read(CLIP_AUDIO).collect())


def files(store):
    return sorted(path.name for path in store.location.local_path("clip_audio").glob("*.parquet"))


def log_of(store, name="clip_audio"):
    folder = store.location.local_path(name, "_delta_log")
    return [[json.loads(line) for line in path.read_text().splitlines()] for path in sorted(folder.glob("*.json"))]


def test_a_batch_becomes_part_of_a_table_with_comments_and_no_clusters_once_whatever_is_repeated(store):
    holder, staged = stage(store, [[b"one", b"two", b"one"], [b"one"]])
    assert [len(one.rows("key")) for one in staged] == [4, 2]
    for _ in range(2):  # a commit whose answer was lost is made again
        assert store.publish(CLIP_AUDIO, staged) == staged
    # equal bytes lie in a batch once, and each song's row says where
    assert kept(store) == [("s-1", b"one"), ("s-1", b"two"), ("s-2", b"one")]
    assert len(files(store)) == 2 and store.version(CLIP_AUDIO) == 1
    detail = store.sql(f"DESCRIBE DETAIL {store.location.sql('clip_audio')}").collect()[0]
    assert list(detail.clusteringColumns or ()) == [] and detail.properties["delta.enableDeletionVectors"] == "false"
    comments = {field.name: field.metadata.get("comment") for field in store.read("clip_audio").schema}
    assert comments == {column.name: column.full_comment for column in CLIP_AUDIO.columns}
    assert upkeep.describe_again(Store(store.spark, store.settings), CLIP_AUDIO) == []
    for commit in (*log_of(store), *log_of(store, "_staging/fetch_previews")):
        assert missing_actions(commit) == ""
        assert all(missing_actions(commit[:end]) for end in range(1, len(commit)))
    assert is_whole(store.location.local_path("_staging/fetch_previews"))
    added = [action["add"] for action in log_of(store)[-1] if "add" in action]
    batch = json.loads(added[0]["stats"])
    assert (batch["numRecords"], batch["minValues"]["ingest_batch"], batch["maxValues"]["bytes"]) == (2, "s-1", 3)
    holder.__exit__(None, None, None)
    assert not list(store.location.local_path("_arriving", STEP).iterdir())
    for one in staged:
        one.drop()
    assert store.staged(STEP) == []


def test_reading_one_batch_reads_its_own_bytes_and_no_others(store):
    holder, staged = stage(store, [[bytes([number]) * 400_000] * 1 for number in range(8)])
    store.publish(CLIP_AUDIO, staged)
    holder.__exit__(None, None, None)
    statistics = store.spark._jvm.org.apache.hadoop.fs.FileSystem.getAllStatistics

    def bytes_read():
        return sum(one.getBytesRead() for one in statistics())

    rows = store.read(CLIP_AUDIO).where("ingest_batch IN ('s-3')").select("ingest_batch", "audio")
    before = bytes_read()
    assert [(row.ingest_batch, len(row.audio)) for row in rows.collect()] == [("s-3", 400_000)]
    assert bytes_read() - before < 2 * 400_000  # of 3.2 MB


@pytest.mark.parametrize(
    "died",
    [
        pytest.param("before the commit", marks=pytest.mark.slow),
        "between moving and the commit",
        pytest.param("after the commit", marks=pytest.mark.slow),
    ],
)
def test_a_complete_batch_is_adopted_wherever_the_run_died_and_an_incomplete_one_is_swept(store, monkeypatch, died):
    staged = stage(store, [[b"one"], [b"two"]], died=True)
    left = arrivals._place(store, STEP) / "s"
    shutil.copy(next(left.glob("*.parquet")), left / "of-a-batch-that-was-not-complete.parquet")
    if died == "between moving and the commit":
        with monkeypatch.context() as kill, pytest.raises(KeyboardInterrupt):
            kill.setattr("deltalake.DeltaTable.create_write_transaction", interrupted)
            store.publish(CLIP_AUDIO, staged)
        assert len(files(store)) == 2 and kept(store) == []
    elif died == "after the commit":
        store.publish(CLIP_AUDIO, staged)
    again = Store(store.spark, store.settings, "another")
    (adopted,) = again.adopt(CLIP_AUDIO, STEP)
    assert kept(store) == [("s-1", b"one"), ("s-2", b"two")]
    assert sorted(row["key"] for row in adopted.rows("key")) == ["s-1 0", "s-1 failed", "s-2 0", "s-2 failed"]
    assert not left.exists() and len(files(store)) == 2
    adopted.drop()
    assert again.adopt(CLIP_AUDIO, STEP) == []


def interrupted(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.slow
def test_a_batch_that_lost_a_file_is_removed_whole_and_the_others_are_adopted(store):
    stage(store, [[b"one"], [b"two"], [b"three"]], died=True)
    left = arrivals._place(store, STEP) / "s"
    (gone,) = left.glob("s-2-*.parquet")
    gone.write_bytes(gone.read_bytes()[:-1])  # cut, as by a full disk
    (adopted,) = store.adopt(CLIP_AUDIO, STEP)
    assert kept(store) == [("s-1", b"one"), ("s-3", b"three")]
    assert not adopted.frame.where("key = 's-2 0'").count()
    assert arrivals.staged_batches(store, STEP) == ["s-1", "s-3"]


def test_what_a_live_run_writes_is_not_swept(store):
    holder, _ = stage(store, [[b"one"]])
    place = arrivals._place(store, STEP) / "s"
    store.adopt(CLIP_AUDIO, STEP)  # by somebody who does not hold the lease
    assert (place / "lock").exists()
    holder.__exit__(None, None, None)
    assert not place.exists()


@pytest.mark.slow
def test_a_purge_publishes_what_is_staged_and_then_removes_the_providers_bytes_from_the_disk(store):
    stage(store, [[b"sound of deezer" * 9]], "a", died=True, provider="deezer")
    stage(store, [[b"sound of http" * 9]], "b", died=True)
    left = arrivals._place(store, STEP) / "b"
    (left / "half.parquet").write_bytes(b"sound of deezer")
    assert upkeep.purge_staged(store, STEP, "provider = 'deezer'") == 0
    assert upkeep.purge(store, "clip_audio", "provider = 'deezer'") == 1
    assert kept(store) == [("b-1", b"sound of http" * 9)]
    found = [path for path in store.location.folder.rglob("*") if path.is_file()]
    assert found and not [path for path in found if b"sound of deezer" in path.read_bytes()]
    (adopted,) = store.adopt(CLIP_AUDIO, STEP)  # its row is there, its bytes do not come back
    assert sorted(arrivals.staged_batches(store, STEP)) == ["a-1", "b-1"]
    assert kept(store) == [("b-1", b"sound of http" * 9)] and adopted.others


@pytest.mark.slow
def test_a_table_that_spark_clustered_is_left_to_spark(store):
    clustered = Table(**{name: getattr(CLIP_AUDIO, name) for name in vars(CLIP_AUDIO)} | {"in_files": False})
    store.upsert(clustered, [{"ingest_batch": "b", "sha256": "s", "provider": "p", "bytes": 1, "audio": b"1"}])
    assert not arrivals.takes_files(store, CLIP_AUDIO)
    with store.arriving(CLIP_AUDIO, STEP, "s") as place:
        assert place is None
    assert store.adopt(CLIP_AUDIO, STEP) == []
    frame = store.frame(CLIP_AUDIO, [{"ingest_batch": "c", "sha256": "s", "provider": "p", "bytes": 1, "audio": b"2"}])
    for _ in range(2):
        store.append(CLIP_AUDIO, frame, "c")  # once, under its name
    assert kept(store) == [("b", b"1"), ("c", b"2")]
    assert {name.endswith(".snappy.parquet") for name in files(store)} == {True, False}


@pytest.mark.slow
def test_spark_and_deltalake_write_in_turn_and_read_the_logs_that_the_other_summed_up(store):
    for number in range(12):
        holder, staged = stage(store, [[b"%d" % number]], f"s{number:02}")
        store.publish(CLIP_AUDIO, staged)
        holder.__exit__(None, None, None)
        if number == 8:
            store.delete(CLIP_AUDIO, store.spark.createDataFrame([(f"s{number:02}-1",)], "ingest_batch string"))
        if number == 4:
            DeltaTable(store.location.local_path("clip_audio")).create_checkpoint()
        staged[0].drop()
    assert [int(audio) for _, audio in kept(store)] == [n for n in range(12) if n != 8]
    assert len(list(store.location.local_path("clip_audio", "_delta_log").glob("*.checkpoint*.parquet"))) == 2
