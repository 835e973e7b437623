"""The same pipeline on a standalone cluster of two workers on loopback."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pyspark
import pytest
from whole_jobs import assert_equal_stores, command, environment, run

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


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_two_worker_cluster_gives_the_same_tables_as_this_machine(undisturbed, master, tmp_path):
    on_the_cluster(master, tmp_path, undisturbed.music)
    assert_equal_stores(undisturbed.home, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif("GENREATLAS_CLIPS" not in os.environ, reason="GENREATLAS_CLIPS names no folder with a manifest.csv")
def test_they_are_the_same_on_a_library_of_your_own(master, tmp_path):
    music = Path(os.environ["GENREATLAS_CLIPS"]).absolute()
    here, there = tmp_path / "here", tmp_path / "there"
    done = run(command("pipeline", here, music))
    assert done.returncode == 0, done.stdout
    on_the_cluster(master, there, music)
    assert_equal_stores(here, there)
    print(done.stdout)


def on_the_cluster(master, home, music):
    options = ["--master", master, "--executor-memory", "1g", "--conf", "spark.driver.host=127.0.0.1"]
    options += ["--conf", "spark.executor.extraJavaOptions=-XX:TieredStopAtLevel=1"]
    done = run(command("pipeline", home, music, *options), PYSPARK_PYTHON=sys.executable)
    assert done.returncode == 0, done.stdout
