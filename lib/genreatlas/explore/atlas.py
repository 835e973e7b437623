"""The map of genres as Every Noise draws it."""

import pandas as pd

from genreatlas.report.svg import Figure, element, text

_WIDTH, _ROW = 720.0, 15.0
#: Names stay readable on the dots of other genres.
_HALO = "paint-order:stroke;stroke:var(--paper);stroke-width:3px"


def genre_map(genres: pd.DataFrame, most: int = 120) -> Figure:
    """Each genre at its place on the map, in its colour: dense to spiky from left, organic below, electric above.

    Names that would lie on each other are left out, those of less popular genres first; their dots stay.

    Parameters
    ----------
    genres : rows of the view ``genres_latest``.
    most : so many names at most.
    """
    shown = genres.sort_values(["weight", "genre_id"], ascending=[False, True]).dropna(
        subset=["map_x_scaled", "map_y_scaled"]
    )
    height = min(640.0, 180.0 + 8.0 * len(shown))
    radius = 4.5 if len(shown) < 200 else 2.2
    across, down = (_WIDTH - 120) * shown["map_x_scaled"], (height - 44) * shown["map_y_scaled"]
    dots: list[str] = []
    names: list[str] = []
    taken: list[tuple[float, float, float]] = []
    places = zip(across.tolist(), down.tolist(), shown["name"].tolist(), shown["colour"].tolist(), strict=True)
    for place, (x, y, name, colour) in enumerate(places):
        dots.append(element("circle", cx=8 + x, cy=10 + y, r=radius, style=f"fill:{colour or 'currentColor'}"))
        box = (x, y, x + 12 + 7 * len(name))
        if place < most and not any(_meet(box, other) for other in taken):
            taken.append(box)
            names.append(text(13 + radius + x, 14 + y, name, class_="small", style=_HALO))
    body, bottom = dots + names, height - 6
    for x, anchor, words in ((0.0, "start", "← dense"), (_WIDTH, "end", "spiky →")):
        body.append(text(x, bottom, words, class_="soft small", text_anchor=anchor))
    body.append(text(_WIDTH / 2, bottom, "electric above, organic below", class_="soft small", text_anchor="middle"))
    alt = f"Map of {len(shown)} genres, among them {', '.join(map(str, shown['name'].head(8)))}."
    return Figure("genre_map", alt, "".join(body), _WIDTH, height)


def _meet(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    return abs(one[1] - other[1]) < _ROW and one[0] < other[2] and other[0] < one[2]
