"""Interface of an engine: its estimators, fitting of candidates, and storage and use of fitted models.

An engine is a package beside this module. The package describes the engine in a subclass of :class:`Engine` and imports
no machine-learning library, as ``check`` and reports need names, grids and limits only. Methods that fit or score
import the library themselves. :data:`genreatlas.models.engines.BUILT_IN` lists the engines of this release;
:func:`genreatlas.models.engines.register` adds one.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray
from genreatlas.errors import ConfigError, ModelError, Reason, nearest
from genreatlas.models.engines.estimators import Facts, Quick, faults, limits, one_of
from genreatlas.models.engines.file_models import FileModel
from genreatlas.models.types import FoldResult, FoldTask, ScoreKind, Trial
from genreatlas.values import JsonView

if TYPE_CHECKING:  # Spark tasks import this module without configuration
    from pyspark.sql import DataFrame, SparkSession

    from genreatlas.audio.layouts import Layout
    from genreatlas.config import Candidate, TrainSection
    from genreatlas.datasets.types import Dataset, Matrix
    from genreatlas.models.confidence import Confidence
    from genreatlas.models.engines.judged_rows import JudgedRows
    from genreatlas.models.meta import Meta


class Engine(ABC):
    """Fits candidates with one library or code base, and loads and uses the models.

    Attributes
    ----------
    name : name in the configuration and in tables.
    title : display name.
    imputation : display text: how missing values are imputed.
    estimators : name in the configuration = facts about the estimator.
    noun : name of an estimator in messages; by default derived from ``title``.
    scalers : allowed values of ``scaler`` in a grid; empty if the engine does not scale.
    quick : entries in the preset ``quick``, in the order in which they are tried within a time budget.
    formats : format of the models that the engine reads = name of the file or folder in the model's folder. Exactly
        one engine reads a format; others may write it.
    is_baseline : whether its models are baselines: always tried, never cut, and evaluated one by one.
    sequences : whether it reads the rows of a clip as a sequence; else each row on its own.
    listed_only : whether candidates are tried only if the configuration lists them, not by ``preset = "full"``.
    dear : whether a fit is so expensive that confidence is fitted on whole folds, not on smaller parts.
    without_matrix : estimators that can be fitted in Spark when the matrix is too large to be sent to workers.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    imputation: ClassVar[str]
    estimators: ClassVar[Mapping[str, Facts]]
    noun: ClassVar[str] = ""
    formats: ClassVar[Mapping[str, str]]
    scalers: ClassVar[tuple[str, ...]] = ()
    quick: ClassVar[tuple[Quick, ...]] = ()
    is_baseline: ClassVar[bool] = False
    sequences: ClassVar[bool] = False
    listed_only: ClassVar[bool] = False
    dear: ClassVar[bool] = False
    without_matrix: ClassVar[tuple[str, ...]] = ()

    # Candidates

    def get_estimator(self, name: str) -> Facts:
        """Facts about an estimator; ConfigError with the nearest name if there is none."""
        if name not in self.estimators:
            known = nearest(name, self.estimators, every=True)
            noun = self.noun or f"{self.title} estimator"
            raise ConfigError(f"train.candidates: unknown {noun} {name!r}. {known}")
        return self.estimators[name]

    def grid_points(self, estimator: str, grid: Mapping[str, Sequence[object]]) -> list[dict[str, object]]:
        """Points of a grid, or of the estimator's default grid if it is empty; the default scaler is filled in."""
        default = self.get_estimator(estimator).grid
        values = {name: list(some) for name, some in (grid or default).items()}
        if self.scalers:
            values.setdefault("scaler", list(default.get("scaler", self.scalers))[:1])
        return [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]

    def grid_errors(self, estimator: str, grid: Mapping[str, Sequence[object]]) -> list[str]:
        """List all errors in an estimator's grid; ConfigError if there is no such estimator."""
        known = {"scaler": one_of(*self.scalers)} if self.scalers else {}
        return faults(f"train.candidates: {estimator}", {**known, **self.get_estimator(estimator).params}, grid)

    def check_params(self, estimator: str, params: Mapping[str, object]) -> None:
        """Check one point of a grid; ConfigError with all errors."""
        if found := self.grid_errors(estimator, {key: (value,) for key, value in params.items()}):
            raise ConfigError("\n".join(found))

    def candidate_errors(
        self, candidate: Candidate, train: TrainSection, known_sets: Iterable[str] | None
    ) -> list[str]:
        """List all errors in a candidate of the configuration.

        Parameters
        ----------
        known_sets : available feature sets; None if not known yet.
        """
        found = []
        if foreign := sorted(set(candidate.feature_sets) - set(train.feature_sets)):
            found.append(
                f"train.candidates: {candidate.estimator}: {', '.join(foreign)} is not in train.feature_sets "
                f"({', '.join(train.feature_sets)}). Add it there."
            )
        try:
            return found + self.grid_errors(candidate.estimator, candidate.grid)
        except ConfigError as error:
            return [*found, str(error)]

    def feature_sets(self, candidate: Candidate, train: TrainSection) -> Sequence[str]:
        """Feature sets on which a candidate is tried."""
        return candidate.feature_sets or train.feature_sets

    def always(self, known_sets: Iterable[str]) -> Sequence[str]:
        """Estimators that are always tried, whether listed or not."""
        return ()

    def over_limit(self, estimator: str, matrix: Matrix) -> tuple[Reason, str] | None:
        """Why an estimator cannot be fitted on a data set, such as too many rows; None if it can."""
        return limits(self.get_estimator(estimator), matrix.n_rows, matrix.n_classes)

    # Fitting

    @abstractmethod
    def fitter(self) -> Callable[[TrainingData], Fitter]:
        """Factory of the fitter, called once per feature set. Engines with the same factory share Spark jobs."""

    def large_fitter(self) -> Callable[[TrainingData], Fitter]:
        """Factory of the fitter for estimators in :attr:`without_matrix` when the rows stay in Spark."""
        return self.fitter()

    # Models

    @abstractmethod
    def load(self, meta: Meta, path: Path) -> StoredModel:
        """Load a stored model.

        Parameters
        ----------
        meta : metadata of the model.
        path : existing file or folder, named as in ``formats``.

        Raises
        ------
        ModelError : the model cannot be read.
        """

    def open(self, path: Path) -> FileModel:
        """Load a stored model for use without Spark.

        Raises
        ------
        ModelError : the model cannot be read, or needs Spark.
        """
        raise ModelError(f"it is a model of {self.title}, which needs a Spark session: use the job score.")

    def losses(self, path: Path) -> Losses | None:
        """Losses per epoch of a stored model's training; None if they are not stored."""
        return None

    @property
    def needs_spark(self) -> bool:
        """Whether its models need a Spark session."""
        return type(self).open is Engine.open


@dataclass(frozen=True)
class Losses:
    """Losses of the epochs of a fit.

    Attributes
    ----------
    trained : training loss per epoch, with dropout and augmentation.
    held_out : loss per epoch on the held-out songs of early stopping.
    best : epoch whose weights were kept, counted from 1.
    """

    trained: tuple[float, ...]
    held_out: tuple[float, ...]
    best: int


@dataclass(frozen=True)
class TrainingData:
    """Input of fitters: the training data of one feature set.

    Attributes
    ----------
    rows : returns the rows of the matrix as a staged frame (:func:`genreatlas.datasets.matrix.training_rows`). They are
        staged at the first call, so engines that do not call it save the staging.
    """

    spark: SparkSession
    dataset: Dataset
    matrix: Matrix
    train: TrainSection
    rows: Callable[[], DataFrame]


class Fitter(Protocol):
    """Fits candidates on one feature set."""

    def score_folds(self, tasks: Sequence[FoldTask], tasks_a_core: int | None = None) -> Iterator[list[FoldResult]]:
        """Fit each candidate without its fold and score it on that fold; yields results in batches.

        A failed fit is a result with a reason.

        Parameters
        ----------
        tasks : candidates and folds.
        tasks_a_core : number of tasks per core in a Spark job; few if the run may have to stop soon.
        """
        ...

    def refit(self, trial: Trial) -> Fitted:
        """Fit a candidate on the whole training part; ModelError if it fails."""
        ...


@runtime_checkable
class Telling(Protocol):
    """A fitter that reports the progress of running fits."""

    def running(self) -> list[str]:
        """One line per running fit."""
        ...


class Fitted(Protocol):
    """A candidate fitted on the whole training part, to be saved."""

    @property
    def format(self) -> str:
        """Format of the model's file or folder."""
        ...

    @property
    def score_kind(self) -> ScoreKind:
        """Kind of the scores: probability or margin."""
        ...

    @property
    def seconds(self) -> float:
        """Time of the fit in s."""
        ...

    @property
    def facts(self) -> JsonView | None:
        """Facts to be stored in ``meta.json`` that the model's file does not contain."""
        ...

    @property
    def confidence(self) -> JsonView | None:
        """Temperatures and prediction sets as stored in ``meta.json``; None if there are none."""
        ...

    @property
    def note(self) -> str | None:
        """Message about the fit for the user."""
        ...

    def save(self, path: Path) -> None:
        """Write the model's file or folder."""
        ...


@dataclass(frozen=True)
class StoredModel(ABC):
    """A model of the table ``models`` that scores clips.

    Attributes
    ----------
    meta : metadata of the model.
    path : file or folder of the model.
    """

    meta: Meta
    path: Path

    @property
    def model_id(self) -> str:
        """Id of the model in the table ``models``."""
        return self.meta.model_id

    @property
    def classes(self) -> tuple[str, ...]:
        """Genre ids in the order of the scores."""
        return self.meta.classes

    @property
    def features(self) -> tuple[str, ...]:
        """Feature columns that the model reads, in order."""
        return self.meta.features

    @property
    def layout(self) -> Layout:
        """Layout of the feature set that the model reads."""
        from genreatlas.audio.layouts import get_layout

        return get_layout(self.meta.axis)

    @property
    def multi(self) -> bool:
        """Whether a song may have several genres."""
        return self.meta.multi

    @property
    def score_kind(self) -> ScoreKind:
        """Kind of the scores: probability or margin."""
        return self.meta.score_kind

    @property
    def confidence(self) -> Confidence | None:
        """Calibration and prediction sets; None if the model has none."""
        return self.meta.sureness()

    @abstractmethod
    def predict(self, frame: DataFrame) -> DataFrame:
        """Score clips.

        Parameters
        ----------
        frame : columns song_id, clip_id and :attr:`genreatlas.audio.layouts.Layout.given` (features, or frames and
            width) as in :attr:`genreatlas.datasets.types.Dataset.frame`; others are ignored. clip_id is unique.

        Returns
        -------
        Lazy frame with one row per clip and the schema :data:`genreatlas.models.types.PREDICTED`.
        """

    def predict_songs(self, frame: DataFrame, most: int = 0, families: Sequence[int] | None = None) -> DataFrame | None:
        """Score whole songs in the workers and return the highest scores only.

        Parameters
        ----------
        frame : as for :meth:`predict`, with ``truth int``: index of the song's genre, NULL if unknown.
        most : size of the largest prediction set whose genres are returned; of larger sets only the size is returned.
        families : index of the family of each class, from 0; None: no sums over families.

        Returns
        -------
        Lazy frame with one row per song and the schema :data:`genreatlas.models.types.ANSWERED`. None if all scores of
        a song are kept (few genres, or several genres per song) or the model scores clips only: use :meth:`predict`.
        """
        return None

    def importances(self) -> Mapping[str, float]:
        """Importance of each feature column from the model itself; empty if the model has none."""
        return {}

    def weights(self, X: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Approximate weight of each column, used to preselect columns; None if the model has none.

        Parameters
        ----------
        X : (n_rows, n_features) input rows of the model, NaN = missing.

        Returns
        -------
        (n_features,) or None.
        """
        return None

    def permuted_answers(
        self, spark: SparkSession, rows: JudgedRows, blocks: Sequence[tuple[int, ...]]
    ) -> dict[tuple[int, int], AnyArray] | None:
        """Predictions with the values of a block of columns permuted between rows; block -1 is without permutation.

        Parameters
        ----------
        rows : evaluated rows and their permutations.
        blocks : column indices of each block.

        Returns
        -------
        By block and repeat: (n_songs,) class with the highest mean score; multi-label: all mean scores, flat. None if
        the model can score data frames only (:meth:`predict`), which takes more memory.
        """
        return None
