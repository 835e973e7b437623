"""A copy of a store of November 2026, with models of all kinds and staged chunks of killed runs.

``resources/store_of_2026_11_28/make.py`` describes how it was made, and with which commit. It consists of tables,
models, an MLflow model, the music, and ``expected.json`` with the predictions of its models at that time.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable

from genreatlas.config import Config, load_config

RESOURCE = Path(__file__).parent / "resources" / "store_of_2026_11_28"
#: Folder in which the store was made, the prefix of paths in its tables.
MADE_AT = "/srv/atlas"
EXPECTED = json.loads((RESOURCE / "expected.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Frozen:
    """A copy of the store below ``home``."""

    home: Path

    @classmethod
    def copy(cls, home: Path) -> "Frozen":
        """Copy everything that tests change."""
        for name in ("tables", "models", "music", "new_music"):
            shutil.copytree(RESOURCE / name, home / name)
        # A checkout sets the modification time of files to now; restored, because files are identified by it.
        scored = DeltaTable(home / "tables" / "_staging" / "score").to_pyarrow_table(columns=["item_id", "modified_ns"])
        for one in scored.to_pylist():
            file = home / one["item_id"].removeprefix(f"file://{MADE_AT}/")
            os.utime(file, ns=(one["modified_ns"], one["modified_ns"]))
        return cls(home)

    def config(self, *overrides: str) -> Config:
        """Configuration of the store, with paths of the copy."""
        paths = {"store.path": "tables", "models.path": "models", "report.path": "report", "folder.path": "music"}
        places = [f'{key}="{self.home / name}"' for key, name in paths.items()]
        manifest = f'folder.manifest="{self.home / "music" / "manifest.csv"}"'
        return load_config([RESOURCE / "atlas.toml"], [*places, manifest, *overrides])

    def relocate(self, store) -> None:
        """Replace paths in the tables by those of the copied music."""
        for table in ("clips", "_staging/import_folder", "_staging/extract_features", "_staging/score"):
            name = store.location.sql(table)
            columns = [field.name for field in store.read(table).schema if field.name in ("uri", "item_id")]
            for column in columns:
                store.spark.sql(f"UPDATE {name} SET {column} = replace({column}, '{MADE_AT}/', '{self.home}/')")
