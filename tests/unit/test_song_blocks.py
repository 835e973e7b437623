"""Songs scored block by block: the same whatever the blocks, by the mean of a song's rows, and what is kept of them."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genreatlas.models.engines import task_fits
from genreatlas.models.engines.song_blocks import song_blocks, top_scores, true_ranks
from genreatlas.models.engines.task_fits import MatrixFiles, score_fold, score_rows, some_songs
from matrix_factory import make_matrix, make_tasks, make_trial

# Three songs, two classes: song 0 has three rows, song 1 two, song 2 one.
SONG = np.array([0, 1, 0, 2, 1, 0])
ROWS = np.array([[0.6, 0.4], [0.1, 0.9], [0.6, 0.4], [0.5, 0.5], [0.8, 0.2], [0.0, 1.0]])


@dataclass(frozen=True)
class Rowwise:
    """A model whose scores are the columns that it reads."""

    n_classes: int
    most: list

    def matrix_scores(self, X, rows, song):
        self.most.append(len(rows))
        return np.asarray(X[rows], dtype=np.float64)


def found(block_bytes, X=ROWS, song=SONG, rows=None):
    model = Rowwise(X.shape[1], [])
    blocks = list(song_blocks(model, X, song, np.arange(len(X)) if rows is None else rows, block_bytes))
    return model, blocks


@pytest.mark.parametrize("block_bytes", [1, 60, 10**6])
def test_a_songs_score_is_the_mean_over_its_rows_whatever_the_blocks(block_bytes):
    _, blocks = found(block_bytes)
    assert np.concatenate([block.songs for block in blocks]).tolist() == [0, 1, 2]
    assert np.concatenate([block.rows for block in blocks]).tolist() == [0, 1, 3]
    means = np.concatenate([block.means for block in blocks])
    np.testing.assert_allclose(means, [[0.4, 0.6], [0.45, 0.55], [0.5, 0.5]])


def test_a_block_holds_no_more_than_its_bytes_and_a_song_is_never_cut():
    X = np.random.default_rng(3).normal(size=(500, 40))
    song = np.sort(np.random.default_rng(4).integers(0, 90, 500))
    model, blocks = found(4 * 120 * 25, X, song)
    longest = np.bincount(song).max()
    assert max(model.most) <= max(25, longest) and len(blocks) > 15
    assert sum(model.most) == 500
    by_hand = np.stack([X[song == one].mean(axis=0) for one in np.unique(song)])
    np.testing.assert_allclose(np.concatenate([block.means for block in blocks]), by_hand)


def test_songs_that_are_not_asked_for_are_not_scored():
    _, blocks = found(10**6, rows=np.array([3, 1, 4]))
    assert [block.songs.tolist() for block in blocks] == [[1, 2]]


def test_the_scores_of_a_fold_are_judged_without_an_array_of_songs_and_genres(tmp_path, monkeypatch):
    matrix = make_matrix(tmp_path, songs_per_class=40)
    files = MatrixFiles(matrix.dataset_id, 3, False, str(tmp_path))
    (task, *_) = make_tasks(matrix, make_trial("logistic_regression", C=1.0))
    whole = score_fold(task, files, task_fits.GridSettings("macro_f1", True, False))
    monkeypatch.setattr("genreatlas.models.engines.song_blocks.song_blocks.__defaults__", (64,))
    cut = score_fold(task, files, task_fits.GridSettings("macro_f1", True, False))
    assert (cut.score, cut.train_score, cut.n_absent) == (whole.score, whole.train_score, whole.n_absent)
    with pytest.raises(ValueError, match="no rows"):
        score_rows(Rowwise(3, []), files, "macro_f1", np.array([], dtype=int))


def test_a_fit_is_looked_at_on_some_songs_where_they_are_many(monkeypatch):
    song = np.repeat(np.arange(300), 2)
    rows = np.arange(600)
    assert some_songs(song, rows, 3) is rows
    monkeypatch.setattr(task_fits, "MOST_FITTED", 300)
    some = some_songs(song, rows, 3)
    assert 80 <= len(some) <= 100 and len(np.unique(song[some])) * 2 == len(some)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(1, 14))
def test_the_highest_scores_are_those_of_a_stable_sort(seed, n_classes, k):
    means = np.random.default_rng(seed).integers(0, 5, (7, n_classes)) / 4.0
    places, scores = top_scores(means, k)
    by_sort = np.argsort(-means, axis=1, kind="stable")[:, :k]
    assert places.tolist() == by_sort.tolist()
    assert scores.tolist() == np.take_along_axis(means, by_sort, axis=1).tolist()


def test_a_true_genre_has_its_score_and_the_genres_above_and_beside_it():
    means = np.array([[0.1, 0.4, 0.1, 0.4], [0.7, 0.1, 0.1, 0.1]])
    score, greater, equal = true_ranks(means, np.array([0, 0, 1]), np.array([0, 3, 0]))
    assert (score.tolist(), greater.tolist(), equal.tolist()) == ([0.1, 0.4, 0.7], [2, 0, 0], [2, 2, 1])
