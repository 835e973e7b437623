"""Exact search for nearest songs by blocked matrix products, with a correction of hubs.

Matrix products in float32 select candidates, a few more than needed. Distances of candidates are recomputed in float64
pair by pair, so that lists do not depend on the division into blocks.
"""

import math
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from genreatlas.neighbours.space import Floats, Vectors

Places = npt.NDArray[np.int32]

#: Maximum number of nearest songs for local scales, see :func:`local_scale`.
SCALE_OF = 20
#: Additional candidates for the selection in float64.
_SPARE = 8
#: Block sizes of a matrix product: 512 x 4096 float32 are 8 MB.
_ASKING, _BASE = 512, 4096
#: Elements of a row that are tested at once; usually their minimum is too large, and they are skipped.
_STRIDE = 64


@dataclass(frozen=True)
class Lists:
    """Nearest songs of n query songs.

    Attributes
    ----------
    places : (n, k) indices of songs, -1 where there are fewer than k.
    distance : (n, k) root mean square difference over features; NaN where there are fewer than k.
    corrected : (n, k) corrected squared distance, by which lists are sorted in ascending order; ties by index.
    """

    places: Places
    distance: Floats
    corrected: Floats


def nearest(
    songs: Vectors, asking: Places, base: Places, k: int, pull: Floats | None = None, bound: Floats | None = None
) -> Lists:
    """Find the k nearest songs of query songs, without the song itself.

    Parameters
    ----------
    songs : (n_songs, n_features) vectors.
    asking, base : indices of query songs, and of songs that may be neighbours.
    k : length of the lists.
    pull : (n_songs,) weighted local scales. Those of both songs are subtracted from their squared distance per
        feature; None: no correction.
    bound : (n_asking,) maximum corrected distance, to save time. Songs slightly above it may be returned.
    """
    width = songs.shape[1]
    off = np.zeros(len(songs)) if pull is None else width * pull
    shape = (len(asking), k)
    found = Lists(np.full(shape, -1, dtype=np.int32), np.full(shape, np.nan), np.full(shape, np.nan))
    for start in range(0, len(asking), _ASKING):
        part = asking[start : start + _ASKING]
        limit = None
        if bound is not None:
            squares = np.square(songs[part].astype(np.float64)).sum(axis=1)
            limit = width * bound[start : start + _ASKING] + off[part] - squares
        places = _candidates(songs, part, base, k + _SPARE, off, limit)
        one, rows = measure(songs, part, places, k, pull), slice(start, start + len(part))
        found.places[rows], found.distance[rows], found.corrected[rows] = one.places, one.distance, one.corrected
    return found


def measure(songs: Vectors, asking: Places, places: Places, k: int, pull: Floats | None = None) -> Lists:
    """Sort candidates by corrected distance, computed in float64, and return the first k.

    Parameters
    ----------
    songs, asking, k, pull : as in :func:`nearest`.
    places : (n_asking, n_candidates) indices of candidates, distinct within a row; -1 for none.
    """
    width = songs.shape[1]
    squares = np.empty(places.shape)
    _squares(songs, asking, places, squares)
    squares /= width
    corrected = squares
    if pull is not None:
        corrected = squares - (pull[asking][:, None] + pull[places])
        corrected[places < 0] = np.inf
    tie = np.where(places < 0, np.iinfo(np.int32).max, places)
    order = np.lexsort((tie, corrected), axis=1)[:, :k]
    if order.shape[1] < k:
        order = np.concatenate([order, np.zeros((len(order), k - order.shape[1]), dtype=order.dtype)], axis=1)
    beyond = np.arange(k) >= (places >= 0).sum(axis=1)[:, None]
    chosen = np.where(beyond, -1, np.take_along_axis(places, order, 1)).astype(np.int32)
    distance = np.where(beyond, np.nan, np.sqrt(np.take_along_axis(squares, order, 1)))
    return Lists(chosen, distance, np.where(beyond, np.nan, np.take_along_axis(corrected, order, 1)))


def local_scale(lists: Lists, n_songs: int) -> Floats:
    """Local scale: mean squared distance per feature to the nearest songs, (n,).

    The number of nearest songs is :data:`SCALE_OF`, or about the square root of ``n_songs`` if that is smaller: 20 of
    100 songs are not a neighbourhood.

    Parameters
    ----------
    lists : nearest songs without correction.
    n_songs : number of songs among which they were searched.

    References: Zelnik-Manor & Perona 2004 (local scaling); Schnitzer et al. 2012 (against hubs); Conneau et al. 2018
    (CSLS, its additive form); Hara et al. 2016 (flattening).
    """
    squares = np.square(lists.distance[:, : min(SCALE_OF, math.isqrt(max(n_songs - 1, 0)) + 1)])
    known = np.isfinite(squares)
    total = np.where(known, squares, 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(known.sum(axis=1), 1), dtype=np.float64)


def _candidates(songs: Vectors, asking: Places, base: Places, k: int, off: Floats, limit: Floats | None) -> Places:
    """Indices of the k songs with the smallest ``|y|^2 - off - 2 x y`` in float32, (n_asking, k); -1 if fewer."""
    keys = np.full((len(asking), k), np.inf, dtype=np.float32)
    if limit is not None:  # tolerance for rounding errors of products and limits
        keys[:] = (limit + 1e-4 * (1.0 + np.abs(limit)))[:, None]
    places = np.full((len(asking), k), -1, dtype=np.int32)
    # All blocks have the same shape, so that the product of a pair does not depend on its position in a block.
    queries = np.zeros((_ASKING, songs.shape[1]), dtype=np.float32)
    queries[: len(asking)] = -2.0 * songs[asking]
    block = np.zeros((_BASE, songs.shape[1]), dtype=np.float32)
    products = np.empty((_ASKING, _BASE), dtype=np.float32)
    for start in range(0, len(base), _BASE):
        part = base[start : start + _BASE]
        block[: len(part)] = songs[part]
        np.matmul(queries, block.T, out=products)
        squares = np.square(block[: len(part)].astype(np.float64)).sum(axis=1)
        _keep(products, (squares - off[part]).astype(np.float32), asking, part, keys, places)
    return places


@numba.njit(cache=True, nogil=True, fastmath={"nnan", "nsz", "contract", "reassoc"})
def _keep(products, offsets, asking, part, keys, places):  # type: ignore[no-untyped-def]
    """Update each row's max-heap with the songs whose key is smaller than its maximum."""
    k = keys.shape[1]
    n = len(part)
    for row in range(len(asking)):
        own, most = asking[row], keys[row, 0]
        for start in range(0, n, _STRIDE):
            end = min(start + _STRIDE, n)
            least = np.float32(np.inf)
            for j in range(start, end):
                least = min(least, offsets[j] + products[row, j])
            if not least < most:
                continue
            for j in range(start, end):
                key = offsets[j] + products[row, j]
                if key < most and part[j] != own:
                    at = 0
                    while True:  # sift down
                        child = 2 * at + 1
                        if child >= k:
                            break
                        if child + 1 < k and keys[row, child + 1] > keys[row, child]:
                            child += 1
                        if keys[row, child] <= key:
                            break
                        keys[row, at], places[row, at] = keys[row, child], places[row, child]
                        at = child
                    keys[row, at], places[row, at] = key, part[j]
                    most = keys[row, 0]


@numba.njit(cache=True, nogil=True)
def _squares(songs, asking, places, out):  # type: ignore[no-untyped-def]
    """Compute squared distances in float64, summed in the order of features; infinity for missing candidates."""
    for row in range(len(asking)):
        one = asking[row]
        for column in range(places.shape[1]):
            other = places[row, column]
            total = 0.0
            if other >= 0:
                for feature in range(songs.shape[1]):
                    difference = np.float64(songs[one, feature]) - np.float64(songs[other, feature])
                    total += difference * difference
            else:
                total = np.inf
            out[row, column] = total
