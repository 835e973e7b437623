"""Analyses of tracks by their id at Deezer and Spotify, against the sandbox's services on loopback."""

import re

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("duckdb")
pytest.importorskip("aiohttp")
from fastapi.testclient import TestClient

from conftest import make_config
from genreatlas.config import SandboxSection, WorldSection
from genreatlas.errors import InputError
from genreatlas.sandbox.composed_library import write_library
from genreatlas.sandbox.world import Catalogue, running_world
from genreatlas.sandbox.world.contents import Ids, Kind
from genreatlas.sources.hosts import forget_hosts
from genreatlas.sources.previews.by_id import Reference, parse_reference
from genreatlas.web.app import create_app
from genreatlas.web.places import prepare
from genreatlas.web.publishing import publish
from genreatlas.web.queue import Queue
from one_file_models import save_model
from site_factory import site_data

SPOTIFY = "0123456789abcdefghijkl"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("deezer:3135553", Reference("deezer", "3135553")),
        ("https://www.deezer.com/track/3135553?utm=x", Reference("deezer", "3135553")),
        ("www.deezer.com/en/track/3135553", Reference("deezer", "3135553")),
        (f"spotify:track:{SPOTIFY}", Reference("spotify", SPOTIFY)),
        (f"spotify:{SPOTIFY}", Reference("spotify", SPOTIFY)),
        (f"https://open.spotify.com/intl-de/track/{SPOTIFY}?si=1", Reference("spotify", SPOTIFY)),
    ],
)
def test_an_id_or_a_tracks_page_names_a_track(text, wanted):
    assert parse_reference(text) == wanted
    assert parse_reference(str(wanted)) == wanted == parse_reference(wanted.link)


@pytest.mark.parametrize(
    "text",
    ["http://127.0.0.1/track/1", "https://deezer.com.evil.example/track/1", "https://www.deezer.com/album/1",
     "deezer:-1", "deezer:1/../2", "file:///etc/passwd", "http://[::1", f"spotify:playlist:{SPOTIFY}", "", "deezer:१"],
)  # fmt: skip
def test_nothing_else_does(text):
    with pytest.raises(InputError, match="not the id or the address of a track"):
        parse_reference(text)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    section = SandboxSection(
        path=tmp_path_factory.mktemp("library") / "music", genres=("house", "folk"), artists_per_genre=1,
        songs_per_artist=1, seconds=4.0, broken_files=False,
    )  # fmt: skip
    write_library(section, workers=1)
    return section


@pytest.fixture(scope="module")
def world(library):
    section = WorldSection(port=0, genres=12, songs=60)
    with running_world(section, library) as world:
        world.catalogue = Catalogue(section, library)
        yield world


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    path = tmp_path_factory.mktemp("home")
    config = make_config(path, "clip.seconds=2.0")
    meta = save_model(config, "m1")
    facts = {"model_id": "m1", "candidate": "sklearn logistic", "feature_set": "summary9", "n_genres": 2,
             "set_version": meta.set_version, "score_kind": meta.score_kind}  # fmt: skip
    publish(site_data(model=facts), config.web.path, "one")
    return path


@pytest.fixture
def site(world, home, tmp_path, monkeypatch):
    """A site and its queue, with the world's services; ``on`` are those that were acknowledged."""
    monkeypatch.setenv("SPOTIFY_CLIENT_ID", "id")
    monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", "secret")
    forget_hosts()
    addresses = world.addresses

    def made(*on: str, **more: str):
        settings = [f"{one}.acknowledge_terms=true" for one in on]
        settings += [f'{key}="{value}"' for key, value in more.items()]
        config = make_config(
            home, "clip.seconds=2.0", f"web.database=sqlite:///{tmp_path}/work.sqlite", *settings,
            f'spotify.api_url="{addresses["spotify"]}/v1"', f'spotify.accounts_url="{addresses["spotify"]}"',
            f'deezer.api_url="{addresses["deezer"]}"', 'deezer.hosts=["127.0.0.1"]',
        )  # fmt: skip
        client = TestClient(create_app(config), base_url="http://127.0.0.1", follow_redirects=False)
        return client, Queue(config, prepare(config)), config

    return made


def ask(client, track, path="/tracks"):
    token = re.search(r'name="token" value="(\w+)"', client.get("/upload").text)[1]
    return client.post(path, data={"track": track, "token": token})


def song_where(world, **facts):
    songs = (world.catalogue.song(number) for number in range(200))
    return next(one for one in songs if one.isrc and all(getattr(one, key) == is_so for key, is_so in facts.items()))


def test_services_are_off_until_their_terms_are_acknowledged(site):
    client, queue, _ = site()
    assert 'action="/tracks"' not in client.get("/upload").text
    for track, name in (("deezer:1000001", "Deezer"), (f"spotify:{SPOTIFY}", "Spotify")):
        answer = ask(client, track)
        assert answer.status_code == 403 and f"Tracks of {name} are disabled" in answer.text
    assert queue.work.waiting() == 0
    client, _, _ = site("deezer")
    page = client.get("/upload").text
    assert 'action="/tracks"' in page and "A track of Deezer<" in page


def test_a_track_of_deezer_is_analysed_by_its_id_with_a_link_back_and_its_audio_deleted(site, world):
    client, queue, config = site("deezer")
    song = song_where(world, on_deezer=True, other_version=False)
    answer = ask(client, f"https://www.deezer.com/track/{1_000_000 + song.number}")
    assert answer.status_code == 303
    queue.do(queue.work.take())
    page = client.get(answer.headers["location"])
    assert page.status_code == 200, page.text
    assert f'href="https://www.deezer.com/track/{1_000_000 + song.number}"' in page.text
    assert "Listen on Deezer" in page.text and "Title and artist by Deezer, preview by Deezer" in page.text
    told = client.get("/rest/analysis", params={"analysis_id": answer.headers["location"].rpartition("/")[2]}).json()
    assert told["answer"]["track"]["title"] == song.title and told["answer"]["genres"]
    assert list(prepare(config).uploads.iterdir()) == []
    assert ask(client, f"deezer:{1_000_000 + song.number}").headers["location"] == answer.headers["location"]


def test_a_track_of_spotify_without_a_preview_is_heard_by_deezers_of_the_same_isrc(site, world):
    song = song_where(world, on_deezer=True, other_version=False, has_preview=False)
    track_id = Ids(world.catalogue.seed).encode(Kind.TRACK, song.number)
    client, queue, _ = site("spotify", "deezer")
    answer = ask(client, f"spotify:track:{track_id}", "/rest/track")
    assert answer.status_code == 202
    queue.do(queue.work.take())
    told = client.get("/rest/analysis", params=answer.json()).json()
    assert told["state"] == "done", told
    track = told["answer"]["track"]
    assert (track["service"], track["preview_by"], track["title"]) == ("spotify", "deezer", song.title)
    client, queue, _ = site("spotify")
    other = song_where(world, has_preview=False, on_deezer=False)
    answer = ask(client, f"spotify:{Ids(world.catalogue.seed).encode(Kind.TRACK, other.number)}")
    queue.do(queue.work.take())
    page = client.get(answer.headers["location"])
    assert page.status_code == 422 and "no preview" in page.text


def test_a_track_that_the_service_does_not_have_fails_with_its_words_and_what_is_no_track_is_refused(site):
    client, queue, _ = site("deezer")
    answer = ask(client, "deezer:999999999999")
    queue.do(queue.work.take())
    page = client.get(answer.headers["location"])
    assert page.status_code == 422 and "could not be analysed" in page.text
    assert ask(client, "http://127.0.0.1:1/track/1").status_code == 422
    assert client.post("/tracks", data={"track": "deezer:1", "token": "x"}).status_code == 403


def test_a_logo_that_the_owner_got_is_shown_and_no_other_file_is_served(site, world, tmp_path):
    path = tmp_path / "deezer.svg"
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    client, queue, _ = site("deezer", **{"web.logos.deezer": str(path)})
    logo = client.get("/logos/deezer")
    assert logo.headers["content-type"].startswith("image/svg") and logo.text == path.read_text()
    assert client.get("/logos/spotify").status_code == 404 == client.get("/logos/..%2Fx").status_code
    song = song_where(world, on_deezer=True, other_version=False)
    answer = ask(client, f"deezer:{1_000_000 + song.number}")
    queue.do(queue.work.take())
    assert 'src="/logos/deezer"' in client.get(answer.headers["location"]).text
