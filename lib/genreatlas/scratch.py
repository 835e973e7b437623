"""Temporary folders of this process. Folders left by a killed process are removed by the next process.

Each folder contains a file that its process keeps locked. The operating system releases the lock when the process ends,
however it ends, so a folder whose lock can be taken is no longer in use.
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
#: Kinds of temporary folders.
KINDS = ("matrix", "sent", "tasks")
#: A folder younger than this (seconds) may not be locked yet.
_YOUNG_S = 60.0
#: Earlier releases did not lock their folders: these are removed when nothing in them changed for this time (seconds).
_FORSAKEN_S = 2 * 24 * 3600.0


@cache
def scratch_folder(kind: str) -> Path:
    """Temporary folder of this process for one kind of files, removed when the process ends or the next one starts.

    Parameters
    ----------
    kind : one of :data:`KINDS`.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind}: not a kind of temporary folder. Kinds: {', '.join(KINDS)}.")
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{kind}-"))
    _lock(folder)  # held until the process is gone
    atexit.register(_remove, folder, os.getpid())
    return folder


def sweep() -> list[Path]:
    """Remove the folders of processes that have ended; return the removed folders."""
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
    """Whether the lock was ever taken: the holder then writes its process id to the file."""
    return owner.stat().st_size > 0


def _lock(folder: Path) -> int:
    descriptor = os.open(folder / _OWNER, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:  # not a fork that ends before its parent
        shutil.rmtree(folder, ignore_errors=True)
