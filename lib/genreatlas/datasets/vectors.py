"""Feature vectors to compare songs and genres: selection of columns, and means over clips."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame

from genreatlas.config.joined import column_of, members_of
from genreatlas.datasets.feature_tables import FeatureTable, find_feature_table, model_columns
from genreatlas.errors import ConfigError
from genreatlas.store import Reader

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ClipVectors:
    """The vector of each clip.

    Attributes
    ----------
    table : the feature table.
    features : names of the dimensions.
    frame : song_id, clip_id, features array<float> (NULL elements are undefined).
    """

    table: FeatureTable
    features: tuple[str, ...]
    frame: DataFrame

    @property
    def row_bytes(self) -> int:
        """Estimated size of a fetched row in bytes."""
        return 100 + 8 * len(self.features)


def read_vectors(store: Reader, key: str, feature_set: str, exclude: Collection[str], compared: str) -> ClipVectors:
    """Read the numeric columns of a feature set to compare songs or genres by.

    Parameters
    ----------
    store : the store.
    key : configuration key, for error messages.
    feature_set : name of a feature set or of joined sets.
    exclude : columns to leave out, in each of joined sets.
    compared : what is compared, in the plural, for error messages.

    Raises
    ------
    ConfigError : the store has no such set, or the set has several rows per clip or no numeric column.
    """
    table = find_feature_table(store, feature_set)
    if not table.layout.joins:
        raise ConfigError(f"{key}: {feature_set} holds {table.layout.name}. Name a summary or a vector.")
    members = members_of(table.feature_set)
    named = {column_of(member, name) for member in members for name in exclude} if len(members) > 1 else set(exclude)
    without = named & set(table.columns)
    columns = table.columns
    if table.layout.by_column:
        columns = {name: kind for name, kind in columns.items() if kind == "numeric" and name not in without}
    rows = table.rows(store)
    features, kept = model_columns(rows, table.layout, columns, without=without)
    if not features:
        raise ConfigError(f"{key}: {feature_set} has no numeric column by which {compared} could be compared.")
    return ClipVectors(table, features, rows.select("song_id", "clip_id", *kept))


def to_matrix(part: pa.Table, width: int) -> Vectors:
    """Vectors of fetched clips, (n_rows, width) float32; NaN where undefined."""
    lists = part.column("features")
    flat = pa.concat_arrays([chunk.flatten() for chunk in lists.chunks]) if lists.num_chunks else pa.array([], "f4")
    return np.asarray(flat.to_numpy(zero_copy_only=False), dtype=np.float32).reshape(part.num_rows, width)


def song_means(part: pa.Table, width: int) -> tuple[npt.NDArray[np.str_], Vectors]:
    """Means of songs over their clips.

    Values that are not finite are ignored; if a song has no finite value, its mean is NaN.

    Parameters
    ----------
    part : song_id, clip_id and features of clips.
    width : number of features.

    Returns
    -------
    ids : (n_songs,) song ids, sorted.
    means : (n_songs, width) float32. Clips are summed in the order of clip_id, so results are reproducible.
    """
    part = part.sort_by([("song_id", "ascending"), ("clip_id", "ascending")])
    values = to_matrix(part, width)
    ids = np.asarray(part.column("song_id").to_numpy(), dtype=np.str_)
    if not len(ids):
        return ids, values
    found, first = np.unique(ids, return_index=True)
    known = np.isfinite(values)
    total = np.add.reduceat(np.where(known, values, 0.0).astype(np.float64), first, axis=0)
    count = np.add.reduceat(known.astype(np.int64), first, axis=0)
    means = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return found, means.astype(np.float32)
