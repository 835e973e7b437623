"""Compose a small music library with known genres, offline.

``sandbox.seed`` determines genres, artists and songs. Existing files are not composed again.
"""

from genreatlas import checks
from genreatlas.checks.collecting import composer_lacks
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.errors import ConfigError
from genreatlas.sandbox import GENRES, write_library
from genreatlas.store import Store

READS: tuple[str, ...] = ()
WRITES: tuple[str, ...] = ()
SECTIONS: tuple[str, ...] = ("sandbox",)
check = checks.compose_library
GENRE_NAMES: tuple[str, ...] = tuple(GENRES)


def run(store: Store, config: Config) -> Counts:
    """Write the missing files of ``config.sandbox``. The store is not used.

    Raises
    ------
    ConfigError : the extra ``sandbox`` is not installed.
    """
    for problem in composer_lacks():
        raise ConfigError(problem.text)
    written = write_library(config.sandbox)
    return Counts(read=written, written=written, notes=(f"library: {config.sandbox.path}",) if written else ())
