"""Models that are a few arrays of numbers: how rows are imputed and scaled, and layers or known songs behind it.

A model's file is an ``.npz`` of float and integer arrays, with what is not an array as JSON in one of them. It is read
without pickle and holds no code.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray
from genreatlas.models.engines.file_models import RowModel, blocks
from genreatlas.models.types import ScoreKind
from genreatlas.values import JsonObject

Array = AnyArray

#: Rows that are scored at once, so that a product is always of one shape and a row's scores do not depend on the rows
#: beside it: BLAS adds up a product in another order for another number of rows.
ROWS = 256

#: Bytes of the values that are in memory at once while a matrix is read.
_BLOCK_BYTES = 16_000_000


@dataclass(frozen=True)
class Columns:
    """How columns are imputed and scaled.

    Attributes
    ----------
    fill : (n_features,) float64, what takes the place of a missing value.
    centre, scale : (n_features,) float64; a value becomes ``(value - centre) / scale``.
    """

    fill: Array
    centre: Array
    scale: Array

    @classmethod
    def of(cls, X: Array, rows: Array, scaler: str) -> "Columns":
        """Medians of the rows, and means and deviations after imputation, a few columns at a time.

        Parameters
        ----------
        X : (n, n_features) float32 with NaN = missing; may lie in a file.
        rows : indices of the rows.
        scaler : standard (mean 0, variance 1), or none.
        """
        width = X.shape[1]
        fill, centre, scale = np.zeros(width), np.zeros(width), np.ones(width)
        step = max(1, _BLOCK_BYTES // (4 * max(1, len(rows))))
        for start in range(0, width, step):
            part = np.array(X[:, start : start + step][rows], dtype=np.float64)
            for place, column in enumerate(part.T, start):
                known = column[~np.isnan(column)]
                fill[place] = np.median(known) if len(known) else 0.0
                column[np.isnan(column)] = fill[place]
                if scaler == "standard" and len(column):
                    centre[place] = column.mean()
                    spread = np.sqrt(np.mean((column - centre[place]) ** 2))
                    # As in StandardScaler, a column whose spread is nothing but rounding is constant.
                    scale[place] = spread if spread > 1e-7 * abs(centre[place]) else 1.0
        return cls(fill, centre, np.where(scale > 0, scale, 1.0))

    def __call__(self, X: Array) -> Array:
        """(n, n_features) float32 → the same, imputed and scaled, float32."""
        return self.exact(X).astype(np.float32)

    def exact(self, X: Array) -> Array:
        """The same in float64, for sums that are to be equal however the rows were divided."""
        values = np.where(np.isnan(X), self.fill, X)
        return (values - self.centre) / self.scale

    @property
    def arrays(self) -> dict[str, Array]:
        """What the file keeps."""
        return {"fill": self.fill, "centre": self.centre, "scale": self.scale}


@dataclass(frozen=True)
class Table:
    """Rows of a matrix that a model is fitted on, read block by block.

    Attributes
    ----------
    X, y : arrays of :class:`genreatlas.datasets.types.Matrix`, whole.
    rows : (n,) the rows among them.
    weight : (n,) float of these rows, or None.
    """

    X: Array
    rows: Array
    columns: Columns
    y: Array
    weight: Array | None
    n_classes: int

    @property
    def multi(self) -> bool:
        """Whether a song may have several genres."""
        return self.y.ndim == 2

    @property
    def weights(self) -> Array:
        """(n,) float64, 1 where rows count alike."""
        return np.ones(len(self.rows)) if self.weight is None else self.weight.astype(np.float64)

    def blocks(self, exact: bool = False) -> Iterator[tuple[slice, Array, Array]]:
        """Place among the rows, (n, n_features) values and labels, of blocks that are always cut alike.

        Parameters
        ----------
        exact : values in float64, else in float32.
        """
        width = 3 * self.X.shape[1] + (self.n_classes // 4 if self.multi else 0)
        scaled = self.columns.exact if exact else self.columns
        for block in blocks(len(self.rows), width, _BLOCK_BYTES):
            rows = self.rows[block]
            yield block, scaled(self.X[rows]), self.y[rows]

    def class_weights(self) -> Array:
        """(n_classes,) sum of the weights of the rows of each class."""
        if not self.multi:
            return np.bincount(self.y[self.rows], weights=self.weights, minlength=self.n_classes)
        total = np.zeros(self.n_classes)
        for block in blocks(len(self.rows), self.n_classes, _BLOCK_BYTES):
            total += self.weights[block] @ self.y[self.rows[block]]
        return total


class ArrayModel(RowModel):
    """What the models of this engine share; a subclass has ``kind``, ``columns``, ``arrays`` and ``_scores``."""

    format = "arrays"
    score_kind: ScoreKind = "probability"
    kind: ClassVar[str]
    columns: Columns
    n_classes: int
    multi: bool

    @property
    def n_features(self) -> int:
        """Columns that it expects."""
        return len(self.columns.fill)

    @property
    def arrays(self) -> dict[str, Array]:
        """Arrays of its own that the file keeps."""
        raise NotImplementedError

    @property
    def facts(self) -> JsonObject:
        """What is JSON in the file."""
        return {}

    def _scores(self, X: Array) -> Array:
        """(n, n_classes) probabilities of scaled rows."""
        raise NotImplementedError

    def scores(self, X: Array) -> NDArray[np.float64]:
        """Probability of each class, (n_rows, n_classes) float64; a row's do not depend on the rows beside it."""
        found = np.empty((len(X), self.n_classes))
        for start in range(0, len(X), ROWS):
            block = np.asarray(X[start : start + ROWS], dtype=np.float32)
            whole = np.zeros((ROWS, self.n_features), dtype=np.float32)
            whole[: len(block)] = self.columns(block)
            found[start : start + len(block)] = self._scores(whole)[: len(block)]
        return found

    def column_weights(self) -> NDArray[np.float64] | None:
        """Mean absolute weight of each scaled column; None where there are no weights."""
        return None

    def dumps(self) -> bytes:
        """The model's ``.npz``; equal models have equal bytes."""
        facts = {"genreatlas": self.kind, "n_classes": self.n_classes, "multi": self.multi, **self.facts}
        text = np.frombuffer(json.dumps(facts, sort_keys=True).encode(), np.uint8)
        return _packed({"facts": text, **self.columns.arrays, **self.arrays})


def expect(arrays: Mapping[str, Array], name: str, shape: tuple[int, ...]) -> Array:
    """An array of a file that must have a shape; ValueError where it has another."""
    if arrays[name].shape != shape:
        raise ValueError(f"{name} has the shape {arrays[name].shape}, not {shape}")
    return arrays[name]


def softmax(logits: Array) -> Array:
    """Probabilities of (n, n_classes) logits, which are overwritten."""
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def _packed(arrays: Mapping[str, Array]) -> bytes:
    """An ``.npz`` without the time of its making, compressed: ``np.savez_compressed`` writes the clock into it."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as file:
        for name, array in arrays.items():
            one = io.BytesIO()
            np.lib.format.write_array(one, np.ascontiguousarray(array), allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), one.getvalue(), zipfile.ZIP_DEFLATED)
    return target.getvalue()
