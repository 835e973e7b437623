"""Run a fetch over everything that is pending: plan, fetch in chunks, merge, and say how far it is and what is left."""

import re
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
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
from genreatlas.fanout.tries import Outcome, Plan, make_plan, stored_pauses, write_attempts
from genreatlas.fanout.work import ATTEMPT, ATTEMPT_ARROW, Fetch, Result, to_batch
from genreatlas.sources.hosts import forget_history
from genreatlas.store import Staged, Store


@dataclass
class FanOutCounts:
    """What a fan-out did.

    Parameters
    ----------
    fetched : keys that were fetched.
    given_up : keys for which no provider was left, by the last reason.
    again : tries that failed and may come back, by reason.
    left : keys that wait for a paused provider.
    paused : providers, or hosts of one, paused by a rate limit or a fault, and until when (seconds since the epoch).
    notes : lines for people.
    """

    fetched: int = 0
    given_up: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    left: int = 0
    paused: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def stopped(self) -> str:
        """Why the run ends early and when to come back, for :class:`.LimitReachedError`; empty if it does not."""
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
) -> FanOutCounts:
    """Fetch every pending key that is due; see the package for how to use it.

    Parameters
    ----------
    name : name of the work in ``fetch_attempts`` and staging: that of the step, or a part of it.
    pending : makes the frame of pending rows; asked again before each pass.
    merge : writes a staged chunk's rows to their tables.
    """
    return _FanOut(store, settings, name, fetch, merge).run(pending)


@dataclass
class _FanOut:
    store: Store
    settings: FanOutSection
    name: str
    fetch: Fetch
    merge: Callable[[Staged], None]
    counts: FanOutCounts = field(default_factory=FanOutCounts)
    chunks: int = 0
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:8])  #: a run may fan out twice under one name

    def run(self, pending: Callable[[], DataFrame]) -> FanOutCounts:
        for staged in self.store.staged(self.name):
            self._commit(staged)
        self.counts.paused = stored_pauses(self.store, self.fetch.providers, self.settings.max_pause_days * 86_400.0)
        while True:
            plan = make_plan(self.store, self.name, pending(), self.fetch.providers)
            if not plan.ready or self.counts.left:
                break
            self._pass(plan)
        if plan.waiting:
            again = f"{self.name}: {plan.waiting} keys failed and come back when they are due"
            self.counts.notes += (f"{again}, the first at {_utc(plan.due_at or time.time())}",)
        return self.counts

    def _pass(self, plan: Plan) -> None:
        progress = Progress(self.name, len(plan.ready))
        left = len(plan.ready)
        if self.settings.runner == "executors":
            for staged in self._by_executors(plan):
                outcome = self._commit(staged)
                progress.add(outcome.fetched)
                for reason, number in (outcome.given_up + outcome.again).items():
                    progress.add(number, reason)
                left -= outcome.done
        else:
            for staged in self._by_driver(plan, progress):
                left -= self._commit(staged).done
        progress.end()
        self.counts.left = left

    def _by_driver(self, plan: Plan, progress: "Progress") -> Iterator[Staged]:
        held: list[Result] = []
        most = max(self.settings.chunk_rows // 2, 1)
        for result in runners.results(plan.tasks(), self.fetch, self.settings, self.counts.paused):
            progress.add(1, _reason(result))
            if result.attempts:
                held.append(result)
            if len(held) >= most or sum(r.size for r in held) >= self.settings.chunk_mb << 20:
                yield self._stage_rows(held)
                held = []
        if held:
            yield self._stage_rows(held)

    def _by_executors(self, plan: Plan) -> Iterator[Staged]:
        slots = runners.count_slots(self.store.spark, self.fetch, self.settings)
        tasks = plan.tasks()
        try:
            while chunk := list(islice(tasks, self.settings.chunk_rows)):
                rows = runners.fetched(
                    self.store.spark, chunk, self.fetch, self.settings, slots, self.counts.paused, self._schema
                )
                yield self.store.stage(rows, self.name, self._chunk())
        except Exception as error:  # a worker's own exception is a line of what Spark says
            if found := re.search(r"EnvironmentFaultError: (.+)", str(error)):
                raise EnvironmentFaultError(found[1].strip()) from error
            raise
        finally:
            forget_history()

    def _stage_rows(self, results: list[Result]) -> Staged:
        schema, arrow = self._schema
        table = pa.Table.from_batches([to_batch(results, arrow)])
        return self.store.stage(self.store.spark.createDataFrame(table, schema), self.name, self._chunk(), table)

    def _commit(self, staged: Staged) -> Outcome:
        self.merge(staged)
        outcome = write_attempts(self.store, self.name, staged)
        staged.drop()
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
        ddl = f"key string, provider string, attempts array<struct<{_fields(ATTEMPT)}>>, {self.fetch.columns}"
        schema = cast(StructType, StructType.fromDDL(ddl))
        arrow = self.store.spark.createDataFrame([], schema).toArrow().schema
        return schema, arrow.set(2, pa.field("attempts", pa.list_(ATTEMPT_ARROW)))


def _fields(ddl: str) -> str:
    return ", ".join(f"{name}: {kind}" for name, kind in (part.split() for part in ddl.split(", ")))


def _reason(result: Result) -> str | None:
    return None if result.provider or not result.attempts else result.attempts[-1].reason


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


#: Seconds between two states of the bar on a terminal, and between two lines in a log.
_BAR_S, _LINE_S = 0.5, 60.0
_WIDTH = 24


class Progress:
    """Counts results and says now and then: share done, rate, errors by reason, time left.

    On a terminal it is a bar, in a log a line a minute.
    """

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
