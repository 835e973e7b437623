"""Rhythm on the site: what pages are given of a clip's beats, bars and groove."""

import json
import re

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("duckdb")
from fastapi.testclient import TestClient

from conftest import make_config
from genreatlas.web.app import create_app
from genreatlas.web.hearing import hear
from genreatlas.web.published import Extract
from genreatlas.web.publishing import publish
from genreatlas.web.rhythm import rhythm_of_row
from one_file_models import RATE, recipe
from site_factory import rhythm, site_data


def shown(page: str) -> dict:
    return json.loads(re.search(r'id="rhythm">(.*?)</script>', page)[1])


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("rhythm")
    publish(site_data(30, files=home), make_config(home).web.path, "one")
    return home


@pytest.fixture
def client(home):
    return TestClient(create_app(make_config(home)), base_url="http://127.0.0.1")


def test_a_song_with_a_clip_has_its_beats_in_seconds_of_its_cut(client):
    found = shown(client.get("/songs/song000003").text)
    assert found["beats"] == [0.05, 0.3, 0.55, 0.8, 1.05, 1.3]
    assert (found["first"], found["beats_per_bar"], found["start_s"], found["tempo"]) == (1, 4, 1.0, 240.0)
    assert found["pattern"] == {"low": [100, 10, 10, 10] * 4, "mid": [50] * 16}  # the high band is silent
    assert "240.0 bpm, 6 beats, 4 to a bar (confidence of the bar line: 80 %)." in client.get("/songs/song000003").text


def test_a_song_without_beats_or_without_a_clip_has_no_ring(client):
    for song in ("song000022", "song000029"):
        page = client.get(f"/songs/{song}").text
        assert 'id="ring"' not in page and "rhythm.js" not in page


def test_a_clip_is_found_by_its_bytes(home):
    found = Extract(make_config(home).web.path / "extracts" / "one")
    (row,) = found.rows("SELECT clip_sha256 FROM songs WHERE clip_id = 'clip3'")
    assert found.clip_of(row["clip_sha256"])["clip_id"] == "clip3"
    assert found.clip_of("0" * 64) is None


def test_a_clip_without_bars_has_its_beats_alone():
    row = rhythm("c") | {"downbeat_times": [], "beats_per_bar": None, "pattern": [None] * 48}
    found = rhythm_of_row(row, 0.0)
    assert (len(found["beats"]), found["beats_per_bar"], found["pattern"]) == (6, None, None)
    nothing = dict.fromkeys(row) | {"clip_id": "c"}
    assert rhythm_of_row(nothing, 0.0)["beats"] == []


def test_the_beats_of_a_file_are_where_they_were_put(tmp_path):
    import soundfile

    rng = np.random.default_rng(1)
    seconds, bpm = 12.0, 120.0
    samples = 0.002 * rng.standard_normal(round(seconds * RATE))
    for beat in np.arange(0.5, seconds - 0.2, 60 / bpm):
        at = round(beat * RATE)
        length = RATE // 10
        kick = np.exp(-np.arange(length) / 900) * np.sin(2 * np.pi * 70 * np.arange(length) / RATE)
        samples[at : at + length] += 0.8 * kick
    soundfile.write(tmp_path / "kick.wav", samples, RATE)
    config = make_config(tmp_path, "clip.seconds=10.0")
    heard = hear(str(tmp_path / "kick.wav"), (recipe(config, "summary9"),))
    found = heard.rhythm
    assert found["tempo"] == pytest.approx(bpm, abs=1)
    assert found["start_s"] == heard.start_s == 1.0
    away = (np.array(found["beats"]) + heard.start_s - 0.5 + 0.25) % 0.5 - 0.25
    assert len(away) >= 15 and np.abs(away).max() < 0.05


def test_one_page_alone_may_ask_for_the_microphone(client):
    for path in ("/", "/songs/song000003", "/upload", "/rest/genres", "/tempos"):
        assert client.get(path).headers["permissions-policy"].startswith("microphone=(), ")
    answer = client.get("/tempo")
    assert answer.headers["permissions-policy"].startswith("microphone=(self), camera=()")
    assert len(answer.headers.get_list("permissions-policy")) == 1
