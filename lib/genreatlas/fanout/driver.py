"""The runner `driver`: a bounded pool of threads in this process, which share one limiter per host."""

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from genreatlas.config import FanOutSection
from genreatlas.fanout.work import Fetch, Result, Task, work_on


def results(tasks: Iterable[Task], fetch: Fetch, settings: FanOutSection, paused: dict[str, float]) -> Iterator[Result]:
    """Results in the order in which they come.

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
