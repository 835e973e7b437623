"""Run complete jobs as a user does, and compare the resulting stores."""

import os
import subprocess
from pathlib import Path

import pandas as pd
from deltalake import DeltaTable

from genreatlas.audio.feature_sets import FEATURE_SETS, table_of
from genreatlas.tables import FETCH_ATTEMPTS, TABLES, Table

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "resources" / "tiny.toml"


def command(job: str, home: Path, music: Path, *spark_options: str, settings: tuple[str, ...] = ()) -> list[str]:
    """Command line of a job with all outputs below ``home``."""
    places = [
        f'store.path="{home / "tables"}"',
        f'models.path="{home / "models"}"',
        f'report.path="{home / "report"}"',
        f'folder.path="{music}"',
        f'folder.manifest="{music / "manifest.csv"}"',
        *settings,
    ]
    return [
        str(ROOT / "spark-submit.sh"),
        "--driver-memory",
        "1g",
        *spark_options,
        job,
        "--conf",
        str(TINY),
        *(part for place in places for part in ("--set", place)),
    ]


def environment(**more: str) -> dict[str, str]:
    """The test's environment without variables set by pytest's own Spark."""
    dropped = ("PYSPARK", "SPARK", "_PYSPARK")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
    return kept | {"SPARK_SUBMIT_OPTS": os.environ["SPARK_SUBMIT_OPTS"]} | more


def run(arguments: list[str], **more: str) -> subprocess.CompletedProcess[str]:
    """Run a job and wait for it. stdout and stderr are combined."""
    return subprocess.run(
        arguments,
        cwd=ROOT,
        env=environment(**more),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=1800,
        check=False,
    )


def described_tables(home: Path) -> list[Table]:
    """All tables below ``home`` whose rows should be equal in equal runs."""
    known = [*TABLES, *(table_of(feature_set) for feature_set in FEATURE_SETS.values())]
    return [table for table in known if table.name != "runs" and (home / "tables" / table.name).exists()]


def rows(home: Path, table: Table) -> pd.DataFrame:
    """Rows of a table without its volatile columns, sorted by key; read without Spark.

    The number of attempts depends on random faults; only the result of the last attempt is compared.
    """
    frame = DeltaTable(str(home / "tables" / table.name)).to_pandas()
    if table is FETCH_ATTEMPTS:
        last = frame[frame.attempt > 0].sort_values("attempt").drop_duplicates(["task", "key", "provider"], keep="last")
        frame = last[["task", "key", "provider", "status", "http_status", "reason"]]
    lasting = [name for name in frame.columns if name not in table.volatile]
    return frame[lasting].sort_values([name for name in table.key if name in lasting]).reset_index(drop=True)


def assert_equal_stores(one: Path, other: Path) -> None:
    """Assert equal tables and keys, and bit-identical values in all columns that are not volatile."""
    names = [table.name for table in described_tables(one)]
    assert names == [table.name for table in described_tables(other)]
    for table in described_tables(one):
        left, right = rows(one, table), rows(other, table)
        pd.testing.assert_frame_equal(left, right, check_exact=True, obj=table.name)
