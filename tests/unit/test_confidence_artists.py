"""Sets where genres have few artists: new artists' songs are covered as stated, by sets no larger than they must be."""

import json
from dataclasses import replace

import numpy as np
import pytest

from genreatlas.models.confidence import Confidence, mass_ahead
from genreatlas.models.confidence_weights import weigh
from genreatlas.models.engines import get_task_engine
from genreatlas.models.engines.held_out import parts_to_hold_out
from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles, refit_rows
from matrix_factory import make_trial

SETTINGS = GridSettings("macro_f1", calibrate=True, weights=False)


def draw_artists(rng, centres, n_artists, genre=None, songs=5):
    """Songs of artists with a manner of their own, each of a genre drawn at random: X, y, artist."""
    n_genres, width = centres.shape
    genre = rng.integers(0, n_genres, n_artists) if genre is None else genre
    manner = rng.normal(size=(n_artists, width)) * 0.5
    artist = np.repeat(np.arange(n_artists), songs)
    X = centres[genre[artist]] + manner[artist] + rng.normal(size=(len(artist), width))
    return X.astype(np.float32), genre[artist].astype(np.int32), artist


def train(folder, X, y, artist, n_classes):
    """What ``train_models`` would keep of linear discriminants on these songs: the model and its confidence."""
    folder.mkdir(exist_ok=True)
    fold = np.random.default_rng(5).integers(0, 3, artist.max() + 1)[artist]
    arrays = {
        "X": X, "y": y, "song": np.arange(len(y), dtype=np.int32), "group": artist.astype(np.int32),
        "fold": fold.astype(np.int16), "weight": np.ones(len(y), np.float32),
    }  # fmt: skip
    for name, array in arrays.items():
        np.save(folder / f"t-{name}.npy", array)
    rows = list(refit_rows(make_trial("lda", "numpy"), MatrixFiles("t", n_classes, False, str(folder)), SETTINGS))
    stored = rows[0]["confidence"]
    model = get_task_engine("numpy").loads(rows[0]["content"])
    return model, Confidence.from_json(None if stored is None else json.loads(stored), n_classes), rows[0]["detail"]


def test_three_hundred_genres_of_four_artists_are_covered_as_stated_by_sets_of_the_least_size(tmp_path):
    covered, sizes, best_sizes = [], [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        centres = rng.normal(size=(300, 20)) * 0.8
        X, y, artist = draw_artists(rng, centres, 1200)
        known, y = np.unique(y, return_inverse=True)  # genres of no artist are none of the model's
        model, sure, _ = train(tmp_path, X, y.astype(np.int32), artist, len(known))
        X, y, _ = draw_artists(rng, centres, 1200)
        ours = np.isin(y, known)
        p = sure.probabilities(model.matrix_scores(X[ours], slice(None), np.arange(ours.sum())))
        ahead = mass_ahead(p, np.searchsorted(known, y[ours]))[0]
        covered.append(np.mean(ahead <= sure.thresholds[np.searchsorted(known, y[ours])] + 1e-9))
        oracle = replace(sure, thresholds=np.full(len(known), np.quantile(ahead, 0.9)))
        sizes.append(np.mean([len(one) for one in sure.sets(p)]))
        best_sizes.append(np.mean([len(one) for one in oracle.sets(p)]))
    # 1,200 artists train and judge: three standard errors of each run's share by artists, of four runs
    assert np.mean(covered) == pytest.approx(0.9, abs=0.015)
    assert np.mean(sizes) == pytest.approx(np.mean(best_sizes), rel=0.15)
    assert np.mean(sizes) < 60, "of 300 genres"


def test_where_a_held_out_artist_leaves_no_other_of_the_genre_nothing_is_stated(tmp_path):
    rng = np.random.default_rng(9)
    centres = rng.normal(size=(60, 20))
    X, y, artist = draw_artists(rng, centres, 60, genre=np.arange(60))
    _, sure, detail = train(tmp_path, X, y, artist, 60)
    assert sure is None
    assert "100% of the songs are of genres with too few artists to hold one out" in detail


def test_songs_of_unknown_genres_are_spoken_for_by_those_of_genres_of_one_known_artist():
    known = np.repeat([0, 1, 3], [60, 80, 60])
    found = weigh(known, np.arange(200))
    assert found.unheard == 0.0
    np.testing.assert_allclose(found.weight[:60], 0.0)
    assert found.weight[60] / found.weight[-1] == pytest.approx(140 / 80)
    assert found.weight[60:].mean() == pytest.approx(1.0)
    few = weigh(np.repeat([0, 1, 3], [60, 20, 120]), np.arange(200))
    assert few.unheard == 0.3
    np.testing.assert_allclose(few.weight, np.repeat([0.0, 1.0], [60, 140]))
    assert weigh(np.zeros(5, int), np.arange(5)).unheard == 1.0


@pytest.mark.parametrize(
    ("artists", "songs", "n_parts", "held"),
    [
        (100, 1, 6, 1.0),  # many artists: a sixth at a time
        (10, 5, 30, 1.0),
        (25, 4, 12, 1.0),
        (25, 400, 12, 0.5),  # 120,000 songs: six of twelve parts say enough
    ],
)
def test_the_fewer_artists_a_genre_has_the_fewer_are_held_out_at_once(artists, songs, n_parts, held):
    genre = np.repeat(np.arange(12), artists)
    y, group = np.repeat(genre, songs), np.repeat(np.arange(len(genre)), songs)
    fold = np.random.default_rng(1).integers(0, 3, len(genre))[group]
    parts = parts_to_hold_out(fold, group, y, np.arange(len(y)))
    assert len(parts) == n_parts * held
    every = np.concatenate([rows for _, rows in parts])
    assert len(np.unique(every)) == len(every) == pytest.approx(held * len(y), rel=0.2)
    for fitted, rows in parts:
        assert not np.isin(group[rows], group[fitted]).any()
        assert len(np.unique(fold[rows])) == 1
        assert len(fitted) + len(rows) == len(y)
