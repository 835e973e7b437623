"""One feature set in training: its rows, its matrix, and both engines working on them."""

from collections.abc import Iterator, Sequence

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from genreatlas.config import Config
from genreatlas.datasets.giveaways import Giveaway, find_giveaways
from genreatlas.datasets.matrix import count_buckets, training_rows, write_matrix
from genreatlas.datasets.types import Dataset
from genreatlas.models import registry
from genreatlas.models.engines import task_grid
from genreatlas.models.engines.spark_ml.spark_grid import SparkGrid
from genreatlas.models.engines.spark_ml.spark_pipelines import SparkModel
from genreatlas.models.registry import Meta
from genreatlas.models.types import FittedModel, FoldResult, FoldTask, Trial
from genreatlas.scratch import scratch_folder
from genreatlas.store import Staged, Store

STEP = "train_models"

#: Tasks of one job of the grid for each core: so many that cores rarely wait for the slowest, and so few that a
#: killed run has little to repeat.
TASKS_A_CORE = 8

_IMPUTATION = {
    "sklearn": "median of the training part; 0 where a feature has no value there",
    "spark": "median of the training part; features without a value there are left out",
    "baseline": "median of the training part; 0 where a feature has no value there",
}


class FeatureSetTraining:
    """Rows and matrix of one data set; made when training begins with it, closed after.

    The joined frame is evaluated once: it is staged where it is fetched in several buckets, or where Spark ML is to
    read it, and else goes straight to the driver.

    Parameters
    ----------
    songs_of : the data set that the songs come from; ``dataset`` itself, but for baselines.
    """

    def __init__(self, store: Store, config: Config, dataset: Dataset, songs_of: Dataset) -> None:
        self.store = store
        self.config = config
        self.dataset = dataset
        self.songs_of = songs_of
        self._staged: Staged | None = None
        self._grid: SparkGrid | None = None
        self._cores: int | None = None
        self._buckets = count_buckets(dataset, config.train, config.store.max_commit_mb)
        rows = self._rows() if self._buckets == 1 else self._stage()
        self.matrix = write_matrix(dataset, rows, scratch_folder("matrix"), self._buckets)

    def giveaways(self, albums: pd.Series) -> list[Giveaway]:
        """Columns of an imported table that give the genre away; features of our own are made from sound alone.

        Parameters
        ----------
        albums : name of each song's album, by song id.
        """
        matrix, songs, imported = self.matrix, self.dataset.songs, set(self.dataset.imported)
        if not imported or not matrix.n_rows:
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
        """Give the staged rows back."""
        if self._staged is not None:
            self._staged.drop()

    def score_folds(self, tasks: Sequence[FoldTask], tasks_a_core: int | None = None) -> Iterator[list[FoldResult]]:
        """Yield results as they come, those of one Spark job together; scikit-learn before Spark ML.

        Parameters
        ----------
        tasks_a_core : of one Spark job of the grid; fewer than ``TASKS_A_CORE`` where it may have to stop soon.
        """
        grid = [task for task in tasks if task.trial.engine != "spark"]
        if grid and self._cores is None:
            self._cores = _cores(self.store.spark)
        size = (tasks_a_core or TASKS_A_CORE) * (self._cores or 1)
        for start in range(0, len(grid), size):
            chunk = grid[start : start + size]
            yield list(task_grid.score_folds(self.store.spark, self.matrix, chunk, self.config.train))
        if spark := [task for task in tasks if task.trial.engine == "spark"]:
            yield from ([result] for result in self._spark_grid().score_folds(spark))

    def refit(self, trial: Trial, model_id: str) -> tuple[Meta, float]:
        """Fit a candidate on the whole training part and save it; what it is, and the seconds that the fit took.

        Raises
        ------
        ModelError : the fit failed.
        """
        model: SparkModel | FittedModel
        if trial.engine == "spark":
            model, seconds = self._spark_grid().refit(trial)
        else:
            model = task_grid.refit(self.store.spark, self.matrix, trial, self.config.train)
            seconds = model.seconds
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
            format="spark-ml" if isinstance(model, SparkModel) else model.format,
            imputation=_IMPUTATION[trial.engine],
            train=self.config.train.model_dump(mode="json"),
            clip=self.config.clip.model_dump(mode="json"),
            spark=registry.spark_facts(model) if isinstance(model, SparkModel) else None,
        )
        registry.save(self.config, meta, model)
        return meta, seconds

    def _rows(self) -> DataFrame:
        return training_rows(self.dataset, self.config.train.frames_per_song, self._buckets)

    def _stage(self) -> DataFrame:
        if self._staged is None:
            # Sorted, so that a bucket is read from the files that hold it.
            rows = self._rows().repartitionByRange("bucket", "song_id").sortWithinPartitions("bucket", "song_id")
            self._staged = self.store.stage(rows, STEP, self.dataset.feature_set)
        return self._staged.frame

    def _spark_grid(self) -> SparkGrid:
        if self._grid is None:
            self._grid = SparkGrid(self.dataset, self.matrix, self._stage(), self.config.train)
        return self._grid


def _cores(spark: SparkSession) -> int:
    """Cores that a job gets: as many partitions as Spark cuts a range into by itself."""
    numbers = spark.range(100_000).select(F.spark_partition_id().alias("partition"))
    return max(1, numbers.distinct().count())
