"""The map of genres on songs with known answers: profiles, places, regions, and what is said of them."""

import itertools

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from genreatlas.atlas import genealogy, positions, profiles, quality, regions
from genreatlas.atlas.arborescence import arborescence
from genreatlas.atlas.drawing import chart, draw_labelled, draw_sound, draw_tree
from genreatlas.atlas.profiles import Songs
from genreatlas.atlas.typical import typical_songs
from genreatlas.config import Config
from genreatlas.errors import InputError

SETTINGS = Config().map.model_copy(update={"half_samples": 2})


def make_songs(values, genre, recording=None, artist=None, weight=None) -> Songs:
    n = len(genre)
    return Songs(
        values=np.asarray(values, dtype=np.float32).reshape(n, -1),
        recording=np.arange(n) if recording is None else np.array(recording),
        artist=np.arange(n) if artist is None else np.array(artist),
        song=np.arange(n),
        genre=np.array(genre),
        weight=np.ones(n) if weight is None else np.array(weight),
    )


def world(n_genres: int = 40, per_genre: int = 12, seed: int = 3) -> tuple[Songs, np.ndarray]:
    """Genres at known places of four dimensions, in two families far apart."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(n_genres, 4)) + np.where(np.arange(n_genres) % 2, 6.0, 0.0)[:, None]
    genre = np.repeat(np.arange(n_genres), per_genre)
    return make_songs(centres[genre] + random.normal(size=(len(genre), 4)), genre), centres


def names(n: int) -> list[str]:
    return [f"{'deep' if i % 4 < 2 else 'hard'} s{i} {'house' if i % 2 else 'rock'}" for i in range(n)]


def ids(n: int) -> list[str]:
    return [f"g{i:02d}" for i in range(n)]


def test_copies_of_a_recording_count_once_and_their_labels_are_shared():
    songs = make_songs([1.0, 3.0, 10.0], [0, 1, 0], recording=[5, 5, 6])
    found = profiles.build_profiles(songs, 2, artist_share=1.0, shrink=False)
    assert found.songs.tolist() == [2, 1]
    # The recording with two genres weighs half of the other.
    assert found.mean[0, 0] == pytest.approx((0.5 * 2.0 + 1.0 * 10.0) / 1.5)
    assert found.mean[1, 0] == 2.0


@pytest.mark.parametrize(("share", "largest"), [(0.5, 0.5), (0.3, 1 / 3), (1.0, 0.8)])
def test_no_artist_has_more_than_its_share_unless_there_are_too_few_artists(share, largest):
    weight = profiles.cap_artists(np.ones(10), np.array([0] * 8 + [1, 2]), share)
    assert weight[:8].sum() / weight.sum() == pytest.approx(largest)


def test_songs_of_unknown_artists_are_each_somebody_elses():
    weight = profiles.cap_artists(np.ones(10), np.full(10, -1), 0.2)
    assert weight.tolist() == [1.0] * 10


def test_one_song_far_away_hardly_moves_a_profile():
    values = [*np.random.default_rng(1).normal(size=30), 1000.0]
    mean, spread = profiles.robust_moments(np.array(values)[:, None], np.ones(31))
    assert abs(mean[0]) < 0.4 and 0.5 < spread[0] < 1.5


def test_missing_values_are_left_out_and_a_feature_that_nobody_has_stays_undefined():
    values = np.array([[1.0, np.nan, np.nan], [3.0, 2.0, np.nan]])
    mean, spread = profiles.robust_moments(values, np.ones(2))
    np.testing.assert_array_equal(mean, [2.0, 2.0, np.nan])
    assert np.isnan(spread).tolist() == [False, True, True]


def test_a_genre_of_two_songs_is_pulled_toward_larger_ones_and_a_large_one_is_not():
    random = np.random.default_rng(5)
    genre = np.repeat(np.arange(13), [200] * 12 + [2])
    centres = np.repeat([[0.0, 0.0], [9.0, 9.0]], [6, 7], axis=0) + random.normal(0, 0.3, (13, 2))
    songs = make_songs(centres[genre] + random.normal(0, 2, (len(genre), 2)), genre)
    raw = profiles.build_profiles(songs, 13, 1.0, shrink=False)
    found = profiles.build_profiles(songs, 13, 1.0)
    off = [np.linalg.norm(one.mean[12] - centres[12]) for one in (found, raw)]
    assert off[0] < off[1] and found.own[12] < 0.5
    assert found.own[:12].min() > 0.9


def test_half_samples_share_no_recording_of_a_genre_and_have_half_of_each():
    songs, _ = world()
    one, other = profiles.half_samples(songs, seed=1)
    for genre in range(40):
        halves = [set(half.recording[half.song[half.genre == genre]]) for half in (one, other)]
        assert not halves[0] & halves[1] and [len(half) for half in halves] == [6, 6]


def test_neighbours_are_those_of_brute_force():
    space = np.random.default_rng(0).normal(size=(90, 5))
    near, far = regions.nearest_genres(space, 4)
    distance = np.sqrt(((space[:, None] - space[None]) ** 2).mean(axis=2))
    np.fill_diagonal(distance, np.inf)
    assert (near == np.argsort(distance, axis=1)[:, :4]).all()
    np.testing.assert_allclose(far, np.sort(distance, axis=1)[:, :4])


def test_trustworthiness_and_continuity_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    space = random.normal(size=(120, 5))
    places = space[:, :2] + random.normal(0, 0.3, (120, 2))
    found = quality.neighbourhoods(space, places, k=10)
    wanted = [trustworthiness(a, b, n_neighbors=10) for a, b in ((space, places), (places, space))]
    assert found == pytest.approx(wanted)
    assert np.isnan(quality.neighbourhoods(space[:10], places[:10], k=10)[0])


def test_families_are_last_words_that_many_share_and_distances_agree_with_themselves_only():
    said = [*["acid house", "deep house"] * 20, "rock"]
    family = quality.families(said, least=40)
    assert set(family[:40]) == {"house"} and family[40] == ""
    places = np.random.default_rng(0).normal(size=(200, 2))
    assert quality.mantel(places, places * 3 + 1) == pytest.approx(1.0)
    assert abs(quality.mantel(places, places, shuffle=1)) < 0.1
    side = np.array(["left", "right"], dtype=object)[(places[:, 0] > 0).astype(int)]
    assert quality.family_accuracy(places, side, k=5) > 0.9


def test_two_kinds_of_music_are_two_regions_named_by_their_words():
    songs, _ = world()
    charted = chart(songs, ids(40), names(40), SETTINGS)
    kind = np.arange(40) % 2
    inside = [set(kind[charted.placed[charted.regions.coarse == r]]) for r in range(len(charted.coarse_names))]
    assert all(len(one) == 1 for one in inside)
    for region, name in enumerate(charted.coarse_names):
        word = "house" if inside[region] == {1} else "rock"
        assert word in name.words
    of_fine = {tuple(pair) for pair in zip(charted.regions.fine, charted.regions.coarse, strict=True)}
    assert len(of_fine) == len(charted.fine_names)  # each fine region lies in one coarse one


def test_genres_with_few_songs_are_left_out_and_too_few_genres_make_no_map():
    songs, _ = world(6)
    few = Songs(songs.values, songs.recording, songs.artist, songs.song[:-9], songs.genre[:-9], songs.weight[:-9])
    charted = chart(few, ids(6), names(6), SETTINGS)
    assert charted.placed.tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(InputError, match=r"0 of 6 genres .* Lower map.min_songs"):
        chart(few, ids(6), names(6), SETTINGS.model_copy(update={"min_songs": 50}))


def test_a_map_drawn_again_is_the_same_to_the_bit_and_keeps_kinds_apart():
    songs, _ = world()
    charted = chart(songs, ids(40), names(40), SETTINGS)
    again = chart(songs, ids(40), names(40), SETTINGS)
    assert charted.profile_id == again.profile_id
    drawn, other = draw_sound(charted, songs, SETTINGS), draw_sound(again, songs, SETTINGS)
    assert drawn.places.tobytes() == other.places.tobytes()
    assert drawn.instability.tobytes() == other.instability.tobytes()
    assert np.isfinite(drawn.instability).all()
    near, _ = regions.nearest_genres(drawn.places, 1)
    assert ((np.arange(40) % 2) == (near[:, 0] % 2)).mean() > 0.9


def test_a_new_map_keeps_known_places_and_puts_a_new_genre_beside_its_like():
    songs, _ = world()
    first = chart(songs, ids(40), names(40), SETTINGS)
    drawn = draw_sound(first, songs, SETTINGS.model_copy(update={"half_samples": 0}))
    turned = drawn.places @ np.array([[0.0, 1.0], [-1.0, 0.0]])  # as it might lie in a store
    turned[7] = np.nan
    moved = draw_sound(first, songs, SETTINGS.model_copy(update={"half_samples": 0}), last=turned)
    assert moved.moved < 0.3
    assert positions.procrustes_r2(moved.places, turned) > 0.9
    near, _ = regions.nearest_genres(moved.places, 5)
    assert (near[7] % 2 == 1).mean() > 0.7


def test_few_genres_lie_on_principal_components():
    songs, _ = world(6)
    charted = chart(songs, ids(6), names(6), SETTINGS)
    drawn = draw_sound(charted, songs, SETTINGS)
    assert drawn.method == "principal components"
    assert np.sqrt((drawn.places**2).sum(axis=1).mean()) == pytest.approx(1.0)


def test_a_turned_and_mirrored_map_is_aligned():
    points = np.random.default_rng(0).normal(size=(30, 2))
    target = points @ np.array([[0.0, -2.0], [-2.0, 0.0]]) + [5.0, 1.0]
    assert positions.procrustes_r2(points, target) == pytest.approx(1.0)
    assert positions.procrustes_r2(np.random.default_rng(1).normal(size=(30, 2)), target) < 0.3


def test_axes_are_learnt_where_coordinates_are_known_and_judged_on_genres_held_out():
    songs, centres = world(120)
    charted = chart(songs, ids(120), names(120), SETTINGS)
    coordinates = np.stack([centres[:, 0] ** 3, centres[:, 1]], axis=1)
    coordinates[100:] = np.nan
    drawn = draw_labelled(charted, coordinates, SETTINGS)
    assert min(drawn.axes_r2) > 0.6
    assert drawn.known.tolist() == [True] * 100 + [False] * 20
    assert np.corrcoef(drawn.places[100:, 0], centres[100:, 0])[0, 1] > 0.8
    coordinates[30:] = np.nan
    with pytest.raises(ValueError, match="30 genres have coordinates; axes need 50"):
        draw_labelled(charted, coordinates, SETTINGS)


def test_the_longest_end_and_the_longest_beginning_of_a_name_are_its_heads():
    said = ["house", "deep house", "very deep house", "rap", "rap chileno", "gospel", "drill", "gospel drill",
            "hip hop", "slovak hip hop", "Deep House Rap"]  # fmt: skip
    heads = {(said[child], said[parent]) for child, parent in genealogy.name_heads(said)}
    assert heads == {
        ("deep house", "house"), ("very deep house", "deep house"), ("rap chileno", "rap"), ("gospel drill", "drill"),
        ("gospel drill", "gospel"), ("slovak hip hop", "hip hop"), ("Deep House Rap", "rap"),
        ("Deep House Rap", "deep house"),
    }  # fmt: skip


def test_the_tree_is_the_one_of_the_largest_weight_and_has_no_circle():
    random = np.random.default_rng(2)
    for _ in range(40):
        n = 5
        pairs = [(c, p) for c in range(n) for p in range(n) if c != p and random.random() < 0.7]
        weight = random.normal(size=len(pairs))
        found = arborescence(n, np.array([c for c, _ in pairs]), np.array([p for _, p in pairs]), weight, root=-0.5)
        of = {pair: float(w) for pair, w in zip(pairs, weight, strict=True)} | {(c, -1): -0.5 for c in range(n)}

        def worth(parents, of=of):
            for node in range(len(parents)):
                seen, at = set(), node
                while at >= 0 and at not in seen:
                    seen.add(at)
                    at = parents[at]
                if at >= 0:
                    return -np.inf
            return sum(of.get((c, int(p)), -np.inf) for c, p in enumerate(parents))

        best = max(worth(parents) for parents in itertools.product(range(-1, n), repeat=n))
        assert worth(found) == pytest.approx(best)


def family_world() -> tuple[Songs, list[str], np.ndarray]:
    """Four large genres; 15 children of each sound like it, and half of them are called after it."""
    random = np.random.default_rng(4)
    heads = ["house", "rock", "jazz", "folk"]
    centres = np.eye(4) * 5
    of = np.concatenate([np.arange(4), np.repeat(np.arange(4), 15)])
    places = centres[of] + random.normal(0, [0.1] * 4 + [0.8] * 60, (4, 64)).T
    said = heads + [f"s{i} {heads[k]}" if i % 2 else f"unnamed{i}" for i, k in enumerate(of[4:])]
    size = np.array([60] * 4 + [8] * 60)
    genre = np.repeat(np.arange(64), size)
    return make_songs(places[genre] + random.normal(0, 0.7, (len(genre), 4)), genre), said, of


def test_children_without_a_telling_name_find_the_parent_whose_children_they_sound_like():
    songs, said, of = family_world()
    charted = chart(songs, ids(64), said, SETTINGS)
    tree = draw_tree(charted, songs, said, SETTINGS)
    first = tree.rank == 1
    unnamed = first & np.array([said[child].startswith("unnamed") for child in tree.child])
    assert unnamed.sum() >= 28
    assert (tree.parent[unnamed] == of[tree.child[unnamed]]).mean() > 0.9
    assert tree.probability[first & tree.name_head].min() > 0.85
    assert np.bincount(tree.child[tree.drawn], minlength=64).max() == 1
    # Pairs of two large genres were never seen: nothing is concluded from how unlike the known pairs they are.
    assert tree.drawn[tree.child < 4].sum() == 0 and tree.probability[tree.child < 4].max() < 0.2
    assert (tree.artist_containment == 0).all()  # every song has an artist of its own


def test_what_is_said_of_a_known_child_does_not_come_from_knowing_it():
    songs, said, _ = family_world()
    random = np.random.default_rng(7)
    shuffled = [*said[:4], *[f"s{i} {said[random.integers(4)]}" for i in range(60)]]  # names that sound does not tell
    charted = chart(songs, ids(64), shuffled, SETTINGS)
    tree = draw_tree(charted, songs, shuffled, SETTINGS)
    assert max(tree.by_sound[tree.name_head].mean(), tree.hits[0]) < 0.5
    honest = draw_tree(chart(songs, ids(64), said, SETTINGS), songs, said, SETTINGS)
    assert honest.hits[0] > 0.85 and honest.hits[1] >= honest.hits[0]
    assert honest.by_sound[honest.name_head].mean() > 0.6


def test_what_is_known_otherwise_is_drawn_and_a_genre_with_thin_evidence_has_no_parent():
    songs, said, _ = family_world()
    parents = {"g05": "g03", "g10": "elsewhere"}
    charted = chart(songs, ids(64), said, SETTINGS, parents)
    assert charted.given == [(5, 3)]
    assert charted.profile_id != chart(songs, ids(64), said, SETTINGS).profile_id
    tree = draw_tree(charted, songs, said, SETTINGS)
    mine = tree.drawn & (tree.child == 5)
    assert tree.parent[mine].tolist() == [3] and tree.known[mine].all()
    # Of two origins that a table gives, sound tells which is drawn.
    charted = chart(songs, ids(64), said, SETTINGS, influences=[("g04", "g00"), ("g04", "g02"), ("g04", "elsewhere")])
    told = draw_tree(charted, songs, said, SETTINGS)
    mine = told.child == 4
    assert dict(zip(told.parent[mine].tolist(), told.influence[mine].tolist(), strict=True)) == {
        0: True, 1: False, 2: True, 3: False
    }  # fmt: skip
    assert told.parent[mine & told.drawn].tolist() == [0] and told.probability[mine & told.influence].min() > 0.999
    strict = draw_tree(charted, songs, said, SETTINGS.model_copy(update={"parent_probability": 1.0}))
    assert strict.drawn.sum() <= 1
    # So few known parents teach nothing: the tree has them alone, of two the nearer.
    unnamed = [f"x{i}" for i in range(64)]
    alone = draw_tree(charted, songs, unnamed, SETTINGS)
    assert list(zip(alone.child, alone.parent, alone.rank, alone.drawn, alone.influence, strict=True)) == [
        (4, 0, 1, True, True), (4, 2, 2, False, True)
    ]  # fmt: skip
    assert np.isnan(alone.by_sound).all() and alone.distance[0] < alone.distance[1]
    named = draw_tree(charted, songs, ["house", "rock", *unnamed[2:5], "deep house", *unnamed[6:]], SETTINGS)
    assert named.probability[named.name_head] == pytest.approx([genealogy.NAME_PROBABILITY], abs=1e-5)
    assert named.child[named.drawn].tolist() == [4, 5]
    assert draw_tree(chart(songs, ids(64), unnamed, SETTINGS), songs, unnamed, SETTINGS) is None


def test_typical_songs_lie_nearest_to_their_genre_one_of_each_artist_and_recording_first():
    #        near  copy  nearer, same artist  far   no feature  other genre
    values = [1.0, 1.1, 0.9, 4.0, np.nan, 11.0]
    songs = make_songs(values, [0, 0, 0, 0, 0, 1], recording=[0, 0, 1, 2, 3, 4], artist=[7, 7, 7, 8, -1, 7])
    found = typical_songs(songs, np.array([[0.8], [10.8]]), np.array([0, 1]))
    rows = list(zip(found.genre.tolist(), found.rank.tolist(), found.row.tolist(), strict=True))
    assert rows == [(0, 1, 2), (0, 2, 3), (0, 3, 0), (1, 1, 5)]
    # Both means lie 5 from their middle.
    assert found.distance == pytest.approx([0.1 / 5, 3.2 / 5, 0.2 / 5, 0.2 / 5])


def test_unknown_artists_are_everybody_and_typical_songs_end_with_the_wanted_number():
    songs = make_songs(np.arange(9.0), [0] * 9, artist=[-1] * 9)
    # One genre alone has no scale: nothing is more typical than anything else.
    assert len(typical_songs(songs, np.array([[0.0], [5.0]]), np.array([0])).row) == 0
    both = typical_songs(songs, np.array([[0.0], [5.0]]), np.array([0, 1]), most=3)
    assert both.row.tolist() == [0, 1, 2] and both.genre.tolist() == [0, 0, 0]


def test_what_trees_say_of_parents_is_what_a_forest_of_scikit_learn_says():
    """Trees are asked and dropped one by one; a forest that is kept says the same, but for the last bit of a sum."""
    from sklearn.ensemble import ExtraTreesClassifier

    random = np.random.default_rng(5)
    space, parent, asked = random.normal(size=(200, 6)), 3 * random.integers(0, 17, 200), random.normal(size=(40, 6))
    kept = ExtraTreesClassifier(genealogy._TREES, min_samples_leaf=genealogy._LEAF, random_state=11).fit(space, parent)
    told = genealogy.tell_parents(space, parent, asked, 11)
    assert told.shape == (40, 17) and told.sum(axis=1) == pytest.approx(np.ones(40))
    np.testing.assert_allclose(told, kept.predict_proba(asked), rtol=0, atol=1e-12)
