"""Where a table is: below a path, or in a catalog's schema."""

import os
from dataclasses import dataclass
from pathlib import Path

from genreatlas.config import StoreSection


@dataclass(frozen=True)
class Location:
    """Names tables for SQL. Exactly one of ``root`` and ``prefix`` is set."""

    root: str = ""
    prefix: str = ""

    @classmethod
    def of(cls, settings: StoreSection) -> "Location":
        """Location that the ``[store]`` section asks for; a relative path is made absolute."""
        if settings.catalog or settings.schema_:
            parts = [part for part in (settings.catalog, settings.schema_) if part]
            return cls(prefix=".".join(f"`{part}`" for part in parts))
        root = settings.path.rstrip("/")
        return cls(root=root if "://" in root else str(Path(root).absolute()))

    def sql(self, table: str) -> str:
        """The table's name in a SQL statement."""
        if self.prefix:
            return f"{self.prefix}.`{table.replace('/', '__')}`"
        return f"delta.`{self.root.replace('`', '``')}/{table}`"

    @property
    def shown(self) -> str:
        """What people call the store: its folder, address or schema."""
        return self.root or self.prefix

    @property
    def folder(self) -> Path | None:
        """Folder on this machine that holds the tables; None for a catalog or remote storage."""
        return Path(self.root) if self.root and "://" not in self.root else None

    def local_path(self, *parts: str) -> Path | None:
        """A path below that folder."""
        return Path(os.path.join(self.folder, *parts)) if self.folder else None  # noqa: PTH118
