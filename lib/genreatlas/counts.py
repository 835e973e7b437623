"""Counts of the work that a step did."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """Outcome of a step: numbers of items.

    ``read`` items were pending (0: nothing was left to do), ``written`` were done, ``failed`` got a reason code,
    ``skipped`` were not attempted. ``notes`` are printed below the summary line.
    """

    read: int = 0
    written: int = 0
    failed: int = 0
    skipped: int = 0
    notes: tuple[str, ...] = ()

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.read + other.read,
            self.written + other.written,
            self.failed + other.failed,
            self.skipped + other.skipped,
            self.notes + other.notes,
        )
