"""Champion against challenger: who wins, on what evidence, and which genres are held to have fallen."""

import math

import numpy as np
import pytest
from scipy import sparse

from genreatlas.evaluation.contest import Rules, Songs, compare_models, same_songs, several_labels, single_label
from genreatlas.evaluation.song_outcomes import Outcomes

CLASSES = ("blues", "jazz", "rock")
RULES = Rules(min_gain=0.0, max_genre_fall=0.05, confidence=0.95, samples=1000, min_groups=10, seed=1)


def answers(rng, truth, right):
    """Answers that are right with the given probability per genre, and else the next genre."""
    good = rng.random(len(truth)) < np.asarray(right)[truth]
    return np.where(good, truth, (truth + 1) % len(CLASSES))


def outcomes(truth, predicted, group):
    return Outcomes.of(CLASSES, truth, predicted, group.astype(str))


def duel(champion, challenger, n_groups=90, seed=1, rules=RULES, guarded=CLASSES, songs_each=4):
    """Two models that recognise each genre with the given probabilities."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups), songs_each)
    truth = group % len(CLASSES)
    first, second = (outcomes(truth, answers(rng, truth, p), group) for p in (champion, challenger))
    songs = Songs(CLASSES, same_songs(CLASSES, truth), group, frozenset(guarded))
    return compare_models(single_label(first, "macro_f1"), single_label(second, "macro_f1"), songs, "macro_f1", rules)


def test_a_clearly_better_challenger_wins_and_no_genre_has_fallen():
    found = duel((0.6, 0.6, 0.6), (0.9, 0.9, 0.9))
    assert found.better and not found.fallen
    assert 0 < found.low < found.difference == pytest.approx(found.challenger - found.champion)
    assert (found.n_songs, found.n_groups, found.metric) == (360, 90, "macro_f1")
    assert [(g.genre_id, g.n_songs, g.n_groups) for g in found.genres] == [(c, 120, 30) for c in CLASSES]


def test_a_model_does_not_beat_itself():
    rng = np.random.default_rng(5)
    group = np.arange(60)
    truth = group % 3
    one = single_label(outcomes(truth, answers(rng, truth, (0.7, 0.7, 0.7)), group), "macro_f1")
    found = compare_models(
        one, one, Songs(CLASSES, same_songs(CLASSES, truth), group, frozenset(CLASSES)), "macro_f1", RULES
    )
    assert (found.difference, found.low, found.better, found.fallen) == (0.0, 0.0, False, ())
    assert [g.p_value for g in found.genres] == [1.0, 1.0, 1.0]


def test_equal_models_are_promoted_about_as_often_as_the_confidence_allows():
    wins = sum(duel((0.7, 0.7, 0.7), (0.7, 0.7, 0.7), seed=seed, rules=QUICK).better for seed in range(100))
    assert 1 <= wins <= 12  # 5 % of 100, give or take three standard deviations


def test_a_genre_that_collapses_is_named_although_the_whole_is_better():
    found = duel((0.6, 0.6, 0.9), (0.99, 0.99, 0.3), n_groups=150)
    assert found.fallen == ("rock",)
    held = {g.genre_id: g.p_value_holm for g in found.genres}
    assert held["rock"] <= 0.05 < min(held["blues"], held["jazz"])


def test_genres_that_fall_by_just_the_margin_are_seldom_held_to_have_fallen():
    seldom = sum(bool(duel((0.8,) * 3, (0.75,) * 3, seed=seed, rules=QUICK).fallen) for seed in range(60))
    assert seldom <= 8


def test_a_genre_that_the_champion_does_not_know_and_one_with_few_groups_are_not_tested():
    found = duel((0.6, 0.6, 0.9), (0.99, 0.99, 0.2), guarded=("blues", "jazz"))
    assert not found.fallen
    assert math.isnan(next(g for g in found.genres if g.genre_id == "rock").p_value)
    few = duel((0.6, 0.6, 0.9), (0.99, 0.99, 0.2), n_groups=27)
    assert all(math.isnan(g.p_value) for g in few.genres)


def test_too_few_groups_or_none_never_make_a_champion():
    few = duel((0.1, 0.1, 0.1), (1.0, 1.0, 1.0), n_groups=9)
    assert few.difference > 0.5 and math.isnan(few.low) and not few.better
    empty = np.array([], dtype=int)
    nothing = single_label(outcomes(empty, empty, empty), "macro_f1")
    found = compare_models(
        nothing, nothing, Songs(CLASSES, same_songs(CLASSES, empty), empty, frozenset()), "macro_f1", RULES
    )
    assert (found.better, found.n_groups, found.genres) == (False, 0, ())


def test_the_margin_must_be_exceeded():
    rules = Rules(0.5, 0.05, 0.95, 500, 10, 1)
    found = duel((0.6, 0.6, 0.6), (0.9, 0.9, 0.9), rules=rules)
    assert 0 < found.low < 0.5 and not found.better


def test_songs_of_few_artists_count_as_few_however_many_they_are():
    many = duel((0.7,) * 3, (0.8,) * 3, n_groups=120, songs_each=1, seed=3)
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(12), 100)
    truth = group % 3
    # every song of an artist is answered alike: 1,200 songs are 12 independent answers
    old, new = (np.repeat(answers(rng, np.arange(12) % 3, (p,) * 3), 100) for p in (0.6, 0.7))
    songs = Songs(CLASSES, same_songs(CLASSES, truth), group, frozenset(CLASSES))
    few = compare_models(
        *[single_label(outcomes(truth, one, group), "macro_f1") for one in (old, new)], songs, "macro_f1", RULES
    )
    assert few.difference - few.low > 2 * (many.difference - many.low)


def test_with_several_labels_average_precision_decides():
    rng = np.random.default_rng(7)
    group = np.repeat(np.arange(40), 3)
    truth = rng.random((120, 3)) < 0.4
    good = truth + rng.normal(0, 0.3, truth.shape)
    bad = truth + rng.normal(0, 2.0, truth.shape)
    songs = Songs(CLASSES, sparse.csc_array(truth), group, frozenset(CLASSES))
    metric = "macro_average_precision"
    found = compare_models(several_labels(bad, songs), several_labels(good, songs), songs, metric, RULES)
    assert found.better and not found.fallen
    back = compare_models(several_labels(good, songs), several_labels(bad, songs), songs, metric, RULES)
    assert not back.better and set(back.fallen) == set(CLASSES)
    assert back.difference == pytest.approx(-found.difference)


QUICK = Rules(0.0, 0.05, 0.95, 200, 10, 1)
