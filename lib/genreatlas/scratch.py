"""Temporary folders of this process; those that a killed process left are removed by the next.

A folder holds a file that its process keeps locked for as long as it lives. The operating system gives the lock back
however the process ends, so whoever gets it knows that nobody uses the folder any more.
"""

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from functools import cache
from pathlib import Path

_PREFIX = "genreatlas-"
_OWNER = ".owner"
#: What is kept in such folders.
KINDS = ("matrix", "sent", "tasks")
#: A folder this young may not have its lock yet.
_YOUNG_S = 60.0
#: Releases before this one locked nothing: their folders go when nothing in them was touched for so long.
_FORSAKEN_S = 2 * 24 * 3600.0


@cache
def scratch_folder(kind: str) -> Path:
    """A folder of this process for one kind of files; it is removed when the process ends, or by the next that starts.

    Parameters
    ----------
    kind : one of :data:`KINDS`.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind}: no kind of temporary folder. There are: {', '.join(KINDS)}.")
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{kind}-"))
    _lock(folder)  # held until the process is gone
    atexit.register(_remove, folder, os.getpid())
    return folder


def sweep() -> list[Path]:
    """Remove the folders of processes that are gone; returns those that were removed."""
    removed = []
    for kind in KINDS:
        for folder in sorted(Path(tempfile.gettempdir()).glob(f"{_PREFIX}{kind}-*")):
            with contextlib.suppress(OSError):  # another user's, or another process was first
                mine = folder.lstat().st_uid == os.getuid() and folder.is_dir() and not folder.is_symlink()
                if mine and _is_forsaken(folder):
                    shutil.rmtree(folder, ignore_errors=True)
                    removed.append(folder)
    return removed


def _is_forsaken(folder: Path) -> bool:
    owner = folder / _OWNER
    if not owner.exists():
        touched = [folder, *folder.iterdir()]
        return time.time() - max(path.lstat().st_mtime for path in touched) > _FORSAKEN_S
    if time.time() - owner.stat().st_mtime < _YOUNG_S and not _was_filled(owner):
        return False
    with owner.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _was_filled(owner: Path) -> bool:
    """Whether the lock was taken at some time: its holder writes its number after that."""
    return owner.stat().st_size > 0


def _lock(folder: Path) -> int:
    descriptor = os.open(folder / _OWNER, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:  # not a fork that ends before its parent
        shutil.rmtree(folder, ignore_errors=True)
