"""How far a fan-out is: a bar on a terminal, a line a minute in a log."""

import sys
import time
from collections import Counter
from typing import TextIO

_BAR_S, _LINE_S = 0.5, 60.0
_WIDTH = 24


class Progress:
    """Counts results and says now and then: share done, rate, errors by reason, time left."""

    def __init__(self, name: str, total: int, stream: TextIO | None = None) -> None:
        self.name, self.total = name, total
        self.stream = stream or sys.stderr
        self.terminal = self.stream.isatty()
        self.done = 0
        self.reasons: Counter[str] = Counter()
        self._started = self._said = time.monotonic()

    def add(self, number: int, reason: str | None = None) -> None:
        """Take note of keys that are through; ``reason`` is why they were not fetched."""
        self.done += number
        if reason:
            self.reasons[reason] += number
        now = time.monotonic()
        if now - self._said >= (_BAR_S if self.terminal else _LINE_S):
            self._said = now
            self._say()

    def end(self) -> None:
        """Say how it ended, where anything was said before."""
        if self.terminal and self.done:
            self._say()
            self.stream.write("\n")
            self.stream.flush()

    def text(self) -> str:
        """The line itself."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        rate = self.done / seconds
        share = self.done / self.total if self.total else 1.0
        left = _duration((self.total - self.done) / rate) if rate and self.done < self.total else "0 s"
        errors = ", ".join(f"{reason} {count}" for reason, count in self.reasons.most_common())
        line = f"{self.name}: {self.done}/{self.total} ({share:.0%}), {rate:.1f}/s, {left} left"
        return f"{line}; {errors}" if errors else line

    def _say(self) -> None:
        if self.terminal:
            full = round(_WIDTH * self.done / max(self.total, 1))
            self.stream.write(f"\r\x1b[K[{'#' * full}{'.' * (_WIDTH - full)}] {self.text()}")
        else:
            self.stream.write(self.text() + "\n")
        self.stream.flush()


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.1f} days"
