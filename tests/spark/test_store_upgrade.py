"""A store that an older release wrote is read and written as if this one had made it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from genreatlas.errors import StoreError
from genreatlas.tables import MODELS, SONGS, TABLES, Column

OLD = Path(__file__).parents[1] / "resources" / "store_of_2026_11"


@pytest.fixture
def old(store):
    shutil.copytree(OLD, store.location.folder)
    return store


def grown(table, **column):
    """The table with one more column."""
    return replace(table, columns=(*table.columns, Column("mood", "double", "How it feels.", "0..1", **column)))


def test_every_table_of_an_old_store_reads_with_all_columns_that_are_described_now(old):
    described = {table.name: table for table in TABLES if old.exists(table)}
    assert len(described) > 8
    for table in described.values():
        assert set(table.column_names) <= set(old.read(table).columns)
    assert old.read(MODELS).collect()[0].model_id == "old-model"


def test_a_described_column_that_was_never_written_reads_as_null_and_commits_nothing(old):
    version = old.version(SONGS)
    frame = old.read(grown(SONGS))
    assert dict(frame.dtypes)["mood"] == "double"
    assert {row.mood for row in frame.collect()} == {None}
    assert old.version(SONGS) == version


def test_writing_to_an_old_table_adds_the_columns_in_place_with_their_comments_and_keeps_every_row(old):
    table = grown(SONGS)
    before = {row.song_id: row.asDict() for row in old.read(SONGS).collect()}
    new = {"song_id": "new", "source": "test", "mood": 0.5}
    assert old.upsert(table, [new, {"song_id": "blues000", "source": "test", "title": "blues000", "mood": 0.1}],
                      update=True) == 2  # fmt: skip
    after = {row.song_id: row.asDict() for row in old.read(table.name).collect()}
    assert after.pop("new")["mood"] == 0.5
    assert after == {key: row | {"mood": 0.1 if key == "blues000" else None} for key, row in before.items()}
    shown = {row.col_name: row.comment for row in old.sql(f"DESCRIBE TABLE {old.location.sql('songs')}").collect()}
    assert shown["mood"] == "How it feels. [0..1]"


def test_a_column_that_no_row_may_be_without_cannot_be_added_and_the_message_names_it(old):
    with pytest.raises(StoreError, match="songs was written by another release: it lacks the required columns mood"):
        old.upsert(grown(SONGS, nullable=False), [{"song_id": "new", "source": "test", "mood": 0.5}])
    assert "mood" not in old.read("songs").columns


def test_two_stores_that_upgrade_one_table_add_a_column_once(old, spark):
    from genreatlas.store import Store

    other = Store(spark, old.settings)
    stored = set(old.read("songs").columns)
    lacking = tuple(name for name in grown(SONGS).column_names if name not in stored)
    assert lacking[-1] == "mood"
    assert old.upgrade(grown(SONGS)) == lacking
    assert other.upgrade(grown(SONGS)) == ()
