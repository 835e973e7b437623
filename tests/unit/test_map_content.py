"""What the page of the map is made of: its data, and that it has nothing that asks for something."""

import json
import re
from html import unescape

import pytest

from genreatlas.report.map_data import MapData, MapExample, MapGenre, MapLens
from genreatlas.report.map_page import render_map
from map_factory import LENSES, map_data


def content_of(html):
    return json.loads(re.search(r'<script type="application/json" id="map-data">(.*?)</script>', html, re.DOTALL)[1])


def test_positions_keep_their_shape_and_what_has_no_place_says_so():
    lens = MapLens("sound", "Sound")
    genres = [
        MapGenre("a", "a", {"sound": (-2.0, 1.0)}),
        MapGenre("b", "b", {"sound": (2.0, 3.0)}),
        MapGenre("c", "c", {"sound": (float("nan"), 0.0)}),
        MapGenre("d", "d"),
    ]
    content = content_of(render_map(MapData(genres, [lens])))
    assert content["lenses"][0] | {"note": ""} == {
        "title": "Sound", "note": "", "xEnds": None, "yEnds": None, "width": 1.0, "height": 0.5,
        "x": [0, 30000, None, None], "y": [0, 15000, None, None], "strays": None, "known": None,
    }  # fmt: skip
    assert not content["hasTree"]


def test_a_circle_of_parents_is_cut_and_strangers_are_left_out():
    parents = {"a": "c", "b": "a", "c": "b", "d": "a", "e": "nobody", "f": "f"}
    genres = [
        MapGenre(name, name, tree_parent=parent, neighbours=[("nobody", 1.0)]) for name, parent in parents.items()
    ]
    content = content_of(render_map(MapData(genres, LENSES)))
    roots = [genre for genre, parent in enumerate(content["parent"]) if parent < 0]
    assert len(roots) == 3 and {4, 5} < set(roots)
    assert content["neighbours"] == [[]] * 6


def test_two_genres_with_one_id_are_refused():
    with pytest.raises(ValueError, match="ids that differ"):
        render_map(MapData([MapGenre("a", "a"), MapGenre("a", "b")], LENSES))


@pytest.mark.parametrize(
    ("example", "said"),
    [
        (MapExample("t", "music/a b#?%.mp3"), {"title": "t", "source": "music/a%20b%23%3F%25.mp3"}),
        (MapExample("t", "music/a.mp3", part=(12.0, 42.5)), {"title": "t", "source": "music/a.mp3#t=12.000,42.500"}),
        (MapExample("t", "data:audio/mpeg;base64,AAAA"), {"title": "t", "source": "data:audio/mpeg;base64,AAAA"}),
        (MapExample("t", "data:text/html;base64,AAAA"), {"title": "t"}),
        (MapExample("t", "javascript:alert(1)"), {"title": "t"}),
        (MapExample("t", "//example.org/a.mp3"), {"title": "t"}),
        (MapExample("t", "", "javascript:alert(1)"), {"title": "t"}),
        (MapExample("t", "", "https://example.org/?a=1"), {"title": "t", "link": "https://example.org/?a=1"}),
        (MapExample("t", "data:audio/mpeg;base64," + "A" * 6_000_000, "https://example.org/"),
         {"title": "t", "link": "https://example.org/"}),
    ],
)  # fmt: skip
def test_examples_are_audio_inside_or_beside_the_page_or_a_link(example, said):
    content = content_of(render_map(MapData([MapGenre("a", "a", example=example)], LENSES)))
    assert content["examples"] == {"0": said}


def test_the_page_has_nothing_that_asks_for_something():
    html = render_map(map_data(40))
    assert "default-src 'none'" in unescape(html)
    assert not re.search(r"\bsrc=|@import|url\(|\bimport[ (]|\bexport |fetch\(|XMLHttpRequest|innerHTML|eval\(", html)
