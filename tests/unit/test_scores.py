import numpy as np
import pytest

from genreatlas.errors import ConfigError
from genreatlas.models import scores

# Three songs, two classes: song 0 has three rows, song 1 two, song 2 one.
SONG = np.array([0, 1, 0, 2, 1, 0])
ROWS = np.array([[0.6, 0.4], [0.1, 0.9], [0.6, 0.4], [0.5, 0.5], [0.8, 0.2], [0.0, 1.0]])


def test_rows_are_summed_counted_and_voted_per_song():
    summed = scores.sum_by_song(SONG, ROWS)
    assert summed.songs.tolist() == [0, 1, 2]
    np.testing.assert_allclose(summed.sums, [[1.2, 1.8], [0.9, 1.1], [0.5, 0.5]])
    assert summed.votes.tolist() == [[2, 1], [1, 1], [1, 0]]
    assert summed.n_rows.tolist() == [3, 2, 1]


def test_the_vote_may_differ_from_the_mean_and_a_tie_goes_to_the_mean():
    summed = scores.sum_by_song(SONG, ROWS)
    assert scores.predicted_by_mean(summed).tolist() == [1, 1, 0]
    assert scores.predicted_by_vote(summed).tolist() == [0, 1, 0]


def test_a_song_cut_into_two_blocks_of_rows_adds_up_to_the_same():
    whole = scores.sum_by_song(SONG, ROWS)
    parts = scores.add_songs(scores.sum_by_song(SONG[:2], ROWS[:2]), scores.sum_by_song(SONG[2:], ROWS[2:]))
    assert parts.songs.tolist() == whole.songs.tolist()
    np.testing.assert_allclose(parts.sums, whole.sums)
    assert parts.votes.tolist() == whole.votes.tolist()
    assert parts.n_rows.tolist() == whole.n_rows.tolist()


def test_each_metric_has_its_textbook_value():
    truth = np.array([0, 0, 0, 1])
    guesses = np.eye(3)[[0, 0, 1, 1]]  # class 2 is declared, has no song, and is never guessed
    values = {name: scores.score(name, truth, guesses) for name in ("accuracy", "balanced_accuracy", "macro_f1")}
    # F1 of class 0: precision 1, recall 2/3 = .8; of class 1: precision 1/2, recall 1 = 2/3; of class 2: 0.
    assert values == pytest.approx({"accuracy": 0.75, "balanced_accuracy": 5 / 6, "macro_f1": (0.8 + 2 / 3) / 3})
    assert scores.score("weighted_f1", truth, guesses) == pytest.approx(0.75 * 0.8 + 0.25 * 2 / 3)


def test_average_precision_ranks_songs_per_genre_and_leaves_out_genres_without_a_song():
    truth = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=bool)
    ranked = np.array([[0.9, 0.8, 0.9], [0.1, 0.7, 0.2], [0.2, 0.1, 0.3]])
    # genre 0: hits at ranks 1 and 3 = (1 + 2/3)/2; genre 1: at ranks 2 and 3 = (1/2 + 2/3)/2
    assert scores.score("macro_average_precision", truth, ranked) == pytest.approx((5 / 6 + 7 / 12) / 2)
    # together: .9 (hit, and a miss at the same score), .8 miss, .7 hit, .3 miss, .2 two misses, .1 two hits
    expected = 1 / 2 * 1 / 4 + 2 / 4 * 1 / 4 + 4 / 9 * 2 / 4
    assert scores.score("micro_average_precision", truth, ranked) == pytest.approx(expected)


def test_a_long_song_counts_as_much_as_a_short_one():
    song = np.array([0] * 9 + [1])
    y = np.array([0] * 9 + [1])
    all_zero = np.tile([1.0, 0.0], (10, 1))
    assert scores.score_rows("accuracy", song, y, all_zero) == 0.5


def test_several_genres_a_song_are_selected_by_average_precision_only():
    assert scores.metric_for("macro_f1", multi=True) == "macro_average_precision"
    assert scores.metric_for("micro_average_precision", multi=True) == "micro_average_precision"
    assert scores.metric_for("macro_f1", multi=False) == "macro_f1"
    with pytest.raises(ConfigError, match="macro_average_precision"):
        scores.score("accuracy", np.ones((2, 2), dtype=bool), np.ones((2, 2)))


def test_an_unknown_metric_and_an_empty_fold_are_refused():
    with pytest.raises(ConfigError, match="accurracy"):
        scores.score("accurracy", np.array([0]), np.ones((1, 2)))
    with pytest.raises(ValueError, match="no songs"):
        scores.score("accuracy", np.array([], dtype=int), np.empty((0, 2)))
