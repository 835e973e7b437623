"""The sandbox world: what its services answer is what the parsers of the real ones read."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from array import array

import pytest
import requests

from genreatlas.config import SandboxSection, WorldSection
from genreatlas.errors import ConfigError
from genreatlas.sandbox.composed_library import write_library
from genreatlas.sandbox.world import Catalogue, Faults, Rule, running_world
from genreatlas.sandbox.world.contents import ROLES, Ids, Kind, isrc, isrc_number, made_up_genre
from genreatlas.sandbox.world.scripted_faults import KINDS, Weather
from genreatlas.sandbox.world.server import Entry, Log, shape_of
from genreatlas.sandbox.world.spotify_bodies import RIGHTS, Bodies, select
from genreatlas.sources.every_noise import parse_genre_page, parse_list, parse_map
from genreatlas.sources.spotify.pages import parse_playlist

BASES = ("house", "techno", "hip hop", "swing", "waltz", "folk", "rock", "ambient")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Two genres of one short song each, with their clips."""
    path = tmp_path_factory.mktemp("library") / "music"
    section = SandboxSection(
        path=path, genres=("house", "folk"), artists_per_genre=1, songs_per_artist=1, seconds=2.0, broken_files=False
    )
    write_library(section, workers=1)
    return section


@pytest.fixture(scope="module")
def served(library):
    """A world of twelve made-up genres of 60 songs, served."""
    section = WorldSection(port=0, genres=12, songs=60)
    with running_world(section, library) as world:
        world.section = section
        yield world


@pytest.fixture
def world(served):
    """The same, in good weather and with an empty log."""
    served.control(faults={}, clear_log=True)
    return served


@pytest.fixture
def spotify(world):
    """A session with a token; addresses are relative to the Web API."""

    class Api(requests.Session):
        def request(self, method, url, *args, **kwargs):
            return super().request(method, f"{world.addresses['spotify']}{url}", *args, timeout=10, **kwargs)

    api = Api()
    granted = api.post("/api/token", data={"grant_type": "client_credentials"}, auth=("id", "secret")).json()
    assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 3600)
    api.headers["Authorization"] = f"Bearer {granted['access_token']}"
    return api


def get(world, service, path, **options):
    return requests.get(f"{world.addresses[service]}{path}", timeout=10, **options)


def test_ids_hold_what_they_name_and_mean_nothing_elsewhere():
    ids = Ids(7)
    for number in (0, 1, 449_999, (1 << 56) - 1):
        text = ids.encode(Kind.TRACK, number)
        assert len(text) == 22 and text.isalnum()
        assert ids.decode(Kind.TRACK, text) == number
        assert ids.decode(Kind.ARTIST, text) is None
        assert Ids(8).decode(Kind.TRACK, text) is None
    assert ids.decode(Kind.TRACK, "4U8dlWRlFeLv32fPyb825T") is None
    assert [isrc_number(isrc(n)) for n in (0, 99_999, 449_999)] == [0, 99_999, 449_999]
    assert isrc_number("USRF31300001") is None and isrc_number("nonsense") is None


def test_no_two_of_6300_made_up_genres_share_a_name_or_a_slug():
    made = [made_up_genre(number, BASES) for number in range(6300)]
    assert len({name for name, _ in made}) == len({slug for _, slug in made}) == 6300
    assert ("트로트", "teuroteu") in made and ("r&b en espanol", "rbenespanol") in made


def test_a_world_is_the_same_whatever_is_asked_first():
    section = WorldSection(genres=40, songs=150)
    one, other = Catalogue(section, SandboxSection()), Catalogue(section, SandboxSection())
    other.song(5999)
    assert [one.song(n) for n in (0, 1, 4321)] == [other.song(n) for n in (0, 1, 4321)]
    assert one.song(1).isrc == one.song(0).isrc and one.song(1).artists == one.song(0).artists
    entries = one.entries(3, "sound")
    assert [entry.kind for entry in entries if entry.kind != "song"] == ["null", "local", "episode"]
    assert sum(entry.kind == "song" for entry in entries) == 150 + 3  # three of the genre before
    assert 60 < sum(one.song(n).has_preview for n in range(100)) < 100


def test_the_pages_are_read_as_every_noise_is(world):
    genres = parse_map(get(world, "everynoise", "/engenremap.html").content)
    listed = parse_list(get(world, "everynoise", "/everynoise1d.html").content)
    assert [genre.name for genre in genres] == [entry.name for entry in listed]
    assert [genre.slug for genre in genres] == [entry.slug for entry in listed]
    assert [entry.rank for entry in listed] == list(range(1, 13))
    assert all(genre.x is not None and genre.example_track and genre.preview_url for genre in genres)
    for genre, entry in zip(genres, listed, strict=True):
        page = parse_genre_page(get(world, "everynoise", f"/engenremap-{genre.slug}.html").content)
        assert (page.name, page.complete) == (genre.name, True)
        assert page.playlist_id() == entry.playlist_id
        assert [link.role for link in page.playlists] == ["sound", "intro", "pulse", "edge", "year"]
        assert len(page.artists) == 12 and all(artist.artist_id for artist in page.artists)
        assert {neighbour.box for neighbour in page.neighbours} == {"nearby", "opposite"}
    assert get(world, "everynoise", "/engenremap-unheardof.html").status_code == 404


def test_a_playlist_is_paged_and_its_entries_are_of_every_kind(world, spotify):
    listed = parse_list(get(world, "everynoise", "/everynoise1d.html").content)
    head = spotify.get(f"/v1/playlists/{listed[0].playlist_id}").json()
    assert (head["id"], head["tracks"]["total"], len(head["tracks"]["items"])) == (listed[0].playlist_id, 65, 65)
    kinds = {
        "null" if item["track"] is None else "local" if item["is_local"] else item["track"]["type"]
        for item in head["tracks"]["items"]
    }
    assert kinds == {"null", "local", "track", "episode"}
    seen, address = [], f"/v1/playlists/{listed[0].playlist_id}/tracks?limit=30"
    while address:
        page = spotify.get(address).json()
        seen += page["items"]
        address = page["next"] and page["next"].removeprefix(world.addresses["spotify"])
    assert seen == head["tracks"]["items"]
    assert spotify.get(f"/v1/playlists/{listed[0].playlist_id}/tracks?limit=101").status_code == 400
    assert spotify.get("/v1/playlists/1yckyfEZtFkkq7UPXHbLwi").status_code == 404


def test_the_two_generations_of_a_playlist_are_read_alike(library):
    section = WorldSection(genres=12, songs=60)
    catalogue, ids = Catalogue(section, library), Ids(7)
    old = Bodies(catalogue, ids, RIGHTS["legacy"], "http://x/v1", "http://y")
    new = Bodies(catalogue, ids, RIGHTS["development"], "http://x/v1", "http://y")
    entries = catalogue.entries(0, "sound")[:40]
    first, second = (parse_playlist(b.playlist(0, "sound", 0, entries)) for b in (old, new))
    assert (first.form, second.form) == ("tracks", "items")
    assert len(first.page.tracks) == len(second.page.tracks) == 37
    assert [t.track.title for t in first.page.tracks] == [t.track.title for t in second.page.tracks]
    assert "popularity" not in new.track(catalogue.song(0)) and new.track(catalogue.song(0))["preview_url"] is None
    assert {old.playlist_of(old.playlist_id(3, role)) for role in ROLES} == {(3, role) for role in ROLES}


def test_audio_features_and_searches_answer_for_songs_that_are_there(world, spotify):
    found = spotify.get("/v1/search", params={"q": 'artist:"Mellow Kites"', "type": "track", "limit": 5}).json()
    tracks = found["tracks"]["items"]
    assert tracks and all(track["artists"][0]["name"] == "Mellow Kites" for track in tracks)
    ids = [track["id"] for track in tracks]
    features = spotify.get("/v1/audio-features", params={"ids": ",".join([*ids, "x" * 22])}).json()["audio_features"]
    assert [entry and entry["id"] for entry in features] == [*ids, None]
    assert 20 < features[0]["tempo"] < 250
    assert spotify.get("/v1/audio-features", params={"ids": ",".join(["x"] * 101)}).status_code == 400
    assert spotify.get("/v1/search", params={"q": "x", "type": "track", "limit": 51}).status_code == 400
    assert len(spotify.get(f"/v1/audio-analysis/{ids[0]}").json()["segments"][0]["timbre"]) == 12


def test_deezer_and_the_clip_server_give_a_song_of_its_own_until_the_link_expires(world, spotify):
    tracks = spotify.get("/v1/search", params={"q": 'genre:"house"', "type": "track", "limit": 40}).json()["tracks"]
    bodies, versions, unknown = set(), 0, 0
    for track in tracks["items"]:
        if not track["external_ids"]:
            continue
        answer = get(world, "deezer", f"/track/isrc:{track['external_ids']['isrc']}").json()
        if "error" in answer:
            assert answer["error"] == {"type": "DataException", "message": "no data", "code": 800}
            unknown += 1
            continue
        assert answer["isrc"] == track["external_ids"]["isrc"]
        versions += answer["title"] != track["name"]
        clip = requests.get(answer["preview"], timeout=10)
        assert (clip.status_code, clip.headers["Content-Type"]) == (200, "audio/mpeg")
        bodies.add(clip.content)
    assert unknown == 1 and len(bodies) >= 36
    stale = answer["preview"].replace("exp=1", "exp=0")
    assert requests.get(stale, timeout=10).status_code == 403
    preview = next(track["preview_url"] for track in tracks["items"] if track["preview_url"])
    assert requests.get(preview, timeout=10).content.startswith(b"ID3")


def test_every_request_is_counted_with_its_time_status_and_fault(world, spotify):
    world.control(clear_log=True)
    world.faults(Faults(rules=(Rule("throttled", path="search", times=2, skip=1),), retry_after_s=3))
    before = time.time()
    answers = [spotify.get("/v1/search", params={"q": "x", "type": "track"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 200]
    assert answers[1].headers["Retry-After"] == "3"
    log = world.log("spotify")
    assert [(entry["status"], entry["fault"]) for entry in log] == [
        (200, None), (429, "throttled"), (429, "throttled"), (200, None)
    ]  # fmt: skip
    assert all(before <= entry["time"] <= time.time() for entry in log)
    assert world.busiest("spotify", 60) == 4
    assert {(row["path"], row["status"], row["requests"]) for row in world.counts()} == {
        ("/v1/search", 200, 2),
        ("/v1/search", 429, 2),
    }


def test_each_fault_goes_wrong_in_its_own_way(world, spotify):
    page = parse_list(get(world, "everynoise", "/everynoise1d.html").content)[0].playlist_id
    path = f"/v1/playlists/{page}"
    whole = spotify.get(path)
    seen = {}
    for kind in KINDS:
        world.faults(Faults(rules=(Rule(kind, service="spotify", path="playlists"),), stall_s=0.2))
        try:
            answer = spotify.get(path)
            seen[kind] = (answer.status_code, answer.content == whole.content)
        except requests.TooManyRedirects:
            seen[kind] = "redirects"
        except requests.RequestException as error:
            seen[kind] = "broken off" if "IncompleteRead" in str(error) else "hung up"
        if kind == "unauthorized":
            assert spotify.get(path).status_code == 401  # the token stays dead
            granted = spotify.post("/api/token", data={"grant_type": "client_credentials"}, auth=("id", "s")).json()
            spotify.headers["Authorization"] = f"Bearer {granted['access_token']}"
    assert seen == {
        "throttled": (429, False), "paused": (429, False), "quota": (429, False), "error_500": (500, False),
        "error_502": (502, False), "error_503": (503, False), "reset": "hung up", "stall": "hung up",
        "truncated": "broken off", "cut": (200, False), "empty": (200, False), "swapped": (200, False),
        "wrong_type": (200, True), "html": (200, False), "redirect_loop": (200, True), "unauthorized": (401, False),
        "forbidden": (403, False), "not_found": (404, False), "expired": (403, False), "changed": (200, True),
    }  # fmt: skip


def test_a_playlist_changes_between_its_pages_and_for_good(world, spotify):
    playlist = parse_list(get(world, "everynoise", "/everynoise1d.html").content)[1].playlist_id
    first = spotify.get(f"/v1/playlists/{playlist}").json()
    world.faults(Faults(rules=(Rule("changed", path="tracks"),)))
    page = spotify.get(f"/v1/playlists/{playlist}/tracks?offset=0&limit=50").json()
    assert page["total"] == first["tracks"]["total"] + 1
    assert page["items"][1:] == first["tracks"]["items"][:49]
    assert spotify.get(f"/v1/playlists/{playlist}").json() == first
    world.control(change=[playlist])
    later = spotify.get(f"/v1/playlists/{playlist}").json()
    assert later["snapshot_id"] != first["snapshot_id"] and later["tracks"]["total"] == page["total"]


def test_a_storm_follows_from_its_seed_and_has_the_share_that_it_is_given():
    paths = [f"/v1/playlists/{n}" for n in range(2000)]
    one, other = Weather(Faults(share=0.3)), Weather(Faults(share=0.3))
    drawn = [one.fault("spotify", path) for path in paths]
    assert [other.fault("spotify", path) for path in reversed(paths)][::-1] == drawn
    assert 0.25 < sum(fault is not None for fault in drawn) / 2000 < 0.35
    assert "expired" not in drawn and "unauthorized" in drawn and "paused" not in drawn
    with pytest.raises(ConfigError, match="unknown kind 'rain'"):
        Faults.of({"rules": [{"kind": "rain"}]})


def test_fields_keep_what_they_name():
    body = {"id": 1, "name": "n", "tracks": {"next": None, "items": [{"track": {"id": 2, "album": {"a": 1, "b": 2}}}]}}
    assert select(body, None) is body
    assert select(body, "id") == {"id": 1}
    assert select(body, "tracks(items(track(id)),next)") == {"tracks": {"items": [{"track": {"id": 2}}], "next": None}}
    assert select(body, "tracks.items.track.album(!a)") == {"tracks": {"items": [{"track": {"album": {"b": 2}}}]}}
    assert select(body, "id,tracks.items(track.album.b)") == {
        "id": 1,
        "tracks": {"items": [{"track": {"album": {"b": 2}}}]},
    }


def test_the_busiest_window_is_found_wherever_it_lies():
    log = Log()
    log._times["deezer"] = array("d", [0.0, 4.9, 5.0, 5.1, 10.0, 20.0])
    assert log.busiest("deezer", 5.0) == 3 and log.busiest("deezer", 0.05) == 1 and log.busiest("cdn", 5) == 0
    log.end(Entry(1.0, "deezer", "GET", "/track/isrc:QZ1?x=1", 200, None))
    assert log.counts()[0]["path"] == "/track/isrc:CODE"
    assert shape_of("/v1/playlists/1yckyfEZtFkkq7UPXHbLwi/tracks?offset=100") == "/v1/playlists/ID/tracks"


def test_the_front_page_says_what_there_is(world):
    page = get(world, "everynoise", "/").text
    assert "12 made-up genres" in page and world.addresses["deezer"] in page and "engenremap.html" in page


def test_a_world_that_is_there_is_used_and_another_at_its_port_is_an_error(world):
    port = int(world.addresses["everynoise"].rpartition(":")[2])
    with running_world(WorldSection(port=port, genres=12, songs=60)) as again:
        assert again.addresses == world.addresses
    assert get(world, "everynoise", "/_world").status_code == 200  # it was not ours to stop
    with pytest.raises(ConfigError, match="another sandbox world"), running_world(WorldSection(port=port, genres=13)):
        pass


def test_the_world_ends_with_the_process_that_started_it_even_when_that_is_killed():
    program = (
        "import time; from genreatlas.config import WorldSection; from genreatlas.sandbox.world import running_world\n"
        "with running_world(WorldSection(port=0, genres=2)) as world:\n"
        "    print(world.addresses['everynoise'], flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    address = parent.stdout.readline().strip()
    about = json.load(urllib.request.urlopen(f"{address}/_world", timeout=10))
    assert about["world"]["genres"] == 2
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    for _ in range(100):
        try:
            urllib.request.urlopen(f"{address}/_world", timeout=10).close()
        except OSError:
            return
        time.sleep(0.1)
    raise AssertionError("the world is still there")
