"""Lenses that compare genres by artists and by confusions, other ways to lay genres out, and how far maps agree."""

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import pdist

from genreatlas.atlas import lenses, positions, regions
from genreatlas.atlas.drawing import draw_shares
from genreatlas.atlas.profiles import Songs
from genreatlas.config import Config

SETTINGS = Config().map


def songs_of(pairs: list[tuple[int, int]], recording: list[int] | None = None) -> Songs:
    """A song for each pair of genre and artist."""
    n = len(pairs)
    genre, artist = (np.array([pair[k] for pair in pairs]) for k in (0, 1))
    return Songs(
        np.zeros((n, 1), dtype=np.float32), np.arange(n) if recording is None else np.array(recording), artist,
        np.arange(n), genre, np.ones(n),
    )  # fmt: skip


def hellinger(shares: np.ndarray) -> np.ndarray:
    return pdist(np.sqrt(shares))


@pytest.mark.parametrize("n", [60, 450])  # all coordinates at once, and the largest by Lanczos' method
def test_principal_coordinates_have_the_distances_of_hellinger(n):
    shares = np.random.default_rng(0).dirichlet(np.full(30, 0.3), size=n)
    space = lenses.hellinger_space(sparse.csr_matrix(shares), seed=1)
    assert space.shape == (n, 30) if n > 30 else True
    np.testing.assert_allclose(pdist(space), hellinger(shares), atol=1e-6)
    assert space.tobytes() == lenses.hellinger_space(sparse.csr_matrix(shares), seed=1).tobytes()


def test_genres_are_distributions_over_their_artists_of_whom_none_counts_too_much():
    pairs = [(0, 1)] * 8 + [(0, 2), (0, 3), (1, 1), (1, 2), (2, 9), (2, 8), (3, -1), (3, -1)]
    copies = [*range(7), 6, *range(8, 16)]  # the eighth song of artist 1 is a copy
    found = lenses.artist_shares(songs_of(pairs, copies), np.arange(4), artist_share=0.5, halves=2, seed=1)
    assert found.placed.tolist() == [0, 1]  # 2 shares no artist with another, of 3 none is known
    assert found.whole[0].toarray()[0, [1, 2, 3]] == pytest.approx([0.5, 0.25, 0.25])
    assert found.whole[1].toarray()[0, [1, 2]] == pytest.approx([0.5, 0.5])
    assert [half.shape for half in found.halves] == [found.whole.shape] * 2
    assert found.n_songs == 13  # recordings of artists that are known


def test_genres_of_the_same_artists_lie_together_on_the_lens_of_artists():
    random = np.random.default_rng(2)
    pairs = [(g, 100 * (g % 3) + int(random.integers(25))) for g in range(36) for _ in range(20)]
    shares = lenses.artist_shares(songs_of(pairs), np.arange(36), artist_share=0.2, halves=2, seed=1)
    drawn = draw_shares(shares, SETTINGS)
    near, _ = regions.nearest_genres(drawn.places, 3)
    assert (shares.placed[near] % 3 == (shares.placed % 3)[:, None]).mean() > 0.9
    assert np.isfinite(drawn.instability).all() and drawn.method == "tsne"
    again = draw_shares(shares, SETTINGS)
    assert again.places.tobytes() == drawn.places.tobytes()


def test_genres_that_a_model_takes_for_one_another_lie_together_on_the_lens_of_confusions():
    n, random = 40, np.random.default_rng(3)
    block = np.arange(n) % 4
    mean = np.where(block[:, None] == block, 0.08, 0.005)
    sums = [sparse.csr_matrix(mean * random.uniform(0.5, 1.5, mean.shape)) for _ in range(2)]
    counts = [np.full(n, 3), np.full(n, 3)]
    counts[0][5], counts[1][5] = 1, 0  # one held-out song says nothing about halves
    shares = lenses.confusion_shares(sums, counts, np.arange(1, n))
    assert shares.placed.tolist() == [g for g in range(1, n) if g != 5]
    assert shares.n_songs == 38 * 6
    assert np.asarray(shares.whole.sum(axis=1)).ravel() == pytest.approx(1.0)
    drawn = draw_shares(shares, SETTINGS)
    near, _ = regions.nearest_genres(drawn.places, 3)
    assert (block[shares.placed[near]] == block[shares.placed][:, None]).mean() > 0.9


def test_a_turned_map_agrees_with_itself_and_a_random_one_no_more_than_chance():
    random = np.random.default_rng(4)
    places = random.normal(size=(60, 2))
    turned = 3 * places @ np.array([[0.0, 1.0], [1.0, 0.0]]) + 5
    turned[7] = np.nan
    found = lenses.agreement(places, turned, seed=1)
    assert (found.n_genres, found.mantel, found.procrustes_r2) == (59, pytest.approx(1.0), pytest.approx(1.0))
    assert abs(found.mantel_chance) < 0.3 and found.procrustes_chance < 0.3
    other = lenses.agreement(places, random.normal(size=(60, 2)), seed=1)
    assert other.mantel < 0.2 and other.procrustes_r2 < 0.2
    assert lenses.agreement(places[:9], turned[:9], seed=1) is None


@pytest.mark.slow  # reason: numba compiles both for half a minute
@pytest.mark.parametrize("method", ["umap", "pacmap"])
def test_other_methods_keep_kinds_apart_and_draw_the_same_map_again(method):
    pytest.importorskip(method)
    random = np.random.default_rng(5)
    kind = np.arange(120) % 3
    space = random.normal(size=(120, 5)) + 4.0 * np.eye(3, 5)[kind]
    places = positions.embed(space, 30, seed=1, method=method)
    assert places.tobytes() == positions.embed(space, 30, seed=1, method=method).tobytes()
    near, _ = regions.nearest_genres(places, 3)
    assert (kind[near] == kind[:, None]).mean() > 0.95
    settled = positions.embed(space, 30, seed=2, start=places, method=method)
    assert positions.procrustes_r2(settled, places) > 0.8
    assert positions.method_of(120, method) == method and positions.method_of(5, method) == "principal components"


def test_without_known_artists_no_genre_is_on_the_lens_of_artists():
    found = lenses.artist_shares(songs_of([(g, -1) for g in range(6)]), np.arange(6), 0.2, halves=2, seed=1)
    assert len(found.placed) == 0 and found.n_songs == 0 and not found.differ
    alike = lenses.artist_shares(songs_of([(g, a) for g in range(6) for a in range(4)]), np.arange(6), 1.0, 0, seed=1)
    assert len(alike.placed) == 6 and not alike.differ
