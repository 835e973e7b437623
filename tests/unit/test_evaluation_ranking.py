"""Average precision and ROC-AUC of songs with several genres."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from genreatlas.evaluation.judging import MultiJudge
from genreatlas.metrics import Ranking, average_precision
from genreatlas.metrics.figures import threshold_precision


def judged(scores, truth, group, **settings) -> pd.DataFrame:
    judge = MultiJudge(group, n_samples=200, **settings)
    for place in range(scores.shape[1]):
        judge.add(f"genre {place}", scores[:, place], truth[:, place])
    judge.pool(scores, truth, group)
    return judge.rows().set_index(["metric", "genre_id"])


@pytest.mark.parametrize("digits", [1, 12])
def test_ranking_figures_are_those_of_scikit_learn_with_ties_and_without(digits):
    rng = np.random.default_rng(digits)
    truth = rng.random(300) < 0.2
    scores = np.round(truth * 0.3 + rng.random(300), digits)
    weights = rng.integers(0, 4, size=(300, 5)).astype(float)
    average, area = Ranking.of(scores, truth, np.arange(300), 300).figures(weights)
    for sample in range(5):
        weight = weights[:, sample]
        assert average[sample] == pytest.approx(average_precision_score(truth, scores, sample_weight=weight))
        assert area[sample] == pytest.approx(roc_auc_score(truth, scores, sample_weight=weight))


def test_a_perfect_and_a_reversed_ranking():
    scores, truth = np.array([0.9, 0.8, 0.2, 0.1]), np.array([True, True, False, False])
    for given, average, area in ((scores, 1.0, 1.0), (-scores, (1 / 3 + 2 / 4) / 2, 0.0)):
        found = Ranking.of(given, truth, np.arange(4), 4).figures(np.ones((4, 1)))
        assert (found[0][0], found[1][0]) == (pytest.approx(average), pytest.approx(area))


def test_macro_is_the_mean_over_genres_with_songs_and_micro_pools_all_pairs():
    rng = np.random.default_rng(4)
    truth = np.column_stack([rng.random((80, 3)) < [0.2, 0.5, 0.1], np.zeros(80, bool)])
    scores = truth * 0.2 + rng.random((80, 4))
    rows = judged(scores, truth, np.arange(80) // 2)
    each = [average_precision_score(truth[:, place], scores[:, place]) for place in range(3)]
    assert rows.loc[("macro_average_precision", "*"), "value"] == pytest.approx(np.mean(each))
    assert rows.loc[("micro_average_precision", "*"), "value"] == pytest.approx(
        average_precision_score(truth.ravel(), scores.ravel())
    )
    areas = [roc_auc_score(truth[:, place], scores[:, place]) for place in range(3)]
    assert rows.loc[("macro_roc_auc", "*"), "value"] == pytest.approx(np.mean(areas))
    assert rows.loc[("micro_roc_auc", "*"), "value"] == pytest.approx(roc_auc_score(truth.ravel(), scores.ravel()))
    assert np.isnan(rows.loc[("average_precision", "genre 3"), "value"])
    assert rows.loc[("support", "genre 0"), "value"] == truth[:, 0].sum()


def test_an_interval_needs_thirty_groups_with_songs_of_the_genre():
    rng = np.random.default_rng(5)
    truth = np.zeros((100, 2), bool)
    truth[:29, 0], truth[::3, 1] = True, True
    rows = judged(rng.random((100, 2)), truth, np.arange(100))
    assert rows.loc[("average_precision", "genre 0"), ["low", "high"]].isna().all()
    several = rows.loc[("average_precision", "genre 1")]
    assert several["low"] < several["value"] < several["high"]
    assert several["n_groups"] == 34


def test_pooling_a_sample_of_songs_says_how_many_it_rests_on():
    rng = np.random.default_rng(6)
    truth, scores, group = rng.random((50, 2)) < 0.4, rng.random((50, 2)), np.arange(50)
    judge = MultiJudge(group, n_samples=20)
    judge.add("a", scores[:, 0], truth[:, 0])
    judge.pool(scores[:30], truth[:30], group[:30])
    rows = judge.rows().set_index("metric")
    assert rows.loc["micro_average_precision", ["n_songs", "n_groups"]].tolist() == [30, 30]
    assert rows.loc["macro_average_precision", ["n_songs", "n_groups"]].tolist() == [50, 50]


def test_without_a_right_answer_average_precision_is_undefined():
    assert np.isnan(average_precision(np.array([0.1, 0.2]), np.array([False, False])))


@pytest.mark.parametrize("kept", [0, 1, 7, 40])
def test_a_ranking_without_its_last_places_is_one_whose_last_places_are_equal(kept):
    rng = np.random.default_rng(kept)
    scores, truth = np.round(rng.normal(size=60), 1), rng.random(60) < 0.3
    bound = np.sort(scores)[::-1][kept]
    cut = np.where(scores > bound, scores, -np.inf)
    thresholds = np.unique(cut[truth & (cut > -np.inf)])[::-1]
    found = np.array([(cut[truth] == one).sum() for one in thresholds], dtype=np.int64)
    ahead = np.array([(cut >= one).sum() for one in thresholds], dtype=np.int64)
    told = threshold_precision(found, ahead, int(truth.sum()), 60)
    assert told == pytest.approx(average_precision(cut, truth), abs=1e-12)
    assert told == pytest.approx(average_precision_score(truth, np.where(cut > -np.inf, cut, -9.0)), abs=1e-12)
