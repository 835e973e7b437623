import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.svm import LinearSVC

from genreatlas.models.engines.calibration import Sigmoids, can_calibrate, fit_sigmoids, fold_splits


@pytest.fixture
def songs():
    rng = np.random.default_rng(3)
    y = np.repeat(np.arange(3), 60)
    X = rng.normal(size=(180, 5)) + np.eye(3, 5)[y] * 1.5
    return X, y, np.tile(np.arange(4), 45)


def _held_out_margins(X, y, fold):
    margins = np.empty((len(y), 3))
    for train, held_out in fold_splits(fold):
        margins[held_out] = LinearSVC(random_state=0).fit(X[train], y[train]).decision_function(X[held_out])
    return margins


def test_the_sigmoids_are_those_that_scikit_learn_fits_on_the_same_folds(songs):
    X, y, fold = songs
    reference = CalibratedClassifierCV(LinearSVC(random_state=0), cv=fold_splits(fold), ensemble=False).fit(X, y)
    sigmoids = fit_sigmoids(_held_out_margins(X, y, fold), y)
    ours = sigmoids.probabilities(LinearSVC(random_state=0).fit(X, y).decision_function(X), multi=False)
    np.testing.assert_allclose(ours, reference.predict_proba(X), atol=1e-4)
    np.testing.assert_allclose(ours.sum(axis=1), 1.0)


def test_a_weight_of_two_counts_like_two_rows(songs):
    X, y, fold = songs
    margins = _held_out_margins(X, y, fold)
    twice = np.where(y == 0, 2, 1)
    weighted = fit_sigmoids(margins, y, weight=twice)
    repeated = fit_sigmoids(np.repeat(margins, twice, axis=0), np.repeat(y, twice))
    np.testing.assert_allclose(weighted.slope, repeated.slope, rtol=1e-6)
    np.testing.assert_allclose(weighted.offset, repeated.offset, rtol=1e-6)


def test_known_sigmoids_are_found_again_from_their_own_draws():
    rng = np.random.default_rng(5)
    margin = rng.normal(size=40_000) * 2
    y = (rng.random(40_000) < 1 / (1 + np.exp(-1.5 * margin + 0.7))).astype(int)
    found = fit_sigmoids(np.stack([-margin, margin], axis=1), y)
    assert found.slope[1] == pytest.approx(-1.5, abs=0.05)
    assert found.offset[1] == pytest.approx(0.7, abs=0.05)


def test_two_classes_share_one_sigmoid_and_several_labels_need_not_add_up():
    sigmoids = Sigmoids(np.array([-1.0, -2.0]), np.array([0.0, 0.0]))
    margins = np.array([[-1.0, 1.0]])
    p = 1 / (1 + np.exp(-2.0))
    np.testing.assert_allclose(sigmoids.probabilities(margins, multi=False), [[1 - p, p]])
    np.testing.assert_allclose(sigmoids.probabilities(margins, multi=True), [[1 / (1 + np.exp(1.0)), p]])


def test_separable_and_huge_margins_stay_finite():
    margins = np.array([[-1e9, 1e9], [1e9, -1e9]] * 20)
    sigmoids = fit_sigmoids(margins, np.array([1, 0] * 20))
    p = sigmoids.probabilities(margins, multi=False)
    assert np.isfinite(p).all()
    assert (p[::2, 1] > 0.9).all() and (p[1::2, 0] > 0.9).all()


def test_a_class_in_one_fold_only_cannot_be_calibrated():
    fold = np.array([0, 0, 1, 1])
    assert can_calibrate(np.array([0, 1, 0, 1]), fold, 2)
    assert not can_calibrate(np.array([0, 1, 0, 0]), fold, 2)
    assert not can_calibrate(np.array([0, 1, 0, 1]), fold, 3)
    assert not can_calibrate(np.array([[1, 1], [0, 0], [1, 0], [0, 0]], dtype=bool), fold, 2)
