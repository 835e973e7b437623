"""Run calls in a separate process, so that crashes and endless loops do not affect the caller.

A decoder is C code: one file can abort the process or loop endlessly, and Spark would retry the whole task until the
job fails. Each worker therefore keeps one helper, a forked process that executes calls one after another and is
replaced when a call kills it or exceeds its time. A call takes 0.2 ms of overhead; a fork per call would take 5 to
10 ms (measured with 100 MB resident).
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
#: Seconds after its deadline at which the helper terminates itself, in case its owner no longer exists.
_GRACE_S = 5.0
_LONGEST_DETAIL = 500
_T = TypeVar("_T")

#: Throughput of a slow network share, for the additional time allowed for reading a file.
_SLOWEST_BYTES_PER_S = 2e6


def time_for(size: int | None, limits: LimitsSection) -> float:
    """Time limit in seconds for a file of ``size`` bytes."""
    return limits.clip_seconds + (size or 0) / _SLOWEST_BYTES_PER_S


def too_much_memory(limits: LimitsSection) -> str:
    """Error detail for a clip that exceeded the memory limit."""
    return f"Needs more memory than limits.clip_memory_mb = {limits.clip_memory_mb}. Take a shorter cut or raise it."


def unknown_fault(error: Exception, reason: Reason) -> dict[str, str]:
    """Columns ``reason`` and ``detail`` for an unexpected exception.

    A fault of the environment has the reason ``environment_fault``: the driver then stops the step and stores no row.
    """
    if (detail := environment_fault(error)) is not None:
        return {"reason": Reason.ENVIRONMENT_FAULT.value, "detail": detail}
    return {"reason": reason.value, "detail": f"{type(error).__name__}: {error}"[:_LONGEST_DETAIL]}


def run_isolated(function: Callable[..., _T], *arguments: object, seconds: float = 120.0, memory_mb: int = 0) -> _T:
    """Call ``function`` in this process's helper and return its result, or raise its exception.

    The first call forks the helper, which has the modules imported until then: import dependencies of the calls before.
    Output of the helper is discarded. A call that kills the helper or takes longer than ``seconds`` is retried once in
    a new helper.

    Parameters
    ----------
    function : a module-level function, or a ``partial`` of one, pickled by name.
    arguments : picklable arguments.
    seconds : time limit of one try.
    memory_mb : memory that a call may allocate, in 2**20 bytes, in addition to the helper's own; 0: no limit. Enforced
        on Linux only: Python raises MemoryError, C code fails in its own way.

    Raises
    ------
    ClipError : the helper crashed (``crashed``) or exceeded its time (``too_slow``) in both tries.
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
        except BaseException:  # an interrupt: the pending answer must not be read by the next call
            stop_helper()
            raise
        else:
            if succeeded:
                return value
            raise value
    raise fault


def stop_helper() -> None:
    """Terminate this process's helper. The next call forks a new one from the current state of the process."""
    global _helper
    if _helper is not None and _helper.owner == os.getpid():
        _helper.end()
    _helper = None


class Helper:
    """A forked process that executes one call at a time, until it is terminated or its owner exits."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._code = 0
        self._here, there = Pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _serve(there)
        there.close()

    def call(self, request: tuple[object, ...], seconds: float) -> tuple[bool, Any]:
        """Send one request and wait for the answer: whether it succeeded, and the result or exception.

        Raises
        ------
        ClipError : the process died or did not answer in time. It accepts no further calls.
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
        """Kill the process. Returns its exit code, or the negative number of the signal that ended it."""
        self._here.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            self._code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._code


_helper: Helper | None = None


def _serve(calls: Connection) -> NoReturn:
    """Main loop of the helper: execute calls until the owner exits."""
    try:
        faulthandler.disable()  # the owner reports crashes
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no core dumps, which could contain secrets
        gc.freeze()  # keeps memory from before the fork shared with the owner
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the owner handles interrupts and terminates the helper
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # terminates the process, even within C code
        _let_go_of_files(calls.fileno())
        while True:
            function, arguments, seconds, memory_mb = calls.recv()
            signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_S)
            with _memory_bound(memory_mb):
                result = _result(function, arguments)
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            calls.send_bytes(result)
    except (EOFError, OSError):
        pass  # the owner exited
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
    except Exception:  # an exception that cannot be pickled
        return pickle.dumps((False, RuntimeError(str(result[1]))))


def _let_go_of_files(kept: int) -> None:
    """Redirect every file descriptor except one to the null device.

    Otherwise a Spark worker's connection would stay open while its helper runs, and Spark would not notice that the
    worker exited. Descriptors are not closed, because Python objects that own them close them again later.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in {0, 1, 2, *(int(entry.name) for entry in Path("/dev/fd").iterdir())} - {kept, nowhere}:
        with contextlib.suppress(OSError):  # the descriptor of the listing itself
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
