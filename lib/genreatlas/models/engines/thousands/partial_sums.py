"""Linear discriminant analysis of a matrix that stays in Spark: sums over fixed buckets of songs, per fold.

A bucket is a fixed range of songs, independent of Spark's partitions, with sorted rows. Sums of buckets are added in
order, so results do not depend on the number of partitions, to the bit. A training set consists of all folds except
one, so each fold is summed only once for all models.

Imputation and scaling differ between training sets, so sums are computed over unscaled values minus a reference, with
missing values counted separately. Sums of imputed and scaled values follow from them: with ``k`` the known values (0 if
missing) and ``m`` the indicator of missing values, an imputed value is ``k + d m``. Medians for imputation are computed
exactly in two passes over the bits of the float32 values: the first counts values by the upper half of the bits, the
second counts by all bits the values whose upper half contains the median.

No pyspark here: the functions take a bucket as an Arrow table and return arrays.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from genreatlas.datasets.types import row_values
from genreatlas.models.engines.file_models import FileModel
from genreatlas.models.engines.song_blocks import song_blocks
from genreatlas.models.engines.thousands.array_models import Array, Columns
from genreatlas.models.engines.thousands.discriminants import Sums

#: Schema of the results for each bucket and part (fold or model): arrays as ``.npz``.
PARTIAL = "bucket int, part int, content binary"
_PARTIAL = pa.schema([("bucket", pa.int32()), ("part", pa.int32()), ("content", pa.binary())])

_HALF = 16  # half of the bits of a value


@dataclass(frozen=True)
class Rows:
    """The rows of a bucket, sorted.

    Attributes
    ----------
    X : (n, n_features) float32, NaN = missing.
    y, fold, song : (n,) class, fold, and index of the song in the bucket.
    weight : (n,) float64.
    """

    X: NDArray[np.float32]
    y: NDArray[np.int64]
    fold: NDArray[np.int64]
    song: NDArray[np.int64]
    weight: NDArray[np.float64]

    @classmethod
    def of(cls, table: pa.Table, classes: Sequence[str], width: int, weights: bool) -> "Rows":
        """Convert a table with the columns of :data:`genreatlas.datasets.matrix.ROWS`."""
        table = table.sort_by([("song_id", "ascending"), ("clip_id", "ascending"), ("frame", "ascending")])
        index = {genre: place for place, genre in enumerate(classes)}
        song = np.unique(table.column("song_id").to_numpy().astype(str), return_inverse=True)[1]
        weight = table.column("weight").to_numpy().astype(np.float32).astype(np.float64)
        return cls(
            row_values(table.column("features"), width),
            np.array([index[genres[0]] for genres in table.column("genres").to_pylist()], dtype=np.int64),
            table.column("fold").to_numpy().astype(np.int64),
            song.astype(np.int64),
            weight if weights else np.ones(table.num_rows),
        )


def pack(bucket: int, parts: Mapping[int, Mapping[str, Array]]) -> pa.Table:
    """Write the arrays of each part as rows of :data:`PARTIAL`."""
    rows = []
    for part, arrays in parts.items():
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
        rows.append({"bucket": bucket, "part": part, "content": content.getvalue()})
    return pa.Table.from_pylist(rows, schema=_PARTIAL)


def unpack(content: bytes) -> dict[str, Array]:
    """Read the arrays of a row of :data:`PARTIAL`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


# Medians


def ordered_bits(X: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Map floats to integers in the same order; 0 and -0 are equal."""
    bits = (X + np.float32(0.0)).view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def from_ordered_bits(keys: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Inverse of :func:`ordered_bits`."""
    keys = np.asarray(keys, dtype=np.uint32)
    return np.where(keys >> 31, keys ^ np.uint32(1 << 31), ~keys).astype(np.uint32).view(np.float32)


def count_upper(rows: Rows) -> dict[int, dict[str, Array]]:
    """Count the known values of each fold by column and upper half of the bits; code = column << 16 | half."""
    return {fold: _counted(_codes(rows.X[rows.fold == fold])[0]) for fold in np.unique(rows.fold).tolist()}


def count_lower(rows: Rows, wanted: NDArray[np.int64]) -> dict[int, dict[str, Array]]:
    """Count the values of each fold by column and all bits, for the wanted upper halves only.

    Parameters
    ----------
    rows : rows of a bucket.
    wanted : codes of :func:`count_upper`, ascending.

    Returns
    -------
    Counts by fold; code = column << 32 | bits.
    """
    found = {}
    for fold in np.unique(rows.fold).tolist():
        upper, whole = _codes(rows.X[rows.fold == fold])
        place = np.searchsorted(wanted, upper)
        inside = wanted[np.minimum(place, len(wanted) - 1)] == upper if len(wanted) else np.zeros(len(upper), bool)
        found[fold] = _counted(whole[inside])
    return found


def _codes(X: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    row, column = np.nonzero(~np.isnan(X))
    bits = ordered_bits(X[row, column]).astype(np.int64)
    return column << _HALF | bits >> _HALF, column << 2 * _HALF | bits


def _counted(codes: NDArray[np.int64]) -> dict[str, Array]:
    found, n = np.unique(codes, return_counts=True)
    return {"code": found, "n": n.astype(np.int64)}


def added(counts: Iterable[Mapping[str, Array]]) -> dict[str, Array]:
    """Add the counts of several buckets or folds."""
    every = list(counts)
    if not every:
        return {"code": np.zeros(0, np.int64), "n": np.zeros(0, np.int64)}
    code, place = np.unique(np.concatenate([one["code"] for one in every]), return_inverse=True)
    n = np.zeros(len(code), np.int64)
    np.add.at(n, place, np.concatenate([one["n"] for one in every]))
    return {"code": code, "n": n}


def middle_codes(upper: Mapping[str, Array], width: int) -> NDArray[np.int64]:
    """Codes of the upper halves that contain the one or two middle values of each column, ascending."""
    wanted = []
    for column in range(width):
        code, n = _of_column(upper, column, _HALF)
        if total := int(n.sum()):
            ends = np.cumsum(n)
            wanted += [code[np.searchsorted(ends, rank, side="right")] for rank in ((total - 1) // 2, total // 2)]
    return np.unique(np.array(wanted, dtype=np.int64))


def medians(upper: Mapping[str, Array], lower: Mapping[str, Array], width: int) -> Array:
    """Medians (n_features,) float64, equal to ``np.median``; 0 for a column without values."""
    found = np.zeros(width)
    for column in range(width):
        code, n = _of_column(upper, column, _HALF)
        bits, n_bits = _of_column(lower, column, 2 * _HALF)
        if total := int(n.sum()):
            ends = np.cumsum(n)
            middle = []
            for rank in ((total - 1) // 2, total // 2):
                at = int(np.searchsorted(ends, rank, side="right"))
                inside = bits >> _HALF == code[at]
                places = np.cumsum(n_bits[inside])
                key = bits[inside][np.searchsorted(places, rank - (ends[at] - n[at]), side="right")]
                middle.append(float(from_ordered_bits(np.array([key & 0xFFFFFFFF], dtype=np.uint32))[0]))
            found[column] = np.mean(middle)
    return found


def _of_column(counts: Mapping[str, Array], column: int, bits: int) -> tuple[Array, Array]:
    first, last = np.searchsorted(counts["code"], [column << bits, (column + 1) << bits])
    return counts["code"][first:last], counts["n"][first:last]


# Sums


@dataclass(frozen=True)
class RawSums:
    """Sums over the rows of some folds, of values minus a reference.

    ``k`` are known values minus the reference, 0 if missing; ``m`` is 1 if missing. Sums are weighted, except ``n``,
    ``plain``, ``square`` and ``gone``: scaling, like medians, is not weighted.

    Attributes
    ----------
    n : () number of rows.
    plain, square, gone : (n_features,) sums of k, k**2 and m.
    weight : (n_classes,) sums of weights.
    known, missing : (n_classes, n_features) weighted sums of k and of m, by class.
    kk, km, mm : (n_features, n_features) weighted sums of products.
    """

    n: Array
    plain: Array
    square: Array
    gone: Array
    weight: Array
    known: Array
    missing: Array
    kk: Array
    km: Array
    mm: Array

    @classmethod
    def zero(cls, n_classes: int, width: int) -> "RawSums":
        """Sums of no rows."""
        column, by_class, square = np.zeros(width), np.zeros((n_classes, width)), np.zeros((width, width))
        return cls(
            np.zeros(()), column, column.copy(), column.copy(), np.zeros(n_classes), by_class, by_class.copy(), square,
            square.copy(), square.copy(),
        )  # fmt: skip

    def add(self, arrays: Mapping[str, Array]) -> None:
        """Add the result of :func:`sum_folds` for one fold of a bucket; ``at`` has the indices of its classes."""
        at = arrays["at"]
        self.weight[at] += arrays["weight"]
        self.known[at] += arrays["known"]
        for name in ("n", "plain", "square", "kk"):
            getattr(self, name)[...] += arrays[name]
        if "missing" in arrays:
            self.missing[at] += arrays["missing"]
            for name in ("gone", "km", "mm"):
                getattr(self, name)[...] += arrays[name]

    def plus(self, other: "RawSums") -> "RawSums":
        """Return the sum of both."""
        return RawSums(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def scaled(self, fill: Array, reference: Array, scaler: str) -> tuple[Columns, Sums]:
        """Fit imputation and scaling, and compute the sums of the scaled values.

        Parameters
        ----------
        fill : (n_features,) replacement of missing values.
        reference : (n_features,) reference of the sums.
        scaler : ``standard`` or ``none``.
        """
        d = fill - reference
        centre, scale = np.zeros(len(fill)), np.ones(len(fill))
        if scaler == "standard" and self.n:
            mean = (self.plain + self.gone * d) / self.n
            square = (self.square + self.gone * d**2) / self.n
            variance = square - mean**2
            # Variance of a constant column is rounding error.
            variance = np.where(variance > 1e-14 * square, variance, 0.0)
            centre = reference + mean
            spread = np.sqrt(variance)
            scale = np.where(spread > 1e-7 * np.abs(centre), spread, 1.0)
        scale = np.where(scale > 0, scale, 1.0)
        shift = centre - reference
        first = self.known + self.missing * d
        total, weight = first.sum(axis=0), self.weight.sum()
        mixed = self.km * d
        second = self.kk + mixed + mixed.T + self.mm * np.outer(d, d)
        second = second - np.outer(total, shift) - np.outer(shift, total) + weight * np.outer(shift, shift)
        sums = Sums(self.weight, (first - np.outer(self.weight, shift)) / scale, second / np.outer(scale, scale))
        return Columns(fill, centre, scale), sums


def sum_folds(rows: Rows, reference: Array) -> dict[int, dict[str, Array]]:
    """Sums of each fold of a bucket, for :meth:`RawSums.add`."""
    found = {}
    for fold in np.unique(rows.fold).tolist():
        mine = rows.fold == fold
        weight = rows.weight[mine]
        missing = np.isnan(rows.X[mine])
        known = np.where(missing, 0.0, rows.X[mine] - reference)
        at, y = np.unique(rows.y[mine], return_inverse=True)
        by_class = sparse.csr_array((weight, (y, np.arange(len(y)))), shape=(len(at), len(y)))
        found[fold] = {
            "n": np.array(float(len(y))), "plain": known.sum(axis=0), "square": (known**2).sum(axis=0), "at": at,
            "weight": np.bincount(y, weights=weight, minlength=len(at)), "known": by_class @ known,
            "kk": (known * weight[:, None]).T @ known,
        }  # fmt: skip
        if missing.any():
            m = missing.astype(np.float64)
            found[fold] |= {
                "gone": m.sum(axis=0), "missing": by_class @ m, "km": (known * weight[:, None]).T @ m,
                "mm": (m * weight[:, None]).T @ m,
            }  # fmt: skip
    return found


# Scores


def predict_songs(
    rows: Rows, models: Sequence[tuple[FileModel, int]], first_song: int, fitted: Mapping[int, NDArray[np.bool_]]
) -> dict[int, dict[str, Array]]:
    """Predict songs of a bucket with models that were fitted without a fold: songs of that fold, and some others.

    Parameters
    ----------
    rows : rows of the bucket.
    models : (model, fold that it was fitted without).
    first_song : index of the bucket's first song among all songs.
    fitted : by fold, (n_songs,) whether a song outside the fold is used for the training score.

    Returns
    -------
    By index of the model: indices of ``held`` (held-out) and ``known`` (training) songs among all songs, and their
    predicted classes ``held_class`` and ``known_class``.
    """
    found = {}
    for place, (model, fold) in enumerate(models):
        arrays: dict[str, Array] = {}
        outside = (rows.fold != fold) & fitted[fold][first_song + rows.song]
        for name, mine in (("held", rows.fold == fold), ("known", outside)):
            songs, classes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
            for block in song_blocks(model, rows.X, rows.song, np.flatnonzero(mine)):
                songs.append(first_song + block.songs)
                classes.append(np.argmax(block.means, axis=1))
            arrays |= {name: np.concatenate(songs), f"{name}_class": np.concatenate(classes)}
        found[place] = arrays
    return found
