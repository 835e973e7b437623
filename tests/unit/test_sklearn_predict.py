import numpy as np
import pyarrow as pa
import pytest

from genreatlas.errors import ModelError
from genreatlas.models.engines.baseline import Dummy
from genreatlas.models.engines.calibration import Sigmoids
from genreatlas.models.engines.scikit_learn.sklearn_pipelines import SklearnModel
from genreatlas.models.engines.task_answers import predict_batch, predict_batches
from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles, fit
from matrix_factory import make_matrix, make_trial


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    matrix = make_matrix(tmp_path_factory.mktemp("matrix"))
    files = MatrixFiles(matrix.dataset_id, 3, False, str(matrix.folder))
    settings = GridSettings("macro_f1", calibrate=False, weights=False)
    model, _ = fit(make_trial("logistic_regression"), files, settings, np.arange(matrix.n_rows))
    return model, np.array(matrix.array("X"))


def _clips(n, **columns):
    ids = {"song_id": [f"s{i // 2}" for i in range(n)], "clip_id": [f"c{i}" for i in range(n)]}
    return pa.RecordBatch.from_pydict(ids | columns)


def _frames(X, lengths):
    cut = np.split(X, np.cumsum(lengths)[:-1])
    return {
        "frames": pa.array([part.ravel() for part in cut], pa.list_(pa.float32())),
        "width": [X.shape[1]] * len(cut),
    }


def test_a_summary_is_one_row_whose_scores_are_the_models(fitted):
    model, X = fitted
    with_holes = [[None if np.isnan(v) else float(v) for v in row] for row in X[:12]]
    batch = predict_batch(model, _clips(12, features=pa.array(with_holes, pa.list_(pa.float32()))))
    expected = model.scores(X[:12])
    np.testing.assert_array_equal(np.array(batch["score_sum"].to_pylist()), expected)
    assert batch["votes"].to_pylist() == np.eye(3, dtype=int)[expected.argmax(axis=1)].tolist()
    assert batch["n_rows"].to_pylist() == [1] * 12
    assert batch["clip_id"].to_pylist() == [f"c{i}" for i in range(12)]
    assert batch["song_id"].to_pylist() == [f"s{i // 2}" for i in range(12)]


def test_frames_are_added_up_per_clip_and_a_clip_without_frames_has_none(fitted):
    model, X = fitted
    X = np.nan_to_num(X[:10])
    batch = predict_batch(model, _clips(4, **_frames(X, [3, 0, 5, 2])))
    scores = model.scores(X)
    parts = [scores[:3], scores[3:3], scores[3:8], scores[8:]]
    np.testing.assert_allclose(np.array(batch["score_sum"].to_pylist()), [part.sum(axis=0) for part in parts])
    assert batch["n_rows"].to_pylist() == [3, 0, 5, 2]
    votes = [np.bincount(part.argmax(axis=1), minlength=3).tolist() for part in parts]
    assert batch["votes"].to_pylist() == votes


@pytest.mark.parametrize("estimator", ["logistic_regression", "linear_svc", "svc", "knn", "random_forest", "ada_boost"])
def test_a_row_scores_the_same_to_the_bit_whatever_stands_beside_it(estimator, tmp_path):
    matrix = make_matrix(tmp_path)
    files = MatrixFiles(matrix.dataset_id, 3, False, str(matrix.folder))
    settings = GridSettings("macro_f1", calibrate=False, weights=False)
    model, _ = fit(make_trial(estimator), files, settings, np.arange(matrix.n_rows))
    X = np.array(matrix.array("X"))
    X = np.concatenate([X + step / 8 for step in range(1 + 400 // len(X))])
    whole = model.scores(X)
    for start, end in ((0, 1), (5, 6), (7, 40), (250, 260), (0, 300)):
        np.testing.assert_array_equal(model.scores(X[start:end]), whole[start:end])


def test_a_slice_of_a_larger_batch_is_scored_like_itself(fitted):
    model, X = fitted
    batch = _clips(6, **_frames(np.nan_to_num(X[:12]), [2] * 6))
    whole = predict_batch(model, batch)
    assert predict_batch(model, batch.slice(2, 3)).to_pylist() == whole.slice(2, 3).to_pylist()


def test_several_labels_vote_for_every_class_that_they_predict():
    class _Margins:
        n_features_in_ = 1
        classes_ = np.arange(2)

        def __getitem__(self, _):
            return self

        def decision_function(self, X):
            return np.concatenate([X, X - 2], axis=1)

    batch = _clips(1, frames=pa.array([[1.0, 3.0, -1.0]], pa.list_(pa.float32())), width=[1])
    margin = SklearnModel(_Margins(), 2, multi=True)
    assert predict_batch(margin, batch)["votes"].to_pylist() == [[2, 1]]
    steep = Sigmoids(np.array([-1.0, -1.0]), np.array([2.0, 0.0]))  # the first class needs a margin of 2
    assert predict_batch(SklearnModel(_Margins(), 2, True, steep), batch)["votes"].to_pylist() == [[1, 1]]


def test_a_baseline_asks_for_the_song_only_and_counts_its_rows():
    dummy = Dummy("stratified", (0.5, 0.3, 0.2), 3)
    batch = predict_batch(dummy, _clips(4, **_frames(np.zeros((9, 2), np.float32), [3, 1, 5, 0])))
    drawn = dummy.scores(["s0", "s0", "s1", "s1"])
    rows = np.array([3, 1, 5, 0])
    assert batch["n_rows"].to_pylist() == rows.tolist()
    assert batch["score_sum"].to_pylist() == (drawn * rows[:, None]).tolist() == batch["votes"].to_pylist()


@pytest.mark.parametrize("width", [3, 8])
def test_features_that_the_model_does_not_know_are_refused_by_clip(fitted, width):
    clips = _clips(2, features=pa.array([[0.0] * 4, [0.0] * width], pa.list_(pa.float32())))
    with pytest.raises(ModelError, match=f"clip c1 has {width} features; the model was trained on 4"):
        predict_batch(fitted[0], clips)
    with pytest.raises(ModelError, match="clip c1 has no features"):
        predict_batch(fitted[0], _clips(2, features=pa.array([[0.0] * 4, None], pa.list_(pa.float32()))))


def test_a_model_file_in_a_shared_folder_scores_batch_after_batch(fitted, tmp_path):
    model, X = fitted
    (tmp_path / "model.skops").write_bytes(model.dumps())
    batch = _clips(6, features=pa.array(list(np.nan_to_num(X[:6])), pa.list_(pa.float32())))
    found = list(predict_batches("sklearn", "model.skops", str(tmp_path), iter([batch, batch])))
    assert [one.to_pylist() for one in found] == [predict_batch(model, batch).to_pylist()] * 2
