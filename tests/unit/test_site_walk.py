"""What docs/web.md says that one can do with files, lists, playlists, the map and corrections, in a real browser."""

import io
import json
import zipfile

import pytest
import soundfile

pytest.importorskip("fastapi")
pytest.importorskip("duckdb")

from browser import CHROMIUM, Browser
from loopback import Reply, serve
from one_file_models import sound
from site_factory import site_data
from site_server import SiteServer

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no chromium")]
SONGS = site_data().table("songs").to_pylist()


@pytest.fixture(scope="module")
def deezer():
    """A service on loopback that speaks as Deezer does."""

    def script(asked):
        if asked.path == "/track/42":
            body = {"id": 42, "title": "A Tone", "duration": 30, "preview": f"{server.url}/cdn/42.flac",
                    "artist": {"id": 1, "name": "Somebody"}}  # fmt: skip
            return Reply(body=json.dumps(body).encode())
        samples, rate = soundfile.read(io.BytesIO(sound("tone", seconds=4.0, seed=11)))
        preview = io.BytesIO()
        soundfile.write(preview, samples, rate, format="FLAC")
        return Reply(body=preview.getvalue(), kind="audio/flac")

    with serve(script) as server:
        yield server


@pytest.fixture(scope="module")
def served(tmp_path_factory, deezer):
    server = SiteServer(
        tmp_path_factory.mktemp("served"), "deezer.acknowledge_terms=true", f'deezer.api_url="{deezer.url}"',
        'deezer.hosts=["127.0.0.1"]',
    )  # fmt: skip
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(browser, served):
    browser.errors.clear()
    browser.requests.clear()

    def opened(path: str, ready: str = "document.readyState === 'complete'") -> Browser:
        browser.open(served.address + path, f"location.href.startsWith('{served.address}') && {ready}")
        return browser

    yield opened
    assert browser.errors == []
    assert [one for one in browser.requests if not one.startswith((served.address, "data:", "about:"))] == []


def choose(seen: Browser, *files) -> None:
    root = seen.send("DOM.getDocument")["root"]["nodeId"]
    node = seen.send("DOM.querySelector", nodeId=root, selector="input[type=file]")["nodeId"]
    seen.send("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])


def follow(seen: Browser, words: str) -> None:
    """Follow the first link in the content that says this."""
    found = f"[...document.querySelectorAll('main a')].find((one) => one.textContent.includes({json.dumps(words)}))"
    assert seen.ask(f"Boolean({found})"), words
    seen.ask(f"{found}.click()")


def test_many_files_become_a_table_and_tagged_copies(page, tmp_path):
    paths = [tmp_path / "one.wav", tmp_path / "two.wav"]
    for number, path in enumerate(paths):
        path.write_bytes(sound(("tone", "noise")[number], seconds=3.0, seed=number))
    before = [path.read_bytes() for path in paths]
    seen = page("/upload")
    choose(seen, *paths)
    seen.ask("document.querySelector('form.drop [name=keep]').click()")
    seen.ask("document.querySelector('form.drop button').click()")
    seen.wait("location.pathname === '/analyses'", seconds=120)
    for _ in range(200):
        seen = page("/analyses")
        if (
            seen.ask("[...document.querySelectorAll('tbody tr')].filter((row) => /%/.test(row.textContent)).length")
            == 2
        ):
            break
        seen.ask("new Promise((done) => setTimeout(done, 500))")
    text = seen.ask("document.querySelector('tbody').textContent")
    assert "Tone" in text and "Noise" in text
    assert "2 are kept" in seen.ask("document.querySelector('main').textContent")
    table = seen.ask("fetch('/analyses.csv').then((answer) => answer.text())")
    assert "one.wav,done,Tone" in table
    head = "fetch('/analyses.zip').then((answer) => answer.arrayBuffer()).then((all) => [...new Uint8Array(all)])"
    content = bytes(seen.ask(head))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert set(archive.namelist()) == {"one.wav", "two.wav", "genres.csv"}
    assert [path.read_bytes() for path in paths] == before


def test_a_list_is_told_its_genres_and_how_much_of_it_was_found(page, tmp_path):
    path = tmp_path / "mine.m3u8"
    lines = [f"#EXTINF:1,{SONGS[n]['artist']} - {SONGS[n]['title']}\nx/{n}.mp3" for n in (20, 21, 22)]
    path.write_text("\n".join(["#EXTM3U", *lines, "#EXTINF:1,Nobody - Nothing", "y.mp3"]))
    seen = page("/fit")
    choose(seen, path)
    seen.ask("document.querySelector('form.drop button').click()")
    seen.wait("document.getElementById('matched')", seconds=60)
    assert "3 of 4 entries" in seen.ask("document.getElementById('matched').textContent")
    assert "3 by title and artist" in seen.ask("document.getElementById('matched').textContent")
    assert seen.ask("document.querySelectorAll('tbody tr').length") >= 1
    assert "Nobody - Nothing" in seen.ask("document.querySelector('main').textContent")


def test_from_the_map_and_from_a_genre_one_explores_and_takes_the_playlist_along(page):
    seen = page("/map#genre=genre3", "window.genreMap && document.querySelector('#chosen a')")
    link = seen.ask("[...document.querySelectorAll('#chosen a')].map((one) => one.getAttribute('href')).join(' ')")
    assert "/explore?kind=explore&seed=genre:genre3" in link and "/genres/genre3" in link
    seen = page("/genres/techno")
    seen.ask("document.querySelector('a[href^=\"/explore\"]').click()")
    seen.wait("location.pathname === '/explore' && document.querySelector('.rows li')")
    assert "from Techno: Techno > House" in seen.ask("document.querySelector('.rows').textContent")
    address = seen.ask("document.querySelector('a[href^=\"/rest/playlist\"]').href")
    text = seen.ask(f"fetch({json.dumps(address)}).then((answer) => answer.text())")
    assert text.startswith("#EXTM3U") and "/clips/" in text
    seen.ask("document.querySelector('select[name=kind]').value = 'path'")
    seen.ask("document.querySelectorAll('input[name=seed]')[0].value = 'genre:Ambient'")
    seen.ask("document.querySelectorAll('input[name=seed]')[1].value = 'genre:Techno'")
    seen.ask("document.querySelector('form.line[action=\"/explore\"] button').click()")
    seen.wait("document.querySelector('h1')?.textContent === 'Path: Ambient, Techno'")
    assert "On the way from Ambient to Techno" in seen.ask("document.querySelector('.rows').textContent")


def test_a_song_has_a_place_on_the_map_and_is_corrected(page):
    seen = page("/songs/song000010")
    assert seen.ask("document.querySelectorAll('svg.place .here').length") == 1
    box = "document.querySelector('svg.place .{}').getBoundingClientRect()"
    assert seen.ask(f"{box.format('here')}.width") > 3
    inside = "h.left >= b.left && h.right <= b.right && h.top >= b.top && h.bottom <= b.bottom"
    frame = seen.ask(
        "(() => { const b = document.querySelector('svg.place').getBoundingClientRect(), "
        f"h = document.querySelector('.here').getBoundingClientRect(); return {inside}; }})()"
    )
    assert frame
    seen.ask("document.querySelector('input[name=genre]').value = 'Ambient'")
    seen.ask("document.querySelector('form[action=\"/corrections\"] button').click()")
    seen.wait("document.querySelector('h1')?.textContent === 'Thank you'")


def test_a_track_of_deezer_is_looked_up_by_its_id_and_linked_back(page):
    seen = page("/upload")
    seen.ask("document.querySelector('input[name=track]').value = 'https://www.deezer.com/track/42'")
    seen.ask("document.querySelector('form[action=\"/tracks\"] button').click()")
    seen.wait("location.pathname.startsWith('/analyses/') && document.getElementById('source')", seconds=120)
    assert seen.ask("document.querySelector('h1').textContent") == "A Tone"
    assert seen.ask("document.querySelector('#source a').href") == "https://www.deezer.com/track/42"
    assert seen.ask("document.getElementById('says').textContent").startswith("Tone")


def test_the_new_pages_fit_a_narrow_window_and_every_field_has_a_name(page, browser):
    browser.resize(360, 740)
    try:
        for path in ("/fit", "/explore", "/explore?kind=explore&seed=genre:house", "/songs/song000010", "/upload"):
            seen = page(path)
            assert seen.ask("document.documentElement.scrollWidth") <= 360, path
            assert seen.ask(
                "[...document.querySelectorAll('a, button, input:not([type=hidden]), select')].filter((one) => "
                "!(one.textContent.trim() || one.labels?.length || one.getAttribute('aria-label'))).length"
            ) == 0, path  # fmt: skip
    finally:
        browser.resize(1280, 800)
