"""Measure memory and CPU time of a benchmark and all its child processes."""

import os
import threading
from pathlib import Path


class Watch:
    """Peak memory and CPU time of this process and all its descendants, sampled twice per second.

    The daemon of Spark's Python workers does not wait for its children, so the kernel does not add up their CPU time.
    Therefore, the CPU time of each process when it was last sampled is recorded here.
    """

    def __init__(self) -> None:
        self.peak = 0
        self._used: dict[tuple[int, str], float] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(0.5):
            self.peak = max(self.peak, self.look())

    def look(self) -> int:
        """Sample all processes; returns their total memory in bytes, with shared memory divided among them (PSS)."""
        total = 0
        found = _tree(os.getpid())
        with self._lock:
            self._used |= found
        for process, _ in found:
            try:
                text = (Path("/proc") / str(process) / "smaps_rollup").read_text()
                total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) * 1024
            except (OSError, StopIteration):
                continue
        return total

    def cpu(self) -> float:
        """CPU seconds so far, including processes that have ended."""
        with self._lock:
            self._used |= _tree(os.getpid())
            return sum(self._used.values())

    def close(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self._thread.join()


def busy_seconds() -> float:
    """CPU seconds used by all processes of the machine since its start."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    user, nice, system, _, _, irq, soft = map(int, fields[1:8])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def _tree(root: int) -> dict[tuple[int, str], float]:
    """CPU seconds of a process and each descendant, without their children's time, by (process id, start time)."""
    fields: dict[int, list[str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields[int(entry.name)] = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
    mine, grown = {root}, True
    while grown:
        found = {process for process, parts in fields.items() if process not in mine and int(parts[1]) in mine}
        mine |= found
        grown = bool(found)
    ticks = os.sysconf("SC_CLK_TCK")
    return {
        (process, fields[process][19]): sum(map(int, fields[process][11:13])) / ticks
        for process in mine & fields.keys()
    }
