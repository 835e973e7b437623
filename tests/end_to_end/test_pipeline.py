"""The whole line on a small library, as a user runs it."""

import re

import duckdb
import pandas as pd
import pytest
from deltalake import DeltaTable
from whole_jobs import ROOT, TINY, assert_equal_stores, command, described_tables, rows, run

from genreatlas.config import load_config
from genreatlas.notebook.running import render, run_notebook
from genreatlas.sql import duck
from genreatlas.sql.registering import register_views
from genreatlas.store import Store
from same_answers import same

pytestmark = pytest.mark.timeout(1200)

STEPS = ["import_folder", "extract_features", "assign_splits", "train_models", "evaluate_models", "write_report"]


def counts(output):
    found = re.findall(r"^(\w+): read (\d+), wrote (\d+), failed (\d+), skipped (\d+), [\d.]+ s", output, re.MULTILINE)
    return {step: tuple(map(int, numbers)) for step, *numbers in found}


def test_every_step_prints_its_line_and_leaves_its_tables(undisturbed):
    assert list(counts(undisturbed.output)) == STEPS
    names = {table.name for table in described_tables(undisturbed.home)}
    assert {"songs", "clips", "features_summary9", "frames_mfcc12_frames", "splits", "experiments", "models"} <= names
    assert {"predictions", "metrics", "quarantine"} <= names
    assert (undisturbed.home / "report" / "index.html").stat().st_size > 10_000


def test_each_run_of_a_step_has_its_row(undisturbed):
    runs = DeltaTable(str(undisturbed.home / "tables" / "runs")).to_pandas().sort_values("started_at")
    assert list(runs.step) == STEPS
    assert set(runs.status) == {"done"}
    said = counts(undisturbed.output)
    stored = runs[["n_read", "n_written", "n_failed", "n_skipped"]].itertuples(index=False)
    assert {step: tuple(row) for step, row in zip(runs.step, stored, strict=True)} == said


def test_broken_files_are_in_quarantine_with_a_reason_and_all_others_are_clips(undisturbed):
    clips = rows_of(undisturbed, "clips")
    quarantine = rows_of(undisturbed, "quarantine")
    listed = [*undisturbed.music.rglob("*.mp3"), *undisturbed.music.rglob("*.wav")]
    assert len(clips) + len(quarantine[quarantine.stage == "import_folder"]) == len(listed)
    assert len(quarantine) >= 3
    assert quarantine.reason.notna().all()


def test_no_artist_lies_in_two_parts(undisturbed):
    splits, credits = rows_of(undisturbed, "splits"), rows_of(undisturbed, "song_artists")
    primary = credits[credits.position == 0]
    joined = splits[splits.part != "excluded"].merge(primary, on="song_id")
    assert joined.groupby("artist_id").part.nunique().max() == 1


@pytest.mark.slow
def test_a_second_run_finds_nothing_to_do_and_changes_nothing(undisturbed, tmp_path):
    before = {table.name: rows(undisturbed.home, table) for table in described_tables(undisturbed.home)}
    done = run(command("pipeline", undisturbed.home, undisturbed.music))
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("nothing was left to do") == len(STEPS), done.stdout
    for table in described_tables(undisturbed.home):
        pd.testing.assert_frame_equal(before[table.name], rows(undisturbed.home, table), check_exact=True)


@pytest.mark.slow
def test_the_tables_read_the_same_through_spark_deltalake_and_duckdb(undisturbed, spark):
    for table in described_tables(undisturbed.home):
        path = str(undisturbed.home / "tables" / table.name)
        arrow = DeltaTable(path).to_pyarrow_dataset()
        columns = [column.name for column in table.columns if not column.type.startswith(("map", "timestamp"))]
        order = ", ".join(table.key)
        names = ", ".join(f'"{name}"' for name in columns)
        through_duckdb = duckdb.sql(f"SELECT {names} FROM arrow ORDER BY {order}").df()
        through_deltalake = arrow.to_table(columns=columns).to_pandas().sort_values(list(table.key), ignore_index=True)
        through_spark = spark.sql(f"SELECT * FROM delta.`{path}`").select(columns).toPandas()
        through_spark = through_spark.sort_values(list(table.key), ignore_index=True)
        for other in (through_duckdb, through_spark):
            left, right = without_na(through_deltalake), without_na(other)
            pd.testing.assert_frame_equal(left, right, check_dtype=False, obj=table.name)


@pytest.mark.slow
def test_the_views_say_the_same_through_spark_and_duckdb(undisturbed, spark):
    path = undisturbed.home / "tables"
    planned = register_views(Store(spark, load_config([], [f'store.path="{path}"']).store))
    connection = duckdb.connect()
    duck.register_views(connection, path)
    of_a_map = {"current_maps", "genre_map", "genre_map_neighbours", "genre_map_regions", "genre_map_songs",
                "genre_ancestors", "map_agreement", "genre_decades", "similar_songs"}  # fmt: skip
    of_playlists = {"made_playlists", "made_playlist_songs"}
    others = {"confounds", "decisions", "drift_in_use", "fetch_health", "genres_latest", "linked_songs"}
    assert set(planned.skipped) == others | of_a_map | of_playlists
    for view in ("song_overview", "genre_sizes", "leaderboard", "confusions", "model_lineage", "quarantine_reasons"):
        statement = f"SELECT * FROM {view}"
        same(spark.sql(statement).toPandas(), connection.sql(statement).df(), view)
    for name in (*planned.tables, *(view.name for view in planned.views)):
        spark.catalog.dropTempView(name)


@pytest.mark.slow
def test_the_notebook_that_explores_draws_this_library(undisturbed, spark):
    widgets = {"conf": str(TINY), "store": str(undisturbed.home / "tables"), "n_genres": "3"}
    ran = run_notebook(ROOT / "notebooks" / "03_explore.py", spark, widgets)
    assert ran.error == ""
    page = render(ran)
    assert page.count("<svg") >= 14
    assert page.count("<audio") == 3


@pytest.mark.slow
def test_a_question_on_the_command_line_is_answered_with_a_csv_file(undisturbed, tmp_path):
    file = tmp_path / "sizes.csv"
    statement = "SELECT genre, n_songs FROM genre_sizes WHERE n_songs > 0 ORDER BY genre"
    done = run([*command("query", undisturbed.home, undisturbed.music), "--csv", str(file), statement])
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"{file}: 3 rows")
    labels = rows_of(undisturbed, "song_genres").drop_duplicates(["song_id", "genre_id"])
    assert pd.read_csv(file).n_songs.tolist() == labels.groupby("genre").song_id.count().tolist()


def without_na(frame):
    """What is missing is None, which each reader says otherwise in columns of truth values."""
    return frame.apply(lambda column: column.astype(object).where(column.notna(), None))


def rows_of(finished, name):
    table = next(table for table in described_tables(finished.home) if table.name == name)
    return rows(finished.home, table)


def test_a_store_equals_itself(undisturbed):
    assert_equal_stores(undisturbed.home, undisturbed.home)
