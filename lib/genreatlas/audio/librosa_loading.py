"""Import librosa once per process, late, with one thread and a compiled-code cache that can be written.

Importing librosa and compiling its numba functions takes about 2 s with a warm cache and 20 s without,
so nothing here happens before the first clip does.
"""

import contextlib
import ctypes
import fcntl
import functools
import importlib.util
import os
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

#: Parameters of mallopt(3), and the most that a process keeps: a clip of 30 s at 44.1 kHz needs 60 MB at once.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 128 * 1024 * 1024


@functools.cache
def librosa() -> ModuleType:
    """The librosa module, with BLAS, OpenMP and numba held to one thread.

    One thread, because Spark starts one worker process per core: with the libraries' own thread pools
    on top, a loop over clips loses 17-38 %.
    """
    folder = numba_cache_folder()
    if folder is not None:
        os.environ["NUMBA_CACHE_DIR"] = str(folder)  # read when numba is imported
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")

    save_compiled_code_one_at_a_time()
    _keep_freed_memory()
    import librosa as module
    import threadpoolctl

    threadpoolctl.threadpool_limits(1)  # for pools that were made before the variables were set
    return module


@functools.cache
def save_compiled_code_one_at_a_time() -> None:
    """Let processes that share numba's cache write to it in turn.

    numba 0.68 names a compiled function's file by counting those that its index has. Two processes that
    compile two signatures of one function at the same time count the same, one overwrites the other's
    file, and whoever loads it later runs the wrong machine code: wrong values, or a segmentation fault.
    """
    from numba.core.caching import IndexDataCacheFile

    save = IndexDataCacheFile.save

    def save_alone(self: Any, key: Any, data: Any) -> None:
        with Path(f"{self._index_path}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            save(self, key, data)

    IndexDataCacheFile.save = save_alone  # type: ignore[method-assign]


def _keep_freed_memory() -> None:
    """Tell glibc not to hand freed arrays back to the system, only to be given zeroed pages for the next clip.

    A clip's arrays are the size of those of the clip before; giving them back took 4 of 15 ms of the transform.
    """
    with contextlib.suppress(OSError, AttributeError):  # other C libraries have no such function
        glibc = ctypes.CDLL("libc.so.6")
        glibc.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        glibc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def numba_cache_folder() -> Path | None:
    """Where numba is told to keep compiled code; None where its own choice works.

    numba caches beside the source file. Where site-packages cannot be written and there is no home
    directory (containers, managed clusters), librosa would fail to import, so a folder for temporary
    files is used, one per user because compiled code is executed.
    """
    if os.environ.get("NUMBA_CACHE_DIR"):
        return None
    package = importlib.util.find_spec("librosa")
    beside = Path(package.origin).parent if package and package.origin else None
    if beside is not None and os.access(beside / "__pycache__", os.W_OK) and os.access(beside, os.W_OK):
        return None
    folder = Path(tempfile.gettempdir()) / f"genreatlas-numba-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        folder = Path(tempfile.mkdtemp(prefix="genreatlas-numba-"))
    return folder
