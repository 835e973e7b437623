import numpy as np
import pandas as pd
import pytest

from genreatlas.evaluation.reliability import reliability_rows
from genreatlas.metrics.reliability import (
    binomial_gap,
    bins_of_equal_mass,
    calibration_error,
    coverage_gap,
    perfect_calibration_error,
)


def test_bins_hold_equally_many_songs_and_their_means():
    bins = bins_of_equal_mass([0.9, 0.2, 0.4, 0.7], [1, 0, 0, 1], n_bins=2)
    assert (bins.n.tolist(), bins.confidence.tolist(), bins.accuracy.tolist()) == (
        [2, 2],
        pytest.approx([0.3, 0.8]),
        [0.0, 1.0],
    )
    assert calibration_error([0.9, 0.2, 0.4, 0.7], [1, 0, 0, 1], n_bins=2) == pytest.approx((0.3 + 0.2) / 2)


def test_songs_of_equal_confidence_are_judged_together_whatever_their_order():
    right = np.array([1, 1, 1, 0, 0, 0])
    assert calibration_error(np.full(6, 0.5), right, 3) == calibration_error(np.full(6, 0.5), right[::-1], 3) == 0.0


def test_without_songs_there_is_no_error_and_one_song_is_one_bin():
    assert np.isnan(calibration_error([], []))
    assert calibration_error([0.8], [1]) == pytest.approx(0.2)


def test_true_confidences_show_the_error_that_chance_predicts_and_doubled_ones_more():
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.1, 0.5, 3000)
    right = rng.random(3000) < confidence
    chance = perfect_calibration_error(confidence)
    assert calibration_error(confidence, right) == pytest.approx(chance, abs=0.012)
    assert calibration_error(2 * confidence, right) == pytest.approx(0.3, abs=0.03)
    assert chance > 2 * perfect_calibration_error(np.tile(confidence, 10), n_samples=20) > 0


def test_the_gap_of_genres_that_are_covered_as_stated_is_that_of_a_binomial():
    rng = np.random.default_rng(2)
    sizes = np.repeat([100, 400, 5], 4000)
    drawn = coverage_gap(rng.binomial(sizes, 0.9), sizes, 0.9)
    assert binomial_gap(sizes, 0.9) == pytest.approx(drawn, rel=0.03)
    assert coverage_gap([80, 5], [100, 5], 0.9) == pytest.approx(0.1), "a genre of five songs is not counted"
    assert np.isnan(coverage_gap([1], [5], 0.9)) and np.isnan(binomial_gap([5], 0.9))


def outcomes(n=600):
    """Songs of two genres: jazz is known with .9, and rock, of which one in three is right, with .9 too."""
    rng = np.random.default_rng(3)
    truth = rng.choice(["jazz", "rock"], n)
    predicted = np.where((truth == "rock") & (rng.random(n) < 0.5), "jazz", truth)
    return pd.DataFrame(
        {
            "song_id": [f"s{i:04d}" for i in range(n)], "group_id": [f"g{i % 100}" for i in range(n)], "truth": truth,
            "predicted": predicted, "confidence": 0.9, "in_set": truth == predicted, "set_size": 1,
        }
    )  # fmt: skip


def test_reliability_of_all_and_of_each_genre():
    rows = outcomes()
    found = reliability_rows(rows, ("blues", "jazz", "rock"), 0.9).set_index(["genre_id", "bin"])
    every, jazz, rock = found.loc[("*", 0)], found.loc[("jazz", 0)], found.loc[("rock", 0)]
    hit = rows["truth"] == rows["predicted"]
    assert every["n_predicted"] == every["n_songs"] == 600 and every["n_groups"] == 100
    assert every["accuracy"] == every["coverage"] == pytest.approx(hit.mean())
    assert every["calibration_error"] == pytest.approx(abs(0.9 - hit.mean())) and every["perfect_error"] < 0.03
    called = rows["predicted"] == "jazz"
    assert (jazz["n_predicted"], jazz["n_songs"]) == (called.sum(), (rows["truth"] == "jazz").sum())
    assert jazz["accuracy"] == pytest.approx(hit[called].mean()) and jazz["coverage"] == 1.0
    assert (rock["accuracy"], rock["stated_coverage"]) == (1.0, 0.9) and rock["coverage"] < 0.6
    assert set(found.index.get_level_values(0)) == {"*", "jazz", "rock"}, "blues was neither true nor predicted"
    bins = found.loc["*"].loc[1:]
    assert len(bins) == 15 and bins["n_songs"].sum() == 600


def test_models_without_sets_have_no_coverage_and_few_songs_no_error():
    rows = outcomes(30).assign(in_set=None, set_size=None)
    found = reliability_rows(rows, ("jazz", "rock"), None).set_index(["genre_id", "bin"])
    assert found[["coverage", "stated_coverage", "set_size"]].isna().all(axis=None)
    assert found["calibration_error"].isna().all() and found.loc[("*", 0), "accuracy"] > 0.5
    assert reliability_rows(rows.iloc[:0], ("jazz", "rock"), None).empty
