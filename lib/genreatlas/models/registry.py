"""Model files: one folder a model, with everything that scoring needs beside the classifier itself."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from genreatlas.audio.layouts import get_layout
from genreatlas.config import Config
from genreatlas.datasets.dataset import Fixed, build_dataset
from genreatlas.datasets.library import Library
from genreatlas.datasets.types import Dataset
from genreatlas.errors import ModelError
from genreatlas.models import meta as meta_file
from genreatlas.models.engines import task_grid
from genreatlas.models.engines.calibration import Sigmoids
from genreatlas.models.engines.scikit_learn.skops_checks import check_pipeline
from genreatlas.models.engines.spark_ml.spark_pipelines import SparkModel, sum_scores
from genreatlas.models.meta import FILES, META, Meta
from genreatlas.models.types import FittedModel, Predictor, ScoreKind
from genreatlas.store import Reader

__all__ = ["META", "Meta"]

ModelRow = Mapping[str, Any] | Row


@dataclass(frozen=True)
class LoadedModel:
    """A model that scores; see :class:`genreatlas.models.types.Predictor`."""

    model_id: str
    classes: tuple[str, ...]
    features: tuple[str, ...]
    axis: str
    multi: bool
    score_kind: ScoreKind
    scorer: Callable[[DataFrame], DataFrame]

    def predict(self, frame: DataFrame) -> DataFrame:
        """Score clips; see :meth:`genreatlas.models.types.Predictor.predict`."""
        return self.scorer(frame)


def save(config: Config, meta: Meta, model: FittedModel | SparkModel) -> Path:
    """Write a model's folder, whole or not at all: it gets its name when everything is in it."""
    folder = config.models.path.absolute() / meta.model_id
    partly = folder.with_name(f".{meta.model_id}.part")
    for leftover in (partly, folder):
        shutil.rmtree(leftover, ignore_errors=True)
    partly.mkdir(parents=True)
    target = partly / FILES[meta.format]
    if isinstance(model, SparkModel):
        model.pipeline.write().overwrite().save(_spark_path(target))
    else:
        target.write_bytes(model.content)
    (partly / META).write_text(json.dumps(asdict(meta), indent=1, sort_keys=True, ensure_ascii=False), encoding="utf-8")
    partly.rename(folder)
    return folder


def exists(config: Config, model_id: str) -> bool:
    """Whether the model's folder is there."""
    return (config.models.path.absolute() / model_id / META).exists()


def read_meta(row: ModelRow, config: Config) -> Meta:
    """What is known of a model beside its classifier.

    Raises
    ------
    ModelError : its folder is missing, or holds something else.
    """
    return meta_file.read(config.models.path.absolute() / row["model_id"])


def load(row: ModelRow, config: Config) -> Predictor:
    """Load a model that ``models`` lists.

    Parameters
    ----------
    row : a row of the table ``models``; model_id is enough.
    config : its ``models.path`` says where the folders are.

    Raises
    ------
    ModelError : files are missing or cannot be read.
    """
    meta = read_meta(row, config)
    file = config.models.path.absolute() / meta.model_id / FILES[meta.format]
    if not file.exists():
        raise ModelError(f"{file}: no such file. Run train_models again.")
    score = partial(_score_spark, meta, _load_spark(meta, file)) if meta.spark else partial(_score_file, meta, file)
    return LoadedModel(meta.model_id, meta.classes, meta.features, meta.axis, meta.multi, meta.score_kind, score)


def model_file(row: ModelRow, config: Config) -> Path | None:
    """File of a scikit-learn model; None for a model of Spark ML and for a baseline that reads no feature."""
    meta = read_meta(row, config)
    return config.models.path.absolute() / meta.model_id / FILES["skops"] if meta.format == "skops" else None


def load_pipeline(row: ModelRow, config: Config) -> SparkModel:
    """Load the pipeline of a model of the Spark engine.

    Raises
    ------
    ModelError : its folder is missing, or it is a model of another engine.
    """
    meta = read_meta(row, config)
    if not meta.spark:
        raise ModelError(f"{meta.model_id}: its format is {meta.format}, not spark-ml.")
    return _load_spark(meta, config.models.path.absolute() / meta.model_id / FILES[meta.format])


def dataset_of(store: Reader, config: Config, row: ModelRow, library: Library) -> Dataset:
    """Songs with the features that a model reads and the genres that it knows, in every part of the split.

    Classes, one-hot columns, feature version, preprocessing and the ``[train]`` rules are the model's own; songs
    are not left out for being too few or too many.

    Parameters
    ----------
    library : from :func:`genreatlas.datasets.library.read_library`.

    Raises
    ------
    ModelError : the store has no features that were made as the model's were.
    """
    meta = read_meta(row, config)
    config = config.model_copy(update={"train": meta.train_section()})
    songs_of = None
    if meta.songs_of[0] != meta.feature_set:
        name, version, preprocessing = meta.songs_of
        fixed = Fixed(version, preprocessing, meta.classes, ())
        songs_of = build_dataset(store, config, library, name, fixed=fixed)
    fixed = Fixed(meta.set_version, meta.preprocessing_id, meta.classes, meta.features)
    dataset = build_dataset(store, config, library, meta.feature_set, songs_of, fixed)
    if dataset.songs.empty:
        raise ModelError(
            f"model {meta.model_id}: no song has features of {meta.feature_set} version {meta.set_version} with the "
            f"preprocessing {meta.preprocessing_id} that it was trained on. Extract them so, or train again."
        )
    return dataset


def spark_facts(model: SparkModel) -> dict[str, Any]:
    """What ``meta.json`` keeps of a Spark model."""
    sigmoids = model.sigmoids
    return {
        "columns": list(model.columns),
        "present": list(model.present),
        "scores": model.scores,
        "slope": None if sigmoids is None else sigmoids.slope.tolist(),
        "offset": None if sigmoids is None else sigmoids.offset.tolist(),
    }


def _load_spark(meta: Meta, folder: Path) -> SparkModel:
    facts = meta.spark or {}
    sigmoids = None if facts["slope"] is None else Sigmoids(np.array(facts["slope"]), np.array(facts["offset"]))
    check_pipeline(folder)
    return SparkModel(
        pipeline=PipelineModel.load(_spark_path(folder)),
        columns=tuple(facts["columns"]),
        n_classes=len(meta.classes),
        present=tuple(facts["present"]),
        scores=facts["scores"],
        multi=meta.multi,
        sigmoids=sigmoids,
    )


def _score_spark(meta: Meta, model: SparkModel, frame: DataFrame) -> DataFrame:
    """Frames become rows inside Spark and are added up per clip where they are: only sums are shuffled."""
    layout = get_layout(meta.axis)
    rows = frame
    if layout.several:
        count = F.expr(layout.n_rows)
        rows = rows.where(count > 0).withColumn("frame", F.explode(F.sequence(F.lit(0), count - 1)))
    rows = rows.select("song_id", "clip_id", F.expr(layout.row).alias("features"))
    return sum_scores(model.score(rows), ["song_id", "clip_id"], model.n_classes, model.score_kind, meta.multi)


def _score_file(meta: Meta, file: Path, frame: DataFrame) -> DataFrame:
    return task_grid.predict(frame.sparkSession, frame, file, get_layout(meta.axis).given)


def _spark_path(path: Path) -> str:
    """A path as Spark takes it: volumes by their name, other folders as files of this machine (or a shared disk)."""
    text = str(path)
    return text if text.startswith(("/Volumes/", "/dbfs/")) else f"file:{text}"
