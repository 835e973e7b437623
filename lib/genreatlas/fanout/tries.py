"""Plan pending keys from earlier tries, and write the rows of new tries."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.audio.decode import DECODER_RELEASE
from genreatlas.errors import REFUSED_AUDIO, Reason
from genreatlas.fanout.work import Task, pause_name
from genreatlas.store import Reader, Staged, Store
from genreatlas.tables import FETCH_ATTEMPTS
from genreatlas.values import Row

#: Key of a provider's pause in ``fetch_attempts``; followed by a blank and a host for the pause of one host.
EVERY_KEY = "*"
_PIECE = 1024


@dataclass
class Plan:
    """Keys of a pass.

    Parameters
    ----------
    pending : pending rows with their history, as one compact Arrow table.
    providers : providers in their order.
    ready : indices of the rows that can be tried now.
    given_up : number of keys that have failed at all providers.
    waiting : number of failed keys whose retry is not due yet.
    due_at : time of the first of these retries, in seconds since the epoch.
    """

    pending: pa.Table
    providers: Sequence[str]
    ready: list[int] = field(default_factory=list)
    given_up: int = 0
    waiting: int = 0
    due_at: float | None = None

    def tasks(self) -> Iterator[Task]:
        """Iterate over the keys that can be tried now, in order."""
        for start in range(0, len(self.ready), _PIECE):
            for row in self.pending.take(self.ready[start : start + _PIECE]).to_pylist():
                yield _task(row)


def make_plan(store: Reader, name: str, pending: DataFrame, providers: Sequence[str]) -> Plan:
    """Divide pending keys into those that can be tried now, those given up, and those not due yet."""
    stored = store.read(FETCH_ATTEMPTS).where((F.col("task") == name) & (F.col("attempt") > 0))
    last = stored.groupBy("key", "provider").agg(
        F.max("attempt").alias("attempt"),
        F.max_by("status", "attempt").alias("status"),
        F.max_by(F.coalesce("reason", F.lit("")), "attempt").alias("reason"),
        F.max_by(F.coalesce("decoder_release", F.lit("")), "attempt").alias("release"),
        F.max_by(F.unix_micros("next_retry_at"), "attempt").alias("due"),
        F.max(F.when(F.col("status") == "ok", F.col("attempt"))).alias("ok"),
    )
    # audio that an earlier decoder release refused is fetched again, because this release may support it
    mended = (
        (F.col("status") == "final")
        & F.col("reason").isin([reason.value for reason in REFUSED_AUDIO])
        & (F.col("release") != DECODER_RELEASE)
    )
    last = last.withColumn("status", F.when(mended, F.lit("retry")).otherwise(F.col("status")))
    tries = F.collect_list(F.struct("provider", "attempt", "status", "due", "ok"))
    history = last.groupBy("key").agg(tries.alias("_tried"))
    table = pending.join(history, "key", "left").orderBy("key").toArrow()
    plan = Plan(table, providers)
    now = time.time()
    tried = table.column("_tried")
    for index in range(table.num_rows):
        known = {one["provider"]: one for one in tried[index].as_py() or ()}
        turn = next((p for p in providers if known.get(p, {}).get("status") != "final"), None)
        due = (known[turn]["due"] or 0) / 1e6 if turn in known else 0.0
        if turn is None:
            plan.given_up += 1
        elif due > now:
            plan.waiting += 1
            plan.due_at = min(due, plan.due_at or due)
        else:
            plan.ready.append(index)
    return plan


def _task(row: Row) -> Task:
    tried = row.pop("_tried") or ()
    over = frozenset(one["provider"] for one in tried if one["status"] == "final")
    succeeded = {one["provider"]: one["ok"] for one in tried if one["ok"]}
    return Task(row["key"], row, {one["provider"]: one["attempt"] for one in tried}, over, succeeded)


def stored_pauses(store: Reader, providers: Sequence[str], longest_s: float) -> dict[str, float]:
    """Pauses of earlier runs that have not ended: end (seconds since the epoch) by :func:`pause_name`.

    Parameters
    ----------
    longest_s : maximum length of a pause in seconds; earlier releases stored longer ones.
    """
    is_pause = (F.col("key") == EVERY_KEY) | F.col("key").startswith(f"{EVERY_KEY} ")
    until = F.least(F.unix_micros("next_retry_at") / 1e6, F.unix_micros("at") / 1e6 + F.lit(longest_s))
    rows = (
        store.read(FETCH_ATTEMPTS)
        .where(is_pause & (F.col("status") == "paused") & F.col("provider").isin(list(providers)))
        .groupBy("provider", "key")
        .agg(F.max(until).alias("until"))
        .collect()
    )
    found = {pause_name(row["provider"], row["key"].partition(" ")[2]): row["until"] for row in rows}
    return {name: until for name, until in found.items() if until and until > time.time()}


@dataclass(frozen=True)
class Outcome:
    """Counts of a chunk's keys: fetched, given up by reason, to be tried again by reason; and new pauses."""

    fetched: int
    given_up: Counter[str]
    again: Counter[str]
    paused: dict[str, float]

    @property
    def done(self) -> int:
        """Number of keys that are done in this pass; the others wait for a paused provider."""
        return self.fetched + self.given_up.total() + self.again.total()


def count_outcome(staged: Staged) -> Outcome:
    """Count the keys of a staged chunk by outcome, and collect its pauses."""
    paused: dict[str, float] = {}
    fetched, given_up, again = 0, Counter[str](), Counter[str]()
    for row in staged.rows("key", "provider", "attempts"):
        for attempt in row["attempts"]:
            if attempt["status"] == "paused":
                paused[pause_name(attempt["provider"], attempt.get("host"))] = attempt["next_retry_at"].timestamp()
        last = row["attempts"][-1]
        fetched += row["provider"] is not None
        if row["provider"] is None and last["status"] == "final":
            given_up[_why([attempt["reason"] for attempt in row["attempts"]])] += 1
        again[last["reason"]] += last["status"] == "retry"
    return Outcome(fetched, given_up, +again, paused)


def write_attempts(store: Store, name: str, staged: Staged) -> None:
    """Write a staged chunk's tries and pauses."""
    now: list[Row] = []
    pauses: dict[str, Row] = {}
    for row in staged.rows("key", "attempts"):
        about = {"task": name, "run_id": store.run_id, "decoder_release": DECODER_RELEASE}
        for attempt in row["attempts"]:
            host = attempt.get("host")
            values = {name: value for name, value in attempt.items() if name != "host"} | about
            if attempt["status"] == "paused":
                key = f"{EVERY_KEY} {host}" if host else EVERY_KEY
                pauses[pause_name(attempt["provider"], host)] = values | {"key": key}
            else:
                now.append(values | {"key": row["key"]})
    if staged.held is None:  # of another run, which may have written them already
        store.upsert(FETCH_ATTEMPTS, now)
    elif now:
        store.append(FETCH_ATTEMPTS, store.frame(FETCH_ATTEMPTS, now))
    store.upsert(FETCH_ATTEMPTS, pauses.values(), update=True, compare=("next_retry_at",))


def _why(reasons: Sequence[str]) -> str:
    """Last reason other than ``no_preview``, which would hide the reasons of other providers."""
    return next((reason for reason in reversed(reasons) if reason != Reason.NO_PREVIEW), reasons[-1])
