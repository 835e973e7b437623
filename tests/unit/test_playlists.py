"""Playlists: known answers for keys, steps, choice, order and paths; and what holds for every recipe."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from genreatlas.audio.uris import path_to_uri
from genreatlas.config import PlaylistRecipe, load_config
from genreatlas.errors import ConfigError, InputError
from genreatlas.playlists.aims import Beside
from genreatlas.playlists.library import Known
from genreatlas.playlists.making import make
from genreatlas.playlists.music import (
    camelot,
    distances,
    key_distance,
    standardise,
    steps_from,
    tempo_distance,
    title_key,
)
from genreatlas.playlists.ordering import curve_at, fill_places, ranks, smooth
from genreatlas.playlists.references import find
from genreatlas.playlists.scored_files import Scored, with_files
from playlist_factory import recipe, rows_of, songs

NAN = float("nan")


def array(*values):
    return np.array(values, dtype=np.float64)


def test_keys_are_named_as_on_the_wheel_of_disc_jockeys():
    assert [camelot(*one) for one in ((0, 0), (9, 1), (7, 0), (5, 0), (11, 0), (8, 1))] == [
        "8B", "8A", "9B", "7B", "1B", "1A",
    ]  # fmt: skip
    assert camelot(NAN, 0) is None and camelot(3, NAN) is None
    assert len({camelot(key, minor) for key in range(12) for minor in (0, 1)}) == 24


def test_keys_are_as_far_as_the_circle_of_fifths_has_them():
    c_major = key_distance(0, 0, array(0, 7, 5, 9, 4, 6, 2), array(0, 0, 0, 1, 1, 0, 0))
    assert c_major.tolist() == [0, 1, 1, 1, 2, 6, 2]  # C, G, F, A minor, E minor, F sharp, D
    assert np.isnan(key_distance(NAN, 0, array(1), array(1))[0])


def test_tempi_are_compared_by_their_ratio_and_double_time_is_near():
    assert tempo_distance(100, array(100, 200, 50)).tolist() == [0, 1.5, 1.5]
    assert tempo_distance(100, array(105))[0] == pytest.approx(10 * np.log2(1.05))
    assert tempo_distance(100, array(140))[0] == pytest.approx(10 * np.log2(1.4))


@given(st.integers(0, 99), st.integers(0, 99))
def test_a_step_is_as_large_in_either_direction(one, other):
    music = songs(100, tempo=np.where(np.arange(100) % 3, np.linspace(60, 200, 100), NAN))
    there, back = (steps_from(music, a, np.array([b]))[0] for a, b in ((one, other), (other, one)))
    assert there == pytest.approx(back) and there >= 0


def test_features_count_in_spreads_and_what_does_not_vary_counts_nothing():
    values = np.column_stack([np.arange(101), np.full(101, 7.0), np.arange(101) * 1000.0]).astype(np.float32)
    values[0, 2] = NAN
    values[100] = NAN
    made = standardise(values)
    assert made.shape == (101, 2) and np.isnan(made[100]).all()
    assert made[0, 1] == 0 and made[50, 0] == pytest.approx(0, abs=0.02)
    assert np.abs(made[:100, 0] - made[:100, 1])[1:].max() < 0.05


def test_ranks_are_shares_and_ties_share_one():
    assert ranks(array(5, 1, 3, 3, NAN)).tolist()[:4] == pytest.approx([1, 0, 0.5, 0.5])
    assert np.isnan(ranks(array(NAN, 1))[0])


def test_a_curve_is_drawn_through_its_levels():
    assert curve_at((0.0, 1.0, 0.0), 5).tolist() == [0, 0.5, 1, 0.5, 0]
    assert fill_places(np.zeros(4), array(0.9, 0.1, 0.5, 0.0), (0.0, 1.0), 3).tolist() == [3, 2, 0]


def test_songs_on_a_line_are_put_in_the_order_of_the_line():
    place = np.random.default_rng(3).permutation(40).astype(float)
    order = smooth(np.abs(place[:, None] - place[None, :]))
    assert np.abs(np.diff(place[order])).sum() == 39
    first = smooth(np.abs(place[:, None] - place[None, :]), first=int(place.argmin()))
    assert place[first].tolist() == sorted(place)


def test_around_a_song_are_its_nearest_songs_and_it_opens():
    music = songs(200, copies=20)
    made = make(music, recipe("around", "song:song00007", songs=8, songs_per_artist=99), "x")
    away = distances(music, music.vectors[7])
    away[[7, 187]] = np.inf  # 187 is a copy of 7
    nearest = []
    for row in np.argsort(away):
        if music.recording[row] not in music.recording[nearest]:
            nearest.append(int(row))
    assert rows_of(made)[0] == 7 and set(rows_of(made)[1:]) == set(nearest[:7])
    assert "Number 1 of the songs nearest to Artist" in {e.row: e.reason for e in made.entries}[nearest[0]]


def test_neighbours_that_were_corrected_for_hubs_come_before_plain_distances():
    music = songs(200, copies=20)
    beside = Beside(neighbours={7: np.array([187, 50, 90])})  # 187 is a copy of 7
    made = make(music, recipe("around", "song:song00007", songs=4, songs_per_artist=99), "x", beside)
    reasons = {entry.row: entry.reason for entry in made.entries}
    assert reasons[50].startswith("Number 1 of the songs") and reasons[90].startswith("Number 2 of the songs")
    assert len(reasons) == 4 and 187 not in reasons


def test_around_a_genre_are_its_most_typical_songs():
    music = songs(200)
    made = make(music, recipe("around", "genre:genre 2", songs=10, songs_per_artist=99), "x")
    middle = music.vectors[music.of_genre(2)].mean(axis=0)
    assert set(rows_of(made)) == set(np.argsort(distances(music, middle))[:10].tolist())


def test_a_path_goes_from_one_end_to_the_other_in_steps_much_smaller_than_their_distance():
    line = np.linspace(0, 40, 300)
    same = dict.fromkeys(("key", "minor", "loudness"), np.zeros(300)) | {"tempo": np.full(300, 100.0)}
    vectors = np.column_stack([line, np.zeros(300)]).astype(np.float32)
    music = songs(300, genres=300, per_artist=1, vectors=vectors, **same)
    made = make(music, recipe("path", "song:song00000", "song:song00299", songs=11), "x")
    where = line[rows_of(made)]
    assert where[0] == 0 and where[-1] == 40 and (np.diff(where) > 0).all()
    assert np.diff(where).max() <= 2 * 40 / 10
    ends = [made.entries[0], made.entries[-1]]
    assert [e.role for e in ends] == ["seed", "seed"] and ends[1].reason == "The path ends here"
    assert "% of it behind" in made.entries[5].reason


def test_a_path_between_genres_begins_in_one_and_ends_in_the_other():
    music = songs(400)
    made = make(music, recipe("path", "genre:genre 0", "genre:genre 3", songs=12), "x")
    genres = [int(music.labels[row, 1]) for row in rows_of(made)]
    assert genres == sorted(genres) and set(genres) == {0, 1, 2, 3}


def test_a_path_that_is_too_short_says_what_all_songs_lack():
    music = songs(60, per_artist=30, tempo=np.where(np.arange(60) < 30, 100.0, NAN))
    asked = recipe("path", "genre:genre 0", "genre:genre 1", songs=20, songs_per_artist=3, tempo=(90, 110))
    made = make(music, asked, "x")
    counts = [int(word) for word in made.notes[0].split() if word.isdigit()]
    assert made.notes[0].startswith(
        "20 songs were requested, 12 were selected: of 60 candidates 30 are of unknown tempo, "
    )
    assert counts == [20, 12, 60, 30, 18] and "over the limit of songs per artist" in made.notes[0]


def test_a_blend_lies_between_its_seeds_and_away_from_what_is_to_be_avoided():
    music = songs(400)
    made = make(music, recipe("blend", "genre:genre 0", "genre:genre 2", songs=10), "x")
    assert {int(music.labels[row, 1]) for row in rows_of(made)} == {1}
    apart = make(music, recipe("blend", "genre:genre 0", "genre:genre 2", songs=10, away_from=("genre:genre 1",)), "x")
    points = [music.vectors[music.of_genre(g)].mean(axis=0) for g in range(3)]
    for row in rows_of(apart):
        off = [float(distances(music, point, np.array([row]))[0]) for point in points]
        assert min(off[0], off[2]) <= off[1]
    assert "farther from genre 1" in apart.entries[0].reason


def test_exploring_goes_outward_along_the_tree_and_offers_nothing_that_one_has():
    music = songs(400, genres=5, copies=20)
    beside = Beside(edges=((1, 0), (3, 1), (4, 3), (2, 0)), library=np.array([0, 5, 10, 15]), library_size=6)
    made = make(music, recipe("explore", library="mine", songs=12, reach=2), "x", beside)
    steps = {0: 0, 1: 1, 2: 1, 3: 2}
    out = [steps[int(music.labels[row, 1])] for row in rows_of(made)]
    assert out == sorted(out) and [out.count(n) for n in range(3)] == [4, 4, 4]
    assert not set(music.recording[rows_of(made)]) & set(music.recording[[0, 5, 10, 15]])
    reasons = {int(music.labels[e.row, 1]): e.reason for e in made.entries}
    assert reasons[3] == "2 steps from the library: genre 0 > genre 1 > genre 3"
    assert "4 of 6 entries" in made.notes[0]


def test_what_a_model_calls_so_is_taken_by_its_score():
    music = songs(50)
    beside = Beside(confidence={1: (np.array([3, 9, 20]), array(0.95, 0.7, 0.4))})
    made = make(music, recipe("predicted", "genre:genre 1", songs=5), "x", beside)
    assert sorted(rows_of(made)) == [3, 9]
    assert "5 songs were requested, 2 were selected: of 2 candidates all are selected" in made.notes
    with pytest.raises(InputError, match="the model predicts genre 1 for no song with a score of"):
        make(music, recipe("predicted", "genre:genre 1", min_confidence=0.99), "x", beside)


def test_energy_follows_the_curve():
    made = make(songs(300), recipe("around", "genre:genre 0", songs=12, energy="rising"), "x")
    music = songs(300)
    energy = music.energy[rows_of(made)]
    assert np.corrcoef(energy, np.arange(12))[0, 1] > 0.9
    arch = make(music, recipe("around", "genre:genre 0", songs=13, energy="arch"), "x")
    energy = music.energy[rows_of(arch)]
    assert energy[5:8].min() > energy[[0, 1, -2, -1]].max()


def test_the_order_makes_smaller_steps_than_chance():
    music = songs(300)
    rows = rows_of(make(music, recipe("around", "genre:genre 1", songs=20), "x"))
    steps = np.array([steps_from(music, row, np.array(rows)) for row in rows])
    random = np.random.default_rng(0)
    chance = [steps[o[:-1], o[1:]].sum() for o in (random.permutation(20) for _ in range(500))]
    assert steps[range(19), range(1, 20)].sum() < 0.9 * min(chance)


def test_chance_changes_the_choice_with_the_seed_and_only_with_variety():
    music = songs(400)
    lists = [
        set(rows_of(make(music, recipe("around", "genre:genre 1", songs=10, variety=v, seed=s), "x")))
        for v, s in ((0.0, 1), (0.0, 2), (0.3, 1), (0.3, 1), (0.3, 2))
    ]
    assert lists[0] == lists[1] and lists[2] == lists[3] and lists[2] != lists[4]


def test_a_seed_that_breaks_a_limit_is_left_out_and_named():
    music = songs(60, tempo=np.where(np.arange(60) == 4, 200.0, 100.0))
    made = make(music, recipe("around", "song:song00004", songs=5, tempo=(90, 110)), "x")
    assert 4 not in rows_of(made)
    assert f"the seed {music.called(4)} is left out: outside the tempo range" in made.notes


def test_a_recipe_that_nothing_fits_says_so():
    with pytest.raises(InputError, match=r"30 songs were requested, 0 were selected: .* outside the tempo range"):
        make(songs(60), recipe("around", "genre:genre 1", tempo=(10, 11)), "x")


def test_what_is_not_known_is_said():
    nothing = np.full(60, NAN)
    music = songs(60, tempo=nothing, key=nothing, performer=np.full(60, -1))
    made = make(music, recipe("around", "genre:genre 1", songs=9), "x")
    assert "9 songs have no known artist, so songs_per_artist does not apply to them" in made.notes
    assert "not known: tempo of all, key of all" in made.notes


def test_names_are_found_in_any_spelling_and_wrong_ones_get_the_nearest():
    music = songs(40)
    music.facts.loc[3, ["artist", "title"]] = ["The Beatles", "Hey - Jude (Remix)"]
    assert find(music, "song:beatles \u2013 hey - jude remix").rows.tolist() == [3]
    assert find(music, "song:spotify:track:" + f"{5:022d}").rows.tolist() == [5]
    assert find(music, "genre:GENRE 1").genre == find(music, "genre:genre1").genre == 1
    assert title_key("\u00c9t\u00e9!") == "ete" and title_key("???") == "???"
    with pytest.raises(InputError, match="Did you mean genre 1"):
        find(music, "genre:genre 11")
    for reference in ("artist:Nobody", "song:Nobody - Nothing", "song:x"):
        with pytest.raises(InputError, match="the store has no such"):
            find(music, reference)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seeds": ()}, "needs 1 seeds, but has 0"),
        ({"seeds": ("house",)}, "is not a seed: write genre:NAME"),
        ({"kind": "path", "seeds": ("genre:a",)}, "needs 2 seeds"),
        ({"kind": "path", "seeds": ("genre:a", "genre:b"), "energy": "arch"}, "determines the order itself"),
        ({"kind": "explore", "seeds": ()}, "needs a library"),
        ({"library": "x"}, "takes no library"),
        ({"away_from": ("genre:b",)}, "use block"),
        ({"songs": 3, "minutes": 3.0}, "both songs and minutes are set"),
        ({"tempo": (120, 100)}, "slowest and the fastest"),
        ({"energy": "steep"}, "'steep' is not an energy curve"),
        ({"energy": (0.5,)}, "a curve needs two levels"),
        ({"name": "a\nb"}, "one line of text"),
        ({"kind": "predicted", "seeds": ("song:a",)}, "needs genres as seeds"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_with_the_reason(changes, said):
    with pytest.raises(ValidationError, match=said):
        PlaylistRecipe(**({"name": "x", "kind": "around", "seeds": ("genre:a",)} | changes))


def test_a_recipe_is_stored_whole_and_read_back():
    made = recipe("blend", "genre:a", "artist:b", away_from=("song:c",), energy="valley", minutes=42.5, tempo=(90, 99))
    assert PlaylistRecipe.model_validate_json(made.to_json()) == made


def test_two_recipes_of_one_name_are_refused():
    one = '{name="a", kind="around", seeds=["genre:x"]}'
    with pytest.raises(ConfigError, match="two recipes have the name 'a'"):
        load_config([], [f"playlist.recipes=[{one}, {one}]"])


SONG = st.integers(0, 119).map("song:song{:05d}".format)
GENRE = st.integers(0, 3).map("genre:genre {}".format)
RECIPES = st.one_of(
    st.builds(lambda song: recipe("around", song), SONG),
    st.builds(lambda genre: recipe("around", genre), GENRE),
    st.builds(lambda song, genre: recipe("path", song, genre), SONG, GENRE),
    st.builds(lambda song, genre: recipe("blend", song, genre), SONG, GENRE),
    st.just(recipe("explore", library="x")),
)


@settings(max_examples=60, deadline=None)
@given(
    RECIPES,
    st.fixed_dictionaries(
        {
            "seed": st.integers(0, 9),
            "variety": st.sampled_from([0.0, 0.3, 1.0]),
            "songs_per_artist": st.integers(1, 3),
            "tempo": st.sampled_from([None, (100.0, 130.0)]),
            "energy": st.sampled_from([(), (0.0, 1.0), (0.0, 1.0, 0.5)]),
            "block": st.sampled_from([(), ("artist:Artist 3", "song:song00009", "genre:genre 2")]),
        }
    ),
    st.one_of(st.integers(1, 40).map(lambda n: {"songs": n}), st.integers(3, 90).map(lambda m: {"minutes": float(m)})),
)
def test_no_playlist_ever_breaks_a_limit(base, limits, length):
    if base.kind == "path":
        limits = limits | {"energy": ()}
    asked = PlaylistRecipe.model_validate(base.model_dump() | limits | length)
    music = songs(120, per_artist=4, copies=30)
    seconds = music.seconds
    try:
        made = make(music, asked, "x", Beside(library=np.array([1, 5]), library_size=2))
    except InputError as error:
        assert "no song fits" in str(error)
        return
    rows = np.array(rows_of(made))
    assert len(set(music.recording[rows].tolist())) == len(rows)
    assert np.bincount(music.performer[rows]).max() <= asked.songs_per_artist
    if asked.tempo:
        assert ((music.tempo[rows] >= 100) & (music.tempo[rows] <= 130)).all()
    if asked.minutes:
        assert seconds[rows].sum() <= asked.minutes * 60
    else:
        assert len(rows) <= asked.songs
        assert len(rows) == asked.songs or any("songs were requested" in note for note in made.notes)
    if asked.block:
        genre = dict(music.labels.tolist())
        gone = {music.recording[9], *music.recording[music.of_genre(2)], *music.recording[music.performer == 3]}
        assert not gone & set(music.recording[rows].tolist()) and 2 not in {genre[row] for row in rows.tolist()}
    assert all(entry.reason for entry in made.entries)
    assert rows_of(make(music, asked, "x", Beside(library=np.array([1, 5]), library_size=2))) == rows.tolist()


def test_scored_files_that_are_songs_of_the_store_are_these_songs_and_copies_are_one(tmp_path):
    sounds = {"a.wav": b"1", "copy of a.wav": b"1", "known.wav": b"2", "stored.wav": b"3", "c.wav": b"4"}
    for name, content in sounds.items():
        (tmp_path / name).write_bytes(content)
    uris = {name: path_to_uri(tmp_path / name) for name in (*sounds, "gone.wav")}
    music = songs(6)
    known = Known(paths={bytes(tmp_path / "stored.wav"): 4}, digests={hashlib.sha256(b"2").hexdigest(): 2}, isrc={})
    files = [Scored(uri, 30.0, 1, 0.9 - place / 100) for place, uri in enumerate(uris.values())]
    more, scores, notes = with_files(music, known, files, 99)
    assert len(more) == 8 and more.facts.song_id[6:].tolist() == [uris["a.wav"], uris["c.wav"]]
    assert scores[1][0].tolist() == [2, 4, 6, 7] and scores[1][1].tolist() == pytest.approx([0.88, 0.87, 0.9, 0.86])
    assert len(set(more.recording.tolist())) == 8 and notes == ("1 scored files are gone or cannot be read",)
    made = make(more, recipe("predicted", "genre:genre 1"), "x", Beside(confidence=scores))
    assert sorted(rows_of(made)) == [2, 4, 6, 7]
    assert len(with_files(music, known, files, 1)[0]) == 7
