"""The site in a real browser: served as the job serves it, with the process that analyses uploads."""

import os
import signal

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("duckdb")

from browser import CHROMIUM, Browser
from one_file_models import sound
from site_factory import HOSTILE
from site_server import SiteServer

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no chromium")]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The site, served as the job serves it."""
    with SiteServer(tmp_path_factory.mktemp("served")) as server:
        yield server


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(browser, served):
    """Opens pages of the site, and lets nothing pass that a script or the policy complained of."""
    address = served.address
    browser.errors.clear()
    browser.requests.clear()

    def opened(path: str, ready: str = "document.readyState === 'complete'") -> Browser:
        browser.open(address + path, f"location.href.startsWith('{address}') && {ready}")
        return browser

    yield opened
    assert browser.errors == []
    assert browser.ask("window.hurt") is None
    assert [one for one in browser.requests if not one.startswith((address, "data:", "about:"))] == []


def test_a_search_shows_names_as_one_types_and_the_keyboard_opens_one(page):
    seen = page("/")
    seen.key("/")
    seen.type("hou")
    seen.wait("document.querySelectorAll('#found [role=option]').length >= 2")
    assert "House" in seen.ask("document.querySelector('#found').textContent")
    assert seen.ask("document.activeElement.id") == "find"
    seen.key("ArrowDown")
    assert seen.ask("document.getElementById('find').getAttribute('aria-activedescendant')") == "found-0"
    seen.key("Enter")
    seen.wait("document.querySelector('h1')?.textContent === 'House'")


def test_a_hostile_name_is_text_in_the_list_and_on_its_page(page):
    seen = page("/")
    seen.ask("document.getElementById('find').focus()")
    seen.type("script window hurt")
    seen.wait("document.querySelectorAll('#found [role=option]').length >= 1")
    assert "<img" in seen.ask("document.querySelector('#found').textContent")
    assert seen.ask("document.querySelectorAll('img, iframe').length") == 0
    page("/songs/song000000")
    assert "</script>" in seen.ask("document.querySelector('h1').textContent")


def test_a_song_of_a_genre_is_heard(page):
    seen = page("/genres/house")
    assert seen.ask("document.querySelectorAll('.rows audio').length") >= 5
    seen.ask("window.player = document.querySelector('.rows audio'), player.preload = 'auto', player.load()")
    seen.wait("player.readyState >= 2")
    assert seen.ask("player.error") is None
    assert 2.9 < seen.ask("player.duration") < 3.1


def test_the_map_is_drawn_and_its_address_opens_a_genre(page):
    seen = page("/map#genre=genre3", "window.genreMap && genreMap.list")
    seen.settle()
    assert seen.ask("genreMap.data.n") == 60
    assert seen.ask("genreMap.chosen") == 3
    assert seen.ask(
        "(() => { const {canvas, context} = genreMap; const d = context.getImageData(0, 0, canvas.width, canvas.height)"
        ".data; const first = [d[0], d[1], d[2]].join(); let other = 0; for (let i = 0; i < d.length; i += 4) if "
        "([d[i], d[i + 1], d[i + 2]].join() !== first) other++; return other / (d.length / 4); })()"
    ) > 0.005  # fmt: skip


def test_a_file_is_uploaded_analysed_corrected_and_its_pictures_are_drawn(page, tmp_path):
    path = tmp_path / f"{HOSTILE[9:40].replace('/', '_')}.wav"
    path.write_bytes(sound("tone", "tone", seconds=2.5, seed=5))
    seen = page("/upload")
    root = seen.send("DOM.getDocument")["root"]["nodeId"]
    node = seen.send("DOM.querySelector", nodeId=root, selector="input[type=file]")["nodeId"]
    seen.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])
    seen.ask("document.querySelector('form.drop button').click()")
    seen.wait("location.pathname.startsWith('/analyses/') && document.getElementById('pictures')", seconds=120)
    seen.wait("document.getElementById('waveform')?.width > 300")
    assert seen.ask("document.getElementById('says').textContent").startswith("Tone")
    assert "Strongest notes" in seen.ask("document.getElementById('chroma-words').textContent")
    drawn = "[...document.getElementById('{}').getContext('2d').getImageData(0, 0, 400, 200).data].some(Boolean)"
    assert all(seen.ask(drawn.format(one)) for one in ("waveform", "chroma", "tempogram"))
    seen.ask(
        "document.querySelector('input[name=genre]').value = 'Techno', "
        "document.querySelector('form[action=\"/corrections\"] button').click()"
    )
    seen.wait("document.querySelector('h1')?.textContent === 'Thank you'")


def test_every_page_fits_a_narrow_window_and_says_its_language_title_and_main_part(page, browser):
    browser.resize(360, 740)
    try:
        for path in ("/", "/search?q=night", "/songs/song000010", "/songs/song000000", "/genres", "/genres/house",
                     "/artists/a0", "/charts", "/playlists", "/upload", "/rest"):  # fmt: skip
            seen = page(path)
            assert seen.ask("document.documentElement.scrollWidth") <= 360, path
            assert seen.ask(
                "document.documentElement.lang === 'en' && Boolean(document.title && document.querySelector('main'))"
            )
            nameless = (
                "[...document.querySelectorAll('a, button, input:not([type=hidden]), select, audio')].filter((one) => "
            )
            nameless += "!(one.textContent.trim() || one.labels?.length || one.getAttribute('aria-label'))).length"
            assert seen.ask(nameless) == 0, path
            assert seen.ask("document.querySelectorAll('h1').length") == 1
    finally:
        browser.resize(1280, 800)


def test_the_keyboard_reaches_every_link_and_field(page):
    seen = page("/songs/song000010")
    wanted = seen.ask(
        "document.querySelectorAll('a[href], button:not([disabled]), input:not([type=hidden]), audio').length"
    )
    reached = set()
    seen.ask("document.querySelectorAll('a[href], button, input, audio').forEach((one, number) => one.number = number)")
    for _ in range(3 * wanted):
        seen.key("Tab")
        number = seen.ask("document.activeElement.number ?? -1")
        if number >= 0:
            reached.add(number)
    hidden = seen.ask("document.querySelectorAll('input[type=hidden]').length")
    disabled = seen.ask("document.querySelectorAll('button[disabled]').length")
    every = seen.ask("document.querySelectorAll('a[href], button, input, audio').length")
    assert len(reached) == every - hidden - disabled


def test_a_killed_queue_is_started_again_and_what_was_accepted_is_analysed(served, page, tmp_path):
    queues = served.queues()
    assert len(queues) == 1
    for pid in queues:
        os.kill(pid, signal.SIGKILL)
    path = tmp_path / "after.wav"
    path.write_bytes(sound("noise", seconds=3.0, seed=77))
    seen = page("/upload")
    root = seen.send("DOM.getDocument")["root"]["nodeId"]
    node = seen.send("DOM.querySelector", nodeId=root, selector="input[type=file]")["nodeId"]
    seen.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])
    seen.ask("document.querySelector('form.drop button').click()")
    seen.wait("location.pathname.startsWith('/analyses/') && document.getElementById('pictures')", seconds=120)
    assert served.health()["waiting"] == 0
