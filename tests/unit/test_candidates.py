"""The candidate list: what a grid expands to, and what is refused."""

import pytest
from pydantic import ValidationError

from genreatlas.config import TrainSection
from genreatlas.errors import ConfigError, Reason
from genreatlas.models.candidates import expand
from genreatlas.models.engines.estimators import ANYTHING, limits
from genreatlas.models.engines.scikit_learn import sklearn_facts, sklearn_pipelines
from genreatlas.models.engines.spark_ml import spark_facts
from genreatlas.models.types import Trial

NO_FEATURES = ("random", "majority", "stratified")


def train(**settings):
    return TrainSection.model_validate({"feature_sets": ("summary9",), "seed": 3} | settings)


def candidate(engine="sklearn", estimator="linear_svc", **settings):
    return {"engine": engine, "estimator": estimator} | settings


def one(**settings):
    """Trials of a single candidate, without baselines."""
    return [trial for trial in expand(train(candidates=(candidate(**settings),)), ()) if trial.engine != "baseline"]


def test_a_grid_becomes_a_trial_for_each_of_its_points():
    trials = one(grid={"C": [0.1, 1.0], "scaler": ["standard", "robust"]})
    assert trials[0] == Trial(
        name="sklearn linear_svc on summary9 (C=0.1, scaler=robust)",
        engine="sklearn",
        estimator="linear_svc",
        feature_set="summary9",
        params={"C": 0.1, "scaler": "robust"},
        seed=3,
    )
    assert [trial.params_json for trial in trials] == [
        '{"C": 0.1, "scaler": "robust"}',
        '{"C": 0.1, "scaler": "standard"}',
        '{"C": 1.0, "scaler": "robust"}',
        '{"C": 1.0, "scaler": "standard"}',
    ]


def test_a_grid_without_a_scaler_has_the_estimators_first_one():
    assert [trial.params["scaler"] for trial in one(grid={"C": [1.0]})] == ["standard"]
    assert [trial.params["scaler"] for trial in one(estimator="random_forest", grid={"n_estimators": [5]})] == ["none"]
    assert [trial.params["scaler"] for trial in one(engine="spark", estimator="gbt", grid={"maxIter": [5]})] == ["none"]


def test_the_full_preset_means_every_estimator_of_every_engine_and_the_baselines():
    full = train(feature_sets=("summary9", "mfcc12_frames"), preset="full")
    trials = expand(full, {"summary9", "technical", "loudness"})
    for feature_set in ("summary9", "mfcc12_frames"):
        of_set = [trial for trial in trials if trial.feature_set == feature_set]
        assert {t.estimator for t in of_set if t.engine == "sklearn"} == set(sklearn_pipelines.ESTIMATORS)
        assert {t.estimator for t in of_set if t.engine == "spark"} == set(spark_facts.ESTIMATORS)
    assert {(t.estimator, t.feature_set) for t in trials if t.engine == "baseline"} == {
        *((name, "summary9") for name in NO_FEATURES),
        ("technical", "technical"),
        ("loudness", "loudness"),
    }
    assert len({trial.name for trial in trials}) == len(trials)


def test_baselines_are_there_whatever_is_listed_but_only_those_that_can_be():
    trials = expand(train(candidates=(candidate(), candidate("baseline", "majority"))), {"summary9"})
    assert sorted(t.estimator for t in trials if t.engine == "baseline") == sorted(NO_FEATURES)


def test_a_candidate_that_is_listed_twice_is_tried_once():
    assert len(expand(train(candidates=(candidate(grid={"C": [1.0]}),) * 2), ())) == 1 + len(NO_FEATURES)


@pytest.mark.parametrize(
    "wrong, words",
    [
        (candidate(estimator="linear_svm"), "unknown scikit-learn estimator 'linear_svm'. Did you mean linear_svc"),
        (candidate("spark", "random_forrest"), "unknown Spark estimator 'random_forrest'. Did you mean random_forest"),
        (candidate("baseline", "majorty"), "unknown baseline 'majorty'. Did you mean majority"),
        (candidate(grid={"c": [1]}), "linear_svc: unknown parameter 'c'"),
        (candidate("spark", "gbt", grid={"maxdepth": [3]}), "unknown parameter 'maxdepth'. Did you mean maxDepth"),
        (candidate("spark", "gbt", grid={"scaler": ["standart"]}), "unknown scaler 'standart'. Did you mean standard"),
        (candidate(grid={"C": []}), "C = [] has no values"),
        (candidate(feature_sets=("gtzan57",)), "gtzan57 is not in train.feature_sets"),
        (candidate("baseline", "technical"), "needs clips of audio"),
        (candidate("baseline", "random", grid={"seed": [1]}), "has no parameters"),
    ],
)
def test_a_wrong_name_is_refused_with_what_was_probably_meant(wrong, words):
    with pytest.raises(ConfigError) as error:
        expand(train(candidates=(wrong,)), {"summary9"})
    assert words in str(error.value)


def test_sets_that_are_joined_are_one_set_with_one_name_in_whatever_order_they_are_listed():
    listed = (candidate(feature_sets=["groove+summary9"]),)
    settings = train(feature_sets=(["summary9", "groove"], "gtzan57"), candidates=listed)
    assert settings.feature_sets == ("groove+summary9", "gtzan57")
    assert TrainSection.model_validate(settings.model_dump(mode="json")) == settings
    named = {trial.name for trial in expand(settings, ()) if trial.engine != "baseline"}
    assert all(" on groove+summary9" in name for name in named) and named


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["summary9", "summary9"], "summary9 is listed twice"),
        ([], "must be a list of names"),
        ("groove+", "must be a list of names"),
        (["groove", 9], "must be a list of names"),
    ],
)
def test_a_combination_that_cannot_be_joined_is_refused(given, words):
    with pytest.raises(ValidationError, match=words):
        train(feature_sets=(given,))


def test_a_feature_set_must_be_named():
    with pytest.raises(ConfigError, match="feature_sets is empty"):
        expand(train(feature_sets=()), ())


def test_an_estimator_says_which_data_sets_are_too_large_for_it():
    gbt = spark_facts.ESTIMATORS["gbt"]
    assert limits(gbt, 100, 10) is None
    assert limits(gbt, 100, 31) == (
        Reason.TOO_MANY_CLASSES,
        "31 classes; this estimator takes at most 30",
    )
    assert limits(gbt, 50_000_001, 10)[0] == Reason.TOO_MANY_ROWS


def test_parameters_are_those_of_sparks_classes():
    from pyspark.ml import classification
    from pyspark.ml.param import Param

    for name, estimator in spark_facts.ESTIMATORS.items():
        spark_class = getattr(classification, estimator.spark_class)
        for param in {*estimator.params, *estimator.grid, *estimator.settings} - {"hidden", "scaler"}:
            assert isinstance(getattr(spark_class, param), Param), f"{name}: {param}"
        assert hasattr(spark_class, "weightCol") == estimator.weights, name
        assert hasattr(spark_class, "seed") == estimator.seeded, name


def test_everything_that_is_wrong_in_the_list_is_said_at_once():
    wrong = (
        candidate(estimator="gausian", grid={"C": [1]}),
        candidate(grid={"C": [0, -1.0, "x"], "losss": ["hinge"], "scaler": ["standard", 3]}),
        candidate("spark", "random_forest", grid={"numTrees": [0], "maxDepth": [31]}),
    )
    with pytest.raises(ConfigError) as error:
        expand(train(candidates=wrong), ())
    assert str(error.value).splitlines() == [
        "train.candidates: unknown scikit-learn estimator 'gausian'. Known: linear_svc, svc, random_forest, "
        "hist_gradient_boosting, logistic_regression, ada_boost, knn, extra_trees.",
        "train.candidates: linear_svc: C = 0 is not possible. Allowed: a number above 0.",
        "train.candidates: linear_svc: C = -1.0 is not possible. Allowed: a number above 0.",
        "train.candidates: linear_svc: C = 'x' is not possible. Allowed: a number above 0.",
        "train.candidates: linear_svc: unknown parameter 'losss'. Did you mean loss?",
        "train.candidates: linear_svc: scaler = 3 is not possible. Allowed: standard, minmax, robust, log, none.",
        "train.candidates: random_forest: numTrees = 0 is not possible. Allowed: a whole number from 1 on.",
        "train.candidates: random_forest: maxDepth = 31 is not possible. Allowed: a whole number from 0 to 30.",
    ]


#: Values at the edges of what a parameter may be, each tried in scikit-learn and here.
EDGES = (-1, 0, 1, 2, 30, 256, -0.5, 0.0, 0.3, 0.5, 1.0, 1.5, True, False, "none", "sqrt", "balanced", "rbf", "l2", "x")


@pytest.mark.parametrize("name", sklearn_facts.ESTIMATORS)
def test_what_is_known_of_parameters_without_scikit_learn_is_what_scikit_learn_says(name):
    from sklearn.utils._param_validation import InvalidParameterError

    facts, estimator = sklearn_facts.ESTIMATORS[name], sklearn_pipelines.ESTIMATORS[name]
    own = estimator.factory().get_params(deep=True)
    assert set(facts.params) == {
        key for key in own if key.rpartition("__")[2] not in sklearn_facts.RESERVED and key != "estimator"
    }
    for key, values in facts.params.items():
        for value in EDGES:
            model = estimator.factory().set_params(**{key: None if value == "none" else value})
            try:
                (model.estimator if key.startswith("estimator__") else model)._validate_params()
                fits = True
            except InvalidParameterError:
                fits = False
            if values is not ANYTHING and values.allows(value) != fits:
                known = (key, value) in LOOSE or isinstance(value, bool)
                assert known, f"{name}: {key} = {value!r}: scikit-learn says {fits}"


#: Values on which scikit-learn's check is wider than what a fit can do, or differs between its versions.
LOOSE = {("n_neighbors", "none"), ("p", "none"), ("weights", "none"), ("criterion", "x"), ("kernel", "x")}
