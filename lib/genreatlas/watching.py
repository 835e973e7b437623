"""Tasks whose Python worker was killed before: how often, and how far its memory had grown.

Spark tries a task again when its worker is gone, four times in all, and says nothing of the cause. Here each try leaves
a note in a temporary folder of the driver for as long as it runs. A try that finds the note of the one before knows
that it was killed, and after the second time the task ends with one line that can be acted on. Workers of other
machines, where there is no such folder, leave no notes.
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

#: After so many deaths a task is not tried again.
MOST_DEATHS = 2
#: Seconds between two looks at the memory.
_LOOK_S = 0.25

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class Before:
    """How often the worker of a task was killed before, and how large it was then, in 2**20 bytes."""

    deaths: int = 0
    peak_mb: int = 0

    @property
    def message(self) -> str:
        """In words."""
        return (
            f"a Python worker was killed {self.deaths} times at the same task, most likely because memory was used up: "
            f"it had grown to {self.peak_mb:,} MB of the machine's {machine_mb():,} MB"
        )


def watched(work: Callable[[Batches], Batches]) -> Callable[[Batches], Batches]:
    """A function for ``mapInArrow`` that raises WorkerKilledError where its worker was killed twice before."""
    return partial(_watched, work, new_mark())


def new_mark() -> str:
    """Where the tasks of a piece of work leave their notes: a path without its end."""
    return str(scratch_folder("tasks") / uuid.uuid4().hex)


def _watched(work: Callable[[Batches], Batches], mark: str, batches: Batches) -> Batches:
    with watching(mark) as before:
        if before.deaths >= MOST_DEATHS:
            raise WorkerKilledError(before.message)
        yield from work(batches)


@contextmanager
def watching(mark: str) -> Iterator[Before]:
    """Keep the note of this try for the length of a ``with`` block; gives what the notes of earlier ones say.

    Parameters
    ----------
    mark : from :func:`new_mark`; empty: nothing is noted.
    """
    task = _task()
    if task is None or not mark or not Path(mark).parent.is_dir():
        yield Before()
        return
    number, tries = task
    note = Path(f"{mark}-{number}")
    before = _read(note) if tries else Before()
    if before.deaths >= MOST_DEATHS:
        yield before  # the note stays as it is, so that the tries after this one are given up, too
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
    """Name of the task and how often it was tried before; None outside a task of Spark."""
    from pyspark import TaskContext  # only here: everything else runs without Spark

    context = TaskContext.get()
    return None if context is None else (f"{context.stageId()}-{context.partitionId()}", context.attemptNumber())


def _keep(note: Path, before: Before, ended: threading.Event) -> None:
    """Write down the memory when it has grown by a tenth."""
    written = 0
    while not ended.wait(_LOOK_S):
        if (held := memory_mb()) > written * 1.1:
            written = held
            _write(note, Before(before.deaths, max(held, before.peak_mb)))


def _read(note: Path) -> Before:
    try:
        found = json.loads(note.read_text())
        return Before(int(found["deaths"]) + 1, int(found["peak_mb"]))
    except (OSError, ValueError, KeyError, TypeError):  # another machine's, or none
        return Before()


def _write(note: Path, before: Before) -> None:
    with contextlib.suppress(OSError):  # a full disk is somebody else's error
        partly = note.with_suffix(f".{os.getpid()}")
        partly.write_text(json.dumps({"deaths": before.deaths, "peak_mb": before.peak_mb}))
        partly.replace(note)


def memory_mb() -> int:
    """Memory of this process, in 2**20 bytes; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
    except (OSError, ValueError, IndexError):
        return 0


def machine_mb() -> int:
    """Memory that processes here may use together: the container's, or the machine's."""
    bounds = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    with contextlib.suppress(OSError, ValueError):
        bounds.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(bounds) >> 20
