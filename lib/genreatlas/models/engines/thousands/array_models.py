"""Models made of a few numeric arrays: imputation and scaling of columns, then layers or training songs.

A model's file is an ``.npz`` of float and integer arrays; other fields are JSON in one of the arrays. It is read
without pickle and contains no code.
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

#: Rows are scored in blocks of this size, so that a row's scores do not depend on the other rows: the order of BLAS's
#: sums depends on the number of rows.
ROWS = 256

#: Size of the blocks in which a matrix is read, in bytes.
_BLOCK_BYTES = 16_000_000


@dataclass(frozen=True)
class Columns:
    """Imputation and scaling of columns.

    Attributes
    ----------
    fill : (n_features,) float64, replacement of missing values.
    centre, scale : (n_features,) float64; scaled values are ``(value - centre) / scale``.
    """

    fill: Array
    centre: Array
    scale: Array

    @classmethod
    def of(cls, X: Array, rows: Array, scaler: str) -> "Columns":
        """Fit medians, and means and standard deviations after imputation, a few columns at a time.

        Parameters
        ----------
        X : (n, n_features) float32, NaN = missing; may be memory-mapped.
        rows : indices of the training rows.
        scaler : ``standard`` (mean 0, variance 1) or ``none``.
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
                    # As in StandardScaler, a column whose deviation is due to rounding is constant.
                    scale[place] = spread if spread > 1e-7 * abs(centre[place]) else 1.0
        return cls(fill, centre, np.where(scale > 0, scale, 1.0))

    def __call__(self, X: Array) -> Array:
        """Impute and scale rows (n, n_features); returns float32."""
        return self.exact(X).astype(np.float32)

    def exact(self, X: Array) -> Array:
        """Impute and scale rows in float64, for reproducible sums."""
        values = np.where(np.isnan(X), self.fill, X)
        return (values - self.centre) / self.scale

    @property
    def arrays(self) -> dict[str, Array]:
        """Arrays to be stored, by name."""
        return {"fill": self.fill, "centre": self.centre, "scale": self.scale}


@dataclass(frozen=True)
class Table:
    """Training rows of a matrix, read block by block.

    Attributes
    ----------
    X, y : arrays of :class:`genreatlas.datasets.types.Matrix`, with all rows.
    rows : (n,) indices of the training rows.
    columns : imputation and scaling.
    weight : (n,) float, weights of the training rows, or None.
    n_classes : number of classes.
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
        """(n,) float64, weights of the training rows; 1 if there are none."""
        return np.ones(len(self.rows)) if self.weight is None else self.weight.astype(np.float64)

    def blocks(self, exact: bool = False) -> Iterator[tuple[slice, Array, Array]]:
        """Iterate over blocks of rows; the blocks depend on the shape of the table only.

        Parameters
        ----------
        exact : whether values are float64; else float32.

        Yields
        ------
        Slice of ``rows``, scaled values (n, n_features) and labels of each block.
        """
        width = 3 * self.X.shape[1] + (self.n_classes // 4 if self.multi else 0)
        scaled = self.columns.exact if exact else self.columns
        for block in blocks(len(self.rows), width, _BLOCK_BYTES):
            rows = self.rows[block]
            yield block, scaled(self.X[rows]), self.y[rows]

    def class_weights(self) -> Array:
        """Sum of the weights of the rows of each class, (n_classes,)."""
        if not self.multi:
            return np.bincount(self.y[self.rows], weights=self.weights, minlength=self.n_classes)
        total = np.zeros(self.n_classes)
        for block in blocks(len(self.rows), self.n_classes, _BLOCK_BYTES):
            total += self.weights[block] @ self.y[self.rows[block]]
        return total


class ArrayModel(RowModel):
    """Base of the models of this engine; a subclass has ``kind``, ``columns``, ``arrays`` and ``_scores``."""

    format = "arrays"
    score_kind: ScoreKind = "probability"
    kind: ClassVar[str]
    columns: Columns
    n_classes: int
    multi: bool

    @property
    def n_features(self) -> int:
        """Number of input columns."""
        return len(self.columns.fill)

    @property
    def arrays(self) -> dict[str, Array]:
        """Arrays of the subclass to be stored, by name."""
        raise NotImplementedError

    @property
    def facts(self) -> JsonObject:
        """Fields of the subclass that are stored as JSON."""
        return {}

    def _scores(self, X: Array) -> Array:
        """Probabilities (n, n_classes) of scaled rows."""
        raise NotImplementedError

    def scores(self, X: Array) -> NDArray[np.float64]:
        """Probability of each class, (n_rows, n_classes) float64; independent of the other rows of the batch."""
        found = np.empty((len(X), self.n_classes))
        for start in range(0, len(X), ROWS):
            block = np.asarray(X[start : start + ROWS], dtype=np.float32)
            whole = np.zeros((ROWS, self.n_features), dtype=np.float32)
            whole[: len(block)] = self.columns(block)
            found[start : start + len(block)] = self._scores(whole)[: len(block)]
        return found

    def column_weights(self) -> NDArray[np.float64] | None:
        """Mean absolute weight of each scaled column; None if the model has no weights."""
        return None

    def dumps(self) -> bytes:
        """Content of the ``.npz`` file; equal models have equal bytes."""
        facts = {"genreatlas": self.kind, "n_classes": self.n_classes, "multi": self.multi, **self.facts}
        text = np.frombuffer(json.dumps(facts, sort_keys=True).encode(), np.uint8)
        return _packed({"facts": text, **self.columns.arrays, **self.arrays})


def expect(arrays: Mapping[str, Array], name: str, shape: tuple[int, ...]) -> Array:
    """Return an array of a file; ValueError if it does not have the given shape."""
    if arrays[name].shape != shape:
        raise ValueError(f"{name} has the shape {arrays[name].shape}, not {shape}")
    return arrays[name]


def softmax(logits: Array) -> Array:
    """Softmax of logits (n, n_classes), in place."""
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def _packed(arrays: Mapping[str, Array]) -> bytes:
    """Compressed ``.npz`` without timestamps, which ``np.savez_compressed`` would write."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as file:
        for name, array in arrays.items():
            one = io.BytesIO()
            np.lib.format.write_array(one, np.ascontiguousarray(array), allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), one.getvalue(), zipfile.ZIP_DEFLATED)
    return target.getvalue()
