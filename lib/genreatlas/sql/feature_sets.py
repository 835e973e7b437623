"""What the views know of the store's feature sets, read from the table ``feature_sets``."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from genreatlas.audio.feature_sets import current_version
from genreatlas.audio.layouts import LAYOUTS, Layout


@dataclass(frozen=True)
class StoredSet:
    """A feature set at its current version.

    ``table`` is how SQL names its table, ``wide`` the view of a summary set with songs and genres.
    """

    name: str
    version: str
    layout: Layout
    names: tuple[str, ...]
    numeric: tuple[str, ...]
    table: str = ""
    wide: str = ""

    @property
    def table_name(self) -> str:
        """Name of the table in the store."""
        return self.layout.table_name(self.name)


def stored_sets(rows: Iterable[Mapping[str, Any]], tables: Collection[str]) -> list[StoredSet]:
    """Current version of every set whose table is there, by name.

    Parameters
    ----------
    rows : rows of ``feature_sets``.
    tables : names of the store's tables.
    """
    by_set: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_set.setdefault(row["feature_set"], []).append(row)
    found = []
    for name, mine in sorted(by_set.items()):
        version = current_version(name, {str(row["set_version"]) for row in mine}, {row["source"] for row in mine})
        current = sorted((r for r in mine if r["set_version"] == version), key=lambda row: row["position"])
        if not current:  # the code's version was not extracted yet
            continue
        if current[0]["axis"] not in LAYOUTS:  # a newer release's
            continue
        stored = StoredSet(
            name=name,
            version=version,
            layout=LAYOUTS[current[0]["axis"]],
            names=tuple(row["feature"] for row in current),
            numeric=tuple(row["feature"] for row in current if row["kind"] == "numeric"),
        )
        if stored.table_name in tables:
            found.append(stored)
    return found
