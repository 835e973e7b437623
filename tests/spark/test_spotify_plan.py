"""What there is to ask Spotify for, planned from tables: playlists, searches, and artists where there is neither."""

from datetime import date

import pytest

from conftest import make_config
from genreatlas.collecting import spotify_plan
from genreatlas.config import SearchEntry, SpotifySection
from genreatlas.sources.genres import Genre
from genreatlas.sources.spotify.lists import Wanted, selected_by
from genreatlas.sources.spotify.routes import NamedList
from genreatlas.tables import EVERYNOISE_ARTISTS, EVERYNOISE_PLAYLISTS, GENRES, PLAYLISTS, SPOTIFY_SEARCHES

OLD, NEW = date(2022, 3, 22), date(2023, 11, 19)
ROCK, FOLK = Genre("rock", "Rock"), Genre("folk", "folk")
SECTION = SpotifySection(songs_per_genre=25, artists_per_genre=2, tracks_per_artist=10)


class Rows:
    """Tables that are lists of rows, read as a store is read; nothing is written to a disk."""

    def __init__(self, spark, tables):
        self.spark, self._tables = spark, tables

    def read(self, table):
        ddl = ", ".join(f"{column.name} {column.type}" for column in table.columns)
        rows = [tuple(row.get(name) for name in table.column_names) for row in self._tables.get(table, ())]
        return self.spark.createDataFrame(rows, ddl)


def genre_row(genre, day, rank):
    return {"genre_id": genre.genre_id, "name": genre.name, "snapshot": day, "rank": rank}


def artist_row(genre, name, weight, day=NEW, identity=None):
    return {
        "genre_id": genre.genre_id, "snapshot": day, "name": name, "weight": weight, "spotify_artist_id": identity,
    }  # fmt: skip


def read_row(wanted, list_id, kind, snapshot="v1", kept=5, section=SECTION):
    return {
        "playlist_id": list_id, "genre_id": wanted.genre_id, "kind": kind, "snapshot": snapshot, "kept": kept,
        "selection": wanted.selection(selected_by(section)),
    }  # fmt: skip


def test_the_newest_map_is_planned_by_rank_and_each_genre_by_the_playlists_of_its_roles(spark, tmp_path):
    tables = {
        GENRES: [genre_row(ROCK, OLD, 1), genre_row(Genre("gone", "gone"), OLD, 2), genre_row(ROCK, NEW, 2),
                 genre_row(FOLK, NEW, 1)],
        EVERYNOISE_PLAYLISTS: [
            {"genre_id": "rock", "snapshot": OLD, "role": "sound", "playlist_id": "rock2022"},
            {"genre_id": "rock", "snapshot": NEW, "role": "intro", "playlist_id": "rockintro"},
            {"genre_id": "rock", "snapshot": NEW, "role": "sound", "playlist_id": "rocksound"},
            {"genre_id": "folk", "snapshot": NEW, "role": "pulse", "playlist_id": "folkpulse"},
        ],
    }  # fmt: skip
    searches = ({"genre": "rock", "subgenre": "hard rock", "playlists": 3}, {"genre": "swing"})
    store = Rows(spark, tables)
    entries = tuple(SearchEntry(**search) for search in searches)
    section = SpotifySection(routes=("everynoise", "search"), roles=("sound", "intro"), searches=entries)
    routes = spotify_plan.find_routes(store, make_config(tmp_path).model_copy(update={"spotify": section}))
    assert list(routes.genres) == ["folk", "rock"]
    assert routes.others == (
        NamedList("rocksound", ROCK, "everynoise", "sound"), NamedList("rockintro", ROCK, "everynoise", "intro"),
    )  # fmt: skip
    hard, swing = routes.searches
    assert spotify_plan.searches(store, routes, 10) == {
        hard.key: {"query": "hard rock", "number": 3, "page_size": 10},
        swing.key: {"query": "swing", "number": 20, "page_size": 10},
    }
    tables[SPOTIFY_SEARCHES] = [
        {"search_id": hard.key, "position": place, "query": "hard rock", "playlist_id": found}
        for place, found in enumerate(["second", None, "first"])
    ]
    assert list(spotify_plan.searches(store, routes, 10)) == [swing.key]
    below = Genre("hardrock", "hard rock")
    assert spotify_plan.found_lists(store, routes) == [
        NamedList("second", below, "search"), NamedList("first", below, "search"),
    ]  # fmt: skip


def test_a_playlist_that_was_read_by_the_same_choice_is_asked_for_with_its_snapshot(spark):
    lists = [NamedList("a", ROCK, "everynoise", "sound"), NamedList("b", FOLK, "everynoise", "sound")]
    wanted = Wanted("rock", "Rock", "everynoise", "sound", 25)
    store = Rows(spark, {PLAYLISTS: [read_row(wanted, "a", "playlist", "v7")]})
    asked = spotify_plan.playlists(store, SECTION, lists)
    assert asked["a"] == {"playlist_id": "a", "genres": [vars(wanted)], "snapshot": "v7"}
    assert asked["b"]["snapshot"] is None
    more = SECTION.model_copy(update={"songs_per_genre": 30})
    assert spotify_plan.playlists(store, more, lists)["a"]["snapshot"] is None


def test_artists_are_searched_for_where_no_playlist_gave_songs_and_once_each(spark):
    artists = [
        artist_row(ROCK, "Otis", 200.0, identity="OTIS"), artist_row(ROCK, "Oona", 100.0),
        artist_row(ROCK, "Nina", 50.0),
        artist_row(ROCK, "Elder", 900.0, OLD), artist_row(FOLK, "Joan", None),
    ]  # fmt: skip
    served = read_row(Wanted("folk", "folk", "everynoise", "sound", 25), "f", "playlist")
    empty = read_row(Wanted("rock", "Rock", "everynoise", "sound", 25), "r", "playlist", kept=0)
    tables = {EVERYNOISE_ARTISTS: artists, PLAYLISTS: [served, empty]}
    store, genres = Rows(spark, tables), {"rock": ROCK, "folk": FOLK}
    otis = Wanted("rock", "Rock", "artists", None, 10, 1.0)
    oona = Wanted("rock", "Rock", "artists", None, 10, 0.5)
    first = {
        "search:artist:OTIS": {
            "playlist_id": "search:artist:OTIS", "name": "Otis", "artist_id": "OTIS", "genres": [vars(otis)],
            "page_size": 10,
        },
        "search:artist:oona": {
            "playlist_id": "search:artist:oona", "name": "Oona", "artist_id": None, "genres": [vars(oona)],
            "page_size": 10,
        },
    }  # fmt: skip
    assert spotify_plan.artists(store, SECTION, genres, 10) == first
    tables[PLAYLISTS].append(read_row(otis, "search:artist:OTIS", "artist", snapshot=None))
    assert list(spotify_plan.artists(store, SECTION, genres, 10)) == ["search:artist:oona"]
    tables[PLAYLISTS].append(read_row(oona, "search:artist:oona", "artist", snapshot=None))
    assert spotify_plan.artists(store, SECTION, genres, 10) == {}
    assert spotify_plan.artists(store, SECTION, {"folk": FOLK}, 10) == {}


def test_what_is_done_is_not_pending(spark):
    frame = spotify_plan.pending(Rows(spark, {}), "playlist", {"a": {"name": "é"}, "b": {}}, done={"b"})
    assert [tuple(row) for row in frame.collect()] == [("a", "playlist", '{"name": "é"}')]


@pytest.mark.parametrize("chosen", [("Rock",), ("rock",)])
def test_only_the_chosen_genres_of_the_map_are_planned(spark, tmp_path, chosen):
    store = Rows(spark, {GENRES: [genre_row(ROCK, NEW, 2), genre_row(FOLK, NEW, 1)]})
    section = SpotifySection(genres=chosen, routes=("artists",))
    routes = spotify_plan.find_routes(store, make_config(tmp_path).model_copy(update={"spotify": section}))
    assert (list(routes.genres), routes.others) == (["rock"], ())
