"""Lenses that compare genres by shared artists or confusions, and the agreement of two maps of the same genres.

A genre is a distribution over artists, or over genres predicted for its songs. The distance of two distributions is the
Hellinger distance. Principal coordinates (Gower 1966) turn the distances into a space that is mapped like profiles.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from genreatlas.atlas.positions import procrustes_r2
from genreatlas.atlas.profiles import Floats, Ints, Songs, cap_artists, count_recordings_once, half_samples
from genreatlas.atlas.quality import mantel

#: Maximum number of principal coordinates: preserves distances of thousands of genres and removes most of the noise.
_DIMENSIONS = 50
#: Maximum number of genres for a dense eigenvalue decomposition.
_DENSE = 400
#: Minimum number of held-out songs of a genre: one for each half.
FEWEST_HELD_OUT = 2
#: Maximum number of genres for the Mantel correlation; of more genres a seeded sample is used.
_COMPARED = 2000
#: Number of permutations, and of genres in them. Chance exceeds the maximum of 19 with a probability of 1/20.
_SHUFFLES, _SHUFFLED = 19, 1000
#: Minimum number of genres on both maps.
MIN_COMPARED = 10


@dataclass(frozen=True)
class Shares:
    """Genres as distributions over artists or classes; rows of the matrices are in the order of ``placed``.

    Attributes
    ----------
    placed : (n,) indices in the list of all genres.
    whole : (n, n_artists or n_classes) distributions; rows sum up to 1.
    halves : matrices like ``whole`` of half-samples of the songs; rows of genres without a song in the half are 0.
    n_songs : number of songs or recordings behind ``whole``.
    """

    placed: Ints
    whole: sparse.csr_matrix
    halves: tuple[sparse.csr_matrix, ...]
    n_songs: int

    @property
    def differ(self) -> bool:
        """Whether any two genres differ."""
        if not self.whole.shape[1]:
            return False
        spread = self.whole.max(axis=0) - self.whole.min(axis=0)
        return bool(spread.max() > 1e-9)

    @property
    def content(self) -> bytes:
        """Bytes that determine the map together with its settings, for hashing."""
        parts = (self.placed, self.whole.indptr, self.whole.indices, self.whole.data)
        return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)


def artist_shares(songs: Songs, placed: Ints, artist_share: float, halves: int, seed: int) -> Shares:
    """Represent genres as distributions over the artists of their songs.

    Recordings, labels and artists are weighted as in profiles. Songs of unknown artists, and genres that share no
    artist with another genre, are left out.

    Parameters
    ----------
    songs : labels of songs; their vectors are not used.
    placed : indices of genres that may be on the map.
    artist_share : largest share of a genre's weight that one artist may have.
    halves : number of half-samples.
    seed : seed of the half-samples.
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
    """Weight of each artist in each genre, and the number of recordings with a known artist."""
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
    """Represent genres as mean predicted probabilities of their held-out songs.

    Parameters
    ----------
    sums : for both halves of the held-out songs (n_genres, n_classes), the weighted sums of the probabilities of each
        genre's songs.
    songs : for both halves (n_genres,), the number of songs of each genre.
    placed : indices of genres that may be on the map. Genres with fewer than :data:`FEWEST_HELD_OUT` held-out songs are
        left out.
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
    """Principal coordinates of Hellinger distances.

    Euclidean distances between rows approximate distances between the square roots of the shares. The sign of each
    column is chosen so that its entry of the largest magnitude is positive.

    Parameters
    ----------
    shares : (n, n_things) distributions; rows sum up to 1.
    seed : seed of the start vector of the iterative solver.
    most : maximum number of coordinates.

    Returns
    -------
    (n, k) by descending eigenvalue, k at most ``most``.
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
    """Agreement of two maps of the same genres.

    Attributes
    ----------
    n_genres : number of genres on both maps.
    mantel, mantel_chance : Spearman correlation of the distances of all pairs of genres, and its maximum over 19
        random permutations of genres. A correlation below the maximum may be chance.
    procrustes_r2, procrustes_chance : share of the variance of one map explained by the other after Procrustes
        alignment (rotation, reflection, scale, translation), and its maximum over the same permutations.
    """

    n_genres: int
    mantel: float
    mantel_chance: float
    procrustes_r2: float
    procrustes_chance: float


def agreement(places: Floats, other: Floats, seed: int) -> Agreement | None:
    """Compare two maps, (n, 2) each, with NaN for genres that are not on the map.

    Returns
    -------
    None for fewer than :data:`MIN_COMPARED` genres on both maps.
    """
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
