"""Figures for many genres: rank of the true genre, steps in the tree, and size of the genre."""

import numpy as np
import pandas as pd
import pytest

from genreatlas.evaluation.by_size import by_size
from genreatlas.evaluation.judging import compute_metrics
from genreatlas.evaluation.song_outcomes import song_outcomes, tree_distance
from genreatlas.metrics.figures import reciprocal_rank

CLASSES = tuple(f"g{i:02d}" for i in range(24))


def outcome_rows(n_greater, truth="g00", predicted="g01", n_equal=1):
    n = len(n_greater)
    return pd.DataFrame(
        {
            "song_id": [f"s{i}" for i in range(n)], "group_id": [f"a{i % 7}" for i in range(n)], "truth": truth,
            "predicted": predicted, "n_rows": 1, "score": 0.1, "n_greater": n_greater, "n_equal": n_equal,
        }
    )  # fmt: skip


def test_the_reciprocal_rank_is_that_of_the_rank_and_a_tie_is_broken_by_chance():
    assert reciprocal_rank(np.array([0.0, 1.0, 9.0]), np.ones(3)) == pytest.approx([1, 1 / 2, 1 / 10])
    assert reciprocal_rank(np.array([1.0]), np.array([3.0])) == pytest.approx([(1 / 2 + 1 / 3 + 1 / 4) / 3])


def test_hits_among_the_first_genres_and_the_mean_rank_are_given_where_there_are_many_genres():
    rows = outcome_rows([0, 2, 4, 5, 9, 10, 20, 23])
    values = compute_metrics(song_outcomes(rows, CLASSES, "probability"), n_samples=20).set_index(
        ["metric", "genre_id", "other"]
    )
    found = values["value"]
    shares = {top: found[(f"top_{top}_accuracy", "*", "*")] for top in (3, 5, 10)}
    assert shares == {3: 2 / 8, 5: 3 / 8, 10: 5 / 8}
    expected = np.mean(1 / (1 + rows["n_greater"]))
    assert found[("mean_reciprocal_rank", "*", "*")] == pytest.approx(expected)
    assert values.loc[("top_10_accuracy", "*", "*"), "interval_method"] == "effective songs"
    few = compute_metrics(song_outcomes(rows, CLASSES[:8], "probability"), n_samples=20)["metric"]
    assert not set(few) & {"top_5_accuracy", "top_10_accuracy", "mean_reciprocal_rank"}


def test_steps_through_the_tree_count_up_and_down():
    tree = {"acid": "house", "deep": "house", "house": "electronic", "techno": "electronic", "bop": "jazz"}
    steps = {pair: tree_distance(*pair, tree) for pair in
             [("acid", "acid"), ("acid", "deep"), ("acid", "house"), ("acid", "techno"), ("acid", "bop")]}  # fmt: skip
    assert list(steps.values()) == [0, 2, 1, 3, 5]
    assert tree_distance("a", "b", {"a": "b", "b": "a"}) == 1, "a circle ends"
    rows = outcome_rows([0, 1, 2, 3], truth="acid", predicted=["acid", "deep", "house", "bop"])
    tops = {"acid": "electronic", "deep": "electronic", "house": "electronic", "bop": "jazz"}
    outcomes = song_outcomes(rows, ("acid", "bop", "deep", "house"), "probability", tops, tree)
    assert sorted(outcomes.values["tree_distance"]) == [0, 1, 2, 5]
    assert outcomes.values["parent_accuracy"].mean() == 0.75


def test_genres_are_judged_by_their_size_in_training():
    truth = ["g00"] * 4 + ["g01"] * 4 + ["g02"] * 4
    predicted = ["g00", "g00", "g00", "g01", "g01", "g00", "g00", "g00", "g02", "g02", "g00", "g00"]
    rows = outcome_rows([0] * 12, truth, predicted)
    outcomes = song_outcomes(rows, CLASSES[:3], "probability")
    found = by_size(outcomes, {"g00": 60, "g01": 25, "g02": 99}, min_groups=2).set_index("other")
    assert found["value"].to_dict() == {"20-49 songs": 1 / 4, "50-99 songs": 5 / 8}
    assert found["n_songs"].to_dict() == {"20-49 songs": 4, "50-99 songs": 8}
    assert (found["metric"] == "accuracy_by_size").all() and found.loc["50-99 songs", "low"] < 5 / 8
    assert by_size(outcomes, {"g00": 60, "g01": 61, "g02": 99}).empty, "all of one size"
    assert by_size(outcomes, {"g00": 10, "g01": 5000}).set_index("other").index.tolist() == [
        "0-19 songs", "1000 songs and more"
    ]  # fmt: skip
