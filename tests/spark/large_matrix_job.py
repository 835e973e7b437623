"""Run by test_large_matrix.py in a separate process: score a large matrix with the grid; JSON results on stdout."""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from genreatlas.config import SparkSection, TrainSection
from genreatlas.datasets.types import Matrix
from genreatlas.models.engines import task_grid
from genreatlas.models.types import FoldTask, Trial
from genreatlas.session import get_spark

N_FEATURES = 125
ROWS_PER_SONG = 100

#: Cheap fits, because the test is about sending the matrix to the tasks.
TRIALS = (
    Trial("trees", "sklearn", "extra_trees", "large", {"n_estimators": 2, "max_depth": 6, "scaler": "standard"}, 7),
    Trial("boosting", "sklearn", "hist_gradient_boosting", "large", {"max_iter": 2, "scaler": "none"}, 7),
)


def write_large_matrix(folder: Path, megabytes: int) -> Matrix:
    """Write noise of ``megabytes`` in which one feature separates two classes, block by block."""
    n_songs = megabytes * 1_000_000 // (4 * N_FEATURES * ROWS_PER_SONG)
    n_rows = n_songs * ROWS_PER_SONG
    song = np.repeat(np.arange(n_songs, dtype=np.int32), ROWS_PER_SONG)
    features = tuple(f"f{i}" for i in range(N_FEATURES))
    matrix = Matrix("large", folder, n_rows, n_songs, features, ("a", "b"), (0, 1), "frames", multi=False)
    small = {
        "y": song % 2,
        "fold": (song // 2 % 2).astype(np.int16),
        "song": song,
        "group": song,
        "weight": np.ones(n_rows, dtype=np.float32),
    }
    for name, array in small.items():
        np.save(matrix.file(name), array)
    rng = np.random.default_rng(1)
    X = np.lib.format.open_memmap(matrix.file("X"), mode="w+", dtype=np.float32, shape=(n_rows, N_FEATURES))
    for start in range(0, n_rows, 10_000):
        block = rng.standard_normal((min(10_000, n_rows - start), N_FEATURES), dtype=np.float32)
        block[:, 0] += small["y"][start : start + len(block)]
        X[start : start + len(block)] = block
    X.flush()
    return matrix


def main(folder: str, megabytes: str) -> None:
    matrix = write_large_matrix(Path(folder), int(megabytes))
    spark = get_spark(SparkSection(master="local[2,4]", driver_memory="1g"), app_name="large-matrix")
    tasks = [FoldTask(trial.name, trial, fold) for trial in TRIALS for fold in matrix.folds]
    started = time.perf_counter()
    task_grid.send_matrix(spark, matrix, TrainSection())
    sent = time.perf_counter()
    results = task_grid.score_folds(spark, matrix, tasks, TrainSection())
    done = time.perf_counter()
    figures = {"matrix_mb": matrix.n_bytes / 1e6, "send_s": sent - started, "score_s": done - sent}
    print(json.dumps({**figures, "results": [asdict(result) for result in results]}))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
