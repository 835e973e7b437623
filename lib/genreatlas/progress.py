"""Progress of a long step: a bar with rate and remaining time on a terminal, one line per minute in a log.

Progress is written to standard error; standard output has only the job's results. The driver counts the items returned
to it and makes no calls to Spark, so progress also works on Spark Connect.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO, TypeVar

#: Interval between two log lines, in seconds. Shorter work is not logged.
SECONDS_BETWEEN_LINES = 60.0

#: Environment variable with the terminal device of a job whose output goes through a pipe.
TERMINAL = "GENREATLAS_TERMINAL"

Item = TypeVar("Item")


class Progress:
    """Counter of completed items; created by :func:`progress`."""

    def __init__(self, what: str, total: int, unit: str, show: Callable[[int, int], None] | None) -> None:
        self.what = what
        self.total = total
        self.unit = unit
        #: Returns additional text to show, such as the loss of a fit; empty by default.
        self.note: Callable[[], str] = str
        self.done = 0
        self._known = 0
        self._show = show
        self._started = time.monotonic()

    def advance(self, number: int = 1, known: bool = False) -> None:
        """Add ``number`` completed items. ``known`` items were done by an earlier run and do not count for the rate."""
        self.done += number
        self._known += number if known else 0
        if self._show is not None:
            self._show(self.done, max(self.total, self.done))

    def line(self) -> str:
        """Return the log line."""
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
    """Show progress during a ``with`` block.

    Parameters
    ----------
    what : step and subject, such as ``train_models: summary9``.
    total : expected number of items; it may be exceeded.
    unit : name of the items, in the plural.
    stream : output stream; None for the terminal, or standard error if there is no terminal.
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
    """The terminal that a job was started from; None if there is none.

    spark-submit reads the driver's output through a pipe, so spark-submit.sh passes its terminal in :data:`TERMINAL`.
    """
    if sys.stderr.isatty():
        return sys.stderr
    with suppress(OSError):
        if name := os.environ.get(TERMINAL):
            return opened.enter_context(Path(name).open("w", encoding="utf-8", errors="replace"))
    return None


@contextmanager
def _shown(what: str, total: int, unit: str, stream: TextIO) -> Iterator[Progress]:
    """Show a bar on a terminal; it is removed at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    from rich.progress import Task as BarTask
    from rich.text import Text

    class Rate(ProgressColumn):
        """Items per second, or per minute if slower than one per second."""

        def render(self, task: BarTask) -> Text:
            speed = task.speed or task.finished_speed
            if not speed:
                return Text("")
            return Text(f"{speed:.1f}/s" if speed >= 1 else f"{60 * speed:.1f}/min")

    bar = Progress(what, total, unit, lambda done, of: shown.update(task, completed=done, total=of))

    class Note(ProgressColumn):
        """Text of :attr:`Progress.note`, refreshed once per second."""

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
    # Output printed meanwhile is not redirected.
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
    """Write one line per minute from a thread: a single chunk may take longer than a minute."""
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
    """Yield the items; each is counted as done when the next one is requested."""
    with progress(what, total, unit) as bar:
        for item in items:
            yield item
            bar.advance()


def _time(seconds: float) -> str:
    """Format a duration in seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
