"""The job ``query``: ask the store in SQL, get a table or a CSV file."""

import sys
from collections.abc import Sequence
from pathlib import Path

from genreatlas.arguments import USAGE, configuration, job_parser, stop
from genreatlas.config import Config
from genreatlas.errors import ConfigError, GenreAtlasError, StoreError, UnexpectedError
from genreatlas.redaction import shown

_TEXT = """Ask the store in SQL: tables and views go by their own names (songs, leaderboard, genre_profile, ...).

  ./spark-submit.sh query --conf conf/demo.toml "SELECT genre, n_songs FROM genre_sizes ORDER BY n_songs DESC"
  ./spark-submit.sh query --conf conf/demo.toml --csv confused.csv "SELECT * FROM confusions"
  ./spark-submit.sh query --conf conf/demo.toml "SHOW VIEWS"

docs/sql.md has questions that people ask, docs/data_dictionary.md every table, column and view. Statements
only read: SELECT, WITH, VALUES, DESCRIBE, SHOW or EXPLAIN, over the store's tables and views, with Spark's functions of
values. docs/security.md says what is refused.
"""


def query(arguments: Sequence[str] | None = None) -> None:
    """Run one statement; exit with a code where that fails."""
    parser = job_parser("query", _TEXT, f"{USAGE} [--csv FILE [--csv-safe]] [--limit N] SQL")
    parser.add_argument("sql", metavar="SQL", help="the statement; - reads it from standard input")
    parser.add_argument("--csv", metavar="FILE", help="write all rows as CSV; - writes them to standard output")
    parser.add_argument(
        "--csv-safe",
        action="store_true",
        help="with --csv: for spreadsheets; text that would be a formula (= + - @) begins with an apostrophe",
    )
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="rows in the table that is printed (100)")
    parsed = parser.parse_args(arguments)
    try:
        statement = sys.stdin.read() if parsed.sql == "-" else parsed.sql
        config = configuration(parsed)
        try:
            _answer(config, statement, parsed.csv, parsed.limit, parsed.csv_safe)
        except (GenreAtlasError, BrokenPipeError):
            raise
        except Exception as problem:
            from genreatlas.store import explain

            raise UnexpectedError(explain(problem, str(Path(config.store.path).absolute()), "query")) from problem
    except GenreAtlasError as problem:
        stop(problem)
    except BrokenPipeError:  # whoever read our output has seen enough
        sys.exit(0)


def _answer(config: Config, statement: str, csv: str | None, limit: int, safe: bool = False) -> None:
    from genreatlas.audio.feature_sets import adopt_embeddings
    from genreatlas.session import get_spark
    from genreatlas.sql import answers
    from genreatlas.sql.registering import register_views
    from genreatlas.store import open_store

    if safe and csv is None:
        raise ConfigError("--csv-safe: it says how CSV is written. Give --csv FILE too.")
    if limit < 1:
        raise ConfigError(f"--limit {limit}: give a number above 0")
    checked = answers.readable(statement)
    adopt_embeddings(config.extract.embeddings)  # views show the version that counts
    store = open_store(get_spark(config.spark), config.store)
    lists = checked[:4].upper() == "SHOW"  # what it shows must be there
    planned = register_views(store, config.splits.name, None if lists else checked)
    if not planned.tables:
        where = store.location.root or store.location.prefix
        raise StoreError(f"{where}: no tables here. Name the store: --conf FILE, or --set store.path=FOLDER.")
    frame = answers.ask(store, checked, planned)
    if csv is None:
        print(answers.as_table(frame, limit))
    elif csv == "-":
        answers.write_csv(frame, sys.stdout, safe)
    else:
        with Path(csv).open("w", encoding="utf-8", newline="") as file:
            count = answers.write_csv(frame, file, safe)
        print(shown(f"{csv}: {count} rows"))
