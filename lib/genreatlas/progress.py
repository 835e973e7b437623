"""How far a long step is: a bar with rate and time left on a terminal, a line a minute in a log.

Written to the standard error, so that what a job prints stays what it was. Nothing is asked of Spark: the driver counts
what comes back to it, so it works on Connect.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO, TypeVar

#: Between two lines of a log; what takes less than that is not mentioned there at all.
SECONDS_BETWEEN_LINES = 60.0

#: Environment variable with the terminal of a job whose output goes through a pipe.
TERMINAL = "GENREATLAS_TERMINAL"

Item = TypeVar("Item")


class Progress:
    """Counts what is done of one stretch of work; made by :func:`progress`."""

    def __init__(self, what: str, total: int, unit: str, show: Callable[[int, int], None] | None) -> None:
        self.what = what
        self.total = total
        self.unit = unit
        #: Says more of the work, such as the loss of a fit; an empty text where there is nothing to say.
        self.note: Callable[[], str] = str
        self.done = 0
        self._known = 0
        self._show = show
        self._started = time.monotonic()

    def advance(self, number: int = 1, known: bool = False) -> None:
        """Say that so much more is done; ``known``: by an earlier run, so that it does not count for the rate."""
        self.done += number
        self._known += number if known else 0
        if self._show is not None:
            self._show(self.done, max(self.total, self.done))

    def line(self) -> str:
        """One line of a log."""
        seconds = time.monotonic() - self._started
        total = max(self.total, self.done)
        text = f"{self.what}: {self.done:,} of {total:,} {self.unit} after {_time(seconds)}"
        fresh = self.done - self._known
        if fresh > 0 and self.done < total:
            rate = fresh / max(seconds, 1e-9)
            shown = f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute"
            text += f", {shown}, about {_time((total - self.done) / rate)} left"
        return f"{text}; {note}" if (note := self.note()) else text


@contextmanager
def progress(what: str, total: int, unit: str, stream: TextIO | None = None) -> Iterator[Progress]:
    """Show progress for the length of a ``with`` block.

    Parameters
    ----------
    what : step and what it works on, such as ``train_models: summary9``.
    total : how much there is to do; less than what gets done is no error.
    unit : what is counted, in the plural.
    stream : where to write; the terminal, or else the standard error, when None.
    """
    with ExitStack() as opened:
        stream = stream or _terminal(opened) or sys.stderr
        if stream.isatty():
            yield opened.enter_context(_shown(what, total, unit, stream))
        else:
            bar = Progress(what, total, unit, None)
            opened.enter_context(_told_regularly(bar, stream))
            yield bar


def _terminal(opened: ExitStack) -> TextIO | None:
    """The terminal that a job was started from.

    spark-submit reads what the driver writes through a pipe, so spark-submit.sh says where its terminal is.
    """
    if sys.stderr.isatty():
        return sys.stderr
    with suppress(OSError):
        if name := os.environ.get(TERMINAL):
            return opened.enter_context(Path(name).open("w", encoding="utf-8", errors="replace"))
    return None


@contextmanager
def _shown(what: str, total: int, unit: str, stream: TextIO) -> Iterator[Progress]:
    """A bar on a terminal, which goes when it is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    from rich.progress import Task as BarTask
    from rich.text import Text

    class Rate(ProgressColumn):
        """How many a second or a minute."""

        def render(self, task: BarTask) -> Text:
            speed = task.speed or task.finished_speed
            if not speed:
                return Text("")
            return Text(f"{speed:.1f}/s" if speed >= 1 else f"{60 * speed:.1f}/min")

    bar = Progress(what, total, unit, lambda done, of: shown.update(task, completed=done, total=of))

    class Note(ProgressColumn):
        """What else is known of the work, asked once a second."""

        max_refresh = 1.0

        def render(self, task: BarTask) -> Text:
            return Text(bar.note())

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn(unit),
        Rate(),
        TimeRemainingColumn(elapsed_when_finished=True),
        Note(),
    )
    width = None
    with suppress(OSError):
        width = os.get_terminal_size(stream.fileno()).columns or None
    console = Console(file=stream, width=width)
    # What is printed meanwhile goes where it would have gone.
    with Bar(
        *columns,
        console=console,
        transient=True,
        refresh_per_second=4,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as shown:
        task = shown.add_task(what, total=total or None)
        yield bar


@contextmanager
def _told_regularly(bar: Progress, stream: TextIO) -> Iterator[None]:
    """Write a line a minute, by a thread of its own: a single chunk may take longer."""
    ended = threading.Event()

    def tell() -> None:
        while not ended.wait(SECONDS_BETWEEN_LINES):
            with suppress(ValueError, OSError):  # the stream was closed
                print(bar.line(), file=stream, flush=True)

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def tracked(items: Iterable[Item], what: str, total: int, unit: str) -> Iterator[Item]:
    """The items one by one; each counts as done when the next one is asked for."""
    with progress(what, total, unit) as bar:
        for item in items:
            yield item
            bar.advance()


def _time(seconds: float) -> str:
    """Seconds, minutes or hours, as they are read."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
