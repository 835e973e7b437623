"""Training matrices of synthetic songs, as files."""

from pathlib import Path

import numpy as np

from genreatlas.datasets.types import Matrix
from genreatlas.models.types import FoldTask, Trial

CLASSES = ("blues", "jazz", "rock")


def make_matrix(
    folder: Path,
    songs_per_class: int = 16,
    rows_per_song: int = 1,
    n_features: int = 4,
    separation: float = 1.5,
    multi: bool = False,
    dataset_id: str = "factory",
    **arrays: np.ndarray,
) -> Matrix:
    """Songs of three classes around separate centres, in four folds. ``arrays`` replace generated arrays by name."""
    rng = np.random.default_rng(11)
    n_songs = 3 * songs_per_class
    genre = np.arange(n_songs) % 3
    song = np.repeat(np.arange(n_songs), rows_per_song)
    centres = np.eye(3, n_features)[genre] * separation + rng.normal(size=(n_songs, n_features)) * 0.5
    X = centres[song] + rng.normal(size=(len(song), n_features)) * 0.5
    X[::11, -1] = np.nan
    y = genre[song].astype(np.int32)
    files = {
        "X": X.astype(np.float32),
        "y": np.stack([y == 0, y >= 1, y == 2], axis=1) if multi else y,
        "fold": (song // 3 % 4).astype(np.int16),
        "song": song.astype(np.int32),
        "group": song.astype(np.int32),
        "weight": np.ones(len(song), dtype=np.float32),
    } | arrays
    axis = "summary" if rows_per_song == 1 else "frames"
    features = tuple(f"f{i}" for i in range(files["X"].shape[1]))
    folds = tuple(int(fold) for fold in np.unique(files["fold"]))
    matrix = Matrix(dataset_id, folder, len(files["y"]), n_songs, features, CLASSES, folds, axis, multi)
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in files.items():
        np.save(matrix.file(name), array)
    return matrix


def make_trial(estimator: str, engine: str = "sklearn", seed: int = 7, **params: object) -> Trial:
    return Trial(f"{engine} {estimator} {params}", engine, estimator, "factory", params, seed)


def make_tasks(matrix: Matrix, *trials: Trial) -> list[FoldTask]:
    return [FoldTask(trial.name, trial, fold) for trial in trials for fold in matrix.folds]
