"""The two runners: threads of this process, and tasks of Spark.

`driver` is a bounded pool of threads, which share one limiter per host. `executors` are Spark tasks, each a pool with
its share of every rate, that fetch straight into staging, or into files of their own.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from queue import SimpleQueue

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from genreatlas.config import FanOutSection, HostLimit
from genreatlas.errors import ConfigError
from genreatlas.fanout.work import Fetch, Result, Task, to_batch, work_on
from genreatlas.sources.hosts import find_limit
from genreatlas.store import Arriving, BatchFile

#: Rows and bytes of one Arrow batch on its way out of a task.
_BATCH_ROWS, _BATCH_BYTES = 32, 8 << 20


def results(tasks: Iterable[Task], fetch: Fetch, settings: FanOutSection, paused: dict[str, float]) -> Iterator[Result]:
    """Fetch with the threads of this process; results in the order in which they come.

    While the caller commits what it has, the pool goes on with what was handed to it before. That is at
    most half a chunk, in keys as in bytes, so that a crash loses one chunk at most.

    Parameters
    ----------
    paused : providers to be left alone, and until when; those that ask for it are added.
    """
    providers, fetch_one, host_of = fetch.providers, fetch.open(settings), getattr(fetch, "host_of", None)
    most = max(settings.chunk_rows - settings.chunk_rows // 2, 1)
    seen, size = 0, 0
    left = iter(tasks)
    under_way = 0
    # Waiting for the first of hundreds of futures asks each of them, for every result; a queue hands it over.
    done: SimpleQueue[Future[Result]] = SimpleQueue()
    pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="fan-out")
    try:
        while True:
            ahead = most
            if seen:
                ahead = max(min(most, (settings.chunk_mb << 19) * seen // size), min(settings.threads, most))
            while under_way < ahead and (task := next(left, None)) is not None:
                future = pool.submit(work_on, task, providers, fetch_one, settings, paused, host_of)
                future.add_done_callback(done.put)
                under_way += 1
            if not under_way:
                return
            result = done.get().result()
            under_way -= 1
            seen, size = seen + 1, size + result.size
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def count_slots(spark: SparkSession, fetch: Fetch, settings: FanOutSection) -> int:
    """How many tasks share the work: no more than run at the same time, nor than there are requests to share.

    Raises
    ------
    ConfigError : Spark may start a task twice, which would double its requests.
    """
    if (spark.conf.get("spark.speculation", None) or "false").lower() == "true":
        raise ConfigError("fan_out.runner = executors needs spark.speculation = false. Switch it off, or use driver.")
    slots = settings.partitions
    if not slots:
        # A range has as many partitions as the cluster has cores; there is no other way to ask on Connect.
        slots = spark.range(100_000).select(F.spark_partition_id()).distinct().count()
    for host in (*fetch.hosts, "*"):
        limit = find_limit(settings, host)[1]
        slots = min(slots, limit.concurrency, limit.requests or slots)
    return max(slots, 1)


def share(settings: FanOutSection, slot: int, slots: int) -> FanOutSection:
    """The settings of one of several tasks: whole requests of every window, the remainder given out in turn.

    A task that gets no request of a host gets no concurrency there either, and may not ask it.
    """

    def part(limit: HostLimit) -> HostLimit:
        requests, concurrency = _part(limit.requests, slot, slots), _part(limit.concurrency, slot, slots)
        if limit.requests and not requests:
            concurrency = 0
        return limit.model_copy(update={"requests": requests, "concurrency": concurrency})

    hosts = {name: part(limit) for name, limit in settings.hosts.items()}
    return settings.model_copy(update={"hosts": hosts, "threads": max(_part(settings.threads, slot, slots), 1)})


def _part(total: int, slot: int, slots: int) -> int:
    return total // slots + (slot < total % slots)


def fetched(
    spark: SparkSession,
    tasks: Sequence[Task],
    fetch: Fetch,
    settings: FanOutSection,
    slots: int,
    paused: dict[str, float],
    schema: tuple[StructType, pa.Schema],
    place: Arriving | None = None,
    chunk: str = "",
) -> DataFrame:
    """A frame that fetches the tasks whenever it is evaluated, so evaluate it once.

    The keys travel inside the function, not as a frame, so that no address stands in a plan, and so that
    every task has exactly its slot (``repartition`` leaves some empty and doubles others).

    Parameters
    ----------
    place : where tasks write what has bytes, as batches named after ``chunk``; None: it is in the rows.
    """
    work = partial(_work, tuple(tasks), fetch, settings, slots, dict(paused), schema[1], place, chunk)
    return spark.range(0, slots, 1, slots).mapInArrow(work, schema[0])


def _work(
    tasks: Sequence[Task],
    fetch: Fetch,
    settings: FanOutSection,
    slots: int,
    paused: dict[str, float],
    schema: pa.Schema,
    place: Arriving | None,
    chunk: str,
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    for slot in [number for batch in batches for number in batch.column(0).to_pylist()]:
        found = results(tasks[slot::slots], fetch, share(settings, slot, slots), paused)
        if place is not None:
            # Each task has an ingest batch of its own, in which equal bytes are written once.
            with Arrivals(place, f"{chunk}-{slot:04}", schema) as arrivals:
                for result in found:
                    arrivals.add(result)
                yield from arrivals.end().to_batches()
            continue
        held: list[Result] = []
        for result in found:
            if result.attempts:
                held.append(result)
            if len(held) >= _BATCH_ROWS or sum(r.size for r in held) >= _BATCH_BYTES:
                yield to_batch(held, schema)
                held = []
        if held:
            yield to_batch(held, schema)


class Arrivals:
    """Results whose bytes go into a file of one ingest batch as they come; the rest of their rows is kept here.

    Attributes
    ----------
    rows, size : what was added since the last batch ended: tries, and bytes.
    """

    def __init__(self, place: Arriving, batch: str, schema: pa.Schema) -> None:
        self._place, self._schema = place, schema
        self._begin(batch)

    def _begin(self, batch: str) -> None:
        self._file = self._place.open(batch)
        self._held: list[Result] = []
        self._held_size = 0
        self._done: list[pa.RecordBatch] = []
        self.rows = self.size = 0

    def __enter__(self) -> "Arrivals":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, result: Result) -> None:
        """Take a result; one that was not tried says nothing."""
        if not result.attempts:
            return
        self._held.append(result)
        self.rows, self.size, self._held_size = self.rows + 1, self.size + result.size, self._held_size + result.size
        if self._held_size >= _BATCH_BYTES:
            self._write()

    def end(self, following: str = "") -> pa.Table:
        """End the batch; returns its rows, with the name of its file where they have bytes.

        Parameters
        ----------
        following : name of the batch that begins now; empty: none does.
        """
        self._write()
        self._file.close()
        table = pa.Table.from_batches(self._done, self._schema)
        if following:
            self._begin(following)
        return table

    def _write(self) -> None:
        blob = self._place.blob
        audio = [result.values.get(blob) for result in self._held]
        small = [_without_bytes(result, blob, self._file) for result in self._held]
        batch = to_batch(small, self._schema)
        kept = batch.column("provider").is_valid().to_pylist()  # what cannot be stored has come to nothing
        self._file.add(
            [
                {**result.values, "provider": result.provider, blob: data}
                for result, data, good in zip(small, audio, kept, strict=True)
                if good
            ]
        )
        self._done.append(batch)
        self._held, self._held_size = [], 0


def _without_bytes(result: Result, blob: str, file: BatchFile) -> Result:
    if result.provider is None:
        return result
    values = {name: value for name, value in result.values.items() if name != blob}
    about = {"ingest_batch": file.batch, "file": file.name, "bytes": len(result.values[blob])}
    return replace(result, values={**values, **about})
