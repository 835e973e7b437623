"""Run time of ``genreatlas.predict`` for one file: ``python benchmarks/one_file.py [FILE]``.

Without a file, a clip of 30 s is composed. For each feature set a logistic regression is fitted on noise, as its run
time does not depend on the data. Each process makes one first call (loading of the model, imports, compiled code from
numba's cache) and ten more; reported are wall and processor time of the first call and the medians of the others.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from clips import clip_paths

SETS = ("summary9", "gtzan57", "fma518_44k", "mfcc12_frames")
WARM = 10


def main() -> None:
    """Print a table with one row per feature set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", help="audio file; default: a composed clip of 30 s")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.file, arguments.measure)))
        return
    with tempfile.TemporaryDirectory(prefix="one-file-") as folder:
        file = arguments.file or clip_paths(Path(folder), Path("nowhere"), 1)[0]
        print("| feature set | windows | first call | its processor time | later calls | their processor time |")
        print("|---|---|---|---|---|---|")
        for name in SETS:
            models = Path(folder) / name
            write_model(models, name)
            found = subprocess.run(
                [sys.executable, __file__, file, "--measure", str(models)],
                env=os.environ | {"OMP_NUM_THREADS": "1"},
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            row = json.loads(found.stdout)
            times = [f"{row[key]:.2f} s" for key in ("first", "first_cpu", "warm", "warm_cpu")]
            print(f"| `{name}` | {row['windows']} | {' | '.join(times)} |", flush=True)


def measure(file: str, models: str) -> dict[str, float]:
    """Seconds of the first call in this process, including imports, and median of the later calls."""
    took, used = [], []
    for _ in range(WARM + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        import genreatlas

        answer = genreatlas.predict(file, models)
        took.append(time.perf_counter() - wall)
        used.append(time.process_time() - cpu)
    return {
        "windows": len(answer.windows),
        "first": took[0],
        "first_cpu": used[0],
        "warm": statistics.median(took[1:]),
        "warm_cpu": statistics.median(used[1:]),
    }


def write_model(models: Path, feature_set: str) -> None:
    """Store a champion with ten classes, fitted on noise."""
    from genreatlas.audio.feature_sets import get_feature_set
    from genreatlas.audio.preprocess import preprocessing_id
    from genreatlas.audio.whole_files import Recipe
    from genreatlas.config import load_config
    from genreatlas.models import meta, registry
    from genreatlas.models.engines.scikit_learn.sklearn_pipelines import ESTIMATORS, SklearnModel, make_pipeline
    from genreatlas.models.types import FittedModel

    config = load_config([], [f'models.path="{models}"'])
    chosen = get_feature_set(feature_set)
    how = Recipe(feature_set, config.clip, config.limits, tuple(feature.name for feature in chosen.features))
    rng = np.random.default_rng(7)
    classes = tuple(f"genre{number}" for number in range(10))
    pipeline = make_pipeline(ESTIMATORS["logistic_regression"], {"scaler": "standard"}, seed=1, multi=False)
    pipeline.fit(rng.normal(size=(200, len(how.columns))), np.arange(200) % 10)
    model = SklearnModel(pipeline, 10, multi=False)
    fields = {
        "model_id": "m", "feature_set": feature_set, "set_version": chosen.version,
        "preprocessing_id": preprocessing_id(config.clip), "songs_of": (feature_set, chosen.version, "p"),
        "axis": chosen.axis, "features": how.columns, "classes": classes, "class_names": classes, "multi": False,
        "score_kind": "probability", "format": "skops", "imputation": "median",
        "train": config.train.model_dump(mode="json"), "clip": config.clip.model_dump(mode="json"),
    }  # fmt: skip
    registry.save(config, meta.Meta(**fields), FittedModel(model.dumps(), "skops", "probability", 0.0))
    meta.write_alias(models, "champion", "m")


if __name__ == "__main__":
    main()
