"""The same pipeline on a standalone cluster of two workers on loopback."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import tomllib
import venv
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as parquet
import pyspark
import pytest
import venv_pack
from deltalake import DeltaTable
from whole_jobs import ROOT, assert_equal_stores, command, environment, run

SPARK_CLASS = str(Path(pyspark.__file__).parent / "bin" / "spark-class")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise TimeoutError(f"nothing listens on port {port}")


@pytest.fixture
def master(tmp_path):
    """A master and two workers with one core and 1 GB each; yields the master's URL."""
    port = free_port()
    url = f"spark://127.0.0.1:{port}"
    settings = environment(
        SPARK_LOCAL_IP="127.0.0.1", SPARK_WORKER_DIR=str(tmp_path / "work"), SPARK_DAEMON_MEMORY="256m"
    )
    place = ["--host", "127.0.0.1"]
    daemons = [("master.Master", [*place, "--port", str(port), "--webui-port", str(free_port())])]
    worker = ["--webui-port", "0", "-c", "1", "-m", "1g", url]
    daemons += [("worker.Worker", [*place, *worker])] * 2
    started = []
    with (tmp_path / "cluster.log").open("w") as log:
        for name, arguments in daemons:
            started.append(
                subprocess.Popen(
                    [SPARK_CLASS, f"org.apache.spark.deploy.{name}", *arguments],
                    env=settings,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )
            wait_for(port)
        yield url
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


#: What workers do without: Spark is there, the package is sent along, the rest belongs to development.
LEFT_OUT = (
    "pyspark",
    "delta",
    "duckdb*",
    "deltalake",
    "mlflow",
    "databricks",
    "mypy*",
    "uv*",
    "*genreatlas*",
    "__pycache__",
)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """An environment for the workers, packed as `make cluster-env` does, of the packages that are installed here."""
    folder = tmp_path_factory.mktemp("packed")
    venv.create(folder / "env", symlinks=True)
    here, there = (Path(sysconfig.get_path("purelib", vars={"base": base})) for base in (sys.prefix, folder / "env"))
    shutil.copytree(here, there, ignore=shutil.ignore_patterns(*LEFT_OUT), dirs_exist_ok=True)
    # Spark unpacks a plain tar by itself, and stumbles over links; others it leaves to the program.
    venv_pack.pack(str(folder / "env"), output=str(folder / "cluster-env.tar.gz"), compress_level=1)
    return folder / "cluster-env.tar.gz"


CLUSTER_CONF = ("--conf", str(ROOT / "conf" / "cluster.toml"))
WORKERS_PYTHON = "./environment/bin/python"


def on_cluster(master, packed):
    """Options of spark-submit for that cluster, whose workers run the packed environment."""
    options = ["--master", master, "--executor-memory", "1g", "--conf", "spark.driver.host=127.0.0.1"]
    options += ["--conf", "spark.executor.extraJavaOptions=-XX:TieredStopAtLevel=1"]
    return [*options, "--archives", f"{packed}#environment"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_two_worker_cluster_with_a_packed_environment_gives_the_same_tables_as_this_machine(
    undisturbed, master, packed, tmp_path
):
    arguments = command("pipeline", tmp_path, undisturbed.music, *on_cluster(master, packed))
    done = run([*arguments, *CLUSTER_CONF], PYSPARK_PYTHON=WORKERS_PYTHON)
    assert done.returncode == 0, done.stdout
    assert len(list((tmp_path / "work").glob("app-*/*/environment/bin/python"))) == 2
    assert_equal_stores(undisturbed.home, tmp_path)


#: Beside those of conf/fanout.toml: Spark's own, whose rows meet in other partitions on a cluster.
SPARK_CANDIDATES = [
    {"engine": "spark", "estimator": "logistic_regression"},
    {"engine": "spark", "estimator": "random_forest"},
]


def write_features(path, songs, columns):
    """Songs of four genres, three by each artist, told apart badly by some columns; one column lacks values."""
    rng = np.random.default_rng(3)
    genre = np.arange(songs) % 4
    values = rng.normal(size=(songs, columns)).astype("f4")
    values[:, :4] += 0.8 * np.eye(4, dtype="f4")[genre]
    values[::7, 5] = np.nan
    frame = pd.DataFrame(values, columns=[f"f{place}" for place in range(columns)])
    names = {"id": [f"s{n}" for n in range(songs)], "genre": [f"genre {n}" for n in genre]}
    frame.assign(**names, artist=[f"artist {n // 12} {n % 4}" for n in range(songs)]).to_parquet(path)


def as_toml(value):
    """A value of a configuration file, as the command line takes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {as_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return json.dumps(value)


def learn(home, features, layout, candidates, max_matrix_mb, options=(), conf=(), **more):
    """Import a table of features, learn from it what conf/fanout.toml learns, and judge the models."""
    settings = {
        "pipeline.steps": ["import_features", "assign_splits", "train_models", "evaluate_models"],
        "import_features.path": str(features),
        "import_features.name": "shop",
        "import_features.id": "id",
        "import_features.labels": ["genre"],
        "import_features.artist": "artist",
        "import_features.layout": layout,
        "train.feature_sets": ["shop"],
        "train.candidates": candidates,
        "train.max_matrix_mb": max_matrix_mb,
    }
    fanout = ("--conf", str(ROOT / "conf" / "fanout.toml"))
    given = tuple(f"{key}={as_toml(value)}" for key, value in settings.items())
    done = run([*command("pipeline", home, home, *options, settings=given), *fanout, *conf], **more)
    assert done.returncode == 0, done.stdout
    return done.stdout


#: What Spark makes up for a stage of a pipeline, and when it wrote it.
MADE_UP = re.compile(r'(?<=_)[0-9a-f]{12}|(?<="timestamp":)\d+')


def stored_models(home):
    """What every file of the models holds, by its place; of Spark's, rows and metadata without what is made up."""
    found = {}
    for path in sorted(path for path in (home / "models").rglob("*") if path.is_file()):
        place = path.relative_to(home / "models")
        if "pipeline" not in place.parts:
            found[str(place)] = path.read_bytes()
        elif not path.name.startswith(("_", ".")):
            is_rows = path.suffix == ".parquet"
            lines = [repr(row) for row in parquet.read_table(path).to_pylist()] if is_rows else [path.read_text()]
            found.setdefault(MADE_UP.sub("", str(place.parent)), []).extend(MADE_UP.sub("", line) for line in lines)
    return {place: sorted(held) if isinstance(held, list) else held for place, held in found.items()}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("songs", "columns", "layout", "max_matrix_mb"),
    [
        pytest.param(480, 12, "summary", 1024, id="a matrix that every worker gets"),
        # 33 MB of training rows: two buckets, so that each worker sums one.
        pytest.param(13_000, 900, "vector", 1, id="a matrix that stays in Spark"),
    ],
)
def test_a_cluster_learns_the_same_models_as_this_machine(
    master, packed, tmp_path, songs, columns, layout, max_matrix_mb
):
    features = tmp_path / "features.parquet"
    write_features(features, songs, columns)
    fanout = tomllib.loads((ROOT / "conf" / "fanout.toml").read_text(encoding="utf-8"))["train"]["candidates"]
    stays = max_matrix_mb == 1
    candidates = [*fanout, *([] if stays else SPARK_CANDIDATES)]
    settings = (features, layout, candidates, max_matrix_mb)
    printed = learn(tmp_path / "local", *settings)
    assert ("its rows stay in Spark" in printed) == stays
    learn(tmp_path / "cluster", *settings, on_cluster(master, packed), CLUSTER_CONF, PYSPARK_PYTHON=WORKERS_PYTHON)

    assert_equal_stores(tmp_path / "local", tmp_path / "cluster")
    experiments = DeltaTable(str(tmp_path / "local" / "tables" / "experiments")).to_pandas()
    trained = experiments[experiments.status == "done"]
    done = set(trained.estimator)
    summed = {"lda", "nearest_profile"}
    assert done >= (summed if stays else {one["estimator"] for one in candidates})
    assert not stays or done.isdisjoint({one["estimator"] for one in candidates} - summed)
    mine, other = (stored_models(tmp_path / name) for name in ("local", "cluster"))
    assert len(mine) > 4 and list(mine) == list(other)
    assert [place for place in mine if mine[place] != other[place]] == []
    assert 0.3 < trained.score_mean.max() < 1 and (trained.n_rows == trained.n_songs).all()
