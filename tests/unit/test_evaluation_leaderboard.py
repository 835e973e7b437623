"""Which models stand on the leaderboard, and what it says of them."""

import numpy as np
import pandas as pd
import pytest

from genreatlas.evaluation import leaderboard
from genreatlas.evaluation.song_outcomes import row_outcomes, song_outcomes, vote_outcomes


def model(name: str, engine: str = "sklearn", estimator: str = "svc", feature_set: str = "summary9", **changes) -> dict:
    return {
        "model_id": name, "engine": engine, "estimator": estimator, "feature_set": feature_set, "split": "default",
        "split_version": 1, "level": "genre", "labels": "drop", "preprocessing_id": "p",
        "fitted_at": pd.Timestamp("2026-01-01"),
    } | changes  # fmt: skip


def figures(**scores: tuple[float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"model_id": name, "metric": metric, "value": value, "low": low, "high": high, "n_songs": 100,
             "n_groups": 40, "grouping": "artist-safe"}
            for name, (value, low, high) in scores.items() for metric in ("macro_f1", "accuracy")
        ]
    )  # fmt: skip


def test_of_several_trainings_the_newest_stands_for_an_engine_and_feature_set():
    rows = pd.DataFrame(
        [
            model("old"), model("new", fitted_at=pd.Timestamp("2026-02-01")), model("other set", feature_set="gtzan57"),
            model("spark", engine="spark"), model("elsewhere", split="mine"), model("parents", level="parent"),
            model("b1", "baseline", "random"), model("b2", "baseline", "majority"),
        ]
    )  # fmt: skip
    current = leaderboard.current_models(rows, split="default", level="genre", labels="drop")
    assert current["model_id"].tolist() == ["b1", "b2", "new", "other set", "spark"]


def test_the_leaderboard_is_ordered_by_score_with_intervals_and_groups():
    models = pd.DataFrame([model("a"), model("b", "spark", "rf"), model("c", "baseline", "majority")])
    scores = figures(a=(0.61, 0.5, 0.7), b=(0.71, 0.6, 0.8), c=(0.2, np.nan, np.nan))
    board = leaderboard.ranked(models, scores, "macro_f1")
    assert leaderboard.best_per_engine(board) == ["b", "a"]
    assert leaderboard.lines(board, scores, "macro_f1") == [
        "spark rf on summary9           accuracy 0.710 [0.600, 0.800], macro-F1 0.710 [0.600, 0.800], "
        "100 songs in 40 groups",
        "sklearn svc on summary9        accuracy 0.610 [0.500, 0.700], macro-F1 0.610 [0.500, 0.700], "
        "100 songs in 40 groups",
        "baseline majority on summary9  accuracy 0.200 [groups too similar for an interval], "
        "macro-F1 0.200 [groups too similar for an interval], 100 songs in 40 groups",
        "[95 % intervals over groups: accuracy Clopper-Pearson on effective songs, other scores a bootstrap; "
        "docs/intervals.md]",
    ]


@pytest.mark.parametrize(
    ("grouping", "said"),
    [
        ("artist-safe", "40 groups"),
        ("song-grouped", "40 groups (song-grouped, not artist-safe)"),
        ("artists-shared (2 performers, 7 songs)", "40 groups, artists-shared (2 performers, 7 songs)"),
        ("leaky", "40 groups (leaky: groups or recordings are in more than one part)"),
    ],
)
def test_every_line_says_what_the_split_does_not_keep_apart(grouping, said):
    scores = figures(a=(0.61, 0.5, 0.7)).assign(grouping=grouping)
    board = leaderboard.ranked(pd.DataFrame([model("a")]), scores, "macro_f1")
    assert leaderboard.lines(board, scores, "macro_f1")[0].endswith(said)


@pytest.mark.parametrize(("score", "warned"), [(0.55, True), (0.9, True), (0.45, False)])
def test_a_baseline_that_hears_no_music_and_comes_near_the_best_model_is_called_out(score, warned):
    models = pd.DataFrame([model("a"), model("t", "baseline", "technical", "technical")])
    scores = figures(a=(0.6, 0.5, 0.7), t=(score, score - 0.1, score + 0.05))
    said = leaderboard.not_music(leaderboard.ranked(models, scores, "macro_f1"), "macro_f1")
    assert said == (
        [
            f"Warning: the technical baseline, which uses only the encoding of the files: sample rate, channels, "
            f"codec, bit rate, duration, provider, reaches {score:.3f} in "
            "macro-F1 against 0.600 of the best model. Its score does not come from music."
        ]
        if warned
        else []
    )


def outcome_rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "song_id": list("pqrs"), "group_id": list("pqrs"), "truth": ["a", "b", "c", "d"],
            "predicted": ["a", "b", "a", "c"], "predicted_by_vote": ["a", "b", "c", "c"], "n_rows": [3, 3, 3, 1],
            "score": [0.7, 0.5, 0.0, 0.1], "n_greater": [0, 0, 3, 2], "n_equal": [1, 1, 1, 2],
        }
    )  # fmt: skip


def test_songs_keep_the_rank_of_their_genre_with_ties_shared_and_the_log_of_its_probability():
    found = song_outcomes(outcome_rows(), "abcd", "probability", {"b": "x", "c": "y", "d": "y"})
    assert found.values["top_3_accuracy"].tolist() == [1.0, 1.0, 0.0, 0.5]
    eps = np.finfo(float).eps
    assert found.values["log_loss"] == pytest.approx(-np.log([0.7, 0.5, eps, 0.1]))
    assert found.values["parent_accuracy"].tolist() == [1.0, 1.0, 0.0, 1.0]
    assert (found.truth.tolist(), found.predicted.tolist()) == ([0, 1, 2, 3], [0, 1, 0, 2])
    assert vote_outcomes(outcome_rows(), "abcd").predicted.tolist() == [0, 1, 2, 2]


def test_margins_have_no_log_loss():
    assert np.isnan(song_outcomes(outcome_rows(), "abcd", "margin").values["log_loss"]).all()


def test_rows_of_a_song_count_by_their_number():
    rows = pd.DataFrame({"group_id": ["g", "g"], "truth": ["a", "a"], "predicted": ["a", "b"], "rows": [90, 10]})
    assert row_outcomes(rows, "ab").weight.tolist() == [90.0, 10.0]
