"""The same pipeline on a standalone cluster of two workers on loopback."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

import pyspark
import pytest
import venv_pack
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


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_two_worker_cluster_with_a_packed_environment_gives_the_same_tables_as_this_machine(
    undisturbed, master, packed, tmp_path
):
    options = ["--master", master, "--executor-memory", "1g", "--conf", "spark.driver.host=127.0.0.1"]
    options += ["--conf", "spark.executor.extraJavaOptions=-XX:TieredStopAtLevel=1"]
    options += ["--archives", f"{packed}#environment"]
    arguments = [
        *command("pipeline", tmp_path, undisturbed.music, *options),
        *("--conf", str(ROOT / "conf" / "cluster.toml")),
    ]
    done = run(arguments, PYSPARK_PYTHON="./environment/bin/python")
    assert done.returncode == 0, done.stdout
    assert len(list((tmp_path / "work").glob("app-*/*/environment/bin/python"))) == 2
    assert_equal_stores(undisturbed.home, tmp_path)
