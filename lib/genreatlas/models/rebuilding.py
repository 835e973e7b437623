"""Rebuild the training matrix of a stored model from the table versions that it was trained on."""

import json
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import Row

from genreatlas.config import Config
from genreatlas.datasets.dataset import Fixed, build_dataset
from genreatlas.datasets.library import read_library
from genreatlas.datasets.matrix import count_buckets, training_rows, write_matrix
from genreatlas.datasets.types import Dataset, Matrix
from genreatlas.errors import ModelError
from genreatlas.models import registry
from genreatlas.store import Reader, Snapshot
from genreatlas.values import JsonObject


def rebuild(store: Reader, config: Config, row: Row, folder: Path) -> Matrix:
    """Rebuild a model's training matrix with identical values.

    Tables are read at the versions stored in the model's row, and joined and sorted as in training, with the
    ``[train]`` section of the model.

    Parameters
    ----------
    row : row of the table ``models``.
    folder : folder for the arrays (see :class:`genreatlas.datasets.types.Matrix`) and for ``matrix.json``, which names
        the columns, the classes and the sorted song ids.

    Raises
    ------
    ModelError : the model's files are missing, a table version is gone, or the hash of the matrix differs.
    """
    if not row["matrix_sha256"] or not row["input_versions"]:
        raise ModelError(
            f"model {row['model_id']}: an older release trained it and did not store the hash of its training set."
        )
    try:
        dataset = _dataset(store, config, row)
        train = registry.read_meta(row, config).train_section()
        buckets = count_buckets(dataset, train, config.store.max_commit_mb)
        matrix = write_matrix(dataset, training_rows(dataset, train.frames_per_song, buckets), folder, buckets)
    except PySparkException as error:
        why = str(error).partition("JVM stacktrace")[0].strip().splitlines()[0]
        raise ModelError(
            f"model {row['model_id']}: a version of its training tables cannot be read any more "
            f"({', '.join(f'{name} {version}' for name, version in sorted(row['input_versions'].items()))}): {why}"
        ) from None
    if matrix.sha256 != row["matrix_sha256"]:
        raise ModelError(
            f"model {row['model_id']}: the rebuilt training set has the hash {matrix.sha256[:12]}, not "
            f"{row['matrix_sha256'][:12]}. It was made by another release, or the tables' history was changed."
        )
    songs = training_rows(dataset, train.frames_per_song).select("song_id").distinct().collect()
    facts: JsonObject = {
        "model_id": row["model_id"],
        "dataset_id": matrix.dataset_id,
        "sha256": matrix.sha256,
        "features": matrix.features,
        "classes": matrix.classes,
        "songs": sorted(song["song_id"] for song in songs),
        "input_versions": row["input_versions"],
    }
    (folder / "matrix.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")
    return matrix


def _dataset(store: Reader, config: Config, row: Row) -> Dataset:
    meta = registry.read_meta(row, config)
    splits = config.splits.model_copy(update={"name": row["split"], "allow_declared_leak": True})
    config = config.model_copy(update={"train": meta.train_section(), "splits": splits})
    snapshot = Snapshot(store, row["input_versions"], only=True)
    library = read_library(snapshot, config, row["split_version"], check=False, identity=meta.identity)
    songs_of = None
    if meta.songs_of[0] != meta.feature_set:
        name, version, preprocessing = meta.songs_of
        songs_of = build_dataset(snapshot, config, library, name, fixed=Fixed(version, preprocessing))
    fixed = Fixed(meta.set_version, meta.preprocessing_id, features=meta.features)
    return build_dataset(snapshot, config, library, meta.feature_set, songs_of, fixed)
