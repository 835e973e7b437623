"""Permutation tests and Holm's correction against simulations and worked examples."""

import itertools

import numpy as np
import pytest

from genreatlas.evaluation.comparison import compare, compare_rankings, holm
from genreatlas.evaluation.song_outcomes import Outcomes
from genreatlas.metrics import average_precision


def two_models(rng: np.random.Generator, n_groups: int, shares: tuple[float, float]) -> list[Outcomes]:
    """Two models on the same artists' songs; each recognises its share of them."""
    songs = rng.integers(1, 5, n_groups)
    truth = np.repeat(rng.integers(0, 3, n_groups), songs)
    group = np.repeat(np.arange(n_groups), songs).astype(str)
    wrong = (truth + rng.integers(1, 3, len(truth))) % 3
    easy = rng.random(len(truth))
    noise = [0.7 * easy + 0.3 * rng.random(len(truth)) for _ in range(2)]
    return [
        Outcomes.of("abc", truth, np.where(draw < share, truth, wrong), group)
        for draw, share in zip(noise, shares, strict=True)
    ]


def test_under_the_null_p_values_are_uniform():
    rng = np.random.default_rng(0)
    p_values = [
        compare(*two_models(rng, 40, (0.6, 0.6)), "macro_f1", n_permutations=199, seed=trial).p_value
        for trial in range(300)
    ]
    for level in (0.05, 0.25, 0.5):
        share = np.mean(np.asarray(p_values) <= level)
        assert abs(share - level) <= 3 * np.sqrt(level * (1 - level) / 300) + 0.01


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "weighted_f1"])
def test_a_real_difference_has_a_small_p_value(metric):
    model, reference = two_models(np.random.default_rng(1), 80, (0.45, 0.7))
    result = compare(model, reference, metric, n_permutations=999)
    assert result.difference < -0.1
    assert result.p_value <= 0.002


def test_with_few_groups_every_swap_is_tried_and_the_p_value_is_exact():
    # six artists with one song each; the model is right on five, the reference on one other
    truth, groups = np.zeros(6, int), list("uvwxyz")
    model = Outcomes.of("ab", truth, np.array([0, 0, 0, 0, 0, 1]), groups)
    reference = Outcomes.of("ab", truth, np.array([1, 1, 1, 1, 1, 0]), groups)
    # |difference| >= 4/6 needs five or six swaps alike: (1 + 6) * 2 of 64
    result = compare(model, reference, "accuracy", n_permutations=100)
    assert (result.difference, result.p_value) == (pytest.approx(4 / 6), 14 / 64)
    assert (result.n_songs, result.n_groups) == (6, 6)


def test_equal_models_have_no_difference_and_p_one():
    model, _ = two_models(np.random.default_rng(2), 30, (0.6, 0.6))
    result = compare(model, model, "macro_f1", n_permutations=99)
    assert (result.difference, result.p_value) == (0.0, 1.0)


def test_fewer_groups_than_the_minimum_give_a_difference_without_p_value():
    truth = np.zeros(4, int)
    model = Outcomes.of("ab", truth, np.array([0, 0, 0, 0]), list("wxyz"))
    reference = Outcomes.of("ab", truth, np.array([0, 1, 1, 1]), list("wxyz"))
    result = compare(model, reference, "accuracy", n_permutations=99)
    assert result.difference == 0.75
    assert np.isnan(result.p_value)


def test_models_judged_on_different_songs_are_not_compared():
    model = Outcomes.of("ab", np.array([0, 1]), np.array([0, 1]), ["x", "y"])
    reference = Outcomes.of("ab", np.array([1, 1]), np.array([0, 1]), ["x", "y"])
    with pytest.raises(ValueError, match="same songs"):
        compare(model, reference, "accuracy", n_permutations=9)


def test_songs_of_one_artist_are_swapped_together():
    # 60 songs, but six artists only: whatever the songs say, no p-value can be below 2 / 64
    truth = np.zeros(60, int)
    groups = np.repeat(list("uvwxyz"), 10)
    model = Outcomes.of("ab", truth, truth, groups)
    reference = Outcomes.of("ab", truth, truth + 1, groups)
    assert compare(model, reference, "accuracy", n_permutations=2000).p_value == 2 / 64


def test_rankings_are_compared_as_their_average_precision_says():
    rng = np.random.default_rng(3)
    truth = rng.random((60, 4)) < 0.3
    good, poor = truth + rng.normal(0, 0.8, truth.shape), truth + rng.normal(0, 4.0, truth.shape)
    group = np.arange(60) // 2
    result = compare_rankings((good, poor), truth, group, n_permutations=499)
    expected = np.mean(
        [average_precision(good[:, k], truth[:, k]) - average_precision(poor[:, k], truth[:, k]) for k in range(4)]
    )
    assert result.difference == pytest.approx(expected)
    assert result.p_value == pytest.approx(1 / 500)


def test_holm_on_a_worked_example():
    # Holm 1979: .005 * 4, .01 * 3, .03 * 2, .04 * 1 raised to the value before it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_undefined_p_values_out_and_never_passes_one():
    corrected = holm([0.6, float("nan"), 0.5])
    assert corrected[0] == corrected[2] == 1.0
    assert np.isnan(corrected[1])
    assert holm([]) == []


def test_holm_corrects_any_order_alike():
    values = [0.001, 0.02, 0.02, 0.3]
    expected = dict(zip(values, holm(values), strict=True))
    for order in itertools.permutations(values):
        assert holm(order) == [expected[value] for value in order]
