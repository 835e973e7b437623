"""What was asked, and when: the server's own record, by its own clock."""

import re
import time
from array import array
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

#: Requests that are kept in full; times and counts are kept of all.
_KEPT = 500_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One request; ``time`` is when it came, in seconds since the epoch."""

    time: float
    service: str
    method: str
    path: str
    status: int
    fault: str | None


class Log:
    """All requests since the start, or since the log was emptied."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=_KEPT)
        self._times: dict[str, array[float]] = {}
        self._counts: Counter[tuple[str, str, int, str]] = Counter()
        self.open = 0  #: requests that are being answered
        self.most_open: Counter[str] = Counter()
        self._open: Counter[str] = Counter()

    def begin(self, service: str) -> float:
        """Note that a request came; returns the time."""
        now = time.time()
        self._times.setdefault(service, array("d")).append(now)
        self._open[service] += 1
        self.most_open[service] = max(self.most_open[service], self._open[service])
        return now

    def end(self, entry: Entry) -> None:
        """Note how it was answered."""
        self._open[entry.service] -= 1
        self._entries.append(entry)
        self._counts[entry.service, shape_of(entry.path), entry.status, entry.fault or ""] += 1

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._times.clear()
        self._counts.clear()
        self.most_open.clear()

    def entries(self, service: str = "", path: str = "") -> Iterator[Entry]:
        """Requests of a service whose path holds the regular expression, oldest first."""
        return (e for e in self._entries if service in ("", e.service) and re.search(path, e.path))

    def counts(self) -> list[dict[str, object]]:
        """Requests by service, kind of path, status and fault."""
        names = ("service", "path", "status", "fault", "requests")
        return [dict(zip(names, (*key, number), strict=True)) for key, number in sorted(self._counts.items())]

    def busiest(self, service: str, window_s: float) -> int:
        """Most requests that came to a service within any window of this length."""
        times, most, first = self._times.get(service, array("d")), 0, 0
        for last in range(len(times)):
            while times[last] - times[first] >= window_s:
                first += 1
            most = max(most, last - first + 1)
        return most


def shape_of(path: str) -> str:
    """A path with ids, slugs and parameters left out."""
    numbers = count()
    plain = path.partition("?")[0]
    plain = re.sub(r"engenremap-.+\.html", "engenremap-SLUG.html", plain)
    plain = re.sub(r"isrc:[^/]+", "isrc:CODE", plain)
    return re.sub(r"[0-9A-Za-z]{22}", lambda _: "ID" if next(numbers) == 0 else "ID2", plain)
