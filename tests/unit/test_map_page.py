"""The page of the map, in a real browser: what it draws, says and plays, and what it never does."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from browser import CHROMIUM, Browser
from genreatlas.report.map_data import MapData, MapExample, MapGenre, MapLens
from genreatlas.report.map_page import render_map
from map_factory import MEASURES, map_data

HOSTILE = "</script><script>window.hurt=1</script><img src=x onerror='hurt=1'>\"'&\u202egnp.exe\x00\x1b\u2028]]>"
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no chromium")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def data():
    return map_data(600)


@pytest.fixture(scope="module")
def address(tmp_path_factory, data):
    return write(tmp_path_factory.mktemp("report"), data)


@pytest.fixture
def page(browser, address):
    return opened(browser, address)


def write(folder: Path, data: MapData) -> str:
    path = folder / "map.html"
    path.write_text(render_map(data), encoding="utf-8")
    return path.as_uri()


def opened(browser, address):
    browser.open("about:blank")
    browser.requests.clear()
    browser.errors.clear()
    browser.open(address, "window.genreMap && genreMap.list")
    browser.settle()
    return browser


def pixels(page):
    """Share of the canvas that is not paper."""
    return page.ask(
        "(() => { const {canvas, context} = genreMap; const d = context.getImageData(0, 0, canvas.width, canvas.height)"
        ".data; let n = 0; for (let i = 0; i < d.length; i += 4) n += d[i] !== d[0] || d[i+1] !== d[1]; return n * 4 / "
        "d.length })()"
    )


def middle(page, genre):
    """Where on the screen the label of a genre is."""
    return page.ask(
        f"(() => {{ const b = genreMap.boxes, i = b.genres.subarray(0, b.n).indexOf({genre}), r = genreMap.canvas."
        "getBoundingClientRect(); return i < 0 ? null : [r.x + (b.edges[4*i] + b.edges[4*i+2]) / 2, r.y + "
        "(b.edges[4*i+1] + b.edges[4*i+3]) / 2] })()"
    )


def largest(data):
    return max(range(len(data.genres)), key=lambda g: data.genres[g].n_songs)


def text_of(page, selector):
    return page.ask(f"document.querySelector({json.dumps(selector)}).innerText")


def overlaps(page):
    return page.ask(
        "(() => { const b = genreMap.boxes, found = []; for (let i = 0; i < b.n; i++) for (let j = i + 1; j < b.n; j++)"
        " { const e = b.edges.subarray(4*i, 4*i+4), f = b.edges.subarray(4*j, 4*j+4); if (e[0] < f[2] && f[0] < e[2]"
        " && e[1] < f[3] && f[1] < e[3]) found.push([b.genres[i], b.genres[j]]) } return found })()"
    )


@needs_chromium
def test_it_draws_the_genres_and_asks_for_nothing(page, data, address):
    assert pixels(page) > 0.03
    assert page.ask("genreMap.boxes.n") > 40
    assert middle(page, largest(data))
    assert [request for request in page.requests if not request.startswith("data:")] == [address]
    assert page.errors == []


@needs_chromium
def test_search_narrows_the_list_and_enter_chooses_the_first(page, data):
    page.key("/")
    assert page.ask("document.activeElement.id") == "search"
    wanted = data.genres[largest(data)].name
    page.type(wanted.upper())
    assert text_of(page, "tbody tr th").strip() == wanted
    page.key("Enter")
    page.settle()
    assert text_of(page, "#chosen h2") == wanted
    assert page.ask("document.activeElement.id") == "chosen-name"
    assert middle(page, largest(data))
    assert page.ask("location.hash") == f"#genre=genre{largest(data)}"


@needs_chromium
def test_every_genre_is_found_by_its_name_and_drawn_when_it_is_chosen(page, data):
    missing = page.ask(
        "(() => { const m = genreMap, missing = []; m.data.names.forEach((name, g) => { if (g % 9) return; "
        "m.list.search.value = name; "
        "m.list.narrow(); if (m.list.found[0] !== g) missing.push(name); m.choose(g, {go: true}); m.draw(); "
        "if (!m.boxes.genres.subarray(0, m.boxes.n).includes(g)) missing.push(g) }); return missing })()"
    )
    assert missing == []


@needs_chromium
def test_a_click_chooses_and_plays_only_then_and_a_second_stops(page, data):
    playable = next(g for g in np.argsort([-genre.n_songs for genre in data.genres]).tolist()
                    if g % 3 == 0 and middle(page, g))  # fmt: skip
    assert page.ask("genreMap.audio.getAttribute('src')") is None
    page.click(*middle(page, playable))
    page.settle()
    genre = data.genres[playable]
    assert text_of(page, "#chosen h2") == genre.name
    assert page.ask("genreMap.audio.getAttribute('src')").endswith("%231%3F.mp3")
    said = text_of(page, "#chosen")
    for neighbour, _ in genre.neighbours:
        assert data.genres[int(neighbour.removeprefix("genre"))].name in said
    for words in (
        *genre.typical,
        *(measure.title for measure in MEASURES[:3]),
        "Nearest genres",
        "Computed from all dimensions",
    ):
        assert words in said
    page.ask("document.querySelector('.play').click()")
    assert page.ask("genreMap.audio.getAttribute('src')") is None
    page.ask("document.querySelector('.close').click()")
    page.settle()
    assert page.ask("document.getElementById('chosen').hidden")
    assert not [request for request in page.requests if request.startswith("http")]


@needs_chromium
def test_keys_move_and_zoom_the_map(page):
    page.ask("genreMap.canvas.focus()")
    page.key("+")
    assert page.ask("genreMap.camera.zoom") == pytest.approx(1.5)
    before = page.ask("[genreMap.camera.x, genreMap.camera.y]")
    page.key("ArrowRight")
    page.key("ArrowDown")
    after = page.ask("[genreMap.camera.x, genreMap.camera.y]")
    assert after[0] > before[0] and after[1] > before[1]
    page.key("0")
    assert page.ask("genreMap.camera.zoom") == 1
    page.key("-")
    assert page.ask("genreMap.camera.zoom") == 1


@needs_chromium
def test_wheel_drag_and_two_fingers_move_what_lies_under_them(page):
    here = (
        "(([x, y]) => { const c = genreMap.camera, r = genreMap.canvas.getBoundingClientRect(); return "
        "[(x - r.x - c.width / 2) / c.scale + c.x, (y - r.y - c.height / 2) / c.scale + c.y] })"
    )
    under = page.ask(f"{here}([300, 300])")
    page.mouse("mouseWheel", 300, 300, deltaX=0, deltaY=-600)
    page.settle()
    assert page.ask("genreMap.camera.zoom") > 2
    assert page.ask(f"{here}([300, 300])") == pytest.approx(under, abs=2e-3)
    page.mouse("mousePressed", 300, 300, button="left", clickCount=1)
    page.mouse("mouseMoved", 340, 310, button="left", buttons=1)
    page.mouse("mouseReleased", 340, 310, button="left")
    assert page.ask(f"{here}([340, 310])") == pytest.approx(under, abs=2e-3)
    assert page.ask("genreMap.chosen") == -1
    zoom = page.ask("genreMap.camera.zoom")
    page.touch("touchStart", (300, 300), (400, 300))
    page.touch("touchMove", (250, 300), (450, 300))
    page.touch("touchEnd")
    assert page.ask("genreMap.camera.zoom") == pytest.approx(2 * zoom, rel=0.05)


@needs_chromium
def test_no_labels_touch_at_twenty_views_of_each_layout(page):
    rng = np.random.default_rng(0)
    for tree in (False, True):
        if tree:
            page.ask("document.querySelector('[value=tree]').click()")
        for _ in range(20):
            x, y, zoom = rng.random(), rng.random(), 64 ** rng.random()
            place = f"{x} * genreMap.layout.width, {y} * genreMap.layout.height, {zoom}"
            page.ask(f"genreMap.camera.goTo({place}); genreMap.draw()")
            assert overlaps(page) == []
        page.ask("genreMap.choose(7, {go: true}); genreMap.draw()")
        assert overlaps(page) == []
        page.ask("genreMap.choose(-1)")


@needs_chromium
def test_names_of_regions_stand_between_labels_where_they_stand_at_all(page):
    touching = """(() => { const m = genreMap, e = m.named.edges; let n = 0; for (let i = 0; i < 4 * m.named.n; i += 4)
        n += m.boxes.touches(e[i], e[i + 1], e[i + 2], e[i + 3]); return [m.named.n, n] })()"""
    rng = np.random.default_rng(1)
    shown = []
    for x, y, zoom in zip(rng.random(10), rng.random(10), 5 ** rng.random(10), strict=True):
        page.ask(
            f"genreMap.camera.goTo({x} * genreMap.layout.width, {y} * genreMap.layout.height, {zoom}); genreMap.draw()"
        )
        n, touched = page.ask(touching)
        assert touched == 0
        shown.append(n)
    assert max(shown) >= 3


@needs_chromium
def test_labels_stay_while_the_map_is_panned_and_zoomed_into(page):
    shown = "new Set(genreMap.order.filter((g) => genreMap.placed.from[g] <= genreMap.camera.scale))"
    assert page.ask(f"(() => {{ const a = {shown}; genreMap.camera.zoomAt(2); genreMap.draw(); const b = {shown}; "
                    "return b.size > a.size && [...a].every((g) => b.has(g)) })()")  # fmt: skip


@needs_chromium
def test_lenses_measures_and_the_tree_place_genres_anew(page, data):
    def change(name, value):
        page.ask(f"(() => {{ const s = document.getElementById('{name}'); s.value = '{value}'; "
                 "s.dispatchEvent(new Event('change')) })()")  # fmt: skip
        page.settle()

    first = page.ask("[...genreMap.layout.x]")
    change("places", "lens 1")
    assert page.ask("[...genreMap.layout.x]") != first
    assert [text_of(page, f"#end-{end}") for end in ("left", "right", "top", "bottom")] == [
        "dense", "spiky", "electric", "organic",
    ]  # fmt: skip
    change("places", "measures")
    energy = [genre.values["energy"] for genre in data.genres]
    assert np.argmax(page.ask("[...genreMap.layout.x]")) == np.argmax(energy)
    assert text_of(page, "#end-right") == "high Energy"
    change("colour", "1")
    assert "Tempo [BPM]" in text_of(page, "#legend")
    page.ask("document.querySelector('[value=tree]').click()")
    page.settle()
    years = [genre.year for genre in data.genres]
    x = page.ask("[...genreMap.layout.x]")
    dated = [g for g, year in enumerate(years) if year is not None]
    assert np.corrcoef([years[g] for g in dated], [x[g] for g in dated])[0, 1] > 0.999
    assert page.errors == []


@needs_chromium
def test_the_list_has_every_genre_on_pages(page, data):
    names = set()
    for _ in range(20):
        names |= set(page.ask("[...document.querySelectorAll('tbody bdi')].map((b) => b.textContent)"))
        page.ask("document.getElementById('after').click()")
    assert names == {genre.name for genre in data.genres}
    assert page.ask("document.getElementById('after').disabled")


@needs_chromium
def test_an_address_chooses_a_genre(browser, address, data):
    page = opened(browser, address + "#genre=genre17")
    assert text_of(page, "#chosen h2") == data.genres[17].name


@needs_chromium
def test_an_address_opens_the_tree_and_the_page_writes_what_is_seen_into_it(browser, address, data):
    page = opened(browser, address + "#view=tree&genre=genre17")
    assert page.ask("genreMap.inTree && genreMap.layout.tree")
    assert text_of(page, "#chosen h2") == data.genres[17].name
    page.ask("document.querySelector('.close').click()")
    assert page.ask("location.hash") == "#view=tree"
    page.ask("document.querySelector('[value=map]').click()")
    page.settle()
    assert page.ask("location.hash") == "" and not page.ask("genreMap.inTree")


@needs_chromium
def test_the_nearest_neighbours_of_a_chosen_genre_are_in_sight(page, data):
    for genre in (3, 50, 333, 599):
        page.ask("genreMap.showAll()")
        page.ask(f"genreMap.choose({genre}, {{go: true}}); genreMap.draw()")
        near = [int(other.removeprefix("genre")) for other, _ in data.genres[genre].neighbours[:5]]
        away = page.ask(f"{near}.map((g) => [genreMap.camera.screenX(genreMap.layout.x[g]) / genreMap.camera.width, "
                        "genreMap.camera.screenY(genreMap.layout.y[g]) / genreMap.camera.height])")  # fmt: skip
        assert all(0 <= part <= 1 for place in away for part in place)
        assert page.ask(f"genreMap.boxes.genres.subarray(0, genreMap.boxes.n).includes({genre})")


@needs_chromium
def test_without_parents_genres_lie_by_their_years_and_what_is_missing_is_said(browser, tmp_path):
    data = map_data(8)
    genres = [replace(genre, tree_parent=None, parents=(), year=1950.0 + 9 * g if g else None)
              for g, genre in enumerate(data.genres)]  # fmt: skip
    data = replace(data, genres=genres, missing=["There is no tree: <b>none</b>."])
    page = opened(browser, write(tmp_path, data))
    assert text_of(page, "#view").split()[-2:] == ["Map", "Years"]
    assert "What is missing" in text_of(page, "#first") and "no tree: <b>none</b>." in text_of(page, "#first")
    assert page.ask("genreMap.labels.size.every((size) => size >= 2)")  # few genres have large labels
    page.ask("document.querySelector('[value=tree]').click()")
    page.settle()
    x = page.ask("[...genreMap.layout.x]")
    assert x[1:] == sorted(x[1:]) and x[0] == min(x)
    assert "by the year of their first songs" in text_of(page, "#note")
    assert overlaps(page) == [] and page.errors == []


@needs_chromium
def test_hostile_names_are_inert(browser, tmp_path):
    data = map_data(30)
    genres = [
        replace(g, genre_id=HOSTILE + g.genre_id, name=f"{HOSTILE}{g.genre_id}", neighbours=(), parents=(),
                tree_parent=None, typical=[HOSTILE], example=MapExample(HOSTILE, "", "https://example.org/" + HOSTILE))
        for g in data.genres
    ]  # fmt: skip
    genres[0] = replace(genres[0], neighbours=[(genres[1].genre_id, 0.1)], tree_parent=genres[1].genre_id)
    lenses = [replace(lens, title=HOSTILE, note=HOSTILE) for lens in data.lenses]
    measures = [replace(measure, title=HOSTILE, unit=HOSTILE) for measure in MEASURES]
    data = replace(data, genres=genres, lenses=lenses, measures=measures, regions=[HOSTILE] * 18, title=HOSTILE,
                   missing=[HOSTILE], source=HOSTILE, neighbours_note=HOSTILE, tree_note=HOSTILE,
                   drawn_from=HOSTILE)  # fmt: skip
    page = opened(browser, write(tmp_path, data))
    page.ask("genreMap.choose(0, {go: true})")
    page.settle()
    assert page.ask("typeof hurt") == "undefined"
    assert page.ask("document.querySelectorAll('img, script:not([id])').length") == 1
    shown = text_of(page, "#chosen h2")
    assert shown.startswith("</script><script>") and not re.search("[\u202e\x00\x1b\u2028]", shown)
    assert page.errors == []
    assert len(page.requests) == 1 + len([r for r in page.requests if r.startswith("data:")])


@needs_chromium
def test_few_genres_and_nothing_else_make_a_page_too(browser, tmp_path):
    lens = MapLens("sound", "Sound")
    for genres in (
        [],
        [MapGenre("a", "a", {"sound": (1.0, 1.0)})],
        [MapGenre(str(i), "same", {"sound": (0.0, 0.0)}) for i in range(9)],
    ):
        page = opened(browser, write(tmp_path, MapData(genres, [lens] if genres else [])))
        assert page.errors == []
        page.ask("genreMap.choose(genreMap.data.n - 1, {go: true})")
        page.settle()
        assert page.errors == [] and overlaps(page) == []


@needs_chromium
def test_a_phone_sees_map_and_list_without_scrolling_sideways(page):
    try:
        page.resize(390, 844)
        page.settle()
        assert page.ask("document.documentElement.scrollWidth") == 390
        assert page.ask("genreMap.camera.width") == 390
        assert pixels(page) > 0.03 and overlaps(page) == []
    finally:
        page.resize(1280, 800)


CONTRAST = """
(() => {
  const value = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (v) => (v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  const light = (rgb) => rgb.slice(0, 3).map((v) => linear(v / 255))
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = (node) => { for (; node; node = node.parentElement) {
    const c = value(getComputedStyle(node).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  const bad = [];
  for (const node of document.body.querySelectorAll('*')) {
    if (!node.checkVisibility() || ![...node.childNodes].some((c) => c.nodeType === 3 && c.data.trim())) continue;
    if (node.matches('script, style, noscript, .hidden, :disabled, option')) continue;
    const [a, b] = [light(value(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) bad.push(node.outerHTML.slice(0, 80));
  }
  return bad;
})()
"""


@needs_chromium
@pytest.mark.parametrize("dark", [False, True])
def test_everything_has_a_name_and_can_be_read(page, dark):
    """Names, roles and contrast by script; with AXE_CORE=axe.min.js its own rules too (test below)."""
    try:
        page.dark(dark)
        page.ask("genreMap.choose(5, {go: true})")
        page.settle()
        tree = page.send("Accessibility.getFullAXTree")["nodes"]
        roles = {"button", "combobox", "searchbox", "checkbox", "radio", "application", "link", "table", "region"}
        nameless = [node for node in tree if not node["ignored"] and node["role"]["value"] in roles
                    and not node.get("name", {}).get("value")]  # fmt: skip
        assert nameless == []
        assert page.ask(CONTRAST) == []
        palette = page.ask("genreMap.palette.slice(1)")
        paper = page.ask("genreMap.theme.paper")
        assert min(contrast(colour, paper) for colour in palette) >= 3  # large parts and marks: WCAG 1.4.11
    finally:
        page.dark(False)


def contrast(one, other):
    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    a, b = sorted((light(one), light(other)), reverse=True)
    return (a + 0.05) / (b + 0.05)


@needs_chromium
@pytest.mark.skipif(not os.environ.get("AXE_CORE"), reason="set AXE_CORE to axe.min.js of the npm package axe-core")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("tree", [False, True])
def test_axe_core_finds_no_violation(page, dark, tree):
    try:
        page.dark(dark)
        page.ask(Path(os.environ["AXE_CORE"]).read_text(encoding="utf-8") + ";1")
        if tree:
            page.ask("document.querySelector('[value=tree]').click()")
        for genre in (-1, 5):
            page.ask(f"genreMap.choose({genre}, {{go: true}})")
            page.settle()
            found = page.ask("axe.run().then((r) => r.violations.map((v) => [v.id, v.nodes.map((n) => n.html)]))")
            assert found == []
    finally:
        page.dark(False)
