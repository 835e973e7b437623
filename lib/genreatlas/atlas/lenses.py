"""Lenses that compare genres by what they share, and how far two maps of the same genres agree.

A genre is a distribution, over artists or over the genres that a classifier gives its songs. The distance of two
distributions is Hellinger's; principal coordinates (Gower 1966) turn the distances into a space that is laid out as
profiles are.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from genreatlas.atlas.positions import procrustes_r2
from genreatlas.atlas.profiles import Floats, Ints, Songs, cap_artists, count_recordings_once, half_samples
from genreatlas.atlas.quality import mantel

#: Principal coordinates that are kept: the distances of thousands of genres, without most of their noise.
_DIMENSIONS = 50
#: Up to so many genres all coordinates are computed at once.
_DENSE = 400
#: A genre needs a song in each half.
FEWEST_HELD_OUT = 2
#: Distances of more genres are those of so many, drawn with a seed.
_COMPARED = 2000
#: Maps are compared with a shuffled one so often; the best of 19 is what chance exceeds once in 20 times.
_SHUFFLES, _SHUFFLED = 19, 1000
#: Fewer genres on both maps say nothing.
MIN_COMPARED = 10


@dataclass(frozen=True)
class Shares:
    """Genres as distributions; rows of the matrices are in the order of ``placed``.

    Attributes
    ----------
    placed : (n,) places in the list of all genres.
    whole : (n, n_things), rows sum up to 1.
    halves : of halves of the songs; rows of zeros where a half has none of a genre's.
    n_songs : songs, or recordings, behind them.
    """

    placed: Ints
    whole: sparse.csr_matrix
    halves: tuple[sparse.csr_matrix, ...]
    n_songs: int

    @property
    def differ(self) -> bool:
        """Whether any two genres differ at all."""
        if not self.whole.shape[1]:
            return False
        spread = self.whole.max(axis=0) - self.whole.min(axis=0)
        return bool(spread.max() > 1e-9)

    @property
    def content(self) -> bytes:
        """What the map follows from, beside its settings."""
        parts = (self.placed, self.whole.indptr, self.whole.indices, self.whole.data)
        return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)


def artist_shares(songs: Songs, placed: Ints, artist_share: float, halves: int, seed: int) -> Shares:
    """Genres as distributions over the artists of their songs.

    Recordings, labels and artists weigh as in profiles. Songs of unknown artists, and genres that share no artist with
    another, are left out.

    Parameters
    ----------
    placed : genres that may be on the map.
    halves : how many half-samples to draw.
    """
    bare = Songs(
        np.empty((len(songs.values), 0), dtype=np.float32), songs.recording, songs.artist, songs.song, songs.genre,
        songs.weight,
    )  # fmt: skip
    n_genres = max(int(songs.genre.max(initial=-1)), int(placed.max(initial=-1))) + 1
    n_artists = int(songs.artist.max(initial=-1)) + 1
    counted, n_songs = _count_artists(bare, (n_genres, n_artists), artist_share)
    counted = counted[placed]
    others = np.asarray((counted > 0).sum(axis=0)).ravel() > 1
    connected = np.flatnonzero(np.asarray(counted[:, others].sum(axis=1)).ravel() > 0)
    drawn = []
    for number in range(halves):
        if number % 2 == 0:
            pair = half_samples(bare, seed + number)
        drawn.append(_count_artists(pair[number % 2], (n_genres, n_artists), artist_share)[0][placed][connected])
    return Shares(placed[connected], _to_shares(counted[connected]), tuple(map(_to_shares, drawn)), n_songs)


def _count_artists(songs: Songs, shape: tuple[int, int], share: float) -> tuple[sparse.csr_matrix, int]:
    """Weight of each artist in each genre, and how many recordings have one."""
    _, artist, label = count_recordings_once(songs)
    of = artist[label["recording"]]
    known = np.flatnonzero(of >= 0)
    genre, of, weight = label["genre"][known], of[known], label["weight"][known]
    order = np.argsort(genre, kind="stable")
    genre, of, weight = genre[order], of[order], weight[order]
    bounds = np.searchsorted(genre, np.arange(shape[0] + 1))
    for start, end in itertools.pairwise(bounds.tolist()):
        if end > start:
            weight[start:end] = cap_artists(weight[start:end], of[start:end], share)
    return sparse.csr_matrix((weight, (genre, of)), shape=shape), len(np.unique(label["recording"][known]))


def confusion_shares(sums: Sequence[sparse.csr_matrix], songs: Sequence[Ints], placed: Ints) -> Shares:
    """Genres as distributions over the genres that a model gives their held-out songs.

    Parameters
    ----------
    sums : for both halves of the held-out songs (n_genres, n_classes), the weighted sums of the probabilities of each
        genre's songs.
    songs : for both halves (n_genres,), how many songs of each genre there are.
    placed : genres that may be on the map. Those with fewer than :data:`FEWEST_HELD_OUT` held-out songs are left out.
    """
    counts = np.sum(songs, axis=0)
    mine = placed[counts[placed] >= FEWEST_HELD_OUT]
    halves = tuple(_to_shares(sparse.csr_matrix(half)[mine]) for half in sums)
    whole = _to_shares(sparse.csr_matrix(sum(sums[1:], sums[0]))[mine])
    return Shares(mine, whole, halves, int(counts[mine].sum()))


def _to_shares(weights: sparse.csr_matrix) -> sparse.csr_matrix:
    total = np.asarray(weights.sum(axis=1)).ravel()
    scale = np.divide(1.0, total, out=np.zeros(len(total)), where=total > 0)
    found = sparse.csr_matrix(sparse.diags(scale) @ weights)
    found.sum_duplicates()
    found.eliminate_zeros()
    return found


def hellinger_space(shares: sparse.csr_matrix, seed: int, most: int = _DIMENSIONS) -> Floats:
    """Principal coordinates of Hellinger's distances, (n, k), the largest first.

    Distances between the rows are those of the square roots of the shares, as far as the kept coordinates tell. Columns
    have signs by which their largest entry is positive.
    """
    root = sparse.csr_matrix(shares).sqrt()
    n = root.shape[0]
    if n <= _DENSE:
        product = (root @ root.T).toarray()
        product -= product.mean(axis=0)
        product -= product.mean(axis=1)[:, None]
        size, axes = np.linalg.eigh((product + product.T) / 2)
    else:
        from scipy.sparse.linalg import LinearOperator, eigsh

        def times(vector: Floats) -> Floats:
            flat = vector.ravel() - vector.mean()
            product = root @ (root.T @ flat)
            return np.asarray(product - product.mean(), dtype=np.float64)

        operator = LinearOperator((n, n), matvec=times, dtype=np.float64)
        start = np.random.default_rng(seed).normal(size=n)
        size, axes = eigsh(operator, k=min(most, n - 2), which="LA", v0=start)
    order = np.argsort(-size, kind="stable")[:most]
    order = order[size[order] > 1e-9 * max(float(size.max(initial=0.0)), 1e-300)]
    found = axes[:, order] * np.sqrt(size[order])
    largest = found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])]
    return np.asarray(found * np.where(largest < 0, -1.0, 1.0), dtype=np.float64)


@dataclass(frozen=True)
class Agreement:
    """How far two maps of the same genres agree.

    Attributes
    ----------
    n_genres : on both maps.
    mantel, mantel_chance : Spearman correlation of the distances of all pairs of genres, and the best of 19 maps whose
        genres were dealt anew: what lies below that may be chance.
    procrustes_r2, procrustes_chance : share of the variance of one map that the other explains when it is turned,
        mirrored, scaled and shifted onto it; and the best of the same 19.
    """

    n_genres: int
    mantel: float
    mantel_chance: float
    procrustes_r2: float
    procrustes_chance: float


def agreement(places: Floats, other: Floats, seed: int) -> Agreement | None:
    """Compare two maps, (n, 2) each, NaN where a genre is on one alone; None for fewer than 10 genres on both."""
    both = np.isfinite(places).all(axis=1) & np.isfinite(other).all(axis=1)
    places, other = places[both], other[both]
    n = len(places)
    if n < MIN_COMPARED:
        return None
    random = np.random.default_rng(seed)
    some = np.sort(random.permutation(n)[:_COMPARED])
    few = np.sort(random.permutation(n)[:_SHUFFLED])
    by_chance: list[tuple[float, float]] = []
    for _ in range(_SHUFFLES):
        dealt = random.permutation(few)
        by_chance.append((mantel(places[few], other[dealt]), procrustes_r2(places[few], other[dealt])))
    return Agreement(
        n_genres=n,
        mantel=mantel(places[some], other[some]),
        mantel_chance=max(one for one, _ in by_chance),
        procrustes_r2=procrustes_r2(places, other),
        procrustes_chance=max(one for _, one in by_chance),
    )
