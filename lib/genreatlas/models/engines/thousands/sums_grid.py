"""Fit discriminants of a matrix that stays in Spark: sums are computed in Spark, models on the driver."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import functions as F
from threadpoolctl import threadpool_limits

from genreatlas.datasets.sending import locate, send_file
from genreatlas.errors import ModelError, Reason
from genreatlas.metrics import metric_for, score_predicted, version_of
from genreatlas.models.engines.protocol import TrainingData
from genreatlas.models.engines.task_fits import some_songs
from genreatlas.models.engines.thousands import array_files, partial_sums
from genreatlas.models.engines.thousands.array_models import Array, ArrayModel
from genreatlas.models.engines.thousands.discriminants import fit_sums
from genreatlas.models.engines.thousands.partial_sums import PARTIAL, RawSums, Rows
from genreatlas.models.engines.thousands.thousands_facts import SCALERS
from genreatlas.models.types import FittedModel, FoldResult, FoldTask, Trial
from genreatlas.scratch import scratch_folder

#: Maximum size of sums that the driver fetches at once, in bytes.
_FETCHED = 256_000_000
#: Number of buckets whose counts are fetched at once; the counts of a bucket have a few MB.
_COUNTED = 16
#: Part with the number of songs of a bucket; other parts are folds.
_FACTS = -1

#: Function of a bucket and its rows that returns arrays by part.
_Work = Callable[[int, Rows], Mapping[int, Mapping[str, Array]]]


class SumsGrid:
    """Fits discriminants on one feature set; see :class:`genreatlas.models.engines.protocol.Fitter`.

    The rows are read four times, independent of the number of candidates: twice for medians, once for sums and once for
    the predictions of all models.
    """

    def __init__(self, data: TrainingData) -> None:
        self.data = data
        self.matrix = data.matrix
        self._rows = data.rows()

    def score_folds(self, tasks: Sequence[FoldTask], tasks_a_core: int | None = None) -> Iterator[list[FoldResult]]:
        """Fit and score candidates on folds; yields the results of all tasks at once."""
        started = time.perf_counter()
        fitted = [self._fitted(task.trial, task.fold) for task in tasks]
        models = [(model, task.fold) for (model, _), task in zip(fitted, tasks, strict=True) if model is not None]
        answers = iter(self._answers(models) if models else [])
        seconds = (time.perf_counter() - started) / len(tasks)
        metric = metric_for(self.data.train.metric, self.matrix.multi)
        results = []
        for (model, said), task in zip(fitted, tasks, strict=True):
            failed = FoldResult(
                task.experiment_id, task.fold, None, None, Reason.FIT_FAILED.value, said, seconds, version_of(metric)
            )
            results.append(failed if model is None else self._judged(task, metric, next(answers), said, seconds))
        yield results

    def refit(self, trial: Trial) -> FittedModel:
        """Fit a candidate on the whole training part; it gets no calibration, which needs scores of all songs."""
        started = time.perf_counter()
        model, said = self._fitted(trial, None)
        if model is None:
            raise ModelError(f"{trial.name}: fitting it on the whole training part failed: {said}")
        unsure = "the matrix stayed in Spark, so the model has no calibration and no prediction sets"
        note = "; ".join(one for one in (said, unsure if self.data.train.calibrate else None) if one)
        seconds = time.perf_counter() - started
        return FittedModel(model.dumps(), model.format, model.score_kind, seconds, note=note or None)

    # Fits

    def _fitted(self, trial: Trial, held_out: int | None) -> tuple[ArrayModel | None, str | None]:
        """Fit a candidate without a fold; returns the model and notes, or None and the error."""
        params = dict(trial.params)
        scaler = params.pop("scaler", SCALERS[0])
        fill, reference = self._medians[held_out], self._medians[None]
        try:
            with threadpool_limits(1):
                total = RawSums.zero(self.matrix.n_classes, self.matrix.n_features)
                for fold in self.matrix.folds:
                    if fold != held_out:
                        total = total.plus(self._sums[fold])
                columns, sums = total.scaled(fill, reference, scaler)
                model, notes = fit_sums(sums, columns, trial.estimator, params)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            return None, f"{type(error).__name__}: {error}"[:500]
        return model, "; ".join(notes) or None

    @cached_property
    def _counts(self) -> tuple[dict[int, dict[str, Array]], NDArray[np.int64]]:
        """Counts by upper half of the bits for each fold, and the number of songs of each bucket."""
        counts: dict[int, dict[str, Array]] = {}
        songs = np.zeros(self.matrix.in_buckets, dtype=np.int64)

        def count(bucket: int, rows: Rows) -> Mapping[int, Mapping[str, Array]]:
            facts = {"bucket": np.array(bucket), "n_songs": np.array(len(np.unique(rows.song)))}
            return {_FACTS: facts, **partial_sums.count_upper(rows)}

        for part, arrays in self._parts(count, _COUNTED):
            if part == _FACTS:
                songs[arrays["bucket"]] = arrays["n_songs"]
            else:
                counts[part] = partial_sums.added([counts[part], arrays] if part in counts else [arrays])
        return counts, songs

    @cached_property
    def _medians(self) -> dict[int | None, Array]:
        """Medians of known values over all rows (key None), and over the rows outside each fold."""
        counts, width = self._counts[0], self.matrix.n_features
        upper = {out: _without(counts, out) for out in (None, *self.matrix.folds)}
        middle = [partial_sums.middle_codes(one, width) for one in upper.values()]
        wanted = np.unique(np.concatenate(middle))
        lower: dict[int, dict[str, Array]] = {}
        for part, arrays in self._parts(lambda _, rows: partial_sums.count_lower(rows, wanted), _COUNTED):
            lower[part] = partial_sums.added([lower[part], arrays] if part in lower else [arrays])
        return {out: partial_sums.medians(one, _without(lower, out), width) for out, one in upper.items()}

    @cached_property
    def _sums(self) -> dict[int, RawSums]:
        """Sums of each fold; buckets are added in order."""
        n_classes, width = self.matrix.n_classes, self.matrix.n_features
        found = {fold: RawSums.zero(n_classes, width) for fold in self.matrix.folds}
        reference = self._medians[None]
        most = max(1, _FETCHED // (8 * len(found) * (3 * width**2 + 2 * n_classes * width + 1)))
        for fold, arrays in self._parts(lambda _, rows: partial_sums.sum_folds(rows, reference), most):
            found[fold].add(arrays)
        return found

    # Answers

    def _answers(self, models: Sequence[tuple[ArrayModel, int]]) -> list[dict[str, Array]]:
        """Predictions of each model for the fold that it was fitted without, and for some of its training songs."""
        song, fold = self.matrix.array("song"), self.matrix.array("fold")
        fitted = {}
        for out in {out for _, out in models}:
            fitted[out] = np.zeros(self.matrix.n_songs, dtype=bool)
            fitted[out][song[some_songs(song, np.flatnonzero(fold != out), self.matrix.n_classes)]] = True
        names = [(self._send(model), out) for model, out in models]
        first = np.concatenate([[0], np.cumsum(self._counts[1])]).tolist()

        def answer(bucket: int, rows: Rows) -> Mapping[int, Mapping[str, Array]]:
            with threadpool_limits(1):
                there = [(_read(locate(name, None)), out) for name, out in names]
                return partial_sums.predict_songs(rows, there, first[bucket], fitted)

        found: list[list[dict[str, Array]]] = [[] for _ in models]
        for place, arrays in self._parts(answer, self.matrix.in_buckets):
            found[place].append(arrays)
        return [{name: np.concatenate([one[name] for one in some]) for name in some[0]} for some in found]

    def _judged(
        self, task: FoldTask, metric: str, answers: Mapping[str, Array], said: str | None, seconds: float
    ) -> FoldResult:
        held, known = (
            score_predicted(metric, self._genres[answers[name]], answers[f"{name}_class"], self.matrix.n_classes)
            for name in ("held", "known")
        )
        return FoldResult(
            task.experiment_id, task.fold, held.value, known.value, None, said, seconds, version_of(metric),
            held.n_absent,
        )  # fmt: skip

    @cached_property
    def _genres(self) -> NDArray[np.int64]:
        """Class of each song."""
        first = np.unique(self.matrix.array("song"), return_index=True)[1]
        return np.asarray(self.matrix.array("y")[first], dtype=np.int64)

    def _send(self, model: ArrayModel) -> str:
        content = model.dumps()
        name = f"{hashlib.sha256(content).hexdigest()[:20]}-sums.npz"
        path = scratch_folder("sent") / f".{name}"
        path.write_bytes(content)
        send_file(self.data.spark, path, name)
        path.unlink()
        return name

    # Buckets

    def _parts(self, work: _Work, at_once: int) -> Iterator[tuple[int, dict[str, Array]]]:
        """Run ``work`` on each bucket in Spark; yields (part, arrays) in the order of buckets.

        Parameters
        ----------
        at_once : number of buckets whose results are fetched together.
        """
        classes, width = self.matrix.classes, self.matrix.n_features
        weights = self.data.train.balance == "weights"

        def one(table: pa.Table) -> pa.Table:
            bucket = table.column("bucket")[0].as_py()
            with threadpool_limits(1):  # with several threads the last digits of sums vary
                return partial_sums.pack(bucket, work(bucket, Rows.of(table, classes, width, weights)))

        for start in range(0, self.matrix.in_buckets, at_once):
            mine = self._rows.where(F.col("bucket").between(start, start + at_once - 1))
            made = mine.groupBy("bucket").applyInArrow(one, PARTIAL).toArrow()
            for row in made.sort_by([("bucket", "ascending"), ("part", "ascending")]).to_pylist():
                yield row["part"], partial_sums.unpack(row["content"])


def _without(counts: Mapping[int, Mapping[str, Array]], held_out: int | None) -> dict[str, Array]:
    return partial_sums.added(counts[fold] for fold in sorted(counts) if fold != held_out)


@lru_cache(maxsize=64)
def _read(path: str) -> Any:
    """Read a model once per worker process; the file name contains its hash."""
    return array_files.loads(Path(path).read_bytes())
