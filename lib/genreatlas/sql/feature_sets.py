"""Feature sets of a store as views use them, read from the table ``feature_sets``."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from genreatlas.audio.feature_sets import current_version
from genreatlas.audio.layouts import LAYOUTS, SUMMARY, Layout
from genreatlas.config.joined import PLUS, column_of, members_of
from genreatlas.values import RowView


@dataclass(frozen=True)
class StoredSet:
    """A feature set at its current version.

    ``table`` is the SQL name of its table, ``wide`` the name of its view with songs and genres (summary sets only). A
    joined set, which models use like a single set, has ``members`` and no table.
    """

    name: str
    version: str
    layout: Layout
    names: tuple[str, ...]
    numeric: tuple[str, ...]
    table: str = ""
    wide: str = ""
    members: tuple["StoredSet", ...] = ()

    @property
    def table_name(self) -> str:
        """Name of the table in the store."""
        return self.layout.table_name(self.name)

    @property
    def table_names(self) -> tuple[str, ...]:
        """Names of the tables of the set, or of its members, in the store."""
        return tuple(one.table_name for one in self.members or (self,))

    @property
    def part_of_view(self) -> str:
        """Text that replaces SET in the names of its views."""
        return self.name.replace(PLUS, "_")

    @property
    def joined_columns(self) -> list[tuple["StoredSet", int, str, str]]:
        """Member, index and name of each feature in the member, and its column name in the joined view."""
        return [
            (one, place, feature, column_of(one.name, feature))
            for one in self.members
            for place, feature in enumerate(one.names)
        ]


def stored_sets(rows: Iterable[RowView], tables: Collection[str], learnt_from: Iterable[str] = ()) -> list[StoredSet]:
    """Current version of every set whose table exists, sorted by name, followed by joined sets.

    Parameters
    ----------
    rows : rows of ``feature_sets``.
    tables : names of the store's tables.
    learnt_from : feature sets that models were trained on, single and joined.
    """
    by_set: dict[str, list[RowView]] = {}
    for row in rows:
        by_set.setdefault(row["feature_set"], []).append(row)
    found = []
    for name, mine in sorted(by_set.items()):
        version = current_version(name, {str(row["set_version"]) for row in mine}, {row["source"] for row in mine})
        current = sorted((r for r in mine if r["set_version"] == version), key=lambda row: row["position"])
        if not current:  # the current version was not extracted yet
            continue
        if current[0]["axis"] not in LAYOUTS:  # written by a newer release
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
    joining = {one.name: one for one in found if one.layout.joins}
    for name in sorted(set(learnt_from)):
        names = members_of(name)
        if len(names) > 1 and joining.keys() >= set(names):
            members = tuple(joining[member] for member in names)
            version = PLUS.join(one.version for one in members)
            found.append(StoredSet(name, version, SUMMARY, (), (), members=members))
    return found
