from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.impute import SimpleImputer
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler

from genreatlas.errors import ConfigError, ModelError, Reason
from genreatlas.models.engines import get_engine
from genreatlas.models.engines.estimators import limits
from genreatlas.models.engines.file_models import blocks
from genreatlas.models.engines.scikit_learn.sklearn_pipelines import (
    ESTIMATORS,
    SCALERS,
    SklearnModel,
    fit_pipeline,
    loads,
    make_pipeline,
)

SKLEARN = get_engine("sklearn")

#: Fewer trees, so that a test takes no time.
SMALL = {
    "random_forest": {"n_estimators": 5},
    "extra_trees": {"n_estimators": 5},
    "ada_boost": {"n_estimators": 5},
    "hist_gradient_boosting": {"max_iter": 5},
}


@pytest.fixture
def rows():
    """Three classes, with holes, an empty column and a column far from zero."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(3), 30)
    X = rng.normal(size=(90, 5)) + y[:, None]
    X[::7, 1] = np.nan
    X[:, 3] = np.nan
    X[:, 4] += 1e4
    return X.astype(np.float32), y


def _fit(name, X, y, weight=None, **params):
    pipeline = make_pipeline(ESTIMATORS[name], SMALL.get(name, {}) | params, seed=2**40 + 3, multi=y.ndim == 2)
    notes = fit_pipeline(pipeline, X.copy, y, weight)
    return SklearnModel(pipeline, 3, y.ndim == 2), notes


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_fitted_model_scores_every_class_and_says_the_same_after_its_file(name, rows):
    X, y = rows
    before = X.copy()
    model, _ = _fit(name, X, y)
    scores = model.scores(X)
    assert scores.shape == (90, 3) and np.isfinite(scores).all()
    assert np.mean(scores.argmax(axis=1) == y) > 0.6
    assert model.score_kind == ("margin" if ESTIMATORS[name].facts.margins else "probability")
    assert np.array_equal(loads(model.dumps()).scores(X), scores)
    assert np.array_equal(X, before, equal_nan=True), "scoring changed the caller's rows"


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_same_seed_gives_the_same_model(name, rows):
    assert np.array_equal(_fit(name, *rows)[0].scores(rows[0]), _fit(name, *rows)[0].scores(rows[0]))


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("weighted", [False, True])
def test_songs_with_several_genres_get_one_classifier_a_genre(name, weighted, rows):
    X, y = rows
    Y = np.stack([y == 0, y >= 1, np.ones(90, dtype=bool)], axis=1)  # the last genre is everywhere: nothing to learn
    weight = np.linspace(1, 2, 90).astype(np.float32) if weighted and ESTIMATORS[name].facts.multi_weights else None
    model, _ = _fit(name, X, Y, weight)
    scores = model.scores(X)
    assert scores.shape == (90, 3)
    assert np.mean((scores[:, 0] > (0 if model.score_kind == "margin" else 0.5)) == Y[:, 0]) > 0.6
    assert np.array_equal(loads(model.dumps()).scores(X), scores)


@pytest.mark.parametrize("name", [name for name, one in ESTIMATORS.items() if one.facts.weights])
def test_weights_change_the_fit(name, rows):
    X, y = rows
    heavy = np.where(y == 2, 1000.0, 1.0).astype(np.float32)
    blunt = {"min_samples_leaf": 20} if name in ("random_forest", "extra_trees") else {}  # leaves that are not pure
    plain, weighted = _fit(name, X, y, **blunt)[0], _fit(name, X, y, heavy, **blunt)[0]
    others = (np.roll(X, 15, axis=0) + np.roll(X, -15, axis=0)) / 2  # songs between two classes
    assert (weighted.scores(others).argmax(axis=1) == 2).sum() > (plain.scores(others).argmax(axis=1) == 2).sum()


def test_medians_taken_column_by_column_are_those_of_the_imputer(rows):
    X, y = rows
    model, _ = _fit("linear_svc", X, y)
    reference = SimpleImputer(strategy="median", keep_empty_features=True).fit(X)
    np.testing.assert_array_equal(model.pipeline[0].statistics_, reference.statistics_)
    np.testing.assert_array_equal(model.pipeline[0].transform(X), reference.transform(X))


@pytest.mark.parametrize("scaler", ["standard", "minmax", "robust", "log", "none"])
def test_fitting_in_place_gives_what_an_ordinary_pipeline_gives(scaler, rows):
    X, y = rows
    ordinary = make_pipeline(ESTIMATORS["linear_svc"], {"scaler": scaler, "C": 0.1}, seed=2**40 + 3).fit(X, y)
    model, _ = _fit("linear_svc", X, y, scaler=scaler, C=0.1)
    np.testing.assert_allclose(model.scores(X), ordinary.decision_function(X), rtol=1e-4, atol=1e-4)


def test_columns_over_orders_of_magnitude_become_logarithms_and_others_stay():
    rng = np.random.default_rng(4)
    X = np.column_stack([np.exp(3 * rng.normal(size=500)), rng.normal(size=500), -np.exp(rng.normal(size=500))])
    X = np.column_stack([X, rng.uniform(1, 2, 500)]).astype(np.float32)
    given = X.copy()
    scaler = SCALERS["log"]().fit(X)
    np.testing.assert_array_equal(X, given)
    assert (scaler.least_ > 0).tolist() == [True, False, False, False], "skewed and positive"
    expected = X.astype(float)
    expected[:, 0] = np.log(expected[:, 0])
    np.testing.assert_allclose(scaler.transform(X), StandardScaler().fit_transform(expected), atol=1e-4)
    zero = scaler.transform(np.zeros((1, 4), np.float32))
    assert np.isfinite(zero).all() and zero[0, 0] < scaler.transform(X)[:, 0].min(), "what was never seen is lowest"
    np.testing.assert_array_equal(X, given)


@pytest.mark.parametrize("name", ["linear_svc", "random_forest"])
def test_a_class_that_the_fit_never_saw_scores_lowest(name, rows):
    X, y = rows
    model, _ = _fit(name, X[y != 1], y[y != 1])
    scores = model.scores(X)
    assert scores.shape == (90, 3)
    assert (scores[:, 1] <= scores[:, [0, 2]].min(axis=1)).all()


def test_a_fit_that_did_not_converge_says_so(rows):
    X, y = rows
    assert "converge" in _fit("linear_svc", X, y, max_iter=1)[1][0]


def test_the_default_grids_are_valid_and_have_the_scaler_as_a_dimension():
    for name, estimator in ESTIMATORS.items():
        assert "scaler" in estimator.facts.grid
        for key, values in estimator.facts.grid.items():
            for value in values:
                SKLEARN.check_params(name, {key: value})
                make_pipeline(estimator, {key: value}, seed=0)


def test_none_in_a_grid_stands_for_the_value_that_toml_lacks():
    pipeline = make_pipeline(ESTIMATORS["random_forest"], {"max_features": "none", "scaler": "none"}, seed=0)
    assert pipeline["estimator"].max_features is None
    assert pipeline["scaler"] == "passthrough"


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("linear_svm", {}, "unknown scikit-learn estimator 'linear_svm'. Did you mean linear_svc?"),
        ("svc", {"gama": 1}, "svc: unknown parameter 'gama'. Did you mean gamma?"),
        ("svc", {"scaler": "standart"}, "svc: unknown scaler 'standart'. Did you mean standard?"),
        ("random_forest", {"n_jobs": 4}, "random_forest: n_jobs is always set"),
        ("ada_boost", {"estimator__random_state": 4}, "ada_boost: estimator__random_state is always set"),
    ],
)
def test_a_wrong_grid_is_refused_with_the_nearest_name(name, params, message):
    with pytest.raises(ConfigError) as error:
        SKLEARN.check_params(name, params)
    assert message in str(error.value)


def test_limits_say_what_is_too_many():
    svc = ESTIMATORS["svc"].facts
    assert limits(svc, 100, 10) is None
    assert limits(svc, 30_001, 10) == (Reason.TOO_MANY_ROWS, "30,001 rows; this estimator takes at most 30,000")
    assert limits(svc, 100, 201) == (Reason.TOO_MANY_CLASSES, "201 classes; this estimator takes at most 200")


def test_blocks_cover_all_rows_once():
    cut = [range(10)[block] for block in blocks(10, 2, block_bytes=24)]
    assert [list(one) for one in cut] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert list(blocks(0, 2)) == []


class _Stranger(GaussianNB):
    """A type of somebody else's."""


def test_a_model_file_with_an_untrusted_type_is_refused_by_name(tmp_path: Path):
    path = tmp_path / "model.skops"
    path.write_bytes(skops.io.dumps({"pipeline": _Stranger(), "n_classes": 2, "multi": False}))
    with pytest.raises(ModelError, match=r"model\.skops.*_Stranger"):
        SKLEARN.open(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x04N.", b'{"a": 1}'])
def test_a_file_that_is_no_model_is_refused(content, tmp_path: Path):
    path = tmp_path / "model.skops"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.skops"):
        SKLEARN.open(path)
