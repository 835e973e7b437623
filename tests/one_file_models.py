"""Models of synthetic sound with known predictions, saved as by training."""

import io
from pathlib import Path

import numpy as np
import soundfile
from sklearn.linear_model import LogisticRegression

from genreatlas.audio.feature_sets import get_feature_set
from genreatlas.audio.preprocess import preprocessing_id
from genreatlas.audio.whole_files import Recipe, whole_file
from genreatlas.config import Config, LimitsSection
from genreatlas.config.joined import PLUS, column_of, members_of
from genreatlas.models import meta, registry
from genreatlas.models.engines.scikit_learn.sklearn_pipelines import Estimator, SklearnModel, make_pipeline
from genreatlas.models.registry import Meta
from genreatlas.models.types import FittedModel

RATE = 22_050
CLASSES = ("noise", "tone")


def sound(*parts: str, seconds: float = 2.0, seed: int = 0) -> bytes:
    """A WAV file of consecutive parts of noise, tone or silence, each of the given length."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE)) / RATE
    made = {
        "noise": lambda: rng.uniform(-0.3, 0.3, len(times)),
        "tone": lambda: 0.3 * np.sin(2 * np.pi * rng.uniform(200, 800) * times),
        "silence": lambda: np.zeros(len(times)),
    }
    file = io.BytesIO()
    soundfile.write(file, np.concatenate([made[part]() for part in parts]), RATE, format="WAV")
    return file.getvalue()


def recipe(config: Config, feature_set: str) -> Recipe:
    """Recipe of a feature set with the configuration's ``[clip]``."""
    sets = [get_feature_set(name) for name in members_of(feature_set)]
    names = tuple(
        column_of(one.name, feature.name) if len(sets) > 1 else feature.name for one in sets for feature in one.features
    )
    return Recipe(feature_set, config.clip, LimitsSection(), names)


def save_model(
    config: Config, model_id: str, feature_set: str = "summary9", alias: str = "champion", **changes: object
) -> Meta:
    """Train a model on twelve sounds, save it, and set an alias."""
    chosen = [get_feature_set(name) for name in members_of(feature_set)]
    version = PLUS.join(one.version for one in chosen)
    made_as = PLUS.join(preprocessing_id(config.clip) for _ in chosen)
    how = recipe(config, feature_set)
    labels = [0, 1] * 6
    found = [whole_file(sound(CLASSES[y], seed=seed), how, content=True) for seed, y in enumerate(labels)]
    X = [window.values for one in found for window in one.windows]
    y = np.repeat(labels, [len(one) for one in X])
    pipeline = make_pipeline(Estimator(lambda: LogisticRegression(C=0.1)), {}, seed=1, multi=False)
    pipeline.fit(np.concatenate(X), y)
    model = SklearnModel(pipeline, 2, multi=False)
    fields = {
        "model_id": model_id, "feature_set": feature_set, "set_version": version,
        "preprocessing_id": made_as, "songs_of": (feature_set, version, "p"),
        "axis": chosen[0].axis, "features": how.columns, "classes": CLASSES, "class_names": ("Noise", "Tone"),
        "multi": False, "score_kind": "probability", "format": "skops", "imputation": "median",
        "train": config.train.model_dump(mode="json"), "clip": config.clip.model_dump(mode="json"),
    }  # fmt: skip
    written = Meta(**(fields | changes))
    registry.save(config, written, FittedModel(model.dumps(), "skops", "probability", 0.0))
    meta.write_alias(Path(config.models.path), alias, model_id)
    return written
