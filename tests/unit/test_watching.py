"""A task whose worker was killed twice is not tried again, and says how far its memory had grown."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genreatlas import watching
from genreatlas.errors import WorkerKilledError
from genreatlas.watching import MOST_DEATHS, Before

TRY = """
import sys
from genreatlas import watching
mark, tries = sys.argv[1], int(sys.argv[2])
watching._task = lambda: ("3-7", tries)
watching._LOOK_S = 0.01
with watching.watching(mark) as before:
    held = bytearray(200 << 20)
    print(before.deaths, before.peak_mb, flush=True)
    sys.stdin.readline()
"""


def killed_try(mark, tries):
    """Deaths and memory that a try was told of, before it was killed."""
    child = subprocess.Popen(
        [sys.executable, "-c", TRY, mark, str(tries)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    deaths, peak = map(int, child.stdout.readline().split())
    deadline = time.monotonic() + 60
    while json.loads(Path(f"{mark}-3-7").read_text())["peak_mb"] < 200 and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    return deaths, peak


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell")
def test_each_try_knows_of_those_that_were_killed_and_the_third_gives_up(tmp_path, monkeypatch):
    mark = str(tmp_path / "work")
    assert killed_try(mark, 0) == (0, 0)
    deaths, peak = killed_try(mark, 1)
    assert deaths == 1 and peak > 200
    for tries in (MOST_DEATHS, MOST_DEATHS + 1):  # Spark tries once more after that, which gives up as well
        monkeypatch.setattr(watching, "_task", lambda tries=tries: ("3-7", tries))
        with pytest.raises(WorkerKilledError, match=r"killed 2 times .* it had grown to \d\d\d MB of the machine's"):
            list(watching._watched(lambda batches: batches, mark, iter([])))
    assert killed_try(mark, 0) == (0, 0)  # another evaluation of the same frame begins anew


def test_a_try_that_ends_by_an_error_of_its_own_was_not_killed(tmp_path, monkeypatch):
    def fail(batches):
        raise ValueError("of its own")
        yield

    for tries in range(4):
        monkeypatch.setattr(watching, "_task", lambda tries=tries: ("3-7", tries))
        with pytest.raises(ValueError, match="of its own"):
            list(watching._watched(fail, str(tmp_path / "work"), iter([])))


def test_outside_a_task_and_where_the_drivers_folder_is_not_there_nothing_is_noted(tmp_path, monkeypatch):
    with watching.watching(str(tmp_path / "work")) as before:
        assert before == Before()
    monkeypatch.setattr(watching, "_task", lambda: ("3-7", 1))
    for mark in ("", str(tmp_path / "elsewhere" / "work")):
        with watching.watching(mark) as before:
            assert before == Before()
    assert list(tmp_path.iterdir()) == []
