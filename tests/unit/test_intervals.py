"""Intervals of proportions over groups, and which bootstrap intervals are not given."""

import numpy as np
import pytest
from scipy.stats import beta

from genreatlas.evaluation.contest import Rules, Songs, same_songs, single_label
from genreatlas.evaluation.contest import compare_models as duel
from genreatlas.evaluation.judging import compute_metrics
from genreatlas.evaluation.song_outcomes import Outcomes
from genreatlas.metrics.intervals import Grouped


def ends(right, songs):
    low, high = Grouped.of(np.asarray(right, float), np.asarray(songs, float)).interval()
    return float(low[0]), float(high[0])


def overall(truth, predicted, group, **options):
    rows = compute_metrics(Outcomes.of("abc", truth, predicted, [str(g) for g in group]), n_samples=200, **options)
    return rows[rows["genre_id"] == "*"].set_index("metric")


def test_songs_that_are_groups_of_their_own_have_clopper_and_pearsons_interval_but_for_the_doubt_about_groups():
    low, high = ends([1] * 70 + [0] * 30, [1] * 100)
    assert low == pytest.approx(beta.ppf(0.025, 70, 31), abs=0.003)
    assert high == pytest.approx(beta.ppf(0.975, 71, 30), abs=0.003)


@pytest.mark.parametrize("groups", [5, 7, 14])
def test_fourteen_of_fourteen_right_is_no_certainty(groups):
    truth = np.arange(14) % 3
    found = overall(truth, truth, np.arange(14) % groups)
    accuracy = found.loc["accuracy"]
    assert accuracy["value"] == accuracy["high"] == 1.0 and accuracy["low"] < 0.8
    assert accuracy["interval_method"] == "effective songs"
    for metric in ("macro_f1", "weighted_f1", "balanced_accuracy"):
        assert found.loc[metric, ["low", "high"]].isna().all()
        assert found.loc[metric, "interval_method"] is None


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_no_figure_has_an_interval_without_a_width_however_many_groups_agree(share):
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 400)
    predicted = np.where(rng.random(400) < share, truth, (truth + 1) % 3)
    rows = compute_metrics(Outcomes.of("abc", truth, predicted, (np.arange(400) // 4).astype(str)), n_samples=100)
    given = rows[rows["low"].notna()]
    assert len(given) and (given["high"] > given["low"]).all()
    assert {"accuracy", "recall"} >= set(given["metric"])


def test_a_mirror_image_has_the_mirrored_interval():
    rng = np.random.default_rng(4)
    songs = rng.integers(1, 9, 30)
    right = rng.binomial(songs, 0.8)
    low, high = ends(right, songs)
    assert ends(songs - right, songs) == (pytest.approx(1 - high), pytest.approx(1 - low))


def test_songs_that_stand_and_fall_together_count_as_few():
    rng = np.random.default_rng(11)
    right = np.repeat((rng.random(40) < 0.6) * 10.0, 1)
    alike, alone = ends(right, [10] * 40), ends(np.repeat(right / 10, 10), [1] * 400)
    assert alike[1] - alike[0] > 2.3 * (alone[1] - alone[0])


def test_many_figures_at_once_are_those_of_each_alone():
    rng = np.random.default_rng(5)
    songs = rng.integers(1, 9, (6, 25))
    right = rng.binomial(songs, 0.7)
    figure = np.repeat(np.arange(6), 25)
    low, high = Grouped.of(right.ravel(), songs.ravel(), figure, 7).interval()
    for number in range(6):
        assert ends(right[number], songs[number]) == (pytest.approx(low[number]), pytest.approx(high[number]))
    assert np.isnan([low[6], high[6]]).all()


@pytest.mark.parametrize(
    ("groups", "accuracy", "correlation"),
    [(5, 0.99, 0.3), (5, 0.9, 0.6), (10, 0.95, 0.6), (50, 0.99, 0.6), (20, 0.5, 0.0)],
)
def test_the_interval_holds_the_true_accuracy_where_korn_and_graubards_and_the_bootstrap_fail(
    groups, accuracy, correlation
):
    rng = np.random.default_rng(6)
    weight = (1 - correlation) / correlation if correlation else 1e9
    chance = rng.beta(accuracy * weight, (1 - accuracy) * weight, (2000, groups))
    right = rng.binomial(10, chance)
    figure = np.repeat(np.arange(2000), groups)
    low, high = Grouped.of(right.ravel(), np.full(right.size, 10.0), figure, 2000).interval()
    assert ((low <= accuracy) & (accuracy <= high)).mean() > 0.92  # 0.93 less two standard errors


def test_a_bootstrap_interval_needs_groups_that_err_and_groups_that_do_not():
    truth = np.repeat(np.arange(60) % 3, 3)
    group = np.repeat(np.arange(60), 3)
    predicted = truth.copy()
    predicted[: 3 * 4 : 3] = (truth[: 3 * 4 : 3] + 1) % 3
    assert np.isnan(overall(truth, predicted, group).loc["macro_f1", "low"])
    predicted[3 * 4] = (truth[3 * 4] + 1) % 3  # a fifth group
    found = overall(truth, predicted, group).loc["macro_f1"]
    assert found["low"] < found["value"] <= found["high"] <= 1.0
    assert found["interval_method"] == "bootstrap over groups"
    few = overall(truth[:87], (truth[:87] + (np.arange(87) % 2)) % 3, group[:87])
    assert np.isnan(few.loc["macro_f1", "low"]) and few.loc["accuracy", "low"] > 0


def test_a_difference_has_no_lower_end_below_the_stated_number_of_groups():
    classes, rng = ("a", "b", "c"), np.random.default_rng(7)
    group = np.repeat(np.arange(29), 4)
    truth = group % 3
    sides = [
        single_label(
            Outcomes.of(classes, truth, np.where(rng.random(116) < p, truth, 0), group.astype(str)), "macro_f1"
        )
        for p in (0.3, 0.9)
    ]
    songs = Songs(classes, same_songs(classes, truth), group, frozenset(classes))
    found = duel(sides[0], sides[1], songs, "macro_f1", Rules(0.0, 0.05, 0.95, 200, 30, 1))
    assert np.isnan(found.low) and not found.better
