"""A 500 MB training matrix with a driver heap of 1 GB, on classic Spark and on Connect."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from connect_server import connect_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

JOB = Path(__file__).with_name("large_matrix_job.py")
MEGABYTES = 500


class _MemoryOfWorkers(threading.Thread):
    """Watches the Python workers below some processes: peak private and peak resident memory of one of them."""

    def __init__(self, roots: list[int]) -> None:
        super().__init__(daemon=True)
        self.roots = roots
        self.private_mb = self.resident_mb = 0.0
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.2):
            for pid in _descendants(self.roots):
                try:
                    command = Path(f"/proc/{pid}/cmdline").read_bytes()
                    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                except OSError:
                    continue  # it ended meanwhile
                if b"pyspark.daemon" in command:
                    kb = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB")}
                    self.private_mb = max(self.private_mb, kb.get("RssAnon", 0) / 1024)
                    self.resident_mb = max(self.resident_mb, kb.get("VmRSS", 0) / 1024)

    def stop(self) -> None:
        self._over.set()
        self.join()


def _descendants(roots: list[int]) -> list[int]:
    parent_of = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent_of[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = list(roots)
    for pid in found:
        found.extend(child for child, parent in parent_of.items() if parent == pid)
    return found


def _run(folder: Path, env: dict[str, str], roots: list[int]) -> dict:
    matrix = folder / "matrix"
    matrix.mkdir()
    job = subprocess.Popen(
        [sys.executable, str(JOB), str(matrix), str(MEGABYTES)], cwd=folder, env=env, stdout=subprocess.PIPE, text=True
    )
    memory = _MemoryOfWorkers([job.pid, *roots])
    memory.start()
    try:
        out, _ = job.communicate(timeout=1500)
    finally:
        job.kill()
        memory.stop()
        for file in matrix.iterdir():
            file.unlink()  # pytest keeps the folders of the last three runs
    assert job.returncode == 0
    figures = json.loads(out.splitlines()[-1])
    return figures | {"worker_private_mb": memory.private_mb, "worker_resident_mb": memory.resident_mb}


def _environment(folder: Path) -> dict[str, str]:
    (folder / "tmp").mkdir(parents=True)
    env = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK_", "PYSPARK_GATEWAY"))}
    return env | {
        "PYSPARK_PYTHON": sys.executable,
        "TMPDIR": str(folder / "tmp"),
        "SPARK_LOCAL_DIRS": str(folder / "tmp"),
    }


def test_a_500_mb_matrix_passes_a_heap_of_1_gb_on_classic_spark_and_on_connect(tmp_path, capsys):
    classic = _run(tmp_path / "classic", _environment(tmp_path / "classic"), [])
    env = _environment(tmp_path / "connect")
    with connect_server(tmp_path / "connect", env) as (address, pid):
        connect = _run(tmp_path / "connect", env | {"SPARK_REMOTE": address}, [pid])
    with capsys.disabled():
        for name, figures in (("classic", classic), ("connect", connect)):
            print(f"\n{name}: " + ", ".join(f"{key} {value:.0f}" for key, value in figures.items() if key != "results"))
    for figures in (classic, connect):
        assert figures["matrix_mb"] > MEGABYTES
        assert [result["reason"] for result in figures["results"]] == [None] * 4
        assert all(result["score"] > 0.9 for result in figures["results"])
        # The matrix itself is mapped, not held. A task holds the rows it trains on (half of them here) and what the
        # estimator makes of them: boosting turns float32 into float64.
        assert 0 < figures["worker_private_mb"] < 2.5 * MEGABYTES
    keys = ("experiment_id", "fold", "score", "train_score")
    assert [[row[key] for key in keys] for row in classic["results"]] == [
        [row[key] for key in keys] for row in connect["results"]
    ]
