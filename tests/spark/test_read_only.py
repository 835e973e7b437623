"""``query`` answers questions about the store, and runs nothing else."""

import pytest

from genreatlas.errors import ConfigError, GenreAtlasError, StoreError
from genreatlas.sql import answers, read_only
from genreatlas.sql.catalogue import Plan
from questions import questions

#: Each would run a program, read a file, or tell what is no part of the store.
HOSTILE = [
    "SELECT TRANSFORM(1) USING 'sh -c \"touch {mark}\"' AS (x STRING)",
    "FROM songs SELECT TRANSFORM(song_id) USING 'cat'",
    "FROM (FROM songs MAP song_id USING 'sh') SELECT *",
    "FROM songs REDUCE song_id USING 'sh'",
    "WITH a AS (SELECT TRANSFORM(1) USING 'sh') SELECT * FROM a",
    "SELECT (SELECT max(x) FROM (SELECT TRANSFORM(1) USING 'sh' AS (x STRING)))",
    "SELECT reflect('java.lang.System', 'getenv', 'PATH')",
    "SELECT java_method('java.lang.System', 'getProperty', 'user.home')",
    "SELECT try_reflect('java.lang.System', 'getenv', 'PATH')",
    "SELECT `reflect`('java.lang.System', 'getenv', 'PATH')",
    "SELECT system.builtin.reflect('java.lang.System', 'getenv', 'PATH')",
    "SELECT * FROM VALUES (reflect('java.lang.System', 'getenv', 'PATH'))",
    "SELECT * FROM songs WHERE reflect('java.lang.System', 'getenv', 'PATH') IS NOT NULL",
    "SELECT * FROM songs ORDER BY java_method('java.lang.System', 'getenv', 'PATH')",
    "SELECT count(*) OVER (PARTITION BY reflect('java.lang.System', 'getenv', 'PATH')) FROM songs",
    "SELECT transform(array(1), x -> reflect('java.lang.System', 'getenv', 'PATH'))",
    "WITH a AS (SELECT reflect('java.lang.System', 'getenv', 'PATH')) SELECT * FROM a",
    "SELECT * FROM songs LATERAL VIEW explode(array(reflect('java.lang.System', 'getenv', 'PATH'))) AS x",
    "SELECT * FROM text.`/etc/passwd`",
    "SELECT * FROM binaryFile.`/etc/passwd`",
    "SELECT * FROM csv.`/etc/passwd`",
    "SELECT * FROM delta.`/elsewhere/songs`",
    "SELECT * FROM songs WHERE song_id IN (SELECT value FROM text.`/etc/passwd`)",
    "SELECT * FROM songs JOIN text.`/etc/passwd` ON true",
    "SELECT * FROM songs, LATERAL (SELECT * FROM text.`/etc/passwd`)",
    "TABLE text.`/etc/passwd`",
    "(SELECT * FROM text.`/etc/passwd`)",
    "FROM songs |> UNION ALL (SELECT value FROM text.`/etc/passwd`)",
    "SELECT * FROM IDENTIFIER('text.`/etc/passwd`')",
    "SELECT IDENTIFIER('reflect')('java.lang.System', 'getenv', 'PATH')",
    "SELECT * FROM read_files('/etc/passwd')",
    "SELECT * FROM python_worker_logs()",
    "SELECT input_file_name() FROM songs",
    "SELECT current_user()",
    "SELECT from_protobuf(x, 'm', '/etc/passwd') FROM songs",
    "EXPLAIN SELECT * FROM text.`/etc/passwd`",
    "EXPLAIN EXTENDED SELECT reflect('a', 'b')",
    "DESCRIBE QUERY SELECT * FROM text.`/etc/passwd`",
    "DESCRIBE text.`/etc/passwd`",
    "DESCRIBE DETAIL '/etc'",
    "DESCRIBE HISTORY delta.`/elsewhere/songs`",
    "SHOW CREATE TABLE songs",
    "SHOW TBLPROPERTIES songs",
    "SHOW COLUMNS IN text.`/etc/passwd`",
    "SELECT * FROM songs; DROP TABLE songs",
    "SELECT 1) t; DROP VIEW songs; --",
    "SELECT * FROM elsewhere",
]
RELATIONS = ("songs", "genre_sizes")
NOTHING_LEFT_OUT = Plan(RELATIONS, (), {})


@pytest.fixture(scope="module")
def reader(spark, tmp_path_factory):
    """A session in which the two relations exist."""
    from genreatlas.config import load_config
    from genreatlas.store import Store

    spark.sql("CREATE OR REPLACE TEMPORARY VIEW songs AS SELECT 's1' AS song_id, 120.0D AS tempo, 'a(b) x' AS title")
    spark.sql("CREATE OR REPLACE TEMPORARY VIEW genre_sizes AS SELECT 'House' AS genre, 10 AS n_songs")
    spark.sql("CREATE OR REPLACE TEMPORARY VIEW elsewhere AS SELECT 1 AS x")
    yield Store(spark, load_config([], [f"store.path={tmp_path_factory.mktemp('read_only')}"]).store)
    for name in (*RELATIONS, "elsewhere"):
        spark.catalog.dropTempView(name)


def by_text(monkeypatch):
    """Check as on Spark Connect, which has no plan but its text."""
    monkeypatch.setattr(read_only, "_parser", lambda spark: None)


@pytest.mark.parametrize("shown", ["objects", "text"])
def test_what_reaches_beyond_the_store_is_refused_and_nothing_is_run(reader, monkeypatch, tmp_path, shown):
    if shown == "text":
        by_text(monkeypatch)
    passed = []
    for statement in HOSTILE:
        try:
            text = answers.readable(statement.format(mark=tmp_path / "mark"))
            answers.ask(reader, text, NOTHING_LEFT_OUT).collect()
            passed.append(statement)
        except (ConfigError, StoreError) as error:
            assert len(str(error).splitlines()) == 1, error
    assert not passed
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("shown", ["objects", "text"])
def test_questions_about_the_store_are_answered(reader, monkeypatch, shown):
    if shown == "text":
        by_text(monkeypatch)
    answered = [
        ("SELECT genre, n_songs FROM genre_sizes ORDER BY n_songs DESC LIMIT 3", [("House", 10)]),
        ("WITH a AS (SELECT tempo FROM songs) SELECT round(avg(tempo)) FROM A", [(120.0,)]),
        (
            "SELECT count(*) FROM songs AS s JOIN Genre_Sizes g ON g.n_songs < s.tempo WHERE "
            "s.tempo IN (SELECT tempo FROM songs)",
            [(1,)],
        ),
        ("SELECT x FROM songs LATERAL VIEW explode(sequence(1, 2)) AS x", [(1,), (2,)]),
        ("SELECT * FROM VALUES (1, 'a'), (2, 'b') AS t(n, c) WHERE n > 1", [(2, "b")]),
        ("SELECT id FROM range(2) UNION ALL SELECT n_songs FROM genre_sizes", [(0,), (1,), (10,)]),
        (
            "SELECT count(*) OVER (PARTITION BY song_id ORDER BY tempo ROWS BETWEEN 1 "
            "PRECEDING AND CURRENT ROW) FROM songs",
            [(1,)],
        ),
        (
            "SELECT CASE WHEN tempo > 1 THEN CAST(tempo AS DECIMAL(5, 1)) END IS NOT NULL, "
            "transform(array(1), y -> y + 1) FROM songs",
            [(True, [2])],
        ),
        ("FROM songs |> WHERE tempo > 1 |> SELECT song_id", [("s1",)]),
        (
            "SELECT count(DISTINCT song_id) FILTER (WHERE tempo > 1) FROM songs GROUP BY ROLLUP "
            "(song_id) HAVING count(*) > 0",
            [(1,), (1,)],
        ),
        ("SELECT * FROM (SELECT song_id, tempo FROM songs) PIVOT (sum(tempo) FOR song_id IN ('s1'))", [(120.0,)]),
        ("TABLE genre_sizes", [("House", 10)]),
        ("(SELECT 1)", [(1,)]),
    ]
    for statement, rows in answered:
        frame = answers.ask(reader, answers.readable(statement), NOTHING_LEFT_OUT)
        assert [tuple(row) for row in frame.collect()] == rows, statement
    for statement in ("SHOW VIEWS", "DESCRIBE TABLE EXTENDED songs", "DESC songs tempo", "EXPLAIN SELECT * FROM songs"):
        assert answers.ask(reader, answers.readable(statement), NOTHING_LEFT_OUT).collect(), statement


def test_a_string_that_looks_like_a_call_is_no_call_where_the_plan_is_shown_as_objects(reader):
    frame = answers.ask(reader, answers.readable("SELECT 1 FROM songs WHERE title <> 'reflect(x)'"), NOTHING_LEFT_OUT)
    assert frame.count() == 1


def test_every_question_of_the_documentation_passes_the_check(spark, monkeypatch):
    names = {"songs"}
    for question, statement in questions():
        while True:
            try:
                read_only.check(spark, answers.readable(statement), names)
                break
            except read_only.UnknownRelationError as error:
                names.add(error.name)
            except GenreAtlasError as error:
                pytest.fail(f"{question}: {error}")


def test_a_session_that_does_not_show_its_plan_gets_no_answer(reader, monkeypatch):
    by_text(monkeypatch)

    class Mute:
        conf = reader.spark.conf

        def sql(self, statement):
            return reader.spark.sql("SELECT 'no plan here'")

    with pytest.raises(ConfigError, match="cannot be checked"):
        read_only.check(Mute(), "SELECT 1", RELATIONS)
