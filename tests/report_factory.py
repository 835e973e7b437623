"""Small complete data of a run of the pipeline, for tests of the page."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from genreatlas.evaluation.reliability import reliability_rows
from genreatlas.report.data import Player, ReportData, Sound
from genreatlas.tables import TABLES

GENRES = {
    "blues": "Blues",
    "chiptune": "Chiptune",
    "drumandbass": "Drum & Bass",
    "folk": "Folk",
    "house": "House",
    "metal": "Metal",
    "reggae": "Reggae",
    "waltz": "Waltz",
}
FEATURES = {
    "spectral_centroid_mean": "Hz",
    "rms_mean": "",
    "tempo": "BPM",
    "zero_crossing_rate_mean": "1",
    "rolloff_mean": "Hz",
    "mfcc1_mean": "",
    "mfcc2_mean": "",
    "chroma_stft_mean": "",
    "flatness_mean": "",
}
AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)

_MODELS = [
    ("spark", "logistic_regression", "summary9", 0.66),
    ("spark", "random_forest", "mfcc12_frames", 0.71),
    ("sklearn", "hist_gradient_boosting", "summary9", 0.74),
    ("sklearn", "linear_svc", "mfcc12_frames", 0.69),
    ("baseline", "random", "summary9", 0.13),
    ("baseline", "majority", "summary9", 0.03),
    ("baseline", "stratified", "summary9", 0.11),
    ("baseline", "technical", "technical", 0.21),
    ("baseline", "loudness", "loudness", 0.27),
]


def model(engine: str, estimator: str, feature_set: str, **changes: Any) -> dict[str, Any]:
    """A valid row of ``models``."""
    params = '{"max_iter": 100, "scaler": "standard"}'
    row = {
        "model_id": f"{engine}-{estimator}-{feature_set}",
        "experiment_id": f"e-{engine}-{estimator}-{feature_set}",
        "candidate": f"{engine} {estimator} {feature_set} {params}",
        "engine": engine,
        "estimator": estimator,
        "feature_set": feature_set,
        "params": params,
        "dataset_id": "d1",
        "set_version": "1",
        "preprocessing_id": "p1",
        "split": "default",
        "split_version": 1,
        "level": "genre",
        "labels": "drop",
        "seed": 7,
        "classes": list(GENRES),
        "class_names": list(GENRES.values()),
        "features": list(FEATURES),
        "score_kind": "probability",
        "grouping": "artist-safe",
        "format": "skops",
        "path": "models/x",
        "fitted_at": AT,
        "seconds": 2.5,
        "input_versions": {"songs": 1},
        "git_commit": "0123abc",
        "run_id": "run-train",
    }
    return {**row, **changes}


def metric(model_id: str, name: str, value: float | None, **changes: Any) -> dict[str, Any]:
    """A valid row of ``metrics``. The interval is derived from the value unless given."""
    row = {
        "model_id": model_id,
        "part": "test",
        "unit": "song",
        "metric": name,
        "genre_id": "*",
        "other": "*",
        "value": value,
        "low": None if value is None else max(0.0, value - 0.1234),
        "high": None if value is None else min(1.0, value + 0.0987),
        "n_songs": 40,
        "n_groups": 12,
        "grouping": "artist-safe",
    }
    return {**row, **changes}


def experiment(engine: str, estimator: str, feature_set: str, score: float | None, **changes: Any) -> dict[str, Any]:
    """A valid row of ``experiments``."""
    base = model(engine, estimator, feature_set)
    kept = (
        "experiment_id",
        "candidate",
        "engine",
        "estimator",
        "feature_set",
        "params",
        "dataset_id",
        "split",
        "split_version",
        "level",
        "labels",
        "seed",
        "git_commit",
        "run_id",
    )
    none = score is None
    row = {
        **{key: base[key] for key in kept},
        "metric": "macro_f1",
        "status": "failed" if none else "done",
        "reason": "fit_failed" if none else None,
        "detail": "ValueError: <b>no</b>" if none else None,
        "n_folds": 0 if none else 3,
        "score_min": None if none else score - 0.05,
        "score_mean": score,
        "score_max": None if none else score + 0.04,
        "score_std": None if none else 0.021,
        "train_score_mean": None if none else 0.98,
        "gap": None if none else 0.98 - score,
        "n_classes": 8,
        "n_songs": 100,
        "n_rows": 100,
        "seconds": 12.5,
    }
    return {**row, **changes}


def report_data(**changes: Any) -> ReportData:
    """All data of a page, with eight genres and nine models."""
    rng = np.random.default_rng(5)
    ids = [f"{engine}-{estimator}-{feature_set}" for engine, estimator, feature_set, _ in _MODELS]
    best, frames_model = ids[2], ids[1]
    confusion = _confusion(rng)
    failed = experiment("spark", "naive_bayes", "summary9", None)
    data = ReportData(
        title="Genre Atlas",
        seed=7,
        versions=dict.fromkeys([*(table.name for table in TABLES), "features_summary9"], 3),
        library={"songs": 146, "clips": 144, "hours": 1.2, "artists": 48, "genres": 8},
        genres=frame(
            "genre_id genre n_songs n_clips hours n_train n_promotion n_test n_excluded",
            *[(g, GENRES[g], 25 - i, 25 - i, 0.15, 12, 2, 4, 0) for i, g in enumerate(sorted(GENRES, reverse=True))],
        ),
        losses=frame(
            "genre_id genre songs no_features filtered duplicates several surplus kept why",
            ("folk", "Folk", 20, 1, 0, 0, 3, 0, 16, ""),
            ("zydeco", "Zydeco", 4, 0, 0, 1, 0, 0, 0, "fewer than 10 songs left"),
        ),
        quarantine=frame(
            "stage reason n path detail",
            ("import_folder", "not_audio", 2, "metal/readme.mp3", "text, not audio. Remove or replace the file."),
            ("extract_features", "silent", 1, "folk/silence.mp3", "all samples are 0"),
        ),
        parts=frame("part n_songs n_groups", ("train", 100, 33), ("promotion", 14, 4), ("test", 32, 12)),
        grouped_by=frame("grouped_by n_groups", ("artist", 48)),
        experiments=pd.DataFrame([*(experiment(*row) for row in _MODELS), failed]),
        candidate_counts=frame("status n", ("done", 9), ("failed", 1)),
        models=pd.DataFrame([model(*row[:3]) for row in _MODELS]),
        scores=pd.DataFrame(_scores(ids)),
        genre_scores=pd.DataFrame(_genre_scores(ids, rng)),
        confusion=pd.concat([confusion.assign(model_id=frames_model), confusion.assign(model_id=best)]),
        reliability=_reliability(best),
        importances=pd.DataFrame(_importances(best)),
        comparisons=pd.DataFrame(_comparisons(best, [model_id for model_id in ids if model_id != best])),
        confused=_confused(best),
        durations=frame(
            "genre_id n low q1 median q3 high",
            *[(g, 18, 28.0 + i, 60.0 + 9 * i, 120.0 + 12 * i, 180.0 + 15 * i, 300.0) for i, g in enumerate(GENRES)],
        ),
        features=frame("feature unit kind", *[(name, unit, "numeric") for name, unit in FEATURES.items()]),
        feature_set="summary9",
        sample=_sample(rng),
        n_feature_rows=144,
        genre_names=GENRES,
        sounds=tuple(_sound(i, g, n) for i, (g, n) in enumerate(GENRES.items())),
        players={"s0": Player("s0", "data:audio/mpeg;base64,SUQz"), "s1": Player("s1", "", "the file is gone")},
        runs=_runs(),
        configuration='[train]\nmetric = "macro_f1"\n',
    )
    return replace(data, **changes)


def frame(columns: str, *rows: tuple[Any, ...]) -> pd.DataFrame:
    """A frame from a string of column names and rows as tuples."""
    return pd.DataFrame(list(rows), columns=columns.split())


def _reliability(model_id: str) -> pd.DataFrame:
    """Reliability of a slightly overconfident model whose prediction sets miss the waltz."""
    rng = np.random.default_rng(8)
    genres = np.array(list(GENRES))
    truth = genres[np.arange(320) % 8]
    confidence = rng.uniform(0.3, 1.0, 320)
    predicted = np.where(rng.random(320) < confidence - 0.1, truth, genres[(np.arange(320) + 1) % 8])
    rows = pd.DataFrame(
        {
            "song_id": [f"s{i:03d}" for i in range(320)], "group_id": [f"g{i % 60}" for i in range(320)],
            "truth": truth, "predicted": predicted, "confidence": confidence, "set_size": 2,
            "in_set": np.where(truth == "waltz", rng.random(320) < 0.5, rng.random(320) < 0.92),
        }
    )  # fmt: skip
    return reliability_rows(rows, list(GENRES), 0.9).assign(model_id=model_id, part="test")


def _importances(model_id: str) -> list[dict[str, Any]]:
    return [
        metric(model_id, f"importance_{kind}", value, other=feature, low=value - 0.01, high=value + 0.015)
        for kind in ("permutation", "impurity")
        for feature, value in zip(FEATURES, np.geomspace(0.2, 0.004, len(FEATURES)), strict=True)
    ]


def _comparisons(best: str, others: list[str]) -> list[dict[str, Any]]:
    p_values = [0.21, 0.44, 0.3, *[0.0004] * (len(others) - 3)]
    return [
        metric(best, "p_value_holm", p, other=other, low=None, high=None)
        for p, other in zip(p_values, others, strict=True)
    ]


def _scores(ids: list[str]) -> list[dict[str, Any]]:
    rows = []
    for (_, _, feature_set, score), model_id in zip(_MODELS, ids, strict=True):
        for shift, name in enumerate(("macro_f1", "accuracy", "balanced_accuracy", "weighted_f1", "top_3_accuracy")):
            rows.append(metric(model_id, name, min(1.0, score + 0.01234 * shift)))
        rows.append(metric(model_id, "log_loss", 2.5 - 2 * score, high=2.9 - 2 * score))
        if feature_set.endswith("frames"):
            rows.append(metric(model_id, "accuracy", score - 0.02, unit="song_vote"))
            rows.append(metric(model_id, "accuracy", score - 0.2, unit="row", n_songs=51_720))
    return rows


def _genre_scores(ids: list[str], rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        metric(
            ids[index],
            name,
            4.0 if name == "support" else float(rng.uniform(0.4, 0.95)),
            genre_id=genre,
            n_songs=4,
            n_groups=5,
            **({"low": None, "high": None} if name == "support" or genre == "waltz" else {}),
        )
        for index in (1, 2)
        for genre in GENRES
        for name in ("precision", "recall", "f1", "support")
    ]


def _confusion(rng: np.random.Generator) -> pd.DataFrame:
    counts = rng.poisson(0.5, (8, 8)) + np.diag(rng.integers(2, 8, 8))
    ids, total = list(GENRES), counts.sum(axis=1)
    plain = {"low": None, "high": None}
    return pd.DataFrame(
        {
            **metric("", "confusion", float(counts[i, j]), genre_id=ids[i], other=ids[j], **plain),
            "total": float(total[i]),
        }
        for i in range(8)
        for j in range(8)
        if counts[i, j]
    )


def _confused(model_id: str) -> pd.DataFrame:
    return frame(
        "model_id song_id title artist genres predicted_name confidence score_kind path start_s length_s",
        *[
            (model_id, f"s{i}", f"Song {i}", "The Examples", "Metal", "Drum & Bass", 0.91 - i / 20, "probability",
             f"metal/song {i}.mp3", 61.0, 30.0)
            for i in range(4)
        ],
    )  # fmt: skip


def _sample(rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for i, genre in enumerate(GENRES):
        base = rng.normal(size=(18, len(FEATURES))) + 1.6 * np.sin(np.arange(len(FEATURES)) * (i + 1))
        base[:, 4] = base[:, 0] * 0.9 + rng.normal(size=18) * 0.2
        base[:, 0] = 2000 + 500 * base[:, 0]
        base[:, 2] = 120 + 18 * base[:, 2]
        frame = pd.DataFrame(base, columns=list(FEATURES))
        rows.append(frame.assign(_genre_id=genre, _part=["train"] * 12 + ["test"] * 6))
    return pd.concat(rows, ignore_index=True)


def _sound(index: int, genre_id: str, name: str) -> Sound:
    t = np.arange(22050 * 3) / 22050
    beat = np.exp(-((t * (1.5 + index / 4)) % 1.0) * 5)
    tone = sum(np.sin(2 * np.pi * 110 * (index + 2) * k * t) / k for k in range(1, 6))
    return Sound(genre_id, f"s{index}", f"{name} in C", (0.35 * beat * tone).astype(np.float32), 22050, 30.0)


def _runs() -> pd.DataFrame:
    steps = ("import_folder", "extract_features", "assign_splits", "train_models", "evaluate_models")
    versions = {"python": "3.11.9", "pyspark": "4.2.0", "scikit-learn": "1.9.0"}
    return frame(
        "run_id step status started_at ended_at n_read n_written n_failed n_skipped error versions config git_commit",
        *[(f"run-{s}", s, "done", AT, AT, 146, 144, 2, 0, None, versions, "{}", "0123abc") for s in steps],
    )
