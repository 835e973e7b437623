"""The job ``query``: run one SQL statement on the store and print a table or write CSV."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from genreatlas.arguments import USAGE, configuration, job_parser, stop
from genreatlas.config import Config
from genreatlas.errors import ConfigError, GenreAtlasError, StoreError, UnexpectedError
from genreatlas.redaction import shown

if TYPE_CHECKING:
    from genreatlas.sql.answers import Frame

_TEXT = """Run a SQL statement on the tables and views of the store (songs, leaderboard, genre_profile, ...).

  ./spark-submit.sh query --conf conf/demo.toml "SELECT genre, n_songs FROM genre_sizes ORDER BY n_songs DESC"
  ./spark-submit.sh query --conf conf/demo.toml --csv confused.csv "SELECT * FROM confusions"
  ./spark-submit.sh query --conf conf/demo.toml "SHOW VIEWS"

docs/sql.md has examples; docs/data_dictionary.md lists every table, column and view. Only statements that read are
allowed: SELECT, WITH, VALUES, DESCRIBE, SHOW and EXPLAIN, with functions that compute from values;
docs/security.md says what is refused.

Engines. Statements are written in Spark SQL. If the store is a local folder and the statement has the same result in
DuckDB, DuckDB runs it in a second or two: columns, comparisons, joins, subqueries, aggregates, windows, and the
functions that docs/sql.md lists. Spark runs everything else, and a line says why: arrays and maps (x[0], explode),
other functions, casts to INT or STRING, "..." and `...`, SHOW, DESCRIBE, EXPLAIN, and stores in a catalog or in remote
storage.
"""


def query(arguments: Sequence[str] | None = None) -> None:
    """Run one statement; exit with the error's exit code if it fails."""
    parser = job_parser("query", _TEXT, f"{USAGE} [--engine ENGINE] [--csv FILE [--csv-safe]] [--limit N] SQL")
    parser.add_argument("sql", metavar="SQL", help="the statement; - reads it from standard input")
    parser.add_argument("--csv", metavar="FILE", help="write all rows as CSV; - writes them to standard output")
    parser.add_argument(
        "--csv-safe",
        action="store_true",
        help="with --csv: put an apostrophe before text that a spreadsheet would read as a formula (= + - @)",
    )
    parser.add_argument(
        "--engine",
        choices=_ENGINES,
        default="auto",
        help="auto (default): DuckDB if the result is the same there, else Spark; spark: always Spark; duckdb: never "
        "start Spark, and read the statement as DuckDB's SQL",
    )
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="maximum rows to print; default: 100")
    parsed = parser.parse_args(arguments)
    try:
        statement = sys.stdin.read() if parsed.sql == "-" else parsed.sql
        config = configuration(parsed)
        try:
            _answer(config, statement, parsed.csv, parsed.limit, parsed.csv_safe, parsed.engine)
        except (GenreAtlasError, BrokenPipeError):
            raise
        except Exception as problem:
            from genreatlas.store import explain

            raise UnexpectedError(explain(problem, str(Path(config.store.path).absolute()), "query")) from problem
    except GenreAtlasError as problem:
        stop(problem)
    except BrokenPipeError:  # the reader closed the pipe early, such as head
        sys.exit(0)


def _answer(
    config: Config, statement: str, csv: str | None, limit: int, safe: bool = False, engine: str = "auto"
) -> None:
    from genreatlas.audio.feature_sets import adopt_embeddings
    from genreatlas.sql import answers

    if safe and csv is None:
        raise ConfigError("--csv-safe has no effect without --csv. Add --csv FILE.")
    if limit < 1:
        raise ConfigError(f"--limit {limit}: give a number above 0")
    answers.readable(statement)
    adopt_embeddings(config.extract.embeddings)  # views show the configured version
    frame = next(found for ask in _ENGINES[engine] if (found := ask(config, statement)) is not None)
    if csv is None:
        print(answers.as_table(frame, limit))
    elif csv == "-":
        answers.write_csv(frame, sys.stdout, safe)
    else:
        with Path(csv).open("w", encoding="utf-8", newline="") as file:
            count = answers.write_csv(frame, file, safe)
        print(shown(f"{csv}: {count} rows"))


def _common(config: Config, statement: str) -> "Frame | None":
    """Run a statement whose meaning is the same in both dialects on DuckDB; None, with a message, if it needs Spark."""
    from genreatlas.sql.duck_answers import LeftToSparkError

    try:
        return _duckdb(config, statement)
    except LeftToSparkError as reason:
        print(shown(f"genreatlas: query: runs on Spark: {reason}"), file=sys.stderr, flush=True)
        return None


def _own(config: Config, statement: str) -> "Frame":
    """Run a statement of DuckDB's dialect on DuckDB."""
    from genreatlas.sql.duck_answers import LeftToSparkError

    try:
        return _duckdb(config, statement, own_dialect=True)
    except LeftToSparkError as reason:
        raise ConfigError(f"query: --engine duckdb: {reason}") from None


def _duckdb(config: Config, statement: str, own_dialect: bool = False) -> "Frame":
    from genreatlas.sql import duck_answers
    from genreatlas.store.reader import Location

    return duck_answers.ask(Location.of(config.store).folder, statement, config.splits.name, own_dialect)


def _spark(config: Config, statement: str) -> "Frame":
    from genreatlas.session import get_spark
    from genreatlas.sql import answers
    from genreatlas.sql.registering import register_views
    from genreatlas.store import open_store

    checked = answers.readable(statement)
    store = open_store(get_spark(config.spark), config.store)
    lists = checked[:4].upper() == "SHOW"  # needs all views registered
    planned = register_views(store, config.splits.name, None if lists else checked)
    if not planned.tables:
        where = store.location.root or store.location.prefix
        raise StoreError(f"{where}: no tables found. Name the store by --conf FILE or --set store.path=FOLDER.")
    return answers.ask(store, checked, planned)


#: Engines by value of ``--engine``, tried in this order until one returns rows.
_ENGINES: dict[str, Sequence[Callable[[Config, str], "Frame | None"]]] = {
    "auto": (_common, _spark),
    "duckdb": (_own,),
    "spark": (_spark,),
}
