"""Import librosa lazily, once per process, with one thread and a writable cache for compiled code.

Importing librosa and compiling its numba functions takes about 2 s with a warm cache and 20 s without, so it is done
only when the first clip is processed.
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

#: Parameters of mallopt(3), and the most freed memory that a process keeps: a clip of 30 s at 44.1 kHz needs 60 MB.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 128 * 1024 * 1024


@functools.cache
def librosa() -> ModuleType:
    """Return the librosa module, with BLAS, OpenMP and numba limited to one thread.

    Spark starts one worker process per core; with the libraries' thread pools in addition, a loop over clips is
    17-38 % slower.
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

    threadpoolctl.threadpool_limits(1)  # for thread pools created before the variables were set
    return module


@functools.cache
def save_compiled_code_one_at_a_time() -> None:
    """Serialise writes of processes that share numba's cache.

    numba 0.68 names a compiled function's file by the number of files in its index. If two processes compile two
    signatures of one function at the same time, both use the same number, one overwrites the other's file, and
    processes that load it later run the wrong machine code: wrong values, or a segmentation fault.
    """
    from numba.core.caching import IndexDataCacheFile

    save = IndexDataCacheFile.save

    def save_alone(self: Any, key: Any, data: Any) -> None:
        with Path(f"{self._index_path}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            save(self, key, data)

    IndexDataCacheFile.save = save_alone  # type: ignore[method-assign]


def _keep_freed_memory() -> None:
    """Configure glibc to keep freed memory instead of returning it to the system.

    The arrays of consecutive clips have the same size; returning and zeroing pages took 4 of 15 ms of the transform.
    """
    with contextlib.suppress(OSError, AttributeError):  # not available in other C libraries
        glibc = ctypes.CDLL("libc.so.6")
        glibc.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        glibc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def numba_cache_folder() -> Path | None:
    """Folder for numba's cache; None if numba's default works.

    numba caches next to the source file. If site-packages is not writable and there is no home directory (containers,
    managed clusters), importing librosa would fail. A folder for temporary files is used instead, one per user, because
    compiled code is executed.
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
