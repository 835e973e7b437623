"""Training on one feature set: its rows, its matrix, and the engines that fit candidates on them."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import pandas as pd
from pyspark.sql import DataFrame

from genreatlas.config import Config, TrainSection
from genreatlas.datasets.giveaways import Giveaway, find_giveaways
from genreatlas.datasets.matrix import (
    count_buckets,
    describe_matrix,
    is_larger,
    matrix_size,
    training_rows,
    write_matrix,
)
from genreatlas.datasets.topic_sets import read_topic_sets
from genreatlas.datasets.types import Dataset
from genreatlas.metrics import TOTALS_METRICS
from genreatlas.models import registry
from genreatlas.models.engines import engines, get_engine
from genreatlas.models.engines.protocol import Engine, Fitter, Telling, TrainingData
from genreatlas.models.engines.task_grid import room_mb
from genreatlas.models.meta import Meta
from genreatlas.models.types import FoldResult, FoldTask, Trial
from genreatlas.scratch import scratch_folder
from genreatlas.store import Staged, Store

STEP = "train_models"

#: Size of a bucket of a matrix that stays in Spark, in 2**20 bytes of values. It is a constant because the sums of
#: buckets are added one by one, and other buckets would change last digits. A worker uses about ten times this memory.
BUCKET_MB = 32


class FeatureSetTraining:
    """Rows and matrix of one data set while candidates are fitted on it.

    The joined frame is evaluated once: it is staged if it is fetched in several buckets or read by an engine in Spark;
    otherwise it is collected to the driver. A matrix that is too large to be sent to workers stays in Spark if some
    candidate can be fitted there without it.

    Parameters
    ----------
    songs_of : the data set that the songs come from; ``dataset`` itself except for baselines.
    trials : candidates on the data set.

    Raises
    ------
    ConfigError : the matrix is larger than ``train.max_matrix_mb``, and no candidate can be fitted without it.
    """

    def __init__(
        self, store: Store, config: Config, dataset: Dataset, songs_of: Dataset, trials: Sequence[Trial] = ()
    ) -> None:
        self.store = store
        self.config = config
        self.dataset = dataset
        self.songs_of = songs_of
        self._staged: Staged | None = None
        self._fitters: dict[Callable[[TrainingData], Fitter], Fitter] = {}
        train, folder = config.train, scratch_folder("matrix")
        _, mb = matrix_size(dataset, train.frames_per_song) if _can_stay(trials, dataset, train) else (0, 0.0)
        if is_larger(train, mb):
            self._buckets = math.ceil(mb / BUCKET_MB)
            self.matrix = describe_matrix(dataset, self._stage(), folder, self._buckets)
        else:
            self._buckets = count_buckets(dataset, train, config.store.max_commit_mb)
            rows = self._rows() if self._buckets == 1 else self._stage()
            self.matrix = write_matrix(dataset, rows, folder, self._buckets)

    @cached_property
    def room_mb(self) -> int | None:
        """Memory available for fits, in 2**20 bytes; None on a cluster."""
        return room_mb(self.store.spark)

    def giveaways(self, albums: pd.Series) -> list[Giveaway]:
        """Find columns of an imported table that leak the label. Own features are computed from sound and not checked.

        Nothing is checked for a matrix that stayed in Spark.

        Parameters
        ----------
        albums : name of each song's album, indexed by song id.
        """
        matrix, songs, imported = self.matrix, self.dataset.songs, set(self.dataset.imported)
        if not imported or not matrix.n_rows or matrix.in_buckets:
            return []
        ids = songs.song_id[songs.part == "train"]
        album = pd.factorize(ids.map(albums))[0]
        song = matrix.array("song")
        tied = {"artist": matrix.array("group")}
        if len(album) == matrix.n_songs:
            tied["album"] = album[song]
        asked = imported - set(self.config.train.keep_features)
        found = find_giveaways(matrix.array("X"), matrix.array("y"), matrix.array("fold"), song, tied, matrix.features)
        return [one for one in found if one.feature in asked]

    def close(self) -> None:
        """Drop the staged rows."""
        if self._staged is not None:
            self._staged.drop()

    def score_folds(self, tasks: Sequence[FoldTask], tasks_a_core: int | None = None) -> Iterator[list[FoldResult]]:
        """Fit and score candidates on folds, one engine after the other; yields the results of each Spark job.

        Parameters
        ----------
        tasks : candidates and folds.
        tasks_a_core : number of tasks per core in a Spark job; few if the run may have to stop soon.
        """
        for engine_fitter in dict.fromkeys(self._kind(engine) for engine in engines()):
            if mine := [task for task in tasks if self._kind(get_engine(task.trial.engine)) == engine_fitter]:
                yield from self._fitter(engine_fitter).score_folds(mine, tasks_a_core)

    def running(self) -> str:
        """Progress of long fits in one line; empty if none is reported."""
        told = [one.running() for one in list(self._fitters.values()) if isinstance(one, Telling)]
        return "; ".join(line for lines in told for line in lines)

    def refit(self, trial: Trial, model_id: str) -> tuple[Meta, float, str | None]:
        """Fit a candidate on the whole training part and save it.

        Returns
        -------
        Metadata of the model, time of the fit in s, and a note for the user or None.

        Raises
        ------
        ModelError : the fit failed.
        """
        engine = get_engine(trial.engine)
        model = self._fitter(self._kind(engine)).refit(trial)
        songs_of = self.songs_of
        meta = Meta(
            identity="sound",
            model_id=model_id,
            feature_set=self.dataset.feature_set,
            set_version=self.dataset.set_version,
            preprocessing_id=self.dataset.preprocessing_id,
            songs_of=(songs_of.feature_set, songs_of.set_version, songs_of.preprocessing_id),
            axis=self.dataset.axis,
            features=self.dataset.features,
            classes=self.dataset.classes,
            class_names=self.dataset.class_names,
            multi=self.dataset.multi,
            score_kind=model.score_kind,
            format=model.format,
            imputation=engine.imputation,
            train=self.config.train.model_dump(mode="json"),
            clip=self.config.clip.model_dump(mode="json"),
            spark=model.facts,
            confidence=model.confidence,
        )
        topics = read_topic_sets(self.store, self.dataset.feature_set, self.dataset.set_version)
        registry.save(self.config, meta, model, topics)
        return meta, model.seconds, model.note

    def _rows(self) -> DataFrame:
        return training_rows(self.dataset, self.config.train.frames_per_song, self._buckets)

    def _stage(self) -> DataFrame:
        if self._staged is None:
            # Sorted, so that reading a bucket touches only the files that contain it.
            rows = self._rows().repartitionByRange("bucket", "song_id").sortWithinPartitions("bucket", "song_id")
            self._staged = self.store.stage(rows, STEP, self.dataset.feature_set)
        return self._staged.frame

    def _kind(self, engine: Engine) -> Callable[[TrainingData], Fitter]:
        return engine.large_fitter() if self.matrix.in_buckets else engine.fitter()

    def _fitter(self, kind: Callable[[TrainingData], Fitter]) -> Fitter:
        if kind not in self._fitters:
            data = TrainingData(self.store.spark, self.dataset, self.matrix, self.config.train, self._stage)
            self._fitters[kind] = kind(data)
        return self._fitters[kind]


def _can_stay(trials: Sequence[Trial], dataset: Dataset, train: TrainSection) -> bool:
    """Whether a candidate other than a baseline can be fitted and scored in Spark; that gives no ranks of genres."""
    told = any(
        trial.estimator in engine.without_matrix and not engine.is_baseline
        for trial in trials
        for engine in [get_engine(trial.engine)]
    )
    return told and not dataset.multi and train.metric in TOTALS_METRICS
