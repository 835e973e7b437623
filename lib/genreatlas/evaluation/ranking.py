"""Judge songs that have several genres at once: by how a model ranks them, genre by genre.

Per genre, as the mean over genres (macro), and over all pairs of song and genre pooled (micro); what is undefined is
left out of means. The definitions are in :mod:`genreatlas.metrics.ranking`.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from genreatlas.evaluation.rows import figure_rows, no_figures
from genreatlas.metrics.ranking import Ranking
from genreatlas.metrics.resampling import LEAST_GROUPS, LEAST_TELLING, group_weights, trusted_interval

Floats = NDArray[np.float64]


class MultiJudge:
    """Judges a model on songs with several genres, one block of genres at a time.

    The scores of 100,000 songs and 3,000 genres do not fit in memory: give them genre by genre with
    :meth:`add`, then ask for :meth:`rows`. Give pooled pairs to :meth:`pool`, of all songs where
    they fit, or of a sample of groups; its figures then say how many songs they rest on.
    """

    def __init__(
        self, group: NDArray[np.int64], *, n_samples: int = 1000, min_groups: int = LEAST_GROUPS, seed: int = 7
    ) -> None:
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
                n_absent = int((~defined[:, 0, 0]).sum())
                self._row(metric, "*", values, len(self.group), self.n_groups, n_absent)
            self._macro.clear()
        return pd.concat(self._rows, ignore_index=True) if self._rows else no_figures()

    def _samples(
        self, scores: Floats, truth: NDArray[np.bool_], group: NDArray[np.int64], weights: NDArray[np.uint8]
    ) -> tuple[Floats, Floats]:
        return Ranking.of(scores, truth, group, len(weights)).figures(weights)

    def _row(
        self, metric: str, genre: str, samples: Floats, songs: int, groups: int, n_absent: int | None = None
    ) -> None:
        self._rows.append(
            figure_rows(
                metric,
                samples[0],
                songs,
                groups,
                genres=[genre],
                ends=trusted_interval(samples[1:], telling=LEAST_TELLING),
                min_groups=self.min_groups,
                n_absent=n_absent,
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
