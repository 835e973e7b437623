"""The site's own database: how it is reached, and its schema, which Alembic brings up to date.

SQLite, or PostgreSQL by URL. It may go away and come back at any moment: every use is a transaction of its own, and
what cannot be done now raises ``SQLAlchemyError`` within seconds.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError

#: Seconds until a connection, a lock or a statement is given up, so that requests of a database that is away end.
_WAIT_S = 3
#: Any number that nobody else locks: two processes that start at once bring the schema up to date one by one.
_LOCK = 0x67656E7265
#: Where the migrations are, for Alembic.
MIGRATIONS = "genreatlas.web:migrations"
metadata = sa.MetaData()


class NotPrepared(SQLAlchemyError):
    """The schema is not that of this release yet; the server makes it."""


class Database:
    """Connections to the site's database.

    Parameters
    ----------
    url : SQLAlchemy's.
    prepares : whether the schema is made or brought up to date at the first use; else it is waited for.
    """

    def __init__(self, url: str, prepares: bool = True) -> None:
        self.prepares = prepares
        self._ready = False
        self._preparing = threading.Lock()
        self.engine: Engine = self._engine(make_url(url))

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """A transaction: committed at the end, rolled back where something is raised.

        Raises
        ------
        SQLAlchemyError : the database is away, or not prepared.
        """
        if not self._ready:  # here, as the database may be away when the process starts
            with self._preparing:
                if not self._ready:
                    self._prepare()
        with self.engine.begin() as connection:
            yield connection

    def _prepare(self) -> None:
        with self.engine.begin() as connection:
            if self.prepares:
                upgrade(connection)
            elif not is_current(connection):
                raise NotPrepared("The database has no tables of this release yet.")
        self._ready = True

    def _engine(self, url: URL) -> Engine:
        options: dict[str, Any] = {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 30, "pool_timeout": _WAIT_S}
        if url.get_backend_name() != "sqlite":
            if url.get_driver_name().startswith("psycopg"):
                options["connect_args"] = {
                    "connect_timeout": _WAIT_S, "tcp_user_timeout": 2000 * _WAIT_S,
                    "options": f"-c statement_timeout={2000 * _WAIT_S} -c lock_timeout={1000 * _WAIT_S}",
                }  # fmt: skip
            return sa.create_engine(url, **options)
        path = Path(url.database or "").absolute()

        def connect() -> sqlite3.Connection:
            # Only the first connection of who prepares makes a file: one that is away must not be replaced by an empty
            # one, into which uploads would be accepted that are lost when the real one is back.
            mode = "rwc" if self.prepares and not self._ready else "rw"
            address = f"{path.as_uri()}?mode={mode}"
            return sqlite3.connect(address, uri=True, timeout=_WAIT_S, check_same_thread=False)

        engine = sa.create_engine(url, creator=connect, **options)
        sa.event.listen(engine, "connect", lambda connection, record: _prepare_sqlite(connection, record, path))
        sa.event.listen(engine, "checkout", lambda _, record, __: _require_same_file(record, path))
        return engine


def _prepare_sqlite(connection: Any, record: Any, path: Path) -> None:
    until = time.monotonic() + _WAIT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:  # several that change the mode at once are not made to wait for each other
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
    connection.execute("PRAGMA synchronous = NORMAL")
    record.info["file"] = _file(path)


def _require_same_file(record: Any, path: Path) -> None:
    """Refuse a connection to a file that has been moved away: it could still be written to, and nobody would see it."""
    if record.info.get("file") != _file(path):
        raise DisconnectionError("the database's file is another, or gone")


def _file(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def upgrade(connection: Connection) -> None:
    """Make the tables, or bring those of an older release up to date."""
    from alembic import command

    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    elif connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    if not is_current(connection):
        command.upgrade(settings_of(connection), "head")


def is_current(connection: Connection) -> bool:
    """Whether the schema is that of this release, or of a later one that this one does not know."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    found = MigrationContext.configure(connection).get_current_revision()
    scripts = ScriptDirectory.from_config(settings_of(connection))
    known = {one.revision for one in scripts.walk_revisions()}
    return found is not None and (found == scripts.get_current_head() or found not in known)


def settings_of(connection: Connection) -> Any:
    """What Alembic's commands are given to work in a transaction."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", MIGRATIONS)
    settings.attributes["connection"] = connection
    return settings
