"""The two runners: threads of this process, and tasks of Spark.

`driver` is a bounded pool of threads, which share one limiter per host. `executors` are Spark tasks, each a pool with
its share of every rate, that fetch straight into staging.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from genreatlas.config import FanOutSection, HostLimit
from genreatlas.errors import ConfigError
from genreatlas.fanout.work import Fetch, Result, Task, to_batch, work_on
from genreatlas.sources.hosts import find_limit

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
    under_way: set[Future[Result]] = set()
    pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="fan-out")
    try:
        while True:
            ahead = most
            if seen:
                ahead = max(min(most, (settings.chunk_mb << 19) * seen // size), min(settings.threads, most))
            while len(under_way) < ahead and (task := next(left, None)) is not None:
                under_way.add(pool.submit(work_on, task, providers, fetch_one, settings, paused, host_of))
            if not under_way:
                return
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                result = future.result()
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
) -> DataFrame:
    """A frame that fetches the tasks whenever it is evaluated, so evaluate it once.

    The keys travel inside the function, not as a frame, so that no address stands in a plan, and so that
    every task has exactly its slot (``repartition`` leaves some empty and doubles others).
    """
    work = partial(_work, tuple(tasks), fetch, settings, slots, dict(paused), schema[1])
    return spark.range(0, slots, 1, slots).mapInArrow(work, schema[0])


def _work(
    tasks: Sequence[Task],
    fetch: Fetch,
    settings: FanOutSection,
    slots: int,
    paused: dict[str, float],
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    for slot in [number for batch in batches for number in batch.column(0).to_pylist()]:
        held: list[Result] = []
        for result in results(tasks[slot::slots], fetch, share(settings, slot, slots), paused):
            if result.attempts:
                held.append(result)
            if len(held) >= _BATCH_ROWS or sum(r.size for r in held) >= _BATCH_BYTES:
                yield to_batch(held, schema)
                held = []
        if held:
            yield to_batch(held, schema)
