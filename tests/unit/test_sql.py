"""Views as text: what they read, and what happens where a table is missing."""

import re

import duckdb
import pandas as pd
import pytest

from genreatlas.audio.feature_sets import FEATURE_SETS, current_version
from genreatlas.errors import ConfigError, StoreError
from genreatlas.sql import answers, duck
from genreatlas.sql.catalogue import plan, templates
from genreatlas.sql.dialects import DuckDB, Spark
from genreatlas.tables import TABLES
from sql_factory import THEN, write, write_store

NAMES = {table.name: table for table in TABLES}


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    connection = duckdb.connect()
    duck.register_views(connection, write_store(tmp_path_factory.mktemp("sql") / "tables"))
    return connection


def test_every_view_says_what_it_is_for_and_reads_what_is_described():
    views = {template.name for template in templates()}
    for template in templates():
        assert template.comment, template.name
        assert set(template.reads) <= views | NAMES.keys(), template.name
        assert set(template.optional) <= set(template.reads) & NAMES.keys(), template.name


def test_no_view_has_the_name_of_a_table():
    assert not {template.name for template in templates()} & NAMES.keys()


def test_a_song_under_two_genres_is_shared_by_both_and_alone_in_neither(connection):
    rows = connection.sql("SELECT genre, n_songs, n_shared, n_alone FROM genre_sizes ORDER BY genre").fetchall()
    assert rows == [("Ambient", 8, 1, 7), ("House", 10, 3, 7), ("Techno", 9, 2, 7)]


def test_two_sources_that_agree_make_one_label(connection):
    assert connection.sql("SELECT n_sources FROM song_labels WHERE song_id = 'song-house-0-0'").fetchall() == [(2,)]


def test_the_newest_row_of_a_split_counts(connection):
    rows = connection.sql(
        "SELECT part, excluded_because FROM song_overview WHERE song_id = 'song-ambient-0-0'"
    ).fetchall()
    assert rows == [("excluded", "bridges_groups")]


def test_wide_views_leave_out_replaced_clips_and_other_preprocessing_which_are_stale(connection):
    assert connection.sql("SELECT count(*), min(tempo) FROM wide_gtzan57").fetchall() == [(24, 70.5)]
    rows = connection.sql("SELECT table_name, why, n_rows FROM stale_rows ORDER BY why").fetchall()
    assert rows == [("features_gtzan57", "clip replaced", 1), ("features_gtzan57", "other preprocessing", 1)]


def test_sets_that_a_model_reads_as_one_have_a_view_with_the_features_of_all(tmp_path):
    home = write_store(tmp_path / "tables")
    models = [{"model_id": name, "feature_set": name} for name in ("gtzan57+loudness", "embedded+loudness")]
    write(home, NAMES["models"], models)
    connection = duckdb.connect()
    duck.register_views(connection, home)
    rows = connection.sql(
        "SELECT count(*), count(gtzan57_tempo), max(loudness_loudness_lufs), min(genre) FROM joined_gtzan57_loudness"
    )
    assert rows.fetchall() == [(24, 23, -7.0, "Ambient")]
    rows = connection.sql("SELECT embedded_e0, embedded_e1, loudness_gain_db FROM joined_embedded_loudness ORDER BY 1")
    assert rows.fetchall()[:2] == [(0.0, 0.5, 0.0), (1.0, 1.5, 0.0)]


def test_frames_come_out_with_their_time_and_coefficients(connection):
    rows = connection.sql(
        "SELECT time_s, mfcc1, mfcc12 FROM timed_mfcc12_frames WHERE song_id = 'song-house-0-0' ORDER BY 1"
    )
    assert rows.fetchall() == [(0.0, 0.0, 11.0), (0.5, 100.0, 111.0), (1.0, 200.0, 211.0)]


def test_a_vector_comes_out_as_a_row_a_dimension(connection):
    rows = connection.sql(
        "SELECT dimension, value FROM dimensions_embedded JOIN songs USING (song_id) ORDER BY value DESC LIMIT 3"
    )
    assert rows.fetchall() == [("e1", 23.5), ("e0", 23.0), ("e1", 22.5)]


def test_a_profile_counts_what_is_defined(connection):
    rows = connection.sql(
        "SELECT n, median, low, high, unit FROM genre_profile WHERE feature = 'tempo' AND genre_id = 'ambient'"
    )
    assert rows.fetchall() == [(7, 72.0, 70.5, 73.5, "bpm")]


def test_the_distance_of_genres_is_in_units_of_the_spread_inside_them():
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE genre_profile "
        "(feature_set TEXT, genre_id TEXT, genre TEXT, feature TEXT, n INT, mean DOUBLE, std DOUBLE)"
    )
    rows = [
        ("s", "a", 0.0, "x", 2.0),
        ("s", "b", 8.0, "x", 2.0),
        ("s", "a", 5.0, "constant", 0.0),
        ("s", "b", 5.0, "constant", 0.0),
    ]
    for feature_set, genre, mean, feature, std in rows:
        connection.execute(
            "INSERT INTO genre_profile VALUES (?, ?, ?, ?, 3, ?, ?)", [feature_set, genre, genre, feature, mean, std]
        )
    nearest = next(t for t in templates() if t.name == "genre_nearest")
    query = nearest.body.replace("{{ genre_profile }}", "genre_profile")
    assert connection.sql(
        f"SELECT genre_id, other_id, rank, distance, n_features FROM ({query}) ORDER BY 1"
    ).fetchall() == [
        ("a", "b", 1, 4.0, 1),
        ("b", "a", 1, 4.0, 1),
    ]


def test_the_newest_snapshot_of_the_map_is_the_latest(connection):
    rows = connection.sql("SELECT DISTINCT snapshot::text FROM genres_latest").fetchall()
    assert rows == [("2023-11-19",)]


def test_a_wrong_song_is_named_with_both_genres_and_its_margin(connection):
    rows = connection.sql(
        "SELECT title, genre, predicted, score_of_truth, margin FROM confusions WHERE model_id = 'best' ORDER BY title"
    )
    assert rows.fetchall() == [
        ("Techno no. 30", "Techno", "House", 0.2, pytest.approx(0.55)),
        ("Techno no. 31", "Techno", "House", 0.2, pytest.approx(0.55)),
    ]


def test_every_decision_names_its_models_and_the_newest_says_which_is_in_use(connection):
    rows = connection.sql(
        "SELECT sequence, action, in_use, model, champion, difference FROM decisions ORDER BY sequence"
    )
    assert rows.fetchall() == [
        (1, "first", False, "baseline logistic on loudness", None, None),
        (2, "promoted", True, "sklearn linear_svc on gtzan57", "baseline logistic on loudness", 0.25),
    ]


def test_drift_is_that_of_the_model_in_use_with_the_largest_shift_first(connection):
    rows = connection.sql("SELECT subject, rank, name, shift FROM drift_in_use ORDER BY subject, rank")
    assert rows.fetchall() == [
        ("feature", 1, "tempo", "large"), ("feature", 2, "rms_mean", "some"), ("genre", 1, "*", "none")
    ]  # fmt: skip


def test_linked_songs_are_named_and_recordings_in_several_parts_are_told(connection):
    rows = connection.sql(
        "SELECT title, kind, recording_title, n_copies, score, part, bridges FROM linked_songs ORDER BY title"
    )
    assert rows.fetchall() == [
        ("House no. 00", "copy", "House no. 00", 2, 0.9375, "train", True),
        ("House no. 31", "copy", "House no. 00", 2, 0.9375, "test", True),
        ("Techno no. 10", "remix", "House no. 00", 2, 0.75, "train", True),
    ]


def test_copies_that_were_left_out_bridge_no_parts(tmp_path):
    home = write_store(tmp_path / "tables")
    write(home, NAMES["splits"], [
        {"split": "default", "song_id": "song-house-3-1", "split_version": 3, "group_id": "house3", "part": "excluded",
         "grouped_by": "artist", "reason": "bridges_groups", "assigned_at": THEN},
    ])  # fmt: skip
    connection = duckdb.connect()
    duck.register_views(connection, home)
    assert connection.sql("SELECT DISTINCT n_copies, bridges FROM linked_songs").fetchall() == [(2, False)]


def test_copies_that_have_no_part_yet_bridge_none(tmp_path):
    home = write_store(tmp_path / "tables")
    rows = [{"song_id": song, "recording_id": "new", "kind": "copy", "score": 1.0, "evidence": "sound"}
            for song in ("song-house-1-0", "new")]  # fmt: skip
    write(home, NAMES["songs"], [{"song_id": "new", "source": "folder", "title": "New"}])
    write(home, NAMES["recording_links"], rows)
    connection = duckdb.connect()
    duck.register_views(connection, home)
    found = connection.sql("SELECT DISTINCT n_copies, bridges FROM linked_songs WHERE recording_id = 'new'").fetchall()
    assert found == [(2, False)]


def test_views_over_missing_tables_are_named_with_what_they_lack(tmp_path):
    write(tmp_path, NAMES["songs"], [{"song_id": "s", "source": "folder"}])
    write(
        tmp_path,
        NAMES["song_genres"],
        [{"song_id": "s", "genre_id": "g", "source": "tags", "genre": "G", "weight": 1.0}],
    )
    connection = duckdb.connect()
    planned = duck.register_views(connection, tmp_path)
    assert [v.name for v in planned.views] == [
        "current_split",
        "genre_names",
        "song_labels",
        "genre_sizes",
        "song_overview",
    ]
    assert planned.skipped["leaderboard"] == ("metrics", "models")
    assert planned.skipped["genre_profile"] == ("feature_sets", "any summary set")
    assert "left out: confusions, for lack of predictions" in planned.notes
    assert connection.sql("SELECT genre, n_songs, n_train, n_clips FROM genre_sizes").fetchall() == [("G", 1, 0, 0)]


def test_all_that_a_view_reads_is_found_from_a_statement_that_names_it(tmp_path):
    planned = duck.register_views(duckdb.connect(), write_store(tmp_path))
    queries = {view.name: view.query for view in planned.views}
    for name in queries:
        needed = planned.named_in(f"SELECT count(*) FROM {name.upper()}")
        assert name in needed
        missing = [n for n in (*planned.tables, *queries) if n not in needed]
        assert not [n for n in missing if re.search(rf"\b{n}\b", " ".join(queries[m] for m in needed & queries.keys()))]
    assert planned.named_in("SELECT 1") == set()
    assert len(planned.named_in("TABLE genre_sizes")) < len(queries) / 2


def test_a_folder_without_tables_is_said_to_be_none(tmp_path):
    with pytest.raises(StoreError, match="no tables found"):
        duck.register_views(duckdb.connect(), tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "COPY songs TO '{folder}/stolen.csv'",
        "ATTACH '{folder}/other.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "SELECT getenv('PATH')",
        "SELECT * FROM secret_rows",
    ],
)
def test_a_connection_with_the_views_reads_and_writes_nothing_but_the_store(connection, tmp_path, statement):
    secret_rows = pd.DataFrame({"x": [1]})  # noqa: F841 DuckDB would find it by its name
    with pytest.raises(duckdb.Error):
        connection.execute(statement.format(folder=tmp_path)).fetchall()
    assert not list(tmp_path.iterdir())


def test_views_are_registered_again_on_a_locked_connection_and_an_open_one_stays_open(tmp_path):
    folder = write_store(tmp_path / "tables")
    connection = duckdb.connect()
    duck.register_views(connection, folder, locked=False)
    connection.execute(f"COPY (SELECT 1) TO '{tmp_path}/own.csv'")
    duck.register_views(connection, folder)
    duck.register_views(connection, folder)
    assert connection.sql("SELECT count(*) > 0 FROM songs").fetchall() == [(True,)]


@pytest.mark.parametrize("dialect", [Spark(), DuckDB()], ids=["spark", "duckdb"])
def test_a_split_with_a_quote_in_its_name_does_not_end_the_string(dialect):
    planned = plan(["splits"], [], "it's", dialect, dialect.name)
    assert any("it\\'s" in v.query or "it''s" in v.query for v in planned.views)


def test_an_extracted_set_has_the_version_of_the_code_and_an_imported_one_its_last():
    assert current_version("summary9", {"0", "1"}, {"registry"}) == FEATURE_SETS["summary9"].version
    assert current_version("mine", {"9", "10"}, {"features.csv"}) == "10"


@pytest.mark.parametrize(
    "statement", ["DROP TABLE songs", "-- SELECT\nDELETE FROM songs", "/* SELECT */ insert into songs", "", " ; "]
)
def test_what_does_not_only_read_is_refused(statement):
    with pytest.raises(ConfigError, match="query: "):
        answers.readable(statement)


@pytest.mark.parametrize("statement", ["show views", "DESCRIBE TABLE EXTENDED songs;", "-- all\nEXPLAIN SELECT 1"])
def test_descriptions_run_as_they_are(statement):
    assert answers.readable(statement).split()[0].upper() in {"SHOW", "DESCRIBE", "EXPLAIN"}
