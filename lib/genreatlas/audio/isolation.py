"""Run a function where it may crash or never end, and live on.

A decoder is C code: one file can abort the process or keep it in a loop, and Spark would run the task
again until the job fails, with all its neighbours. A forked child costs 5 to 10 ms a call (measured
with 100 MB resident) and takes only itself down.
"""

import contextlib
import faulthandler
import os
import pickle
import select
import signal
import time
from collections.abc import Callable
from typing import Any, TypeVar

from genreatlas.errors import ClipError, Reason

_TRIES = 2
_T = TypeVar("_T")


def run_isolated(function: Callable[..., _T], *arguments: Any, seconds: float = 120.0) -> _T:
    """Call ``function`` in a forked child and return its result, or raise what it raised.

    What the child's libraries print is dropped. A call that kills the child, or takes longer than
    ``seconds``, is tried once more.

    Raises
    ------
    ClipError : the child died or ran out of time twice.
    """
    fault = ""
    for _ in range(_TRIES):
        outcome, fault = _attempt(function, arguments, seconds)
        if not fault:
            succeeded, value = outcome
            if succeeded:
                return value
            raise value
    raise ClipError(Reason.DECODE_FAILED, f"The decoder {fault}.")


def _attempt(function: Callable[..., Any], arguments: tuple[Any, ...], seconds: float) -> tuple[Any, str]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _work(function, arguments, reading, writing)
    os.close(writing)
    deadline = time.monotonic() + seconds
    received = bytearray()
    late = False
    try:
        while True:
            ready, _, _ = select.select([reading], [], [], max(deadline - time.monotonic(), 0.0))
            if not ready:
                late = True
                break
            part = os.read(reading, 1 << 20)
            if not part:
                break
            received += part
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
    if late:
        return None, f"was still busy after {seconds:g} s"
    try:
        return pickle.loads(received), ""
    except (EOFError, pickle.UnpicklingError):
        code = os.waitstatus_to_exitcode(status)
        return None, f"crashed ({signal.Signals(-code).name})" if code < 0 else f"ended with code {code}"


def _work(function: Callable[..., Any], arguments: tuple[Any, ...], reading: int, writing: int) -> None:
    """The child: never returns."""
    try:
        os.close(reading)
        faulthandler.disable()  # it would print the crash that the parent reports
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        try:
            result = (True, function(*arguments))
        except Exception as error:
            result = (False, error)
        try:
            data = pickle.dumps(result)
        except Exception:  # an error that cannot travel
            data = pickle.dumps((False, RuntimeError(str(result[1]))))
        while data:
            data = data[os.write(writing, data) :]
    finally:
        os._exit(0)
