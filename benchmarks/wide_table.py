"""Run time of every step on a wide table: 1,000 songs with 6,373 columns, as in openSMILE's ComParE set.

Writes wide_table.json: wall time and CPU time (driver, JVM and workers together) of every step, on a generated table.
Other work on the machine affects wall time but hardly CPU time: on two cores without other work, wall time is between
half of the CPU time and the CPU time.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measuring import Result
from watch import Watch

from genreatlas.config import load_config
from genreatlas.session import get_spark
from genreatlas.steps import assign_splits, evaluate_models, import_features, train_models, write_report
from genreatlas.store import Store

ROOT = Path(__file__).parents[1]
STEPS = (import_features, assign_splits, train_models, evaluate_models, write_report)
BAR_S = 360.0
CANDIDATES = (
    '{engine = "sklearn", estimator = "logistic_regression", grid = {C = [0.01]}}',
    '{engine = "sklearn", estimator = "random_forest", grid = {n_estimators = [200]}}',
)


def make_table(path: Path, n_songs: int, n_columns: int) -> None:
    """Write songs of ten genres by 200 artists; a fiftieth of the columns depend on the genre and are correlated."""
    rng = np.random.default_rng(1)
    artist = np.arange(n_songs) % 200
    genre = artist % 10
    hidden = rng.normal(size=(n_songs, 40)) + np.eye(10, 40)[genre] * 2.0
    X = hidden @ rng.normal(size=(40, n_columns)) * (rng.random(n_columns) < 0.02) + rng.normal(
        size=(n_songs, n_columns)
    )
    columns = {f"pcm_{place}_sma_de_{place % 37}": X[:, place] for place in range(n_columns)}
    names = {"clip": [f"s{n:05}" for n in range(n_songs)], "artist": [f"a{n}" for n in artist],
             "genre": [f"g{n}" for n in genre]}  # fmt: skip
    pq.write_table(pa.table(names | columns), path)


def main() -> None:
    """Generate the table, run the steps, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=1000)
    parser.add_argument("--columns", type=int, default=6373)
    parser.add_argument("--profile", help="name of a step to profile with cProfile")
    parsed = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="wide-table-"))
    make_table(home / "table.parquet", parsed.songs, parsed.columns)
    settings = {
        "store.path": f'"{home}/tables"', "models.path": f'"{home}/models"', "report.path": f'"{home}/report"',
        "import_features.path": f'"{home}/table.parquet"', "import_features.name": '"wide"',
        "import_features.id": '"clip"', "import_features.artist": '"artist"', "import_features.labels": '["genre"]',
        "splits.folds": "3", "train.feature_sets": '["wide"]', "train.candidates": f"[{', '.join(CANDIDATES)}]",
        "spark.master": '"local[2,4]"',
    }  # fmt: skip
    config = load_config([], [f"{key}={value}" for key, value in settings.items()])
    results, clock, cpu = [], 0.0, 0.0
    watch = Watch()
    spark = get_spark(config.spark)
    store = Store(spark, config.store, run_id="bench")
    for step in STEPS:
        name = step.__name__.rpartition(".")[2]
        started, used = time.perf_counter(), watch.cpu()
        counts = profiled(step, store, config) if parsed.profile == name else step.run(store, config)
        took, burnt = time.perf_counter() - started, watch.cpu() - used
        clock, cpu = clock + took, cpu + burnt
        print(f"{name}: {took:.1f} s, {burnt:.1f} s of CPU; read {counts.read}, failed {counts.failed}", flush=True)
        print("\n".join(f"  {note}" for note in counts.notes[:8]), flush=True)
        results.append(Result(name, took, "s", n=parsed.songs, note=f"{burnt:.0f} s of CPU"))
    note = f"{parsed.columns} columns; {cpu:.0f} s of CPU on {os.cpu_count()} cores"
    results.append(Result("all_steps", clock, "s", BAR_S, "at most", n=parsed.songs, note=note))
    results.append(Result("all_steps_cpu", cpu, "s", n=parsed.songs, note="driver, JVM and workers"))
    watch.close()
    spark.stop()
    shutil.rmtree(home)
    if (parsed.songs, parsed.columns) == (1000, 6373):
        found = {result.key: asdict(result) | {"met": result.met} for result in results}
        (ROOT / "benchmarks" / "wide_table.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def profiled(step, store, config):
    """Run a step under cProfile and print the profile of the driver."""
    import cProfile
    import pstats

    profile = cProfile.Profile()
    counts = profile.runcall(step.run, store, config)
    pstats.Stats(profile).sort_stats("cumulative").print_stats(45)
    return counts


if __name__ == "__main__":
    main()
