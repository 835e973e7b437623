"""Figures, intervals and their coverage, with answers worked out by hand or by simulation."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from genreatlas.evaluation.judging import compute_metrics
from genreatlas.evaluation.song_outcomes import Outcomes
from genreatlas.metrics import figures
from genreatlas.metrics.intervals import group_weights, interval

CLASSES = ("blues", "jazz", "rock")
# true blues: 3 blues, 1 jazz; true jazz: 2 jazz, 2 rock; true rock: 2 rock
TRUTH = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])
GROUPS = [f"artist {i}" for i in (0, 0, 1, 2, 3, 4, 5, 5, 6, 7)]


def outcomes(**changes):
    return Outcomes.of(**({"classes": CLASSES, "truth": TRUTH, "predicted": PREDICTED, "group_id": GROUPS} | changes))


def value(rows: pd.DataFrame, metric: str, genre: str = "*", other: str = "*") -> float:
    hit = rows[(rows["metric"] == metric) & (rows["genre_id"] == genre) & (rows["other"] == other)]
    assert len(hit) == 1
    return hit.iloc[0]["value"]


def artists(rng: np.random.Generator, n_groups: int, n_classes: int = 4) -> dict[str, np.ndarray]:
    """Songs of artists, some of whom a model recognises better than others."""
    songs = rng.integers(1, 8, n_groups)
    genre = rng.integers(0, n_classes, n_groups)
    truth = np.repeat(genre, songs)
    known = rng.random(len(truth)) < np.repeat(rng.beta(3, 2, n_groups), songs)
    predicted = np.where(known, truth, rng.integers(0, n_classes, len(truth)))
    return {"truth": truth, "predicted": predicted, "group_id": np.repeat(np.arange(n_groups), songs).astype(str)}


def test_the_figures_of_a_small_confusion_matrix_are_those_worked_out_by_hand():
    rows = compute_metrics(outcomes(), n_samples=50)
    assert value(rows, "accuracy") == pytest.approx(7 / 10)
    assert value(rows, "balanced_accuracy") == pytest.approx((3 / 4 + 2 / 4 + 2 / 2) / 3)
    assert value(rows, "macro_f1") == pytest.approx((6 / 7 + 4 / 7 + 4 / 6) / 3)
    assert value(rows, "weighted_f1") == pytest.approx((4 * 6 / 7 + 4 * 4 / 7 + 2 * 4 / 6) / 10)
    per_genre = rows[rows["genre_id"] == "jazz"].set_index(["metric", "other"])[["value", "n_songs", "n_groups"]]
    assert per_genre.T.to_dict("list") == {
        ("precision", "*"): [pytest.approx(2 / 3), 3, 3],
        ("recall", "*"): [0.5, 4, 3],
        ("f1", "*"): [pytest.approx(4 / 7), 5, 4],
        ("support", "*"): [4.0, 4, 3],
        ("confusion", "jazz"): [2.0, 4, 3],
        ("confusion", "rock"): [2.0, 4, 3],
    }


def test_figures_agree_with_scikit_learn_where_every_genre_has_songs():
    rng = np.random.default_rng(3)
    songs = artists(rng, 80)
    rows = compute_metrics(Outcomes.of("abcd", **songs), n_samples=10)
    truth, predicted = songs["truth"], songs["predicted"]
    assert value(rows, "accuracy") == pytest.approx(sk.accuracy_score(truth, predicted))
    assert value(rows, "balanced_accuracy") == pytest.approx(sk.balanced_accuracy_score(truth, predicted))
    assert value(rows, "macro_f1") == pytest.approx(sk.f1_score(truth, predicted, average="macro"))
    assert value(rows, "weighted_f1") == pytest.approx(sk.f1_score(truth, predicted, average="weighted"))


def test_a_genre_without_test_songs_is_left_out_of_means_and_its_recall_is_undefined():
    rows = compute_metrics(outcomes(classes=(*CLASSES, "zouk")), n_samples=10)
    assert value(rows, "macro_f1") == pytest.approx((6 / 7 + 4 / 7 + 4 / 6) / 3)
    assert value(rows, "balanced_accuracy") == pytest.approx(0.75)
    assert np.isnan(value(rows, "recall", "zouk"))
    assert np.isnan(value(rows, "precision", "zouk"))
    assert value(rows, "support", "zouk") == 0


def test_a_genre_that_was_never_predicted_has_f1_zero_and_no_precision():
    right, predicted, support = np.array([3.0, 0.0]), np.array([5.0, 0.0]), np.array([3.0, 2.0])
    assert figures.f1(right, predicted, support).tolist() == [0.75, 0.0]
    assert figures.precision(right, predicted)[0] == 0.6
    assert np.isnan(figures.precision(right, predicted)[1])


def test_values_such_as_log_loss_are_means_over_songs():
    rows = compute_metrics(outcomes(values={"log_loss": np.arange(10.0)}), n_samples=50)
    assert value(rows, "log_loss") == 4.5


def test_rows_count_by_their_weight():
    rows = compute_metrics(
        Outcomes.of("ab", [0, 0, 1], [0, 1, 1], ["x", "x", "y"], weight=[30.0, 10.0, 20.0]), n_samples=10
    )
    assert value(rows, "accuracy") == pytest.approx(50 / 60)
    assert value(rows, "confusion", "a", "b") == 10
    assert rows.loc[rows["metric"] == "accuracy", "n_songs"].item() == 60


def test_a_figure_on_fewer_than_five_groups_has_no_interval():
    rows = compute_metrics(outcomes(), n_samples=200).set_index(["metric", "genre_id", "other"])
    assert rows.loc[("accuracy", "*", "*"), ["low", "high"]].notna().all()
    assert rows.loc[("recall", "rock", "*"), ["low", "high"]].isna().all()
    few = compute_metrics(outcomes(group_id=["a", "b", "c", "d"] * 2 + ["a", "b"]), n_samples=200)
    assert few[["low", "high"]].isna().all(axis=None)
    assert (few["n_groups"] <= 4).all()


def test_no_songs_give_no_figures():
    assert compute_metrics(Outcomes.of(CLASSES, np.array([], int), np.array([], int), [])).empty


def test_the_order_of_rows_changes_no_bit_of_any_figure():
    rng = np.random.default_rng(5)
    songs = artists(rng, 60) | {"classes": tuple("abcd")}
    loss = rng.random(len(songs["truth"]))
    shuffle = rng.permutation(len(loss))
    moved = {name: values if name == "classes" else values[shuffle] for name, values in songs.items()}
    first = compute_metrics(Outcomes.of(**songs, values={"log_loss": loss}), n_samples=100)
    second = compute_metrics(Outcomes.of(**moved, values={"log_loss": loss[shuffle]}), n_samples=100)
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_one_seed_gives_one_answer_and_another_seed_another():
    songs = Outcomes.of("abcd", **artists(np.random.default_rng(1), 40))
    one, same, other = (compute_metrics(songs, n_samples=100, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same, check_exact=True)
    assert not one[["low", "high"]].equals(other[["low", "high"]])


def test_every_bootstrap_sample_draws_as_many_groups_as_there_are():
    blocks = list(group_weights(3_000_000, 3, seed=1))
    assert [block.shape for block in blocks] == [(3_000_000, 1)] * 3
    assert all((block.sum(axis=0) == 3_000_000).all() for block in blocks)


def test_resampling_groups_gives_wider_intervals_than_songs_when_songs_of_a_group_are_alike():
    rng = np.random.default_rng(11)
    right = np.repeat(rng.random(40) < 0.6, 10)  # an artist's ten songs are all right or all wrong
    truth, predicted = np.zeros(400, int), np.where(right, 0, 1)
    by_artist = compute_metrics(Outcomes.of("ab", truth, predicted, np.repeat(np.arange(40), 10).astype(str)))
    by_song = compute_metrics(Outcomes.of("ab", truth, predicted, np.arange(400).astype(str)))
    widths = [(rows.loc[0, "high"] - rows.loc[0, "low"]) for rows in (by_artist, by_song)]
    assert widths[0] == pytest.approx(widths[1] * np.sqrt(10), rel=0.25)


def test_intervals_hold_the_true_accuracy_about_as_often_as_they_say():
    rng = np.random.default_rng(2)
    everyone = artists(rng, 100_000)
    true_accuracy = (everyone["truth"] == everyone["predicted"]).mean()
    held = 0
    for trial in range(200):
        rows = compute_metrics(Outcomes.of("abcd", **artists(rng, 60)), n_samples=300, seed=trial)
        held += rows.loc[0, "low"] <= true_accuracy <= rows.loc[0, "high"]
    assert 0.89 <= held / 200 <= 0.99  # 0.95 within three standard errors of 200 trials, less the few groups


def test_an_interval_of_macro_f1_lies_around_its_figure_even_with_few_songs_a_genre():
    rng = np.random.default_rng(4)
    rows = compute_metrics(Outcomes.of([str(c) for c in range(80)], **artists(rng, 240, 80)), n_samples=300)
    macro = rows[rows["metric"] == "macro_f1"].iloc[0]
    assert macro["low"] < macro["value"] < macro["high"]


def test_samples_without_the_genre_are_left_out_of_its_interval():
    samples = np.column_stack([np.arange(101.0), np.where(np.arange(101) % 2, np.nan, 4.0), np.full(101, np.nan)])
    low, high = interval(samples)
    assert low.tolist()[:2] == pytest.approx([2.5, 4.0])
    assert high.tolist()[:2] == pytest.approx([97.5, 4.0])
    assert np.isnan([low[2], high[2]]).all()


@pytest.mark.parametrize(("n_groups", "n_classes"), [(500, 1000)])
def test_a_thousand_genres_are_judged_without_a_dense_matrix_of_groups_and_genres(n_groups, n_classes):
    songs = Outcomes.of([str(c) for c in range(n_classes)], **artists(np.random.default_rng(1), n_groups, n_classes))
    assert songs.totals.nnz <= 4 * len(songs.truth)
    assert (compute_metrics(songs, n_samples=20)["metric"] == "support").sum() == n_classes
