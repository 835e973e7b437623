"""Tables whose files are missing, cut or empty end a job in one line that says which, where, and what to do."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from genreatlas import cli
from genreatlas.errors import StoreError
from genreatlas.steps import assign_splits
from genreatlas.store import Store, upkeep
from genreatlas.store.delta_log import missing_actions
from genreatlas.tables import CLIP_AUDIO, SONG_GENRES, SONGS

OLD = Path(__file__).parents[1] / "resources" / "store_of_2026_11"


def rows_of(table):
    return next(table.glob("*.parquet"))


def commit(table, number):
    return table / "_delta_log" / f"{number:020}.json"


#: What happens to the table, and what of it the line names.
DAMAGES = {
    "a file of rows is gone": (lambda table: rows_of(table).unlink(), "part-00000"),
    "a file of rows is cut": (
        lambda table: rows_of(table).write_bytes(rows_of(table).read_bytes()[:300]),
        "part-00000",
    ),
    "the last commit is empty": (lambda table: commit(table, 1).write_bytes(b""), "is empty"),
    "the first commit is empty": (lambda table: commit(table, 0).write_bytes(b""), "is empty"),
    "the last commit is cut": (
        lambda table: commit(table, 1).write_bytes(commit(table, 1).read_bytes()[:200]),
        "1.json",
    ),
    "the last commit ends after its first line": (
        lambda table: commit(table, 1).write_bytes(commit(table, 1).read_bytes().splitlines(keepends=True)[0]),
        "ends early",
    ),
    "a commit is missing": (lambda table: commit(table, 1).rename(commit(table, 3)), "contiguous"),
    "the log is gone": (lambda table: shutil.rmtree(table / "_delta_log"), "has no commits"),
    "the log is empty": (lambda table: [file.unlink() for file in commit(table, 0).parent.iterdir()], "no commits"),
    "the table is a file": (lambda table: (shutil.rmtree(table), table.write_text("songs")), "is a file"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_table_ends_a_job_in_one_line(spark, tmp_path, capfd, damage):
    do, named = DAMAGES[damage]
    shutil.copytree(OLD, tmp_path / "tables")
    do(tmp_path / "tables" / "songs")
    with pytest.raises(SystemExit) as ended:
        cli.main(assign_splits, ["--set", f'store.path="{tmp_path / "tables"}"'])
    lines = [line for line in capfd.readouterr().err.splitlines() if not line.startswith(("SLF4J", "WARN"))]
    said = [line for line in lines if line.startswith("genreatlas: ")]
    assert ended.value.code == 1 and len(said) == 1
    assert not [line for line in lines if line.startswith(("Traceback", "\tat "))]
    assert "songs: damaged: " in said[0] and named in said[0]
    assert "from a copy" in said[0] and f"move {tmp_path / 'tables' / 'songs'} aside" in said[0]


def test_deleting_an_empty_last_commit_goes_back_to_the_one_before_as_the_line_says(store):
    for number in range(2):
        store.upsert(SONGS, [{"song_id": f"s{number}", "source": "test"}])
    empty = commit(store.location.local_path("songs"), 2)
    empty.write_bytes(b"")
    with pytest.raises(StoreError, match="delete the file, which restores version 1"):
        store.read(SONGS)
    empty.unlink()
    again = Store(store.spark, store.settings)
    assert [row.song_id for row in again.read(SONGS).collect()] == ["s0"]
    assert again.upsert(SONGS, [{"song_id": "s1", "source": "test"}]) == 1


#: Operations that write no rows and describe nothing: one line is all that they commit.
ONE_LINE = {"VACUUM START", "VACUUM END"}


@pytest.mark.slow
def test_no_whole_commit_of_any_operation_passes_for_a_cut_one_and_no_cut_one_for_a_whole(store):
    clip = {"ingest_batch": "b", "provider": "deezer", "bytes": 5}
    for number in range(3):
        store.upsert(SONGS, [{"song_id": f"s{number}", "source": "test"}])
        audio = [clip | {"sha256": f"c{number}{one}", "audio": b"sound"} for one in range(2)]
        store.upsert(CLIP_AUDIO, audio)
    store.upsert(SONGS, [{"song_id": "s0", "source": "else"}, {"song_id": "s9", "source": "test"}], update=True)
    store.delete(SONGS, store.spark.createDataFrame([("s1",)], "song_id string"))
    name = store.location.sql("songs")
    store.sql(f"UPDATE {name} SET title = 'a' WHERE song_id = 's0'")
    store.sql(f"DELETE FROM {name} WHERE song_id = 's9'")
    upkeep.optimise(store, SONGS)
    upkeep.purge(store, "clip_audio", "sha256 IN ('c00', 'c10', 'c11')")
    store.sql(f"ALTER TABLE {name} ALTER COLUMN title COMMENT 'another'")
    store.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('delta.checkpointInterval' = '11')")
    store.sql(f"ALTER TABLE {name} UNSET TBLPROPERTIES ('delta.checkpointInterval')")
    store.sql(f"ALTER TABLE {name} CLUSTER BY (source)")
    assert upkeep.describe_again(store, SONGS)
    store.sql(f"ALTER TABLE {name} ADD COLUMNS (more string)")
    store.create(SONG_GENRES)
    first = store.stage(store.spark.range(100).repartition(3), "a_step", "one")
    store.stage(store.spark.range(50), "a_step", "two")
    first.drop()

    seen = Counter()
    for file in sorted(store.location.folder.glob("**/_delta_log/*.json")):
        actions = [json.loads(line) for line in file.read_text().splitlines()]
        operation = actions[0]["commitInfo"]["operation"]
        seen[operation] += 1
        assert missing_actions(actions) == "", file
        cut = {missing_actions(actions[:end]) for end in range(1, len(actions))}
        assert "" not in cut, (operation, file.read_text())
        assert len(actions) > 1 or operation in ONE_LINE, operation
    assert seen.keys() >= {
        "CREATE TABLE", "WRITE", "MERGE", "UPDATE", "DELETE", "OPTIMIZE", "CHANGE COLUMN", "SET TBLPROPERTIES",
        "UNSET TBLPROPERTIES", "CLUSTER BY", "ADD COLUMNS",
    }  # fmt: skip
