"""Importances that a forest or tree has of itself: how much each feature lowered impurity in training.

They come for free, but favour features with many values and say what the training songs told, so
permutation importances on judged songs stand beside them (Strobl et al. 2007).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreatlas.config import Config
from genreatlas.models import registry
from genreatlas.models.sklearn_model import SklearnModel, load_file


def impurity_importances(model: Mapping[str, Any], config: Config) -> dict[str, float]:
    """Importance of each feature, as shares of 1; empty where the model has none.

    Parameters
    ----------
    model : a row of ``models``.

    Raises
    ------
    ModelError : the model's files cannot be read.
    """
    meta = registry.read_meta(model, config)
    if meta.format == "json":
        return {}
    if meta.format == "spark-ml":
        spark = registry.load_pipeline(model, config)
        stages: list[Any] = list(spark.pipeline.stages)
        imputer, last = stages[0], stages[-1]
        columns = dict(zip(spark.columns, meta.features, strict=True))
        features = [columns[name] for name in imputer.getInputCols()]  # columns without any value were left out
        return _by_feature(features, _mean_of(last))
    loaded = load_file(config.models.path.absolute() / meta.model_id / "model.skops")
    return _by_feature(meta.features, _mean_of(loaded.pipeline[-1])) if isinstance(loaded, SklearnModel) else {}


def _mean_of(classifier: Any) -> NDArray[np.float64] | None:
    found = [values for values in map(_own, _binary_models(classifier)) if values is not None]
    return np.mean(found, axis=0) if found else None


def _binary_models(last: Any) -> Sequence[Any]:
    """The classifier itself, or those of one genre against the rest."""
    for name in ("estimators_", "models"):
        if "OneVsRest" in type(last).__name__ and hasattr(last, name):
            return list(getattr(last, name))
    return [last]


def _own(model: Any) -> NDArray[np.float64] | None:
    for name in ("feature_importances_", "featureImportances"):
        values = getattr(model, name, None)
        if values is not None:
            return np.asarray(values.toArray() if hasattr(values, "toArray") else values, dtype=np.float64)
    return None


def _by_feature(features: Sequence[str], values: NDArray[np.float64] | None) -> dict[str, float]:
    """Columns of one category (``key=0``, ``key=1``) are added up."""
    sums: dict[str, float] = {}
    for name, value in zip(features, () if values is None else values, strict=values is not None):
        feature = name.partition("=")[0]
        sums[feature] = sums.get(feature, 0.0) + float(value)
    return sums
