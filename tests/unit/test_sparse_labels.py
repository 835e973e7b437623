"""Labels of songs with several genres, kept as pairs, against arrays of truth values."""

import hashlib

import numpy as np
import pytest

from genreatlas.datasets.sparse_labels import SparseLabels, labels_of, take_labels
from genreatlas.metrics import score
from genreatlas.metrics.block_ranking import block_ranking
from genreatlas.models.engines import get_engine, task_fits
from genreatlas.models.engines.baseline import Dummy, fit_dummy
from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles, score_fold
from matrix_factory import make_matrix, make_tasks, make_trial

SETTINGS = GridSettings("macro_average_precision", calibrate=False, weights=False)


@pytest.fixture
def both():
    truth = np.random.default_rng(1).random((50, 7)) < 0.2
    return truth, SparseLabels.of([np.flatnonzero(row)[::-1].tolist() for row in truth], 7)


def test_rows_are_those_of_the_array_however_they_are_asked_for(both):
    truth, labels = both
    assert labels.shape == truth.shape and labels.ndim == 2 and not truth.any(axis=1).all()
    for rows in (slice(None), slice(3, 20, 4), np.array([7, 7, 0, 49]), np.arange(50) % 3 == 0, 5, np.zeros(0, int)):
        np.testing.assert_array_equal(labels[rows], truth[rows])
        assert labels[rows].dtype == bool
    rows = np.array([40, 3, 3, 11])
    np.testing.assert_array_equal(take_labels(labels, rows)[:], truth[rows])
    np.testing.assert_array_equal(np.stack(labels.pairs(rows)), np.stack(np.nonzero(truth[rows])))


def test_a_file_keeps_them_and_their_hash_is_that_of_the_array(both, tmp_path, monkeypatch):
    truth, labels = both
    np.save(tmp_path / "y.npy", labels.packed)
    stored = labels_of(np.load(tmp_path / "y.npy", mmap_mode="r"), multi=True)
    np.testing.assert_array_equal(stored[:], truth)
    monkeypatch.setattr("genreatlas.datasets.sparse_labels._CELLS", 20)
    assert stored.sha256() == hashlib.sha256(truth.tobytes()).hexdigest()
    assert labels_of(truth, multi=True) is truth and len(labels_of(np.arange(9), multi=False)) == 9
    nothing = SparseLabels.of([], 4)
    assert nothing[:].shape == (0, 4) and SparseLabels.from_array(nothing.packed).shape == (0, 4)


@pytest.mark.parametrize("metric", ["macro_average_precision", "micro_average_precision"])
def test_a_ranking_in_blocks_is_the_ranking_of_all(both, metric):
    truth, labels = both
    scores = np.round(np.random.default_rng(2).random((50, 7)) + 0.3 * truth, 1)
    cuts = [np.arange(0, 9), np.arange(9, 31), np.arange(31, 50)]
    found = block_ranking(metric, lambda: ((labels, rows, scores[rows]) for rows in cuts), 7)
    expected = score(metric, truth, scores)
    assert found.value == pytest.approx(expected.value, abs=1e-12) and found.n_absent == expected.n_absent == 0
    without = np.where(np.arange(7) == 2, False, truth)
    absent = SparseLabels.of([np.flatnonzero(row).tolist() for row in without], 7)
    found = block_ranking(metric, lambda: ((absent, rows, scores[rows]) for rows in cuts), 7)
    assert found.value == pytest.approx(score(metric, without, scores).value, abs=1e-12) and found.n_absent == 1
    with pytest.raises(ValueError, match="no song has a genre"):
        block_ranking(metric, lambda: [(SparseLabels.of([[]], 7), np.arange(1), scores[:1])], 7)


@pytest.mark.parametrize(
    ("engine", "estimator"),
    [("numpy", "logistic_regression"), ("numpy", "knn"), ("baseline", "majority"), ("sklearn", "logistic_regression")],
)
def test_candidates_are_scored_alike_on_sparse_labels_and_in_blocks(tmp_path, monkeypatch, engine, estimator):
    matrix = make_matrix(tmp_path, multi=True, rows_per_song=2)
    found = []
    for dataset_id, labels in (("factory", None), ("sparse", matrix.array("y")[:])):
        if labels is not None:
            packed = SparseLabels.of([np.flatnonzero(row).tolist() for row in labels], 3).packed
            make_matrix(tmp_path, multi=True, rows_per_song=2, dataset_id=dataset_id)
            np.save(tmp_path / f"{dataset_id}-y.npy", packed)
            monkeypatch.setattr(task_fits, "_MOST_RANKED", 10)
        (point, *_) = get_engine(engine).grid_points(estimator, {}) if engine != "baseline" else [{}]
        (task, *_) = make_tasks(matrix, make_trial(estimator, engine, **point))
        found.append(score_fold(task, MatrixFiles(dataset_id, 3, True, str(tmp_path)), SETTINGS))
    whole, sparse = found
    assert whole.reason is None and sparse.reason is None, (whole.detail, sparse.detail)
    assert sparse.score == pytest.approx(whole.score, abs=1e-12)
    assert sparse.train_score == pytest.approx(whole.train_score, abs=1e-12)


def test_baselines_of_very_many_genres_draw_for_each_song_what_they_drew_before():
    labels = SparseLabels.of([[song % 400, 7] for song in range(2000)], 400)
    random = fit_dummy("random", labels, None, 400, 7)
    assert random.multi and random.priors[7] == 1.0 and random.priors[8] == pytest.approx(1 / 400)
    scores = random.scores(["s1", "s2", "s1"])
    assert scores.shape == (3, 400) and np.array_equal(scores[0], scores[2]) and not np.array_equal(*scores[:2])
    assert 0.4 < scores.mean() < 0.6
    drawn = Dummy("stratified", random.priors, 7, multi=True).scores(map(str, range(500)))
    assert drawn[:, 7].all() and drawn[:, 8].mean() < 0.02
