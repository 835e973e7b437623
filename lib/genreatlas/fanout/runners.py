"""Runners of fan-outs: threads of this process, or Spark tasks.

`driver` is a bounded pool of threads, which share one rate limiter per host. `executors` are Spark tasks, each with a
pool of threads and its share of every rate limit, which fetch directly into the staging table or into files.
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

#: Maximum rows and bytes of one Arrow batch returned by a task.
_BATCH_ROWS, _BATCH_BYTES = 32, 8 << 20


def results(tasks: Iterable[Task], fetch: Fetch, settings: FanOutSection, paused: dict[str, float]) -> Iterator[Result]:
    """Fetch with the threads of this process; yields results in the order of completion.

    While the caller commits results, the pool continues with submitted tasks. These are at most half a chunk, in keys
    and in bytes, so that a crash loses at most one chunk.

    Parameters
    ----------
    paused : end of the pause by provider or host (:func:`pause_name`), in seconds since the epoch; updated in place.
    """
    providers, fetch_one, host_of = fetch.providers, fetch.open(settings), getattr(fetch, "host_of", None)
    most = max(settings.chunk_rows - settings.chunk_rows // 2, 1)
    seen, size = 0, 0
    left = iter(tasks)
    under_way = 0
    # A queue is used because futures.wait checks hundreds of futures for every result.
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
    """Number of tasks, limited by the tasks that run at once and by each host's requests per window and concurrency.

    Raises
    ------
    ConfigError : speculative execution is enabled, so Spark may run a task twice, which would double its requests.
    """
    if (spark.conf.get("spark.speculation", None) or "false").lower() == "true":
        raise ConfigError("fan_out.runner = executors needs spark.speculation = false. Switch it off, or use driver.")
    slots = settings.partitions
    if not slots:
        # A range has as many partitions as the cluster has cores; Connect has no other way to get this number.
        slots = spark.range(100_000).select(F.spark_partition_id()).distinct().count()
    for host in (*fetch.hosts, "*"):
        limit = find_limit(settings, host)[1]
        slots = min(slots, limit.concurrency, limit.requests or slots)
    return max(slots, 1)


def share(settings: FanOutSection, slot: int, slots: int) -> FanOutSection:
    """Settings of one of several tasks, with its share of the requests per window and of the concurrency.

    The remainder is distributed to the first tasks. A task without requests for a host gets no concurrency for it
    either, and cannot send requests to it.
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
    """Lazy frame that fetches the tasks each time it is evaluated, so evaluate it only once.

    Keys are sent inside the function, not as a frame, so that plans contain no addresses, and so that every Spark task
    has exactly one slot (``repartition`` leaves some empty and doubles others).

    Parameters
    ----------
    place : folder where tasks write bytes, as ingest batches with the prefix ``chunk``; None keeps bytes in the rows.
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
            # Each task has its own ingest batch, in which identical bytes are written once.
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
    """Writes the bytes of results to a file of one ingest batch, and collects their other columns.

    Attributes
    ----------
    rows, size : number of results and bytes added to the current batch.
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
        """Add a result; results without attempts are ignored."""
        if not result.attempts:
            return
        self._held.append(result)
        self.rows, self.size, self._held_size = self.rows + 1, self.size + result.size, self._held_size + result.size
        if self._held_size >= _BATCH_BYTES:
            self._write()

    def end(self, following: str = "") -> pa.Table:
        """Finish the batch; returns its rows, with the name of the file for rows with bytes.

        Parameters
        ----------
        following : name of the next batch; empty if there is none.
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
        kept = batch.column("provider").is_valid().to_pylist()  # results that cannot be stored have no provider
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
