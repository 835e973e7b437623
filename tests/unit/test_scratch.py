"""Temporary folders: gone with their process, and where it was killed, at the next start."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genreatlas import scratch

MAKE = """
import sys, time
from genreatlas.scratch import scratch_folder
folder = scratch_folder("matrix")
(folder / "X.npy").write_bytes(b"0" * 1000)
print(folder, flush=True)
if sys.argv[1] == "stay":
    time.sleep(60)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def start(temporary, how):
    return subprocess.Popen(
        [sys.executable, "-c", MAKE, how], env={**os.environ, "TMPDIR": str(temporary)}, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def test_a_process_that_ends_takes_its_folder_along(temporary):
    process = start(temporary, "end")
    folder = Path(process.communicate()[0].strip())
    assert folder.name.startswith("genreatlas-matrix-") and not folder.exists()


def test_what_a_killed_process_left_is_removed_by_the_next_and_what_a_live_one_has_stays(temporary):
    live, killed = start(temporary, "stay"), start(temporary, "stay")
    try:
        folders = [Path(process.stdout.readline().strip()) for process in (live, killed)]
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert scratch.sweep() == [folders[1]]
        assert folders[0].exists() and not folders[1].exists()
    finally:
        for process in (live, killed):
            process.kill()
            process.wait()
            process.stdout.close()


def test_folders_of_older_releases_go_when_nothing_touched_them_for_days(temporary):
    for name, age_days in (("genreatlas-matrix-old", 3), ("genreatlas-sent-new", 0), ("somebody-matrix-old", 3)):
        folder = temporary / name
        folder.mkdir()
        (folder / "X.npy").write_bytes(b"0")
        long_ago = time.time() - age_days * 24 * 3600
        for path in (folder / "X.npy", folder):
            os.utime(path, (long_ago, long_ago))
    (temporary / "genreatlas-matrix-link").symlink_to(temporary / "somebody-matrix-old")
    assert [folder.name for folder in scratch.sweep()] == ["genreatlas-matrix-old"]
    assert (temporary / "somebody-matrix-old" / "X.npy").exists()


def test_a_folder_whose_lock_was_not_taken_yet_stays(temporary):
    folder = temporary / "genreatlas-matrix-new"
    folder.mkdir()
    (folder / ".owner").touch()
    assert scratch.sweep() == []
    assert folder.exists()
