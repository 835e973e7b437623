"""The tables of a store as they were at fixed versions."""

from collections.abc import Mapping

from pyspark.sql import DataFrame

from genreatlas.errors import StoreError
from genreatlas.store.store import Store
from genreatlas.tables import Table


class Snapshot(Store):
    """Reads every table at one version, whatever is written meanwhile.

    A table's version is fixed when it is first asked for. With ``only`` there are no other tables than those given:
    what did not exist at that time reads as no rows.

    Parameters
    ----------
    store : the store, or another snapshot, whose versions then hold here too.
    versions : Delta version per table.

    Attributes
    ----------
    versions : Delta version of every table that was asked for; None where it did not exist.
    """

    def __init__(self, store: Store, versions: Mapping[str, int] | None = None, only: bool = False) -> None:
        super().__init__(store.spark, store.settings, store.run_id)
        inherited = store.versions if isinstance(store, Snapshot) else {}
        self.only: bool = only or (isinstance(store, Snapshot) and store.only)
        self.versions: dict[str, int | None] = {**inherited, **(versions or {})}

    @property
    def read_versions(self) -> dict[str, int]:
        """Version of every table that exists and was asked for, by name."""
        return {name: version for name, version in sorted(self.versions.items()) if version is not None}

    def exists(self, table: Table | str) -> bool:
        """Whether the table existed then."""
        return self.version(table) is not None

    def version(self, table: Table | str) -> int | None:
        """The version that is read here."""
        name = table.name if isinstance(table, Table) else table
        if name not in self.versions:
            self.versions[name] = None if self.only else _newest(self, name)
        return self.versions[name]

    def read(self, table: Table | str, version: int | None = None) -> DataFrame:
        """Rows of a table at its version here; see :meth:`Store.read`."""
        return super().read(table, self.version(table) if version is None else version)

    def sql(self, statement: str) -> DataFrame:
        """Refuse: a snapshot is only read."""
        raise StoreError(f"A snapshot of the store cannot be written: {statement.split(maxsplit=1)[0]}")


def _newest(snapshot: Snapshot, name: str) -> int | None:
    return Store(snapshot.spark, snapshot.settings, snapshot.run_id).version(name)
