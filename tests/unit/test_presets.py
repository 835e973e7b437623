"""Which candidates are tried where none are listed, and how halving on folds cuts their grids."""

import math
from types import SimpleNamespace

import pytest

from genreatlas.config import TrainSection
from genreatlas.errors import Reason
from genreatlas.models.candidates import expand, grid_points, is_quick, n_fits, quick, rivals, sized, standing
from genreatlas.models.engines import get_engine
from genreatlas.models.engines.estimators import limits
from genreatlas.models.engines.scikit_learn import sklearn_facts
from genreatlas.models.engines.spark_ml import spark_facts
from genreatlas.models.engines.thousands import thousands_facts
from genreatlas.models.types import FoldResult
from genreatlas.steps import train_models

FOLDS = (0, 1, 2, 3, 4)


def trials(**settings):
    train = TrainSection.model_validate({"feature_sets": ("plain",)} | settings)
    return [trial for trial in expand(train, {"plain"}) if trial.engine != "baseline"]


def play(rivals, score, halve=True, folds=FOLDS):
    """Run a group to its end; returns what was fitted and what was cut."""
    scores = {}
    while (now := standing(rivals, scores, folds, halve)).left:
        for one, fold in now.left:
            assert fold not in scores.get(one, {}), "fitted twice"
            scores.setdefault(one, {})[fold] = score(one, fold)
    return scores, dict(now.cut)


def quality(one, fold):
    return int(one) / 10 + 0.01 * fold


EIGHT = {str(number): f"candidate {number}" for number in range(8)}


def test_half_of_a_grid_goes_on_after_each_fold_and_the_rest_is_cut_with_its_place():
    scores, cut = play(EIGHT, quality)
    assert {one: len(known) for one, known in scores.items()} == {
        "0": 1, "1": 1, "2": 1, "3": 1, "4": 2, "5": 2, "6": 3, "7": 5,
    }  # fmt: skip
    assert sorted(cut) == ["0", "1", "2", "3", "4", "5", "6"]
    assert (
        cut["6"] == "cut after 3 of 5 folds: rank 2 of 2 with a mean of 0.6100; rank 1, the last one kept, has 0.7100"
    )
    assert sum(map(len, scores.values())) == n_fits(8, 5, True) < n_fits(8, 5, False) == 40


def test_without_halving_every_candidate_sees_every_fold():
    scores, cut = play(EIGHT, quality, halve=False)
    assert all(sorted(known) == list(FOLDS) for known in scores.values()) and not cut


def test_the_last_fold_cuts_nobody():
    scores, cut = play(EIGHT, quality, folds=(0, 1))
    assert sorted(one for one, known in scores.items() if len(known) == 2) == ["4", "5", "6", "7"]
    assert sorted(cut) == ["0", "1", "2", "3"]


def test_equal_scores_are_decided_by_name_and_the_same_scores_cut_the_same():
    first = play(EIGHT, lambda one, fold: 0.5)
    backwards = dict(reversed(EIGHT.items()))
    assert play(backwards, lambda one, fold: 0.5)[1] == first[1]
    assert "0" not in first[1]


def test_a_fit_that_fails_ends_its_candidate_and_leaves_its_place_to_another():
    scores, cut = play(EIGHT, lambda one, fold: None if one == "7" and fold == 1 else quality(one, fold))
    assert len(scores["7"]) == 2 and "7" not in cut
    assert len(scores["6"]) == 5 and "6" not in cut
    nothing, cut = play(EIGHT, lambda one, fold: None)
    assert all(len(known) == 1 for known in nothing.values()) and not cut


def test_a_run_that_was_killed_goes_on_where_it_was():
    whole, cut = play(EIGHT, quality)
    for kept in range(0, 16, 3):
        done = [(one, fold) for fold in FOLDS for one in EIGHT if fold in whole[one]][:kept]
        scores = {}
        for one, fold in done:
            scores.setdefault(one, {})[fold] = whole[one][fold]
        while (now := standing(EIGHT, scores, FOLDS, True)).left:
            for one, fold in now.left:
                scores.setdefault(one, {})[fold] = quality(one, fold)
        assert scores == whole and now.cut == cut


class Stub:
    """A training without Spark: scores follow from the candidate's place, and every call is kept."""

    def __init__(self, **settings):
        train = TrainSection.model_validate({"feature_sets": ("plain",)} | settings)
        self.trials = {trial.name: trial for trial in expand(train, {"plain"})}
        self.config = SimpleNamespace(train=train)
        self.matrix = SimpleNamespace(
            axis="summary", folds=(0, 1, 2), multi=False, n_rows=27, n_classes=3, in_buckets=False
        )
        self.dataset = SimpleNamespace(feature_set="plain")
        self.store = SimpleNamespace(run_id="run")
        self.room_mb = None

    def running(self):
        return ""

    def score_folds(self, tasks, tasks_a_core=None):
        for start in range(0, len(tasks), 3):
            yield [
                FoldResult(task.experiment_id, task.fold, len(task.trial.name) + task.fold / 10, 1.0, None, None, 0.1)
                for task in tasks[start : start + 3]
            ]

    def scored(self, deadline, halve, folds=()):
        ledger = SimpleNamespace(folds={(row["experiment_id"], row["fold"]): row for row in folds}, add=lambda *_: None)
        return train_models._score(self, ledger, self.trials, "macro_f1", halve, deadline)


def test_baselines_are_never_cut_and_every_estimator_keeps_one_that_saw_all_folds():
    stub = Stub()
    scored = stub.scored(math.inf, halve=True)
    assert {reason for reason, _ in scored.unfinished.values()} == {Reason.CUT_EARLY}
    through = {stub.trials[one].estimator for one in stub.trials.keys() - scored.unfinished.keys()}
    assert through == {trial.estimator for trial in stub.trials.values()}
    assert not {stub.trials[one].engine for one in scored.unfinished} & {"baseline"}


@pytest.mark.parametrize("halve", [True, False])
def test_a_budget_that_is_over_at_once_leaves_a_candidate_that_saw_all_folds_and_names_the_rest(halve):
    stub = Stub(budget_minutes=1e-6, preset="quick" if halve else "full")
    scored = stub.scored(0.0, halve)
    late = {one for one, (reason, _) in scored.unfinished.items() if reason is Reason.OVER_BUDGET}
    through = [one for one in stub.trials.keys() - scored.unfinished.keys() if stub.trials[one].engine != "baseline"]
    assert through and late
    assert all(scored.unfinished[one][1].startswith("train.budget_minutes = 1e-06 was used up after ") for one in late)
    again = stub.scored(math.inf, halve, scored.rows)
    assert Reason.OVER_BUDGET not in {reason for reason, _ in again.unfinished.values()}
    whole = stub.scored(math.inf, halve)
    assert again.unfinished == whole.unfinished and len(again.rows) == len(whole.rows)


def test_only_points_of_one_estimators_grid_are_rivals():
    found = {trial.name: trial for trial in trials()}
    groups = rivals(found, halve=True)
    assert [{found[one].estimator for one in group} for group in groups][:2] == [{"logistic_regression"}, {"svc"}]
    assert all(len({(found[one].engine, found[one].estimator) for one in group}) == 1 for group in groups)
    assert sum(map(len, groups)) == len(found)


@pytest.mark.parametrize("n_rows", [10, 443, 2_000, 20_000, 20_001, 150_000, 900_000, 5_000_001, 50_000_000])
@pytest.mark.parametrize("n_columns", [1, 57, 6_373])
@pytest.mark.parametrize("n_classes", [2, 10, 60, 600, 2_000])
def test_there_is_a_candidate_for_every_size_and_none_is_above_its_own_limits(n_rows, n_columns, n_classes):
    kept, _ = sized(trials(), n_rows, n_columns, n_classes)
    assert kept
    for trial in kept:
        facts = get_engine(trial.engine).get_estimator(trial.estimator)
        assert limits(facts, n_rows, n_classes) is None, trial.name


def test_spark_ml_is_for_tables_that_one_core_does_not_fit_in_minutes():
    assert {trial.engine for trial in sized(trials(), 20_000, 57, 10)[0]} == {"sklearn"}
    assert "spark" in {trial.engine for trial in sized(trials(), 1_000_000, 57, 10)[0]}


def test_what_does_not_suit_the_size_is_named():
    assert sized(trials(), 443, 57, 10)[1] == [
        "preset quick for 443 rows, 57 columns and 10 genres: left out sklearn linear_svc, sklearn "
        "hist_gradient_boosting, spark logistic_regression, spark random_forest"
    ]
    wide = sized(trials(), 1_000, 6_373, 10)[0]
    assert {trial.params["max_features"] for trial in wide if trial.estimator == "extra_trees"} == {"sqrt"}


def test_full_is_every_estimator_of_every_engine_with_its_whole_grid():
    full = trials(preset="full")
    assert {trial.estimator for trial in full if trial.engine == "sklearn"} == set(sklearn_facts.ESTIMATORS)
    assert {trial.estimator for trial in full if trial.engine == "spark"} == set(spark_facts.ESTIMATORS)
    assert {trial.estimator for trial in full if trial.engine == "numpy"} == set(thousands_facts.ESTIMATORS)
    assert len(full) > 2 * len(trials(preset="quick"))


def test_candidates_that_are_listed_are_tried_as_they_are():
    listed = ({"engine": "sklearn", "estimator": "knn", "grid": {"n_neighbors": [3, 5]}},)
    assert len(trials(candidates=listed, preset="quick")) == 2
    assert not is_quick(TrainSection(candidates=listed)) and is_quick(TrainSection())


@pytest.mark.parametrize("entry", quick(), ids=lambda entry: f"{entry.engine} {entry.estimator}")
def test_every_entry_of_the_list_is_valid_and_names_its_scaler(entry):
    assert get_engine(entry.engine).grid_errors(entry.estimator, entry.candidate.grid) == []
    assert entry.engine == "spark" or "scaler" in entry.grid
    assert len(grid_points(entry.candidate)) >= 1 and entry.why
