"""Bodies of the Web API, of both generations of its playlists, as whole rows."""

from datetime import UTC, datetime

import pytest

from genreatlas.sources.json_values import UnexpectedBody
from genreatlas.sources.spotify.analysis import AudioFeatures, parse_audio_features
from genreatlas.sources.spotify.pages import (
    FoundPlaylist,
    Listed,
    Page,
    Playlist,
    Track,
    parse_page,
    parse_playlist,
    parse_playlist_page,
    parse_track,
    parse_track_page,
)

ONE, TWO = "0000000000000000000one", "0000000000000000000two"
ADDED = datetime(2021, 5, 3, 9, 30, tzinfo=UTC)


def track_body(identity=ONE, **changes):
    """A track object with all that the API ever gave."""
    return {
        "album": {
            "album_type": "album",
            "artists": [{"id": "A1", "name": "The Hushed"}, {"id": "A2", "name": "Oona Bray"}],
            "available_markets": ["AD", "AR"],
            "id": "ALBUM1",
            "images": [
                {"height": 64, "url": "https://images.example/64", "width": 64},
                {"height": 640, "url": "https://images.example/640", "width": 640},
            ],
            "name": "Low Tide",
            "release_date": "1987-11",
            "release_date_precision": "month",
            "type": "album",
        },
        "artists": [{"id": "A2", "name": "Oona Bray"}, {"id": "A1", "name": "The Hushed"}],
        "available_markets": ["AD", "AR"],
        "disc_number": 2,
        "duration_ms": 201_000,
        "episode": False,
        "explicit": True,
        "external_ids": {"isrc": "gb-abc-87-00042"},
        "id": identity,
        "is_local": False,
        "name": "Driftwood",
        "popularity": 17,
        "preview_url": "https://previews.example/one?cid=app",
        "track": True,
        "track_number": 5,
        "type": "track",
        "uri": f"spotify:track:{identity}",
    } | changes


DRIFTWOOD = Track(
    spotify_id=ONE,
    title="Driftwood",
    artists=("Oona Bray", "The Hushed"),
    artist_ids=("A2", "A1"),
    album="Low Tide",
    album_id="ALBUM1",
    album_artists=("The Hushed", "Oona Bray"),
    track_number=5,
    disc_number=2,
    duration_ms=201_000,
    explicit=True,
    isrc="GBABC8700042",
    release_date="1987-11",
    release_date_precision="month",
    popularity=17,
    cover_url="https://images.example/640",
    preview_url="https://previews.example/one?cid=app",
)

#: What an app in development mode gets: no popularity, preview, markets, ids of others.
BARE_BODY = {"id": TWO, "type": "track", "name": "Salt", "artists": [{"name": "Oona Bray"}], "duration_ms": 1000.0}
SALT = Track(spotify_id=TWO, title="Salt", artists=("Oona Bray",), duration_ms=1000)


def test_a_track_is_read_whole():
    assert parse_track(track_body()) == DRIFTWOOD
    assert parse_track(BARE_BODY) == SALT


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (None, "null"),
        ([], "null"),
        (track_body(is_local=True, id=None), "local"),
        (track_body(None, uri="spotify:local:Oona+Bray::Salt:391"), "local"),
        ({"type": "episode", "id": ONE, "name": "Chapter 1"}, "episode"),
        (track_body(episode=True), "episode"),
        ({"uri": f"spotify:episode:{ONE}", "id": ONE}, "episode"),
        (track_body(None, uri="spotify:track:null"), "no_id"),
        (track_body(17, uri=None), "no_id"),
        ({}, "no_id"),
    ],
)
def test_what_is_no_track_of_spotifys_says_what_it_is(body, why):
    assert parse_track(body) == why


def test_values_of_the_wrong_kind_are_missing_and_stop_nothing():
    album = {"name": " ", "images": "none", "release_date": "0000", "release_date_precision": "decade", "artists": [7]}
    body = track_body(
        album=album, artists=[None, {"name": None}], disc_number="2", duration_ms=float("nan"), explicit="yes",
        external_ids={"isrc": "000000000000"}, popularity=True, preview_url="https://x.example/a?Signature=abc",
        track_number=1.5,
    )  # fmt: skip
    assert parse_track(body) == Track(spotify_id=ONE, title="Driftwood")
    assert parse_track(track_body(album=None, artists=None, external_ids=None)).album is None


@pytest.mark.parametrize(
    ("given", "precision", "expected"),
    [
        ("2001", "year", ("2001", "year")),
        ("2001-05-06", "day", ("2001-05-06", "day")),
        ("2001-05-06", None, ("2001-05-06", None)),
        ("2001-05-06", "century", ("2001-05-06", None)),
        ("0000", "year", (None, "year")),
        (None, None, (None, None)),
    ],
)
def test_a_release_date_keeps_the_precision_that_is_stated(given, precision, expected):
    track = parse_track(track_body(album={"release_date": given, "release_date_precision": precision}))
    assert (track.release_date, track.release_date_precision) == expected


def entries(key):
    """A page's entries of one generation: two tracks, and all that is none."""
    local = {key: track_body(None, is_local=True, uri="spotify:local:a:b:c:1"), "is_local": True}
    return [
        {"added_at": "2021-05-03T09:30:00Z", "is_local": False, key: track_body()},
        {"added_at": "2021-05-03T09:30:00Z", "is_local": False, key: None},
        {"added_at": None, **local},
        {"added_at": None, "is_local": False, key: {"type": "episode", "id": "E1", "name": "Chapter 1"}},
        None,
        {"added_at": "1970-01-01T00:00:00Z", "is_local": False, key: BARE_BODY},
    ]


LISTED = (Listed(100, DRIFTWOOD, ADDED), Listed(105, SALT, None))
LEFT_OUT = {"episode": 1, "local": 1, "null": 2}


@pytest.mark.parametrize("key", ["track", "item"])
def test_a_page_of_either_generation_is_the_same_page(key):
    body = {"items": entries(key), "limit": 100, "offset": 100, "total": 106, "next": None, "href": "here"}
    assert parse_page(body) == Page(
        LISTED, LEFT_OUT, offset=100, entries=6, limit=100, total=106, address="here", next=None
    )


def test_an_entry_that_has_both_generations_is_read_once():
    body = {"items": [{"track": True, "item": track_body()}, {"track": track_body(TWO), "item": None}]}
    assert [listed.track.spotify_id for listed in parse_page(body).tracks] == [ONE, TWO]


@pytest.mark.parametrize(("form", "key"), [("tracks", "track"), ("items", "item")])
def test_a_playlist_of_either_generation_has_head_and_first_page(form, key):
    page = {"items": entries(key)[:1], "limit": 100, "offset": 0, "total": 250, "next": "https://api.example/next"}
    body = {
        "collaborative": False,
        "id": "P1",
        "name": "The Sound of Shoegaze",
        "owner": {"id": "thesoundsofspotify", "display_name": "The Sounds of Spotify"},
        "public": True,
        "snapshot_id": "MTY",
        form: page,
        "type": "playlist",
    }
    first = Page((Listed(0, DRIFTWOOD, ADDED),), {}, 0, 1, 100, 250, None, "https://api.example/next")
    head = ("P1", "The Sound of Shoegaze", "thesoundsofspotify", "The Sounds of Spotify", "MTY", True)
    assert parse_playlist(body) == Playlist(*head, form, first)
    del body[form]
    assert parse_playlist(body) == Playlist(*head, None, None)


def test_a_search_finds_tracks_and_playlists_and_leaves_out_what_is_null():
    body = {"tracks": {"items": [track_body(), None, BARE_BODY], "limit": 10, "offset": 0, "total": 3, "next": None}}
    assert parse_track_page(body) == Page((Listed(0, DRIFTWOOD), Listed(2, SALT)), {"null": 1}, 0, 3, 10, 3)
    found = [{"id": "P1", "name": "Shoegaze", "owner": {"id": "oona"}}, None, {"id": "P2"}]
    body = {"playlists": {"items": found, "next": "https://api.example/next"}}
    expected = (FoundPlaylist("P1", "Shoegaze", "oona"), FoundPlaylist("P2", None, None))
    assert parse_playlist_page(body) == (expected, "https://api.example/next")


@pytest.mark.parametrize(
    ("parse", "body"),
    [
        (parse_playlist, {"type": "album", "tracks": {"items": []}}),
        (parse_playlist, {"items": []}),
        (parse_playlist, None),
        (parse_page, {"items": {}}),
        (parse_track_page, {"tracks": None}),
        (parse_playlist_page, {}),
        (parse_audio_features, {"error": {"status": 403}}),
    ],
)
def test_a_body_of_another_kind_is_refused_and_says_what_was_missing(parse, body):
    with pytest.raises(UnexpectedBody, match=r"(was|were) (requested|searched for)"):
        parse(body)


SOUND = {
    "danceability": 0.5, "energy": 0.25, "key": 11, "loudness": -6.5, "mode": 0, "speechiness": 0.125,
    "acousticness": 0, "instrumentalness": 1, "liveness": 0.5, "valence": 0.75, "tempo": 120.5, "time_signature": 3,
}  # fmt: skip


def test_audio_features_are_read_for_many_and_for_one():
    extra = {"id": ONE, "type": "audio_features", "duration_ms": 1000, "analysis_url": "https://x.example/?Signature=1"}
    one = AudioFeatures(ONE, SOUND | {"acousticness": 0.0, "instrumentalness": 1.0})
    assert parse_audio_features({"audio_features": [SOUND | extra, None]}) == (one,)
    assert parse_audio_features(SOUND | extra) == (one,)
    assert list(one.values) == list(SOUND)


def test_what_could_not_be_heard_is_missing_and_not_zero():
    unheard = SOUND | {"id": ONE, "key": -1, "mode": None, "tempo": 0.0, "time_signature": 0, "valence": "high"}
    missing = dict.fromkeys(("key", "mode", "tempo", "time_signature", "valence"))
    assert parse_audio_features(unheard) == (AudioFeatures(ONE, SOUND | missing),)
    assert parse_audio_features({"audio_features": [{"id": ONE, "error": "analysis not found"}]}) == ()
