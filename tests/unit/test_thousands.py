"""The estimators for thousands of genres: against scikit-learn, from run to run, their files and their limits."""

import tracemalloc

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from threadpoolctl import threadpool_limits

from genreatlas.errors import ConfigError, ModelError, Reason
from genreatlas.models.engines import get_engine, get_task_engine
from genreatlas.models.engines.task_fits import CandidateLimit, GridSettings, MatrixFiles, score_fold, score_rows
from genreatlas.models.engines.thousands import discriminants, nearest_songs, networks, thousands_facts
from genreatlas.models.engines.thousands.array_files import loads
from genreatlas.models.engines.thousands.array_models import Columns, Table
from matrix_factory import make_matrix, make_tasks, make_trial

ESTIMATORS = tuple(get_engine("numpy").estimators)
PLAIN = GridSettings("macro_f1", True, False)


def songs(n_classes=5, n=600, width=6, seed=3, spread=1.5):
    """Genres of uneven sizes whose columns hang together, some of them missing."""
    rng = np.random.default_rng(seed)
    y = np.sort(rng.choice(n_classes, n, p=np.arange(1, n_classes + 1) / np.arange(1, n_classes + 1).sum()))
    y = y[rng.permutation(n)].astype(np.int32)
    X = rng.normal(size=(n_classes, width))[y] * spread + rng.normal(size=(n, width)) @ rng.normal(size=(width, width))
    return (X * np.arange(1, width + 1) + 10).astype(np.float32), y


def table(X, y, weight=None, scaler="standard", n_classes=None):
    rows = np.arange(len(X))
    n_classes = n_classes or (y.shape[1] if y.ndim == 2 else int(y.max()) + 1)
    return Table(X, rows, Columns.of(X, rows, scaler), y, weight, n_classes)


def model_of(estimator, X, y, weight=None, scaler="standard", n_classes=None, seed=7, **params):
    made = table(X, y, weight, scaler, n_classes)
    with threadpool_limits(1):
        if estimator in ("lda", "nearest_profile"):
            return discriminants.fit(made, estimator, params)[0]
        if estimator == "knn":
            return nearest_songs.fit(made, params)[0]
        hidden = params.pop("hidden", 32) if estimator == "multilayer_perceptron" else 0
        return networks.fit(made, hidden, seed, networks.Settings(**params))[0]


@pytest.mark.parametrize("shrinkage", [0.0, 0.1, 0.7])
def test_lda_is_scikit_learns(shrinkage):
    X, y = songs()
    scaled = Columns.of(X, np.arange(len(X)), "standard")(X)
    known = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(scaled.astype(float), y)
    found = model_of("lda", X, y, shrinkage=shrinkage).scores(X)
    np.testing.assert_allclose(found, known.predict_proba(scaled.astype(float)), atol=1e-6)


def test_lda_of_weighted_songs_is_that_of_songs_that_stand_there_as_often():
    X, y = songs(n=200)
    times = np.random.default_rng(5).integers(1, 4, len(X))
    columns = Columns.of(X, np.arange(len(X)), "standard")  # medians and deviations do not look at weights
    weighted = Table(X, np.arange(len(X)), columns, y, times.astype(np.float32), 5)
    repeated = Table(X, np.repeat(np.arange(len(X)), times), columns, y, None, 5)
    one, other = (discriminants.fit(each, "lda", {"shrinkage": 0.1})[0] for each in (weighted, repeated))
    np.testing.assert_allclose(one.scores(X), other.scores(X), atol=1e-9)


def test_the_nearest_profile_is_the_nearest_mean():
    X, y = songs()
    scaled = Columns.of(X, np.arange(len(X)), "standard")(X)
    known = NearestCentroid().fit(scaled, y).predict(scaled)
    assert (model_of("nearest_profile", X, y).scores(X).argmax(axis=1) == known).all()


def test_a_column_that_repeats_another_changes_nothing():
    X, y = songs()
    twice = np.hstack([X, X[:, :1], np.full((len(X), 1), 4, np.float32)])
    one, other = model_of("lda", X, y), model_of("lda", twice, y)
    np.testing.assert_allclose(one.scores(X), other.scores(twice), atol=1e-6)


@pytest.mark.parametrize("l2", [1e-3, 1e-2])
def test_logistic_regression_arrives_at_scikit_learns(l2):
    X, y = songs(n=1500)
    scaled = Columns.of(X, np.arange(len(X)), "standard")(X)
    known = LogisticRegression(C=1 / (l2 * len(X)), max_iter=5000, tol=1e-8).fit(scaled, y).predict_proba(scaled)
    found = model_of("logistic_regression", X, y, l2=l2).scores(X)
    assert np.abs(found - known).max() < 0.003


def test_weights_of_songs_count_in_logistic_regression():
    X, y = songs(n=900)
    weight = np.where(y == 0, 5.0, 1.0).astype(np.float32)
    scaled = Columns.of(X, np.arange(len(X)), "standard")(X)
    l2 = 1e-2
    known = LogisticRegression(C=1 / (l2 * weight.sum()), max_iter=5000).fit(scaled, y, sample_weight=weight)
    found = model_of("logistic_regression", X, y, weight, l2=l2).scores(X)
    assert np.abs(found - known.predict_proba(scaled)).max() < 0.02


def test_logit_adjustment_predicts_as_if_genres_were_of_one_size():
    rng = np.random.default_rng(1)
    y = (rng.random(4000) < 0.1).astype(np.int32)
    X = rng.normal(size=(4000, 2)).astype(np.float32)
    X[:, 0] += 1.5 * y
    plain, even = (model_of("logistic_regression", X, y, logit_adjustment=tau) for tau in (0.0, 1.0))
    recall = [(one.scores(X).argmax(axis=1) == y)[y == 1].mean() for one in (plain, even)]
    assert recall[0] < 0.4 < 0.7 < recall[1]
    # Bayes: the two differ by the ratio of the sizes, which is 9.
    odds = [one.scores(X)[:, 1] / one.scores(X)[:, 0] for one in (plain, even)]
    assert np.median(odds[1] / odds[0]) == pytest.approx((y == 0).sum() / y.sum(), rel=0.1)


def test_a_hidden_layer_tells_what_no_straight_border_tells():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(2000, 4)).astype(np.float32)
    y = ((X[:, 0] > 0) ^ (X[:, 1] > 0)).astype(np.int32)
    straight, curved = (model_of(name, X, y) for name in ("logistic_regression", "multilayer_perceptron"))
    right = [(one.scores(X).argmax(axis=1) == y).mean() for one in (straight, curved)]
    assert right[0] < 0.6 and right[1] > 0.95


@pytest.mark.parametrize("with_faiss", [True, False])
def test_knn_counts_the_genres_of_the_nearest_songs(monkeypatch, with_faiss):
    if with_faiss:
        pytest.importorskip("faiss")
    monkeypatch.setattr(nearest_songs, "has_faiss", lambda: with_faiss)
    monkeypatch.setattr(nearest_songs, "_KNOWN", 100)
    X, y = songs()
    scaled = Columns.of(X, np.arange(len(X)), "standard")(X)
    shares = KNeighborsClassifier(7).fit(scaled, y).predict_proba(scaled)
    found = model_of("knn", X, y, n_neighbors=7).scores(X)
    np.testing.assert_allclose(found, (7 * shares + np.bincount(y) / len(y)) / 8, atol=1e-9)


def test_songs_of_several_genres_have_a_probability_for_each():
    X, y = songs(n=1200)
    several = np.stack([y == 0, y >= 2, y == 4, y == 3], axis=1)
    for estimator in ("logistic_regression", "multilayer_perceptron", "knn"):
        found = model_of(estimator, X, several).scores(X)
        assert ((found >= 0.5) == several).mean() > 0.8, estimator
        assert found.sum(axis=1).max() > 1.2, estimator


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_file_says_everything_and_a_rows_scores_do_not_depend_on_its_neighbours(estimator):
    X, y = songs(n=500)
    X[::7, 2] = np.nan
    model = model_of(estimator, X, y, n_classes=6)
    again = loads(model.dumps())
    whole = again.scores(X)
    assert whole.tobytes() == model.scores(X).tobytes() and again.dumps() == model.dumps()
    assert np.array_equal(whole[137:138], again.scores(X[137:138]))
    np.testing.assert_allclose(whole.sum(axis=1), 1.0)
    assert whole[:, 5].max() < 1e-6 and np.isfinite(whole).all()  # the genre that no song had


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_two_fits_are_equal_to_the_bit(estimator):
    X, y = songs(n=300)
    assert model_of(estimator, X, y).dumps() == model_of(estimator, X, y).dumps()


def test_another_seed_is_another_perceptron():
    X, y = songs(n=300)
    assert model_of("multilayer_perceptron", X, y, seed=1).dumps() != model_of("multilayer_perceptron", X, y).dumps()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda arrays: arrays.pop("bias0"), "bias0"),
        (lambda arrays: arrays.update(weight0=arrays["weight0"][:2]), "weight0 has the shape"),
        (lambda arrays: arrays.update(fill=np.full(6, np.nan)), "fill has values that are not finite"),
        (lambda arrays: arrays.update(scale=np.array(["x"] * 6)), "scale is not an array of numbers"),
        (lambda arrays: arrays.update(facts=np.frombuffer(b'{"genreatlas": "other"}', np.uint8)), "other"),
    ],
)
def test_a_damaged_file_is_refused_with_what_is_wrong(tmp_path, change, said):
    X, y = songs(n=60)
    path = tmp_path / "model.npz"
    path.write_bytes(model_of("lda", X, y).dumps())
    with np.load(path) as stored:
        arrays = dict(stored)
    change(arrays)
    np.savez(path, **arrays)
    with pytest.raises(ModelError, match=said):
        get_engine("numpy").open(path)


def test_a_pickle_in_a_model_file_is_not_run(tmp_path):
    path = tmp_path / "model.npz"
    np.savez(path, facts=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ModelError, match="not a file of arrays"):
        get_engine("numpy").open(path)
    path.write_bytes(b"none of ours")
    with pytest.raises(ModelError, match="not a file of arrays"):
        get_engine("numpy").open(path)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_candidates_are_scored_on_folds_and_tell_the_genres_apart(tmp_path, estimator):
    matrix = make_matrix(tmp_path, songs_per_class=30, rows_per_song=2)
    files = MatrixFiles(matrix.dataset_id, 3, False, str(tmp_path))
    (point, *_) = get_engine("numpy").grid_points(estimator, {})
    (task, *_) = make_tasks(matrix, make_trial(estimator, "numpy", **point))
    result = score_fold(task, files, PLAIN)
    assert result.reason is None, result.detail
    assert result.score > 0.85


def test_limits_are_told_before_a_fit_and_in_it(tmp_path, monkeypatch):
    engine = get_task_engine("numpy")
    matrix = make_matrix(tmp_path, multi=True)
    reason, detail = engine.over_limit("lda", matrix)
    assert reason is Reason.SEVERAL_GENRES and "train.labels = multi" in detail
    assert engine.over_limit("logistic_regression", matrix) is None
    files = MatrixFiles(matrix.dataset_id, 3, True, str(tmp_path))
    with pytest.raises(CandidateLimit):
        engine.fit(make_trial("lda", "numpy"), files, PLAIN, np.arange(40))
    monkeypatch.setattr("genreatlas.models.engines.thousands.has_faiss", lambda: False)
    monkeypatch.setattr("genreatlas.models.engines.thousands.MOST_ROWS_WITHOUT_FAISS", 10)
    assert "genreatlas[neighbours]" in engine.over_limit("knn", matrix)[1]
    with pytest.raises(ConfigError, match="shrinkage = 2 is not possible"):
        engine.check_params("lda", {"shrinkage": 2})


def test_memory_does_not_grow_with_songs_times_genres(tmp_path):
    """2,000 genres × 20,000 songs are 320 MB of float64; no estimator takes a quarter of it to fit and to judge."""
    pytest.importorskip("faiss")
    rng = np.random.default_rng(0)
    n, n_classes = 20_000, 2_000
    y = np.arange(n, dtype=np.int32) % n_classes
    X = (rng.normal(size=(n_classes, 8))[y] + rng.normal(size=(n, 8))).astype(np.float32)
    song = np.arange(n, dtype=np.int32)
    matrix = make_matrix(
        tmp_path, songs_per_class=1, X=X, y=y, song=song, group=song, fold=(song % 3).astype(np.int16),
        weight=np.ones(n, np.float32),
    )  # fmt: skip
    files = MatrixFiles(matrix.dataset_id, n_classes, False, str(tmp_path))
    assert thousands_facts.has_faiss()
    for name in ESTIMATORS:
        params = {"epochs": 1} if name in ("logistic_regression", "multilayer_perceptron") else {}
        with threadpool_limits(1), pytest.MonkeyPatch.context() as patch:
            patch.setattr(networks, "LEAST_STEPS", 1)
            tracemalloc.start()
            model, _ = get_task_engine("numpy").fit(make_trial(name, "numpy", **params), files, PLAIN, song)
            score_rows(model, files, "accuracy", np.arange(2_000))
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 80e6, (name, peak)
