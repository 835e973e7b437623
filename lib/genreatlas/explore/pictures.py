"""Figures for notebooks, as HTML for ``displayHTML``, in the reader's light or dark colour scheme.

There are densities, pair plots and correlations of samples; box plots with outliers, and means of durations; the map of
genres of Every Noise; and the report's figures of models.
"""

from collections.abc import Sequence
from html import escape
from importlib.resources import files

import numpy as np
import pandas as pd

from genreatlas.config import Config
from genreatlas.errors import InputError
from genreatlas.explore.samples import Sample
from genreatlas.report import boards, page_pictures, queries
from genreatlas.report.number_formats import duration, shortened
from genreatlas.report.page_pictures import Pictures, genre_medians
from genreatlas.report.plots import density, ridges
from genreatlas.report.plots_matrices import correlation_triangle
from genreatlas.report.svg import Figure, element, number, path, text, ticks
from genreatlas.store import Reader

_LAYOUT = (
    "body{margin:0} .figures{display:flex;flex-wrap:wrap;gap:1.5rem 2rem;align-items:flex-start;"
    "background:var(--paper);padding:.5rem 0} "
    ".figures figure{margin:0;max-width:100%;overflow-x:auto;padding-right:4rem}"
    ".figures figcaption{font:13px ui-sans-serif,system-ui,sans-serif;color:var(--muted);margin-top:.3rem;"
    "max-width:44rem} .figures .wide{width:100%;padding-right:0}"
)

#: Colours that are distinguishable with colour blindness (Okabe & Ito 2008), visible on light and dark backgrounds.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
_CELL = 122.0
_GAP = 8.0

_LEFT = 17.0  # width of names in percent
_RIGHT = 9.0  # width of numbers in percent

_WIDTH, _ROW = 720.0, 15.0

#: Outline of names, so that they are readable on dots.
_HALO = "paint-order:stroke;stroke:var(--paper);stroke-width:3px"


def html(*figures: Figure, caption: str = "") -> str:
    """HTML with figures side by side, wrapped to the available width, and one caption.

    Parameters
    ----------
    figures : figures of this package or of :mod:`genreatlas.report`.
    caption : common caption; empty: none.
    """
    shown = "".join(f'<figure class="{"wide" if f.fluid else ""}">{f.inline}</figure>' for f in figures)
    words = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return page(f'<div class="figures">{shown}</div><div class="figures">{words}</div>' if caption else
                f'<div class="figures">{shown}</div>')  # fmt: skip


def page(markup: str) -> str:
    """Add the style sheet of figures to HTML markup; notebooks show HTML in separate frames."""
    style = (files("genreatlas.report") / "templates" / "plot.css").read_text(encoding="utf-8")
    return f"<style>{style}{_LAYOUT}</style>{markup}"


def densities(sample: Sample, features: Sequence[str]) -> list[Figure]:
    """Ridge plot of each feature: kernel density (Gaussian) per genre."""
    return [
        ridges(f"density_{name}", sample.rows, name, sample.units.get(name, ""), sample.genres, sample.names)
        for name in features
    ]


def pair_plot(sample: Sample, features: list[str], per_genre: int = 60) -> Figure:
    """Scatter plots of all pairs of features, with densities per genre on the diagonal.

    Parameters
    ----------
    sample : sample of clips.
    features : names of features; three to six are readable.
    per_genre : maximum number of clips drawn per genre.

    Returns
    -------
    Figure of the first six genres of the sample. Axes range from the 1st to the 99th percentile, with a margin.
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


def correlation(sample: Sample, features: Sequence[str]) -> Figure:
    """Draw the Pearson correlation of features over clips."""
    among = sample.rows[list(features)].corr()
    alt = f"Correlation of {len(features)} features of {sample.feature_set}."
    return correlation_triangle("correlation", among, list(features), alt)


def genre_correlation(sample: Sample) -> Figure:
    """Draw the correlation of genres: of their medians over all features, each scaled to a standard deviation of 1."""
    medians = genre_medians(sample.rows, sample.features, sample.genres)
    likeness = medians.T.corr()
    names = [sample.names.get(str(genre), str(genre)) for genre in medians.index]
    likeness.index = likeness.columns = pd.Index(names)
    alt = f"Correlation of the scaled medians of {len(names)} genres."
    return correlation_triangle("genre_correlation", likeness, names, alt)


def outlier_fences(values: pd.Series) -> tuple[float, float]:
    """Lower and upper limit beyond which values are outliers: 1.5 times the interquartile range from the quartiles.

    References: J. W. Tukey, Exploratory Data Analysis, 1977, ch. 2.
    """
    q1, q3 = np.percentile(values.to_numpy(float), [25, 75])
    return float(q1 - 1.5 * (q3 - q1)), float(q3 + 1.5 * (q3 - q1))


def outliers(found: pd.DataFrame) -> pd.DataFrame:
    """Rows with outlying durations within their genre, longest first.

    Parameters
    ----------
    found : genre, duration_s and any other columns.

    Returns
    -------
    DataFrame : the same columns, and the limits from_s and to_s in seconds.
    """
    parts = [pd.DataFrame(columns=[*found.columns, "from_s", "to_s"])]
    for _, rows in found.groupby("genre", sort=False):
        low, high = outlier_fences(rows["duration_s"])
        outside = rows[(rows["duration_s"] < low) | (rows["duration_s"] > high)]
        if len(outside):
            parts.append(outside.assign(from_s=max(low, 0.0), to_s=high))
    rows = parts[0] if len(parts) == 1 else pd.concat(parts[1:], ignore_index=True)
    return rows.sort_values(["duration_s", "genre"], ascending=[False, True], ignore_index=True)


def duration_boxes(found: pd.DataFrame) -> Figure:
    """Box plot of durations per genre: quartiles and median, whiskers to the last value that is no outlier.

    Parameters
    ----------
    found : genre, duration_s in seconds; genres are drawn in the order of the rows.
    """
    row, top = 34, 6
    groups = [
        (str(genre), np.sort(rows["duration_s"].to_numpy(float))) for genre, rows in found.groupby("genre", sort=False)
    ]
    longest = max((values[-1] for _, values in groups), default=1.0)
    height = top + row * len(groups) + 26
    body = _scale(longest, top, height)
    for index, (genre, values) in enumerate(groups):
        y = top + row * index + row / 2
        q1, median, q3 = np.percentile(values, [25, 50, 75])
        low, high = outlier_fences(pd.Series(values))
        inside = values[(values >= low) & (values <= high)]
        body.append(text(0, y + 4, shortened(genre, 18), class_="small"))
        body.append(element("line", x1=_at(inside[0], longest), x2=_at(inside[-1], longest), y1=y, y2=y, class_="line"))
        width = f"{number((100 - _LEFT - _RIGHT) * (q3 - q1) / longest)}%"
        body.append(element("rect", x=_at(q1, longest), y=y - 8, width=width, height=16, class_="box"))
        body.append(
            element("line", x1=_at(median, longest), x2=_at(median, longest), y1=y - 8, y2=y + 8, class_="median")
        )
        for value in values[(values < low) | (values > high)]:
            body.append(element("circle", cx=_at(value, longest), cy=y, r=2.5, class_="minus"))
        body.append(text("100%", y + 4, duration(float(median)), text_anchor="end", class_="soft small"))
    medians = ", ".join(f"{genre} {duration(float(np.median(values)))}" for genre, values in groups)
    return Figure("duration_boxes", f"Durations per genre. Medians: {medians}.", "".join(body), 720, height, True)


def mean_lengths(found: pd.DataFrame) -> Figure:
    """Bar chart of the mean duration per genre, longest first.

    Parameters
    ----------
    found : genre, duration_s in seconds.
    """
    row, top = 24, 4
    means = found.groupby("genre")["duration_s"].mean().sort_values(ascending=False)
    longest = float(means.max()) if len(means) else 1.0
    body = []
    for index, (genre, mean) in enumerate(means.items()):
        y = top + row * index
        body.append(text(0, y + 15, shortened(str(genre), 18), class_="small"))
        width = f"{number((100 - _LEFT - _RIGHT) * mean / longest)}%"
        body.append(element("rect", x=f"{_LEFT}%", y=y + 3, width=width, height=row - 7, class_="bar"))
        body.append(text("100%", y + 15, duration(float(mean)), text_anchor="end", class_="soft small"))
    told = ", ".join(f"{genre} {duration(float(mean))}" for genre, mean in means.items())
    return Figure(
        "mean_lengths", f"Mean duration per genre: {told}.", "".join(body), 720, top + row * len(means) + 4, True
    )


def genre_map(genres: pd.DataFrame, most: int = 120) -> Figure:
    """Draw genres on the Every Noise map in their colours: dense (left) to spiky, organic (bottom) to electric.

    Overlapping names are left out, those of less popular genres first; all dots are drawn.

    Parameters
    ----------
    genres : rows of the view ``genres_latest``.
    most : maximum number of names.
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


def judged(store: Reader, config: Config) -> Pictures:
    """Figures of the report on evaluated models: leaderboard, confusion matrix, importances and others.

    Raises
    ------
    InputError : no model was evaluated yet.
    """
    data = queries.read_report(store, config)
    found = boards.boards(data.models, data.scores, data.metric, data.level, data.labels)
    if not found:
        raise InputError(
            f"no model has been evaluated on the part {data.part} yet: run train_models and evaluate_models"
        )
    return page_pictures.draw(data, found[0])


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


def _at(seconds: float, longest: float) -> str:
    return f"{number(_LEFT + (100 - _LEFT - _RIGHT) * float(seconds) / longest)}%"


def _scale(longest: float, top: float, height: float) -> list[str]:
    unit = 1.0 if longest <= 120 else 60.0 if longest <= 7200 else 3600.0
    marks = [tick * unit for tick in ticks(0, longest / unit, 5)]
    return [
        element("line", x1=_at(mark, longest), x2=_at(mark, longest), y1=top, y2=height - 22, class_="grid")
        + text(
            _at(mark, longest), height - 7, duration(mark) if mark else "0", text_anchor="middle", class_="soft small"
        )
        for mark in marks
    ]


def _meet(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    return abs(one[1] - other[1]) < _ROW and one[0] < other[2] and other[0] < one[2]
