"""What an engine is: its estimators, how candidates of it are fitted, and how what was fitted is stored and used.

An engine is a package beside this module. The package itself describes the engine in a subclass of :class:`Engine`
and imports no library of learning: ``check`` and reports ask for names, grids and limits only. What fits and scores
is imported by the methods that need it. :data:`genreatlas.models.engines.BUILT_IN` lists the engines of this release;
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

if TYPE_CHECKING:  # a task of Spark imports this, and needs no configuration
    from pyspark.sql import DataFrame, SparkSession

    from genreatlas.audio.layouts import Layout
    from genreatlas.config import Candidate, TrainSection
    from genreatlas.datasets.types import Dataset, Matrix
    from genreatlas.models.confidence import Confidence
    from genreatlas.models.engines.judged_rows import JudgedRows
    from genreatlas.models.meta import Meta


class Engine(ABC):
    """One way of fitting candidates, and of using the models.

    Attributes
    ----------
    name : as the configuration and the tables have it.
    title : for people.
    imputation : what takes the place of a missing value, for people.
    estimators : name in the configuration = what is known of the estimator.
    noun : what one of them is called in a message; by default after ``title``.
    scalers : what a grid may name as ``scaler``; none where the engine does not scale.
    quick : its part of the preset ``quick``, in the order in which a budget is spent on it.
    formats : format of the models that it reads = name of their file or folder in the model's folder. A format has
        one engine that reads it; another may write it too.
    is_baseline : whether it is there to be compared with: it is always tried, never cut, and judged as it is.
    sequences : whether it reads the rows of a clip in their order; else each row by itself.
    listed_only : whether its candidates are tried only where the configuration lists them, not by ``preset = "full"``.
    dear : whether a fit takes so long that confidence is fitted on whole folds, not on halves of them.
    without_matrix : estimators that are fitted without the columns of a matrix that is too large to be sent to workers.
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
        """The facts of an estimator; ConfigError with the nearest name where there is none."""
        if name not in self.estimators:
            known = nearest(name, self.estimators, every=True)
            noun = self.noun or f"{self.title} estimator"
            raise ConfigError(f"train.candidates: unknown {noun} {name!r}. {known}")
        return self.estimators[name]

    def grid_points(self, estimator: str, grid: Mapping[str, Sequence[object]]) -> list[dict[str, object]]:
        """Points of a grid, or of the estimator's own where it is empty; without a scaler they have the first."""
        default = self.get_estimator(estimator).grid
        values = {name: list(some) for name, some in (grid or default).items()}
        if self.scalers:
            values.setdefault("scaler", list(default.get("scaler", self.scalers))[:1])
        return [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]

    def grid_errors(self, estimator: str, grid: Mapping[str, Sequence[object]]) -> list[str]:
        """Everything that is wrong in an estimator's grid; ConfigError where there is no such estimator."""
        known = {"scaler": one_of(*self.scalers)} if self.scalers else {}
        return faults(f"train.candidates: {estimator}", {**known, **self.get_estimator(estimator).params}, grid)

    def check_params(self, estimator: str, params: Mapping[str, object]) -> None:
        """Check one point of a grid; ConfigError with everything that is wrong."""
        if found := self.grid_errors(estimator, {key: (value,) for key, value in params.items()}):
            raise ConfigError("\n".join(found))

    def candidate_errors(
        self, candidate: Candidate, train: TrainSection, known_sets: Iterable[str] | None
    ) -> list[str]:
        """Everything that is wrong in a listed candidate.

        Parameters
        ----------
        known_sets : feature sets that can be had; None where nobody knows yet.
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
        """Feature sets that a candidate is tried on."""
        return candidate.feature_sets or train.feature_sets

    def always(self, known_sets: Iterable[str]) -> Sequence[str]:
        """Estimators that are tried whatever the configuration lists."""
        return ()

    def over_limit(self, estimator: str, matrix: Matrix) -> tuple[Reason, str] | None:
        """Why an estimator does not suit a data set, such as too many rows; None where it does."""
        return limits(self.get_estimator(estimator), matrix.n_rows, matrix.n_classes)

    # Fitting

    @abstractmethod
    def fitter(self) -> Callable[[TrainingData], Fitter]:
        """What fits its candidates, made once for each feature set; engines that share it share their Spark jobs."""

    def large_fitter(self) -> Callable[[TrainingData], Fitter]:
        """What fits those of :attr:`without_matrix` where the rows stayed in Spark."""
        return self.fitter()

    # Models

    @abstractmethod
    def load(self, meta: Meta, path: Path) -> StoredModel:
        """A stored model.

        Parameters
        ----------
        path : file or folder that ``formats`` names, which is there.

        Raises
        ------
        ModelError : it cannot be read.
        """

    def open(self, path: Path) -> FileModel:
        """A stored model for use without Spark.

        Raises
        ------
        ModelError : it cannot be read, or needs Spark.
        """
        raise ModelError(f"it is a model of {self.title}, which needs a session: use the job score.")

    def losses(self, path: Path) -> Losses | None:
        """How the loss of a stored model fell while it was trained; None where nothing is known of it."""
        return None

    @property
    def needs_spark(self) -> bool:
        """Whether its models can be used in a session only."""
        return type(self).open is Engine.open


@dataclass(frozen=True)
class Losses:
    """Losses of the epochs of a fit.

    Attributes
    ----------
    trained : on the songs that were learnt from, with dropout and augmentation.
    held_out : on the songs that the training was stopped by.
    best : the epoch whose weights were kept, counted from 1.
    """

    trained: tuple[float, ...]
    held_out: tuple[float, ...]
    best: int


@dataclass(frozen=True)
class TrainingData:
    """One feature set in training.

    Attributes
    ----------
    rows : gives the rows of the matrix as a staged frame (:func:`genreatlas.datasets.matrix.training_rows`); an engine
        that does not ask for them saves the staging.
    """

    spark: SparkSession
    dataset: Dataset
    matrix: Matrix
    train: TrainSection
    rows: Callable[[], DataFrame]


class Fitter(Protocol):
    """Fits candidates on one feature set."""

    def score_folds(self, tasks: Sequence[FoldTask], tasks_a_core: int | None = None) -> Iterator[list[FoldResult]]:
        """Fit every candidate without its fold and score it there; results come as they are ready.

        A fit that fails is a result with a reason.

        Parameters
        ----------
        tasks_a_core : of one Spark job; few where the run may have to stop soon.
        """
        ...

    def refit(self, trial: Trial) -> Fitted:
        """Fit a candidate on the whole training part; ModelError where it fails."""
        ...


@runtime_checkable
class Telling(Protocol):
    """A fitter that knows how far fits are that have not ended."""

    def running(self) -> list[str]:
        """A line for each of them."""
        ...


class Fitted(Protocol):
    """A candidate fitted on the whole training part, to be saved."""

    @property
    def format(self) -> str:
        """Format of its file or folder."""
        ...

    @property
    def score_kind(self) -> ScoreKind:
        """What its scores are."""
        ...

    @property
    def seconds(self) -> float:
        """How long the fit took."""
        ...

    @property
    def facts(self) -> JsonView | None:
        """What ``meta.json`` keeps of it that its file does not say."""
        ...

    @property
    def confidence(self) -> JsonView | None:
        """Temperatures and prediction sets, as ``meta.json`` keeps them; None where it has none."""
        ...

    @property
    def note(self) -> str | None:
        """What a user should know of the fit."""
        ...

    def save(self, path: Path) -> None:
        """Write its file or folder."""
        ...


@dataclass(frozen=True)
class StoredModel(ABC):
    """A model of the table ``models``, which scores clips.

    Attributes
    ----------
    path : its file or folder.
    """

    meta: Meta
    path: Path

    @property
    def model_id(self) -> str:
        """As the table ``models`` has it."""
        return self.meta.model_id

    @property
    def classes(self) -> tuple[str, ...]:
        """Genre ids in the order of the scores."""
        return self.meta.classes

    @property
    def features(self) -> tuple[str, ...]:
        """Columns that it reads, in their order."""
        return self.meta.features

    @property
    def layout(self) -> Layout:
        """Layout of the feature set that it reads."""
        from genreatlas.audio.layouts import get_layout

        return get_layout(self.meta.axis)

    @property
    def multi(self) -> bool:
        """Whether a song may have several genres."""
        return self.meta.multi

    @property
    def score_kind(self) -> ScoreKind:
        """What its scores are."""
        return self.meta.score_kind

    @property
    def confidence(self) -> Confidence | None:
        """How its mean scores become calibrated probabilities and prediction sets; None where it has none."""
        return self.meta.sureness()

    @abstractmethod
    def predict(self, frame: DataFrame) -> DataFrame:
        """Score clips.

        Parameters
        ----------
        frame : song_id, clip_id, and :attr:`genreatlas.audio.layouts.Layout.given` (features, or frames and width), as
            :attr:`genreatlas.datasets.types.Dataset.frame` has them; other columns are ignored. clip_id is unique.

        Returns
        -------
        One row a clip with the schema :data:`genreatlas.models.types.PREDICTED`, lazily.
        """

    def predict_songs(self, frame: DataFrame, most: int = 0, families: Sequence[int] | None = None) -> DataFrame | None:
        """Score whole songs where their scores are, so that those of all genres never leave the worker.

        Parameters
        ----------
        frame : as for :meth:`predict`, and ``truth int``: index of the song's genre, NULL where it is not known.
        most : genres of the largest prediction set that is named; of larger ones the size is known alone.
        families : number of the family of each class, from 0; None: they are not summed.

        Returns
        -------
        One row a song with the schema :data:`genreatlas.models.types.ANSWERED`, lazily. None where all scores are kept
        of a song, as there are few genres or several for a song, or where the model scores clips only.
        """
        return None

    def importances(self) -> Mapping[str, float]:
        """How much each column that it reads counts, by the model itself; empty where it does not say."""
        return {}

    def weights(self, X: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """How much each column counts, to choose which are looked at closely; None where the model does not say.

        Parameters
        ----------
        X : (n_rows, n_features) rows as it reads them, NaN = missing.
        """
        return None

    def permuted_answers(
        self, spark: SparkSession, rows: JudgedRows, blocks: Sequence[tuple[int, ...]]
    ) -> dict[tuple[int, int], AnyArray] | None:
        """What it answers with each block of columns taken from other rows; block -1 is the rows as they are.

        Returns
        -------
        By block and repeat: (n_songs,) class with the highest mean score, or with several labels all mean scores,
        flat. None where it can score frames only (:meth:`predict`), which takes more memory.
        """
        return None
