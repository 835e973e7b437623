"""Average precision and ROC-AUC of rankings, for songs that have several genres at once.

There is no single right answer to count, so a model is judged by how it ranks: are the songs of a genre ahead of the
others? Equal scores form one threshold. A genre without songs has no average precision, one with nothing but songs of
it no ROC-AUC.

References: Manning, Raghavan & Schütze 2008, ch. 8.4 (average precision without interpolation);
Fawcett 2006, "An introduction to ROC analysis"; Boutell et al. 2004 for several labels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]

#: Samples that are weighed at once: bounds the cumulative sums of pooled pairs.
BLOCK_CELLS = 4_000_000


@dataclass(frozen=True)
class Ranking:
    """Songs in the order of one score, cut where a right answer changes the curve.

    ``pieces`` is a (2 k + 1, n_groups) sparse array that counts songs: even rows lie between the k
    thresholds that have a right answer, odd rows are those thresholds' own songs, ties included.
    ``right`` is (k, n_groups) and counts the right ones among them.
    """

    pieces: sparse.csr_array
    right: sparse.csr_array

    @classmethod
    def of(cls, scores: Floats, truth: NDArray[np.bool_], group: NDArray[np.int64], n_groups: int) -> "Ranking":
        """Rank (n,) scores; ``truth`` says which are right, ``group`` whom they belong to."""
        order = np.argsort(-scores, kind="stable")
        ordered = scores[order]
        threshold = np.concatenate([[0], np.cumsum(ordered[1:] != ordered[:-1])]) if len(ordered) else order
        with_right = np.unique(threshold[truth[order]])
        place = np.searchsorted(with_right, threshold, side="left")
        own = np.isin(threshold, with_right)
        piece = 2 * place + own
        hits = truth[order]
        shape = (2 * len(with_right) + 1, n_groups)
        ones = np.ones(len(order))
        return cls(
            pieces=sparse.csr_array((ones, (piece, group[order])), shape=shape),
            right=sparse.csr_array((ones[hits], (place[hits], group[order][hits])), shape=(len(with_right), n_groups)),
        )

    def figures(self, weights: Floats | NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Average precision and ROC-AUC with every group counted ``weights`` times.

        Parameters
        ----------
        weights : (n_groups, n_samples).

        Returns
        -------
        two arrays (n_samples,), NaN where undefined.
        """
        n_samples = weights.shape[1]
        block = max(1, BLOCK_CELLS // self.pieces.shape[0])
        parts = [
            self._figures(weights[:, start : start + block].astype(np.float64)) for start in range(0, n_samples, block)
        ]
        return np.concatenate([p for p, _ in parts]), np.concatenate([a for _, a in parts])

    def _figures(self, weights: Floats) -> tuple[Floats, Floats]:
        songs = self.pieces @ weights
        right = self.right @ weights
        ahead = np.cumsum(songs, axis=0)[1::2]
        found = np.cumsum(right, axis=0)
        wrong_own = songs[1::2] - right
        n_right = right.sum(axis=0)
        n_wrong = songs.sum(axis=0) - n_right
        precision = np.divide(found, ahead, out=np.zeros_like(found), where=ahead > 0)
        wrong_ahead = (ahead - found) - wrong_own / 2.0
        undefined = np.full(weights.shape[1], np.nan)
        average = np.divide((right * precision).sum(axis=0), n_right, out=undefined.copy(), where=n_right > 0)
        pairs = n_right * n_wrong
        lost = np.divide((right * wrong_ahead).sum(axis=0), pairs, out=undefined.copy(), where=pairs > 0)
        return average, 1.0 - lost


def average_precision(scores: Floats, truth: NDArray[np.bool_]) -> float:
    """Average precision of one ranking, every song once; NaN without a right answer."""
    ranking = Ranking.of(scores, truth, np.zeros(len(scores), dtype=np.int64), 1)
    return float(ranking.figures(np.ones((1, 1)))[0][0])
