"""What the parts of training hand to each other: data set, matrix, candidate, fitted model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame

Axis = Literal["summary", "frames"]
Engine = Literal["spark", "sklearn", "baseline"]
ScoreKind = Literal["probability", "margin"]
Format = Literal["spark-ml", "skops", "json"]

#: What :meth:`Predictor.predict` returns: one row a clip. ``score_sum`` and ``votes`` follow ``Predictor.classes``;
#: ``score_sum`` adds the class scores of the clip's rows (1 row, or its frames) and ``votes`` counts the rows in
#: which a class scored highest (several labels: in which it was predicted), so that
#: ``sum(score_sum) / sum(n_rows)`` over clips is the song's mean score, and ``votes[true class]`` of ``n_rows`` rows
#: were right on their own.
PREDICTED = "song_id string, clip_id string, n_rows int, score_sum array<double>, votes array<int>"


@dataclass(frozen=True)
class Dataset:
    """Rows of one feature set joined with labels and split, filtered by ``[train]``.

    ``frame`` has one row a clip, for every part but ``excluded``: song_id, clip_id, group_id, part
    (train, promotion, test), fold int (NULL outside train), genres array<string> (one genre, more only
    where labels = multi), weight double, and features array<float> (summary; NULL inside = undefined) or
    frames array<float>, width int, n_frames int (frames). It is lazy: read it once, or stage it.
    """

    feature_set: str
    set_version: str
    preprocessing_id: str
    axis: Axis
    columns: tuple[str, ...]  #: columns of the feature table, before one-hot encoding
    features: tuple[str, ...]  #: columns of the matrix, after one-hot encoding
    classes: tuple[str, ...]  #: genre ids, sorted
    class_names: tuple[str, ...]
    level: Literal["genre", "parent"]
    labels: Literal["drop", "rarest", "multi"]
    split: str
    split_version: int
    grouping: str
    input_versions: dict[str, int]  #: Delta version of every table that was read
    songs: pd.DataFrame  #: song_id (sorted), group_id, part, fold, genres (tuple), weight
    dropped: pd.DataFrame  #: per genre, columns of :data:`genreatlas.models.labels.DROPPED`
    frame: DataFrame
    left_out: tuple[str, ...] = ()  #: columns that give the genre away, and why

    @property
    def multi(self) -> bool:
        """Whether a song may have several genres at once."""
        return self.labels == "multi"


@dataclass(frozen=True)
class Matrix:
    """The training part as ``.npy`` files on the driver, rows sorted by song_id, clip_id, frame.

    File names start with ``dataset_id``, so that matrices shipped to workers by base name never collide.

    ========= ============================ =====================================================
    X         (n_rows, n_features) float32 NaN = missing
    y         (n_rows,) int32              index into classes; multi: (n_rows, n_classes) bool
    fold      (n_rows,) int16              fold of the song, from 0
    song      (n_rows,) int32              index into the sorted song ids of the training part
    group     (n_rows,) int32              index into the sorted group ids
    weight    (n_rows,) float32            1 unless balance = weights
    ========= ============================ =====================================================
    """

    dataset_id: str
    folder: Path
    n_rows: int
    n_songs: int
    features: tuple[str, ...]
    classes: tuple[str, ...]
    folds: tuple[int, ...]  #: folds that have rows, ascending
    axis: Axis
    multi: bool
    sha256: str = ""  #: over the values of all arrays

    ARRAYS = ("X", "y", "fold", "song", "group", "weight")

    def file(self, name: str) -> Path:
        """Path of one of :attr:`ARRAYS` on the driver."""
        return self.folder / f"{self.dataset_id}-{name}.npy"

    def array(self, name: str) -> np.ndarray:
        """One of :attr:`ARRAYS`, memory-mapped and read-only."""
        return np.load(self.file(name), mmap_mode="r")

    @property
    def n_features(self) -> int:
        """Columns of X."""
        return len(self.features)

    @property
    def n_classes(self) -> int:
        """Genres."""
        return len(self.classes)

    @property
    def n_bytes(self) -> int:
        """Size of all files."""
        return sum(self.file(name).stat().st_size for name in self.ARRAYS)


@dataclass(frozen=True)
class Trial:
    """One candidate: an estimator with one set of parameters on one feature set.

    ``params`` is JSON-able and holds the estimator's parameters and ``scaler``.
    """

    name: str
    engine: Engine
    estimator: str
    feature_set: str
    params: Mapping[str, Any]
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
    """A candidate fitted on the whole training part, as bytes of one file (skops, or JSON for dummies)."""

    content: bytes
    format: Literal["skops", "json"]
    score_kind: ScoreKind
    seconds: float


class Predictor(Protocol):
    """A loaded model. ``features`` are the columns of :attr:`Dataset.features`, in that order."""

    @property
    def model_id(self) -> str:
        """As the table ``models`` has it."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Genre ids in the order of the scores."""
        ...

    @property
    def features(self) -> tuple[str, ...]:
        """Columns that it reads."""
        ...

    @property
    def axis(self) -> Axis:
        """Whether it reads clips or frames."""
        ...

    @property
    def multi(self) -> bool:
        """Whether a song may have several genres."""
        ...

    @property
    def score_kind(self) -> ScoreKind:
        """What its scores are."""
        ...

    def predict(self, frame: DataFrame) -> DataFrame:
        """Score clips.

        Parameters
        ----------
        frame : song_id, clip_id, and features array<float> (summary) or frames array<float> and width (frames),
            as :attr:`Dataset.frame` has them; other columns are ignored. clip_id is unique.

        Returns
        -------
        One row a clip with the schema :data:`PREDICTED`, lazily.
        """
        ...
