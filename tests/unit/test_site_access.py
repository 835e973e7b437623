"""Whoever uses the site: no violation that axe-core finds, every control by keyboard, and windows of 360 pixels."""

import os
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("duckdb")

from browser import CHROMIUM, Browser
from one_file_models import sound
from site_server import SiteServer

_FOUND = find_spec("axe_core_python")
#: axe-core, whichever release the package brings; AXE names another.
AXE = os.environ.get("AXE") or (str(Path(_FOUND.origin).with_name("axe.min.js")) if _FOUND and _FOUND.origin else "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="no chromium"),
    pytest.mark.skipif(not AXE, reason="no axe-core: pip install axe-core-python"),
]
PAGES = (
    "/", "/search", "/search?q=night", "/search?q=nothing+at+all", "/songs/song000003", "/songs/song000010",
    "/songs/song000000", "/songs/song000100", "/artists/a0", "/albums/ALBUM", "/genres", "/genres/house", "/playlists",
    "/playlists/p2", "/charts", "/charts?feature=tempo", "/map", "/map#genre=genre3", "/upload", "/analyses",
    "/analyses/DONE", "/analyses/FAILED", "/analyses/WAITING", "/fit", "/tempo", "/rest", "/no-such-page",
)  # fmt: skip
CONTROLS = (
    "'a[href], button:not([disabled]), input:not([type=hidden]):not([disabled]), select:not([disabled]), textarea, "
    'audio[controls]:not([hidden]), [tabindex="0"]\''
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with SiteServer(tmp_path_factory.mktemp("access")) as made:
        yield made


@pytest.fixture(scope="module")
def addresses(server, browser, tmp_path_factory):
    """Addresses of all pages: of an analysis that is done, one that failed, and one that waits, too."""
    folder = tmp_path_factory.mktemp("files")
    made = {}
    for name, content in (("DONE", sound("tone", seconds=3.0)), ("FAILED", b"no sound"), ("WAITING", sound("noise"))):
        if name == "WAITING":
            for pid in server.queues():
                os.kill(pid, signal.SIGSTOP)
        (folder / f"{name}.wav").write_bytes(content)
        browser.open(
            f"{server.address}/upload",
            f"location.href.startsWith('{server.address}/upload') && document.readyState === 'complete'",
        )
        root = browser.send("DOM.getDocument")["root"]["nodeId"]
        node = browser.send("DOM.querySelector", nodeId=root, selector="input[type=file]")["nodeId"]
        browser.send("DOM.setFileInputFiles", nodeId=node, files=[str(folder / f"{name}.wav")])
        browser.ask("document.querySelector('form.drop button[type=submit]').click()")
        over = "true" if name == "WAITING" else "!document.getElementById('progress-words')"
        browser.wait(f"location.pathname.startsWith('/analyses/') && document.readyState === 'complete' && {over}")
        made[name] = browser.ask("location.pathname.split('/').pop()")
    browser.open(f"{server.address}/songs/song000003", "document.querySelector('a[href^=\"/albums/\"]')")
    made["ALBUM"] = browser.ask("document.querySelector('a[href^=\"/albums/\"]').href.split('/').pop()")
    places = {page: page for page in PAGES}
    for name, value in made.items():
        places = {page: address.replace(name, value) for page, address in places.items()}
    yield {page: server.address + address for page, address in places.items()}
    for pid in server.queues():
        os.kill(pid, signal.SIGCONT)


def opened(browser: Browser, address: str) -> None:
    browser.open("about:blank")
    ready = f"location.href === '{address}' && document.readyState === 'complete'"
    browser.open(address, ready + (" && window.genreMap?.list" if "/map" in address else ""))
    browser.settle()


def violations(browser: Browser) -> list[str]:
    browser.ask(Path(AXE).read_text(encoding="utf-8") + "; true")
    return browser.ask(
        "axe.run(document, { resultTypes: ['violations'] }).then((found) => found.violations.flatMap((one) => "
        "one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 150)} ${node.failureSummary.slice(0, 300)}`)))"
    )


@pytest.mark.parametrize("page", PAGES)
def test_axe_core_finds_no_violation(browser, addresses, page):
    try:
        for dark, width in ((False, 1280), (True, 360)):
            browser.dark(dark)
            browser.resize(width, 800)
            opened(browser, addresses[page])
            assert violations(browser) == [], f"{'dark' if dark else 'light'}, {width} px"
    finally:
        browser.dark(False)
        browser.resize(1280, 800)


def test_every_page_fits_a_window_of_360_pixels(browser, addresses):
    browser.resize(360, 740)
    try:
        wide = {}
        for page, address in addresses.items():
            opened(browser, address)
            if (width := browser.ask("document.documentElement.scrollWidth")) > 360:
                wide[page] = width
        assert wide == {}
    finally:
        browser.resize(1280, 800)


@pytest.mark.parametrize("page", PAGES)
def test_the_keyboard_alone_reaches_every_control_and_shows_where_it_is(browser, addresses, page):
    opened(browser, addresses[page])
    browser.ask(
        f"window.controls = [...document.querySelectorAll({CONTROLS})].filter((one) => one.checkVisibility() && "
        "one.tabIndex >= 0 && !(one.type === 'radio' && !one.checked)), window.reached = new Set(), window.bare = [], "
        "controls.forEach((one, number) => one.number = number), 0"
    )
    wanted = browser.ask("controls.length")
    look = (
        "(() => { const one = document.activeElement; if (one?.number === undefined) return reached.size; "
        "reached.add(one.number); const seen = one.matches('.skip') ? one : one.type === 'radio' ? one.closest('label')"
        " ?? one : one; const style = getComputedStyle(seen); const own = getComputedStyle(one); "
        "if (own.outlineStyle === 'none' && style.outlineStyle === 'none' && style.boxShadow === 'none') "
        "bare.push(one.outerHTML.slice(0, 100)); return reached.size; })()"
    )
    for _ in range(12 * wanted + 20):
        browser.key("Tab")
        if browser.ask(look) == wanted:
            break
    missed = "controls.filter((one) => !reached.has(one.number)).map((one) => one.outerHTML.slice(0, 120))"
    assert browser.ask(missed) == []
    assert browser.ask("bare") == []


def test_a_genre_is_corrected_by_keyboard_alone(browser, addresses):
    opened(browser, addresses["/songs/song000010"])
    for _ in range(400):
        browser.key("Tab")
        if browser.ask("document.activeElement.name") == "genre":
            break
    browser.type("Techno")
    browser.key("Enter")
    browser.wait("document.querySelector('h1')?.textContent === 'Thank you'", 20)
