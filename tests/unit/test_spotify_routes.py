"""Which lists are read for which genre, and how much each may give."""

import pytest

from genreatlas.config import PlaylistsEntry, SearchEntry
from genreatlas.errors import ConfigError
from genreatlas.sources.genres import Genre, GenreParent
from genreatlas.sources.spotify.lists import Wanted
from genreatlas.sources.spotify.routes import (
    NamedArtist,
    NamedList,
    Search,
    artist_lists,
    configured_lists,
    configured_searches,
    is_chosen,
    known_snapshot,
    shares,
)

ID = "37i9dQZF1DX1R3yDogYrbo"
ROCK, POP = Genre("rock", "Rock"), Genre("pop", "pop")


def test_playlists_are_configured_in_every_form_of_link():
    uris = (f"spotify:playlist:{ID}", f"https://embed.spotify.com/?uri=spotify:user:oona:playlist:{ID}", ID)
    found = configured_lists([PlaylistsEntry(genre="R&B en Español", uris=uris)])
    genre = Genre("rbenespañol", "R&B en Español")
    assert found == [NamedList(ID, genre, "configuration")] * 3


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (PlaylistsEntry(genre="rock", uris=(f"spotify:track:{ID}",)), r"number 1 \(rock\): .*not to a playlist"),
        (PlaylistsEntry(genre="unknown", uris=(ID,)), "'unknown' is not a genre"),
    ],
)
def test_a_wrong_entry_is_named(entry, message):
    with pytest.raises(ConfigError, match=message):
        configured_lists([entry])


def test_a_search_for_a_subgenre_is_a_genre_below_the_other():
    entries = [
        SearchEntry(genre="rock", subgenre="Hard Rock", query="hard rock 70s", playlists=3),
        SearchEntry(genre="pop"),
    ]
    below = GenreParent("hardrock", "Hard Rock", "rock", "rock")
    assert configured_searches(entries) == [
        Search("hard rock 70s", 3, Genre("hardrock", "Hard Rock"), below),
        Search("pop", 20, POP, None),
    ]


def test_genres_are_chosen_by_name_or_slug():
    assert is_chosen(Genre("msicapitiusa", "música pitiusa"), ("Música Pitiusa",))
    assert is_chosen(Genre("rbenespanol", "r&b en espanol"), ("rbenespanol",))
    assert is_chosen(ROCK, ()) and not is_chosen(ROCK, ("pop",))


def test_a_genres_songs_are_shared_among_its_playlists_and_a_playlist_may_serve_several_genres():
    lists = [
        NamedList("a", ROCK, "everynoise", "sound"), NamedList("b", ROCK, "everynoise", "intro"),
        NamedList("a", ROCK, "configuration"), NamedList("b", POP, "configuration"), NamedList("c", ROCK, "search"),
    ]  # fmt: skip
    assert shares(lists, 10) == {
        "a": (Wanted("rock", "Rock", "everynoise", "sound", 4),),
        "b": (Wanted("pop", "pop", "configuration", None, 10), Wanted("rock", "Rock", "everynoise", "intro", 3)),
        "c": (Wanted("rock", "Rock", "search", None, 3),),
    }
    assert set(shares(lists, 2)) == {"a", "b"}


def test_the_heaviest_artists_are_searched_for_up_to_the_genres_number_of_songs():
    artists = [
        NamedArtist(ROCK, "Oona", None, 0.5),
        NamedArtist(ROCK, "Otis", "OTIS", 1.0),
        NamedArtist(ROCK, "OONA", None, 0.4),
        NamedArtist(ROCK, "Nina", None, 0.3),
        NamedArtist(POP, "Otis", "OTIS", 0.2),
    ]
    found = artist_lists(artists, per_genre=2, per_artist=10, songs_per_genre=15)
    assert {key: (artist.name, wanted) for key, (artist, wanted) in found.items()} == {
        "search:artist:OTIS": (
            "Otis",
            (Wanted("pop", "pop", "artists", None, 10, 0.2), Wanted("rock", "Rock", "artists", None, 10, 1.0)),
        ),
        "search:artist:oona": ("Oona", (Wanted("rock", "Rock", "artists", None, 5, 0.5),)),
    }


def test_a_snapshot_is_known_only_if_all_genres_were_read_from_it_by_the_same_choice():
    settings = {"seed": 7}
    genres = (Wanted("pop", "pop", "r", None, 5), Wanted("rock", "Rock", "r", None, 5))

    def stored(**changes):
        rows = {g.genre_id: {"snapshot": "v1", "selection": g.selection(settings)} for g in genres}
        return rows | changes

    assert known_snapshot(genres, stored(), settings) == "v1"
    assert known_snapshot(genres, {"pop": stored()["pop"]}, settings) is None
    assert known_snapshot(genres, stored(pop={"snapshot": "v0", "selection": "x"}), settings) is None
    assert known_snapshot(genres, stored(), {"seed": 8}) is None
    other = {g.genre_id: {"snapshot": None, "selection": g.selection(settings)} for g in genres}
    assert known_snapshot(genres, other, settings) is None
    assert known_snapshot((genres[0], Wanted("rock", "Rock", "r", None, 6)), stored(), settings) is None
