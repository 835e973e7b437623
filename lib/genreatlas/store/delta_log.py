"""The log of a table on a local folder, read without Spark: its newest version, and whether its files are there."""

import json
import urllib.parse
from pathlib import Path

from genreatlas.errors import StoreError
from genreatlas.store.failures import damaged_table

LOG = "_delta_log"


def commits(table: Path) -> dict[int, Path]:
    """Commits of a table by version; none where it has no log."""
    return {int(file.stem): file for file in (table / LOG).glob("*.json") if file.stem.isdigit()}


def newest_version(name: str, table: Path) -> int | None:
    """Newest version of a table; None where there is no such table.

    Raises
    ------
    StoreError : a commit has no bytes, which Delta reads as a commit without rows; the log is gone, and rows are left.
    """
    found = commits(table)
    for version, file in sorted(found.items()):
        if not _has_bytes(file):
            newest = version == max(found)
            mend = f"; if there is none, delete the file, which goes back to version {version - 1}" if newest else ""
            what = f"{file} has no bytes, as after a crash or on a full disk{mend}"
            raise StoreError(damaged_table(name, what, str(table)))
    if found:
        return max(found)
    if not has_checkpoint(table) and (table.is_file() or any(table.glob("*.parquet"))):
        what = f"{table} is a file" if table.is_file() else f"{table / LOG} has no commits, and rows lie beside it"
        raise StoreError(damaged_table(name, what, str(table)))
    return None


def _has_bytes(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # an old commit that another process has just cleaned up
        return True


def has_checkpoint(table: Path) -> bool:
    """Whether the log was summed up, so that commits before may be gone."""
    return any((table / LOG).glob("*.checkpoint*"))


def is_whole(table: Path) -> bool:
    """Whether a small table has every commit since its first, and every file that these name.

    A table whose log was summed up is taken for whole.
    """
    found = commits(table)
    if has_checkpoint(table):
        return True
    if not found or sorted(found) != list(range(len(found))):
        return False
    live: set[str] = set()
    try:
        for version in sorted(found):
            lines = found[version].read_text(encoding="utf-8").splitlines()
            if not lines:
                return False
            for action in map(json.loads, lines):
                if "add" in action:
                    live.add(action["add"]["path"])
                elif "remove" in action:
                    live.discard(action["remove"]["path"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return all((table / urllib.parse.unquote(path)).exists() for path in live)
