"""Stored Spark ML models: writing, checking, loading and scoring.

Spark loads any class that the metadata of a pipeline names. So before loading, a folder is checked to contain only
classes that training writes.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.errors import PySparkException
from pyspark.ml import PipelineModel, classification
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from genreatlas.errors import ModelError
from genreatlas.models.engines.calibration import Sigmoids
from genreatlas.models.engines.file_models import release
from genreatlas.models.engines.protocol import StoredModel
from genreatlas.models.engines.spark_ml.spark_pipelines import SparkModel, sum_scores
from genreatlas.models.meta import Meta
from genreatlas.models.types import ScoreKind
from genreatlas.values import JsonView

#: Classes of the pipeline stages that training writes, including the models inside one-vs-rest.
_SPARK_CLASSES = {"org.apache.spark.ml.PipelineModel", "pyspark.ml.pipeline.PipelineModel"} | {
    f"{package}.ml.{kind}.{name}"
    for package in ("org.apache.spark", "pyspark")
    for kind, names in {
        "feature": ("ImputerModel", "VectorAssembler", "StandardScalerModel"),
        "classification": (
            "LogisticRegression", "LogisticRegressionModel", "LinearSVC", "LinearSVCModel", "NaiveBayes",
            "NaiveBayesModel", "OneVsRest", "OneVsRestModel", "RandomForestClassifier",
            "RandomForestClassificationModel", "GBTClassifier", "GBTClassificationModel", "DecisionTreeClassifier",
            "DecisionTreeClassificationModel", "MultilayerPerceptronClassifier",
            "MultilayerPerceptronClassificationModel",
        ),
    }.items()
    for name in names
}  # fmt: skip
_UID = re.compile(r"\w+")


@dataclass(frozen=True)
class FittedPipeline:
    """A fitted pipeline, to be saved."""

    model: SparkModel
    seconds: float

    format = "spark-ml"
    confidence = None  #: fitting every fold again in Spark takes too long
    note = None

    @property
    def score_kind(self) -> ScoreKind:
        """Kind of the scores: probability or margin."""
        return self.model.score_kind

    @property
    def facts(self) -> JsonView:
        """Facts that the pipeline does not store: input columns, observed classes, calibration."""
        sigmoids = self.model.sigmoids
        return {
            "columns": list(self.model.columns),
            "present": list(self.model.present),
            "scores": self.model.scores,
            "slope": None if sigmoids is None else sigmoids.slope.tolist(),
            "offset": None if sigmoids is None else sigmoids.offset.tolist(),
        }

    def save(self, path: Path) -> None:
        """Write the folder of the pipeline."""
        self.model.pipeline.write().overwrite().save(_spark_path(path))


@dataclass(frozen=True)
class StoredPipeline(StoredModel):
    """A stored Spark ML model."""

    model: SparkModel

    @classmethod
    def load(cls, meta: Meta, path: Path) -> "StoredPipeline":
        """Load the pipeline; ModelError if it has classes that training does not write, or is of a later Spark."""
        facts = meta.spark
        if facts is None:
            raise ModelError(
                f"{meta.model_id}: its format is {meta.format}, and meta.json has no facts on a Spark pipeline."
            )
        sigmoids = None if facts["slope"] is None else Sigmoids(np.array(facts["slope"]), np.array(facts["offset"]))
        check_pipeline(path)
        model = SparkModel(
            pipeline=_read(path),
            columns=tuple(facts["columns"]),
            n_classes=len(meta.classes),
            present=tuple(facts["present"]),
            scores=facts["scores"],
            multi=meta.multi,
            sigmoids=sigmoids,
        )
        return cls(meta, path, model)

    def predict(self, frame: DataFrame) -> DataFrame:
        """Score clips; frames are exploded to rows and summed per clip before the shuffle."""
        rows = frame
        if self.layout.several:
            count = F.expr(self.layout.n_rows)
            rows = rows.where(count > 0).withColumn("frame", F.explode(F.sequence(F.lit(0), count - 1)))
        scored = self.model.score(rows.select("song_id", "clip_id", F.expr(self.layout.row).alias("features")))
        return sum_scores(scored, ["song_id", "clip_id"], self.model.n_classes, self.model.score_kind, self.multi)

    def importances(self) -> Mapping[str, float]:
        """Impurity-based importances of forests and trees, without columns that had no value in training."""
        stages: list[Any] = list(self.model.pipeline.stages)
        imputer, last = stages[0], stages[-1]
        parts = list(last.models) if isinstance(last, classification.OneVsRestModel) else [last]
        found = [np.asarray(one.featureImportances.toArray()) for one in parts if hasattr(one, "featureImportances")]
        if not found:
            return {}
        names = dict(zip(self.model.columns, self.features, strict=True))
        used = [names[column] for column in imputer.getInputCols()]
        return dict(zip(used, np.mean(found, axis=0).tolist(), strict=True))


def check_pipeline(folder: Path) -> None:
    """Raise unless every stage of a stored Spark pipeline has a class that training writes.

    Parameters
    ----------
    folder : folder written by ``PipelineModel.save``.

    Raises
    ------
    ModelError : another class, a stage outside the folder, or no metadata.
    """
    found = sorted(path for path in folder.rglob("metadata/*") if not path.name.startswith(("_", ".")))
    if not found:
        raise ModelError(f"{folder}: no metadata of a Spark pipeline. Run train_models again.")
    root = folder.resolve()
    for path in found:
        if not path.resolve().is_relative_to(root):
            raise ModelError(f"{path}: is outside the model's folder. It was not loaded.")
        try:
            fields = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, ValueError) as error:
            raise ModelError(f"{path}: cannot be read: {error}") from None
        for one in fields:
            name = one.get("class") if isinstance(one, dict) else None
            if name not in _SPARK_CLASSES:
                raise ModelError(f"{path}: names the class {name}, which training does not write. It was not loaded.")
            params = one.get("paramMap")
            uids = params.get("stageUids", []) if isinstance(params, dict) else []
            if not all(isinstance(uid, str) and _UID.fullmatch(uid) for uid in [one.get("uid", ""), *uids]):
                raise ModelError(f"{path}: holds a stage id that is a path. It was not loaded.")


def _read(path: Path) -> PipelineModel:
    """Load a checked pipeline; ModelError if a later Spark wrote it (Spark 4.0 cannot read trees of Spark 4.2)."""
    try:
        return PipelineModel.load(_spark_path(path))
    except PySparkException as error:
        metadata = next(iter(sorted((path / "metadata").glob("part-*"))))
        written = json.loads(metadata.read_text(encoding="utf-8").splitlines()[0]).get("sparkVersion", "")
        now = SparkSession.active().version
        if release(written) <= release(now):
            raise
        raise ModelError(
            f"{path}: was written by Spark {written}, and Spark {now} cannot read it. Use Spark {written} or later, or "
            "run train_models again here."
        ) from error


def _spark_path(path: Path) -> str:
    """Path for Spark: volumes unchanged, other folders with the scheme ``file:`` (local or shared disk)."""
    text = str(path)
    return text if text.startswith(("/Volumes/", "/dbfs/")) else f"file:{text}"
