"""Fixtures: one Spark session for the whole run, started only by tests that ask for it."""

import os
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from genreatlas.config import Config, load_config

# Spark's workers use all cores; threads of numba and BLAS in addition would slow them down.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# In a JVM as short-lived as the tests', full JIT compilation takes longer than it saves: see the Makefile.
os.environ.setdefault(
    "SPARK_SUBMIT_OPTS",
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m -Xms1g -Xmn384m",
)


#: Folder for a Hive metastore, set by tests/end_to_end/test_catalog.py. Stores are then schemas of its catalog.
METASTORE = os.environ.get("GENREATLAS_TEST_METASTORE", "")


@pytest.fixture(scope="session")
def spark() -> Iterator["SparkSession"]:  # noqa: F821
    from genreatlas.config import SparkSection
    from genreatlas.session import get_spark

    # For tables this small, code generation takes longer than it saves.
    settings = {
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.ui.explainMode": "simple",
    }
    if METASTORE:
        settings |= {
            "spark.sql.catalogImplementation": "hive",
            "spark.sql.warehouse.dir": f"{METASTORE}/warehouse",
            "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={METASTORE}/db;create=true",
        }
    session = get_spark(
        SparkSection(master="local[2,4]", driver_memory="1g", settings=settings), app_name="genreatlas-tests"
    )
    yield session
    session.stop()


@pytest.fixture(autouse=True)
def no_helper_outlives_a_test() -> Iterator[None]:
    """Stop the helper after every test: a helper forked earlier does not see what the next test patches."""
    yield
    if isolation := sys.modules.get("genreatlas.audio.isolation"):
        isolation.stop_helper()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return make_config(tmp_path)


@pytest.fixture
def store(spark, config) -> Iterator["Store"]:  # noqa: F821
    from genreatlas.store import Store

    if METASTORE:
        schema = f"store_{uuid.uuid4().hex[:8]}"
        spark.sql(f"CREATE SCHEMA {schema}")
        config = load_config([], ["store.catalog=spark_catalog", f"store.schema={schema}"])
    yield Store(spark, config.store, run_id="test-run")
    if METASTORE:
        spark.sql(f"DROP SCHEMA {schema} CASCADE")


def make_config(folder: Path, *overrides: str) -> Config:
    """Return a configuration with all paths below ``folder``."""
    paths = {
        "store.path": "tables",
        "sandbox.path": "sandbox",
        "folder.path": "music",
        "models.path": "models",
        "report.path": "report",
        "web.path": "site",
    }
    defaults = [f'{key}="{folder / name}"' for key, name in paths.items()]
    return load_config([], [*defaults, *overrides])


@dataclass(frozen=True)
class Run:
    """A finished run of the pipeline: its folder, its library, and its output."""

    home: Path
    music: Path
    output: str


@pytest.fixture(scope="session")
def music(tmp_path_factory) -> Path:
    """A composed library: three genres, four artists each, two short songs per artist, and the broken files."""
    return composed(tmp_path_factory, seconds=6)


def composed(tmp_path_factory, seconds: int) -> Path:
    """Compose such a library with songs of that length."""
    from genreatlas.steps import compose_library

    path = tmp_path_factory.mktemp("library") / "music"
    genres = 'sandbox.genres=["' + '", "'.join(compose_library.GENRE_NAMES[:3]) + '"]'
    settings = [f'sandbox.path="{path}"', "sandbox.artists_per_genre=4", "sandbox.songs_per_artist=2"]
    compose_library.run(None, load_config([], [*settings, f"sandbox.seconds={seconds}", genres]))
    return path


@pytest.fixture(scope="session")
def undisturbed(music, tmp_path_factory) -> Run:
    """One undisturbed run of the pipeline on that library."""
    from whole_jobs import command, run

    home = tmp_path_factory.mktemp("undisturbed")
    done = run(command("pipeline", home, music))
    assert done.returncode == 0, done.stdout
    return Run(home, music, done.stdout)
