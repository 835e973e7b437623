"""Render the map of genres as one HTML file that can be opened from disk, with inline data, style and script.

Browsers block `import` and `fetch` for files on disk, so the modules in ``report/map`` are joined into one inline
script, and data are inline JSON, escaped so that it cannot end the element. The page requests nothing except the
example that the reader plays: its content security policy allows no other request.
"""

import base64
import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from urllib.parse import quote, urlsplit

from markupsafe import Markup

from genreatlas.report.map_data import MOST_AUDIO, MapData, MapGenre, MapLens
from genreatlas.report.page import environment, resource
from genreatlas.values import JsonObject

#: Modules of ``report/map``, in order of dependency.
_MODULES = ("data", "layouts", "colour", "labels", "camera", "draw", "gestures", "panel", "list", "main")
#: Number of coordinate steps along the longer side of a map: finer than a pixel at 64 times the size of a window.
_STEPS = 30000
_AUDIO = re.compile(r"data:audio/[a-z0-9.+-]+;base64,[A-Za-z0-9+/=]+")
_IMPORT = re.compile(r"^import \{[^}]*\} from \"\./[a-z]+\.js\";\n", re.MULTILINE)
#: Invisible characters that join letters in many scripts; all other invisible characters are replaced.
_JOINERS = "\u200c\u200d"
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def render_map(data: MapData) -> str:
    """Render the page as HTML, to be written as UTF-8."""
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
    template = environment().get_template("map.html.j2")
    content = Markup(map_content(data))
    return template.render(data=data, plain=_plain, policy=policy, style=style, script=script, content=content)


def map_content(data: MapData) -> str:
    """The map's data as JSON for ``report/map/data.js``, escaped so that it cannot end its HTML element."""
    return _json(_content(data))


def _content(data: MapData) -> JsonObject:
    """Content of the JSON, by column: with one object per genre, key names would be half of the page."""
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
        "sizes": [genre.n_songs if genre.weight is None else _short(genre.weight) or 0 for genre in genres],
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
    """Left, top, width and height of the positions; width and height are never 0."""
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


def _lens(lens: MapLens, genres: Sequence[MapGenre]) -> dict[str, object]:
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
    """Examples by genre index; audio is embedded for the largest genres first, up to :data:`MOST_AUDIO`."""
    found = {}
    left = MOST_AUDIO
    for place, genre in sorted(enumerate(genres), key=lambda item: (-item[1].n_songs, item[0])):
        if genre.example is None:
            continue
        said = {"title": _plain(genre.example.title) or "an example"}
        source = _playable(genre.example.source)
        link = genre.example.link
        if source.startswith("data:") and len(source) > left:
            source = ""
        if source:
            part = genre.example.part
            # Media fragment: start and end of playback.
            said["source"] = f"{source}#t={part[0]:.3f},{part[1]:.3f}" if part and ":" not in source else source
            left -= len(source) if source.startswith("data:") else 0
        elif _is_web_address(link):
            said["link"] = link
        found[place] = said
    return found


def _playable(source: str) -> str:
    """The source if it is an audio data URI, or a relative path (percent-encoded); otherwise empty."""
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
    """Remove cycles from parent indices: one genre of each cycle becomes a root. Modifies and returns ``parent``."""
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
    """Replace control characters, direction overrides, other invisible characters and lone surrogates by U+FFFD."""
    return "".join(
        "\ufffd" if unicodedata.category(letter) in _UNSEEN and letter not in _JOINERS else letter for letter in text
    ).strip()


def _json(content: object) -> str:
    """JSON, escaped so that it cannot end its HTML element."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)


@cache
def _script() -> str:
    """All modules as one script; imports are removed because the imported names are defined above."""
    folder = files("genreatlas.report") / "map"
    parts = ((folder / f"{name}.js").read_text(encoding="utf-8") for name in _MODULES)
    joined = "\n".join(re.sub(r"^export ", "", _IMPORT.sub("", part), flags=re.MULTILINE) for part in parts)
    return f'(() => {{\n"use strict";\n{joined}}})();\n'


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
