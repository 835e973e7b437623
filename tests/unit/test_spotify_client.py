"""The client against a real server: paging, tokens that end, refusals, throttling."""

import dataclasses
import logging
import time

import pytest

from genreatlas.config import FanOutSection
from genreatlas.errors import ConfigError, FetchError, ProviderPausedError, Reason
from genreatlas.sources.http import polite_session
from genreatlas.sources.spotify.client import Spotify
from genreatlas.sources.spotify.tokens import make_tokens, read_credentials
from loopback import Reply, serve
from spotify_server import CLIENT, Listing, World, error, identity, settings, track

QUICK = FanOutSection(backoff_s=0.01, read_s=2.0, total_s=4.0)


def client(server, environment=CLIENT, **changes):
    section = settings(server, **changes)
    session = polite_session(QUICK, "spotify", "json")
    return Spotify(section, session, make_tokens(section, read_credentials(section, environment), session))


def whole(spotify, playlist_id):
    playlist = spotify.playlist(playlist_id)
    return [playlist.page, *spotify.further_pages(playlist, playlist_id)]


def ids(pages):
    return [listed.track.spotify_id for page in pages for listed in page.tracks]


@pytest.mark.parametrize("form", ["tracks", "items"])
def test_a_playlist_costs_one_request_and_one_for_each_further_page(form):
    world = World({"P1": Listing([track(n) for n in range(1, 251)])}, form=form)
    with serve(world) as server:
        pages = whole(client(server, market="DE"), "P1")
        assert ids(pages) == [identity(n) for n in range(1, 251)]
        assert server.paths() == ["/accounts/api/token", "/v1/playlists/P1", *2 * [f"/v1/playlists/P1/{form}"]]
        asked = server.asked[-1]
        assert (asked.query["offset"], asked.query["limit"]) == ("200", "100")
        assert "available_markets" not in asked.query["fields"]
        assert server.asked[1].query["additional_types"] == "track,episode"


def test_a_head_holds_no_entries_and_tells_whether_the_playlist_changed():
    with serve(World({"P1": Listing([track(1)], snapshot="v7")})) as server:
        head = client(server).head("P1")
    assert (head.snapshot, head.page, head.owner_id) == ("v7", None, "thesoundsofspotify")


def test_a_token_that_ends_in_the_middle_of_paging_is_renewed_and_nothing_is_missed():
    world = World({"P1": Listing([track(n) for n in range(1, 351)])})

    def end_tokens(asked):
        if asked.query.get("offset") == "200" and world.tokens_given == 1:
            world.valid_tokens.clear()
            return error(401, "The access token expired")
        return None

    world.before = end_tokens
    with serve(world) as server:
        assert ids(whole(client(server), "P1")) == [identity(n) for n in range(1, 351)]
        assert world.tokens_given == 2
        assert len(server.asked) == 2 + 1 + 3 + 1  # tokens, head, pages, the page that was refused


def test_an_api_that_refuses_every_token_is_to_be_asked_again_later():
    world = World(before=lambda asked: error(401, "The access token expired"))
    with serve(world) as server, pytest.raises(FetchError) as caught:
        client(server).head("P1")
    assert (caught.value.reason, caught.value.http_status, caught.value.transient) == (Reason.UNAUTHORIZED, 401, True)
    assert world.tokens_given == 4


def test_credentials_that_are_refused_stop_the_run_with_their_names_and_not_their_values():
    refused = Reply(400, b'{"error": "invalid_client", "error_description": "Invalid client secret"}')
    with serve(lambda asked: refused) as server, pytest.raises(ConfigError) as caught:
        client(server).head("P1")
    assert str(caught.value).startswith("Spotify refuses SPOTIFY_CLIENT_ID, SPOTIFY_CLIENT_SECRET: invalid_client.")
    assert CLIENT["SPOTIFY_CLIENT_SECRET"] not in str(caught.value)


@pytest.mark.parametrize(
    ("reply", "reason", "status"),
    [
        (error(403, None), Reason.FORBIDDEN, 403),
        (error(404, "Resource not found"), Reason.NOT_FOUND, 404),
        (error(400, "Invalid base62 id"), Reason.BAD_REQUEST, 400),
        (Reply(403, b'{"error": "access_denied"}'), Reason.FORBIDDEN, 403),
        (Reply(404, b"<html>", "text/html"), Reason.NOT_FOUND, 404),
        (Reply(403, b"[]"), Reason.FORBIDDEN, 403),
        (Reply(200, b'{"audio_features": "none"}'), Reason.WRONG_CONTENT, 200),
    ],
)
def test_a_refusal_of_any_form_keeps_its_status_and_is_asked_once(reply, reason, status):
    with serve(World(before=lambda asked: reply)) as server, pytest.raises(FetchError) as caught:
        client(server).audio_features([identity(1)])
    assert (caught.value.reason, caught.value.http_status) == (reason, status)
    assert len(server.asked) == 2


def test_being_throttled_for_a_day_pauses_the_provider_instead_of_sleeping():
    world = World(before=lambda asked: Reply(429, error(429).body, headers={"Retry-After": "86400"}))
    with serve(world) as server, pytest.raises(ProviderPausedError) as caught:
        client(server).head("P1")
    assert (caught.value.provider, caught.value.reason) == ("spotify", Reason.RATE_LIMITED)


def test_a_next_page_elsewhere_is_not_asked_for():
    with serve(World()) as other:
        world = World({"P1": Listing([track(n) for n in range(1, 151)])}, site=other.url)
        with serve(world) as server:
            assert ids(whole(client(server), "P1")) == [identity(n) for n in range(1, 151)]
            assert (other.asked, len(server.asked)) == ([], 3)


@pytest.mark.parametrize("swap", ["playlist", "page", "place", "features"])
def test_a_body_of_something_else_counts_as_no_answer(swap):
    world = World({name: Listing([track(n) for n in range(1, 151)]) for name in ("P1", "P2")})

    def swapped(asked):
        path = asked.path.replace("P1", "P2")
        if (swap, "offset" in asked.query) in (("playlist", False), ("page", True)):
            return world._answer(dataclasses.replace(asked, path=path), path.removeprefix("/v1/").split("/"))
        if swap == "place" and "offset" in asked.query:
            return world._answer(dataclasses.replace(asked, query=asked.query | {"offset": "50"}), path[4:].split("/"))
        if swap == "features" and asked.path.endswith("audio-features"):
            return world._answer(dataclasses.replace(asked, query={"ids": identity(9)}), ["audio-features"])
        return None

    world.before = swapped
    with serve(world) as server, pytest.raises(FetchError) as caught:
        spotify = client(server)
        spotify.audio_features([identity(1)]) if swap == "features" else whole(spotify, "P1")
    assert (caught.value.reason, caught.value.transient) == (Reason.WRONG_CONTENT, True)


def test_audio_features_of_many_tracks_are_one_request_and_those_without_are_missing():
    with serve(World()) as server:
        found = client(server).audio_features([identity(n) for n in range(1, 101)])
        assert [features.spotify_id for features in found] == [identity(n) for n in range(1, 101) if n % 10]
        assert len(server.asked) == 2


def test_a_search_gives_tracks_and_playlists():
    found = [{"id": "P1", "name": "Shoegaze", "owner": {"id": "oona"}}, None]
    world = World(found_tracks={'artist:"Oona"': [track(1), None]}, found_playlists={"shoegaze": found})
    with serve(world) as server:
        spotify = client(server)
        page = spotify.search_tracks('artist:"Oona"', limit=10)
        assert (ids([page]), page.left_out) == ([identity(1)], {"null": 1})
        playlists, following = spotify.search_playlists("shoegaze", limit=10)
        assert ([playlist.playlist_id for playlist in playlists], following) == (["P1"], None)


def test_a_refresh_token_from_the_environment_is_used_and_its_replacement_after_it():
    given = []

    def script(asked):
        if asked.path == "/accounts/api/token":
            given.append(asked.body.decode())
            number = len(given)
            body = f'{{"access_token": "t{number}", "expires_in": 0.01, "scope": "", "refresh_token": "r{number}"}}'
            return Reply(body=body.encode())
        return Reply(body=b'{"snapshot_id": "v1"}')

    environment = {"SPOTIPY_CLIENT_ID": "app", "SPOTIFY_REFRESH_TOKEN": "r0"}
    with serve(script) as server:
        spotify = client(server, environment, authorisation="user")
        spotify.head("P1")
        time.sleep(0.02)
        spotify.head("P1")
    asked = [dict(pair.split("=") for pair in body.split("&")) for body in given]
    assert [(form["grant_type"], form["refresh_token"]) for form in asked] == [
        ("refresh_token", "r0"),
        ("refresh_token", "r1"),
    ]


@pytest.mark.parametrize(
    ("environment", "changes", "missing"),
    [
        ({}, {}, "environment: SPOTIFY_CLIENT_ID, SPOTIFY_CLIENT_SECRET"),
        ({"SPOTIFY_CLIENT_ID": "app"}, {}, "environment: SPOTIFY_CLIENT_SECRET"),
        ({}, {"authorisation": "user"}, "environment: SPOTIFY_CLIENT_ID"),
        ({"SPOTIFY_CLIENT_ID": "app"}, {"authorisation": "user"}, "no SPOTIFY_REFRESH_TOKEN"),
    ],
)
def test_what_is_missing_in_the_environment_is_named(environment, changes, missing):
    with serve(World()) as server, pytest.raises(ConfigError, match=missing):
        client(server, environment, **changes)


def test_no_log_line_and_no_text_of_an_error_holds_a_secret(caplog):
    caplog.set_level(logging.DEBUG)
    world = World({"P1": Listing([track(1)])}, features_allowed=False)
    with serve(world) as server:
        spotify = client(server)
        spotify.head("P1")
        with pytest.raises(FetchError) as caught:
            spotify.audio_features([identity(1)])
    credentials = read_credentials(spotify.settings, CLIENT)
    said = caplog.text + str(caught.value) + repr(caught.value) + repr(credentials)
    assert "that-nobody-may-see" not in said and "Bearer" not in said and "Basic" not in said
