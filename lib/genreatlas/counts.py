"""What a step did, in numbers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """Outcome of a step.

    ``read`` is what there was to do (0 when nothing was left), ``written`` what was done, ``failed``
    what got a reason instead, ``skipped`` what was not attempted. ``notes`` are printed below the line.
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
