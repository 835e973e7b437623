"""Stacks over frames: a song is judged by how its frames' logits are distributed, not by their mean or vote alone.

A member gives every frame (or window, or other row of a clip) a probability of each genre. Of a song, the second model
sees some quantiles of the logits of each genre over its rows, and so tells a song of which a third is loud from one
that is half as loud throughout. It is fitted on rows that its member did not learn from: the member is fitted without
one fold after the other, and folds never part a group. (Wolpert 1992.)

Quantiles are taken over a song's rows in training, and over each clip's in scoring, whose probabilities are then
averaged: the same where a song has one clip.
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

#: Of each genre's logits over the rows of a song.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

#: What judges rows where a candidate names nothing: it takes many rows.
USUAL_MEMBER = "logistic_regression"


@dataclass(frozen=True)
class QuantileModel:
    """A fitted stack over frames: ``member`` judges rows, ``top`` the quantiles of a song's logits."""

    member: SklearnModel
    top: SklearnModel

    format = "stack"
    multi = False
    score_kind: ScoreKind = "probability"

    @property
    def n_classes(self) -> int:
        """Genres."""
        return self.top.n_classes

    @property
    def n_features(self) -> int:
        """Columns of a row."""
        return self.member.n_features

    def matrix_scores(self, X: Array, rows: RowIndex, song: Array) -> Array:
        """Scores of songs, each the same in all its rows; the rows of a song stand together."""
        of_row = np.asarray(song[rows])
        starts = np.flatnonzero(np.diff(of_row, prepend=of_row[:1] - 1))
        lengths = np.diff(np.append(starts, len(of_row)))
        return np.repeat(self._scores(logits_of(self.member, np.asarray(X[rows])), lengths), lengths, axis=0)

    def clip_scores(self, clips: Clips) -> ClipScores:
        """Scores of clips, each as often as it has rows; votes are those of the rows.

        Raises
        ------
        ModelError : a clip's rows are not as wide as the model was trained on.
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
        """The model as a skops file."""
        content = {"member": self.member.pipeline, "top": self.top.pipeline, "n_classes": self.n_classes}
        return skops.io.dumps(content, compression=ZIP_DEFLATED, compresslevel=6)

    def _scores(self, logits: Array, lengths: Array) -> Array:
        return np.asarray(self.top.scores(spread_of(logits, lengths)))


def spread_of(logits: Array, lengths: Array) -> Array:
    """Quantiles of runs of rows, (n_runs, n_classes * n_quantiles) float32.

    Parameters
    ----------
    logits : (n_rows, n_classes)
    lengths : of each run, at least 1; together all rows.
    """
    runs = np.split(logits, np.cumsum(lengths)[:-1])
    found = [np.quantile(run, QUANTILES, axis=0).T.ravel() for run in runs]
    return np.array(found, dtype=np.float32).reshape(len(runs), logits.shape[1] * len(QUANTILES))


def from_fields(fields: JsonView) -> QuantileModel:
    """The model of a file's content.

    Raises
    ------
    ModelError : its parts do not fit together.
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
        raise CandidateLimit(Reason.FIT_FAILED, "a stack is for one genre a song: train.labels = multi has several")
    rows = np.asarray(rows)
    rows = rows[np.argsort(files.array("song")[rows], kind="stable")]  # a song's rows together
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
        notes = [*notes, "one fold: quantiles are of rows that the member learnt from"]
    top = make_pipeline(
        ESTIMATORS["logistic_regression"], {"scaler": "standard", "C": float(trial.params.get("C", 0.1))}, trial.seed
    )
    values = spread_of(logits, lengths)
    said = fit_pipeline(top, lambda: values.copy(), y[starts], None if weight is None else weight[starts])
    top_model = SklearnModel(top, files.n_classes, multi=False)
    return QuantileModel(member, top_model), [*notes, *(f"of quantiles: {line}" for line in said)]
