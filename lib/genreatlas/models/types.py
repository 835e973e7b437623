"""What the parts of training hand to each other: candidates, their scores and fitted models."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from genreatlas.values import Params, RowView

ScoreKind = Literal["probability", "margin"]

#: What a model says of clips: one row a clip. ``score_sum`` and ``votes`` follow its classes;
#: ``score_sum`` adds the class scores of the clip's rows (1 row, or its frames) and ``votes`` counts the rows in
#: which a class scored highest (several labels: in which it was predicted), so that
#: ``sum(score_sum) / sum(n_rows)`` over clips is the song's mean score, and ``votes[true class]`` of ``n_rows`` rows
#: were right on their own.
PREDICTED = "song_id string, clip_id string, n_rows int, score_sum array<double>, votes array<int>"

#: What a model says of whole songs where it knows more genres than are kept of each song: one row a song. Places are
#: indices into its classes, ``best`` and ``best_by_vote`` those of the highest mean score and of the most votes;
#: ``scores`` are the mean scores of ``places``, the highest ones first, the true genre's among them; ``higher`` and
#: ``equal`` count the classes with a higher and with the same mean score as the true genre, itself included.
#: ``vote_places`` and ``votes`` count rows, where the song has several. ``set_places`` are the classes of
#: the prediction set, the most probable first, empty where it has more than were asked for. Sets are NULL for models
#: without; else scores are calibrated. ``family_scores`` are sums over the classes of each family of ``family_places``,
#: the highest first and the true one's among them; NULL where there are no families.
ANSWERED = (
    "song_id string, n_rows int, best int, best_by_vote int, n_rows_correct int, higher int, equal int, "
    "places array<int>, scores array<double>, vote_places array<int>, votes array<int>, "
    "set_size int, in_set boolean, set_places array<int>, family_places array<int>, family_scores array<double>"
)


@dataclass(frozen=True)
class Trial:
    """One candidate: an estimator with one set of parameters on one feature set.

    ``params`` is JSON-able and holds the estimator's parameters and ``scaler``.
    """

    name: str
    engine: str
    estimator: str
    feature_set: str
    params: Params
    seed: int

    @property
    def params_json(self) -> str:
        """Parameters as JSON with sorted keys, as the tables store them."""
        return json.dumps(dict(self.params), sort_keys=True)


@dataclass(frozen=True)
class FoldTask:
    """One candidate to be fitted without one fold, and scored on it."""

    experiment_id: str
    trial: Trial
    fold: int


@dataclass(frozen=True)
class FoldResult:
    """What became of a :class:`FoldTask`: scores, or the reason why there are none."""

    experiment_id: str
    fold: int
    score: float | None
    train_score: float | None
    reason: str | None  #: a value of :class:`genreatlas.errors.Reason`
    detail: str | None
    seconds: float
    metric_version: int | None = None  #: of the scores' definition, from :func:`genreatlas.metrics.version_of`
    n_absent: int | None = None  #: classes without a song in the fold


@dataclass(frozen=True)
class FittedModel:
    """A candidate fitted on the whole training part, as bytes of one file."""

    content: bytes
    format: str
    score_kind: ScoreKind
    seconds: float
    confidence: RowView | None = None  #: see :meth:`genreatlas.models.confidence.Confidence.to_json`
    note: str | None = None  #: what a user should know of the fit, such as why the model has no confidence

    facts = None  #: the file says everything

    def save(self, path: Path) -> None:
        """Write the file."""
        path.write_bytes(self.content)
