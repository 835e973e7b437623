"""Songs' features and what ties songs together, brought from the store to the driver."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from genreatlas import splits
from genreatlas.audio.preprocess import preprocessing_id
from genreatlas.config import Config
from genreatlas.config.joined import column_of, members_of
from genreatlas.datasets.feature_tables import FeatureTable, find_feature_table, model_columns
from genreatlas.datasets.fetching import fetch_parts
from genreatlas.datasets.library import read_ties
from genreatlas.errors import ConfigError, InputError
from genreatlas.sources.credits import artist_key
from genreatlas.splits.ties import album_key
from genreatlas.store import Reader


@dataclass(frozen=True)
class SongValues:
    """Songs with features.

    Attributes
    ----------
    song_ids : (n,) sorted.
    values : (n, n_features) float32, the mean over a song's clips; NaN where a feature is undefined.
    features : their names.
    feature_set, set_version, preprocessing_id : where they come from.
    clip : ``[clip]`` as JSON where features of a file would be made alike; else None.
    left_out : songs of which no feature is known.
    notes : what else is to be said.
    """

    song_ids: npt.NDArray[np.str_]
    values: npt.NDArray[np.float32]
    features: tuple[str, ...]
    feature_set: str
    set_version: str
    preprocessing_id: str
    clip: str | None
    left_out: int
    notes: tuple[str, ...]


def read_songs(store: Reader, config: Config) -> SongValues:
    """Read every song that has features.

    Raises
    ------
    ConfigError : the store has no such feature set, or songs cannot be compared by it.
    InputError : fewer than two songs have features.
    """
    section = config.neighbours
    table = find_feature_table(store, section.feature_set)
    if not table.layout.joins:
        text = f"neighbours.feature_set: {table.feature_set} holds {table.layout.name}. Name a summary or a vector."
        raise ConfigError(text)
    notes = table.incomplete(store)
    without = _left_out(table, section.exclude)
    columns = table.columns
    if table.layout.by_column:
        columns = {name: kind for name, kind in columns.items() if kind == "numeric" and name not in without}
    rows = table.rows(store)
    features, kept = model_columns(rows, table.layout, columns, without=without)
    if not features:
        raise ConfigError(f"neighbours.feature_set: {table.feature_set} has no number that songs could be compared by.")
    vectors = rows.select("song_id", "clip_id", *kept)
    parts = fetch_parts(vectors, "song_id", config.store.max_commit_mb, 100 + 8 * len(features))
    means = [_song_means(part, len(features)) for part in parts]  # all clips of a song come in one part
    song_ids = np.concatenate([ids for ids, _ in means])
    order = np.argsort(song_ids)
    song_ids, values = song_ids[order], np.concatenate([part for _, part in means])[order]
    known = np.isfinite(values).any(axis=1)
    if known.sum() < 2:
        raise InputError(
            f"{table.feature_set}: {int(known.sum())} songs have features, and neighbours need two. Run "
            "extract_features or import_features, or set neighbours.feature_set."
        )
    made_here = {preprocessing_id(config.clip)} == set(members_of(table.preprocessing_id))
    return SongValues(
        song_ids=song_ids[known],
        values=values[known],
        features=features,
        feature_set=table.feature_set,
        set_version=table.set_version,
        preprocessing_id=table.preprocessing_id,
        clip=config.clip.model_dump_json() if made_here and not table.imported else None,
        left_out=int((~known).sum()),
        notes=notes,
    )


def _song_means(part: pa.Table, width: int) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.float32]]:
    """Ids and means of the songs of some clips; clips are summed in the order of their ids."""
    part = part.sort_by([("song_id", "ascending"), ("clip_id", "ascending")])
    lists = part.column("features")
    flat = pa.concat_arrays([chunk.flatten() for chunk in lists.chunks]) if lists.num_chunks else pa.array([], "f4")
    values = flat.to_numpy(zero_copy_only=False).astype(np.float32).reshape(part.num_rows, width)
    ids = np.asarray(part.column("song_id").to_numpy(), dtype=np.str_)
    if not len(ids):
        return ids, values
    found, first = np.unique(ids, return_index=True)
    if len(found) == len(ids):
        return found, values
    known = np.isfinite(values)
    total = np.add.reduceat(np.where(known, values, 0.0).astype(np.float64), first, axis=0)
    count = np.add.reduceat(known.astype(np.int64), first, axis=0)
    means = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return found, means.astype(np.float32)


def _left_out(table: FeatureTable, exclude: tuple[str, ...]) -> set[str]:
    """Columns with the excluded names, also behind the name of a set that is joined."""
    members = members_of(table.feature_set)
    named = {column_of(member, name) for member in members for name in exclude} if len(members) > 1 else set(exclude)
    return named & set(table.columns)


def read_keys(store: Reader, config: Config, song_ids: npt.NDArray[np.str_]) -> pd.DataFrame:
    """Recording, artist and album of songs, in their order: equal where two songs have the same; None: not known.

    A recording has the least song id of its copies, by one ISRC or one sound, among these songs.
    """
    ties = read_ties(store, config)
    distinct = pd.Series(song_ids.astype(object))
    number = splits.recordings(ties.links, distinct)
    recording = distinct.groupby(number).transform("min")
    performers = ties.song_artists[ties.song_artists.position == 0].drop_duplicates("song_id")
    songs = ties.songs.set_index("song_id").reindex(distinct)
    artist = distinct.map(performers.set_index("song_id").artist_id)
    named = songs.artist.map(artist_key, na_action="ignore").to_numpy(dtype=object)
    artist = artist.where(artist.notna(), named)  # a song whose artists were never split
    by = songs.album_artist.map(artist_key, na_action="ignore").reset_index(drop=True)
    by = by.where(by.notna() & (by != ""), artist).fillna("")
    album = songs.album.map(album_key, na_action="ignore").reset_index(drop=True)
    album = (album + "\n" + by).where(album.notna() & (album != ""))
    frame = pd.DataFrame({"recording": recording, "artist": artist.where(artist != ""), "album": album}, dtype=object)
    return frame.where(frame.notna(), None)


def to_places(ids: pa.ChunkedArray, sorted_ids: npt.NDArray[np.str_]) -> npt.NDArray[np.int32]:
    """Places of ids among sorted ones; -1 where an id is none of them."""
    found = pc.index_in(ids, value_set=pa.array(sorted_ids)).fill_null(-1)
    return np.asarray(found.to_numpy(), dtype=np.int32)
