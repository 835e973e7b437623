"""Permutation importance from outcomes with and without a feature."""

import numpy as np
import pytest

from genreatlas.evaluation.importances import (
    Block,
    donors,
    feature_blocks,
    importance_rows,
    judged_classes,
    ranking_importance_rows,
    sampled_songs,
)
from genreatlas.evaluation.song_outcomes import Outcomes


def outcomes(share_right: float, n: int = 400) -> Outcomes:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, n)
    predicted = np.where(rng.random(n) < share_right, truth, (truth + 1) % 3)
    return Outcomes.of("abc", truth, predicted, (np.arange(n) // 4).astype(str))


def test_a_feature_is_worth_what_is_lost_without_it():
    intact = outcomes(0.9)
    shuffled = {"tempo": [outcomes(0.5), outcomes(0.6)], "noise": [outcomes(0.9), outcomes(0.9)]}
    rows = importance_rows(intact, shuffled, "accuracy", n_samples=200).set_index("other")
    assert rows.loc["tempo", "value"] == pytest.approx(0.9 - 0.55, abs=0.05)
    assert 0.2 < rows.loc["tempo", "low"] < rows.loc["tempo", "value"] < rows.loc["tempo", "high"] < 0.5
    assert rows.loc["noise", ["value", "low", "high"]].tolist() == [0.0, 0.0, 0.0]
    assert rows.loc["noise", ["metric", "genre_id", "n_songs", "n_groups"]].tolist() == [
        "importance_permutation", "*", 400, 100,
    ]  # fmt: skip


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "balanced_accuracy", "weighted_f1"])
def test_genres_that_no_judged_song_has_need_no_figures(metric):
    rng = np.random.default_rng(3)
    names = tuple(f"g{place:02}" for place in range(60))
    truth = rng.choice(rng.choice(60, 25, replace=False), 300)
    called = [np.where(rng.random(300) < right, truth, rng.integers(0, 60, 300)) for right in (0.8, 0.5)]
    group = (np.arange(300) // 3).astype(str)
    classes, place = judged_classes(names, truth)
    assert len(classes) == len(np.unique(truth)) + 1
    whole = [Outcomes.of(names, truth, one, group) for one in called]
    fewer = [Outcomes.of(classes, place[truth], place[one], group) for one in called]
    rows, same = (
        importance_rows(one[0], {"x": [one[1]]}, metric, n_samples=50)[["value", "low", "high"]].to_numpy(float)
        for one in (whole, fewer)
    )
    np.testing.assert_allclose(rows, same, atol=1e-12)
    assert judged_classes("abc", np.array([0, 1, 2, 1]))[0] == ("a", "b", "c")


def test_importance_for_several_genres_is_lost_average_precision():
    rng = np.random.default_rng(2)
    truth = rng.random((200, 3)) < 0.3
    rows = ranking_importance_rows(
        truth + 0.0, {"tempo": [rng.random((200, 3))], "noise": [truth * 0.5]}, truth, n_groups=50
    ).set_index("other")
    assert rows.loc["tempo", "value"] == pytest.approx(0.7, abs=0.1)
    assert rows.loc["noise", "value"] == 0.0


def test_columns_of_one_category_are_replaced_together():
    assert feature_blocks(("tempo", "key=0", "key=1", "rms")) == [
        Block("tempo", (0,)), Block("key", (1, 2)), Block("rms", (3,)),
    ]  # fmt: skip


def test_donors_are_a_permutation_that_depends_on_the_seed_alone():
    clips = [f"clip{k}" for k in range(20)]
    drawn = donors(clips, 2, seed=1)
    assert drawn.equals(donors(clips[::-1], 2, seed=1))
    assert not drawn.equals(donors(clips, 2, seed=2))
    for _, shuffle in drawn.groupby("repeat"):
        assert sorted(shuffle["donor_id"]) == sorted(clips) == sorted(shuffle["clip_id"])
        assert (shuffle["donor_id"] != shuffle["clip_id"]).any()


def test_few_songs_are_all_used_and_many_are_sampled_within_bounds():
    songs = [f"song{k}" for k in range(3000)]
    assert sampled_songs(songs[:30], 2500, seed=1) == sorted(songs[:30])
    assert len(sampled_songs(songs, 50, seed=1)) == 1000
    assert len(sampled_songs(songs, 2500, seed=1)) == 200
    assert sampled_songs(songs, 2500, seed=1) == sampled_songs(songs[::-1], 2500, seed=1)
