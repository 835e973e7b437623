"""Compose a small music library with known genres, offline.

Genres, artists and songs follow from ``sandbox.seed``. What is already there is not composed again.
"""

from genreatlas.config import Config
from genreatlas.sandbox import GENRES, write_library
from genreatlas.steps.counts import Counts
from genreatlas.store import Store

READS: tuple[str, ...] = ()
WRITES: tuple[str, ...] = ()
SECTIONS: tuple[str, ...] = ("sandbox",)
GENRE_NAMES: tuple[str, ...] = tuple(GENRES)


def run(store: Store, config: Config) -> Counts:
    """Write the files of ``config.sandbox`` that are missing; the store is not used."""
    written = write_library(config.sandbox)
    return Counts(read=written, written=written, notes=(f"library: {config.sandbox.path}",) if written else ())
