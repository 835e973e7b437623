"""Songs of one performer are one group, whatever name stands on the album or how the name is spelt."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from splits_library import NOTHING_PLACED, library, parts, song, split, table_of

from genreatlas.splits import check_leaks, find_shared, grouping, song_links


def groups(songs, **settings):
    rows = split(songs, **settings)
    return dict(zip(rows["song_id"], rows["group_id"], strict=True))


def together(songs, *names, **settings):
    found = groups(songs, **settings)
    return len({found[name] for name in names}) == 1


def apart(songs, *names, **settings):
    found = groups(songs, **settings)
    return len({found[name] for name in names}) == len(names)


def albums(n=8, each=2):
    """Performers with an album of their own each."""
    return [
        song(f"a{a}own{i}", artist=f"Artist {a}", by=f"Artist {a}", album=f"Album {a}")
        for a in range(n)
        for i in range(each)
    ]


@pytest.mark.parametrize("label", ["Ministry of Sound", "AA.VV.", "Now That's What I Call Music", "Hits 95", "混音"])
def test_a_compilation_ties_nobody_together_and_leaves_each_song_with_its_performer(label):
    songs = albums() + [song(f"a{a}comp", artist=f"Artist {a}", by=label, album="The Annual") for a in range(8)]
    found = groups(songs)
    assert len(set(found.values())) == 8
    for a in range(8):
        assert len({found[f"a{a}{which}"] for which in ("own0", "own1", "comp")}) == 1


def test_a_compilation_of_two_performers_is_one_too():
    songs = [*albums(2), *(song(f"a{a}comp", artist=f"Artist {a}", by="Some Label", album="Split") for a in range(2))]
    assert apart(songs, "a0comp", "a1comp") and together(songs, "a0comp", "a0own0")


def test_a_mix_by_a_performer_ties_only_the_performers_own_songs():
    songs = albums() + [song(f"a{a}mix", artist=f"Artist {a}", by="Artist 0", album="Fabric 9") for a in range(8)]
    assert apart(songs, *(f"a{a}mix" for a in range(8))) and together(songs, "a0mix", "a0own1")


def test_an_album_artist_that_performs_is_an_artist_of_the_songs_on_its_albums():
    songs = [*albums(3), song("duet", artist="Artist 1 feat. Artist 0", by="Artist 0", album="Album 0")]
    assert together(songs, "duet", "a0own0", "a1own0") and apart(songs, "duet", "a2own0")


def test_the_mark_of_a_compilation_counts():
    songs = [*albums(3), song("duet", artist="Artist 1", by="Artist 0", album="Album 0", compilation=True)]
    assert together(songs, "duet", "a1own0") and apart(songs, "duet", "a0own0")


def test_where_no_performer_is_named_the_album_artist_performs_unless_it_compiled():
    nameless = [song("x1", by="Miles", album="Blue"), song("x2", artist="", by="MILES", album="Green")]
    assert together([*albums(2), *nameless], "x1", "x2")
    compiled = [song("y1", by="Some Label"), song("y2", by="Some Label")]
    compiled += [song(f"z{a}", artist=f"Artist {a}", by="Some Label") for a in range(2)]
    assert apart([*albums(2), *compiled], "y1", "y2", "z0", "z1")
    marked = [song("y1", by="Some Label", compilation=True), song("y2", by="Some Label", compilation=True)]
    assert apart(marked, "y1", "y2")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Jay-Z", "JAY Z"), ("Run-D.M.C.", "Run DMC"), ("Blink-182", "blink 182"), ("The Beatles", "Beatles, The"),
        ("Bowie, David", "David Bowie"), ("Beyoncé", "Beyonce\u0301"), ("Nina", "Nina feat. Otis"),
        ("Nina", "Nina; Otis"), ("David Guetta", "David Guetta & Sia"), ("David Guetta & Usher", "David Guetta & Sia"),
        ("Drake & Rihanna", "Drake & Future"), ("AC/DC", "AC / DC"),
    ],
)  # fmt: skip
def test_songs_of_one_performer_are_one_group_in_any_spelling_and_with_any_partner(one, other):
    assert together([song("s1", artist=one), song("s2", artist=other)], "s1", "s2")


def test_a_name_with_an_ampersand_is_one_act_unless_its_parts_perform():
    duo, solo = song("s1", artist="Simon & Garfunkel"), song("s2", artist="Simon")
    assert apart([duo, solo], "s1", "s2")
    assert together([duo, solo, song("s3", artist="Garfunkel")], "s1", "s2")


def test_names_in_other_scripts_and_of_signs_alone_do_not_meet():
    names = ["!!!", "+/-", "???", "राम", "रीम", "周杰倫", "林俊傑", "กี่", "ก็", "Кино", "Ария"]
    assert apart([song(f"s{i}", artist=name) for i, name in enumerate(names)], *(f"s{i}" for i in range(len(names))))


def test_rows_of_an_older_store_count_by_names_and_only_without_names_by_ids():
    songs = pd.DataFrame({"song_id": list("abcd"), "artist": ["Otis", "Nina", None, None],
                          "album_artist": ["Some Label", "Some Label", None, None]})  # fmt: skip
    stored = [("a", 0, "label", "album_artist"), ("a", 1, "otis", "primary"), ("b", 0, "label", "album_artist"),
              ("b", 1, "nina", "primary"), ("c", 0, "label", "album_artist"), ("c", 1, "x", "primary"),
              ("c", 2, "y", "guest"), ("d", 0, "y", "album_artist")]  # fmt: skip
    stored = pd.DataFrame(stored, columns=["song_id", "position", "artist_id", "role"])
    links = song_links(songs, stored)
    assert links[["song_id", "key"]].to_numpy().tolist() == [["a", "otis"], ["b", "nina"], ["c", "x"], ["d", "y"]]


def test_an_import_that_shows_a_compilation_or_a_performer_moves_nothing_that_is_placed():
    first = albums(12) + [song(f"a{a}comp", artist=f"Artist {a}", by="Some Label", album="Hits") for a in range(2)]
    before = split(first)
    more = [song(f"a{a}comp", artist=f"Artist {a}", by="Some Label", album="Hits") for a in range(2, 12)]
    after = split([*first, *more], before)
    assert {name: parts(after)[name] for name in parts(before)} == parts(before)
    assert all(parts(after)[f"a{a}comp"] == parts(after)[f"a{a}own0"] for a in range(12))
    # The label turns out to be a band: its two albums are its own now.
    band = [song(f"band{i}", artist="Some Label", by="Some Label", album="Hits") for i in range(13)]
    last = split([*first, *more, *band], after)
    moved = {n for n in parts(after) if parts(last)[n] not in (parts(after)[n], "excluded")}
    assert not moved
    check_leaks(last, library([*first, *more, *band]).links)


NAMES = ["Nina", "NINA", "Otis", "Otis & Nina", "David Guetta", "David Guetta & Sia", "Label", "AA.VV.", "",
         "Bowie, David", "David Bowie", "Sia feat. Nina"]  # fmt: skip


@st.composite
def credited(draw, prefix="s", most=20):
    made = []
    for i in range(draw(st.integers(0, most))):
        artist, by = draw(st.sampled_from(NAMES)), draw(st.sampled_from(NAMES))
        album = draw(st.sampled_from(["One", "Two", "Three"]))
        made.append(song(f"{prefix}{i:02d}", artist=artist, by=by, album=album, compilation=draw(st.booleans())))
    return made


@given(credited(), credited(prefix="m"), credited(prefix="a", most=10))
@settings(max_examples=12, deadline=None)
def test_no_performer_is_ever_on_both_sides_and_nothing_placed_ever_moves(first, second, third):
    placed, songs = NOTHING_PLACED, []
    for more in (first, second, third):
        songs = [*more, *songs]
        before = placed
        placed = split(songs, before)
        check_leaks(placed, library(songs).links)
        assert find_shared(placed, table_of(songs)).performers == 0
        now = parts(placed)
        assert all(now[name] in (part, "excluded") for name, part in parts(before).items())


def divided(**columns):
    rows = pd.DataFrame({"song_id": list("abcd"), "group_id": list("abcd"), "grouped_by": "artist", "reason": None,
                         "part": ["train", "train", "test", "promotion"], "fold": [0, 1, None, None]})  # fmt: skip
    return rows, pd.DataFrame({"song_id": list("abcd"), **columns})


@pytest.mark.parametrize(
    "artists",
    [
        ["Jay-Z", "Otis", "JAY Z feat. Nina", "Etta"],
        ["Beyoncé", "Otis", "BEYONCE", "Etta"],
        ["The Beatles", "Otis", "Beatles, The", "Etta"],
        ["Otis", "Nina; Etta", "Ray", "nina (ft. Otis)"],
        ["周杰倫", "Otis", "周杰倫", "Etta"],
        ["!!!", "Otis", "!!!", "Etta"],
    ],
)
def test_a_performer_on_both_sides_takes_the_word_artist_safe_away_however_it_came_there(artists):
    rows, songs = divided(artist=artists)
    shared = find_shared(rows, songs)
    assert (shared.performers, shared.songs, shared.recordings) == (1, 2, 0)
    assert grouping(rows, shared) == "artists-shared (1 performers, 2 songs)"
    assert grouping(rows, find_shared(rows, songs.assign(artist=["A", "B", "C", "D"]))) == "artist-safe"


def test_a_performer_in_two_folds_and_the_same_audio_on_both_sides_are_found():
    rows, songs = divided(artist=["Nina", "Nina", "Otis", None], album_artist=[None, None, None, "OTIS"])
    assert find_shared(rows, songs).performers == 2
    clips = pd.DataFrame({"song_id": list("abcd"), "sha256": ["1", "2", "3", "4"], "audio_id": ["x", None, None, "x"]})
    shared = find_shared(rows, songs.assign(artist=list("wxyz")), clips)
    assert (shared.performers, shared.recordings) == (0, 1) and grouping(rows, shared) == "leaky"
    assert find_shared(rows.assign(part="excluded"), songs, clips) == find_shared(rows[:0], songs, clips)


def test_names_that_stand_for_nobody_are_on_no_side():
    rows, songs = divided(artist=["Various Artists", "AA.VV.", "AA.VV.", "various artists"])
    assert find_shared(rows, songs).performers == 0
