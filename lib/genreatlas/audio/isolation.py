"""Run calls where they may crash or never end, and live on.

A decoder is C code: one file can abort the process or keep it in a loop, and Spark would run the task
again until the job fails, with all its neighbours. So each worker keeps one helper, a forked process
that takes call after call and is replaced when a call kills it or is late. A call costs 0.2 ms there
and back; forking for every call would cost 5 to 10 ms (measured with 100 MB resident).
"""

import contextlib
import faulthandler
import gc
import os
import pickle
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from genreatlas.config import LimitsSection
from genreatlas.errors import ClipError, Reason, environment_fault

_TRIES = 2
#: The helper ends itself this long after its deadline, should nobody be left to end it.
_GRACE_S = 5.0
_LONGEST_DETAIL = 500
_T = TypeVar("_T")

#: A file may take as long again as a slow network share needs for its bytes.
_SLOWEST_BYTES_PER_S = 2e6


def time_for(size: int | None, limits: LimitsSection) -> float:
    """How many seconds a file of so many bytes may take."""
    return limits.clip_seconds + (size or 0) / _SLOWEST_BYTES_PER_S


def too_much_memory(limits: LimitsSection) -> str:
    """What to say of a clip that ran into its bound."""
    return f"Needs more memory than limits.clip_memory_mb = {limits.clip_memory_mb}. Take a shorter cut or raise it."


def unknown_fault(error: Exception, reason: Reason) -> dict[str, str]:
    """Columns ``reason`` and ``detail`` for an exception that nobody foresaw; a fault of the environment is named so.

    The driver ends the step at a fault of the environment, and stores none.
    """
    if (detail := environment_fault(error)) is not None:
        return {"reason": Reason.ENVIRONMENT_FAULT.value, "detail": detail}
    return {"reason": reason.value, "detail": f"{type(error).__name__}: {error}"[:_LONGEST_DETAIL]}


def run_isolated(function: Callable[..., _T], *arguments: object, seconds: float = 120.0, memory_mb: int = 0) -> _T:
    """Call ``function`` in this process's helper and return its result, or raise what it raised.

    The helper is forked by the first call and knows what was imported until then; load what calls need
    before. What libraries print there is dropped. A call that kills the helper, or takes longer than
    ``seconds``, is tried once more in a new one.

    Parameters
    ----------
    function : a function of a module, or a ``partial`` of one; it travels by name, arguments by pickle.
    seconds : how long one try may take.
    memory_mb : how many 2**20 bytes a call may take beside what the helper holds already; 0: no bound. Only
        Linux enforces it: Python raises MemoryError, and C code fails in its own way.

    Raises
    ------
    ClipError : the helper died (``crashed``) or was ended (``too_slow``) twice.
    """
    global _helper
    for _ in range(_TRIES):
        if _helper is None or _helper.owner != os.getpid():
            _helper = Helper()
        try:
            succeeded, value = _helper.call((function, arguments, seconds, memory_mb), seconds)
        except ClipError as error:
            fault = error
            stop_helper()
        except BaseException:  # an interrupt: the answer that is still to come must not meet the next call
            stop_helper()
            raise
        else:
            if succeeded:
                return value
            raise value
    raise fault


def stop_helper() -> None:
    """End this process's helper; the next call forks a new one, which knows what was changed since."""
    global _helper
    if _helper is not None and _helper.owner == os.getpid():
        _helper.end()
    _helper = None


class Helper:
    """A forked process that takes one call at a time, until it is ended or its owner is gone."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._code = 0
        self._here, there = Pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _serve(there)
        there.close()

    def call(self, request: tuple[object, ...], seconds: float) -> tuple[bool, Any]:
        """Send one request and wait for its answer: whether it succeeded, and its result or exception.

        Raises
        ------
        ClipError : the process died, or did not answer in time. It can take no other call.
        """
        try:
            self._here.send(request)
            if not self._here.poll(seconds):
                raise ClipError(Reason.TOO_SLOW, f"The decoder was still busy after {seconds:g} s.")
            return self._here.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            code = self.end()
            death = signal.Signals(-code).name if code < 0 else f"code {code}"
            raise ClipError(Reason.CRASHED, f"The decoder crashed ({death}).") from None

    def end(self) -> int:
        """Kill the process, and return how it ended: an exit code, or the signal's number below zero."""
        self._here.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            self._code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._code


_helper: Helper | None = None


def _serve(calls: Connection) -> NoReturn:
    """The helper: takes calls until its owner is gone."""
    try:
        faulthandler.disable()  # it would print the crash that the owner reports
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash leaves no copy of the memory, with its secrets
        gc.freeze()  # what was there before the fork stays shared with the owner
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the owner is interrupted, and ends the helper
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process, even in the middle of C code
        _let_go_of_files(calls.fileno())
        while True:
            function, arguments, seconds, memory_mb = calls.recv()
            signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_S)
            with _memory_bound(memory_mb):
                result = _result(function, arguments)
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            calls.send_bytes(result)
    except (EOFError, OSError):
        pass  # the owner is gone
    finally:
        os._exit(0)


def _result(function: Callable[..., object], arguments: tuple[object, ...]) -> bytes:
    try:
        result = (True, function(*arguments))
    except Exception as error:
        error.__traceback__ = None
        result = (False, error)
    try:
        return pickle.dumps(result)
    except Exception:  # an error that cannot travel
        return pickle.dumps((False, RuntimeError(str(result[1]))))


def _let_go_of_files(kept: int) -> None:
    """Point every descriptor but one at nothing.

    A Spark worker's connection would stay open as long as its helper lives, and Spark would not see
    that the worker is gone. They are not closed, because Python objects close their numbers again later.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in {0, 1, 2, *(int(entry.name) for entry in Path("/dev/fd").iterdir())} - {kept, nowhere}:
        with contextlib.suppress(OSError):  # the listing's own
            os.fstat(descriptor)
            os.dup2(nowhere, descriptor)


@contextmanager
def _memory_bound(megabytes: int) -> Iterator[None]:
    if not megabytes or not (status := Path("/proc/self/status")).exists():
        yield
        return
    held = int(status.read_text().partition("VmData:")[2].split()[0]) * 1024
    before = resource.getrlimit(resource.RLIMIT_DATA)
    bound = held + megabytes * 2**20
    for limit in before:
        bound = bound if limit == resource.RLIM_INFINITY else min(bound, limit)
    resource.setrlimit(resource.RLIMIT_DATA, (bound, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
