"""Stacks over frames hear how answers of frames are distributed over a song, where their mean tells nothing."""

import numpy as np
import pyarrow as pa
import pytest

from genreatlas.errors import ModelError
from genreatlas.models.engines import get_engine
from genreatlas.models.engines.stacks import quantile_models
from genreatlas.models.engines.stacks.quantile_models import QUANTILES, spread_of
from genreatlas.models.engines.task_answers import predict_batch
from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles, fit, refit_rows, score_fold
from genreatlas.models.types import FoldTask, Trial
from matrix_factory import make_matrix

SETTINGS = GridSettings("macro_f1", calibrate=True, weights=False)
ROWS = 12


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Songs whose rows are all quiet, all loud, or half and half: a row of the third is one of the first or second."""
    rng = np.random.default_rng(8)
    n_songs = 180
    genre = np.arange(n_songs) % 3
    song = np.repeat(np.arange(n_songs), ROWS)
    loud = np.stack([np.zeros(len(song)), np.ones(len(song)), np.arange(len(song)) % 2])[
        genre[song], np.arange(len(song))
    ]
    X = rng.normal(size=(len(song), 3))
    X[:, 0] += 4.0 * loud
    group = song // 2
    arrays = {"X": X.astype(np.float32), "fold": (song // 6 % 4).astype(np.int16), "group": group.astype(np.int32)}
    folder = tmp_path_factory.mktemp("frames")
    matrix = make_matrix(folder, songs_per_class=60, rows_per_song=ROWS, n_features=3, **arrays)
    return MatrixFiles(matrix.dataset_id, 3, False, str(folder), ("a", "b", "c"))


def trial(**params):
    return Trial("stack quantiles", "stack", "quantiles", "frames", params, 7)


def test_quantiles_of_runs_are_numpys_of_each():
    logits = np.random.default_rng(1).normal(size=(9, 2))
    found = spread_of(logits, np.array([4, 5]))
    assert found.shape == (2, 2 * len(QUANTILES))
    np.testing.assert_allclose(found[1, len(QUANTILES) :], np.quantile(logits[4:, 1], QUANTILES), rtol=1e-6)


def test_it_tells_songs_apart_whose_rows_differ_in_spread_better_than_the_mean_of_the_rows(files):
    linear = {"member": "logistic_regression"}
    stacked = [score_fold(FoldTask("e", trial(**linear), fold), files, SETTINGS) for fold in range(4)]
    plain = Trial("logistic", "sklearn", "logistic_regression", "frames", {"C": 0.1, "scaler": "standard"}, 7)
    rows = [score_fold(FoldTask("e", plain, fold), files, SETTINGS).score for fold in range(4)]
    assert all(one.reason is None for one in stacked), stacked
    assert np.mean([one.score for one in stacked]) > np.mean(rows) + 0.1


def test_what_judges_songs_never_saw_rows_whose_member_learnt_from_their_group(files, monkeypatch):
    seen = []
    inner = quantile_models.fit_pipeline

    def watched(pipeline, take, y, weight):
        seen.append(take())
        return inner(pipeline, take, y, weight)

    monkeypatch.setattr(quantile_models, "fit_pipeline", watched)
    fold, group, X = (files.array(name) for name in ("fold", "group", "X"))
    fit(trial(), files, SETTINGS, np.flatnonzero(fold != 3))
    held = set(group[fold == 3].tolist())
    learnt = [set(group[np.isin(X[:, 2], values[:, 2])].tolist()) for values in seen[:-1]]
    everybody = set(group[fold != 3].tolist())
    assert [len(everybody - one) > 0 for one in learnt] == [False, True, True, True]
    assert not any(one & held for one in learnt)
    assert seen[-1].shape == (138, 3 * len(QUANTILES))  # songs by quantiles of each genre


def test_a_clip_is_scored_as_the_song_that_it_is_and_as_its_file_says(files):
    model, _ = fit(trial(), files, SETTINGS, np.arange(180 * ROWS))
    again = get_engine("stack").loads(model.dumps())
    X, song = files.array("X"), files.array("song")
    wanted = model.matrix_scores(X, np.arange(4 * ROWS), song)[::ROWS]
    assert wanted.sum(axis=1) == pytest.approx(np.ones(4))
    names = pa.array(["a", "b", "c", "d"])
    lists = pa.array([X[n * ROWS : (n + 1) * ROWS].ravel() for n in range(4)], pa.list_(pa.float32()))
    columns = {"song_id": names, "clip_id": names, "frames": lists, "width": pa.array([3] * 4, pa.int32())}
    found = predict_batch(again, pa.RecordBatch.from_pydict(columns))
    assert found["n_rows"].to_pylist() == [ROWS] * 4
    np.testing.assert_allclose(np.array(found["score_sum"].to_pylist()) / ROWS, wanted, atol=1e-9)
    assert np.array(found["votes"].to_pylist()).sum(axis=1).tolist() == [ROWS] * 4
    wide = columns | {"width": pa.array([4] * 4, pa.int32())}
    with pytest.raises(ModelError, match="clip a has 4 features; the model was trained on 3"):
        predict_batch(again, pa.RecordBatch.from_pydict(wide))


def test_a_refitted_one_has_prediction_sets_and_a_damaged_file_is_refused(files):
    rows = list(refit_rows(trial(), files, SETTINGS))
    assert (rows[0]["reason"], rows[0]["format"]) == (None, "stack") and rows[0]["confidence"] is not None
    model = get_engine("stack").loads(b"".join(row["content"] for row in rows))
    assert get_engine("stack").weights(model, files.array("X")) is None
    wrong = quantile_models.QuantileModel(model.top, model.member).dumps()
    with pytest.raises(ModelError, match="damaged"):
        get_engine("stack").loads(wrong)


def test_songs_of_one_row_are_left_to_others(tmp_path):
    matrix = make_matrix(tmp_path, songs_per_class=8)
    files = MatrixFiles(matrix.dataset_id, 3, False, str(tmp_path), ("a", "b", "c", "d"))
    found = score_fold(FoldTask("e", trial(), 1), files, SETTINGS)
    assert (found.score, found.reason) == (None, "other_layout")
    assert found.detail == "every song has one row; quantiles need frames or windows"


def test_it_is_tried_on_the_sets_that_its_candidate_names_alone():
    from genreatlas.config import Candidate, TrainSection

    train = TrainSection(feature_sets=("mfcc12_frames", ["summary9", "groove"]))
    none = Candidate(engine="stack", estimator="quantiles")
    named = Candidate(engine="stack", estimator="quantiles", feature_sets=("mfcc12_frames",))
    assert not get_engine("stack").feature_sets(none, train)
    assert tuple(get_engine("stack").feature_sets(named, train)) == ("mfcc12_frames",)
