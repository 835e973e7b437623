"""Importances that a forest or tree has of itself: how much each feature lowered impurity in training.

They come for free, but favour features with many values and say what the training songs told, so
permutation importances on judged songs stand beside them (Strobl et al. 2007).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genreatlas.audio.layouts import get_layout
from genreatlas.config import Config
from genreatlas.evaluation.cases import Case
from genreatlas.evaluation.judging import figure_rows, no_figures
from genreatlas.models import registry
from genreatlas.models.engines.scikit_learn.sklearn_pipelines import SklearnModel, load_file
from genreatlas.models.meta import Meta

IMPURITY = "importance_impurity"

#: What the names of estimators with importances of their own have in them; saves loading the others once more.
_HAVE_THEIR_OWN = ("forest", "tree", "boost", "gbt", "technical", "loudness")


def own_importances(case: Case, config: Config) -> pd.DataFrame:
    """Importances that a forest or tree has of itself, with model_id, unit and grouping; else no rows.

    They rest on the training songs, not on the judged ones: no number of songs stands beside them.
    """
    if not any(word in case.model["estimator"] for word in _HAVE_THEIR_OWN):
        return no_figures()
    known = impurity_importances(case.model, config)
    if not known:
        return no_figures()
    rows = figure_rows(IMPURITY, list(known.values()), 0, 0, others=list(known))
    rows = rows.assign(n_songs=None, n_groups=None)
    return rows.assign(unit="song", model_id=case.model_id, grouping=case.dataset.grouping)


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
        return _by_block(meta, features, _mean_of(last))
    loaded = load_file(config.models.path.absolute() / meta.model_id / "model.skops")
    return _by_block(meta, meta.features, _mean_of(loaded.pipeline[-1])) if isinstance(loaded, SklearnModel) else {}


def model_weights(
    model: Mapping[str, Any], config: Config, X: NDArray[np.float32], truth: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """How much every column of the matrix weighs, to choose which are looked at closely.

    A forest's or tree's own importances; a linear model's mean absolute coefficient of a standardised column; else the
    share of the column's variance that lies between the genres of the given rows.

    Parameters
    ----------
    X : (n_rows, n_features), NaN = missing.
    truth : (n_rows, n_classes) genres of each row.
    """
    meta = registry.read_meta(model, config)
    if meta.format == "skops":
        loaded = load_file(config.models.path.absolute() / meta.model_id / "model.skops")
        pipeline = loaded.pipeline if isinstance(loaded, SklearnModel) else None
        if pipeline is not None and (own := _mean_of(pipeline[-1])) is not None:
            return own
        parts = [] if pipeline is None else _binary_models(pipeline[-1])
        slopes = [np.abs(np.atleast_2d(one.coef_)).mean(axis=0) for one in parts if hasattr(one, "coef_")]
        if slopes and pipeline is not None:
            spread = np.nanstd(X, axis=0) if pipeline[1] == "passthrough" else 1.0
            return np.asarray(np.nan_to_num(np.mean(slopes, axis=0) * spread), dtype=np.float64)
    return between_genres(X, truth)


def between_genres(X: NDArray[np.float32], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of each column's variance that lies between genres (eta squared), (n_features,); 0 where it is constant."""
    known = ~np.isnan(X)
    counts = truth.T.astype(np.float64) @ known
    mean = np.nansum(X, axis=0, dtype=np.float64) / np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, X - mean, 0.0)
    sums = truth.T.astype(np.float64) @ centred
    between = (np.divide(sums**2, counts, out=np.zeros_like(sums), where=counts > 0)).sum(axis=0)
    total = (centred**2).sum(axis=0)
    return np.divide(between, total, out=np.zeros(X.shape[1]), where=total > 0)


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


def _by_block(meta: Meta, features: Sequence[str], values: NDArray[np.float64] | None) -> dict[str, float]:
    """Columns that the layout shuffles together, such as those of one category (``key=0``, ``key=1``), are added up.

    Parameters
    ----------
    features : names of the columns that the classifier read, which may have left some of the model's out.
    """
    if values is None:
        return {}
    own = dict(zip(features, values.tolist(), strict=True))
    blocks = get_layout(meta.axis).blocks(meta.features)
    columns = {name: [meta.features[place] for place in places] for name, places in blocks}
    known = {name: [own[feature] for feature in mine if feature in own] for name, mine in columns.items()}
    return {name: sum(parts) for name, parts in known.items() if parts}
