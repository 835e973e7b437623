"""Predict the genre of one audio file from Python, without Spark."""

import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from genreatlas.audio.feature_sets import Registered
from genreatlas.audio.layouts import get_layout
from genreatlas.audio.sets.definition import FeatureSet
from genreatlas.audio.whole_files import Recipe, check_recipe, whole_file
from genreatlas.config import LimitsSection
from genreatlas.errors import ModelError
from genreatlas.models import meta as meta_file
from genreatlas.models.confidence import Confidence, most_genres
from genreatlas.models.engines import engines, reader_of
from genreatlas.models.engines.file_models import FileModel
from genreatlas.models.engines.task_answers import predict_batch
from genreatlas.models.meta import Meta
from genreatlas.models.network_files import networks_of
from genreatlas.models.topic_files import topics_of


@dataclass(frozen=True)
class WindowScores:
    """Prediction for one window of a file.

    ``start_s`` and ``length_s`` are in seconds. ``probabilities`` are by genre id, highest first; they are empty if the
    window could not be used, and ``reason`` is the cause.
    """

    start_s: float
    length_s: float
    probabilities: dict[str, float]
    reason: str | None = None

    @property
    def genre(self) -> str | None:
        """Genre id with the highest score."""
        return next(iter(self.probabilities), None)


@dataclass(frozen=True)
class Prediction:
    """Prediction for a file.

    Attributes
    ----------
    model_id : id of the model.
    probabilities : mean over the windows by genre id, highest first; margins if ``score_kind`` is margin.
    names : name of each genre by id.
    score_kind : kind of the scores, see :data:`genreatlas.models.types.ScoreKind`.
    windows : predictions for each window, in order of time.
    genre_set : prediction set, the most probable genre first. For songs like those in the training data, by artists
        that are not in it, the set contains the true genre with probability ``coverage``. If artists were unknown in
        training, this holds for other songs of the same artists only. Empty for models without sets.
    coverage : coverage of the prediction set; None for models without sets.
    abstains : whether the set is empty or too large to be an answer (``max_set`` of :func:`predict`).
    """

    model_id: str
    probabilities: dict[str, float]
    names: dict[str, str]
    score_kind: str
    windows: tuple[WindowScores, ...]
    genre_set: tuple[str, ...] = ()
    coverage: float | None = None
    abstains: bool = False

    @property
    def genre(self) -> str:
        """Genre id with the highest score."""
        return next(iter(self.probabilities))

    @property
    def confidence(self) -> float:
        """Score of :attr:`genre`."""
        return self.probabilities[self.genre]


def predict(
    source: str | os.PathLike[str] | bytes,
    models: str | os.PathLike[str] = "data/models",
    model: str = "champion",
    hop_s: float = 0.0,
    max_windows: int = 0,
    max_set: int = 0,
) -> Prediction:
    """Predict the genre of one audio file with a model that needs no Spark session, such as one of scikit-learn.

    The file is cut into windows of the length that the model was trained on, and the scores of the windows are
    averaged. The first call loads the model and compiles the features (seconds); the time of later calls is that of
    the features.

    Parameters
    ----------
    source : path of an audio file, or its bytes.
    models : folder of the models, ``[models] path``.
    model : alias or model id.
    hop_s : distance between the starts of windows in s; 0: the length of a window.
    max_windows : maximum number of windows, evenly spread over the file; 0: all.
    max_set : size of the largest prediction set that counts as an answer; 0: half of the genres, at most 100.

    Returns
    -------
    Scores of the whole file and of each window.

    Raises
    ------
    ModelError : there is no such model, it needs Spark, or this release computes its features differently.
    ClipError : the file cannot be decoded, is too short, or silent.
    """
    folder = Path(models).absolute()
    loaded = _load(folder, meta_file.read_aliases(folder).get(model, model))
    recipe = Recipe(
        loaded.meta.feature_set,
        loaded.meta.clip_section(),
        LimitsSection(),
        loaded.meta.features,
        hop_s,
        max_windows,
        Registered((), loaded.brought),
    )
    check_recipe(loaded.meta.model_id, loaded.meta.set_version, loaded.meta.preprocessing_id, recipe)
    content = isinstance(source, bytes)
    found = whole_file(source if isinstance(source, bytes) else os.fspath(source), recipe, content)
    usable = [window.values for window in found.windows if window.values is not None]
    sums, rows = score(loaded, usable)
    means = iter(calibrated(loaded, sums / rows[:, None]))
    windows = tuple(
        WindowScores(
            window.start_s,
            window.length_s,
            {} if window.values is None else _ordered(loaded.meta, next(means)),
            window.reason,
        )
        for window in found.windows
    )
    mean = calibrated(loaded, (sums.sum(axis=0) / rows.sum())[None, :])
    whole = _ordered(loaded.meta, mean[0])
    names = dict(zip(loaded.meta.classes, loaded.meta.class_names, strict=True))
    found_set: tuple[str, ...] = ()
    coverage, abstains = None, False
    if loaded.confidence is not None:
        found_set = tuple(loaded.meta.classes[place] for place in loaded.confidence.sets(mean)[0])
        coverage = loaded.confidence.coverage
        abstains = not 0 < len(found_set) <= most_genres(max_set, len(loaded.meta.classes))
    return Prediction(
        loaded.meta.model_id, whole, names, loaded.meta.score_kind, windows, found_set, coverage, abstains
    )


@dataclass(frozen=True)
class Loaded:
    """A loaded model that needs no Spark, with its metadata.

    ``brought`` are feature sets stored in the model's folder: those of pretrained networks, and topics.
    """

    meta: Meta
    model: FileModel
    confidence: Confidence | None = None
    brought: tuple[FeatureSet, ...] = ()


def load(models: Path, model_id: str) -> Loaded:
    """Load a model that needs no Spark from its folder.

    Raises
    ------
    ModelError : there is no such model, or it needs Spark.
    """
    folder = models / model_id
    if not folder.is_dir():
        known = ", ".join(sorted(meta_file.read_aliases(models))) or "none"
        raise ModelError(f"{folder}: no such model. Aliases: {known}. Run retrain to make the first champion.")
    meta = meta_file.read(folder)
    engine = reader_of(meta.format)
    if engine.needs_spark:
        names = [one.name for one in engines() if not one.needs_spark and not one.is_baseline]
        raise ModelError(
            f"{model_id}: it is a model of {engine.title}, which needs a Spark session: use the job score. With "
            f"retrain.engines = {json.dumps(names)} only models that need no Spark can become champion."
        )
    model = engine.open(folder / engine.formats[meta.format])
    return Loaded(meta, model, meta.sureness(), (*networks_of(folder), *topics_of(folder)))


_load = lru_cache(maxsize=4)(load)


def score(loaded: Loaded, values: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Score feature arrays, each (n_rows, n_features): sums of class scores (n, n_classes) and row counts (n,)."""
    meta = loaded.meta
    names = pa.array([str(number) for number in range(len(values))])
    lists = pa.array([one.ravel() for one in values], pa.list_(pa.float32()))
    layout = get_layout(meta.axis)
    columns = {"song_id": names, "clip_id": names, layout.values: lists}
    if layout.several:
        columns["width"] = pa.array([one.shape[1] for one in values], pa.int32())
    scored = predict_batch(loaded.model, pa.RecordBatch.from_pydict(columns))
    sums = np.array(scored.column("score_sum").to_pylist(), dtype=float)
    return sums, np.array(scored.column("n_rows").to_pylist(), dtype=float)


def calibrated(loaded: Loaded, means: np.ndarray) -> np.ndarray:
    """Calibrate mean scores (n, n_classes); returned unchanged if the model has no calibration."""
    return means if loaded.confidence is None else loaded.confidence.probabilities(means)


def _ordered(meta: Meta, scores: np.ndarray) -> dict[str, float]:
    order = np.argsort(-scores, kind="stable")
    return {meta.classes[place]: float(scores[place]) for place in order}
