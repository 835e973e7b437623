"""A Python worker is killed in the middle of extraction, another in the middle of the grid: the job goes on."""

import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from test_killed import commits
from whole_jobs import ROOT, assert_equal_stores, command, environment


def processes(session):
    """Parent, state and command of every process of a session, by id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, _, belongs = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(belongs) == session:
                found[int(folder.name)] = (int(parent), state, (folder / "cmdline").read_bytes())
        except (OSError, ValueError):  # ended meanwhile
            continue
    return found


def workers(session):
    """Python workers, children of Spark's daemon: whether each runs now, and whether its helper does."""
    there = processes(session)
    spark = {pid for pid, (_, _, line) in there.items() if b"pyspark.daemon" in line}
    daemons = {pid for pid in spark if there[pid][0] not in spark}
    found = {}
    for pid in (pid for pid in spark if there[pid][0] in daemons):
        helpers = [state for parent, state, _ in there.values() if parent == pid]
        found[pid] = (there[pid][1] == "R", "R" in helpers)
    return found


def kill_one(job, wanted, looks=1):
    """Kill the first worker that is ``wanted`` so often in a row, by what it does and by the tables that are there."""
    deadline = time.monotonic() + 600
    seen = Counter()
    while time.monotonic() < deadline:
        assert job.poll() is None, "the job ended before a worker could be killed"
        for pid, state in workers(job.pid).items():
            seen[pid] = seen[pid] + 1 if wanted(*state) else 0
            if seen[pid] == looks:
                os.kill(pid, signal.SIGKILL)
                return
        time.sleep(0.01)
    raise TimeoutError("no such worker came up")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_worker_killed_in_extraction_and_one_killed_in_the_grid_cost_nothing_but_time(undisturbed, tmp_path):
    arguments = [*command("pipeline", tmp_path, undisturbed.music), "--verbose"]
    with (tmp_path / "output").open("w") as output:
        job = subprocess.Popen(
            arguments, cwd=ROOT, env=environment(), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        # After its creation `runs` has a commit for each step that is done: import, extraction, assignment. A helper
        # computes features of clips for its worker.
        kill_one(job, lambda runs, helper_runs: helper_runs and commits(tmp_path, "runs") == 2)
        assert commits(tmp_path, "splits") == 0
        # Of training only the grid runs Python; a worker that runs for a moment may have begun or ended its task.
        kill_one(job, lambda runs, helper_runs: runs and commits(tmp_path, "runs") == 4, looks=6)
        assert commits(tmp_path, "models") == 0
        job.wait(900)
    said = (tmp_path / "output").read_text()
    assert job.returncode == 0, said
    assert said.count("Python worker exited unexpectedly") >= 2, said
    assert_equal_stores(undisturbed.home, tmp_path)
