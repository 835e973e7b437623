"""The descriptions of tables hold together, and the list of volatile columns stays closed."""

import pytest

from genreatlas.audio.feature_sets import FEATURE_SETS, table_of
from genreatlas.cli import STEPS
from genreatlas.store.statements import create_table
from genreatlas.tables import TABLES

ALL = (*TABLES, *(table_of(feature_set) for feature_set in FEATURE_SETS.values()))

#: Two runs over the same input may differ in these columns and in no other.
VOLATILE = {
    "songs": {"added_at", "retired_at"},
    "song_genres": {"retired_at"},
    "genres": {"scraped_at"},
    "everynoise_artists": {"scraped_at"},
    "everynoise_neighbours": {"scraped_at"},
    "everynoise_playlists": {"scraped_at"},
    "clips": {"ingest_batch", "modified_ns", "fetched_at", "retired_at"},
    "clip_audio": {"ingest_batch"},
    "playlists": {"fetched_at"},
    "spotify_searches": {"found_at"},
    "spotify_access": {"probed_at"},
    "splits": {"assigned_at"},
    "fold_scores": {"seconds", "run_id"},
    "experiments": {"seconds", "input_versions", "git_commit", "run_id"},
    "models": {"path", "fitted_at", "seconds", "input_versions", "git_commit", "run_id"},
    "promotions": {"decided_at", "git_commit", "run_id"},
    "scores": {"modified_ns", "scored_at", "run_id"},
    "topic_models": {"input_versions", "made_at", "git_commit", "run_id"},
    "drift": {"measured_at", "run_id"},
    "playlist_recipes": {"created_at", "run_id"},
    "generated_playlists": {"input_versions", "made_at", "git_commit", "run_id"},
    "published_playlists": {"published_at", "run_id"},
    "maps": {"input_versions", "made_at", "git_commit", "run_id", "checked_by", "checked_versions"},
    "neighbour_spaces": {"input_versions", "made_at", "git_commit", "run_id"},
    "probes": {"inputs_id", "made_at", "git_commit", "run_id"},
    "quarantine": {"run_id", "at"},
    "fetch_attempts": {"at", "next_retry_at", "run_id"},
    "runs": {"started_at", "ended_at", "versions", "config", "git_commit"},
}


def test_no_two_tables_share_a_name():
    assert len({table.name for table in ALL}) == len(ALL)


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_every_column_says_what_it_holds(table):
    assert table.comment
    for column in table.columns:
        assert column.comment or column.unit, f"{table.name}.{column.name}"
        assert column.name == column.name.lower()


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_only_the_listed_columns_may_differ_between_equal_runs(table):
    assert table.volatile == VOLATILE.get(table.name, set())


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_a_table_names_steps_that_exist_as_its_writers(table):
    assert set(table.written_by) <= {*STEPS, "every step"}


def test_a_quote_in_a_comment_is_escaped_in_sql():
    songs = next(table for table in TABLES if table.name == "songs")
    assert "Hash of source and the source\\'s own key" in create_table(songs, "delta.`/x`", "interval 1 days")
