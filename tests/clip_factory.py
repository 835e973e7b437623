"""Shards of synthetic clips for networks, whose genre depends only on the order of rows."""

import json
from pathlib import Path

import numpy as np

from genreatlas.datasets.clip_files import INDEX
from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles
from genreatlas.models.types import Trial

CLASSES = ("falling", "rising")
FEATURES = ("timbre_1", "timbre_2", "pitch_C")
SETTINGS = GridSettings("macro_f1", calibrate=False, weights=False)


def make_clips(
    folder: Path,
    songs_per_class: int = 12,
    n_rows: int = 40,
    multi: bool = False,
    quantised: bool = False,
    uneven: int = 0,
) -> MatrixFiles:
    """Songs of two genres, falling and rising, by artists of two songs each, in three folds.

    Both genres have the same values, so that histograms do not separate them. ``uneven`` songs of the first genre are
    dropped.
    """
    random = np.random.default_rng(5)
    clips, labels, songs = [], [], []
    for number in range(2 * songs_per_class):
        genre = number // 2 % 2
        steps = np.arange(n_rows + number % 3) + random.integers(0, 8)
        wave = (steps % 8) * (1 if genre else -1) % 8 / 4.0 - 1.0
        values = np.stack([wave, random.normal(size=len(wave)), random.normal(size=len(wave))], axis=1)
        clips.append((values + random.normal(scale=0.1, size=values.shape)).astype(np.float32))
        labels.append(genre)
        songs.append(number)
    if uneven:
        first = [place for place, genre in enumerate(labels) if genre == 0]
        gone = set(first[:uneven])
        kept = [place for place in range(len(labels)) if place not in gone]
        clips, labels, songs = ([column[place] for place in kept] for column in (clips, labels, songs))
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, part in enumerate(np.array_split(np.arange(len(clips)), 2)):
        arrays = {"offsets": np.concatenate([[0], np.cumsum([len(clips[place]) for place in part])])}
        values = np.concatenate([clips[place] for place in part])
        if quantised:
            lowest, step = np.full(len(part), values.min()), np.full(len(part), np.ptp(values) / 255)
            arrays |= {"lowest": lowest, "step": step}
            values = np.rint((values - lowest[0]) / step[0]).astype(np.uint8)
        np.savez(folder / f"train-{number:05}.npz", values=values, **arrays)
        files.append(f"train-{number:05}.npz")
    (folder / INDEX).write_text(json.dumps({"files": files, "features": FEATURES, "hop_s": None}))
    first = -(-len(clips) // 2)
    song = np.arange(len(clips))
    y = np.array(labels, dtype=np.int32)
    arrays = {
        "X": np.array([(p // first, p % first, len(clips[p])) for p in range(len(clips))], dtype=np.int64),
        "y": np.stack([y == 0, y == 1], axis=1) if multi else y,
        "fold": (np.array(songs) // 4 % 3).astype(np.int16),
        "song": song.astype(np.int32),
        "group": (np.array(songs) // 2).astype(np.int32),
        "weight": np.ones(len(clips), dtype=np.float32),
    }
    for name, array in arrays.items():
        np.save(folder / f"clips-{name}.npy", array)
    return MatrixFiles("clips", 2, multi, str(folder), sequences=str(folder))


def make_trial(estimator: str = "cnn_1d", **params: object) -> Trial:
    """A candidate with small layers and few epochs."""
    small = {"filters": 4} if estimator != "gru" else {"units": 8}
    small |= {"crop_rows": 16, "epochs": 12, "batch": 8, "learning_rate": 0.01, "dropout": 0.0}
    return Trial(f"networks {estimator}", "networks", estimator, "steps", small | params, seed=3)
