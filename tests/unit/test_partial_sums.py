"""Discriminants from sums of buckets and folds: those of the matrix in memory, whatever the buckets hold."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from threadpoolctl import threadpool_limits

from genreatlas.models.engines.thousands import discriminants, partial_sums
from genreatlas.models.engines.thousands.array_models import Columns, Table
from genreatlas.models.engines.thousands.partial_sums import RawSums, Rows

CLASSES = ("ambient", "blues", "country", "disco")
FOLDS = (0, 1, 2)


def table(n=900, width=5, seed=3, missing=True):
    """Songs of one or two clips as Spark has them, with values far from 0, gaps, and a column of one value."""
    rng = np.random.default_rng(seed)
    song = np.sort(rng.integers(0, n * 2 // 3, n))
    genre, fold = rng.integers(0, len(CLASSES), n)[song], rng.integers(0, len(FOLDS), n)[song]
    X = rng.normal(size=(len(CLASSES), width))[genre] + rng.normal(size=(n, width)) @ rng.normal(size=(width, width))
    X = (X * 10.0 ** np.arange(-2, width - 2) + 50).astype(np.float32)
    if missing:
        X[rng.random((n, width)) < 0.1] = np.nan
        X[fold != 1, 0] = np.nan  # known in one fold only
        X[:, 1] = np.where(rng.random(n) < 0.5, np.float32(0.0), np.float32(-0.0))
    return pa.table(
        {
            "song_id": [f"song{one:05}" for one in song],
            "clip_id": [f"clip{one:05}" for one in range(n)],
            "frame": np.zeros(n, np.int32),
            "fold": fold.astype(np.int32),
            "genres": [[CLASSES[one]] for one in genre],
            "weight": rng.integers(1, 4, n).astype(np.float64),
            "features": pa.array(X.tolist(), pa.list_(pa.float32())),
        }
    )


def buckets_of(rows, n):
    """Ranges of songs, each in an order of its own."""
    songs = sorted(set(rows.column("song_id").to_pylist()))
    bounds = [songs[len(songs) * one // n] for one in range(n)] + ["~"]
    ids = np.array(rows.column("song_id").to_pylist())
    for low, high in pairwise(bounds):
        mine = np.flatnonzero((ids >= low) & (ids < high))
        yield rows.take(np.random.default_rng(1).permutation(mine))


def from_buckets(rows, n, held_out, scaler="standard", weights=False, shrinkage=0.1):
    width = len(rows.column("features")[0])
    parts = [Rows.of(one, CLASSES, width, weights) for one in buckets_of(rows, n)]
    folds = [fold for fold in FOLDS if fold != held_out]

    def together(counted, only):
        return partial_sums.added(one[fold] for one in counted for fold in only if fold in one)

    uppers = [partial_sums.count_upper(one) for one in parts]
    upper, every = together(uppers, folds), together(uppers, FOLDS)
    wanted = np.union1d(partial_sums.middle_codes(upper, width), partial_sums.middle_codes(every, width))
    lowers = [partial_sums.count_lower(one, wanted) for one in parts]
    fill = partial_sums.medians(upper, together(lowers, folds), width)
    reference = partial_sums.medians(every, together(lowers, FOLDS), width)
    sums = {fold: RawSums.zero(len(CLASSES), width) for fold in FOLDS}
    for one in parts:
        packed = partial_sums.pack(0, partial_sums.sum_folds(one, reference))
        for row in packed.to_pylist():
            sums[row["part"]].add(partial_sums.unpack(row["content"]))
    total = RawSums.zero(len(CLASSES), width)
    for fold in folds:
        total = total.plus(sums[fold])
    columns, scaled = total.scaled(fill, reference, scaler)
    return discriminants.fit_sums(scaled, columns, "lda", {"shrinkage": shrinkage})[0]


def in_memory(rows, held_out, scaler="standard", weights=False, shrinkage=0.1):
    width = len(rows.column("features")[0])
    whole = Rows.of(rows, CLASSES, width, weights)
    mine = np.flatnonzero(whole.fold != held_out)
    columns = Columns.of(whole.X, mine, scaler)
    made = Table(whole.X, mine, columns, whole.y, whole.weight[mine] if weights else None, len(CLASSES))
    with threadpool_limits(1):
        return discriminants.fit(made, "lda", {"shrinkage": shrinkage})[0]


@pytest.mark.parametrize("scaler", ["standard", "none"])
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("held_out", [None, 1])
def test_sums_of_buckets_give_the_discriminant_of_the_matrix_in_memory(scaler, weights, missing, held_out):
    rows = table(missing=missing)
    mine = from_buckets(rows, 4, held_out, scaler, weights)
    known = in_memory(rows, held_out, scaler, weights)
    for name, array in known.columns.arrays.items():
        np.testing.assert_allclose(mine.columns.arrays[name], array, rtol=1e-10, atol=1e-10, err_msg=name)
    np.testing.assert_array_equal(mine.columns.fill, known.columns.fill)  # medians are exact
    for (weight, bias), (known_weight, known_bias) in zip(mine.layers, known.layers, strict=True):
        np.testing.assert_allclose(weight, known_weight, rtol=1e-10, atol=1e-10 * np.abs(known_weight).max())
        np.testing.assert_allclose(bias, known_bias, rtol=1e-10, atol=1e-10 * np.abs(known_bias).max())


def test_order_of_the_rows_of_a_bucket_changes_no_digit():
    rows = table()
    one, other = (
        from_buckets(rows.take(np.random.default_rng(seed).permutation(rows.num_rows)), 4, 0) for seed in (5, 6)
    )
    assert one.dumps() == other.dumps()


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_medians_are_numpys(n):
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 3)).astype(np.float32)
    X[:, 1] = np.round(X[:, 1])
    X[rng.random((n, 3)) < 0.2] = np.nan
    rows = Rows(X, np.zeros(n, int), np.zeros(n, int), np.arange(n), np.ones(n))
    upper = partial_sums.added(partial_sums.count_upper(rows).values())
    lower = partial_sums.added(partial_sums.count_lower(rows, partial_sums.middle_codes(upper, 3)).values())
    known = [np.median(column[~np.isnan(column)].astype(float)) if (column == column).any() else 0 for column in X.T]
    assert partial_sums.medians(upper, lower, 3).tolist() == known


def test_whole_numbers_of_values_are_in_their_order_and_give_them_back():
    X = np.array([-np.inf, -3e38, -1.5, -1e-40, 0.0, 1e-45, 2.0, 3e38, np.inf], dtype=np.float32)
    keys = partial_sums.ordered_bits(X)
    assert (np.diff(keys.astype(np.int64)) > 0).all()
    assert partial_sums.from_ordered_bits(keys).tolist() == X.tolist()
    assert partial_sums.ordered_bits(np.float32([-0.0])) == partial_sums.ordered_bits(np.float32([0.0]))
