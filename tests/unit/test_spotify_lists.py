"""Reading lists for genres, and the probe of what an app may do, against a real server."""

import json

import pytest
from test_spotify_client import QUICK, client

from genreatlas.errors import FetchError, ProviderPausedError, Reason
from genreatlas.sources.credits import artist_id
from genreatlas.sources.spotify.client import Ability, describe, probe
from genreatlas.sources.spotify.lists import SpotifyFetch, Wanted, find_playlists, read_artist, read_playlist
from genreatlas.sources.spotify.pages import parse_track
from genreatlas.sources.spotify.song_rows import choose, credits_of, song_id, song_row
from loopback import Reply, serve
from spotify_server import CLIENT, Listing, World, error, identity, settings, track

ROCK = Wanted("rock", "rock", "everynoise", "sound", number=150)


def read(world, playlist_id="P1", genres=(ROCK,), snapshot=None, **changes):
    with serve(world) as server:
        answer = read_playlist(client(server, **changes), playlist_id, genres, snapshot)
        return answer, [path for path in server.paths() if path.startswith("/v1")]


def ids(answer):
    return [song["song"]["spotify_id"] for song in answer["songs"]]


def test_a_song_row_has_what_spotify_says_and_credits_in_its_order():
    known = parse_track(track(1, name="Home (feat. Otis)", artists=[{"name": "Earth / Wind"}, {"name": "Nina"}]))
    assert song_row(known, "DE") == {
        "song_id": song_id(identity(1)), "source": "spotify", "source_key": identity(1), "title": "Home (feat. Otis)",
        "artist": "Earth / Wind; Nina", "album": "Album 1", "album_artist": "Artist 1", "isrc": "XXAAA2400001",
        "spotify_id": identity(1), "album_id": "ALBUM1", "track_number": 2, "disc_number": 1, "duration_ms": 200_001,
        "explicit": False, "release_date": "2001-02-03", "release_date_precision": "day", "popularity": 1,
        "cover_url": "https://images.example/64", "preview_url": "https://previews.example/1", "market": "DE",
    }  # fmt: skip
    assert [(credit.name, credit.role, credit.artist_id) for credit in credits_of(known)] == [
        ("Earth / Wind", "primary", artist_id("Earth / Wind")),
        ("Nina", "guest", artist_id("Nina")),
        ("Otis", "guest", artist_id("Otis")),
    ]
    assert credits_of(parse_track(track(2, artists=[{"name": "Various Artists"}], name="A (with B)"))) == ()


def test_the_choice_is_the_same_in_any_order_and_changes_little_with_the_list():
    tracks = [identity(n) for n in range(100)]
    kept = choose(tracks, 20, 7, "rock")
    assert len(kept) == 20 and kept == choose(reversed(tracks), 20, 7, "rock")
    assert len(kept & choose(tracks[:-1], 20, 7, "rock")) >= 19
    assert kept != choose(tracks, 20, 8, "rock") and kept != choose(tracks, 20, 7, "pop")
    assert choose(tracks, 200, 7, "rock") == set(tracks)


def test_a_playlist_is_read_once_for_all_its_genres():
    local = track(9, is_local=True)
    world = World({"P1": Listing([track(n) for n in range(1, 121)] + [None, local, track(1)], owner="oona")})
    pop = Wanted("pop", "Pop", "configuration", None, number=10)
    answer, paths = read(world, genres=(ROCK, pop))
    assert paths == ["/v1/playlists/P1", "/v1/playlists/P1/tracks"]
    assert answer["playlist"] == {
        "playlist_id": "P1", "kind": "playlist", "name": "A playlist", "owner_id": "oona", "owner": "The Sounds",
        "public": True, "form": "tracks", "snapshot": "v1", "total": 123, "entries": 123, "tracks": 120,
        "left_out": {"local": 1, "null": 1, "repeated": 1},
    }  # fmt: skip
    assert ids(answer) == [identity(n) for n in range(1, 121)]
    assert sum("pop" in song["genres"] for song in answer["songs"]) == 10
    assert answer["songs"][-1]["position"] == 119 and answer["songs"][0]["listed_at"] == "2022-01-02T03:04:05+00:00"
    assert [(genre["genre_id"], genre["kept"]) for genre in answer["genres"]] == [("rock", 120), ("pop", 10)]
    assert len({genre["selection"] for genre in answer["genres"]}) == 2


def test_an_unchanged_playlist_costs_one_request_and_a_changed_one_is_read():
    world = World({"P1": Listing([track(1)], snapshot="v2")})
    assert read(world, snapshot="v2") == ({"unchanged": True}, ["/v1/playlists/P1"])
    answer, paths = read(world, snapshot="v1")
    assert (ids(answer), len(paths)) == ([identity(1)], 2)


def test_a_playlist_that_changes_between_pages_is_read_as_one_state():
    listing = Listing([track(n) for n in range(1, 251)])
    world = World({"P1": listing})

    def shrink(asked):
        if asked.query.get("offset") == "200" and len(listing.entries) == 250:
            listing.entries = listing.entries[1:]
            listing.snapshot = "v2"
        return None

    world.before = shrink
    answer, paths = read(world, genres=(Wanted("rock", "rock", "everynoise", "sound", 500),))
    assert ids(answer) == [identity(n) for n in range(2, 251)]
    assert (answer["playlist"]["snapshot"], len(paths)) == ("v2", 6)


def test_a_playlist_that_never_stops_changing_is_kept_as_read_and_read_again_by_the_next_run():
    listing = Listing([track(n) for n in range(1, 251)])
    world = World({"P1": listing})

    def shrink(asked):
        if "offset" in asked.query:
            listing.entries = listing.entries[:-1]
        return None

    world.before = shrink
    answer, _ = read(world)
    assert answer["playlist"]["snapshot"] is None and len(answer["songs"]) == 150


def test_of_a_very_long_playlist_only_so_many_entries_are_read():
    world = World({"P1": Listing([track(n) for n in range(1, 1001)])})
    answer, paths = read(world, max_entries=200)
    assert (answer["playlist"]["total"], answer["playlist"]["entries"], len(paths)) == (1000, 200, 2)
    assert answer["playlist"]["snapshot"] == "v1"


def test_a_playlist_of_which_only_the_head_is_shown_is_forbidden_for_good():
    world = World(before=lambda asked: Reply(body=b'{"id": "P1", "snapshot_id": "v1"}'))
    with pytest.raises(FetchError, match="development mode") as caught:
        read(world)
    assert (caught.value.reason, caught.value.transient) == (Reason.FORBIDDEN, False)


def test_songs_of_an_artist_are_searched_for_and_only_those_of_that_artist_count():
    def by(number, name, code):
        return track(number, artists=[{"name": name}], external_ids={"isrc": code})

    found = [
        by(1, "Oona Bray", "XXAAA2400001"), by(2, "Bray Tribute", "XXAAA2400002"), by(3, "OONA BRAY", "XXAAA2400001"),
        by(4, "oona bray", "XXAAA2400004"), by(5, "Oona Bray", "XXAAA2400005"),
    ]  # fmt: skip
    world = World(found_tracks={'artist:"Oona Bray"': found})
    with serve(world) as server:
        wanted = (Wanted("rock", "rock", "artists", None, 2, 0.5),)
        answer = read_artist(client(server), "search:artist:oonabray", 'Oona "Bray"', None, wanted, page_size=10)
        searches = [(asked.query["limit"], asked.query["offset"]) for asked in server.asked[1:]]
    assert searches == [("2", "0"), ("2", "2")]
    assert ids(answer) == [identity(1), identity(4)]
    assert answer["playlist"] == {
        "playlist_id": "search:artist:oonabray", "kind": "artist", "name": 'Oona "Bray"', "total": 5, "entries": 4,
        "tracks": 2, "left_out": {"other_artist": 1, "repeated": 1},
    }  # fmt: skip


def test_an_artist_whose_id_is_known_is_told_from_namesakes():
    found = [track(1, artists=[{"id": "X", "name": "Oona"}]), track(2, artists=[{"id": "Y", "name": "Oona"}])]
    with serve(World(found_tracks={'artist:"Oona"': found})) as server:
        wanted = (Wanted("rock", "rock", "artists", None, 5),)
        answer = read_artist(client(server), "search:artist:oona", "Oona", "Y", wanted, page_size=10)
    assert ids(answer) == [identity(2)]


def test_a_search_finds_the_first_playlists_in_order():
    found = [None if n == 3 else {"id": f"P{n}", "name": "Rock", "owner": {"id": "o"}} for n in range(30)]
    with serve(World(found_playlists={"rock": found})) as server:
        playlists = find_playlists(client(server), "rock", 12, page_size=10)
        assert [playlist["playlist_id"] for playlist in playlists] == [f"P{n}" for n in range(13) if n != 3]
        assert playlists[0] == {"position": 0, "playlist_id": "P0", "name": "Rock", "owner_id": "o"}
        assert len(server.asked) == 3


def test_the_fetch_answers_in_json_and_holds_no_credentials(monkeypatch):
    import pickle

    for name, value in CLIENT.items():
        monkeypatch.setenv(name, value)
    with serve(World()) as server:
        fetch = SpotifyFetch(settings(server))
        assert b"nobody-may-see" not in pickle.dumps(fetch)
        assert fetch.hosts == (server.host, server.host)
        row = {"kind": "features", "request": json.dumps([identity(10), identity(11)])}
        answer = json.loads(fetch.open(QUICK)(row, "spotify")["answer"])
    assert [(row["spotify_id"], row["heard"], row.get("tempo")) for row in answer] == [
        (identity(10), False, None),
        (identity(11), True, 111.0),
    ]
    assert answer[1]["song_id"] == song_id(identity(11))


def probed(world, playlists=("P1",), analysis=False):
    with serve(world) as server:
        return probe(client(server), playlists, analysis), len(server.asked) - 1


def test_an_app_that_may_do_everything_is_probed_with_one_request_for_each_ability():
    world = World({"P1": Listing([track(1)]), "37i9dQZF1DXcBWIGoYBM5M": Listing([])}, found_tracks={"love": [track(2)]})
    abilities, asked = probed(world)
    assert abilities == (
        Ability("playlist_items", True, "tracks", 200),
        Ability("spotify_playlists", True, None, 200),
        Ability("audio_features", True, None, 200),
        Ability("batch_tracks", True, None, 200),
        Ability("search_page", True, "50", 200),
        Ability("previews", True, "2 of 2", 200),
    )
    assert asked == 5


def test_an_app_in_development_mode_is_told_what_it_may_not_do_and_since_when():
    def development(asked):
        if asked.path.startswith("/v1/playlists/P"):
            return Reply(body=b'{"snapshot_id": "v1", "owner": {"id": "thesoundsofspotify"}}')
        return error(403, None) if asked.path == "/v1/tracks" else None

    world = World(
        search_page=10, features_allowed=False, before=development,
        found_tracks={"love": [track(2, preview_url=None)]},
    )  # fmt: skip
    abilities, asked = probed(world, ("P1", "P2", "P3", "P4"), analysis=True)
    assert describe(abilities) == [
        "Spotify access of the app",
        "items of other people's playlists  no  head only: only of one's own since February 2026, for apps in "
        "development mode",
        "playlists that Spotify owns        no  404 closed since 2024-11-27, for apps made since",
        "audio features                     no  403 closed since 2024-11-27, for apps made since",
        "audio analyses                     no  404 closed since 2024-11-27, for apps made since",
        "several tracks in one request      no  403 closed since February 2026, for apps in development mode",
        "results on a page of a search      10  10 instead of 50 since February 2026, for apps in development mode",
        "addresses of previews              no  0 of 1 tracks have one: empty since 2024-11-27, for apps made since",
    ]
    assert asked == 9


def test_what_a_probe_cannot_tell_is_unknown_and_a_pause_ends_it():
    world = World(found_tracks={"love": [track(2)]})
    world.before = lambda asked: Reply(503) if asked.path == "/v1/audio-features" else None
    abilities, _ = probed(world, playlists=())
    assert {ability.ability: ability.allowed for ability in abilities} == {
        "spotify_playlists": False, "audio_features": None, "batch_tracks": True, "search_page": True, "previews": True,
    }  # fmt: skip
    world = World(before=lambda asked: Reply(429, b"", headers={"Retry-After": "86400"}))
    with pytest.raises(ProviderPausedError):
        probed(world)
