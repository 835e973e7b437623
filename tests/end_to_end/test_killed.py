"""kill -9 in the middle of extraction and of training, then a rerun: as if nothing had happened."""

import os
import signal
import subprocess
import time

import pytest
from whole_jobs import ROOT, assert_equal_stores, command, environment, run


def commits(home, table):
    return len(list((home / "tables" / table / "_delta_log").glob("*.json")))


def kill_when(arguments, reached):
    """Start a job and kill all its processes at once as soon as ``reached()`` holds."""
    job = subprocess.Popen(
        arguments,
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    while not reached():
        assert job.poll() is None, "the job ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_killed_in_extraction_and_in_training_ends_as_if_it_had_not_been_killed(undisturbed, tmp_path):
    arguments = command("pipeline", tmp_path, undisturbed.music)
    kill_when(arguments, lambda: commits(tmp_path, "features_summary9") >= 2)
    assert commits(tmp_path, "splits") == 0
    kill_when(arguments, lambda: commits(tmp_path, "fold_scores") >= 2)
    assert commits(tmp_path, "predictions") == 0
    done = run(arguments)
    assert done.returncode == 0, done.stdout
    assert_equal_stores(undisturbed.home, tmp_path)
