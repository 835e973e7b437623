"""A real PostgreSQL server for tests, using the programs of Debian's package."""

import contextlib
import os
import random
import shutil
import socket
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

#: Program folders, the newest release first.
_DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: -float(one.parent.name))
PROGRAMS = next((one for one in _DEBIAN if (one / "initdb").exists()), None)
if PROGRAMS is None and (found := shutil.which("initdb")):
    PROGRAMS = Path(found).resolve().parent


def missing() -> str:
    """Reason why no server can be started; empty if it can."""
    if PROGRAMS is None:
        return "no PostgreSQL: apt-get install postgresql"
    return "" if find_spec("psycopg") else "no driver: pip install 'psycopg[binary]'"


def _free_port() -> int:
    """A port below the range of outgoing connections, which could take the port while the server is stopped."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port


class Postgres:
    """A local server with its own data folder, which can be stopped and restarted."""

    def __init__(self) -> None:
        # Not below pytest's folders, which only root can read, because the server refuses to run as root.
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.data = self.folder / "data"
        self.port = _free_port()
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
        self._call("initdb", "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8", "--locale=C", str(self.data))
        self.start()

    def __enter__(self) -> "Postgres":
        return self

    def __exit__(self, *_: object) -> None:
        if (self.data / "postmaster.pid").exists():  # missing if a test failed while the server was stopped
            self.stop()
        shutil.rmtree(self.folder)

    def _call(self, program: str, *arguments: str) -> None:
        user = "postgres" if os.geteuid() == 0 else None
        command = [str(PROGRAMS / program), *arguments]  # type: ignore[operator]
        with (self.folder / "output").open("ab") as output:
            subprocess.run(command, user=user, cwd="/", stdout=output, stderr=output, check=True, timeout=120)

    def start(self) -> None:
        """Start the server."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self._call("pg_ctl", "-D", str(self.data), "-w", "-o", options, "-l", str(self.data / "log"), "start")

    def stop(self) -> None:
        """Stop immediately, as in a power failure."""
        self._call("pg_ctl", "-D", str(self.data), "-w", "-m", "immediate", "stop")

    def database(self, name: str) -> str:
        """Create an empty database and return its SQLAlchemy URL."""
        import sqlalchemy as sa

        engine = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def url(self, name: str) -> str:
        """SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"
