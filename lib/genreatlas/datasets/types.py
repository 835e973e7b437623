"""Types of training data: a data set as a Spark frame, and its training part as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa

from genreatlas.audio.layouts import Layout, get_layout
from genreatlas.datasets.sparse_labels import labels_of

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Dataset:
    """Rows of one feature set joined with labels and split, filtered by ``[train]``.

    ``frame`` has one row per clip, for every part except ``excluded``: song_id, clip_id, group_id, part
    (train, promotion, test), fold int (NULL outside train), genres array<string> (one genre, or several if
    labels = multi), weight double, and the values by layout: features array<float> (NULL elements are undefined), or
    frames array<float>, width int and n_frames int if a clip has several rows. It is lazy: read it once, or stage it.
    """

    feature_set: str
    set_version: str
    preprocessing_id: str
    axis: str
    columns: tuple[str, ...]  #: columns of the feature table, before one-hot encoding
    features: tuple[str, ...]  #: columns of the matrix, after one-hot encoding
    classes: tuple[str, ...]  #: genre ids, sorted
    class_names: tuple[str, ...]
    level: Literal["genre", "parent"]
    labels: Literal["drop", "rarest", "multi"]
    split: str
    split_version: int
    grouping: str
    input_versions: dict[str, int]  #: Delta version of every table that was read
    songs: pd.DataFrame  #: song_id (sorted), group_id, part, fold, genres (tuple), weight
    dropped: pd.DataFrame  #: per genre, columns of :data:`genreatlas.datasets.labels.DROPPED`
    frame: DataFrame
    left_out: tuple[str, ...] = ()  #: columns left out because they leak the label, each with the reason
    imported: tuple[str, ...] = ()  #: columns of the matrix that were imported
    notes: tuple[str, ...] = ()  #: further remarks on the rows, for the report

    @property
    def multi(self) -> bool:
        """Whether a song may have several genres at once."""
        return self.labels == "multi"

    @property
    def layout(self) -> Layout:
        """Layout of the feature set."""
        return get_layout(self.axis)


@dataclass(frozen=True)
class Matrix:
    """The training part as ``.npy`` files on the driver, rows sorted by song_id, clip_id, frame.

    File names start with ``dataset_id``, so that the base names of files sent to workers are unique.

    ========= ============================ =====================================================
    X         (n_rows, n_features) float32 NaN = missing
    y         (n_rows,) int32              index into classes; multi: :class:`.SparseLabels`, packed
    fold      (n_rows,) int16              fold of the song, from 0
    song      (n_rows,) int32              index into the sorted song ids of the training part
    group     (n_rows,) int32              index into the sorted group ids
    weight    (n_rows,) float32            1 unless balance = weights
    ========= ============================ =====================================================
    """

    dataset_id: str
    folder: Path
    n_rows: int
    n_songs: int
    features: tuple[str, ...]
    classes: tuple[str, ...]
    folds: tuple[int, ...]  #: folds that have rows, ascending
    axis: str
    multi: bool
    sha256: str = ""  #: over the values of all arrays
    in_buckets: int = 0  #: if not 0, the rows of X stayed in Spark, in this number of buckets; the file has no columns
    sequences: str | None = None  #: folder of shards, if rows of X are clips: :mod:`genreatlas.datasets.sequences`

    ARRAYS = ("X", "y", "fold", "song", "group", "weight")

    def file(self, name: str) -> Path:
        """Path of one of :attr:`ARRAYS` on the driver."""
        return self.folder / f"{self.dataset_id}-{name}.npy"

    def array(self, name: str) -> np.ndarray:
        """One of :attr:`ARRAYS`, memory-mapped and read-only; multi-label y is a :class:`.SparseLabels`."""
        array: np.ndarray = np.load(self.file(name), mmap_mode="r")
        return labels_of(array, self.multi) if name == "y" else array

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return len(self.features)

    @property
    def n_classes(self) -> int:
        """Number of genres."""
        return len(self.classes)

    @property
    def n_bytes(self) -> int:
        """Size of all files in bytes."""
        return sum(self.file(name).stat().st_size for name in self.ARRAYS)


def row_values(features: pa.ChunkedArray, width: int) -> np.ndarray:
    """Convert lists of floats to (n_rows, width) float32; NULL becomes NaN, always with the same bytes."""
    flat = pa.concat_arrays([chunk.flatten() for chunk in features.chunks]) if features.chunks else pa.array([], "f4")
    values: np.ndarray = flat.to_numpy(zero_copy_only=False).astype("<f4", copy=True)
    values[np.isnan(values)] = np.nan
    return values.reshape(len(features), width)
