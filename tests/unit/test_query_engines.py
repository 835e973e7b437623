"""The job ``query`` over DuckDB: what it answers without Spark, and what it leaves to Spark."""

import csv
import shutil

import duckdb
import pytest

import genreatlas.query as job
from genreatlas.errors import ConfigError, StoreError
from genreatlas.sql import common_sql, duck_answers
from questions import questions
from sql_factory import write_store


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("query") / "tables")


@pytest.fixture
def no_spark(monkeypatch):
    """Spark may not be asked; what would have been is returned."""
    asked = []

    def refuse(config, statement):
        asked.append(statement)
        raise StoreError("Spark was asked")

    engines = {name: tuple(refuse if ask is job._spark else ask for ask in asks) for name, asks in job._ENGINES.items()}
    monkeypatch.setattr(job, "_ENGINES", engines)
    return asked


def asked(home, statement, **more):
    return duck_answers.ask(home, statement, "default", **more)


def rows(home, statement, **more):
    return [tuple(row) for row in asked(home, statement, **more).collect()]


def test_questions_of_the_documentation_are_answered_without_spark_but_for_one():
    connection = duckdb.connect()
    left = {question: why for question, text in questions() if (why := common_sql.difference(connection, text))}
    assert len(questions()) > 15
    assert len(left) == 1 and "floor" in str(left)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("SELECT genres[0] FROM song_overview", "["),
        ('SELECT "text"', '"'),
        ("SELECT `genre` FROM genres", "`"),
        (r"SELECT 'a\n'", "\\"),
        ("SELECT 2L", "2L"),
        ("SELECT log(n_songs) FROM genre_sizes", "log"),
        ("SELECT concat(genre, NULL) FROM genres", "concat"),
        ("SELECT regexp_replace(genre, 'a', 'b') FROM genres", "regexp_replace"),
        ("SELECT dayofweek(listed_at) FROM song_genres", "dayofweek"),
        ("SELECT CAST(1.5 AS INT)", "INTEGER"),
        ("SELECT CAST(tempo AS STRING) FROM wide_gtzan57", "STRING"),
        ("SELECT 2 ^ 3", "^"),
        ("SELECT * EXCLUDE (genre) FROM genres", "exclude_list"),
        ("SELECT DISTINCT ON (genre) * FROM genres", "distinct_on"),
        ("SELECT * FROM genres USING SAMPLE 3", "sample"),
        ("SELECT * FROM read_csv('/etc/passwd')", "table_function"),
        ("SELECT * FROM main.genres", "more than one name"),
        ("SELECT genre FROM genres QUALIFY rank() OVER (ORDER BY genre) = 1", "qualify"),
        ("SELECT * FROM genres POSITIONAL JOIN songs", "POSITIONAL"),
        ("SHOW VIEWS", "show_ref"),
        ("DESCRIBE songs", ""),
        ("SELECT * FROM genres LEFT SEMI JOIN songs USING (genre)", "cannot parse"),
        ("SELECT 1; SELECT 2", "cannot parse"),
    ],
)
def test_what_the_two_read_differently_is_left_to_spark(home, statement, why):
    with pytest.raises(duck_answers.LeftToSparkError) as said:
        asked(home, statement)
    assert why in str(said.value)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1e3 AS a, .5 AS b, 'a [0] \"b\" 2L' AS c -- log(x) and `d`",
        "SELECT genre, sum(n_songs) OVER (PARTITION BY genre ORDER BY n_songs DESC NULLS LAST) AS s FROM genre_sizes",
        "SELECT a.genre, b.genre AS other FROM genre_sizes AS a FULL JOIN genre_sizes AS b ON b.n_songs = a.n_songs",
        "WITH q AS (SELECT genre FROM genre_sizes) SELECT q.genre FROM q UNION ALL VALUES ('x') ORDER BY 1 LIMIT 2",
        "SELECT count(DISTINCT genre) FILTER (WHERE n_songs BETWEEN 1 AND 9) AS n FROM genre_sizes",
        "SELECT CAST(n_songs AS DOUBLE) AS n FROM genre_sizes AS g WHERE EXISTS (SELECT 1 FROM genre_names AS h "
        "WHERE h.genre_id = g.genre_id AND h.genre ILIKE 't%')",
    ],
)
def test_what_means_the_same_is_answered(home, statement):
    found = rows(home, statement)
    assert found and sorted(map(repr, found)) == sorted(map(repr, rows(home, statement, own_dialect=True)))


def test_nulls_come_in_the_order_of_spark(home):
    values = "(VALUES (1), (NULL), (2)) AS v(x)"
    assert rows(home, f"SELECT x FROM {values} ORDER BY x") == [(None,), (1,), (2,)]
    assert rows(home, f"SELECT x FROM {values} ORDER BY x DESC") == [(2,), (1,), (None,)]
    assert rows(home, f"SELECT x, row_number() OVER (ORDER BY x) AS n FROM {values} ORDER BY n")[0] == (None, 1)


def test_times_are_those_of_utc_without_a_zone(home):
    at = rows(home, "SELECT max(added_at) AS at FROM songs")[0][0]
    assert at.tzinfo is None and at.year >= 2020


def test_a_misspelt_view_is_named_with_the_nearest_one_and_spark_is_not_started(home, no_spark, capsys):
    with pytest.raises(SystemExit):
        job.query(["--set", f'store.path="{home}"', "SELECT * FROM leaderbord"])
    assert "Did you mean leaderboard?" in capsys.readouterr().err and no_spark == []


def test_the_job_prints_a_table_and_writes_csv_without_spark(home, no_spark, capsys, tmp_path):
    place = ["--set", f'store.path="{home}"']
    job.query([*place, "SELECT genre, n_songs FROM genre_sizes ORDER BY genre;", "--limit", "2"])
    printed = capsys.readouterr()
    assert printed.out.splitlines()[2:] == [
        "Ambient        8", "House         10", "", "The first 2 rows; --limit shows more, --csv writes all.",
    ]  # fmt: skip
    assert printed.err == ""
    file = tmp_path / "all.csv"
    job.query([*place, "--csv", str(file), "SELECT genre, n_songs / 4 AS quarter FROM genre_sizes ORDER BY genre"])
    with file.open(newline="") as opened:
        assert list(csv.reader(opened)) == [
            ["genre", "quarter"], ["Ambient", "2.0"], ["House", "2.5"], ["Techno", "2.25"],
        ]  # fmt: skip


def test_what_duckdb_leaves_goes_to_spark_with_one_line(home, no_spark, capsys):
    statement = "SELECT log(n_songs) FROM genre_sizes"
    for options in ([], ["--engine", "auto"]):
        with pytest.raises(SystemExit):
            job.query(["--set", f'store.path="{home}"', *options, statement])
        first, *others = capsys.readouterr().err.splitlines()
        assert first.startswith("genreatlas: query: runs on Spark: the function log") and len(others) == 1
    assert no_spark == [statement, statement]
    with pytest.raises(SystemExit):
        job.query(["--set", f'store.path="{home}"', "--engine", "spark", "SELECT 1 AS one"])
    assert no_spark[2:] == ["SELECT 1 AS one"]


def test_a_fault_that_only_the_rows_show_goes_to_spark_too(home):
    for text in ("ln(n_songs - n_songs)", "sqrt(n_songs - 99)"):  # NULL and NaN in Spark
        with pytest.raises(duck_answers.LeftToSparkError, match="DuckDB says"):
            asked(home, f"SELECT {text} AS x FROM genre_sizes")
    with pytest.raises(duck_answers.LeftToSparkError, match="DuckDB says"):
        asked(home, "SELECT no_such_column FROM genre_sizes")


def test_with_its_own_dialect_duckdb_takes_what_spark_would_not(home):
    assert rows(home, "SELECT len([1, 2]) AS n, 2 ^ 3 AS p", own_dialect=True) == [(2, 8.0)]
    for statement in ("DROP VIEW songs", "COPY songs TO 'x.csv'", "SELECT 1; SELECT 2", "SET memory_limit = '1GB'"):
        with pytest.raises(ConfigError):
            asked(home, statement, own_dialect=True)


@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM read_text('{mark}')", "SELECT * FROM '{mark}'", "SELECT * FROM read_csv('{mark}')"],
)
def test_no_file_is_read_whoever_asks(home, statement, tmp_path):
    mark = tmp_path / "mark.csv"
    mark.write_text("secret\n")
    with pytest.raises(StoreError) as said:
        asked(home, statement.format(mark=mark), own_dialect=True)
    assert "secret" not in str(said.value)


def test_a_store_elsewhere_is_left_to_spark_and_said_where_duckdb_was_asked_for(no_spark, capsys):
    with pytest.raises(duck_answers.LeftToSparkError, match="not a local folder"):
        asked(None, "SELECT 1 AS x")
    with pytest.raises(SystemExit) as ended:
        job.query(["--set", 'store.catalog="main"', "--set", 'store.schema="x"', "--engine", "duckdb", "SELECT 1"])
    assert ended.value.code == 2 and "not a local folder" in capsys.readouterr().err and no_spark == []


def test_a_store_without_tables_says_so(tmp_path, no_spark, capsys):
    with pytest.raises(SystemExit):
        job.query(["--set", f'store.path="{tmp_path}"', "SELECT 1 AS x"])
    assert "no tables found" in capsys.readouterr().err


def test_a_cut_commit_is_said_and_not_read(home, tmp_path):
    shutil.copytree(home, tmp_path / "tables")
    log = tmp_path / "tables" / "songs" / "_delta_log"
    max(log.glob("*.json")).write_bytes(b"")
    with pytest.raises(StoreError, match="is empty"):
        asked(tmp_path / "tables", "SELECT count(*) AS n FROM songs")
    assert rows(tmp_path / "tables", "SELECT count(*) AS n FROM genres") != [(0,)]
