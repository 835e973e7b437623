"""Read songs' features and their recordings, artists and albums from the store to the driver."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from genreatlas import splits
from genreatlas.audio.preprocess import preprocessing_id
from genreatlas.config import Config
from genreatlas.config.joined import members_of
from genreatlas.datasets.fetching import fetch_parts
from genreatlas.datasets.library import read_ties
from genreatlas.datasets.vectors import read_vectors, song_means
from genreatlas.errors import InputError
from genreatlas.sources.credits import artist_key
from genreatlas.splits.ties import album_key
from genreatlas.store import Reader


@dataclass(frozen=True)
class SongValues:
    """Feature values of songs.

    Attributes
    ----------
    song_ids : (n,) sorted.
    values : (n, n_features) float32, the mean over a song's clips; NaN where a feature is undefined.
    features : names of the features.
    feature_set, set_version, preprocessing_id : source of the features.
    clip : ``[clip]`` as JSON if features of other files can be computed in the same way; else None.
    left_out : number of songs without any known feature, which are left out.
    notes : remarks for the log, such as missing features.
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
    """Read all songs that have features.

    Raises
    ------
    ConfigError : the store has no such feature set, or songs cannot be compared by it.
    InputError : fewer than two songs have features.
    """
    section = config.neighbours
    vectors = read_vectors(store, "neighbours.feature_set", section.feature_set, section.exclude, "songs")
    table, features = vectors.table, vectors.features
    notes = table.incomplete(store)
    parts = fetch_parts(vectors.frame, "song_id", config.store.max_commit_mb, vectors.row_bytes)
    means = [song_means(part, len(features)) for part in parts]  # all clips of a song are in the same part
    song_ids = np.concatenate([ids for ids, _ in means])
    order = np.argsort(song_ids)
    song_ids, values = song_ids[order], np.concatenate([part for _, part in means])[order]
    known = np.isfinite(values).any(axis=1)
    if known.sum() < 2:
        raise InputError(
            f"{table.feature_set}: {int(known.sum())} songs have features; at least two are needed. Run "
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


def read_keys(store: Reader, config: Config, song_ids: npt.NDArray[np.str_]) -> pd.DataFrame:
    """Read keys of recording, artist and album of songs; equal keys mean the same, None: unknown.

    The key of a recording is the lowest song id of its copies (same ISRC, sound or fingerprint) among these songs.

    Parameters
    ----------
    song_ids : (n,) ids.

    Returns
    -------
    DataFrame : recording, artist, album; n rows in the order of ``song_ids``.
    """
    ties = read_ties(store, config)
    distinct = pd.Series(song_ids.astype(object))
    number = splits.recordings(ties.links, distinct)
    recording = distinct.groupby(number).transform("min")
    performers = ties.song_artists[ties.song_artists.position == 0].drop_duplicates("song_id")
    songs = ties.songs.set_index("song_id").reindex(distinct)
    artist = distinct.map(performers.set_index("song_id").artist_id)
    named = songs.artist.map(artist_key, na_action="ignore").to_numpy(dtype=object)
    artist = artist.where(artist.notna(), named)  # for songs without rows in song_artists
    by = songs.album_artist.map(artist_key, na_action="ignore").reset_index(drop=True)
    by = by.where(by.notna() & (by != ""), artist).fillna("")
    album = songs.album.map(album_key, na_action="ignore").reset_index(drop=True)
    album = (album + "\n" + by).where(album.notna() & (album != ""))
    frame = pd.DataFrame({"recording": recording, "artist": artist.where(artist != ""), "album": album}, dtype=object)
    return frame.where(frame.notna(), None)


def to_places(ids: pa.ChunkedArray, sorted_ids: npt.NDArray[np.str_]) -> npt.NDArray[np.int32]:
    """Indices of ids in ``sorted_ids``; -1 for ids that are not there."""
    found = pc.index_in(ids, value_set=pa.array(sorted_ids)).fill_null(-1)
    return np.asarray(found.to_numpy(), dtype=np.int32)
