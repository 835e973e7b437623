import os
import signal
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from genreatlas.config import TrainSection
from genreatlas.datasets import sending
from genreatlas.errors import ConfigError, ModelError
from genreatlas.models.engines import get_engine, task_fits, task_grid
from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles, score_fold
from genreatlas.models.types import FoldResult, FoldTask
from matrix_factory import make_matrix, make_tasks, make_trial

TRIALS = (
    make_trial("linear_svc", C=0.1, scaler="standard"),
    make_trial("random_forest", n_estimators=10, scaler="none"),
    make_trial("hist_gradient_boosting", max_iter=10, scaler="none"),
    make_trial("stratified", "baseline"),
)


def _without_time(results: list[FoldResult]) -> list[FoldResult]:
    return [replace(result, seconds=0.0) for result in results]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    return make_matrix(tmp_path_factory.mktemp("matrix"), rows_per_song=3, dataset_id="grid")


def test_every_task_scores_as_it_does_without_spark_in_any_order_and_division(spark, matrix):
    tasks = make_tasks(matrix, *TRIALS)
    files = MatrixFiles(matrix.dataset_id, 3, False, str(matrix.folder))
    settings = GridSettings("macro_f1", calibrate=True, weights=False)
    expected = _without_time([score_fold(task, files, settings) for task in tasks])
    assert _without_time(task_grid.score_folds(spark, matrix, tasks, TrainSection())) == expected
    backwards = [
        result
        for start in range(0, len(tasks), 3)
        for result in task_grid.score_folds(spark, matrix, tasks[::-1][start : start + 3], TrainSection())
    ]
    assert _without_time(backwards) == expected[::-1]


def test_adaptive_execution_leaves_every_candidate_its_own_task(spark, matrix, monkeypatch):
    assert spark.conf.get("spark.sql.adaptive.enabled") == "true"

    def which_task(tasks, files, settings, batches):  # nested, so that it travels by value
        from pyspark import TaskContext

        for batch in batches:
            for index in batch.column("id").to_pylist():
                partition = float(TaskContext.get().partitionId())
                row = {"experiment_id": tasks[index].experiment_id, "fold": tasks[index].fold, "score": partition}
                yield pa.RecordBatch.from_pylist([row | {"seconds": 0.0}], schema=schema)

    schema = task_fits._FOLD_SCHEMA
    monkeypatch.setattr(task_grid, "score_batches", which_task)
    results = task_grid.score_folds(spark, matrix, make_tasks(matrix, *TRIALS), TrainSection())
    assert sorted(result.score for result in results) == list(range(16))


def test_one_failed_candidate_is_a_row_and_the_others_have_their_scores(spark, matrix):
    tasks = make_tasks(matrix, make_trial("linear_svc", C=-1.0), make_trial("majority", "baseline"))
    results = task_grid.score_folds(spark, matrix, tasks, TrainSection())
    assert [result.reason for result in results] == ["fit_failed"] * 4 + [None] * 4
    assert all("'C' parameter of LinearSVC" in result.detail for result in results[:4])
    assert [result.score is None for result in results] == [True] * 4 + [False] * 4


@pytest.mark.slow
def test_a_candidate_that_kills_its_worker_is_a_row_and_the_others_have_their_scores(spark, matrix, monkeypatch):
    def deadly_second_fold(tasks, files, settings, batches):
        for batch in batches:
            if tasks[batch.column("id")[0].as_py()].fold == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            yield from score_batches(tasks, files, settings, iter([batch]))

    score_batches = task_fits.score_batches
    monkeypatch.setattr(task_grid, "score_batches", deadly_second_fold)
    tasks = make_tasks(matrix, make_trial("majority", "baseline"))
    results = task_grid.score_folds(spark, matrix, tasks, TrainSection())
    assert [result.reason for result in results] == [None, "fit_failed", None, None]
    assert "worker process died" in results[1].detail


def test_the_same_matrix_again_is_not_sent_again_and_two_matrices_do_not_mix(spark, matrix, tmp_path):
    one = make_tasks(matrix, make_trial("linear_svc"))
    first = _without_time(task_grid.score_folds(spark, matrix, one, TrainSection()))
    sending.sent_names.cache_clear()  # as a new process on the same Connect session would come
    other = make_matrix(tmp_path, separation=0.1, dataset_id="other")
    noise = _without_time(task_grid.score_folds(spark, other, one, TrainSection()))
    assert max(result.score for result in noise) < min(result.score for result in first)
    assert _without_time(task_grid.score_folds(spark, matrix, one, TrainSection())) == first


def test_the_matrix_files_may_go_once_they_were_sent(spark, tmp_path):
    matrix = make_matrix(tmp_path, dataset_id="gone")
    files = task_grid.send_matrix(spark, matrix, TrainSection())
    for name in matrix.ARRAYS:
        matrix.file(name).unlink()
    tasks = make_tasks(matrix, make_trial("majority", "baseline"))
    results = task_grid._score(spark, tasks, files, GridSettings("accuracy", calibrate=False, weights=False))
    assert [result.reason for result in results] == [None] * 4


def test_a_matrix_above_the_limit_is_one_line_before_any_task(spark, tmp_path):
    matrix = make_matrix(tmp_path, n_features=400, songs_per_class=400, dataset_id="large")
    with pytest.raises(ConfigError) as error:
        task_grid.score_folds(spark, matrix, make_tasks(matrix, *TRIALS), TrainSection(max_matrix_mb=1))
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("the training matrix has 2 MB (1,200 rows of 400 features); train.max_matrix_mb = 1 is")
    assert f"{matrix.dataset_id}-X.npy" not in sending.sent_names(spark.conf.get("spark.app.id"))


def test_a_folder_that_all_workers_read_takes_the_place_of_sending(spark, tmp_path):
    matrix = make_matrix(tmp_path / "driver", n_features=400, songs_per_class=400, dataset_id="shared")
    train = TrainSection(max_matrix_mb=1, shared_path=tmp_path / "volume")
    results = task_grid.score_folds(spark, matrix, make_tasks(matrix, make_trial("majority", "baseline")), train)
    assert [result.reason for result in results] == [None] * 4
    assert sorted(path.name for path in (tmp_path / "volume").iterdir()) == sorted(
        matrix.file(name).name for name in matrix.ARRAYS
    )
    assert f"{matrix.dataset_id}-X.npy" not in sending.sent_names(spark.conf.get("spark.app.id"))


def test_no_task_starts_nothing(spark, matrix):
    assert task_grid.score_folds(spark, matrix, [], TrainSection()) == []


@pytest.mark.parametrize(
    ("trial", "kind", "form"),
    [
        (make_trial("linear_svc"), "probability", "skops"),
        (make_trial("random_forest", n_estimators=10), "probability", "skops"),
        (make_trial("random", "baseline"), "probability", "json"),
    ],
)
def test_a_refitted_model_scores_clips_in_spark_as_it_does_in_python(trial, kind, form, spark, matrix, tmp_path):
    fitted = task_grid.refit(spark, matrix, trial, TrainSection())
    assert (fitted.score_kind, fitted.format) == (kind, form)
    engine = get_engine(trial.engine)
    model = engine.loads(fitted.content)
    path = tmp_path / "model.bin"
    path.write_bytes(fitted.content)
    X = np.nan_to_num(matrix.array("X")[:60])
    clips = [(f"s{i % 10}", f"c{i}", X[i * 3 : i * 3 + 3].ravel().tolist(), 4) for i in range(20)]
    frame = spark.createDataFrame(clips, "song_id string, clip_id string, frames array<float>, width int")
    for shared in (False, True):
        rows = task_grid.predict(
            spark, frame.repartition(5), engine.name, path, ("frames", "width"), folder_is_shared=shared
        ).collect()
        found = {row.clip_id: row for row in rows}
        for i, (song, clip, _, _) in enumerate(clips):
            scores = model.scores([song] * 3) if form == "json" else model.scores(X[i * 3 : i * 3 + 3])
            np.testing.assert_allclose(found[clip].score_sum, scores.sum(axis=0))
            assert found[clip].votes == np.bincount(scores.argmax(axis=1), minlength=3).tolist()
            assert (found[clip].song_id, found[clip].n_rows) == (song, 3)


def test_a_refit_that_fails_names_the_candidate(spark, matrix):
    with pytest.raises(ModelError, match=r"linear_svc.*whole training part failed: InvalidParameterError"):
        task_grid.refit(spark, matrix, make_trial("linear_svc", C=-1.0), TrainSection())


def test_several_labels_are_selected_by_average_precision(spark, tmp_path):
    matrix = make_matrix(tmp_path, multi=True, dataset_id="multi")
    (result,) = task_grid.score_folds(
        spark, matrix, [FoldTask("e", make_trial("logistic_regression"), 0)], TrainSection(labels="multi")
    )
    files = MatrixFiles(matrix.dataset_id, 3, True, str(matrix.folder))
    settings = GridSettings("macro_average_precision", calibrate=True, weights=False)
    assert result.score == score_fold(FoldTask("e", make_trial("logistic_regression"), 0), files, settings).score
