"""Drift of distributions that are known."""

import math

import numpy as np
import pytest

from genreatlas.evaluation.drift import feature_drift, genre_drift, ks, psi


def test_the_index_of_equal_shares_is_0_and_of_a_known_shift_what_its_formula_says():
    assert psi(np.array([50.0, 50.0]), np.array([5.0, 5.0])) == 0.0
    expected = (0.75 - 0.5) * math.log(0.75 / 0.5) + (0.25 - 0.5) * math.log(0.25 / 0.5)
    assert psi(np.array([1.0, 1.0]), np.array([3.0, 1.0])) == pytest.approx(expected)


def test_the_kolmogorov_smirnov_distance_is_the_largest_between_the_two_distribution_functions_ties_included():
    rng = np.random.default_rng(0)
    for new in (rng.normal(0.5, 1, 300), rng.integers(0, 3, 50).astype(float)):
        old = np.round(rng.normal(0, 1, 400), 1)
        apart = [abs((old <= x).mean() - (new <= x).mean()) for x in (*old, *new)]
        assert ks(old, new) == pytest.approx(max(apart))
    assert ks(np.array([1.0, 2.0]), np.array([3.0])) == 1.0
    assert math.isnan(ks(np.array([]), np.array([1.0])))


def test_only_the_feature_that_moved_has_a_large_index():
    rng = np.random.default_rng(1)
    old, new = rng.normal(0, 1, (2000, 2)), rng.normal(0, 1, (1000, 2))
    new[:, 1] += 1.0
    still, moved = feature_drift(("still", "moved"), old, new)
    assert still.psi < 0.03 < 0.5 < moved.psi
    assert still.ks < 0.06 < 0.3 < moved.ks
    assert moved.mean_new - moved.mean_trained == pytest.approx(1.0, abs=0.1)
    assert (moved.n_trained, moved.n_new) == (2000, 1000)


def test_values_that_go_missing_count_as_drift_and_a_constant_feature_does_not():
    old, new = np.tile([[1.0, 5.0]], (500, 1)), np.tile([[1.0, 5.0]], (500, 1))
    new[:250, 0] = np.nan
    gone, constant = feature_drift(("gone", "constant"), old, new)
    assert (gone.share_trained, gone.share_new) == (0.0, 0.5) and gone.psi > 1.0
    assert (constant.psi, constant.ks) == (0.0, 0.0)
    empty = feature_drift(("empty",), np.full((3, 1), np.nan), np.full((2, 1), np.nan))[0]
    assert empty.psi == 0.0 and math.isnan(empty.ks) and math.isnan(empty.mean_new)


def test_shares_of_genres_and_their_sum():
    blues, jazz, whole = genre_drift(("blues", "jazz"), np.array([50.0, 50.0]), np.array([30.0, 10.0]))
    assert (blues.share_trained, blues.share_new, jazz.share_new) == (0.5, 0.75, 0.25)
    assert (whole.name, whole.n_trained, whole.n_new) == ("*", 100, 40)
    assert whole.psi == pytest.approx(blues.psi + jazz.psi)
