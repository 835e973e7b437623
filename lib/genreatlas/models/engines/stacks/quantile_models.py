"""Stacks over frames: songs are classified by the distribution of their frames' logits, not only by the mean or votes.

A member predicts a probability of each genre for every frame (or window, or other row of a clip). Features of the
second model are quantiles of the logits of each genre over the rows of a song, so that it separates a song of which a
third is loud from a song that is half as loud throughout. It is fitted on out-of-fold predictions of the member; folds
never divide a group. (Wolpert 1992.)

In training, quantiles are computed over a song's rows; in scoring, over the rows of each clip, and the probabilities of
clips are averaged. Both are the same for songs with one clip.
"""

from dataclasses import dataclass
from zipfile import ZIP_DEFLATED

import numpy as np
import skops.io

from genreatlas.arrays import RowIndex
from genreatlas.errors import ModelError, Reason
from genreatlas.models.engines.calibration import Array, fold_splits
from genreatlas.models.engines.estimators import limits
from genreatlas.models.engines.file_models import Clips, ClipScores, votes
from genreatlas.models.engines.scikit_learn.sklearn_pipelines import (
    ESTIMATORS,
    SklearnModel,
    fit_pipeline,
    make_pipeline,
)
from genreatlas.models.engines.scikit_learn.skops_checks import check_arrays
from genreatlas.models.engines.stacks.stack_facts import MEMBERS
from genreatlas.models.engines.stacks.stack_models import logits_of
from genreatlas.models.engines.task_fits import CandidateLimit, GridSettings, MatrixFiles
from genreatlas.models.types import ScoreKind, Trial
from genreatlas.values import JsonView

#: Quantiles of each genre's logits over the rows of a song.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

#: Default member; it can be fitted on many rows.
USUAL_MEMBER = "logistic_regression"


@dataclass(frozen=True)
class QuantileModel:
    """A fitted stack over frames: ``member`` scores rows, ``top`` the quantiles of a song's logits."""

    member: SklearnModel
    top: SklearnModel

    format = "stack"
    multi = False
    score_kind: ScoreKind = "probability"

    @property
    def n_classes(self) -> int:
        """Number of genres."""
        return self.top.n_classes

    @property
    def n_features(self) -> int:
        """Number of columns of a row."""
        return self.member.n_features

    def matrix_scores(self, X: Array, rows: RowIndex, song: Array) -> Array:
        """Score rows; all rows of a song get the song's scores. Rows of a song are contiguous."""
        of_row = np.asarray(song[rows])
        starts = np.flatnonzero(np.diff(of_row, prepend=of_row[:1] - 1))
        lengths = np.diff(np.append(starts, len(of_row)))
        return np.repeat(self._scores(logits_of(self.member, np.asarray(X[rows])), lengths), lengths, axis=0)

    def clip_scores(self, clips: Clips) -> ClipScores:
        """Sums of scores of clips: the clip's score times its number of rows; votes are those of the rows.

        Raises
        ------
        ModelError : the rows of a clip have another number of features than in training.
        """
        n_rows, X = clips.rows(self.n_features)
        there = np.flatnonzero(n_rows)
        logits = logits_of(self.member, X)
        sums = np.zeros((len(n_rows), self.n_classes))
        counted = np.zeros((len(n_rows), self.n_classes), dtype=np.int64)
        if len(there):
            sums[there] = self._scores(logits, n_rows[there]) * n_rows[there][:, None]
            np.add.at(counted, np.repeat(np.arange(len(n_rows)), n_rows), votes(logits, self))
        return ClipScores(n_rows, sums, counted)

    def dumps(self) -> bytes:
        """Content of the skops file."""
        content = {"member": self.member.pipeline, "top": self.top.pipeline, "n_classes": self.n_classes}
        return skops.io.dumps(content, compression=ZIP_DEFLATED, compresslevel=6)

    def _scores(self, logits: Array, lengths: Array) -> Array:
        return np.asarray(self.top.scores(spread_of(logits, lengths)))


def spread_of(logits: Array, lengths: Array) -> Array:
    """Quantiles of runs of rows, (n_runs, n_classes * n_quantiles) float32.

    Parameters
    ----------
    logits : (n_rows, n_classes)
    lengths : (n_runs,) number of rows of each run, at least 1; their sum is n_rows.
    """
    runs = np.split(logits, np.cumsum(lengths)[:-1])
    found = [np.quantile(run, QUANTILES, axis=0).T.ravel() for run in runs]
    return np.array(found, dtype=np.float32).reshape(len(runs), logits.shape[1] * len(QUANTILES))


def from_fields(fields: JsonView) -> QuantileModel:
    """Build the model from the content of a file.

    Raises
    ------
    ModelError : the parts of the model are inconsistent.
    """
    n_classes = int(fields["n_classes"])
    member, top = (SklearnModel(fields[name], n_classes, multi=False) for name in ("member", "top"))
    for one in (member, top):
        check_arrays(one.pipeline, one.n_features)
    if top.n_features != n_classes * len(QUANTILES):
        raise ModelError("the model file is damaged: its two models do not fit together.")
    return QuantileModel(member, top)


def fit(trial: Trial, files: MatrixFiles, settings: GridSettings, rows: Array) -> tuple[QuantileModel, list[str]]:
    """Fit a candidate; see :meth:`.task_engine.TaskEngine.fit`."""
    if files.multi:
        raise CandidateLimit(
            Reason.FIT_FAILED, "a stack needs one genre per song, and train.labels = multi allows several"
        )
    rows = np.asarray(rows)
    rows = rows[np.argsort(files.array("song")[rows], kind="stable")]  # rows of a song become contiguous
    song, y, fold = (np.asarray(files.array(name)[rows]) for name in ("song", "y", "fold"))
    starts = np.flatnonzero(np.diff(song, prepend=song[:1] - 1))
    lengths = np.diff(np.append(starts, len(rows)))
    if lengths.max(initial=0) < 2:
        raise CandidateLimit(Reason.OTHER_LAYOUT, "every song has one row; quantiles need frames or windows")
    name = str(trial.params.get("member", USUAL_MEMBER))
    if (exceeded := limits(ESTIMATORS[name].facts, len(rows), files.n_classes)) is not None:
        raise CandidateLimit(exceeded[0], f"{name}: {exceeded[1]}")
    X = files.array("X")
    weight = np.asarray(files.array("weight")[rows]) if settings.weights else None

    def fitted(mine: Array) -> tuple[SklearnModel, list[str]]:
        params = {"scaler": trial.params.get("member_scaler", "standard"), **MEMBERS[name]}
        pipeline = make_pipeline(ESTIMATORS[name], params, trial.seed)
        own = weight[mine] if weight is not None and ESTIMATORS[name].facts.weights else None
        notes = fit_pipeline(pipeline, lambda: np.array(X[rows[mine]], dtype=np.float32), y[mine], own)
        return SklearnModel(pipeline, files.n_classes, multi=False), notes

    member, notes = fitted(np.arange(len(rows)))
    logits = np.zeros((len(rows), files.n_classes))
    parts = fold_splits(fold) if len(np.unique(fold)) > 1 else []
    for train, out in parts:
        logits[out] = logits_of(fitted(train)[0], np.asarray(X[rows[out]]))
    if not parts:
        logits = logits_of(member, np.asarray(X[rows]))
        notes = [*notes, "only one fold: quantiles are from rows that the member was trained on"]
    top = make_pipeline(
        ESTIMATORS["logistic_regression"], {"scaler": "standard", "C": float(trial.params.get("C", 0.1))}, trial.seed
    )
    values = spread_of(logits, lengths)
    said = fit_pipeline(top, lambda: values.copy(), y[starts], None if weight is None else weight[starts])
    top_model = SklearnModel(top, files.n_classes, multi=False)
    return QuantileModel(member, top_model), [*notes, *(f"model of quantiles: {line}" for line in said)]
