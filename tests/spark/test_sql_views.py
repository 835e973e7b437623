"""Views give the same answers through Spark, in a session and in a catalog, and through DuckDB."""

import csv
import io

import duckdb
import pytest

from genreatlas.config import load_config
from genreatlas.errors import StoreError
from genreatlas.sql import answers, duck, duck_answers
from genreatlas.sql.registering import register_views
from genreatlas.steps import publish_views
from genreatlas.store import Store
from questions import questions
from same_answers import same
from sql_factory import write_listening, write_map, write_store

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return write_listening(write_map(write_store(tmp_path_factory.mktemp("sql") / "tables")))


@pytest.fixture(scope="module")
def registered(spark, reader):
    """The views in the session, which loses them again."""
    planned = register_views(reader)
    yield planned
    for name in (*planned.tables, *(view.name for view in planned.views)):
        spark.catalog.dropTempView(name)


@pytest.fixture(scope="module")
def reader(spark, home):
    return Store(spark, load_config([], [f'store.path="{home}"']).store)


@pytest.fixture(scope="module")
def connection(home):
    connection = duckdb.connect()
    duck.register_views(connection, home)
    return connection


def test_every_view_has_the_same_rows_in_spark_and_in_duckdb(spark, registered, connection):
    assert not registered.skipped
    for view in registered.views:
        through_spark = spark.sql(f"SELECT * FROM {view.name}").toPandas()
        assert len(through_spark), view.name
        same(through_spark, connection.sql(f"SELECT * FROM {view.name}").df(), view.name)


@pytest.mark.parametrize(("question", "statement"), questions(), ids=lambda text: text if "?" in text else "")
def test_a_question_has_the_same_answer_in_spark_and_in_duckdb(spark, registered, connection, question, statement):
    answer = connection.sql(statement).df()
    assert (len(answer) == 0) == question.startswith("Is any artist")
    same(spark.sql(statement).toPandas(), answer, question, ordered=True)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT title, album FROM songs ORDER BY album DESC, title LIMIT 5",
        "SELECT song_id, rank() OVER (ORDER BY album, title) AS n, lag(title) OVER (ORDER BY title) AS before "
        "FROM songs ORDER BY song_id",
        "SELECT genre, n_songs / 3 AS third, round(n_songs / 3, 2) AS r, n_songs % 4 AS rest, -n_songs AS minus, "
        "power(n_songs, 2) AS p, ln(n_songs) AS l, sqrt(n_songs) AS s FROM genre_sizes ORDER BY genre",
        "SELECT count(*) AS n, sum(tempo) AS s, avg(tempo) AS a, median(tempo) AS m, stddev(tempo) AS d, "
        "percentile_cont(0.25) WITHIN GROUP (ORDER BY tempo) AS q, count(DISTINCT song_id) AS g, "
        "bool_or(tempo > 100) AS fast, count(*) FILTER (WHERE tempo > 100) AS f FROM wide_gtzan57",
        "SELECT lower(genre) || '-' || upper(genre) AS g, length(genre) AS l, trim('  a ') AS t, "
        "translate(genre, 'ou', 'x') AS x, greatest(1, NULL, 3) AS big, nullif(1, 1) AS none, ifnull(NULL, 2) AS two, "
        "genre LIKE 'T%' AS t1, genre NOT ILIKE 't%' AS t2, genre IS DISTINCT FROM 'House' AS d, "
        "CASE genre WHEN 'House' THEN 1 END AS c, coalesce(NULL, genre) AS k FROM genre_sizes ORDER BY genre",
        "SELECT year(max(added_at)) AS y, month(max(added_at)) AS m, CAST('2024-02-29' AS DATE) AS d, "
        "CAST('1.5' AS DOUBLE) AS f FROM songs",
        "WITH a AS (SELECT genre FROM genre_sizes WHERE n_songs NOT IN (8)) SELECT * FROM a UNION ALL SELECT 'x' "
        "ORDER BY genre LIMIT 2 OFFSET 1",
        "SELECT s.genre, g.genre AS other FROM genre_sizes AS s FULL JOIN genre_sizes AS g "
        "ON g.n_songs = s.n_songs + 1 ORDER BY s.genre, other",
    ],
)
def test_what_duckdb_answers_for_spark_is_what_spark_answers(registered, reader, home, statement):
    answer = duck_answers.ask(home, statement, "default")
    from_spark = answers.ask(reader, answers.readable(statement), registered)
    assert list(answer.columns) == from_spark.columns
    for mine, theirs in zip(answer.collect(), from_spark.collect(), strict=True):
        assert [pytest.approx(one) if isinstance(one, float) else one for one in mine] == list(theirs)


def test_an_answer_is_printed_as_a_table_and_written_as_csv(registered, reader):
    statement = "SELECT genre, n_songs, hours / 7 AS h, genre_id = 'x' AS x FROM genre_sizes ORDER BY genre -- sorted"
    frame = answers.ask(reader, answers.readable(statement + "\n;"), registered)
    assert answers.as_table(frame, 2).splitlines() == [
        "genre    n_songs           h  x",
        "-------  -------  ----------  -----",
        "Ambient        8  0.00952381  False",
        "House         10   0.0119048  False",
        "",
        "The first 2 rows; --limit shows more, --csv writes all.",
    ]
    frame = answers.ask(reader, answers.readable("SELECT title, genres, album FROM song_overview"), registered)
    written = io.StringIO(newline="")
    assert answers.write_csv(frame, written) == 24
    rows = {row["title"]: row for row in csv.DictReader(io.StringIO(written.getvalue()))}
    assert rows["House no. 21"] == {"title": "House no. 21", "genres": '["House", "Techno"]', "album": ""}


def test_a_misspelt_name_is_answered_with_the_nearest(registered, reader):
    with pytest.raises(StoreError, match=r"no table or view leaderbord\. Did you mean leaderboard\?"):
        answers.ask(reader, answers.readable("SELECT * FROM leaderbord"), registered)


@pytest.mark.parametrize(
    "statement", ["SELECT 1); DROP TABLE songs; --", "WITH s AS (SELECT 1) INSERT INTO songs TABLE s"]
)
def test_a_statement_that_only_looks_like_a_question_is_refused(registered, reader, statement):
    with pytest.raises(StoreError, match="query: "):
        answers.ask(reader, answers.readable(statement), registered)


@pytest.fixture(scope="module")
def catalog_store(spark, home):
    """The same tables in a schema of the session's catalog."""
    spark.sql("CREATE SCHEMA sql_views")
    for log in home.glob("*/_delta_log"):
        spark.sql(f"CREATE TABLE sql_views.`{log.parent.name}` USING DELTA LOCATION '{log.parent}'")
    yield Store(spark, load_config([], ["store.schema=sql_views"]).store)
    spark.sql("DROP SCHEMA sql_views CASCADE")


def test_in_a_catalog_the_views_are_published_once_with_their_comments(spark, catalog_store, connection):
    config = load_config([], ["store.schema=sql_views"])
    first = publish_views.run(catalog_store, config)
    assert (first.skipped, first.failed) == (0, 0)
    assert first.written == first.read > 15
    assert publish_views.run(catalog_store, config).written == 0
    for view in ("leaderboard", "wide_loudness", "timed_mfcc12_frames"):
        rows = spark.sql(f"SELECT * FROM sql_views.{view}").toPandas()
        same(rows, connection.sql(f"SELECT * FROM {view}").df(), view)
    described = {row[0]: row[1] for row in spark.sql("DESCRIBE TABLE EXTENDED sql_views.genre_sizes").collect()}
    assert described["Comment"].startswith("Size of each")


def test_a_changed_definition_replaces_the_published_view(spark, catalog_store):
    publish_views.run(catalog_store, load_config([], ["store.schema=sql_views"]))
    other = load_config([], ["store.schema=sql_views", "splits.name=other"])
    assert publish_views.run(catalog_store, other).written == 3  # current_split, confounds, linked_songs name the split
    assert spark.sql("SELECT count(*) FROM sql_views.current_split").collect()[0][0] == 0


def test_a_registered_view_sees_rows_that_came_later(spark, store):
    from genreatlas.tables import SONG_GENRES

    label = {"song_id": "s", "genre_id": "g", "source": "tags", "genre": "G", "weight": 1.0}
    store.upsert(SONG_GENRES, [label])
    register_views(store)
    assert spark.sql("SELECT count(*) FROM song_labels").collect()[0][0] == 1
    store.upsert(SONG_GENRES, [label | {"song_id": "t"}])
    assert spark.sql("SELECT count(*) FROM song_labels").collect()[0][0] == 2
