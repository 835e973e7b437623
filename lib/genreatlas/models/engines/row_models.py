"""Models in memory that score rows, each by itself: what they say of clips, which are some rows each."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreatlas.errors import ModelError
from genreatlas.models.engines.protocol import Clips, ClipScores, FileModel


class RowModel:
    """A model in memory that scores rows, each by itself: :class:`FileModel` made of ``scores`` and a few facts.

    A subclass has ``format``, ``n_classes``, ``n_features``, ``multi``, ``score_kind``, ``dumps`` and ``scores``. One
    whose ``score_kind`` is margin may have ``calibrated``, which gives it with a sigmoid for each class.
    """

    def matrix_scores(self: Any, X: NDArray[Any], rows: Any, song: NDArray[Any]) -> NDArray[np.float64]:
        """Scores of some rows of a training matrix; see :meth:`FileModel.matrix_scores`."""
        return np.asarray(self.scores(X[rows]))

    def clip_scores(self: Any, clips: Clips) -> ClipScores:
        """Scores of clips added up over their rows.

        Raises
        ------
        ModelError : a clip's rows are not as wide as the model was trained on.
        """
        wrong = (clips.widths != self.n_features) | (clips.lengths % max(self.n_features, 1) != 0)
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise ModelError(
                f"clip {clips.clips[at]} has {clips.widths[at]} features; the model was trained on {self.n_features}"
            )
        n_rows = clips.lengths // self.n_features
        X = clips.values.reshape(-1, self.n_features)
        clip_of_row = np.repeat(np.arange(len(n_rows)), n_rows)
        sums = np.zeros((len(n_rows), self.n_classes))
        counted = np.zeros((len(n_rows), self.n_classes), dtype=np.int64)
        for block in blocks(len(X), self.n_features):
            scores = self.scores(X[block])
            np.add.at(sums, clip_of_row[block], scores)
            np.add.at(counted, clip_of_row[block], votes(scores, self))
        return ClipScores(n_rows, sums, counted)


def votes(scores: NDArray[np.float64], model: FileModel) -> NDArray[np.int64]:
    """1 where a row speaks for a class: its highest score; with several labels, every class that it predicts."""
    if model.multi:
        return (scores > 0 if model.score_kind == "margin" else scores >= 0.5).astype(np.int64)
    found = np.zeros(scores.shape, dtype=np.int64)
    found[np.arange(len(scores)), np.argmax(scores, axis=1)] = 1
    return found


def blocks(n_rows: int, n_features: int, block_bytes: int = 32_000_000) -> Iterable[slice]:
    """Cut rows into slices of at most ``block_bytes`` of float32, so that scoring needs little memory."""
    step = max(1, block_bytes // max(1, 4 * n_features))
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))
