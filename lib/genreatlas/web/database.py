"""Connections to the site's database, and migrations of its schema with Alembic.

SQLite, or PostgreSQL by URL. The database may become unavailable at any time: every use is a separate transaction, and
operations raise ``SQLAlchemyError`` within seconds if the database cannot be reached.
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

#: Timeout in seconds for connections, locks and statements, so that requests end if the database is unavailable.
_WAIT_S = 3
#: Key of the PostgreSQL advisory lock, so that processes that start at the same time migrate one after the other.
_LOCK = 0x67656E7265
#: Location of the migrations, for Alembic.
MIGRATIONS = "genreatlas.web:migrations"
metadata = sa.MetaData()


class NotPrepared(SQLAlchemyError):
    """The schema is not yet that of this release; the server migrates it."""


class Database:
    """Connections to the site's database.

    Parameters
    ----------
    url : SQLAlchemy URL.
    prepares : whether the schema is created or migrated at the first use; otherwise :class:`NotPrepared` is raised
        until another process has done so.
    """

    def __init__(self, url: str, prepares: bool = True) -> None:
        self.prepares = prepares
        self._ready = False
        self._preparing = threading.Lock()
        self.engine: Engine = self._engine(make_url(url))

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """A transaction: committed at the end of the block, rolled back on an exception.

        Raises
        ------
        SQLAlchemyError : the database is unavailable, or not prepared.
        """
        if not self._ready:  # not in __init__, because the database may be unavailable when the process starts
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
            # Only the first connection of a process that prepares creates the file: a file that is missing for a while
            # must not be replaced by an empty one, because uploads stored there would be lost when it returns.
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
        except sqlite3.OperationalError:  # SQLite does not wait for another process that changes the mode
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
    connection.execute("PRAGMA synchronous = NORMAL")
    record.info["file"] = _file(path)


def _require_same_file(record: Any, path: Path) -> None:
    """Raise if the connection's file was moved: writes to it would succeed but would be lost."""
    if record.info.get("file") != _file(path):
        raise DisconnectionError("the database file was moved or replaced")


def _file(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def upgrade(connection: Connection) -> None:
    """Create the tables, or migrate those of an older release."""
    from alembic import command

    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    elif connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    if not is_current(connection):
        command.upgrade(settings_of(connection), "head")


def is_current(connection: Connection) -> bool:
    """Whether the schema is that of this release, or of a later release (an unknown revision)."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    found = MigrationContext.configure(connection).get_current_revision()
    scripts = ScriptDirectory.from_config(settings_of(connection))
    known = {one.revision for one in scripts.walk_revisions()}
    return found is not None and (found == scripts.get_current_head() or found not in known)


def settings_of(connection: Connection) -> Any:
    """Alembic configuration for commands in the transaction of a connection."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", MIGRATIONS)
    settings.attributes["connection"] = connection
    return settings
