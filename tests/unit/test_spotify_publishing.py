"""Playlists at Spotify: created once whatever happens, filled in order, and never by a user who did not allow it."""

import json

import pytest
import requests

from genreatlas.config import FanOutSection, SandboxSection, SpotifySection, WorldSection
from genreatlas.errors import ConfigError, FetchError
from genreatlas.sandbox.composed_library import write_library
from genreatlas.sandbox.world import running_world
from genreatlas.sandbox.world.contents import Ids, Kind
from genreatlas.sandbox.world.spotify_service import READ_ONLY
from genreatlas.sources.spotify import authorise
from genreatlas.sources.spotify.publishing import open_publisher, read_publishing_credentials
from genreatlas.sources.spotify.tokens import PUBLISHING_SCOPES, SCOPES
from loopback import Reply, serve

USER = {
    "SPOTIFY_CLIENT_ID": "client",
    "SPOTIFY_CLIENT_SECRET": "secret-nobody-sees",
    "SPOTIFY_REFRESH_TOKEN": "refresh",
}
FAST = FanOutSection(backoff_s=0.0, tries=3)
TRACKS = [Ids(7).encode(Kind.TRACK, number) for number in range(230)]


@pytest.fixture(autouse=True)
def user(monkeypatch):
    for name, value in USER.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module", params=["legacy", "development"])
def world(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("library") / "music"
    library = SandboxSection(
        path=path, genres=("house",), artists_per_genre=1, songs_per_artist=1, seconds=2.0, broken_files=False
    )
    write_library(library, workers=1)
    with running_world(WorldSection(port=0, genres=60, songs=10, app=request.param), library) as served:
        yield served


def settings(address: str) -> SpotifySection:
    return SpotifySection(acknowledge_terms=True, api_url=f"{address}/v1", accounts_url=address)


def sent(world, method: str) -> list[str]:
    entries = requests.get(f"{world.addresses['everynoise']}/_log?service=spotify", timeout=10).json()
    return [entry["path"] for entry in entries if entry["method"] == method and entry["path"] != "/api/token"]


def entries(world, playlist_id: str) -> list[str]:
    """Tracks that the playlist has, read as its user reads them."""
    address = world.addresses["spotify"]
    form = {"grant_type": "refresh_token", "refresh_token": "refresh"}
    token = requests.post(f"{address}/api/token", data=form, auth=("id", "secret"), timeout=10).json()["access_token"]
    api = requests.Session()
    api.headers["Authorization"] = f"Bearer {token}"
    found, page = [], api.get(f"{address}/v1/playlists/{playlist_id}/items", timeout=10).json()
    while True:
        found += [(one.get("item") or one.get("track"))["id"] for one in page["items"]]
        if page["next"] is None:
            return found
        page = api.get(page["next"], timeout=10).json()


def test_a_playlist_is_created_found_again_and_filled_in_order(world):
    world.control(clear_log=True)
    publisher = open_publisher(settings(world.addresses["spotify"]), FAST)
    account = publisher.account()
    assert len(account) == 20 and "listener" not in account
    assert publisher.find("[mark 1]") is None
    made = publisher.create("Night\u2013drive <b>", "What it is. " * 60, "[mark 1]", public=False)
    assert publisher.find("[mark 1]") == made and publisher.find("[mark 2]") is None
    publisher.fill(made, TRACKS)
    assert entries(world, made) == TRACKS
    publisher.fill(made, TRACKS[5:9][::-1])
    assert entries(world, made) == TRACKS[5:9][::-1]
    assert sent(world, "POST") == ["/v1/me/playlists", *[f"/v1/playlists/{made}/items"] * 2]


def test_a_token_that_ended_is_renewed_and_nothing_is_done_twice(world):
    publisher = open_publisher(settings(world.addresses["spotify"]), FAST)
    publisher.account()
    world.control(end_tokens=True, clear_log=True)
    made = publisher.create("Again", "", "[mark 3]", public=True)
    assert publisher.find("[mark 3]") == made
    assert sent(world, "POST") == ["/v1/me/playlists"] * 2  # refused, and done


def test_a_user_who_let_the_app_read_alone_is_told_what_to_do(world, monkeypatch):
    monkeypatch.setenv("SPOTIFY_REFRESH_TOKEN", READ_ONLY)
    publisher = open_publisher(settings(world.addresses["spotify"]), FAST)
    assert publisher.find("[mark 9]") is None
    with pytest.raises(ConfigError, match="authorise --publish"):
        publisher.create("x", "", "[mark 9]", public=False)
    with pytest.raises(ConfigError, match="refuses PUT"):
        publisher.fill(Ids(7).encode(Kind.PLAYLIST, 0), TRACKS[:1])


def test_a_track_that_spotify_does_not_know_is_a_final_error(world):
    publisher = open_publisher(settings(world.addresses["spotify"]), FAST)
    made = publisher.create("Unknown", "", "[mark 4]", public=False)
    with pytest.raises(FetchError) as problem:
        publisher.fill(made, ["x" * 22])
    assert not problem.value.transient and problem.value.http_status == 400


class Unsteady:
    """A Spotify that does what it is asked, and breaks off its answer to the first request to create."""

    def __init__(self) -> None:
        self.created: list[dict] = []

    def __call__(self, asked) -> Reply:
        if asked.path == "/api/token":
            return reply({"access_token": "t", "token_type": "Bearer", "expires_in": 3600})
        if asked.method == "POST":
            self.created.append(json.loads(asked.body) | {"id": f"made{len(self.created)}"})
            return Reply(502, b"Bad gateway")
        return reply({"items": self.created, "next": None})


def reply(body) -> Reply:
    return Reply(body=json.dumps(body).encode())


def test_an_answer_that_gets_lost_leads_to_no_second_playlist():
    spotify = Unsteady()
    with serve(spotify) as server:
        publisher = open_publisher(settings(server.url), FAST)
        assert publisher.create("Night", "Words", "[mark]", public=False) == "made0"
    assert [one["name"] for one in spotify.created] == ["Night"]
    assert spotify.created[0]["description"] == "Words [mark]" and spotify.created[0]["public"] is False


def test_credentials_are_named_where_they_lack(monkeypatch):
    with pytest.raises(ConfigError, match=r"no SPOTIFY_REFRESH_TOKEN .*authorise --publish"):
        read_publishing_credentials(SpotifySection(), {"SPOTIFY_CLIENT_ID": "x"})
    with pytest.raises(ConfigError, match="environment: SPOTIFY_CLIENT_ID"):
        read_publishing_credentials(SpotifySection(), {})


def test_only_who_asks_to_publish_asks_to_change_playlists(monkeypatch):
    asked = []
    monkeypatch.setattr(authorise, "authorise", lambda *a: asked.append(a[-1]) or "token")
    assert authorise.main([]) == authorise.main(["--publish"]) == 0
    assert asked == [SCOPES, PUBLISHING_SCOPES] and "modify" not in SCOPES
