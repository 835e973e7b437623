"""Measure how far new songs and scored songs differ from the training data of the model in use.

New songs are those that were added to the split after the model was trained. Features are compared by PSI and
Kolmogorov-Smirnov distance, genres by their shares.
"""

import math
from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from pyspark.sql import Row
from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.datasets.library import read_library
from genreatlas.datasets.matrix import some_rows
from genreatlas.datasets.types import Dataset
from genreatlas.evaluation.drift import Drift, feature_drift, genre_drift
from genreatlas.models import aliases, registry
from genreatlas.store import Reader, Store
from genreatlas.tables import DRIFT, SCORES, SPLITS
from genreatlas.values import Row as TableRow

READS = (
    "promotions", "models", "splits", "songs", "song_artists", "song_genres", "genre_parents", "clips", "feature_sets",
    "features_<set>", "vectors_<set>", "frames_<set>", "events_<set>", "scores", "recording_links",
)  # fmt: skip
WRITES = ("drift",)
SECTIONS = ("drift", "retrain", "models")
check = checks.measure_drift

#: Number of frames per clip that are compared, at equal intervals.
_FRAMES = 4


def run(store: Store, config: Config) -> Counts:
    """Write the drift of new songs and of scored items. Counts are these two populations.

    Raises
    ------
    ModelError : the model in use cannot be read.
    """
    alias = config.retrain.alias
    if not aliases.decisions(store, alias):
        return Counts(notes=(f"No model is called {alias} yet.",))
    row = aliases.resolve(store, alias)
    dataset = registry.dataset_of(store, config, row, read_library(store, config))
    trained_on = dataset.songs[(dataset.songs.part == "train") & dataset.songs.song_id.isin(_songs(store, row, "<="))]
    counts = Counts()
    fresh = dataset.songs[dataset.songs.song_id.isin(_songs(store, row, ">"))]
    if len(fresh) >= config.drift.min_rows:
        old, new = (_values(config, dataset, songs) for songs in (trained_on, fresh))
        found = feature_drift(dataset.features, old, new)
        found += genre_drift(dataset.classes, *(_shares(dataset, songs) for songs in (trained_on, fresh)))
        counts += _write(store, config, row, "new_songs", found)
    scored = store.read(SCORES).where(F.col("model_id") == row["model_id"]).groupBy("predicted").count().collect()
    said = {one["predicted"]: float(one["count"]) for one in scored}
    if sum(said.values()) >= config.drift.min_rows:
        new_shares = np.array([said.get(genre, 0.0) for genre in dataset.classes])
        found = genre_drift(dataset.classes, _shares(dataset, trained_on), new_shares)
        counts += _write(store, config, row, "scored", found)
    return counts


def _songs(store: Reader, model: Row, relation: str) -> set[str]:
    """Songs that were first assigned in a split version up to (``<=``) or after (``>``) the model's version."""
    rows = store.read(SPLITS).where(F.col("split") == model["split"]).groupBy("song_id")
    first = rows.agg(F.min("split_version").alias("first"))
    found = first.where(f"first {relation} {int(model['split_version'])}").select("song_id").toPandas()
    return set(found["song_id"])


def _values(config: Config, dataset: Dataset, songs: pd.DataFrame) -> np.ndarray:
    """Features of the songs' clips, (n, n_features) with NaN for missing; a fixed sample above ``drift.max_rows``."""
    rows = dataset.frame.join(dataset.frame.sparkSession.createDataFrame(songs[["song_id"]]), "song_id", "left_semi")
    rows = some_rows(rows, dataset.layout, F.lit(_FRAMES))
    share = min(1.0, config.drift.max_rows / max(rows.count(), 1))
    if share < 1.0:
        rows = rows.where(F.pmod(F.xxhash64("song_id", "clip_id"), F.lit(1_000_000)) < int(share * 1_000_000))
    table = rows.select("features").toArrow().column("features")
    flat = np.array(table.combine_chunks().flatten().to_numpy(zero_copy_only=False), dtype=np.float64)
    return flat.reshape(len(table), len(dataset.features))


def _shares(dataset: Dataset, songs: pd.DataFrame) -> np.ndarray:
    """Number of songs of each genre, of shape (n_classes,). A song with several genres counts in each."""
    counts = songs.genres.explode().value_counts()
    return np.array([float(counts.get(genre, 0)) for genre in dataset.classes])


def _write(store: Store, config: Config, model: Row, population: str, found: Iterable[Drift]) -> Counts:
    provenance = {"measured_at": datetime.now(UTC), "run_id": store.run_id}
    key = {"model_id": model["model_id"], "population": population}
    rows: list[TableRow] = [
        key
        | {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in vars(one).items()}
        | provenance
        for one in found
    ]
    written = store.upsert(DRIFT, rows, update=True)
    if not written:
        return Counts()
    limit = config.drift.psi_warning
    drifted = sorted((row for row in rows if row["psi"] >= limit), key=lambda row: (-row["psi"], row["name"]))
    names = ", ".join(f"{row['name']} {row['psi']:.2f}" for row in drifted[:5] if row["name"] != "*")
    whole = next((row["psi"] for row in rows if row["name"] == "*"), float("nan"))
    line = f"{population}: {len(drifted)} of {len(rows)} figures have a PSI of {limit:g} or more"
    note = f"{line}{': ' + names if names else ''}; shares of genres {whole:.2f}"
    return Counts(read=1, written=1, notes=(note,))
