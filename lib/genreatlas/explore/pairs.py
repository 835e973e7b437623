"""The pair plot: every feature against every other, clips as dots coloured by genre."""

import numpy as np

from genreatlas.explore.samples import Sample
from genreatlas.report.plots_distributions import density
from genreatlas.report.svg import Figure, element, path, text

#: Colours that people with colour blindness tell apart (Okabe & Ito 2008), those that show on light and dark.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
_CELL = 122.0
_GAP = 8.0


def pair_plot(sample: Sample, features: list[str], per_genre: int = 60) -> Figure:
    """Scatter of each pair of features; on the diagonal the densities of the genres.

    Parameters
    ----------
    features : three to six are readable.
    per_genre : at most so many clips of each genre are drawn.

    Returns
    -------
    A figure of the first six genres of the sample. Each axis ends at the 1st and 99th percentile.
    """
    genres = list(sample.genres[: len(COLOURS)])
    drawn = {genre: sample.rows[sample.rows["_genre_id"] == genre] for genre in genres}
    ends = {name: _ends(np.concatenate([rows[name].to_numpy(float) for rows in drawn.values()])) for name in features}
    left, top = 8.0, 40.0
    step = _CELL + _GAP
    body = _legend([sample.names.get(genre, genre) for genre in genres])
    for i, vertical in enumerate(features):
        for j, horizontal in enumerate(features):
            x, y = left + j * step, top + i * step
            body.append(element("rect", x=x, y=y, width=_CELL, height=_CELL, class_="frame"))
            if i == j:
                body += _densities(
                    {g: rows[vertical].to_numpy(float) for g, rows in drawn.items()}, ends[vertical], x, y
                )
                body.append(text(x + 5, y + 14, _short(vertical), class_="tiny strong halo"))
                continue
            for colour, rows in zip(COLOURS, drawn.values(), strict=False):
                body += _dots(rows.head(per_genre)[[horizontal, vertical]].to_numpy(float), ends[horizontal],
                              ends[vertical], x, y, colour)  # fmt: skip
    size = left + step * len(features)
    shown = ", ".join(sample.names.get(genre, genre) for genre in genres)
    return Figure(
        "pairs", f"Pairs of {', '.join(features)} for {shown}.", "".join(body), size, top + step * len(features)
    )


def _ends(values: np.ndarray) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, [1, 99]) if len(values) else (0.0, 1.0)
    margin = 0.06 * (high - low) or 0.5
    return float(low - margin), float(high + margin)


def _legend(names: list[str]) -> list[str]:
    body, x = [], 8.0
    for colour, name in zip(COLOURS, names, strict=False):
        body.append(element("circle", cx=x + 5, cy=14, r=5, fill=colour))
        body.append(text(x + 14, 18, name, class_="small"))
        x += 34 + 6.4 * len(name)
    return body


def _dots(
    points: np.ndarray, across: tuple[float, float], up: tuple[float, float], x: float, y: float, colour: str
) -> list[str]:
    shares = (points - [across[0], up[0]]) / [across[1] - across[0], up[1] - up[0]]
    inside = shares[np.isfinite(shares).all(axis=1) & (shares >= 0).all(axis=1) & (shares <= 1).all(axis=1)]
    return [
        element("circle", cx=float(x + _CELL * a), cy=float(y + _CELL * (1 - b)), r=1.8, fill=colour, fill_opacity=0.6)
        for a, b in inside
    ]


def _densities(values: dict[str, np.ndarray], ends: tuple[float, float], x: float, y: float) -> list[str]:
    grid = np.linspace(*ends, 60)
    curves = {genre: density(v[np.isfinite(v)], grid) for genre, v in values.items()}
    tallest = max((float(curve.max()) for curve in curves.values() if curve is not None), default=1.0)
    body = []
    for colour, curve in zip(COLOURS, curves.values(), strict=False):
        if curve is not None:
            xs = x + _CELL * (grid - ends[0]) / (ends[1] - ends[0])
            ys = y + _CELL - (_CELL - 24) * curve / tallest
            body.append(element("path", d=path(zip(xs, ys, strict=True)), fill="none", stroke=colour, stroke_width=1.6))
    return body


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:21]}…"
