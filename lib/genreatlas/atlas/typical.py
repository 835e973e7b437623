"""Typical songs of a genre: songs whose vectors are nearest to its profile."""

from dataclasses import dataclass

import numpy as np

from genreatlas.atlas.profiles import Floats, Ints, Songs

#: Maximum number of typical songs per genre.
MOST = 5


@dataclass(frozen=True)
class Typical:
    """Typical songs; one element per genre and rank, sorted.

    Attributes
    ----------
    genre : index in the list of genres.
    rank : from 1.
    row : row of the song in ``Songs.values``.
    distance : root mean square difference to the genre's mean over the song's known features, in standard deviations
        of genres.
    """

    genre: Ints
    rank: Ints
    row: Ints
    distance: Floats


def typical_songs(songs: Songs, mean: Floats, genres: Ints, most: int = MOST) -> Typical:
    """Find the songs nearest to the mean of their genre.

    Each recording is listed once. The nearest song of each artist comes first, followed by further songs of the same
    artists, so that a single artist does not represent the genre. Each song of an unknown artist counts as a song of
    its own artist. Songs without any known feature that varies between genres are left out.

    Parameters
    ----------
    songs : vectors and labels of songs.
    mean : (n_genres, n_features) means of all genres.
    genres : row indices in ``mean`` of the requested genres. Their means determine the scale of each feature.
    most : maximum number of songs per genre.
    """
    with np.errstate(invalid="ignore"):
        known = np.isfinite(mean[genres])
        n = np.maximum(known.sum(axis=0), 1)
        middle = np.where(known, mean[genres], 0.0).sum(axis=0) / n
        scale = np.sqrt(np.where(known, (mean[genres] - middle) ** 2, 0.0).sum(axis=0) / n)
    kept = scale > 1e-12 * np.maximum(np.abs(middle), 1e-300)
    order = np.argsort(songs.genre, kind="stable")
    bounds = np.searchsorted(songs.genre[order], np.arange(len(mean) + 1))
    found: list[tuple[int, int, int, float]] = []
    for genre in genres.tolist():
        rows = np.unique(songs.song[order[bounds[genre] : bounds[genre + 1]]])
        _, first = np.unique(songs.recording[rows], return_index=True)
        rows = rows[np.sort(first)]
        off = (songs.values[rows][:, kept].astype(np.float64) - mean[genre, kept]) / scale[kept]
        there = np.isfinite(off)
        count = there.sum(axis=1)
        total = np.where(there, off, 0.0) ** 2
        distance = np.sqrt(np.divide(total.sum(axis=1), count, out=np.full(len(rows), np.inf), where=count > 0))
        for rank, place in enumerate(_by_artist(distance, songs.artist[rows])[:most], 1):
            found.append((genre, rank, int(rows[place]), float(distance[place])))
    whole = np.array([one[:3] for one in found], dtype=np.int64).reshape(-1, 3)
    return Typical(whole[:, 0], whole[:, 1], whole[:, 2], np.array([one[3] for one in found]))


def _by_artist(distance: Floats, artist: Ints) -> list[int]:
    """Indices by ascending distance: first the nearest song of every artist, then the rest, without infinite ones."""
    nearest = [int(place) for place in np.argsort(distance, kind="stable") if np.isfinite(distance[place])]
    seen: set[int] = set()
    first: list[int] = []
    rest: list[int] = []
    for place in nearest:
        who = int(artist[place])
        (rest if who >= 0 and who in seen else first).append(place)
        seen.add(who)
    return first + rest
