"""The candidate list: what a grid expands to, and what is refused."""

import pytest

from genreatlas.config import TrainSection
from genreatlas.errors import ConfigError, Reason
from genreatlas.models import sklearn_estimators, spark_estimators
from genreatlas.models.candidates import expand
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


def test_no_list_means_every_estimator_of_both_engines_and_the_baselines():
    trials = expand(train(feature_sets=("summary9", "mfcc12_frames")), {"summary9", "technical", "loudness"})
    for feature_set in ("summary9", "mfcc12_frames"):
        of_set = [trial for trial in trials if trial.feature_set == feature_set]
        assert {t.estimator for t in of_set if t.engine == "sklearn"} == set(sklearn_estimators.ESTIMATORS)
        assert {t.estimator for t in of_set if t.engine == "spark"} == set(spark_estimators.ESTIMATORS)
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


def test_a_feature_set_must_be_named():
    with pytest.raises(ConfigError, match="feature_sets is empty"):
        expand(train(feature_sets=()), ())


def test_an_estimator_says_which_data_sets_are_too_large_for_it():
    gbt = spark_estimators.get_estimator("gbt")
    assert spark_estimators.limits(gbt, 100, 10) is None
    assert spark_estimators.limits(gbt, 100, 31) == (
        Reason.TOO_MANY_CLASSES,
        "31 classes; this estimator takes at most 30",
    )
    assert spark_estimators.limits(gbt, 50_000_001, 10)[0] == Reason.TOO_MANY_ROWS


def test_parameters_are_those_of_sparks_classes():
    from pyspark.ml import classification
    from pyspark.ml.param import Param

    for name, estimator in spark_estimators.ESTIMATORS.items():
        spark_class = getattr(classification, estimator.spark_class)
        for param in {*estimator.params, *estimator.grid, *estimator.settings} - {"hidden", "scaler"}:
            assert isinstance(getattr(spark_class, param), Param), f"{name}: {param}"
        assert hasattr(spark_class, "weightCol") == estimator.weights, name
        assert hasattr(spark_class, "seed") == estimator.seeded, name
