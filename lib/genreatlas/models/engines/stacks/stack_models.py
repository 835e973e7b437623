"""Stacks: members of several kinds on several feature sets, mixed with weights fitted on held-out songs.

A candidate on joined sets fits its members, each on the columns of one set (or on all), and mixes their logits:

    logit of a genre = intercept of the genre + sum over members of weight * logit of the member

Weights are fitted on out-of-fold predictions: each member is fitted without one fold after the other, and folds never
divide a group, so no song is scored by a member that was fitted on its group. Only folds of the stack's own training
rows are used, never the fold on which the stack is scored. A member has one non-negative weight for all genres, and a
penalty shrinks the weights to a common value, as a few hundred songs do not suffice for more. (Wolpert 1992; Breiman
1996 on non-negative weights; Ting & Witten 1999 on probabilities as inputs.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from zipfile import ZIP_DEFLATED

import numpy as np
import skops.io
from scipy.optimize import minimize

from genreatlas.errors import ModelError, Reason
from genreatlas.models.engines.calibration import Array, fold_splits
from genreatlas.models.engines.estimators import limits
from genreatlas.models.engines.file_models import RowModel
from genreatlas.models.engines.scikit_learn.sklearn_pipelines import (
    ESTIMATORS,
    SklearnModel,
    fit_pipeline,
    make_pipeline,
    read_fields,
)
from genreatlas.models.engines.scikit_learn.sklearn_pipelines import column_weights as weights_of_columns
from genreatlas.models.engines.scikit_learn.skops_checks import check_arrays
from genreatlas.models.engines.stacks.stack_facts import MEMBERS, PLUS, USUAL
from genreatlas.models.engines.task_fits import CandidateLimit, GridSettings, MatrixFiles
from genreatlas.models.types import ScoreKind, Trial
from genreatlas.values import JsonView, Params

Model = TypeVar("Model")

#: Probabilities are clipped from below, so that a member's probability of 0 does not exclude a genre.
_LEAST = 1e-4


@dataclass(frozen=True)
class Member:
    """One member to be fitted: an estimator with its parameters, on some columns of the matrix.

    ``name`` is a display name: estimator and feature set.
    """

    name: str
    estimator: str
    params: Params
    columns: Array


@dataclass(frozen=True)
class Part:
    """One fitted member of a stack.

    ``scale`` divides the logits, so that weights of members are comparable.
    """

    name: str
    columns: Array
    scale: float
    model: SklearnModel

    def logits(self, X: Array) -> Array:
        """Logits of rows, (n_rows, n_classes), with mean 0 over the classes."""
        return logits_of(self.model, X[:, self.columns]) / self.scale


@dataclass(frozen=True)
class StackModel(RowModel):
    """A fitted stack.

    ``weights`` (n_members,) and ``intercepts`` (n_classes,) are those of the formula in the module's docstring.
    """

    parts: tuple[Part, ...]
    weights: Array
    intercepts: Array
    n_features: int

    format = "stack"
    multi = False
    score_kind: ScoreKind = "probability"

    @property
    def n_classes(self) -> int:
        """Number of genres."""
        return len(self.intercepts)

    def scores(self, X: Array) -> Array:
        """Probability of each class, (n_rows, n_classes) float64."""
        logits = np.tile(self.intercepts, (len(X), 1))
        for weight, part in zip(self.weights, self.parts, strict=True):
            if weight > 0.0:
                logits += weight * part.logits(X)
        return _softmax(logits)

    def dumps(self) -> bytes:
        """Content of the skops file."""
        parts = [
            {"name": one.name, "columns": one.columns, "scale": one.scale, "pipeline": one.model.pipeline}
            for one in self.parts
        ]
        content = {
            "parts": parts, "weights": self.weights, "intercepts": self.intercepts, "n_features": self.n_features,
        }  # fmt: skip
        return skops.io.dumps(content, compression=ZIP_DEFLATED, compresslevel=6)


def loads(content: bytes) -> StackModel:
    """Read a skops file of a stack.

    Raises
    ------
    ModelError : the file is of another kind, has types that are not trusted, or its parts are inconsistent.
    """
    return checked(read_fields(content), from_fields)


def checked(fields: JsonView, read: Callable[[JsonView], Model]) -> Model:
    """Build a model from the content of a file with ``read``; any exception becomes a ModelError."""
    try:
        return read(fields)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"the model file cannot be loaded: {type(error).__name__}: {error}") from None


def from_fields(fields: JsonView) -> StackModel:
    """Build the model from the content of a file; ModelError if its parts are inconsistent."""
    weights, intercepts = (np.asarray(fields[name], dtype=np.float64) for name in ("weights", "intercepts"))
    n_features, parts = int(fields["n_features"]), []
    for one in fields["parts"]:
        model = SklearnModel(one["pipeline"], len(intercepts), multi=False)
        columns = np.asarray(one["columns"], dtype=np.int64)
        if model.n_features != len(columns) or not ((columns >= 0) & (columns < n_features)).all():
            raise ModelError("the model file is damaged: columns of a stack's member point outside its features.")
        check_arrays(model.pipeline, model.n_features)
        parts.append(Part(str(one["name"]), columns, float(one["scale"]), model))
    if weights.shape != (len(parts),) or intercepts.ndim != 1 or not np.isfinite([*weights, *intercepts]).all():
        raise ModelError("the model file is damaged: a stack needs one finite weight per member.")
    return StackModel(tuple(parts), weights, intercepts, n_features)


def fit(trial: Trial, files: MatrixFiles, settings: GridSettings, rows: Array) -> tuple[StackModel, list[str]]:
    """Fit a stack with a candidate's parameters; see :meth:`.task_engine.TaskEngine.fit`."""
    if files.multi:
        raise CandidateLimit(
            Reason.FIT_FAILED, "a stack needs one genre per song, and train.labels = multi allows several"
        )
    members = members_of_trial(trial, files.features)
    for member in members:
        if (exceeded := limits(ESTIMATORS[member.estimator].facts, len(rows), files.n_classes)) is not None:
            raise CandidateLimit(exceeded[0], f"{member.estimator}: {exceeded[1]}")
    X = files.array("X")
    y, fold = files.array("y")[rows], files.array("fold")[rows]
    weight = files.array("weight")[rows] if settings.weights else None
    C = float(trial.params.get("C", 1.0))
    return fit_stack(members, np.array(X[rows], dtype=np.float32), y, fold, files.n_classes, C, trial.seed, weight)


def members_of_trial(trial: Trial, features: Sequence[str]) -> list[Member]:
    """List the members of a candidate: each estimator on each set, and with ``together`` also on all sets at once.

    Parameters
    ----------
    features : columns of the matrix; for joined sets they begin with the set's name.
    """
    sets = trial.feature_set.split(PLUS)
    of_set = {name: columns_of(name, sets, features) for name in sets}
    if len(sets) > 1 and trial.params.get("together", False):
        of_set["all sets"] = np.arange(len(features))
    scaler = trial.params.get("member_scaler", "standard")
    return [
        Member(f"{estimator} on {name}", estimator, {"scaler": scaler, **MEMBERS[estimator]}, columns)
        for name, columns in of_set.items()
        for estimator in trial.params.get("members", USUAL)
        if len(columns)
    ]


def columns_of(name: str, sets: Sequence[str], features: Sequence[str]) -> Array:
    """Indices of a set's columns among those of joined sets; a column belongs to the longest matching set name."""
    if len(sets) == 1:
        return np.arange(len(features))
    found = []
    for place, feature in enumerate(features):
        owners = [one for one in sets if feature.startswith(f"{one}_")]
        if max(owners, key=len, default="") == name:
            found.append(place)
    return np.array(found, dtype=np.int64)


def fit_stack(
    members: Sequence[Member],
    X: Array,
    y: Array,
    fold: Array,
    n_classes: int,
    C: float = 1.0,
    seed: int = 7,
    weight: Array | None = None,
) -> tuple[StackModel, list[str]]:
    """Fit members and weights on rows with folds that never divide a group.

    Parameters
    ----------
    members : members to fit.
    X : (n_rows, n_features) float32, NaN = missing.
    y, fold : (n_rows,) int, class and fold.
    n_classes : number of classes.
    C : inverse strength of the penalty; with a small value the weights are almost equal.
    seed : seed of the members.
    weight : (n_rows,) weight of each row, or None.

    Returns
    -------
    The stack, and notes: its weights, and members that did not converge.
    """
    held = np.full((len(members), len(y), n_classes), np.nan)
    notes: list[str] = []
    for train, out in fold_splits(fold) if len(np.unique(fold)) > 1 else ():
        for place, member in enumerate(members):
            model, _ = _fit_member(member, X, y, train, n_classes, seed, weight)
            held[place, out] = logits_of(model, X[out][:, member.columns])
    known = np.isfinite(held).all(axis=(0, 2))
    spread = np.sqrt(np.nanmean(np.square(held[:, known]), axis=(1, 2))) if known.any() else np.ones(len(members))
    scales = np.where(spread > 1e-6, spread, 1.0)
    heard = None if weight is None else weight[known]
    weights, intercepts = find_weights(held[:, known] / scales[:, None, None], y[known], C, n_classes, heard)
    parts = []
    for member, scale in zip(members, scales, strict=True):
        model, said = _fit_member(member, X, y, np.arange(len(y)), n_classes, seed, weight)
        notes += [f"{member.name}: {line}" for line in said]
        parts.append(Part(member.name, member.columns, float(scale), model))
    order = np.argsort(-weights, kind="stable")
    shown = ", ".join(f"{members[place].name} {weights[place]:.2f}" for place in order)
    return StackModel(tuple(parts), weights, intercepts, X.shape[1]), [f"weights: {shown}", *notes]


def _fit_member(
    member: Member, X: Array, y: Array, rows: Array, n_classes: int, seed: int, weight: Array | None
) -> tuple[SklearnModel, list[str]]:
    estimator = ESTIMATORS[member.estimator]
    pipeline = make_pipeline(estimator, member.params, seed)
    own = weight[rows] if weight is not None and estimator.facts.weights else None
    notes = fit_pipeline(pipeline, lambda: np.array(X[np.ix_(rows, member.columns)], dtype=np.float32), y[rows], own)
    return SklearnModel(pipeline, n_classes, multi=False), notes


def logits_of(model: SklearnModel, X: Array) -> Array:
    """Logarithms of probabilities, or margins, (n_rows, n_classes), minus their mean over the classes."""
    raw = model.scores(X)
    values = np.log(np.maximum(raw, _LEAST)) if model.score_kind == "probability" else raw
    return np.asarray(values - values.mean(axis=1, keepdims=True))


def find_weights(logits: Array, y: Array, C: float, n_classes: int, weight: Array | None = None) -> tuple[Array, Array]:
    """Fit weights of members and intercepts of genres by penalised log loss.

    Parameters
    ----------
    logits : (n_members, n_songs, n_classes), scaled to a root mean square of 1 per member.
    y : (n_songs,) class.
    C : inverse strength of the penalty.
    n_classes : number of classes.
    weight : (n_songs,) weight of each song, or None.

    Returns
    -------
    Weights (n_members,), at least 0, and intercepts (n_classes,) with mean 0; without songs equal weights with sum 2.
    """
    n_members, n_songs, _ = logits.shape
    start = np.concatenate([np.full(n_members, 2.0 / n_members), np.zeros(n_classes)])
    if not n_songs:
        return start[:n_members], start[n_members:]
    share = np.full(n_songs, 1.0 / n_songs) if weight is None else weight / weight.sum()
    truth = np.zeros((n_songs, n_classes))
    truth[np.arange(n_songs), y] = 1.0
    strength = 1.0 / (C * n_songs)

    def loss(values: Array) -> tuple[float, Array]:
        weights, intercepts = values[:n_members], values[n_members:]
        mixed = np.tensordot(weights, logits, axes=1) + intercepts
        highest = mixed.max(axis=1, keepdims=True)
        normaliser = highest + np.log(np.exp(mixed - highest).sum(axis=1, keepdims=True))
        away = weights - weights.mean()
        penalty = n_members * away @ away + intercepts @ intercepts
        value = share @ (normaliser[:, 0] - (mixed * truth).sum(axis=1)) + 0.5 * strength * penalty
        difference = share[:, None] * (np.exp(mixed - normaliser) - truth)
        slope = np.einsum("mnk,nk->m", logits, difference) + strength * n_members * away
        return float(value), np.concatenate([slope, difference.sum(axis=0) + strength * intercepts])

    bounds = [(0.0, None)] * n_members + [(None, None)] * n_classes
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}).x
    return found[:n_members], found[n_members:] - found[n_members:].mean()


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def column_weights(model: StackModel, X: Array) -> Array:
    """Column weights (n_features,) of the members; the sum over a member's columns is the member's weight."""
    found = np.zeros(model.n_features)
    for weight, part in zip(model.weights, model.parts, strict=True):
        own = weights_of_columns(part.model, X[:, part.columns])
        share = np.ones(len(part.columns)) if own is None or not own.sum() else own
        found[part.columns] += weight * share / share.sum()
    return found
