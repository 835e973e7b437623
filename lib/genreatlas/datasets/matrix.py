"""The training part as rows of equal width in Spark, and as ``.npy`` files on the driver."""

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from genreatlas.audio.layouts import Layout
from genreatlas.config import TrainSection
from genreatlas.datasets.fetching import fetch_buckets
from genreatlas.datasets.sparse_labels import SparseLabels, take_labels
from genreatlas.datasets.types import Dataset, Matrix, row_values
from genreatlas.errors import ConfigError
from genreatlas.ids import stable_id
from genreatlas.values import Row

#: Columns of :func:`training_rows`.
ROWS = ("bucket", "song_id", "clip_id", "frame", "fold", "genres", "weight", "features")


def training_rows(dataset: Dataset, frames_per_song: int, buckets: int = 1) -> DataFrame:
    """Rows of the training matrix as a Spark frame: clips of the training part, or some of their frames.

    A song's frames are spread evenly over its clips, and within a clip over its length: frame
    ``floor((j + 1/2) * n / k)`` for j < k. So the choice does not depend on the run or the partitioning.

    Parameters
    ----------
    dataset : the data set.
    frames_per_song : number of frames per song; songs with fewer frames contribute all of them.
    buckets : number of buckets; the column ``bucket`` increases with song_id.

    Returns
    -------
    Columns :data:`ROWS`; rows in any order; lazy.
    """
    rows = dataset.frame.where("part = 'train'").withColumn("bucket", _bucket(dataset, buckets))
    return spread_rows(rows, dataset.layout, frames_per_song).select(*ROWS)


def spread_rows(clips: DataFrame, layout: Layout, per_song: int) -> DataFrame:
    """Select at most ``per_song`` rows per song, spread evenly over its clips, as in :func:`some_rows`."""
    if not layout.several:
        return clips.withColumn("frame", F.lit(0))
    song = Window.partitionBy("song_id")
    place = F.row_number().over(song.orderBy("clip_id")) - 1
    n_clips = F.count(F.lit(1)).over(song)
    share = F.floor(F.lit(per_song) / n_clips) + F.when(place < per_song % n_clips, 1).otherwise(0)
    return some_rows(clips, layout, share)


def some_rows(clips: DataFrame, layout: Layout, most: Column) -> DataFrame:
    """Select at most ``most`` evenly spaced rows per clip; adds the columns ``frame`` (row number) and ``features``."""
    if not layout.several:
        return clips.withColumn("frame", F.lit(0))
    rows = clips.withColumn("_k", F.least(most, F.col("n_frames")).cast("int")).where("_k > 0")
    rows = rows.withColumn("_j", F.explode(F.sequence(F.lit(0), F.col("_k") - 1)))
    rows = rows.withColumn("frame", F.floor((F.col("_j") + 0.5) * F.col("n_frames") / F.col("_k")).cast("int"))
    return rows.withColumn("features", F.expr(layout.row))


def _bucket(dataset: Dataset, buckets: int) -> Column:
    """Bucket number of a song; buckets are ranges of song_id with equal numbers of songs."""
    songs = dataset.songs.song_id[dataset.songs.part == "train"].tolist()
    size = math.ceil(len(songs) / buckets)
    bounds = songs[size::size] if buckets > 1 else []
    return sum(((F.col("song_id") >= bound).cast("int") for bound in bounds), F.lit(0))


def matrix_size(dataset: Dataset, frames_per_song: int) -> tuple[int, float]:
    """Number of rows of the matrix, and its size in 2**20 bytes."""
    rows = dataset.frame.where("part = 'train'")
    if dataset.layout.several:
        per_song = rows.groupBy("song_id").agg(F.least(F.sum("n_frames"), F.lit(frames_per_song)).alias("n"))
        n_rows = per_song.agg(F.sum("n")).collect()[0][0] or 0
    else:
        n_rows = rows.count()
    return n_rows, n_rows * 4 * max(len(dataset.features), 1) / (1 << 20)


def is_larger(train: TrainSection, mb: float) -> bool:
    """Whether a matrix of ``mb`` 2**20 bytes is too large to be sent to every worker and there is no shared folder."""
    return mb > train.max_matrix_mb and train.shared_path is None


def count_buckets(dataset: Dataset, train: TrainSection, max_commit_mb: int) -> int:
    """Number of buckets in which to fetch the matrix, each of at most ``max_commit_mb``.

    Raises
    ------
    ConfigError : the matrix is larger than ``train.max_matrix_mb``.
    """
    n_rows, mb = matrix_size(dataset, train.frames_per_song)
    if is_larger(train, mb):
        raise ConfigError(
            f"{dataset.feature_set}: the training matrix would take {mb:.0f} MB ({n_rows:,} rows of "
            f"{len(dataset.features)} features), more than train.max_matrix_mb = {train.max_matrix_mb}. Raise it where "
            "the workers have the disk, lower train.max_songs or train.frames_per_song, name a folder that all workers "
            "can read in train.shared_path, or list lda of the engine numpy, which is fitted in Spark without a matrix."
        )
    return max(1, math.ceil(mb / max_commit_mb))


def write_matrix(dataset: Dataset, rows: DataFrame, folder: Path, buckets: int = 1) -> Matrix:
    """Fetch the rows bucket by bucket and write them, sorted, as ``.npy`` files.

    Neither the driver's JVM nor this process holds more than one bucket in memory. The result, and so ``dataset_id``,
    does not depend on Spark's partitioning.

    Parameters
    ----------
    dataset : the data set.
    rows : from :func:`training_rows` with the same number of ``buckets``; computed once per bucket.
    folder : folder for the files, created if absent.
    buckets : number of buckets.
    """
    folder.mkdir(parents=True, exist_ok=True)
    songs = dataset.songs[dataset.songs.part == "train"]
    places: list[np.ndarray] = []
    keys, contents = hashlib.sha256(), hashlib.sha256()
    raw = folder / f"{dataset.feature_set}.rows"
    with raw.open("wb") as file:
        for table in fetch_buckets(rows.select("bucket", "song_id", "clip_id", "frame", "features"), "bucket", buckets):
            table = _sorted(table)
            values = row_values(table.column("features"), len(dataset.features))
            file.write(values.data)
            contents.update(values.data)
            keys.update(_key_lines([table.column(name) for name in ("song_id", "clip_id", "frame")]))
            places.append(np.searchsorted(songs.song_id.to_numpy(str), table.column("song_id").to_numpy().astype(str)))
    matrix = _described(dataset, np.concatenate(places), folder, keys.hexdigest(), contents.hexdigest())
    _with_header(raw, matrix.file("X"), (matrix.n_rows, matrix.n_features))
    return matrix


def describe_matrix(dataset: Dataset, rows: DataFrame, folder: Path, buckets: int) -> Matrix:
    """Write all arrays except X, whose rows stay in Spark: its file has no columns.

    Parameters
    ----------
    dataset : the data set.
    rows : from :func:`training_rows` with the same number of ``buckets``; computed once, and its keys once more per
        bucket.
    folder : folder for the files, created if absent.
    buckets : number of buckets.

    Returns
    -------
    The matrix, with ``in_buckets`` set. Its ``dataset_id`` differs from that of :func:`write_matrix` for the same rows,
    because buckets are hashed separately.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ids = dataset.songs.song_id[dataset.songs.part == "train"].to_numpy(str)
    places: list[np.ndarray] = []
    keys, contents = hashlib.sha256(), hashlib.sha256()
    width = len(dataset.features)
    hashed = rows.groupBy("bucket").applyInArrow(lambda table: hash_bucket(table, width), "bucket int, sha256 string")
    for row in sorted(hashed.collect(), key=lambda row: row["bucket"]):
        contents.update(f"{row['bucket']} {row['sha256']}\n".encode())
    for table in fetch_buckets(rows.select("bucket", "song_id", "clip_id", "frame"), "bucket", buckets):
        columns = _sorted(table).columns
        keys.update(_key_lines(columns))
        places.append(np.searchsorted(ids, columns[0].to_numpy().astype(str)))
    matrix = _described(dataset, np.concatenate(places), folder, keys.hexdigest(), contents.hexdigest(), buckets)
    np.save(matrix.file("X"), np.zeros((matrix.n_rows, 0), "<f4"))
    return matrix


def hash_bucket(table: pa.Table, width: int) -> pa.Table:
    """SHA-256 of the sorted values of one bucket, as one row (bucket, sha256)."""
    values = row_values(_sorted(table).column("features"), width)
    found = {"bucket": [table.column("bucket")[0].as_py()], "sha256": [hashlib.sha256(values.tobytes()).hexdigest()]}
    return pa.table(found, schema=pa.schema([("bucket", pa.int32()), ("sha256", pa.string())]))


def _sorted(table: pa.Table) -> pa.Table:
    return table.sort_by([("song_id", "ascending"), ("clip_id", "ascending"), ("frame", "ascending")])


def _key_lines(columns: Sequence[pa.ChunkedArray]) -> bytes:
    values = [column.to_pylist() for column in columns]
    return "".join(f"{song} {clip} {frame}\n" for song, clip, frame in zip(*values, strict=True)).encode()


def _described(
    dataset: Dataset, places: np.ndarray, folder: Path, keys: str, contents: str, in_buckets: int = 0
) -> Matrix:
    """Describe a matrix and write all its files except X; ``places`` are indices into the training songs."""
    arrays = label_arrays(dataset, places)
    hashes = {name: _sha256(array) for name, array in sorted(arrays.items())}
    facts = (dataset.feature_set, dataset.set_version, dataset.preprocessing_id, dataset.labels)
    named = json.dumps([facts, dataset.classes, dataset.features, hashes])
    whole = json.dumps(hashes | {"X": contents}, sort_keys=True)
    matrix = Matrix(
        dataset_id=stable_id(named, keys, contents),
        folder=folder,
        n_rows=len(arrays["fold"]),
        n_songs=len(np.unique(arrays["song"])),
        features=dataset.features,
        classes=dataset.classes,
        folds=tuple(int(fold) for fold in np.unique(arrays["fold"])),
        axis=dataset.axis,
        multi=dataset.multi,
        sha256=hashlib.sha256(whole.encode()).hexdigest(),
        in_buckets=in_buckets,
    )
    for name, array in arrays.items():
        np.save(matrix.file(name), array.packed if isinstance(array, SparseLabels) else array)
    return matrix


def _sha256(array: np.ndarray | SparseLabels) -> str:
    """Hash of an array's bytes; sparse labels are hashed as their dense array."""
    return array.sha256() if isinstance(array, SparseLabels) else hashlib.sha256(array.tobytes()).hexdigest()


def label_arrays(dataset: Dataset, place: np.ndarray) -> Row:
    """All arrays of the matrix except X; ``place`` (n_rows,) is each row's index into the training songs."""
    songs = dataset.songs[dataset.songs.part == "train"]
    index = {genre: number for number, genre in enumerate(dataset.classes)}
    y: np.ndarray | SparseLabels
    if dataset.multi:
        y = SparseLabels.of([[index[genre] for genre in genres] for genres in songs.genres], len(index))
    else:
        y = np.array([index[genres[0]] for genres in songs.genres], dtype="<i4")
    _, song = np.unique(place, return_inverse=True)
    _, group = np.unique(songs.group_id.to_numpy(str)[place], return_inverse=True)
    return {
        "y": take_labels(y, place),
        "fold": songs.fold.to_numpy()[place].astype("<i2"),
        "song": song.astype("<i4"),
        "group": group.astype("<i4"),
        "weight": songs.weight.to_numpy()[place].astype("<f4"),
    }


def _with_header(raw: Path, target: Path, shape: tuple[int, int]) -> None:
    """Convert a file of raw float32 values to ``.npy`` block by block."""
    if not shape[0] * shape[1]:  # nothing to map
        np.save(target, np.zeros(shape, "<f4"))
        raw.unlink()
        return
    array = np.lib.format.open_memmap(target, mode="w+", dtype="<f4", shape=shape)
    with raw.open("rb") as file:
        step = max(1, (16 << 20) // max(4 * shape[1], 1))
        for start in range(0, shape[0], step):
            block = array[start : start + step]
            block[:] = np.frombuffer(file.read(block.nbytes), "<f4").reshape(block.shape)
    array.flush()
    raw.unlink()
