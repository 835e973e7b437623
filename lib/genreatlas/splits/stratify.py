"""Iterative stratification of groups over parts."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse


def stratify(
    songs: sparse.csr_matrix,
    shares: Sequence[float],
    order: np.ndarray,
    placed: np.ndarray | None = None,
    placed_groups: np.ndarray | None = None,
) -> np.ndarray:
    """Place every group where its rarest genre is shortest of songs.

    The genre with the fewest songs left to place is dealt out first, so that small genres are
    divided as evenly as large ones. Groups follow `order`, except that groups which hold more of
    the genre than the smallest part should get come first, the largest ahead: placed late, they
    would overshoot it. While a genre has no more groups left than parts without one, its groups
    go to those parts.

    Parameters
    ----------
    songs : (n_groups, n_genres) songs of each group under each genre.
    shares : (n_parts,) share of the songs that each part should hold; they sum to 1.
    order : (n_groups,) the groups, in the pseudo-random order in which they are placed.
    placed : (n_parts, n_genres) songs that the parts hold already; they never move.
    placed_groups : (n_parts, n_genres) groups that the parts hold already.

    Returns
    -------
    (n_groups,) int64 part of each group.

    References
    ----------
    Sechidis, Tsoumakas, Vlahavas 2011, On the stratification of multi-label data, ECML PKDD.
    """
    n_groups, n_genres = songs.shape
    n_parts = len(shares)
    held = np.zeros((n_parts, n_genres)) if placed is None else placed.astype(float)
    totals = np.asarray(songs.sum(axis=0)).ravel()
    # Lists of floats: the loop below touches single cells, where numpy is ten times slower.
    want = (np.asarray(shares)[:, None] * (held.sum(axis=0) + totals) - held).tolist()
    want_all = [sum(row) for row in want]
    groups_in = (np.zeros((n_parts, n_genres), dtype=int) if placed_groups is None else placed_groups).tolist()
    rank = np.empty(n_groups, dtype=np.int64)
    rank[order] = np.arange(n_groups)
    by_genre = songs.tocsc()
    pointers, genres_of, counts_of = songs.indptr.tolist(), songs.indices.tolist(), songs.data.tolist()
    large = np.floor(min(shares) * (held.sum(axis=0) + totals))
    part = np.full(n_groups, -1, dtype=np.int64)
    left = np.where(totals > 0, totals, np.inf)
    while np.isfinite(genre_left := left[genre := int(left.argmin())]) and genre_left > 0:
        column = slice(by_genre.indptr[genre], by_genre.indptr[genre + 1])
        groups, counts = by_genre.indices[column], by_genre.data[column]
        free = part[groups] < 0
        groups, counts = groups[free], counts[free]
        first = np.where(counts > large[genre], -counts, 0)
        waiting = groups[np.lexsort((rank[groups], first))].tolist()
        for dealt, group in enumerate(waiting):
            bare = [p for p in range(n_parts) if not groups_in[p][genre]]
            options: Sequence[int] = bare if bare and len(waiting) - dealt <= len(bare) else range(n_parts)
            best = max(options, key=lambda p: (want[p][genre], want_all[p], -p))
            part[group] = best
            for cell in range(pointers[group], pointers[group + 1]):
                other, count = genres_of[cell], counts_of[cell]
                want[best][other] -= count
                want_all[best] -= count
                groups_in[best][other] += 1
                left[other] -= count
        left[genre] = np.inf
        left[left <= 0] = np.inf
    return part
