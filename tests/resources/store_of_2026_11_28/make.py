"""Create this frozen store with commit 763c611, with models of all kinds and staged chunks of killed runs.

It was run once, with the code of that commit on the path and two cores::

    git worktree add /tmp/atlas-763c611 763c611
    PYTHONPATH=/tmp/atlas-763c611/lib python make.py /srv/atlas
    cp -r /srv/atlas/{tables,models,mlflow_model,music,new_music,expected.json,atlas.toml} .

Paths in the tables are below /srv/atlas; ``frozen_store.py`` replaces them by the paths of a test's copy. The store is
not recreated when the code changes, because it tests compatibility with old stores.
"""

import csv
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import soundfile
from deltalake import DeltaTable

import genreatlas
from genreatlas.config import SandboxSection, SparkSection, WorldSection, load_config
from genreatlas.evaluation import leaderboard
from genreatlas.models import meta
from genreatlas.models import training as training_module
from genreatlas.models.sklearn_estimators import ESTIMATORS as SKLEARN
from genreatlas.models.sklearn_model import load_file
from genreatlas.models.sklearn_predict import predict_batch
from genreatlas.models.spark_estimators import ESTIMATORS as SPARK
from genreatlas.provenance import git_commit
from genreatlas.runner import run_step
from genreatlas.sandbox.library import write_library
from genreatlas.sandbox.world import running_world
from genreatlas.session import get_spark
from genreatlas.steps import (
    assign_splits,
    collect_songs,
    evaluate_models,
    extract_features,
    fetch_previews,
    import_features,
    import_folder,
    log_mlflow,
    measure_drift,
    promote_model,
    rollback,
    score,
    scrape_genres,
    train_models,
)
from genreatlas.store import Store
from genreatlas.tables import CLIPS, MODELS, PREDICTIONS, PROMOTIONS, SCORES

COMMIT = "763c611"
GENRES = ("house", "techno", "folk")

SETTINGS = """
# The configuration that the frozen store was made with; paths and what was trained are set in make.py.
[folder]
labels = "manifest"
genre_parents = { house = "electronic", techno = "electronic", folk = "acoustic" }
[clip]
seconds = 2.0
[extract]
feature_sets = ["summary9", "mfcc12_frames", "timbre_pitch", "mel128"]
[every_noise]
snapshot = "2023-11-19"
genre_pages = true
floor = 2
[spotify]
acknowledge_terms = true
[deezer]
acknowledge_terms = true
hosts = ["127.0.0.1"]
licence = "CC0-1.0"
[fetch_previews]
providers = ["spotify", "deezer"]
[fan_out]
chunk_rows = 12
backoff_s = 0.1
max_attempts = 1
[splits]
folds = 2
promotion = 0.25
test = 0.25
[train]
feature_sets = ["summary9", "mfcc12_frames"]
min_songs = 2
frames_per_song = 8
[evaluate]
bootstrap = 50
permutations = 50
importance_repeats = 1
min_groups = 2
[retrain]
engines = ["sklearn"]
min_groups = 2
bootstrap = 50
[drift]
min_rows = 3
"""

#: A small grid for each estimator, for small files and short fits.
SKLEARN_GRIDS = {
    "linear_svc": {"C": [0.1], "scaler": ["standard"]},
    "svc": {"C": [1.0], "scaler": ["minmax"]},
    "random_forest": {"n_estimators": [10]},
    "hist_gradient_boosting": {"max_iter": [4], "min_samples_leaf": [2]},
    "logistic_regression": {"C": [0.1], "scaler": ["robust"]},
    "ada_boost": {"n_estimators": [4]},
    "knn": {"n_neighbors": [3], "algorithm": ["kd_tree"], "metric": ["manhattan"]},
    "extra_trees": {"n_estimators": [10]},
}
SPARK_GRIDS = {
    "logistic_regression": {"regParam": [0.1], "maxIter": [5]},
    "random_forest": {"numTrees": [5], "maxDepth": [3]},
    "gbt": {"maxIter": [2], "maxDepth": [2]},
    "linear_svc": {"regParam": [0.1], "maxIter": [5]},
    "multilayer_perceptron": {"hidden": [[4]], "maxIter": [5]},
    "decision_tree": {"maxDepth": [3]},
    "naive_bayes": {},
}


def listed(*candidates):
    """TOML of [train] candidates, from engine, estimator, feature set and grid."""
    entries = []
    for engine, estimator, feature_set, grid in candidates:
        points = ", ".join(f"{name} = {json.dumps(values)}" for name, values in grid.items())
        entries.append(
            f'{{engine = "{engine}", estimator = "{estimator}", feature_sets = ["{feature_set}"], grid = {{{points}}}}}'
        )
    return f"train.candidates=[{', '.join(entries)}]"


def small(folder: Path) -> None:
    """Re-encode the same sounds in a fifth of the size."""
    for file in sorted(folder.rglob("*.mp3")):
        sound, rate = soundfile.read(file, dtype="float32")
        sound = sound.mean(axis=1) if sound.ndim > 1 else sound
        soundfile.write(
            file, sound[::2], rate // 2, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode="CONSTANT",
            compression_level=0.95,
        )  # fmt: skip


class Making:
    """Configuration and session of the store being created."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.toml = root / "atlas.toml"
        self.toml.write_text(SETTINGS.lstrip())
        places = {"store.path": "tables", "models.path": "models", "report.path": "report", "folder.path": "music"}
        self.places = [f'{key}="{root / name}"' for key, name in places.items()]
        self.spark = get_spark(SparkSection(master="local[2,4]", driver_memory="1g"), "frozen")
        self.store = Store(self.spark, self.config().store)

    def config(self, *settings):
        """Return the configuration with more settings."""
        return load_config([self.toml], [*self.places, f'folder.manifest="{self.root}/music/manifest.csv"', *settings])

    def run(self, step, *settings):
        """Run a step to completion."""
        code = run_step(step, self.spark, self.config(*settings))
        assert code == 0, step

    def killed(self, step, table, *settings):
        """Run a step and stop it before it merges its staged chunk, as a kill would."""
        with before(table):
            try:
                run_step(step, self.spark, self.config(*settings))
            except KeyboardInterrupt:
                return
        raise AssertionError(f"{step} ended before it wrote {table}")


@contextmanager
def before(table: str) -> Iterator[None]:
    """Raise an exception before any write to a table."""
    keep_upsert, keep_append = Store.upsert, Store.append

    def stop(keep):
        def write(self, written, *arguments, **named):
            if written.name.startswith(table):
                raise KeyboardInterrupt
            return keep(self, written, *arguments, **named)

        return write

    Store.upsert, Store.append = stop(keep_upsert), stop(keep_append)
    try:
        yield
    finally:
        Store.upsert, Store.append = keep_upsert, keep_append


def manifest(root: Path, keep) -> None:
    """Write a manifest of the songs that ``keep`` accepts."""
    whole = root / "whole.csv"
    if not whole.exists():
        shutil.move(root / "music" / "manifest.csv", whole)
    with whole.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (root / "music" / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(row for number, row in enumerate(rows) if keep(number, len(rows)))


def collect(made: Making, world_songs: SandboxSection) -> None:
    """Collect genres, songs and clips from the sandbox world; the last chunk of clips stays staged."""
    with running_world(WorldSection(port=0), world_songs) as world:
        made.run(scrape_genres, *world.settings())
        made.run(collect_songs, *world.settings())
        seen = []
        keep = fetch_previews.merge

        def merge(store, config, staged):
            if seen:
                raise KeyboardInterrupt
            seen.append(staged)
            keep(store, config, staged)

        fetch_previews.merge = merge
        try:
            run_step(fetch_previews, made.spark, made.config(*world.settings()))
            raise AssertionError("one chunk was enough")
        except KeyboardInterrupt:
            pass
        finally:
            fetch_previews.merge = keep


def every_one(rows):
    """Replacement of ``rankings`` in which no candidate has a rival, so that each becomes a model."""
    return [[row] for row in rows if row["status"] == "done"]


def train(made: Making) -> None:
    """Train a model of every estimator of both engines, on clips and on frames."""
    train_models.rankings = every_one
    made.run(train_models, listed(*(("sklearn", name, "summary9", SKLEARN_GRIDS[name]) for name in SKLEARN)))
    if not made.store.exists(PROMOTIONS):
        made.run(promote_model)
    made.run(
        train_models,
        listed(
            *(("spark", name, "summary9", SPARK_GRIDS[name]) for name in SPARK),
            ("sklearn", "logistic_regression", "mfcc12_frames", {"C": [1.0]}),
            ("spark", "naive_bayes", "mfcc12_frames", {}),
        ),
    )


def train_otherwise(made: Making) -> None:
    """Train models with other settings: margins, weights, conditions, several genres per song."""
    train_models.rankings = every_one
    made.run(
        train_models,
        listed(("sklearn", "svc", "summary9", {"C": [2.0], "scaler": ["standard"]})),
        "train.calibrate=false", "train.metric='accuracy'", "train.balance='weights'",
    )  # fmt: skip
    made.run(
        train_models,
        listed(("sklearn", "random_forest", "summary9", {"n_estimators": [5]})),
        "train.where='isrc IS NULL OR bytes > 1'", "train.genres=['house', 'folk']", "train.max_songs=6",
    )  # fmt: skip
    names = ("logistic_regression", "hist_gradient_boosting", "knn")
    several = [("sklearn", name, "summary9", SKLEARN_GRIDS[name]) for name in names]
    made.run(train_models, listed(*several), "train.labels='multi'")


def precomputed(made: Making) -> None:
    """Write a table of imported features."""
    rng = np.random.default_rng(7)
    path = made.root / "precomputed.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["track", "label", "artist", "danceability", "key"])
        for number in range(24):
            genre = GENRES[number % 3]
            row = [f"track{number:02}", genre, f"performer {number // 2}", rng.normal(number % 3), number % 5]
            writer.writerow(row)
    made.run(import_features, f'import_features.path="{path}"', 'import_features.name="precomputed"',
             'import_features.id="track"', 'import_features.labels=["label"]',
             'import_features.artist="artist"')  # fmt: skip


def leave_staged(made: Making, root: Path) -> None:
    """Leave one staged chunk of every step that stages, as after runs killed before merging."""
    manifest(root, lambda number, n: number < n - 2)
    made.run(import_folder)
    made.killed(extract_features, "features_")
    manifest(root, lambda number, n: True)
    made.killed(import_folder, "clips")
    made.run(train_models, listed(("sklearn", "logistic_regression", "summary9", {"C": [0.5]})))
    made.killed(evaluate_models, "predictions")
    made.killed(score, "scores", f'score.path="{root / "new_music"}"')
    keep = training_module.FeatureSetTraining.close
    training_module.FeatureSetTraining.close = lambda self: None
    try:
        frames = ("spark", "decision_tree", "mfcc12_frames", {"maxDepth": [2]})
        made.killed(train_models, "fold_scores", listed(frames))
    finally:
        training_module.FeatureSetTraining.close = keep


def expectations(root: Path) -> dict:
    """Predictions of every model stored in one file for every clip, and other values that tests expect.

    Scored without Spark, by the functions that its workers call. Predictions of Spark models are in ``predictions``.
    """
    tables: dict[str, pd.DataFrame] = {}

    def table(name: str) -> pd.DataFrame:
        if name not in tables:
            tables[name] = DeltaTable(str(root / "tables" / name)).to_pandas()
        return tables[name]

    found: dict = {"commit": git_commit(), "models": {}, "rows": {}, "staged": {}}
    splits = table("splits")
    used = set(splits[splits.part != "excluded"].song_id)
    for row in table("models").sort_values("model_id").itertuples():
        about = meta.read(root / "models" / row.model_id)
        one = {"candidate": row.candidate, "format": about.format, "matrix_sha256": row.matrix_sha256}
        found["models"][row.model_id] = one | {"classes": list(about.classes), "scores": {}}
        if about.format == "spark-ml" or about.feature_set == "technical":
            continue
        rows = table(f"{'frames' if about.axis == 'frames' else 'features'}_{about.feature_set}")
        rows = rows[(rows.set_version == about.set_version) & rows.song_id.isin(used)].sort_values("clip_id")
        columns = {"song_id": pa.array(rows.song_id.tolist()), "clip_id": pa.array(rows.clip_id.tolist())}
        if about.axis == "frames":
            frames = [np.asarray(one, "f4") for one in rows.frames]
            columns |= {"frames": pa.array(frames, pa.list_(pa.float32())), "width": pa.array(rows.width, pa.int32())}
        else:
            values = np.stack([rows[feature] for feature in about.features], axis=1).astype("f4")
            columns |= {"features": pa.array(list(values), pa.list_(pa.float32()))}
        model = load_file(root / "models" / row.model_id / meta.FILES[about.format])
        for said in predict_batch(model, about.axis, pa.RecordBatch.from_pydict(columns)).to_pylist():
            scores = [said["n_rows"], said["score_sum"], said["votes"]]
            found["models"][row.model_id]["scores"][said["clip_id"]] = scores
    for log_folder in sorted((root / "tables").glob("*/_delta_log")):
        rows = DeltaTable(str(log_folder.parent)).to_pyarrow_dataset().count_rows()
        found["rows"][log_folder.parent.name] = rows
    for log_folder in sorted((root / "tables" / "_staging").glob("*/_delta_log")):
        rows = DeltaTable(str(log_folder.parent)).to_pyarrow_dataset().count_rows()
        found["staged"][log_folder.parent.name] = rows
    champion = table("promotions").sort_values("sequence").model_id.iloc[-1]
    song = sorted((root / "new_music").iterdir())[0]
    alone = genreatlas.predict(song, root / "models", champion)
    return found | {"champion": champion, "file": {"name": song.name, "probabilities": alone.probabilities}}


def fill(root: Path) -> Making:
    """Write songs, clips, features and split."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    common = {"genres": GENRES, "seconds": 2.5, "broken_files": False}
    write_library(SandboxSection(path=root / "music", artists_per_genre=5, songs_per_artist=2, **common))
    songs = SandboxSection(path=root / "world", artists_per_genre=3, songs_per_artist=1, seed=8, **common)
    write_library(songs)
    write_library(SandboxSection(path=root / "new", artists_per_genre=1, songs_per_artist=1, seed=9, **common))
    for name in ("music", "world", "new"):
        small(root / name)
    (root / "new_music").mkdir()
    for number, file in enumerate(sorted((root / "new").rglob("*.mp3"))[:2]):
        shutil.copy(file, root / "new_music" / f"new{number}.mp3")
    manifest(root, lambda number, n: number < n - 4)
    made = Making(root)
    made.run(import_folder)
    collect(made, songs)
    made.run(extract_features)
    precomputed(made)
    made.run(assign_splits)
    return made


def use(made: Making) -> None:
    """Evaluate, promote, score and log the models."""
    root = made.root
    made.run(evaluate_models)
    made.run(promote_model)
    made.run(score)
    made.run(score, f'score.path="{sorted((root / "world").rglob("*.mp3"))[0].parent}"')
    made.run(measure_drift)
    log(made)


def log(made: Making) -> None:
    """Log a chosen model to MLflow, and keep the MLflow model."""
    root, rows = made.root, made.store.read(MODELS).toPandas()
    current = leaderboard.current_models(rows, split="default", level="genre", labels="drop")
    chosen = current[(current.engine == "sklearn") & (current.feature_set == "summary9")].model_id.iloc[0]
    made.run(rollback, f'rollback.model_id="{chosen}"', 'rollback.reason="To have a row of it."')
    made.run(log_mlflow, f'mlflow.tracking_uri="sqlite:///{root}/mlflow.db"')
    mlflow.set_tracking_uri(f"sqlite:///{root}/mlflow.db")
    mlflow.artifacts.download_artifacts("models:/genreatlas@champion", dst_path=str(root / "mlflow_model"))


def main() -> None:
    """Create everything below the given folder. A second argument continues after the first models."""
    root = Path(sys.argv[1])
    commit = git_commit() or ""
    assert commit.startswith(COMMIT) and not commit.endswith("+"), commit
    os.environ["SPOTIFY_CLIENT_ID"] = os.environ["SPOTIFY_CLIENT_SECRET"] = "sandbox"
    made = Making(root) if sys.argv[2:] else fill(root)
    if not sys.argv[2:]:
        train(made)
    if sys.argv[2:] not in (["--from", "use"], ["--from", "log"]):
        train_otherwise(made)
    if sys.argv[2:] == ["--from", "log"]:
        log(made)
    else:
        use(made)
    leave_staged(made, root)
    for table in (CLIPS, PREDICTIONS, SCORES):
        assert made.store.read(table).count(), table.name
    (root / "expected.json").write_text(json.dumps(expectations(root), indent=None, sort_keys=True))
    shutil.rmtree(root / "tables" / "_leases")
    for pattern in ("*.crc", "__pycache__"):
        for file in root.rglob(pattern):
            shutil.rmtree(file) if file.is_dir() else file.unlink()


if __name__ == "__main__":
    main()
