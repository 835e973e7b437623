"""Shared code of the benchmark groups: results, and the comparison of two programs on the same clips."""

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Result:
    """One result, stored under its key in ``results.json``.

    ``bar`` is the required value (None: no requirement), ``sense`` whether it is a minimum or a maximum. ``spread`` are
    the quartiles over clips or runs. ``ours`` and ``theirs`` are the medians whose ratio is ``value``.
    """

    key: str
    value: float | None
    unit: str = "x"
    bar: float | None = None
    sense: Literal["at least", "at most"] = "at least"
    spread: tuple[float, float] | None = None
    ours: float | None = None
    theirs: float | None = None
    n: int = 0
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the required value is met; None if there is none."""
        if self.bar is None or self.value is None:
            return None
        return self.value >= self.bar if self.sense == "at least" else self.value <= self.bar


@dataclass(frozen=True)
class Context:
    """Inputs of a group.

    Parameters
    ----------
    clips : paths of 30 s audio files: composed clips and, with a data folder, clips of real music.
    data : folder with real music, or None.
    peers : folder with other extractors, or None.
    quick : trial run with few clips and repeats.
    spark_clips : number of clips for the benchmarks of Spark.
    """

    clips: tuple[str, ...]
    data: str | None
    peers: str | None
    quick: bool
    spark_clips: int


def cpu_seconds(function: Callable[[], Any]) -> float:
    """CPU time of one call over all threads of this process, in s; excludes other work on the machine."""
    start = time.process_time()
    function()
    return time.process_time() - start


def compare(
    key: str,
    items: Sequence[Item],
    ours: Callable[[Item], Any],
    theirs: Callable[[Item], Any],
    bar: float | None = None,
    sense: Literal["at least", "at most"] = "at least",
    repeats: int = 3,
    inverse: bool = False,
    note: str = "",
) -> Result:
    """Compare the CPU times of two programs on the same items.

    Each program first runs once without timing. Then, on each item, both run alternately ``repeats`` times, and the
    fastest run of each is used, as slower runs were disturbed. The value is the median over items of ``theirs / ours``
    (``inverse``: of ``ours / theirs``), the spread its quartiles.
    """
    for function in (theirs, ours):
        function(items[0])
    pairs = [_in_turn(item, ours, theirs, repeats) for item in items]
    ratios = [mine / other if inverse else other / mine for mine, other in pairs]
    return Result(
        key,
        statistics.median(ratios),
        bar=bar,
        sense=sense,
        spread=quartiles(ratios),
        ours=statistics.median(mine for mine, _ in pairs),
        theirs=statistics.median(other for _, other in pairs),
        n=len(items),
        note=note,
    )


def _in_turn(
    item: Item, ours: Callable[[Item], Any], theirs: Callable[[Item], Any], repeats: int
) -> tuple[float, float]:
    mine, other = [], []
    for _ in range(repeats):
        gc.collect()
        other.append(cpu_seconds(lambda: theirs(item)))
        mine.append(cpu_seconds(lambda: ours(item)))
    return min(mine), min(other)


def quartiles(values: Iterable[float]) -> tuple[float, float]:
    """First and third quartile."""
    values = sorted(values)
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def agreement(key: str, pairs: Iterable[tuple[Any, Any]], note: str = "") -> Iterator[Result]:
    """Agreement with reference values: share of values within 1e-4 * max(1, |reference|), and the largest deviation.

    Parameters
    ----------
    key : prefix of the keys of both results.
    pairs : (computed, reference) arrays, one pair per clip; NaN must be in the same positions.
    note : note of both results.
    """
    import numpy as np

    deviations = []
    for computed, reference in pairs:
        computed, reference = np.asarray(computed, float), np.asarray(reference, float)
        deviation = np.abs(computed - reference) / np.maximum(1.0, np.abs(reference))
        undefined = np.isnan(computed) & np.isnan(reference)
        deviations.append(np.where(undefined, 0.0, np.where(np.isnan(deviation), np.inf, deviation)))
    every = np.concatenate([d.ravel() for d in deviations])
    share = 100.0 * float(np.mean(every <= 1e-4))
    yield Result(f"{key}_agreement", share, "% of values", 99.99, n=len(deviations), note=note)
    yield Result(f"{key}_worst", float(every.max()), "deviation", 1e-3, "at most", n=len(deviations), note=note)
