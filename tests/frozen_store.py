"""A store of November 2026 with models of every kind and the leftovers of killed runs, in a copy that tests may change.

``resources/store_of_2026_11_28/make.py`` says how it was made, and of which commit. Beside its tables lie its models,
an MLflow model, the music that it was made from, and ``expected.json``: what its models said of its clips then.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable

from genreatlas.config import Config, load_config

RESOURCE = Path(__file__).parent / "resources" / "store_of_2026_11_28"
#: Where it was made: paths in its tables begin so.
MADE_AT = "/srv/atlas"
EXPECTED = json.loads((RESOURCE / "expected.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Frozen:
    """A copy of the store below ``home``."""

    home: Path

    @classmethod
    def copy(cls, home: Path) -> "Frozen":
        """Copy everything that a test may change."""
        for name in ("tables", "models", "music", "new_music"):
            shutil.copytree(RESOURCE / name, home / name)
        # A checkout gives files the time of now, by which they would be other files than those that were scored.
        scored = DeltaTable(home / "tables" / "_staging" / "score").to_pyarrow_table(columns=["item_id", "modified_ns"])
        for one in scored.to_pylist():
            file = home / one["item_id"].removeprefix(f"file://{MADE_AT}/")
            os.utime(file, ns=(one["modified_ns"], one["modified_ns"]))
        return cls(home)

    def config(self, *overrides: str) -> Config:
        """The configuration that it was made with, on the copy."""
        paths = {"store.path": "tables", "models.path": "models", "report.path": "report", "folder.path": "music"}
        places = [f'{key}="{self.home / name}"' for key, name in paths.items()]
        manifest = f'folder.manifest="{self.home / "music" / "manifest.csv"}"'
        return load_config([RESOURCE / "atlas.toml"], [*places, manifest, *overrides])

    def relocate(self, store) -> None:
        """Let the paths in the tables lead to the copy of the music."""
        for table in ("clips", "_staging/import_folder", "_staging/extract_features", "_staging/score"):
            name = store.location.sql(table)
            columns = [field.name for field in store.read(table).schema if field.name in ("uri", "item_id")]
            for column in columns:
                store.spark.sql(f"UPDATE {name} SET {column} = replace({column}, '{MADE_AT}/', '{self.home}/')")
