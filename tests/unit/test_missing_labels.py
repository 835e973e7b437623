"""Songs of several genres whose labels are not all there: what is missing is not a negative."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles, fit
from genreatlas.models.engines.thousands import networks
from genreatlas.models.engines.thousands.array_models import Columns, Table
from matrix_factory import make_matrix, make_trial


def labelled(rng, n=8000, n_genres=6, frequency=0.5):
    """Columns, the genres that songs belong to, and the labels of them that are there."""
    X = rng.normal(size=(n, 10)).astype(np.float32)
    logits = X @ rng.normal(size=(10, n_genres)) - 0.5
    true = rng.random(logits.shape) < 1.0 / (1.0 + np.exp(-logits))
    return X, true, true & (rng.random(true.shape) < frequency)


def probabilities(X, labels, fresh, hidden=0, **settings):
    rows = np.arange(len(X))
    table = Table(X, rows, Columns.of(X, rows, "standard"), labels, None, labels.shape[1])
    with threadpool_limits(1):
        return networks.fit(table, hidden, 7, networks.Settings(**settings))[0].scores(fresh)


@pytest.mark.parametrize("hidden", [0, 32])
def test_a_genre_is_as_probable_as_it_is_true_although_half_of_its_labels_are_missing(hidden):
    X, true, labels = labelled(np.random.default_rng(1))
    fresh, truth = X[4000:], true[4000:]
    known = probabilities(X[:4000], labels[:4000], fresh, hidden, label_frequency=0.5)
    negative = probabilities(X[:4000], labels[:4000], fresh, hidden)
    assert known.mean() == pytest.approx(truth.mean(), abs=0.03)
    assert negative.mean() == pytest.approx(truth.mean() / 2, abs=0.03), "every missing label was taken for a no"
    losses = [-np.mean(np.where(truth, np.log(p), np.log(1.0 - p))) for p in (known, negative)]
    assert losses[0] < 0.8 * losses[1]


def test_the_derivative_is_that_of_the_loss():
    rng = np.random.default_rng(2)
    logits, y, step = rng.normal(size=(20, 4)) * 3, rng.random((20, 4)) < 0.4, 1e-5

    def loss(values, frequency):
        p = frequency / (1.0 + np.exp(-values))
        return -np.where(y, np.log(p), np.log(1.0 - p))

    for frequency in (0.3, 0.8, 1.0):
        slope = (loss(logits + step, frequency) - loss(logits - step, frequency)) / (2 * step)
        np.testing.assert_allclose(networks._label_error(logits, y, frequency), slope, atol=1e-4)


def test_with_one_genre_a_song_it_changes_nothing_and_says_so(tmp_path):
    matrix = make_matrix(tmp_path)
    files = MatrixFiles(matrix.dataset_id, matrix.n_classes, matrix.multi, str(matrix.folder))
    settings, rows = GridSettings("macro_f1", True, False), np.arange(matrix.n_rows)
    as_it_is, _ = fit(make_trial("logistic_regression", "numpy"), files, settings, rows)
    asked, notes = fit(make_trial("logistic_regression", "numpy", label_frequency=0.5), files, settings, rows)
    assert asked.dumps() == as_it_is.dumps()
    assert notes == ["label_frequency has no effect on songs with one genre (train.labels is not multi)"]
