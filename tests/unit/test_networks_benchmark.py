"""What benchmarks/networks.py compares: shuffled notes are the same notes, and figures are the package's own."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from genreatlas.metrics import score_predicted
from genreatlas.models.engines.networks.snippets import encode_notes

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import networks
import networks_fits
import networks_page

NAN = np.nan


def notes(n: int = 40) -> np.ndarray:
    rng = np.random.default_rng(6)
    time = np.cumsum(rng.choice([0.0, 0.125, 0.25, 0.5], n))
    phase = np.where(rng.random(n) < 0.1, NAN, rng.choice([0.0, 0.25, 0.5, 0.75], n))
    pitch = np.where(rng.random(n) < 0.5, NAN, rng.integers(0, 12, n))
    return np.stack([time, phase, rng.random(n), rng.integers(0, 3, n), pitch], axis=1)


def test_shuffled_notes_are_encoded_as_the_same_notes_in_another_order():
    before = encode_notes(notes())
    after = encode_notes(networks_fits.shuffled(3, notes()))
    # the first note of a clip has no pause, wherever it comes to lie
    order, changed = (sorted(map(tuple, np.round(rows[:, 1:], 5).tolist())) for rows in (before, after))
    assert order == changed and not np.array_equal(before[:, 1:], after[:, 1:])
    pauses = [Counter(np.round(rows[1:, 0], 3).tolist()) for rows in (before, after)]
    assert (pauses[0] - pauses[1]).total() <= 1
    assert np.array_equal(networks_fits.shuffled(3, notes()), networks_fits.shuffled(3, notes()), equal_nan=True)


def test_a_histogram_does_not_know_order():
    straight, mixed = notes(), networks_fits.shuffled(1, notes())
    first, second = networks_fits.histogram(straight), networks_fits.histogram(mixed)
    counts = slice(0, 3 * 17)
    assert first[counts] == pytest.approx(second[counts]) and first[-16:] == pytest.approx(second[-16:])
    assert np.abs(first - second).sum() <= 4 / len(straight), "only the pause of the first note is unknown"
    assert first[counts].sum() == pytest.approx(1) and networks_fits.histogram(straight[:0]).shape == first.shape


def answers(y: np.ndarray, *said: np.ndarray) -> networks_fits.Answers:
    return networks_fits.Answers(y, np.arange(len(y)) // 4, np.array(said), 3)


def test_figures_are_those_of_the_package_and_means_over_seeds():
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, 120)
    good, bad = np.where(rng.random(120) < 0.9, y, 0), rng.integers(0, 3, 120)
    both = answers(y, good, bad)
    for metric in ("macro_f1", "accuracy"):
        wanted = np.mean([score_predicted(metric, y, one, 3).value for one in (good, bad)])
        assert both.figure(metric) == pytest.approx(wanted)
        found = both.with_interval(metric)
        assert found["low"] < found["value"] == pytest.approx(wanted) and found["value"] < found["high"]
    assert both.confusion().sum() == pytest.approx(120) and both.f1().shape == (3,)


def test_a_difference_is_of_the_same_songs_and_excludes_zero_where_one_is_better():
    rng = np.random.default_rng(3)
    y = rng.integers(0, 3, 120)
    good, bad = np.where(rng.random(120) < 0.9, y, 0), rng.integers(0, 3, 120)
    same = networks_fits.difference("accuracy", answers(y, good), answers(y, good))
    assert (same["value"], same["low"], same["high"]) == (0.0, 0.0, 0.0)
    better = networks_fits.difference("accuracy", answers(y, good), answers(y, bad))
    assert better["low"] > 0.2 and better["low"] < better["value"] < better["high"]


def test_songs_add_up_their_clips():
    total, first = networks_fits.by_song(np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 3.0]]), np.array([4, 9, 4]))
    assert total.tolist() == [[1.0, 3.0], [0.0, 2.0]] and first.tolist() == [0, 1]


def test_recall_of_some_genres_is_the_mean_of_theirs_in_each_fit():
    y = np.repeat([0, 1, 2], 40)
    first, second = y.copy(), y.copy()
    first[:20] = 1  # half of genre 0 is wrong in the first fit, a quarter of genre 2 in the second
    second[80:90] = 0
    both = answers(y, first, second)
    masks = np.array([[True, True, False], [False, False, True]])
    found = both.recall_of(masks)
    assert found["value"] == pytest.approx(((0.5 + 1.0) / 2 + 0.75) / 2)
    assert found["low"] < found["value"] < found["high"]
    assert both.recall_of(~masks)["value"] == pytest.approx((1.0 + (1.0 + 1.0) / 2) / 2)


def test_genres_of_uneven_size_follow_zipf_and_their_treatments_are_printed():
    assert networks.uneven_sizes(8) == [24, 12, 8, 6, 5, 4, 3, 3]
    known = {"value": 0.5, "low": 0.4, "high": 0.6}
    row = {"network": "GRU", "treatment": "weights", "seeds": 2, "macro_f1": known, "accuracy": known, "rare": known,
           "common": known, "over_none": {"macro_f1": known, "accuracy": known}}  # fmt: skip
    part = {"sizes": [24, 3], "songs_per_artist": 5, "learnt": [135, 135], "judged": 50, "groups": 10, "rows": [row]}
    printed = list(networks_page._imbalance(part))
    assert "24, 3 artists, 5 songs each (135 in all)" in printed[3]
    plain, signed = "0.500 (0.400 to 0.600)", "+0.500 (+0.400 to +0.600)"
    assert printed[-1] == f"| GRU | `weights` | {' | '.join([plain] * 4 + [signed] * 2)} | 2 |"
