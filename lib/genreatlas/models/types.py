"""Types shared by the modules of training: candidates, their scores, fitted models, and schemas of predictions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from genreatlas.values import Params, RowView

ScoreKind = Literal["probability", "margin"]

#: Schema of predictions for clips, one row per clip. ``score_sum`` and ``votes`` have one entry per class:
#: ``score_sum`` is the sum of the class scores over the clip's rows (1 row, or its frames), and ``votes`` the number of
#: rows in which the class scored highest (multi-label: was predicted). ``sum(score_sum) / sum(n_rows)`` over clips is
#: the song's mean score; ``votes[true class]`` is the number of rows that were right.
PREDICTED = "song_id string, clip_id string, n_rows int, score_sum array<double>, votes array<int>"

#: Schema of predictions for songs of models with many classes, one row per song. Only the highest scores are kept.
#: Places are class indices. ``best`` has the highest mean score, ``best_by_vote`` the most votes. ``scores`` are the
#: mean scores of ``places``, highest first, including the true genre. ``higher`` and ``equal`` are the numbers of
#: classes with a higher and with the same mean score as the true genre (itself included). ``vote_places`` and ``votes``
#: are the row counts per class of songs with several rows. ``set_places`` are the classes of the prediction set, the
#: most probable first; empty if the set is larger than requested. Columns of sets are NULL for models without sets;
#: otherwise scores are calibrated. ``family_scores`` are sums over the classes of each family in ``family_places``,
#: highest first, including the true family; NULL if no families were given.
ANSWERED = (
    "song_id string, n_rows int, best int, best_by_vote int, n_rows_correct int, higher int, equal int, "
    "places array<int>, scores array<double>, vote_places array<int>, votes array<int>, "
    "set_size int, in_set boolean, set_places array<int>, family_places array<int>, family_scores array<double>"
)


@dataclass(frozen=True)
class Trial:
    """One candidate: an estimator with one set of parameters on one feature set.

    ``params`` can be written as JSON and holds the estimator's parameters and ``scaler``.
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
    """Result of a :class:`FoldTask`: scores, or the reason why there are none."""

    experiment_id: str
    fold: int
    score: float | None
    train_score: float | None
    reason: str | None  #: a value of :class:`genreatlas.errors.Reason`
    detail: str | None
    seconds: float
    metric_version: int | None = None  #: version of the metric's definition (:func:`genreatlas.metrics.version_of`)
    n_absent: int | None = None  #: classes without a song in the fold


@dataclass(frozen=True)
class FittedModel:
    """A candidate fitted on the whole training part, as bytes of one file."""

    content: bytes
    format: str
    score_kind: ScoreKind
    seconds: float
    confidence: RowView | None = None  #: see :meth:`genreatlas.models.confidence.Confidence.to_json`
    note: str | None = None  #: message about the fit for the user, such as why there is no confidence

    facts = None  #: the file is complete; see :attr:`genreatlas.models.engines.protocol.Fitted.facts`

    def save(self, path: Path) -> None:
        """Write the file."""
        path.write_bytes(self.content)
