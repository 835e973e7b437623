"""Detect tasks whose Python worker was killed before, with the number of kills and the peak memory.

Spark retries a task whose worker died, up to four attempts in all, and does not report the cause. Here each attempt
keeps a note (a file) in a temporary folder of the driver while it runs. An attempt that finds the note of an earlier
attempt knows that the earlier one was killed; after two kills the task ends with a one-line error. Workers on other
machines, where the folder does not exist, leave no notes.
"""

import contextlib
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from genreatlas.errors import WorkerKilledError
from genreatlas.scratch import scratch_folder

#: Number of kills after which a task is given up.
MOST_DEATHS = 2
#: Interval between two measurements of the memory, in seconds.
_LOOK_S = 0.25

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class Before:
    """How often the worker of a task was killed before, and its peak memory, in 2**20 bytes."""

    deaths: int = 0
    peak_mb: int = 0

    @property
    def message(self) -> str:
        """Text for the error message."""
        return (
            f"a Python worker was killed {self.deaths} times at the same task, most likely because memory was used up: "
            f"it had grown to {self.peak_mb:,} MB of the machine's {machine_mb():,} MB"
        )


def watched(work: Callable[[Batches], Batches]) -> Callable[[Batches], Batches]:
    """Wrap a function for ``mapInArrow`` so that it raises WorkerKilledError if its worker was killed twice before."""
    return partial(_watched, work, new_mark())


def new_mark() -> str:
    """New path prefix for the notes of a job's tasks."""
    return str(scratch_folder("tasks") / uuid.uuid4().hex)


def _watched(work: Callable[[Batches], Batches], mark: str, batches: Batches) -> Batches:
    with watching(mark) as before:
        if before.deaths >= MOST_DEATHS:
            raise WorkerKilledError(before.message)
        yield from work(batches)


@contextmanager
def watching(mark: str) -> Iterator[Before]:
    """Keep the note of this attempt during a ``with`` block; yields what earlier attempts recorded.

    Parameters
    ----------
    mark : path prefix from :func:`new_mark`; empty to keep no note.
    """
    task = _task()
    if task is None or not mark or not Path(mark).parent.is_dir():
        yield Before()
        return
    number, tries = task
    note = Path(f"{mark}-{number}")
    before = _read(note) if tries else Before()
    if before.deaths >= MOST_DEATHS:
        yield before  # the note is kept, so that later attempts are given up, too
        return
    ended = threading.Event()
    keeper = threading.Thread(target=_keep, args=(note, before, ended), daemon=True)
    _write(note, before)
    keeper.start()
    try:
        yield before
    finally:
        ended.set()
        keeper.join()
        note.unlink(missing_ok=True)


def _task() -> tuple[str, int] | None:
    """Name of the task and its attempt number, from 0; None outside a task of Spark."""
    from pyspark import TaskContext  # only here: everything else runs without Spark

    context = TaskContext.get()
    return None if context is None else (f"{context.stageId()}-{context.partitionId()}", context.attemptNumber())


def _keep(note: Path, before: Before, ended: threading.Event) -> None:
    """Update the note whenever the memory has grown by a tenth."""
    written = 0
    while not ended.wait(_LOOK_S):
        if (held := memory_mb()) > written * 1.1:
            written = held
            _write(note, Before(before.deaths, max(held, before.peak_mb)))


def _read(note: Path) -> Before:
    try:
        found = json.loads(note.read_text())
        return Before(int(found["deaths"]) + 1, int(found["peak_mb"]))
    except (OSError, ValueError, KeyError, TypeError):  # on another machine, or missing
        return Before()


def _write(note: Path, before: Before) -> None:
    with contextlib.suppress(OSError):  # a full disk is reported elsewhere
        partly = note.with_suffix(f".{os.getpid()}")
        partly.write_text(json.dumps({"deaths": before.deaths, "peak_mb": before.peak_mb}))
        partly.replace(note)


def memory_mb() -> int:
    """Resident memory of this process, in 2**20 bytes; 0 if unknown."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
    except (OSError, ValueError, IndexError):
        return 0


def machine_mb() -> int:
    """Memory limit of the container, or memory of the machine if smaller, in 2**20 bytes."""
    bounds = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    with contextlib.suppress(OSError, ValueError):
        bounds.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(bounds) >> 20
