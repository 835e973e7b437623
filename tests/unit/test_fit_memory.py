"""Fits of the grid that run side by side, by the memory that they take."""

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier

from genreatlas.errors import Reason
from genreatlas.models.engines import get_task_engine
from genreatlas.models.engines.task_grid import side_by_side
from genreatlas.models.experiments import over_limit
from matrix_factory import make_matrix, make_tasks, make_trial


def test_what_runs_at_once_fits_into_memory_and_every_task_runs_once(tmp_path):
    rng = np.random.default_rng(2)
    tasks = [*make_tasks(make_matrix(tmp_path), *[make_trial("linear_svc", C=0.1 * number) for number in range(1, 9)])]
    for room in (300, 900, 5000):
        sizes = rng.integers(100, 800, len(tasks)).tolist()
        jobs = list(side_by_side(tasks, sizes, 2, room))
        size_of = {id(task): size for task, size in zip(tasks, sizes, strict=True)}
        assert sorted(id(task) for job in jobs for task in job) == sorted(map(id, tasks))
        for job in jobs:
            held = sorted((size_of[id(task)] for task in job), reverse=True)
            assert sum(held[:2]) <= room or len(job) == 1
    assert len(list(side_by_side(tasks, [100] * len(tasks), 2, 300))) == 1
    assert list(side_by_side(tasks, [10**9] * len(tasks), 2, None)) == [tasks]
    assert list(side_by_side([], [], 2, 10)) == []


@pytest.mark.parametrize(
    ("estimator", "params", "least", "most"),
    [
        # A leaf and an inner node for each row, 8 bytes a class in each: 200 trees of 20,000 rows and 300 classes.
        ("random_forest", {"min_samples_leaf": 1}, 18_000, 19_000),
        ("random_forest", {"min_samples_leaf": 5}, 3_600, 4_100),
        ("random_forest", {"n_estimators": 10, "max_depth": 5}, 350, 400),
        ("logistic_regression", {}, 450, 550),
    ],
)
def test_trees_and_scores_of_all_songs_grow_with_the_genres(estimator, params, least, most):
    memory = get_task_engine("sklearn").get_estimator(estimator).memory
    assert least < memory.mb(params, 20_000, 45, 300) < most
    assert memory.mb(params, 20_000, 45, 30_000) > 150 + memory.mb(params, 20_000, 45, 300)


def test_the_estimate_of_trees_is_what_they_hold_where_nothing_can_be_learnt():
    rng = np.random.default_rng(3)
    forest = ExtraTreesClassifier(n_estimators=5, random_state=1).fit(
        rng.normal(size=(2000, 4)), rng.integers(0, 100, 2000)
    )
    held = sum(tree.tree_.value.nbytes for tree in forest.estimators_)
    memory = get_task_engine("sklearn").get_estimator("extra_trees").memory
    told = 2**20 * (memory.mb({"n_estimators": 5}, 2000, 4, 100) - memory.mb({"n_estimators": 0}, 2000, 4, 100))
    assert 0.8 * told < held < 1.1 * told


def test_estimators_for_thousands_of_genres_take_little():
    engine = get_task_engine("numpy")
    for name in engine.estimators:
        assert engine.get_estimator(name).memory.mb({"hidden": 256}, 300_000, 45, 3_000) < 600


def test_a_candidate_that_has_no_room_is_skipped_with_a_sentence(tmp_path):
    matrix = make_matrix(tmp_path)
    trial = make_trial("random_forest")
    assert over_limit(trial, matrix, None) is None and over_limit(trial, matrix, 10_000) is None
    reason, detail = over_limit(trial, matrix, 100)
    assert reason is Reason.TOO_MUCH_MEMORY and "0.1 GB are available. Lower train.max_songs" in detail
