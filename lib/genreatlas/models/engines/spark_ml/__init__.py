"""Spark ML: candidates fitted on all cores, for tables that are too large for one core."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from genreatlas.models.engines.protocol import Engine, StoredModel
from genreatlas.models.engines.spark_ml.spark_facts import ESTIMATORS, QUICK, SCALERS

if TYPE_CHECKING:
    from genreatlas.models.engines.spark_ml.spark_grid import SparkGrid
    from genreatlas.models.meta import Meta


class SparkML(Engine):
    """The engine ``spark``; its modules are imported by the methods that need them."""

    name = "spark"
    title = "Spark ML"
    noun = "Spark estimator"
    imputation = "median of the training part; features without a value there are left out"
    estimators = ESTIMATORS
    scalers = SCALERS
    quick = QUICK
    formats: ClassVar[Mapping[str, str]] = {"spark-ml": "pipeline"}

    def fitter(self) -> "type[SparkGrid]":
        """Return the grid that runs a few fits at the same time, each on all cores."""
        from genreatlas.models.engines.spark_ml.spark_grid import SparkGrid

        return SparkGrid

    def load(self, meta: "Meta", path: Path) -> StoredModel:
        """Load the pipeline into the session."""
        from genreatlas.models.engines.spark_ml.stored_pipelines import StoredPipeline

        return StoredPipeline.load(meta, path)
