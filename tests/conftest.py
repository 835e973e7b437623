"""Fixtures: one Spark session for the whole run, started only by tests that ask for it."""

import os
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from genreatlas.config import Config, load_config

# Tests on a machine with two cores: numba and BLAS threads inside Spark's workers would only fight.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A JVM as short-lived as the tests' compiles for longer than it runs what it compiled: see the Makefile.
os.environ.setdefault(
    "SPARK_SUBMIT_OPTS",
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m -Xms1g -Xmn384m",
)


#: Set by tests/end_to_end/test_catalog.py: a folder for a Hive metastore, in which stores are then schemas.
METASTORE = os.environ.get("GENREATLAS_TEST_METASTORE", "")


@pytest.fixture(scope="session")
def spark() -> Iterator["SparkSession"]:  # noqa: F821
    from genreatlas.config import SparkSection
    from genreatlas.session import get_spark

    # Tables this small are read before the code to read them would be compiled.
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
    """A helper was forked before the next test changes what it changes, and would not know of it."""
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
    """A configuration with every path below ``folder``."""
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
    """An ended run of the pipeline: its folder, its library, and what it printed."""

    home: Path
    music: Path
    output: str


@pytest.fixture(scope="session")
def music(tmp_path_factory) -> Path:
    """Three genres, four artists each, two short songs by each artist, and the broken files."""
    from genreatlas.steps import compose_library

    path = tmp_path_factory.mktemp("library") / "music"
    genres = 'sandbox.genres=["' + '", "'.join(compose_library.GENRE_NAMES[:3]) + '"]'
    settings = [f'sandbox.path="{path}"', "sandbox.artists_per_genre=4", "sandbox.songs_per_artist=2"]
    compose_library.run(None, load_config([], [*settings, "sandbox.seconds=6", genres]))
    return path


@pytest.fixture(scope="session")
def undisturbed(music, tmp_path_factory) -> Run:
    """One undisturbed run of the pipeline over that library."""
    from whole_jobs import command, run

    home = tmp_path_factory.mktemp("undisturbed")
    done = run(command("pipeline", home, music))
    assert done.returncode == 0, done.stdout
    return Run(home, music, done.stdout)
