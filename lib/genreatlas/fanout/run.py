"""Run a fetch for all pending keys: plan, fetch in chunks, merge, and report progress and remaining keys."""

import re
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TextIO, cast

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from genreatlas.config import FanOutSection
from genreatlas.errors import EnvironmentFaultError
from genreatlas.fanout import runners
from genreatlas.fanout.tries import Outcome, Plan, count_outcome, make_plan, stored_pauses, write_attempts
from genreatlas.fanout.work import ATTEMPT, ATTEMPT_ARROW, Fetch, Result, to_batch
from genreatlas.sources.hosts import forget_history
from genreatlas.store import Arriving, Staged, Store
from genreatlas.store.arrivals import COLUMNS
from genreatlas.store.staging import together
from genreatlas.tables import Table

#: Numbers of rows and seconds after which staged chunks with bytes in files are merged together. Such chunks are safe
#: once they are staged, and each merge costs about five seconds, even for few rows.
_MERGED_ROWS, _MERGED_S = 10_000, 60.0


@dataclass
class FanOutCounts:
    """Counts of a fan-out.

    Parameters
    ----------
    fetched : number of fetched keys.
    given_up : number of keys that failed at all providers, by the last reason.
    again : number of failed tries that will be retried, by reason.
    left : number of keys that wait for a paused provider.
    paused : end of the pause (seconds since the epoch) by provider or host paused by a rate limit or a fault.
    notes : lines for the summary.
    """

    fetched: int = 0
    given_up: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    left: int = 0
    paused: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def stopped(self) -> str:
        """Message for :class:`.LimitReachedError`: why the run ends early, when to run it again; empty if complete."""
        if not self.left:
            return ""
        who = ", ".join(f"{name} until {_utc(until)}" for name, until in sorted(self.paused.items()))
        back = _utc(min(self.paused.values()))
        return f"{self.left} keys are left: providers are paused by a rate limit ({who}). Run it again after {back}."


def fan_out(
    store: Store,
    settings: FanOutSection,
    name: str,
    pending: Callable[[], DataFrame],
    fetch: Fetch,
    merge: Callable[[Staged], None],
    keep: Table | None = None,
) -> FanOutCounts:
    """Fetch every pending key that is due; the package's docstring has an example.

    Parameters
    ----------
    name : name of the task in ``fetch_attempts`` and of the staging table: the step's name, possibly with a suffix.
    pending : function that returns the frame of pending rows; called before each pass.
    merge : function that writes a staged chunk's rows to their tables.
    keep : table for fetched bytes. If files can be added to it, fetching tasks write the bytes to files, and staged
        rows have :data:`genreatlas.store.arrivals.COLUMNS` instead of the bytes.
    """
    return _FanOut(store, settings, name, fetch, merge, keep).run(pending)


@dataclass
class _FanOut:
    store: Store
    settings: FanOutSection
    name: str
    fetch: Fetch
    merge: Callable[[Staged], None]
    keep: Table | None = None
    counts: FanOutCounts = field(default_factory=FanOutCounts)
    chunks: int = 0
    #: Makes names of chunks unique, as a run may call fan_out twice with one name.
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    settled: bool = False  #: whether every key of this pass was fetched or given up
    arrived: list[Staged] = field(default_factory=list)  #: chunks whose bytes are in files, staged and not merged

    def run(self, pending: Callable[[], DataFrame]) -> FanOutCounts:
        for staged in self._left():
            self._count(staged)
            self._merge(staged)
        self.counts.paused = stored_pauses(self.store, self.fetch.providers, self.settings.max_pause_days * 86_400.0)
        while True:
            plan = make_plan(self.store, self.name, pending(), self.fetch.providers)
            if not plan.ready or self.counts.left:
                break
            self.settled = self.keep is not None and not plan.waiting
            with self._place() as place:
                self._pass(plan, place)
            if self.settled:  # nothing more is pending, so another plan is not needed
                break
        if plan.waiting:
            again = f"{self.name}: {plan.waiting} keys failed and are retried when they are due"
            self.counts.notes += (f"{again}, the first at {_utc(plan.due_at or time.time())}",)
        return self.counts

    def _left(self) -> list[Staged]:
        """Chunks that killed runs staged."""
        if self.keep is None:
            return self.store.staged(self.name)
        return self.store.adopt(self.keep, self.name)

    @contextmanager
    def _place(self) -> Iterator[Arriving | None]:
        """Folder for files of this pass; None if bytes are in the rows."""
        if self.keep is None:
            yield None
            return
        self.chunks, self.mark = 0, uuid.uuid4().hex[:8]
        with self.store.arriving(self.keep, self.name, f"{self.store.run_id}-{self.mark}") as place:
            yield place
            self._merge_arrived()

    def _pass(self, plan: Plan, place: Arriving | None) -> None:
        progress = Progress(self.name, len(plan.ready))
        left = len(plan.ready)
        merged = time.monotonic()
        if self.settings.runner == "executors":
            chunks = self._by_executors(plan, place)
        else:
            chunks = self._by_driver_into(place, plan, progress) if place else self._by_driver(plan, progress)
        for staged in chunks:
            outcome = self._count(staged)
            left -= outcome.done
            self.settled &= not outcome.again
            if self.settings.runner == "executors":
                progress.add(outcome.fetched)
                for reason, number in (outcome.given_up + outcome.again).items():
                    progress.add(number, reason)
            if place is None:
                self._merge(staged)
                continue
            self.arrived.append(staged)
            rows = sum(one.held.num_rows for one in self.arrived if one.held is not None)
            if rows >= _MERGED_ROWS or time.monotonic() - merged >= _MERGED_S:
                self._merge_arrived()
                merged = time.monotonic()
        progress.end()
        self.counts.left = left
        self.settled &= not left

    def _by_driver(self, plan: Plan, progress: "Progress") -> Iterator[Staged]:
        held: list[Result] = []
        for result in runners.results(plan.tasks(), self.fetch, self.settings, self.counts.paused):
            progress.add(1, _reason(result))
            if result.attempts:
                held.append(result)
            if self._is_full(len(held), sum(r.size for r in held)):
                yield self._stage_rows(held)
                held = []
        if held:
            yield self._stage_rows(held)

    def _by_driver_into(self, place: Arriving, plan: Plan, progress: "Progress") -> Iterator[Staged]:
        with runners.Arrivals(place, self._chunk(), self._small_schema[1]) as arrivals:
            for result in runners.results(plan.tasks(), self.fetch, self.settings, self.counts.paused):
                progress.add(1, _reason(result))
                arrivals.add(result)
                if self._is_full(arrivals.rows, arrivals.size):
                    number = self.chunks
                    yield self.store.stage_files(place, arrivals.end(self._chunk()), self.name, number)
            if arrivals.rows:
                yield self.store.stage_files(place, arrivals.end(), self.name, self.chunks)

    def _is_full(self, rows: int, size: int) -> bool:
        return rows >= max(self.settings.chunk_rows // 2, 1) or size >= self.settings.chunk_mb << 20

    def _by_executors(self, plan: Plan, place: Arriving | None) -> Iterator[Staged]:
        slots = runners.count_slots(self.store.spark, self.fetch, self.settings)
        tasks = plan.tasks()

        def frame(schema: tuple[StructType, pa.Schema]) -> DataFrame:
            return runners.fetched(
                self.store.spark, chunk, self.fetch, self.settings, slots, self.counts.paused, schema, place, name
            )

        try:
            while chunk := list(islice(tasks, self.settings.chunk_rows)):
                name = self._chunk()
                if place is None:
                    yield self.store.stage(
                        frame(self._schema), self.name, name, again=False, compress=self.keep is None
                    )
                else:
                    small = frame(self._small_schema).toArrow()
                    if small.num_rows:
                        yield self.store.stage_files(place, small, self.name, self.chunks)
        except Exception as error:  # a worker's exception is part of the message of Spark's error
            if found := re.search(r"EnvironmentFaultError: (.+)", str(error)):
                raise EnvironmentFaultError(found[1].strip()) from error
            raise
        finally:
            forget_history()

    def _stage_rows(self, results: list[Result]) -> Staged:
        schema, arrow = self._schema
        table = pa.Table.from_batches([to_batch(results, arrow)])
        frame = self.store.spark.createDataFrame(table, schema)
        return self.store.stage(frame, self.name, self._chunk(), table, compress=self.keep is None)

    def _merge_arrived(self) -> None:
        arrived, self.arrived = self.arrived, []
        if self.keep is None:
            return
        if whole := self.store.publish(self.keep, arrived):
            self._merge(together(whole))
        self.settled &= len(whole) == len(arrived)

    def _merge(self, staged: Staged) -> None:
        self.merge(staged)
        write_attempts(self.store, self.name, staged)
        staged.drop()

    def _count(self, staged: Staged) -> Outcome:
        outcome = count_outcome(staged)
        self.counts.fetched += outcome.fetched
        self.counts.given_up += outcome.given_up
        self.counts.again += outcome.again
        self.counts.paused |= outcome.paused
        return outcome

    def _chunk(self) -> str:
        self.chunks += 1
        return f"{self.store.run_id}-{self.mark}-{self.chunks:06}"

    @cached_property
    def _schema(self) -> tuple[StructType, pa.Schema]:
        return self._schema_of(self.fetch.columns)

    @cached_property
    def _small_schema(self) -> tuple[StructType, pa.Schema]:
        """Schema of rows whose bytes are in files."""
        columns = [part.strip() for part in self.fetch.columns.split(",") if not part.strip().endswith(" binary")]
        return self._schema_of(", ".join((*columns, COLUMNS)))

    def _schema_of(self, columns: str) -> tuple[StructType, pa.Schema]:
        ddl = f"key string, provider string, attempts array<struct<{_fields(ATTEMPT)}>>, {columns}"
        schema = cast(StructType, StructType.fromDDL(ddl))
        arrow = self.store.spark.createDataFrame([], schema).toArrow().schema
        return schema, arrow.set(2, pa.field("attempts", pa.list_(ATTEMPT_ARROW)))


def _fields(ddl: str) -> str:
    return ", ".join(f"{name}: {kind}" for name, kind in (part.split() for part in ddl.split(", ")))


def _reason(result: Result) -> str | None:
    return None if result.provider or not result.attempts else result.attempts[-1].reason


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


#: Seconds between updates of the bar on a terminal, and between lines in a log.
_BAR_S, _LINE_S = 0.5, 60.0
_WIDTH = 24


class Progress:
    """Reports progress: share done, rate, errors by reason and estimated time left.

    On a terminal it is shown as a bar, otherwise as one line per minute.
    """

    def __init__(self, name: str, total: int, stream: TextIO | None = None) -> None:
        self.name, self.total = name, total
        self.stream = stream or sys.stderr
        self.terminal = self.stream.isatty()
        self.done = 0
        self.reasons: Counter[str] = Counter()
        self._started = self._said = time.monotonic()

    def add(self, number: int, reason: str | None = None) -> None:
        """Count processed keys; ``reason`` is the reason if they were not fetched."""
        self.done += number
        if reason:
            self.reasons[reason] += number
        now = time.monotonic()
        if now - self._said >= (_BAR_S if self.terminal else _LINE_S):
            self._said = now
            self._say()

    def end(self) -> None:
        """Show the final state of the bar on a terminal."""
        if self.terminal and self.done:
            self._say()
            self.stream.write("\n")
            self.stream.flush()

    def text(self) -> str:
        """Current progress as a line of text."""
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
