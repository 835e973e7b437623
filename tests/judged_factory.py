"""A small library with features, a split and fitted models, for tests of evaluation.

Songs of three genres. In ``points`` the features ``x`` and ``y`` separate the genres, ``noise`` does not; ``mfcc`` has
eight frames per clip with ``x`` and ``y``.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from genreatlas.config import Config
from genreatlas.models import registry
from genreatlas.models.engines.baseline import Dummy
from genreatlas.models.engines.scikit_learn.sklearn_pipelines import Estimator, SklearnModel, make_pipeline
from genreatlas.models.types import FittedModel
from genreatlas.store import Store
from genreatlas.tables import (
    ARTISTS,
    FEATURE_SETS,
    GENRE_PARENTS,
    MODELS,
    SONG_ARTISTS,
    SONG_GENRES,
    SONGS,
    SPLITS,
    Column,
    frame_table,
    summary_table,
)

GENRES = ("blues", "jazz", "rock")
CENTRES = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
POINTS = summary_table("points", "Test.", [Column(name, "float", name) for name in ("x", "y", "noise")])
MFCC = frame_table("mfcc", "Test.")
_NAMES = {LogisticRegression: "logistic_regression", RandomForestClassifier: "random_forest"}
WHERE = {"set_version": "1", "preprocessing_id": "p"}


@dataclass(frozen=True)
class Song:
    """A song of one artist; ``genres`` are indices."""

    number: int
    artist: int
    genres: tuple[int, ...]
    part: str

    @property
    def name(self) -> str:
        return f"song{self.number:04d}"

    def values(self, n: int) -> np.ndarray:
        """Deterministic features of the song, (n, 3)."""
        rng = np.random.default_rng(self.number)
        centre = CENTRES[list(self.genres)].mean(axis=0)
        return np.column_stack([centre + rng.normal(0, 1.3, (n, 2)), rng.normal(0, 1, n)]).astype(np.float32)


def songs_of(artists: range, part: str, songs: int = 2) -> list[Song]:
    return [Song(a * 100 + k, a, (a % 3,), part) for a in artists for k in range(songs)]


def add_songs(store: Store, songs: list[Song], version: int = 1) -> None:
    """Write songs to all tables that evaluation reads."""
    write = partial(_write, store)
    write(SONGS, [{"song_id": s.name, "source": "test", "artist": str(s.artist)} for s in songs])
    write(ARTISTS, [{"artist_id": str(a), "name": str(a)} for a in {s.artist for s in songs}])
    write(SONG_ARTISTS, [{"song_id": s.name, "position": 0, "artist_id": str(s.artist), "role": "primary"}
                         for s in songs])  # fmt: skip
    write(SONG_GENRES, [{"song_id": s.name, "genre_id": GENRES[g], "source": "test", "genre": GENRES[g].title(),
                         "weight": 1.0} for s in songs for g in s.genres])  # fmt: skip
    write(SPLITS, [{"split": "default", "song_id": s.name, "split_version": version, "group_id": f"artist{s.artist}",
                    "grouped_by": "artist", "part": s.part, "fold": 0 if s.part == "train" else None}
                   for s in songs])  # fmt: skip
    key = [WHERE | {"clip_id": f"clip of {s.name}", "song_id": s.name} for s in songs]
    points = [dict(zip(("x", "y", "noise"), map(float, s.values(1)[0]), strict=True)) for s in songs]
    write(POINTS, [k | p for k, p in zip(key, points, strict=True)])
    packed = [s.values(8)[:, :2].ravel().tolist() for s in songs]
    write(MFCC, [k | {"n_frames": 8, "width": 2, "hop_s": 0.1, "frames": f} for k, f in zip(key, packed, strict=True)])


def add_library(store: Store, n_test_artists: int = 9) -> None:
    """Write training songs of 30 artists, and two songs of each test artist."""
    for name, axis, features in (("points", "summary", ("x", "y", "noise")), ("mfcc", "frames", ("m0", "m1"))):
        _write(store, FEATURE_SETS, [
            WHERE | {"feature_set": name, "position": i, "feature": f, "kind": "numeric", "axis": axis, "unit": "",
                     "source": "test.csv"} for i, f in enumerate(features)
        ])  # fmt: skip
    _write(store, GENRE_PARENTS, [{"genre_id": genre, "genre": genre.title(), "parent_id": "roots", "parent": "Roots",
                                   "source": "configuration"} for genre in ("blues", "jazz")])  # fmt: skip
    add_songs(store, songs_of(range(30), "train") + songs_of(range(30, 30 + n_test_artists), "test"))


def add_model(store: Store, config: Config, model_id: str, estimator=None, feature_set: str = "points", **row) -> None:
    """Fit a scikit-learn estimator on the training songs (or create a dummy), and save it as train_models does."""
    train, axis = songs_of(range(30), "train"), "frames" if feature_set == "mfcc" else "summary"
    multi = config.train.labels == "multi"
    if estimator is None:
        model = Dummy("majority", (0.5, 0.3, 0.2), 1, multi)
        fitted = FittedModel(model.dumps(), "json", "probability", 0.0)
    else:
        n = 8 if axis == "frames" else 1
        X = np.concatenate([s.values(n)[:, : 2 if axis == "frames" else 3] for s in train])
        y = np.repeat([s.genres[0] for s in train], n)
        pipeline = make_pipeline(Estimator(lambda: estimator), {}, seed=1, multi=multi)
        pipeline.fit(X, np.eye(3, dtype=int)[y] if multi else y)
        model = SklearnModel(pipeline, 3, multi)
        fitted = FittedModel(model.dumps(), "skops", model.score_kind, 0.0)
    features = ("m0", "m1") if axis == "frames" else ("x", "y", "noise")
    meta = registry.Meta(
        model_id, feature_set, "1", "p", (feature_set, "1", "p"), axis, features, GENRES,
        tuple(map(str.title, GENRES)), multi, fitted.score_kind, fitted.format, "median",
        config.train.model_dump(mode="json"), config.clip.model_dump(mode="json"),
    )  # fmt: skip
    path = registry.save(config, meta, fitted)
    defaults = {
        "model_id": model_id, "experiment_id": f"x-{model_id}", "candidate": f"candidate {model_id}",
        "engine": "baseline" if estimator is None else "sklearn",
        "estimator": "majority" if estimator is None else _NAMES[type(estimator)], "feature_set": feature_set,
        "params": "{}", "dataset_id": "d", "split": "default", "split_version": 1, "level": config.train.level,
        "labels": config.train.labels, "seed": 1, "classes": list(GENRES), "class_names": list(GENRES),
        "features": list(features), "score_kind": fitted.score_kind, "grouping": "artist-safe",
        "format": fitted.format, "path": str(path), "fitted_at": datetime(2026, 1, 1, tzinfo=UTC), **WHERE,
    }  # fmt: skip
    _write(store, MODELS, [defaults | row])


def logistic() -> LogisticRegression:
    return LogisticRegression()


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(n_estimators=20, random_state=1)


def _write(store: Store, table, rows: list[dict]) -> None:
    store.append(table, store.frame(table, rows))
