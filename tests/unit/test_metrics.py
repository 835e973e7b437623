"""Every score against scikit-learn on random songs: absent genres, ties, several labels; and the old definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from genreatlas import metrics
from genreatlas.errors import ConfigError
from genreatlas.evaluation.judging import compute_metrics
from genreatlas.evaluation.song_outcomes import Outcomes
from genreatlas.metrics import figures
from genreatlas.models.experiments import converted, converted_fold, rankings
from matrix_factory import make_matrix


@st.composite
def judged(draw):
    """Truth, scores with ties; of the declared classes some have no song and some are never predicted."""
    n, n_classes = draw(st.integers(1, 40)), draw(st.integers(2, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    truth = rng.choice(rng.choice(n_classes, rng.integers(1, n_classes + 1), replace=False), n)
    return truth, rng.integers(0, 4, (n, n_classes)) / 3.0


def by_scikit_learn(metric, truth, ranked):
    predicted, present = ranked.argmax(axis=1), np.unique(truth)
    if metric == "accuracy":
        return sk.accuracy_score(truth, predicted)
    if metric == "balanced_accuracy":
        return sk.recall_score(truth, predicted, labels=present, average="macro", zero_division=0)
    average = metric.partition("_")[0]
    return sk.f1_score(truth, predicted, labels=present, average=average, zero_division=0)


@settings(max_examples=150, deadline=None)
@given(judged())
def test_single_label_scores_are_scikit_learns_over_the_genres_that_have_songs(songs):
    truth, ranked = songs
    n_classes = ranked.shape[1]
    for metric in metrics.TOTALS_METRICS:
        found = metrics.score(metric, truth, ranked)
        assert found.value == pytest.approx(by_scikit_learn(metric, truth, ranked))
        assert found.n_absent == n_classes - len(np.unique(truth))


@settings(max_examples=60, deadline=None)
@given(judged())
def test_training_and_evaluation_give_one_figure(songs):
    truth, ranked = songs
    groups = [str(place) for place in range(len(truth))]
    rows = compute_metrics(
        Outcomes.of("abcdefgh"[: ranked.shape[1]], truth, ranked.argmax(axis=1), groups), n_samples=2
    )
    rows = rows[rows["genre_id"] == "*"].set_index("metric")
    for metric in metrics.TOTALS_METRICS:
        found = metrics.score(metric, truth, ranked)
        assert rows.loc[metric, "value"] == pytest.approx(found.value)
        if metric in metrics.OVER_GENRES:
            assert rows.loc[metric, "n_absent"] == found.n_absent
    assert rows.loc["macro_f1", "metric_version"] == 2


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**32))
def test_average_precision_is_scikit_learns_with_ties_and_absent_genres(n, n_classes, seed):
    rng = np.random.default_rng(seed)
    truth = rng.random((n, n_classes)) < rng.random(n_classes) * rng.integers(0, 2, n_classes)
    truth[0, 0] = True
    ranked = rng.integers(0, 5, (n, n_classes)) / 4.0
    present = truth.any(axis=0)
    each = [sk.average_precision_score(truth[:, k], ranked[:, k]) for k in np.flatnonzero(present)]
    macro = metrics.score("macro_average_precision", truth, ranked)
    assert macro.value == pytest.approx(np.mean(each))
    assert macro.n_absent == (~present).sum()
    micro = metrics.score("micro_average_precision", truth, ranked)
    assert micro.value == pytest.approx(sk.average_precision_score(truth.ravel(), ranked.ravel()))


def test_top_three_and_log_loss_are_scikit_learns():
    rng = np.random.default_rng(1)
    ranked = rng.dirichlet(np.ones(6), 50)
    truth = rng.integers(0, 6, 50)
    own = ranked[np.arange(50), truth][:, None]
    hits = figures.hit_at(3, (ranked > own).sum(axis=1), (ranked == own).sum(axis=1))
    assert hits.mean() == sk.top_k_accuracy_score(truth, ranked, k=3)
    assert figures.log_loss(own[:, 0]).mean() == pytest.approx(sk.log_loss(truth, ranked, labels=range(6)))
    assert figures.hit_at(3, np.array([0.0, 2.0, 3.0]), np.array([6.0, 2.0, 1.0])).tolist() == [0.5, 0.5, 0.0]


def test_each_metric_has_its_textbook_value():
    truth = np.array([0, 0, 0, 1])
    guesses = np.eye(3)[[0, 0, 1, 1]]  # class 2 is declared, has no song, and is never guessed
    # F1 of class 0: precision 1, recall 2/3 = .8; of class 1: precision 1/2, recall 1 = 2/3; class 2 is left out.
    assert metrics.score("macro_f1", truth, guesses) == (pytest.approx((0.8 + 2 / 3) / 2), 1)
    assert metrics.score("balanced_accuracy", truth, guesses) == (pytest.approx(5 / 6), 1)
    assert metrics.score("accuracy", truth, guesses) == (0.75, 1)
    assert metrics.score("weighted_f1", truth, guesses).value == pytest.approx(0.75 * 0.8 + 0.25 * 2 / 3)


@settings(max_examples=60, deadline=None)
@given(judged())
def test_a_score_of_the_first_definition_is_converted_exactly(songs):
    truth, ranked = songs
    n_classes = ranked.shape[1]
    old = sk.f1_score(truth, ranked.argmax(axis=1), labels=np.arange(n_classes), average="macro", zero_division=0)
    new, absent = metrics.score("macro_f1", truth, ranked)
    assert figures.from_version_1("macro_f1", old, n_classes, absent) == pytest.approx(new)
    assert figures.from_version_1("accuracy", old, n_classes, absent) == old


def test_a_fold_that_lacks_a_genre_is_converted_by_the_labels_of_its_data_set(tmp_path):
    y = np.array([0, 1, 2, 0, 1, 0, 1, 2, 0, 1], dtype=np.int32)
    fold = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 2], dtype=np.int16)
    more = {name: np.arange(10, dtype=np.int32) for name in ("song", "group", "weight")}
    matrix = make_matrix(tmp_path, y=y, fold=fold, X=np.zeros((10, 2), np.float32), **more)
    row = {"experiment_id": "e", "metric": "macro_f1", "train_score": 0.9, "metric_version": None, "n_absent": None}
    folds = [converted_fold(row | {"fold": fold, "score": 0.6}, matrix) for fold in (0, 1, 2)]
    assert [(one["score"], one["n_absent"], one["metric_version"]) for one in folds] == [
        (0.6, 0, 2), (pytest.approx(0.9), 1, 2), (0.6, 0, 2),
    ]  # fmt: skip
    assert {one["train_score"] for one in folds} == {0.9}
    assert converted_fold(folds[1], matrix) == folds[1]
    old = {"experiment_id": "e", "metric": "macro_f1", "score_mean": 0.6, "status": "done"}
    whole = converted(old, folds)
    assert (whole["score_mean"], whole["score_max"], whole["n_absent"]) == (pytest.approx(0.7), pytest.approx(0.9), 1)


def test_experiments_of_an_older_definition_are_not_ranked_with_the_others():
    row = {"status": "done", "engine": "sklearn", "estimator": "knn", "feature_set": "f", "metric": "macro_f1"}
    old = row | {"candidate": "old", "score_mean": 0.9, "metric_version": None}
    new = row | {"candidate": "new", "score_mean": 0.5, "metric_version": 2}
    assert rankings([old, new]) == [[new]]


def test_a_stored_score_without_a_version_follows_the_first_definition():
    assert not metrics.is_current("macro_f1", None)
    assert metrics.is_current("macro_f1", 2)
    assert metrics.is_current("accuracy", None) and metrics.is_current("accuracy", 1)


def test_several_genres_a_song_are_selected_by_average_precision_only():
    assert metrics.metric_for("macro_f1", multi=True) == "macro_average_precision"
    assert metrics.metric_for("micro_average_precision", multi=True) == "micro_average_precision"
    assert metrics.metric_for("macro_f1", multi=False) == "macro_f1"
    with pytest.raises(ConfigError, match="macro_average_precision"):
        metrics.score("accuracy", np.ones((2, 2), dtype=bool), np.ones((2, 2)))


def test_an_unknown_metric_and_an_empty_fold_are_refused():
    with pytest.raises(ConfigError, match="accurracy"):
        metrics.score("accurracy", np.array([0]), np.ones((1, 2)))
    with pytest.raises(ValueError, match="no songs"):
        metrics.score("accuracy", np.array([], dtype=int), np.empty((0, 2)))
    with pytest.raises(ValueError, match="no song has a genre"):
        metrics.score("macro_average_precision", np.zeros((2, 2), dtype=bool), np.ones((2, 2)))
