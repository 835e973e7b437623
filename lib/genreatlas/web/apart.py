"""Process files of visitors in a separate process with limited memory and time.

Files may be malicious: an archive that unpacks to terabytes, a number of a million digits. Then only the process ends,
its visitor gets an error, and the site continues. A process takes half a second to start.
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

#: Maximum number of such processes at the same time.
_MOST = 2
_places = threading.BoundedSemaphore(_MOST)
#: Memory of Python and its packages before a file is read, in 2**20 bytes.
_BASE_MB = 500
#: Exit codes: the input cannot be used; out of memory.
_REFUSED, _NO_MEMORY = 3, 4


class BusyError(GenreAtlasError):
    """The maximum number of processes is running."""


def run_apart(module: str, order: JsonView, seconds: float, memory_mb: int) -> Any:
    """Run ``python -m module``, which calls :func:`carry_out`, and return the result of its function.

    Parameters
    ----------
    module : name of the module.
    order : JSON-able keyword arguments of the function.
    seconds : time limit.
    memory_mb : memory limit in 2**20 bytes, in addition to the memory of the packages.

    Raises
    ------
    InputError : the function refused its input, took too long, or needed more memory.
    BusyError : the maximum number of processes is running.
    """
    if not _places.acquire(blocking=False):
        raise BusyError("The server is busy with other files. Try again in a minute.")
    try:
        given = json.dumps({"memory_mb": memory_mb, "order": order}).encode()
        done = subprocess.run([sys.executable, "-m", module], input=given, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise InputError("The time limit was exceeded. Send fewer or smaller files.") from None
    finally:
        _places.release()
    if done.returncode == _REFUSED:
        raise InputError(json.loads(done.stdout))
    if done.returncode:
        raise InputError("The memory limit was exceeded. Send fewer or smaller files.")
    return json.loads(done.stdout)


def carry_out(function: Callable[..., object]) -> None:
    """Main function of a module for :func:`run_apart`: read arguments, limit the memory, print the result as JSON."""
    given = json.load(sys.stdin)
    bound = (given["memory_mb"] + _BASE_MB) << 20
    with suppress(ValueError, OSError):  # a lower limit is already set
        resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
    try:
        answer = function(**given["order"])
    except InputError as error:
        print(json.dumps(str(error)))
        sys.exit(_REFUSED)
    except MemoryError:
        sys.exit(_NO_MEMORY)
    print(json.dumps(answer, allow_nan=False))
