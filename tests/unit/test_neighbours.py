"""Nearest songs by known answers: distances, ties, hubs, copies, an index."""

import numpy as np
import pytest

from genreatlas.neighbours import approximate
from genreatlas.neighbours.hubness import choose_weight, judge_lists
from genreatlas.neighbours.search import local_scale, measure, nearest
from genreatlas.neighbours.space import expected_distance, fit_space, similarity, to_vectors


def isotropic(n, width=64, seed=0):
    return np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)


def places(n):
    return np.arange(n, dtype=np.int32)


def brute(songs, k, scale=None):
    """Lists by the definition, in float64."""
    values = songs.astype(np.float64)
    squares = np.stack([((values - one) ** 2).mean(axis=1) for one in values])
    corrected = squares if scale is None else squares - (scale[:, None] + scale)
    np.fill_diagonal(corrected, np.inf)
    order = np.argsort(corrected, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(corrected, order, 1)


@pytest.mark.parametrize("corrected", [False, True])
def test_lists_are_those_of_the_definition(corrected):
    songs = isotropic(700, 16)
    scale = np.random.default_rng(1).uniform(0.1, 0.5, 700) if corrected else None
    found = nearest(songs, places(700), places(700), 12, scale)
    order, values = brute(songs, 12, scale)
    assert (found.places == order).all()
    assert found.corrected == pytest.approx(values, rel=1e-12)
    assert (np.diff(found.corrected, axis=1) >= 0).all()


def test_lists_do_not_depend_on_who_else_asks_or_in_which_order_songs_lie_in_blocks():
    songs = isotropic(9000, 24, seed=2)
    whole = nearest(songs, places(9000)[:600], places(9000), 20)
    some = nearest(songs, np.array([17, 599], dtype=np.int32), places(9000), 20)
    for name in ("places", "distance", "corrected"):
        assert (getattr(whole, name)[[17, 599]] == getattr(some, name)).all()
    one, two = (nearest(songs, places(600), part, 20) for part in (places(9000)[:5000], places(9000)[5000:]))
    both = np.concatenate([one.places, two.places], axis=1)
    merged = measure(songs, places(600), both, 20)
    assert (merged.places == whole.places).all() and (merged.distance == whole.distance).all()


def test_a_bound_leaves_out_what_is_farther_and_nothing_else():
    songs = isotropic(800, 16, seed=3)
    scale = np.random.default_rng(1).uniform(0.1, 0.5, 800)
    found = nearest(songs, places(800), places(800), 10, scale)
    bound = found.corrected[:, 4].copy()
    near = nearest(songs, places(800), places(800), 10, scale, bound)
    kept = near.corrected <= bound[:, None]
    assert (kept[:, :5]).all() and (near.places[:, :5] == found.places[:, :5]).all()


def test_copies_come_first_at_no_distance_in_the_order_of_their_places():
    songs = isotropic(300, 8)
    songs[[40, 130, 200]] = songs[7]
    found = nearest(songs, places(300), places(300), 5)
    assert found.places[130, :3].tolist() == [7, 40, 200] and (found.distance[130, :3] == 0).all()
    assert similarity(found.distance[130, :1], np.ones(1), np.ones(1)).tolist() == [1.0]


def test_a_song_is_never_its_own_neighbour_and_short_lists_end_with_none():
    found = nearest(isotropic(4, 8), places(4), places(4), 10)
    assert ((found.places >= 0).sum(axis=1) == 3).all()
    assert not (found.places == np.arange(4)[:, None]).any()
    assert np.isnan(found.distance[:, 3:]).all()
    assert np.isfinite(local_scale(found, 4)).all()


def test_the_hub_at_the_centre_is_on_every_list_until_lists_are_corrected():
    songs = isotropic(2000, 64)
    songs[0] = 0.0  # nearer to most songs than these are to each other
    everybody = places(2000)
    plain = nearest(songs, everybody, everybody, 20)
    assert (plain.places[1:, 0] == 0).mean() > 0.8
    found = nearest(songs, everybody, everybody, 10, 0.75 * local_scale(plain, len(songs)))
    assert (found.places[1:] == 0).any(axis=1).mean() < 0.1
    before, after = judge_lists(plain.places[:, :10]), judge_lists(found.places)
    assert before.skew > 4 and before.antihubs > 0.1 and before.reachable < 0.9
    assert after.skew <= 1.0 and after.antihubs <= 0.02 and after.reachable >= 0.95


def test_the_correction_keeps_songs_of_a_crowd_together():
    random = np.random.default_rng(5)
    crowd = np.repeat(np.arange(20), 60)
    songs = (
        random.normal(size=(20, 64))[crowd] + random.normal(size=(1200, 64)) * random.uniform(0.3, 1, 20)[crowd, None]
    )
    songs = songs.astype(np.float32)
    plain = nearest(songs, places(1200), places(1200), 20)
    found = nearest(songs, places(1200), places(1200), 10, 0.75 * local_scale(plain, len(songs)))
    right = [(crowd[lists[:, :10]] == crowd[:, None]).mean() for lists in (plain.places, found.places)]
    assert right[1] >= right[0] > 0.95


def test_no_more_is_corrected_than_there_are_hubs():
    assert choose_weight(isotropic(2000, 4), 7) == 0.0
    assert choose_weight(isotropic(2000, 64), 7) == 0.75
    assert 0 < choose_weight(isotropic(2000, 16), 7) < 0.75


def test_hubness_of_lists_that_are_known():
    ring = (np.arange(50)[:, None] + np.arange(1, 4)) % 50
    even = judge_lists(ring.astype(np.int32))
    assert (even.skew, even.antihubs, even.reachable) == (0.0, 0.0, 1.0)
    star = np.zeros((50, 1), dtype=np.int32)
    star[0] = 1
    hub = judge_lists(star)
    assert hub.skew > 6 and hub.antihubs == 48 / 50 and hub.reachable == pytest.approx(2 / 49, abs=0.5 / 49)


def test_scales_are_robust_and_what_is_unknown_or_constant_pulls_nowhere():
    values = np.random.default_rng(0).normal(5, 2, size=(5000, 4)).astype(np.float32)
    values[0, 0], values[1, 1], values[:, 2] = 1e6, np.nan, 3.0
    space, vectors = fit_space(values, ("a", "b", "same", "c"))
    assert space.features == ("a", "b", "c")
    assert space.centre == pytest.approx([5, 5, 5], abs=0.15) and space.spread == pytest.approx([2, 2, 2], abs=0.15)
    assert vectors[0, 0] == 5 and vectors[1, 1] == 0
    assert (to_vectors(values[:, [0, 1, 3]], space) == vectors).all()
    away = np.sqrt(((vectors.astype(float) - vectors[9]) ** 2).mean(axis=1))
    assert expected_distance(vectors[9:10], space) == pytest.approx(np.sqrt((away**2).mean()), rel=1e-6)


@pytest.mark.parametrize("corrected", [False, True])
def test_an_index_is_tuned_until_it_finds_what_was_asked_for(corrected, tmp_path):
    pytest.importorskip("faiss")
    random = np.random.default_rng(5)
    songs = (random.normal(size=(100, 16))[random.integers(0, 100, 6000)] * 3 + random.normal(size=(6000, 16))).astype(
        "f4"
    )
    scale = 0.5 * local_scale(nearest(songs, places(6000), places(6000), 20), 6000) if corrected else None
    tuned = approximate.build(songs, places(6000), scale, 0.98, 7)
    assert tuned.recall10 >= 0.98 and tuned.read < 0.5
    approximate.write(tuned, tmp_path / "index")
    asking = places(6000)[1000:1300]
    found = approximate.search(approximate.read(tmp_path / "index"), tuned.probes, songs, asking, 10, scale)
    truth = nearest(songs, asking, places(6000), 10, scale)
    assert approximate.recall_at(truth.places, found.places) > 0.95
    same = found.places == truth.places
    assert (found.corrected[same] == truth.corrected[same]).all()
