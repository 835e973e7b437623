"""Work on what visitors send, in a process of its own that is bounded in memory and time.

Files may be made to harm whoever reads them: an archive that unpacks to terabytes, a number of a million digits. There
the process ends, and its visitor is told; the site goes on. A process needs half a second to start.
"""

import json
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from genreatlas.errors import GenreAtlasError, InputError
from genreatlas.values import JsonView

#: Such processes at once.
_MOST = 2
_places = threading.BoundedSemaphore(_MOST)
#: What Python and its packages hold before a file is read.
_BASE_MB = 500
#: Exit codes: the input cannot be used, and memory ran out.
_REFUSED, _NO_MEMORY = 3, 4


class BusyError(GenreAtlasError):
    """As many files as may be are being worked on."""


def run_apart(module: str, order: JsonView, seconds: float, memory_mb: int) -> Any:
    """Run ``python -m module``, which calls :func:`carry_out`, and return what its function returns.

    Parameters
    ----------
    order : JSON-able arguments of the function.
    memory_mb : how much the process may hold beside its packages.

    Raises
    ------
    InputError : the function refused its input, took too long, or needed more memory.
    BusyError : as many processes run as may.
    """
    if not _places.acquire(blocking=False):
        raise BusyError("The server is busy with other files. Try again in a minute.")
    try:
        given = json.dumps({"memory_mb": memory_mb, "order": order}).encode()
        done = subprocess.run([sys.executable, "-m", module], input=given, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise InputError("This exceeds the time limit. Send less at once.") from None
    finally:
        _places.release()
    if done.returncode == _REFUSED:
        raise InputError(json.loads(done.stdout))
    if done.returncode:
        raise InputError("This exceeds the memory limit. Send less at once.")
    return json.loads(done.stdout)


def carry_out(function: Callable[..., object]) -> None:
    """What a module does that :func:`run_apart` runs: read an order, bound the memory, print the result as JSON."""
    given = json.load(sys.stdin)
    bound = (given["memory_mb"] + _BASE_MB) << 20
    with suppress(ValueError, OSError):  # a lower bound is set already
        resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
    try:
        answer = function(**given["order"])
    except InputError as error:
        print(json.dumps(str(error)))
        sys.exit(_REFUSED)
    except MemoryError:
        sys.exit(_NO_MEMORY)
    print(json.dumps(answer, allow_nan=False))
