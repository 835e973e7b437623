"""Temperatures and prediction sets, on songs whose true probabilities are known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from genreatlas.errors import ModelError
from genreatlas.metrics.reliability import calibration_error, coverage_gap
from genreatlas.models import confidence_fits
from genreatlas.models.confidence import Confidence, log_probabilities, mass_ahead, most_genres
from genreatlas.models.confidence_fits import Block, artist_quantile, fit_confidence, fit_curve, fit_thresholds
from genreatlas.models.engines import held_out
from genreatlas.models.engines.held_out import HeldOut
from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles, fit, refit_rows
from matrix_factory import make_matrix, make_trial

#: A curve that changes nothing.
STRAIGHT = np.array([[0.0, 1.0], [0.0, 1.0]])


def draw(seed, n_songs=6000, n_classes=8, power=1.0, n_groups=1500, spread=1.5):
    """Songs with true probabilities, and the scores of a model that overstates them by a power."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n_songs, n_classes)) * spread
    true = np.exp(logits)
    true /= true.sum(axis=1, keepdims=True)
    truth = (true.cumsum(axis=1) > rng.random((n_songs, 1))).argmax(axis=1)
    scores = true**power
    scores /= scores.sum(axis=1, keepdims=True)
    return Block(scores, truth, rng.integers(0, n_groups, n_songs), np.ones(n_songs))


def blocks_of(block, n=5):
    parts = np.array_split(np.arange(len(block.truth)), n)
    return lambda: (Block(*(column[part] for column in block)) for part in parts)


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
def test_the_power_by_which_a_model_overstates_is_found_again(power):
    found = fit_confidence(blocks_of(draw(1, power=power)), 8)
    np.testing.assert_allclose(found.sharpness, 1 / power, rtol=0.15)
    assert np.exp(np.log(found.sharpness).mean()) == pytest.approx(1 / power, rel=0.05)
    fresh = draw(2, power=power, n_songs=20_000)
    probabilities = found.probabilities(fresh.scores)
    right = probabilities.argmax(axis=1) == fresh.truth
    assert calibration_error(probabilities.max(axis=1), right) < 0.02
    np.testing.assert_array_equal(probabilities.argmax(axis=1), fresh.scores.argmax(axis=1))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)


def test_a_genre_that_is_overstated_alone_gets_a_temperature_of_its_own():
    block = draw(3, n_songs=20_000, n_groups=20_000, spread=1.0)
    first = block.scores.argmax(axis=1) == 0
    scores = np.where(first[:, None], block.scores**3, block.scores)
    scores /= scores.sum(axis=1, keepdims=True)
    found = fit_confidence(blocks_of(block._replace(scores=scores)), 8)
    assert found.sharpness[0] == pytest.approx(1 / 3, rel=0.15)
    np.testing.assert_allclose(found.sharpness[1:], 1.0, rtol=0.12)


def test_no_model_may_be_surer_than_the_labels_are():
    def with_wrong_labels(block, seed):
        rng = np.random.default_rng(seed)
        wrong = rng.random(len(block.truth)) < 0.2
        return block._replace(truth=np.where(wrong, rng.integers(0, 8, len(wrong)), block.truth))

    found = fit_confidence(blocks_of(with_wrong_labels(draw(20, spread=4.0, n_songs=12_000), 1)), 8)
    fresh = with_wrong_labels(draw(21, spread=4.0, n_songs=12_000), 2)
    p = found.probabilities(fresh.scores)
    assert 0.75 < p.max() < 0.88, "a fifth of the labels is drawn anew"
    assert calibration_error(p.max(axis=1), p.argmax(axis=1) == fresh.truth) < 0.02
    np.testing.assert_array_equal(p.argsort(axis=1), fresh.scores.argsort(axis=1))
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    covered = [y in one for y, one in zip(fresh.truth, found.sets(p), strict=True)]
    assert np.mean(covered) == pytest.approx(0.9, abs=0.015)


def test_few_songs_a_genre_share_one_temperature_rather_than_follow_chance():
    block = draw(30, n_songs=900, n_classes=100, n_groups=300, power=2.0)
    found = fit_confidence(blocks_of(block), 100)
    assert found.sharpness.std() < 0.05 * found.sharpness.mean(), "nine songs a genre, and no genre differs"
    assert found.sharpness[0] == pytest.approx(0.5, rel=0.15)


def test_a_curve_rises_and_stays_straight_where_there_is_nothing_to_learn():
    rng = np.random.default_rng(22)
    top = rng.uniform(0.2, 1.0, 5000)
    curve = fit_curve(top, rng.random(5000) < top**2, 5000)
    assert (np.diff(curve) >= 0).all() and curve.shape == (2, 20)
    np.testing.assert_allclose(curve[1], curve[0] ** 2, atol=0.08)
    few = fit_curve(top[:60], rng.random(60) < top[:60], 60)
    np.testing.assert_allclose(np.interp(top, *few), top, atol=0.12)
    assert fit_curve(top[:60], np.ones(60, bool), 5)[1, 1] < 0.85, "five artists do not make a model infallible"


def test_mixtures_raise_and_lower_the_first_class_and_keep_the_order():
    curve = np.array([[0.2, 0.5, 0.9], [0.1, 0.6, 0.8]])
    sure = Confidence(np.ones(3), curve, np.ones(3), 0.9, 100, 50, 1e-12)
    p = sure.probabilities(np.array([[0.5, 0.3, 0.2], [0.02, 0.9, 0.08], [0.34, 0.33, 0.33]]))
    np.testing.assert_allclose(p.max(axis=1), [0.6, 0.8, max(np.interp(0.34, *curve), 1 / 3)], atol=1e-9)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert p.argsort(axis=1).tolist()[:2] == [[2, 1, 0], [0, 2, 1]]


def test_sets_hold_the_genre_of_new_songs_as_often_as_stated():
    found = fit_confidence(blocks_of(draw(4, power=2.0)), 8)
    fresh = draw(5, power=2.0, n_songs=20_000)
    probabilities = found.probabilities(fresh.scores)
    sets = found.sets(probabilities)
    covered = np.array([y in one for y, one in zip(fresh.truth, sets, strict=True)])
    assert covered.mean() == pytest.approx(0.9, abs=0.01)
    np.testing.assert_array_equal(
        covered, mass_ahead(probabilities, fresh.truth)[0] <= found.thresholds[fresh.truth] + 1e-9
    )
    assert all(one[0] == best for one, best in zip(sets, probabilities.argmax(axis=1), strict=True))
    assert 1 < np.mean([len(one) for one in sets]) < 7


def test_a_hard_genre_of_many_artists_is_covered_like_an_easy_one():
    rng = np.random.default_rng(6)
    n = 12_000
    truth, group = rng.integers(0, 2, n), rng.integers(0, 3000, n)
    ahead = np.where(truth == 1, rng.beta(4, 2, n), rng.beta(1, 4, n))
    thresholds = fit_thresholds(ahead, truth, group, 2)
    fresh = np.where(truth == 1, rng.beta(4, 2, n), rng.beta(1, 4, n))
    for k in (0, 1):
        assert (fresh[truth == k] <= thresholds[k]).mean() == pytest.approx(0.9, abs=0.015)
    common = artist_quantile(ahead, group, 0.9)
    assert (fresh[truth == 1] <= common).mean() < 0.85, "one threshold for both would miss the hard one"


def test_small_genres_share_a_threshold_with_those_that_are_as_hard():
    rng = np.random.default_rng(7)
    n_classes, songs = 300, 60
    truth = np.repeat(np.arange(n_classes), songs)
    group = truth * 10 + rng.integers(0, 10, len(truth))  # ten artists a genre: too few for a threshold of its own
    group = np.unique(rng.permutation(n_classes * 10)[group], return_inverse=True)[1]
    hard = np.arange(n_classes) % 2 == 1

    def scores():
        return np.where(hard[truth], rng.beta(4, 2, len(truth)), rng.beta(1, 4, len(truth)))

    ahead = scores()
    thresholds = fit_thresholds(ahead, truth, group, n_classes)
    shared = np.full(n_classes, artist_quantile(ahead, group, 0.9))
    sizes = np.full(n_classes, songs * 50)

    def gap(limits):
        covered = sum(np.bincount(truth, weights=scores() <= limits[truth]) for _ in range(50))
        return coverage_gap(covered, sizes, 0.9)

    assert gap(thresholds) < 0.03 < 0.08 < gap(shared)
    assert np.quantile(thresholds[hard], 0.1) > 1.5 * np.quantile(thresholds[~hard], 0.9)


def test_a_quantile_leaves_room_for_one_more_artist():
    values = np.arange(1, 101) / 100
    assert artist_quantile(values, np.arange(100), 0.9) == 0.91
    assert artist_quantile(values, np.arange(100) // 5, 0.9) == 0.95  # twenty artists
    assert artist_quantile(values, np.arange(100) // 50, 0.9) == 1.0, "of two artists nothing follows"
    assert artist_quantile(np.zeros(0), np.zeros(0, int), 0.9) == 1.0
    weight = np.where(values <= 0.5, 3.0, 1.0)  # 200 songs in all, 150 of them up to a half
    assert artist_quantile(values, np.arange(100), 0.75 / 1.01, weight) == 0.5
    assert artist_quantile(values, np.arange(100), 0.81, unheard=0.1) == 0.91, "81 % of all are 90 % of these"
    assert artist_quantile(values, np.arange(100), 0.95, unheard=0.1) == 1.0


def test_too_few_songs_or_artists_say_nothing():
    assert fit_confidence(blocks_of(draw(8, n_songs=40)), 8) is None
    assert fit_confidence(blocks_of(draw(8, n_songs=500, n_groups=5)), 8) is None
    assert fit_confidence(lambda: iter(()), 8) is None


def test_what_was_never_scored_is_not_impossible_and_no_score_at_all_says_nothing():
    logs = log_probabilities(np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]), 1e-6)
    assert np.isfinite(logs).all()
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1.0)
    np.testing.assert_allclose(np.exp(logs[1]), 0.25)


def test_equal_probabilities_come_in_the_order_of_the_genres():
    p = np.array([[0.2, 0.4, 0.2, 0.2]])
    ahead = [mass_ahead(p, np.array([k])) for k in range(4)]
    assert [mass[0] for mass, _ in ahead] == pytest.approx([0.4, 0.0, 0.6, 0.8])
    assert [n[0] for _, n in ahead] == [1, 0, 2, 3]
    known = Confidence(np.ones(4), STRAIGHT, np.full(4, 0.6), 0.9, 100, 100, 1e-6)
    assert known.sets(p)[0].tolist() == [1, 0, 2]


def test_it_is_stored_as_json_and_read_again():
    found = fit_confidence(blocks_of(draw(9)), 8)
    again = Confidence.from_json(json.loads(json.dumps(found.to_json())), 8)
    scores = draw(10).scores
    np.testing.assert_array_equal(again.probabilities(scores), found.probabilities(scores))
    np.testing.assert_array_equal(again.thresholds, found.thresholds)
    np.testing.assert_array_equal(again.curve, found.curve)
    assert Confidence.from_json(None, 8) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sharpness": [1.0] * 7}, "sharpness must be one non-negative number"),
        ({"thresholds": [float("nan")] * 8}, "thresholds must be one non-negative number"),
        ({"curve": [[0.1, 0.2], [0.5, 0.4]]}, "curve has decreasing values"),
        ({"curve": [[0.1, 0.2]]}, "curve must be two lists"),
        ({"thresholds": "many"}, "cannot be read: ValueError"),
        ({"coverage": None}, "cannot be read: TypeError"),
    ],
)
def test_something_else_is_refused(change, message):
    stored = fit_confidence(blocks_of(draw(9)), 8).to_json()
    with pytest.raises(ModelError, match=message):
        Confidence.from_json(stored | change, 8)


@pytest.mark.parametrize(("asked", "n_classes", "most"), [(0, 6, 3), (0, 1, 1), (0, 3000, 100), (7, 3000, 7)])
def test_a_set_of_half_the_genres_or_a_hundred_is_no_answer(asked, n_classes, most):
    assert most_genres(asked, n_classes) == most


SETTINGS = GridSettings("macro_f1", calibrate=True, weights=False)


def _files(matrix):
    return MatrixFiles(matrix.dataset_id, matrix.n_classes, matrix.multi, str(matrix.folder))


@pytest.mark.parametrize("kept_cells", [10**9, 0])
def test_songs_of_many_rows_are_scored_by_the_mean_whether_scores_are_kept_or_made_again(
    tmp_path, monkeypatch, kept_cells
):
    monkeypatch.setattr(held_out, "KEPT_CELLS", kept_cells)
    small = held_out.song_blocks
    monkeypatch.setattr(held_out, "song_blocks", lambda *given: small(*given, block_bytes=400))
    matrix = make_matrix(tmp_path, rows_per_song=3)
    X, y, song, fold = (matrix.array(name) for name in ("X", "y", "song", "fold"))
    held = HeldOut(X, y, song, matrix.array("group"), 3)
    expected = []
    for one in matrix.folds:
        model, _ = fit(make_trial("logistic_regression"), _files(matrix), SETTINGS, np.flatnonzero(fold != one))
        held.add(model, np.flatnonzero(fold != one), np.flatnonzero(fold == one))
        scores = model.scores(X)
        expected += [scores[song == number].mean(axis=0) for number in np.unique(song[fold == one])]
    for _ in range(2):
        blocks = list(held._blocks(np.ones(len(X))))
        assert len(blocks) > len(matrix.folds)
        np.testing.assert_allclose(np.concatenate([block.scores for block in blocks]), expected, rtol=1e-6)
        songs = np.concatenate([np.unique(song[fold == one]) for one in matrix.folds])
        np.testing.assert_array_equal(np.concatenate([block.group for block in blocks]), songs)
        np.testing.assert_array_equal(np.concatenate([block.truth for block in blocks]), songs % 3)


@pytest.mark.parametrize(("estimator", "params"), [("knn", {"n_neighbors": 3}), ("linear_svc", {})])
def test_a_refitted_model_comes_with_temperatures_that_make_it_honest(tmp_path, estimator, params):
    from genreatlas.models.engines.scikit_learn.sklearn_pipelines import loads

    matrix = make_matrix(tmp_path, songs_per_class=250, separation=0.6)
    rows = list(refit_rows(make_trial(estimator, **params), _files(matrix), SETTINGS))
    model = loads(b"".join(row["content"] for row in rows))
    found = Confidence.from_json(json.loads(rows[0]["confidence"]), 3)
    assert (found.n_songs, found.n_groups) == (750, 750)
    fresh = make_matrix(tmp_path / "fresh", songs_per_class=1500, separation=0.6)
    y = fresh.array("y")
    raw = model.scores(np.array(fresh.array("X")))
    sure = found.probabilities(raw)
    errors = [calibration_error(p.max(axis=1), p.argmax(axis=1) == y) for p in (raw, sure)]
    assert errors[1] < 0.06
    if estimator == "knn":  # three neighbours are all of one genre too often
        assert errors[0] > 2 * errors[1]
    covered = np.mean([truth in one for truth, one in zip(y, found.sets(sure), strict=True)])
    assert covered > 0.87


@pytest.mark.parametrize("case", ["baseline", "multi", "not asked", "one fold"])
def test_some_models_stay_as_they_are(tmp_path, case):
    changes = {"fold": np.zeros(300, dtype=np.int16)} if case == "one fold" else {}
    matrix = make_matrix(tmp_path, songs_per_class=100, multi=case == "multi", **changes)
    trial = make_trial("majority", "baseline") if case == "baseline" else make_trial("logistic_regression")
    settings = replace(SETTINGS, calibrate=case != "not asked", metric="macro_average_precision")
    rows = list(refit_rows(trial, _files(matrix), settings))
    assert [(row["reason"], row["confidence"]) for row in rows] == [(None, None)] * len(rows)


def test_enough_songs_end_the_fits(tmp_path, monkeypatch):
    from genreatlas.models.engines import held_out

    matrix = make_matrix(tmp_path, songs_per_class=100)

    def songs_with(enough, per_genre):
        monkeypatch.setattr(held_out, "ENOUGH_SONGS", enough)
        monkeypatch.setattr(held_out, "ENOUGH_SONGS_PER_GENRE", per_genre)
        rows = list(refit_rows(make_trial("logistic_regression"), _files(matrix), SETTINGS))
        return json.loads(rows[0]["confidence"])["n_songs"]

    assert songs_with(100, 1) == 125, "three of eight halves of folds"
    assert songs_with(1, 33) == 125, "the same number for the three genres together"
    assert songs_with(100, 1000) == 300


def test_clusters_are_told_apart_without_chance():
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.normal(0.2, 0.02, (50, 5)), rng.normal(0.7, 0.02, (30, 5))])
    label = confidence_fits._k_means(points, np.ones(80), 2)
    assert len(set(label[:50])) == len(set(label[50:])) == 1
    assert label[0] != label[-1]
