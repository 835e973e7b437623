import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline

from genreatlas.models.engines import task_fits
from genreatlas.models.engines.scikit_learn.sklearn_pipelines import SklearnModel, loads
from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles, fit, refit_rows, score_batches, score_fold
from genreatlas.models.types import FoldTask
from matrix_factory import make_matrix, make_tasks, make_trial

SETTINGS = GridSettings("macro_f1", calibrate=True, weights=False)


def _files(matrix):
    return MatrixFiles(matrix.dataset_id, matrix.n_classes, matrix.multi, str(matrix.folder))


def _refit(trial, files, settings=SETTINGS):
    rows = list(refit_rows(trial, files, settings))
    assert [row["piece"] for row in rows] == list(range(len(rows)))
    return rows, loads(b"".join(row["content"] for row in rows))


def test_a_fold_score_is_that_of_the_model_trained_without_the_fold(tmp_path):
    matrix = make_matrix(tmp_path)
    trial = make_trial("random_forest", n_estimators=10, scaler="none")
    result = score_fold(FoldTask("e", trial, 2), _files(matrix), SETTINGS)
    X, y, fold = matrix.array("X"), matrix.array("y"), matrix.array("fold")
    model = make_pipeline(SimpleImputer(strategy="median"), RandomForestClassifier(n_estimators=10, random_state=7))
    model.fit(X[fold != 2], y[fold != 2])
    expected = [f1_score(y[part], model.predict(X[part]), average="macro") for part in (fold == 2, fold != 2)]
    assert (result.score, result.train_score) == pytest.approx(expected)
    assert (result.experiment_id, result.fold, result.reason, result.detail) == ("e", 2, None, None)
    assert result.seconds > 0


def test_frames_are_judged_by_the_mean_score_of_their_song(tmp_path):
    matrix = make_matrix(tmp_path, rows_per_song=20, separation=0.6)
    frames, summary = _files(matrix), make_matrix(tmp_path, rows_per_song=20, separation=0.6, dataset_id="rows")
    np.save(summary.file("song"), np.arange(summary.n_rows, dtype=np.int32))  # every frame a song of its own
    by_song, by_frame = (
        score_fold(make_tasks(matrix, make_trial("linear_svc"))[0], files, replace(SETTINGS, metric="accuracy"))
        for files in (frames, _files(summary))
    )
    assert by_song.score > by_frame.score, "twenty frames together know more than one"
    assert (by_song.score * 12) == pytest.approx(round(by_song.score * 12)), "there are twelve songs in the fold"


def test_blocks_of_rows_do_not_change_a_score(tmp_path, monkeypatch):
    files = _files(matrix := make_matrix(tmp_path, rows_per_song=7))
    task = make_tasks(matrix, make_trial("linear_svc"))[0]
    whole = score_fold(task, files, SETTINGS)
    small = task_fits.blocks
    monkeypatch.setattr(task_fits, "blocks", lambda n, width: small(n, width, block_bytes=5 * 4 * width))
    assert score_fold(task, files, SETTINGS).score == whole.score


@pytest.mark.parametrize("kind", ["random", "majority", "stratified"])
def test_baselines_are_judged_by_the_same_folds(kind, tmp_path):
    matrix = make_matrix(tmp_path)
    results = [score_fold(task, _files(matrix), SETTINGS) for task in make_tasks(matrix, make_trial(kind, "baseline"))]
    assert all(result.reason is None and 0 <= result.score < 0.7 for result in results)
    if kind == "majority":  # one class of three has precision 1/3 and recall 1
        assert [result.score for result in results] == pytest.approx([0.5 / 3] * 4)


@pytest.mark.parametrize("kind", ["technical", "loudness"])
def test_the_small_forests_are_fitted_to_their_columns(kind, tmp_path):
    matrix = make_matrix(tmp_path)
    result = score_fold(make_tasks(matrix, make_trial(kind, "baseline"))[0], _files(matrix), SETTINGS)
    assert result.reason is None and result.score > 0.7


def test_a_candidate_that_cannot_be_fitted_is_a_result_with_a_reason(tmp_path):
    matrix = make_matrix(tmp_path)
    result = score_fold(make_tasks(matrix, make_trial("linear_svc", C=-1.0))[0], _files(matrix), SETTINGS)
    assert (result.score, result.train_score, result.reason) == (None, None, "fit_failed")
    assert result.detail.startswith("InvalidParameterError: The 'C' parameter of LinearSVC")


def test_a_candidate_above_its_limits_is_a_result_with_a_reason(tmp_path):
    files = replace(_files(matrix := make_matrix(tmp_path)), n_classes=201)
    result = score_fold(make_tasks(matrix, make_trial("svc"))[0], files, SETTINGS)
    assert (result.score, result.reason) == (None, "too_many_classes")


def test_a_fold_without_rows_is_a_result_with_a_reason(tmp_path):
    result = score_fold(FoldTask("e", make_trial("linear_svc"), 9), _files(make_matrix(tmp_path)), SETTINGS)
    assert (result.score, result.reason, result.detail) == (None, "fit_failed", "ValueError: the fold has no rows")


def test_weights_reach_the_fit_and_what_takes_none_says_so(tmp_path):
    y = make_matrix(tmp_path).array("y")
    matrix = make_matrix(tmp_path / "w", separation=0.3, weight=np.where(y == 0, 50, 1).astype(np.float32))
    weighted = replace(SETTINGS, weights=True)
    rows = np.arange(matrix.n_rows)
    says = {
        settings.weights: (fit(make_trial("linear_svc"), _files(matrix), settings, rows)[0])
        .scores(matrix.array("X"))
        .argmax(axis=1)
        for settings in (SETTINGS, weighted)
    }
    assert (says[True] == 0).sum() > (says[False] == 0).sum()
    result = score_fold(make_tasks(matrix, make_trial("knn", n_neighbors=3))[0], _files(matrix), weighted)
    assert (result.reason, result.detail) == (None, "knn does not support weights: all rows have the same weight")


def test_refitted_margins_become_probabilities_that_tell_how_often_they_are_right(tmp_path):
    matrix = make_matrix(tmp_path, songs_per_class=200, separation=0.7)
    rows, model = _refit(make_trial("linear_svc"), _files(matrix))
    assert {row["score_kind"] for row in rows} == {"probability"} == {model.score_kind}
    fresh = make_matrix(tmp_path / "fresh", songs_per_class=1000, separation=0.7)
    scores = model.scores(fresh.array("X"))
    np.testing.assert_allclose(scores.sum(axis=1), 1.0)
    hits = scores.argmax(axis=1) == fresh.array("y")
    assert scores.max(axis=1).mean() == pytest.approx(hits.mean(), abs=0.05)


@pytest.mark.parametrize("name", ["linear_svc", "svc"])
def test_margins_stay_margins_where_a_class_is_in_one_fold_only_or_nobody_asked(name, tmp_path):
    matrix = make_matrix(tmp_path)
    y, fold = matrix.array("y"), matrix.array("fold")
    lonely = make_matrix(tmp_path / "lonely", fold=np.where(y == 2, 0, fold).astype(np.int16))
    for files, settings in ((_files(lonely), SETTINGS), (_files(matrix), replace(SETTINGS, calibrate=False))):
        rows, model = _refit(make_trial(name), files, settings)
        assert rows[0]["score_kind"] == model.score_kind == "margin"
        assert model.sigmoids is None


def test_several_labels_are_scored_by_average_precision_and_calibrated_one_by_one(tmp_path):
    files = _files(matrix := make_matrix(tmp_path, multi=True))
    settings = replace(SETTINGS, metric="macro_average_precision")
    for trial in (make_trial("linear_svc"), make_trial("hist_gradient_boosting", max_iter=20, min_samples_leaf=5)):
        result = score_fold(make_tasks(matrix, trial)[0], files, settings)
        assert result.reason is None and result.score > 0.8
    _, model = _refit(make_trial("linear_svc"), files, settings)
    assert isinstance(model, SklearnModel) and model.multi and model.score_kind == "probability"
    assert np.mean((model.scores(matrix.array("X")) > 0.5) == matrix.array("y")) > 0.85


def test_a_refit_that_fails_is_a_row_with_a_reason(tmp_path):
    (row,) = refit_rows(make_trial("linear_svc", C=-1.0), _files(make_matrix(tmp_path)), SETTINGS)
    assert (row["reason"], row["content"]) == ("fit_failed", b"")


def test_a_model_file_comes_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(task_fits, "PIECE_BYTES", 1000)
    rows, _ = _refit(make_trial("linear_svc"), _files(make_matrix(tmp_path)))
    assert len(rows) > 2 and {len(row["content"]) for row in rows[:-1]} == {1000}


def test_a_batch_of_indices_runs_those_tasks(tmp_path):
    matrix = make_matrix(tmp_path)
    tasks = make_tasks(matrix, make_trial("majority", "baseline"))
    batches = iter([pa.RecordBatch.from_pydict({"id": [2]}), pa.RecordBatch.from_pydict({"id": [0, 1]})])
    results = [row for batch in score_batches(tasks, _files(matrix), SETTINGS, batches) for row in batch.to_pylist()]
    assert [row["fold"] for row in results] == [2, 0, 1]
    assert list(results[0]) == [
        "experiment_id", "fold", "score", "train_score", "reason", "detail", "seconds", "metric_version", "n_absent",
    ]  # fmt: skip
    assert (results[0]["metric_version"], results[0]["n_absent"]) == (2, 0)


def test_a_task_loads_what_its_engine_needs_and_nothing_else():
    code = (
        "import sys\nfrom genreatlas.models.engines import task_answers, task_fits\n"
        "print(sorted({'pyspark', 'sklearn', 'skops', 'pandas', 'pydantic', 'librosa', 'genreatlas.config'} & "
        "set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
