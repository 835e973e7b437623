"""How a worker survives what a decoder does: calls in a process beside it, which may die or never answer."""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from genreatlas.audio.isolation import run_isolated, stop_helper, time_for
from genreatlas.config import LimitsSection
from genreatlas.errors import ClipError, Reason


def abort() -> None:
    ctypes.PyDLL(None).abort()


def never_return() -> None:
    ctypes.PyDLL(None).pause()  # with the interpreter's lock held: no Python code can run, not even a signal's


def abort_at_first(marker: Path) -> str:
    if not marker.exists():
        marker.touch()
        abort()
    return "done"


def refuse(detail: str) -> None:
    raise ClipError(Reason.SILENT, detail)


def fail_with_what_cannot_travel() -> None:
    raise ValueError(lambda: None)


def take(megabytes: int) -> int:
    return int(np.ones(megabytes * 2**20, dtype=np.uint8)[-1])


def open_files() -> list[str]:
    return sorted({os.path.realpath(f"/dev/fd/{name}") for name in range(3, 64) if Path(f"/dev/fd/{name}").exists()})


def test_results_and_errors_come_back():
    assert run_isolated(divmod, 7, 2) == (3, 1)
    with pytest.raises(ClipError) as caught:
        run_isolated(refuse, "no sound")
    assert (caught.value.reason, caught.value.detail) == (Reason.SILENT, "no sound")
    with pytest.raises(ZeroDivisionError):
        run_isolated(divmod, 7, 0)
    with pytest.raises(RuntimeError, match="lambda"):
        run_isolated(fail_with_what_cannot_travel)


def test_large_arguments_and_results_come_back_whole():
    data = os.urandom(5_000_000)
    assert run_isolated(bytes, data) == data


def test_one_process_takes_all_calls_and_it_is_not_this_one():
    first = run_isolated(os.getpid)
    assert run_isolated(os.getpid) == first != os.getpid()


def test_a_crash_is_a_reason_and_the_next_call_is_answered():
    with pytest.raises(ClipError, match=r"crashed \(SIGABRT\)") as caught:
        run_isolated(abort)
    assert caught.value.reason == Reason.CRASHED
    with pytest.raises(ClipError, match=r"crashed \(code 3\)"):
        run_isolated(os._exit, 3)
    assert run_isolated(divmod, 7, 2) == (3, 1)


def test_a_crash_leaves_no_copy_of_the_memory():
    assert run_isolated(resource.getrlimit, resource.RLIMIT_CORE) == (0, 0)


def test_what_kills_its_process_only_once_is_tried_again(tmp_path):
    assert run_isolated(abort_at_first, tmp_path / "tried") == "done"


def test_a_call_that_never_returns_from_c_is_ended_and_the_next_is_answered():
    with pytest.raises(ClipError, match=r"busy after 0\.2 s") as caught:
        run_isolated(never_return, seconds=0.2)
    assert caught.value.reason == Reason.TOO_SLOW
    assert run_isolated(divmod, 7, 2, seconds=60.0) == (3, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its memory")
def test_a_call_that_wants_more_memory_than_it_may_have_is_refused_and_the_next_is_answered():
    assert run_isolated(take, 100) == 1
    with pytest.raises(MemoryError):
        run_isolated(take, 300, memory_mb=64)  # more than a process keeps of what it freed
    assert run_isolated(take, 32, memory_mb=64) == 1
    assert run_isolated(take, 100) == 1


def test_what_decoders_print_is_dropped(capfd):
    run_isolated(os.write, 2, b"libmpg123: warning\n")
    assert capfd.readouterr().err == ""


def test_files_and_connections_of_a_worker_are_not_kept_open_by_its_helper(tmp_path):
    with (tmp_path / "connection").open("w") as kept:
        assert os.path.realpath(f"/dev/fd/{kept.fileno()}") == str(tmp_path / "connection")
        assert not any("connection" in name for name in run_isolated(open_files))


def test_a_helper_ends_with_its_worker(tmp_path):
    code = (
        "import os, signal\n"
        "from genreatlas.audio.isolation import run_isolated\n"
        "print(run_isolated(os.getpid), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while _is_running(int(done.stdout)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")  # a dead one that nobody has waited for yet still takes signals
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def test_a_forked_process_has_a_helper_of_its_own():
    mine = run_isolated(os.getpid)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, str(run_isolated(os.getpid)).encode())
            stop_helper()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    with os.fdopen(reading) as answer:
        os.close(writing)
        assert int(answer.read()) != mine
    assert run_isolated(os.getpid) == mine


def test_a_large_file_may_take_longer_by_what_a_slow_network_needs():
    limits = LimitsSection(clip_seconds=10.0)
    assert [time_for(size, limits) for size in (None, 0, 20_000_000)] == [10.0, 10.0, 20.0]
