"""Overhead of Spark, isolation and Delta over a bare loop; start time and memory of a new worker.

The step ``extract_features`` reads clips from one Delta table and writes ``gtzan57`` (and ``loudness``, which is always
extracted) to others on ``local[2,4]``. The bare loop consists of two single-threaded processes that decode, extract by
the same code, and discard the result.
"""

import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from measuring import Context, Result, quartiles

from genreatlas.audio.uris import path_to_uri

SETS = ("gtzan57", "loudness")
_SECONDS = 30.0


def measure(context: Context) -> Iterator[Result]:
    """Overhead of Spark, start time of a worker, memory of a worker and its helper process."""
    runs = 3 if context.quick else 5
    starts = [_fresh_worker(context.clips[:1]) for _ in range(runs)]
    seconds = [start["seconds"] for start in starts]
    busy = statistics.median(start["busy"] for start in starts)
    yield Result(
        "fresh_worker_s", statistics.median(seconds), "s", 3.0, "at most", quartiles(seconds), n=runs,
        note=f"wall time from the start of the process to its first record; {busy:.1f} s of it on a processor",
    )  # fmt: skip
    worker = _fresh_worker(context.clips * (1 if context.quick else 5))
    yield Result(
        "worker_mb", worker["megabytes"], "MB", 350, "at most", n=worker["clips"],
        note="at its peak, helper included, what both share counted once",
    )  # fmt: skip
    yield _overhead(context, runs)


def _overhead(context: Context, runs: int) -> Result:
    from genreatlas.config import SparkSection
    from genreatlas.session import get_spark

    count = context.spark_clips
    rows = [_clip(number, context.clips[number % len(context.clips)]) for number in range(count)]
    spark = get_spark(SparkSection(master="local[2,4]"), app_name="genreatlas-benchmark")
    paths = [context.clips[number % len(context.clips)] for number in range(count)]
    with multiprocessing.get_context("spawn").Pool(2, initializer=_ready) as pool:
        _step(spark, rows)
        pairs = [(_step(spark, rows), _loop(pool, paths)) for _ in range(runs)]
    spark.stop()
    ratios = [ours / theirs for ours, theirs in pairs]
    return Result(
        "spark_overhead", statistics.median(ratios), "x", 1.05, "at most", quartiles(ratios),
        ours=statistics.median(ours for ours, _ in pairs), theirs=statistics.median(theirs for _, theirs in pairs),
        n=count, note="wall time, Delta to Delta, against two pinned processes without Spark",
    )  # fmt: skip


def _clip(number: int, path: str) -> dict:
    """A row of ``clips``; every number has a different audio id, although files are repeated."""
    status = Path(path).stat()
    return {
        "clip_id": f"clip{number:06}",
        "ingest_batch": f"batch{number // 256:04}",
        "song_id": f"song{number:06}",
        "provider": "folder",
        "audio_id": f"audio{number:06}",
        "sha256": f"{number:064x}",
        "uri": path_to_uri(Path(path).resolve()),
        "path": Path(path).name,
        "window_rule": "middle:30",
        "start_s": 0.0,
        "length_s": _SECONDS,
        "mime": "audio/mpeg",
        "sample_rate": 44_100,
        "channels": 2,
        "duration_s": _SECONDS,
        "bytes": status.st_size,
        "modified_ns": status.st_mtime_ns,
    }


def _step(spark, rows: list[dict]) -> float:
    """Seconds of one run of the step on a new store."""
    from genreatlas.config import load_config
    from genreatlas.steps import extract_features
    from genreatlas.store import Store
    from genreatlas.tables import CLIPS

    with tempfile.TemporaryDirectory(prefix="genreatlas-bench-") as folder:
        config = load_config([], [f'store.path="{folder}"', 'extract.feature_sets=["gtzan57"]'])
        store = Store(spark, config.store)
        store.upsert(CLIPS, rows)
        start = time.perf_counter()
        counts = extract_features.run(store, config)
        seconds = time.perf_counter() - start
        assert (counts.written, counts.failed) == (len(rows), 0), counts
    return seconds


def _ready() -> None:
    from genreatlas.audio.worker import warm_up

    warm_up(frozenset(SETS))


def _loop(pool, paths: list[str]) -> float:
    start = time.perf_counter()
    for _ in pool.imap_unordered(_extract, paths, chunksize=8):
        pass
    return time.perf_counter() - start


def _extract(path: str) -> None:
    from genreatlas.audio.feature_sets import FEATURE_SETS
    from genreatlas.audio.worker import extract_clip
    from genreatlas.config import ClipSection

    extract_clip(path, 0.0, _SECONDS, ClipSection(), [FEATURE_SETS[name] for name in SETS])


def _fresh_worker(paths: tuple[str, ...]) -> dict:
    """Time of a new process until its first record, and its memory, including the helper, after all records."""
    start, before = time.time(), os.times()
    command = [sys.executable, __file__, json.dumps(paths)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    found = json.loads(done.stdout)
    after = os.times()
    busy = sum(after[2:4]) - sum(before[2:4])  # CPU time of ended children and their children
    return found | {"seconds": found["first_at"] - start, "busy": busy}


def _be_a_worker(paths: list[str]) -> None:
    import pyarrow as pa

    from genreatlas.audio.isolation import run_isolated, stop_helper
    from genreatlas.audio.worker import ExtractRequest, extract_batches
    from genreatlas.config import ClipSection

    clips = [_clip(number, path) for number, path in enumerate(paths)]
    requests = [clip | {"feature_sets": list(SETS), "copies": [clip]} for clip in clips]
    batches = (pa.RecordBatch.from_pylist(requests[i : i + 8]) for i in range(0, len(requests), 8))
    first_at = 0.0
    for batch in extract_batches(ExtractRequest(ClipSection()), batches):
        assert not any(batch.column("reason").to_pylist())
        first_at = first_at or time.time()
    megabytes = _own_kb("VmHWM", "status", run_isolated(os.getpid)) + _own_kb("Private_Dirty", "smaps_rollup")
    stop_helper()
    print(json.dumps({"first_at": first_at, "megabytes": megabytes / 1024, "clips": len(paths)}))


def _own_kb(field: str, file: str, process: int | str = "self") -> int:
    text = Path(f"/proc/{process}/{file}").read_text()
    return int(text.partition(f"{field}:")[2].split()[0])


if __name__ == "__main__":
    _be_a_worker(json.loads(sys.argv[1]))
