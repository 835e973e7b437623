"""Render the map of genres as one page that opens from disk: data, style and script lie inside it.

Browsers block `import` and `fetch` for files on disk, so the modules in ``report/map`` are joined into one inline
script, and data are inline JSON in which nothing can end the element. The page asks for nothing but the example that
the reader plays: its content policy allows no other request.
"""

import base64
import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlsplit

from markupsafe import Markup

from genreatlas.report.page import environment, resource

#: Modules of ``report/map``, each after those that it imports.
_MODULES = ("data", "layouts", "colour", "labels", "camera", "draw", "gestures", "panel", "list", "main")
#: Steps of the longer side of a map: finer than a pixel at 64 times the size of a window.
_STEPS = 30000
#: Audio inside the page, in bytes of its data URIs. What does not fit is named without a player.
_MOST_AUDIO = 5_000_000
_AUDIO = re.compile(r"data:audio/[a-z0-9.+-]+;base64,[A-Za-z0-9+/=]+")
_IMPORT = re.compile(r"^import \{[^}]*\} from \"\./[a-z]+\.js\";\n", re.MULTILINE)
#: Characters that join letters of many scripts and are no danger, unlike all others that show nothing.
_JOINERS = "\u200c\u200d"
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


@dataclass(frozen=True)
class MapLens:
    """One map: places of genres, and what its directions mean.

    Attributes
    ----------
    lens_id : key of ``MapGenre.places``.
    title, note : in the choice of lenses, and one or two sentences on how to read it.
    x_ends, y_ends : words at the left and right, and at the top and bottom; None: without meaning.
    """

    lens_id: str
    title: str
    note: str = ""
    x_ends: tuple[str, str] | None = None
    y_ends: tuple[str, str] | None = None


@dataclass(frozen=True)
class MapMeasure:
    """A number of each genre, for colours, axes and the profile: a feature, the age, the accuracy of the classifier."""

    measure_id: str
    title: str
    unit: str = ""


@dataclass(frozen=True)
class MapParent:
    """A possible parent: its probability, and the evidence in words."""

    genre_id: str
    probability: float
    evidence: str = ""


@dataclass(frozen=True)
class MapExample:
    """A song that stands for a genre.

    Attributes
    ----------
    title : artist and title.
    source : data URI of audio, or path relative to the page, with slashes and not percent-encoded; played on a click.
    link : http or https address, which only the reader's click opens; shown where there is no source.
    """

    title: str
    source: str = ""
    link: str = ""


@dataclass(frozen=True)
class MapGenre:
    """What the page knows of one genre; whatever is absent is left out.

    Attributes
    ----------
    genre_id, name : unique id, and name for people.
    places : lens_id = (x, y); any scale, y downward as on a screen.
    instability : lens_id = how far its place strays over half-samples, in radii of the map.
    predicted : lenses on which the place is a prediction.
    n_songs : recordings; decides the size of the label.
    region, subregion : indices into ``MapData.regions`` and ``subregions``.
    values : measure_id = value.
    neighbours : genre_id and distance in all dimensions, the nearest first.
    parents : ranked, the likeliest first.
    tree_parent : its parent in the tree that is drawn; None for a root.
    year, year_span : first years, and their interval.
    typical : most typical songs, as artist and title.
    evolution : decade, x, y on the first lens.
    """

    genre_id: str
    name: str
    places: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    instability: Mapping[str, float] = field(default_factory=dict)
    predicted: frozenset[str] = frozenset()
    n_songs: int = 0
    region: int | None = None
    subregion: int | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    neighbours: Sequence[tuple[str, float]] = ()
    parents: Sequence[MapParent] = ()
    tree_parent: str | None = None
    year: float | None = None
    year_span: tuple[float, float] | None = None
    example: MapExample | None = None
    typical: Sequence[str] = ()
    evolution: Sequence[tuple[int, float, float]] = ()


@dataclass(frozen=True)
class MapData:
    """Everything on the page.

    Attributes
    ----------
    genres, lenses : as above; the first lens is shown first.
    measures : the first is offered first; a dozen is plenty.
    regions, subregions : names of coarse and fine regions.
    title : heading.
    drawn_from : completes "6,291 genres, drawn from …".
    neighbours_note, tree_note : how neighbours were found; what the tree is and is not.
    source : tables, versions and runs that the page comes from.
    report_href : relative address of the report; empty: there is none.
    """

    genres: Sequence[MapGenre]
    lenses: Sequence[MapLens]
    measures: Sequence[MapMeasure] = ()
    regions: Sequence[str] = ()
    subregions: Sequence[str] = ()
    title: str = "Map of genres"
    drawn_from: str = "what their songs sound like"
    neighbours_note: str = (
        "Found in all dimensions of the sound, not on this map. The smaller the distance, the more alike."
    )
    tree_note: str = "The likeliest parents: a guess from shared artists, sound, names and years, not a history."
    source: str = ""
    report_href: str = ""


def render_map(data: MapData) -> str:
    """Make the page from its data. It is written as UTF-8."""
    script = Markup(_script())
    style = Markup(resource("plot.css") + resource("map.css"))
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(script)}",
            f"style-src {_hash(style)}",
            "img-src data:",
            "media-src 'self' file: data:",
            "form-action 'none'",
            "base-uri 'none'",
        )
    )
    return (
        environment()
        .get_template("map.html.j2")
        .render(data=data, policy=policy, style=style, script=script, content=Markup(_json(_content(data))))
    )


def _content(data: MapData) -> dict[str, Any]:
    """Columns rather than rows: names of keys would be half of the page."""
    genres = data.genres
    number = {genre.genre_id: place for place, genre in enumerate(genres)}
    if len(number) < len(genres):
        raise ValueError("genres of a map need ids that differ")
    parent = _without_circles([number.get(genre.tree_parent or "", -1) for genre in genres])
    lenses = [_lens(lens, genres) for lens in data.lenses]
    return {
        "ids": [genre.genre_id for genre in genres],
        "names": [_plain(genre.name) or "(no name)" for genre in genres],
        "songs": [genre.n_songs for genre in genres],
        "region": [-1 if genre.region is None else genre.region for genre in genres],
        "subregion": [-1 if genre.subregion is None else genre.subregion for genre in genres],
        "regions": [_plain(name) for name in data.regions],
        "subregions": [_plain(name) for name in data.subregions],
        "lenses": lenses,
        "measures": [
            {
                "title": _plain(measure.title),
                "unit": _plain(measure.unit),
                "values": [_short(genre.values.get(measure.measure_id)) for genre in genres],
            }
            for measure in data.measures
        ],
        "neighbours": [
            [x for other, far in genre.neighbours if other in number for x in (number[other], _short(far, 3))]
            for genre in genres
        ],
        "parents": [
            [
                [number[each.genre_id], _short(each.probability, 3), _plain(each.evidence)]
                for each in genre.parents
                if each.genre_id in number
            ]
            for genre in genres
        ],
        "parent": parent,
        "hasTree": any(place >= 0 for place in parent),
        "years": [_short(genre.year, 5) for genre in genres],
        "yearSpans": [[_short(year, 5) for year in genre.year_span] if genre.year_span else None for genre in genres],
        "examples": _examples(genres),
        "typical": {place: [_plain(song) for song in g.typical] for place, g in enumerate(genres) if g.typical},
        "paths": _paths(data),
        "neighboursNote": _plain(data.neighbours_note),
        "treeNote": _plain(data.tree_note),
    }  # fmt: skip


def _frame(lens: MapLens, genres: Iterable[MapGenre]) -> tuple[float, float, float, float]:
    """Left, top, width and height of the places; nothing is 0 wide."""
    places = [genre.places[lens.lens_id] for genre in genres if _placed(genre, lens)]
    if not places:
        return 0.0, 0.0, 1.0, 1.0
    xs, ys = zip(*places, strict=True)
    width, height = max(xs) - min(xs), max(ys) - min(ys)
    least = max(width, height, 1e-9) / 10
    return min(xs), min(ys), max(width, least), max(height, least)


def _placed(genre: MapGenre, lens: MapLens) -> bool:
    place = genre.places.get(lens.lens_id)
    return place is not None and all(math.isfinite(value) for value in place)


def _lens(lens: MapLens, genres: Sequence[MapGenre]) -> dict[str, Any]:
    left, top, width, height = _frame(lens, genres)
    longer = max(width, height)
    step = _STEPS / longer
    places = [genre.places[lens.lens_id] if _placed(genre, lens) else None for genre in genres]
    strays = [_short(genre.instability.get(lens.lens_id), 2) for genre in genres]
    return {
        "title": _plain(lens.title),
        "note": _plain(lens.note),
        "xEnds": [_plain(end) for end in lens.x_ends] if lens.x_ends else None,
        "yEnds": [_plain(end) for end in lens.y_ends] if lens.y_ends else None,
        "width": width / longer,
        "height": height / longer,
        "x": [None if place is None else round((place[0] - left) * step) for place in places],
        "y": [None if place is None else round((place[1] - top) * step) for place in places],
        "strays": strays if any(value is not None for value in strays) else None,
        "known": [lens.lens_id not in genre.predicted for genre in genres]
        if any(lens.lens_id in genre.predicted for genre in genres)
        else None,
    }  # fmt: skip


def _paths(data: MapData) -> dict[int, list[list[int]]]:
    if not data.lenses:
        return {}
    left, top, width, height = _frame(data.lenses[0], data.genres)
    step = _STEPS / max(width, height)
    return {
        place: [[year, round((x - left) * step), round((y - top) * step)] for year, x, y in genre.evolution]
        for place, genre in enumerate(data.genres)
        if len(genre.evolution) > 1
    }


def _examples(genres: Sequence[MapGenre]) -> dict[int, dict[str, str]]:
    """Examples that can be played or opened; audio goes to the largest genres until it is too much."""
    found = {}
    left = _MOST_AUDIO
    for place, genre in sorted(enumerate(genres), key=lambda item: (-item[1].n_songs, item[0])):
        if genre.example is None:
            continue
        said = {"title": _plain(genre.example.title) or "an example"}
        source = _playable(genre.example.source)
        link = genre.example.link
        if source.startswith("data:") and len(source) > left:
            source = ""
        if source:
            said["source"] = source
            left -= len(source) if source.startswith("data:") else 0
        elif _is_web_address(link):
            said["link"] = link
        found[place] = said
    return found


def _playable(source: str) -> str:
    """The source if it is audio inside the page or a file beside it, else nothing."""
    if source.startswith("data:"):
        return source if _AUDIO.fullmatch(source) else ""
    if not source or source.startswith(("/", "\\")) or re.match(r"[^/]*:", source):
        return ""
    return quote(source, safe="/", errors="surrogateescape")


def _is_web_address(link: str) -> bool:
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _without_circles(parent: list[int]) -> list[int]:
    """The same tree; of each circle one genre becomes a root."""
    state = [0] * len(parent)  # 0 not seen, 1 on the way up, 2 leads to a root
    for genre in range(len(parent)):
        way = []
        while genre >= 0 and state[genre] == 0:
            state[genre] = 1
            way.append(genre)
            genre = parent[genre]
        if genre >= 0 and state[genre] == 1:
            parent[way[-1]] = -1
        for each in way:
            state[each] = 2
    return parent


def _short(value: float | None, digits: int = 4) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded.is_integer() else rounded


def _plain(text: str) -> str:
    """Text without what shows nothing or turns other text around: controls, overrides, halves of characters."""
    return "".join(
        "\ufffd" if unicodedata.category(letter) in _UNSEEN and letter not in _JOINERS else letter for letter in text
    ).strip()


def _json(content: object) -> str:
    """JSON that cannot end the element that it stands in."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)


@cache
def _script() -> str:
    """All modules as one script: imports go, since what they name stands above them."""
    folder = files("genreatlas.report") / "map"
    parts = ((folder / f"{name}.js").read_text(encoding="utf-8") for name in _MODULES)
    joined = "\n".join(re.sub(r"^export ", "", _IMPORT.sub("", part), flags=re.MULTILINE) for part in parts)
    return f'(() => {{\n"use strict";\n{joined}}})();\n'


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
