"""Average precision and ROC-AUC, for songs that have several genres at once.

There is no single right answer to count, so a model is judged by how it ranks: per genre (are the
songs of the genre ahead of the others?), as the mean over genres (macro), and over all pairs of song
and genre pooled (micro). Equal scores form one threshold. A genre without songs, or with nothing
but songs of it, has no ROC-AUC, one without songs no average precision; both are left out of means.

References: Manning, Raghavan & Schütze 2008, ch. 8.4 (average precision without interpolation);
Fawcett 2006, "An introduction to ROC analysis"; Boutell et al. 2004 for several labels.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from genreatlas.evaluation.bootstrap import group_weights, interval
from genreatlas.evaluation.rows import figure_rows, no_figures

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


class MultiJudge:
    """Judges a model on songs with several genres, one block of genres at a time.

    The scores of 100,000 songs and 3,000 genres do not fit in memory: give them genre by genre with
    :meth:`add`, then ask for :meth:`rows`. Give pooled pairs to :meth:`pool`, of all songs where
    they fit, or of a sample of groups; its figures then say how many songs they rest on.
    """

    def __init__(self, group: NDArray[np.int64], *, n_samples: int = 1000, min_groups: int = 5, seed: int = 7) -> None:
        self.group = np.asarray(group, dtype=np.int64)
        self.n_groups = int(self.group.max()) + 1 if len(self.group) else 0
        self.n_samples = n_samples
        self.min_groups = min_groups
        self.seed = seed
        self._weights = _with_whole(self.n_groups, n_samples, seed)
        self._rows: list[pd.DataFrame] = []
        self._macro: list[Floats] = []

    def add(self, genre: str, scores: Floats, truth: NDArray[np.bool_]) -> None:
        """Judge one genre: its score and truth for every song, in the order of ``group``."""
        average, area = self._samples(scores, truth, self.group, self._weights)
        self._macro.append(np.stack([average, area]))
        songs, groups = int(truth.sum()), len(np.unique(self.group[truth]))
        self._row("average_precision", genre, average, songs, groups)
        self._row("roc_auc", genre, area, songs, groups)
        self._rows.append(figure_rows("support", songs, songs, groups, genres=[genre]))

    def pool(self, scores: Floats, truth: NDArray[np.bool_], group: NDArray[np.int64]) -> None:
        """Judge all pairs together: (n, n_classes) scores and truth of songs of the given groups."""
        names, place = np.unique(group, return_inverse=True)
        weights = self._weights if len(names) == self.n_groups else _with_whole(len(names), self.n_samples, self.seed)
        pairs = np.repeat(place, scores.shape[1])
        average, area = self._samples(scores.ravel(), truth.ravel(), pairs, weights)
        self._row("micro_average_precision", "*", average, len(scores), len(names))
        self._row("micro_roc_auc", "*", area, len(scores), len(names))

    def rows(self) -> pd.DataFrame:
        """One row per figure, as :func:`genreatlas.evaluation.judge.judge` gives them."""
        if self._macro:
            blocks = np.stack(self._macro)
            defined = ~np.isnan(blocks)
            sums, counts = np.where(defined, blocks, 0.0).sum(axis=0), defined.sum(axis=0)
            macro = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
            for metric, values in zip(("macro_average_precision", "macro_roc_auc"), macro, strict=True):
                self._row(metric, "*", values, len(self.group), self.n_groups)
            self._macro.clear()
        return pd.concat(self._rows, ignore_index=True) if self._rows else no_figures()

    def _samples(
        self, scores: Floats, truth: NDArray[np.bool_], group: NDArray[np.int64], weights: NDArray[np.uint8]
    ) -> tuple[Floats, Floats]:
        return Ranking.of(scores, truth, group, len(weights)).figures(weights)

    def _row(self, metric: str, genre: str, samples: Floats, songs: int, groups: int) -> None:
        self._rows.append(
            figure_rows(
                metric,
                samples[0],
                songs,
                groups,
                genres=[genre],
                ends=interval(samples[1:]),
                min_groups=self.min_groups,
            )
        )


def _with_whole(n_groups: int, n_samples: int, seed: int) -> NDArray[np.uint8]:
    """Weights of the sample as it is (first column), then of the bootstrap samples.

    One byte each, since no group is drawn 256 times: 100 MB for 100,000 groups and 1,000 samples.
    """
    if not n_groups:
        return np.ones((0, 1), dtype=np.uint8)
    blocks = [np.ones((n_groups, 1), dtype=np.uint8)]
    blocks += [np.minimum(block, 255).astype(np.uint8) for block in group_weights(n_groups, n_samples, seed)]
    return np.concatenate(blocks, axis=1)
