"""Synthetic feature tables of hundreds or thousands of genres that are hard to classify, with known families.

Genres belong to families; some have two modes; artists have an effect of their own; the spread of songs differs between
genres in size and direction; and a tenth of the songs is labelled with another genre of the family.
"""

from typing import NamedTuple

import numpy as np


class ManyGenres(NamedTuple):
    """Songs: X (n, n_features) float32, y (n,) genre, artist (n,), family (n_genres,) of each genre."""

    X: np.ndarray
    y: np.ndarray
    artist: np.ndarray
    family: np.ndarray


def draw(n_genres: int, songs: int = 150, n_features: int = 45, artist_songs: int = 6, seed: int = 7) -> ManyGenres:
    """Draw a table.

    Parameters
    ----------
    n_genres : number of genres.
    songs : songs per genre.
    n_features : number of features.
    artist_songs : songs per artist; all are labelled with genres of one family.
    seed : random seed.
    """
    rng = np.random.default_rng(seed)
    family = np.arange(n_genres) * max(1, n_genres // 15) // n_genres
    n_families = int(family.max()) + 1
    centre = rng.normal(size=(n_families, n_features))[family] * 0.85 + rng.normal(size=(n_genres, n_features)) * 0.22
    mode = np.where(rng.random(n_genres) < 0.3, 0.5, 0.0)[:, None] * rng.normal(size=(n_genres, n_features))
    spread = np.exp(rng.normal(size=(n_genres, 1)) * 0.2 + rng.normal(size=(n_genres, n_features)) * 0.15)
    true = np.repeat(np.arange(n_genres), songs)
    artists_a_genre = -(-songs // artist_songs)
    artist = true * artists_a_genre + np.tile(np.arange(songs) // artist_songs, n_genres)
    manner = rng.normal(size=(n_genres * artists_a_genre, n_features)).astype(np.float32) * 0.55
    side = rng.choice([-1.0, 1.0], size=len(true))[:, None].astype(np.float32)
    X = rng.normal(size=(len(true), n_features)).astype(np.float32) * spread.astype(np.float32)[true]
    X += centre.astype(np.float32)[true] + side * mode.astype(np.float32)[true] + manner[artist]
    # another genre of the family: the next one, cyclically
    first, size = np.unique(family, return_index=True)[1], np.bincount(family)
    step = 1 + (rng.random(len(true)) * np.maximum(size[family[true]] - 1, 1)).astype(np.int64)
    other = first[family[true]] + (true - first[family[true]] + step) % size[family[true]]
    y = np.where(rng.random(len(true)) < 0.1, other, true)
    return ManyGenres(X, y.astype(np.int32), artist.astype(np.int64), family)
