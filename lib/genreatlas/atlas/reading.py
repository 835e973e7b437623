"""Read songs, their genres and feature vectors from the store to the driver as arrays."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import functions as F

from genreatlas import splits
from genreatlas.atlas.profiles import Floats, Songs
from genreatlas.config import Config
from genreatlas.datasets.fetching import fetch
from genreatlas.datasets.library import Ties, newest_genres, read_ties
from genreatlas.datasets.vectors import read_vectors, to_matrix
from genreatlas.datasets.years import read_years
from genreatlas.errors import InputError
from genreatlas.store import Reader
from genreatlas.tables import SONG_GENRES


@dataclass(frozen=True)
class GenreSongs:
    """Input data of a map.

    Attributes
    ----------
    genre_ids, names : ids and names of all genres of songs with features, sorted by id.
    songs : vectors and labels of songs; a row is a clip, and clips of a song are one recording.
    years : (n_rows,) earliest year among all copies of the recording in the store; NaN where unknown.
    features : names of the dimensions of the vectors.
    feature_set, set_version : feature set of the vectors.
    notes : remarks for the log, such as missing features.
    song_ids : (n_rows,) song of each row of ``songs.values``.
    """

    genre_ids: tuple[str, ...]
    names: tuple[str, ...]
    songs: Songs
    years: Floats
    features: tuple[str, ...]
    feature_set: str
    set_version: str
    notes: tuple[str, ...]
    song_ids: tuple[str, ...]


def read_genre_songs(store: Reader, config: Config) -> GenreSongs:
    """Read all songs that have features and a genre.

    Raises
    ------
    ConfigError : the store has no such feature set, or genres cannot be compared by it.
    InputError : no song has both features and a genre.
    """
    name, max_mb = config.map.feature_set, config.store.max_commit_mb
    vectors = read_vectors(store, "map.feature_set", name, config.map.exclude, "genres")
    table, features = vectors.table, vectors.features
    notes = table.incomplete(store)
    fetched = fetch(vectors.frame, "song_id", max_mb, vectors.row_bytes)
    song_ids = fetched.column("song_id").to_pandas()
    values = to_matrix(fetched, len(features))
    order = np.lexsort((fetched.column("clip_id").to_pandas().astype(str), song_ids.astype(str)))
    values, song_ids = values[order], song_ids.iloc[order].reset_index(drop=True)

    grouped = store.live(SONG_GENRES).groupBy("song_id", "genre_id")
    labels = grouped.agg(F.min("genre").alias("genre"), F.max("weight").alias("weight"))
    found = fetch(labels, "song_id", max_mb, 150).to_pandas()
    found = song_ids.rename_axis("row").reset_index().merge(found, on="song_id")
    if found.empty:
        raise InputError(f"{name}: no song with these features has a genre. Run extract_features, or import labels.")
    found = found.sort_values(["genre_id", "row"], ignore_index=True)
    genre_ids, genre = np.unique(found.genre_id.astype(str), return_inverse=True)
    names = found.groupby("genre_id").genre.min()
    ties = read_ties(store, config)
    recording, artist = _who(ties, song_ids)
    songs = Songs(
        values=values,
        recording=recording,
        artist=artist,
        song=found.row.to_numpy(dtype=np.int64),
        genre=genre.astype(np.int64),
        weight=found.weight.to_numpy(dtype=np.float64),
    )
    ids = tuple(map(str, genre_ids))
    return GenreSongs(
        ids,
        tuple(names[genre_id] for genre_id in ids),
        songs,
        read_years(store, config, ties, song_ids),
        features,
        name,
        table.set_version,
        notes,
        tuple(song_ids.astype(str)),
    )


def _who(ties: Ties, song_ids: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Codes of each row's recording and performer; the performer is -1 if unknown."""
    distinct = pd.Series(sorted(set(song_ids)))
    number = pd.Series(splits.recordings(ties.links, distinct), index=distinct)
    performers = ties.song_artists[ties.song_artists.position == 0].set_index("song_id").artist_id
    artist = song_ids.map(performers)
    codes, _ = pd.factorize(artist, sort=True)
    return song_ids.map(number).to_numpy(dtype=np.int64), codes.astype(np.int64)


def read_coordinates(store: Reader, genre_ids: tuple[str, ...]) -> Floats:
    """Coordinates of genres on the latest snapshot of the Every Noise map, (n, 2) in pixels; NaN for other genres."""
    found = newest_genres(store).select("genre_id", "map_x", "map_y").toPandas()
    found = found.drop_duplicates("genre_id").set_index("genre_id").reindex(list(genre_ids))
    return found[["map_x", "map_y"]].to_numpy(dtype=np.float64)
