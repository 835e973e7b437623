"""Clips of the training part as shards of whole sequences, for engines that need the order of rows.

The workers write the shards (:mod:`genreatlas.datasets.shards`), so neither the driver nor a task holds all of
them: 450,000 spectrograms of 30 s are 75 GB. The driver writes a matrix with one row per clip that gives the clip's
position in the shards, with labels, folds and groups as in :class:`genreatlas.datasets.types.Matrix`. So folds, leak
checks and scores are the same as for every other engine.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from genreatlas.audio.feature_sets import FEATURE_SETS
from genreatlas.datasets.clip_files import INDEX, mapped
from genreatlas.datasets.matrix import label_arrays
from genreatlas.datasets.shards import RESULT, ShardRequest, write_shard
from genreatlas.datasets.sparse_labels import SparseLabels
from genreatlas.datasets.types import Dataset, Matrix
from genreatlas.errors import ConfigError

#: Size of a shard in bytes: a worker holds one in memory while it writes it.
SHARD_BYTES = 64 << 20


def sharded(rows: DataFrame, n_bytes: str, shard_bytes: int) -> DataFrame:
    """Add a column ``shard``: within each part, clips are assigned in order of clip_id until a shard is full.

    Only ids and sizes go through the window function; the values are joined afterwards.

    Parameters
    ----------
    rows : part, clip_id, and the columns that ``n_bytes`` uses.
    n_bytes : SQL expression of the bytes of a clip's values in a shard.
    shard_bytes : size of a shard in bytes.
    """
    earlier = Window.partitionBy("part").orderBy("clip_id").rowsBetween(Window.unboundedPreceding, -1)
    before = F.coalesce(F.sum(F.expr(n_bytes).cast("long")).over(earlier), F.lit(0))
    numbers = rows.select("clip_id", F.floor(before / F.lit(shard_bytes)).cast("int").alias("shard"))
    return rows.join(numbers, "clip_id")


def write_sequences(dataset: Dataset, matrix: Matrix, folder: Path) -> Matrix:
    """Write the training clips of a data set to shards, unless the folder contains them, and a matrix of positions.

    Parameters
    ----------
    dataset : the data set.
    matrix : matrix of the same data set with independent rows; its name and folder are used.
    folder : folder that workers write to and read from.

    Returns
    -------
    A matrix with one row per clip: X (n_clips, 3) int64 has the shard, the index in the shard, and the number of rows.

    Raises
    ------
    ConfigError : files written by the workers are not found on this machine, because they have another disk.
    """
    index = folder / INDEX
    files = json.loads(index.read_text())["files"] if index.exists() else _write_shards(dataset, folder)
    found = [_clips_of(folder / name, number) for number, name in enumerate(files)]
    song, clip, place = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((clip, song))
    song, place = song[order], place[order]
    songs = dataset.songs[dataset.songs.part == "train"].song_id.to_numpy(str)
    arrays = label_arrays(dataset, np.searchsorted(songs, song)) | {"X": place}
    clips = Matrix(
        dataset_id=f"{matrix.dataset_id}-clips",
        folder=matrix.folder,
        n_rows=len(place),
        n_songs=len(np.unique(arrays["song"])),
        features=dataset.features,
        classes=dataset.classes,
        folds=tuple(int(fold) for fold in np.unique(arrays["fold"])),
        axis=dataset.axis,
        multi=dataset.multi,
        sequences=str(folder),
    )
    for name, array in arrays.items():
        np.save(clips.file(name), array.packed if isinstance(array, SparseLabels) else array)
    return clips


def _write_shards(dataset: Dataset, folder: Path) -> Sequence[str]:
    layout = dataset.layout.as_read
    request = ShardRequest(str(folder.absolute()), "npz", dataset.classes, dataset.features, layout)
    rows = dataset.frame.where("part = 'train'").drop("weight")
    rows = sharded(rows, layout.clip_bytes(len(dataset.features)), SHARD_BYTES)
    written = rows.groupBy("part", "shard").applyInArrow(lambda shard: write_shard(request, shard), RESULT)
    files = [row["file"] for row in written.orderBy("shard").collect()]
    if missing := [name for name in files if not (folder / name).exists()]:
        raise ConfigError(
            f"{folder / missing[0]} was written by a worker but is not here. Name a folder that all workers and this "
            "machine can read and write in train.shared_path."
        )
    known = FEATURE_SETS.get(dataset.feature_set)
    facts = {
        "files": files,
        "features": list(dataset.features),
        "hop_s": known.hop_s if known is not None and dataset.layout.timed else None,
    }
    partly = folder / f".{INDEX}"
    partly.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    partly.replace(folder / INDEX)
    return files


def _clips_of(path: Path, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """song_id, clip_id, and (shard, index, number of rows) of the clips of a shard."""
    offsets = mapped(path, "offsets")
    lengths = np.diff(offsets).astype(np.int64)
    places = np.stack([np.full(len(lengths), number, np.int64), np.arange(len(lengths)), lengths], axis=1)
    return np.asarray(mapped(path, "song_id")), np.asarray(mapped(path, "clip_id")), places
