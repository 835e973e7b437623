"""The map of genres as a static picture for the report."""

import math

import numpy as np

from genreatlas.report.map_data import MapData, MapGenre
from genreatlas.report.number_formats import shortened
from genreatlas.report.svg import Figure, element, number, text

_WIDTH = 752.0
_BESIDE, _ABOVE = 70.0, 22.0
_TALL, _TALL_OF_FEW, _FEW = 560.0, 320.0, 60
_LETTER = 6.7  # mean width of a letter in px at a font size of 12 px
_HALO = "paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round"
_MOST_NAMES = 90
#: OKLCH lightness at which colours are readable on a light and on a dark background, and chroma.
_LIGHTNESS, _CHROMA = 0.6, 0.13


def map_picture(data: MapData) -> Figure:
    """Genres of the first lens as dots in the colour of their region; the largest have labels, which do not overlap."""
    lens = data.lenses[0].lens_id
    placed = sorted((genre for genre in data.genres if lens in genre.places), key=lambda g: (-g.n_songs, g.genre_id))
    xy = np.array([genre.places[lens] for genre in placed], dtype=np.float64).reshape(-1, 2)
    low = xy.min(axis=0) if len(xy) else np.zeros(2)
    across, down = np.ptp(xy, axis=0) if len(xy) else (0.0, 0.0)
    # The same scale in both directions, so that distances are comparable.
    most = _TALL if len(placed) >= _FEW else _TALL_OF_FEW
    scale = min((_WIDTH - 2 * _BESIDE) / max(across, 1e-9), (most - 2 * _ABOVE) / max(down, 1e-9))
    tall = 2 * _ABOVE + float(down) * scale
    at = np.array([(_WIDTH - float(across) * scale) / 2, _ABOVE]) + (xy - low) * scale
    colours = region_colours(data)
    radius = 4.5 if len(placed) < _FEW else 3.0 if len(placed) < 800 else 1.6
    body = []
    for region in sorted({-1 if genre.region is None else genre.region for genre in placed}):
        mine = [place for place, genre in enumerate(placed) if (-1 if genre.region is None else genre.region) == region]
        # Dots are lines of zero length with round ends, which take about ten bytes each.
        dots = "".join(f"M{number(float(at[place, 0]))} {number(float(at[place, 1]))}h0" for place in mine)
        colour = colours[region] if region >= 0 else "currentColor"
        body.append(element("path", d=dots, style=f"stroke:{colour};stroke-width:{2 * radius};stroke-linecap:round"))
    body += _names(placed, at, radius)
    named = ", ".join(genre.name for genre in placed[:8])
    regions = f"{len(data.regions):,} region{'s' * (len(data.regions) != 1)}"
    alt = f"Map of {len(placed):,} genres in {regions}; the largest are {named}."
    return Figure("map", alt, "".join(body), _WIDTH, tall)


def region_colours(data: MapData) -> list[str]:
    """Colour of each region: the hue follows the angle of the region around the centre, as on the map page."""
    lens = data.lenses[0].lens_id
    places: list[list[tuple[float, float]]] = [[] for _ in data.regions]
    for genre in data.genres:
        if genre.region is not None and lens in genre.places:
            places[genre.region].append(genre.places[lens])
    every = np.array([place for region in places for place in region], dtype=np.float64).reshape(-1, 2)
    middle = (every.min(axis=0) + every.max(axis=0)) / 2 if len(every) else np.zeros(2)
    angle = [math.atan2(*(np.mean(region, axis=0) - middle)[::-1]) if region else 9.0 for region in places]
    order = sorted(range(len(places)), key=lambda region: angle[region])
    found = [""] * len(places)
    for step, region in enumerate(order):
        found[region] = _hex(_LIGHTNESS, _CHROMA, 25 + 360 * step / len(order))
    return found


def _names(placed: list[MapGenre], at: np.ndarray, radius: float) -> list[str]:
    """Labels beside dots, for the largest genres first, where they fit without overlap."""
    made: list[str] = []
    taken = [(x - radius, y - radius, x + radius, y + radius) for x, y in at.tolist()] if len(at) < _FEW else []
    for genre, (x, y) in zip(placed, at.tolist(), strict=True):
        name = shortened(genre.name, 24)
        wide, gap = _LETTER * len(name), radius + 3
        for left, top in (
            (x + gap, y - 7),
            (x - gap - wide, y - 7),
            (x - wide / 2, y - gap - 14),
            (x - wide / 2, y + gap),
        ):
            box = (left, top, left + wide, top + 14)
            inside = box[0] >= 0 and box[2] <= _WIDTH and box[1] >= 0
            if inside and not any(_meet(box, other) for other in taken):
                taken.append(box)
                made.append(text(left, top + 11, name, style=_HALO))
                break
        if len(made) == _MOST_NAMES:
            break
    return made


def _meet(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _hex(lightness: float, chroma: float, hue: float) -> str:
    """Convert an OKLCH colour to sRGB (Ottosson 2020); values out of gamut are clipped."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.707614701 * short,
    )
    gamma = [12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in linear]
    return "#" + "".join(f"{round(255 * min(1.0, max(0.0, value))):02x}" for value in gamma)
