"""Distributions: features per genre as ridges, durations as boxes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import gaussian_kde

from genreatlas.report.formats import amount, duration, shortened
from genreatlas.report.svg import Figure, element, number, path, text, ticks

_POINTS = 72
_FEWEST = 5  # rows below which a density would be invented; each value is a tick instead


def ridges(
    name: str, sample: pd.DataFrame, feature: str, unit: str, genres: Sequence[str], names: Mapping[str, str]
) -> Figure:
    """Density of one feature in each genre, one ridge a genre over one scale.

    Parameters
    ----------
    sample : _genre_id and the feature.
    genres : genre ids from top to bottom.

    Returns
    -------
    A figure whose ridges all have the same area; genres with fewer than five values are shown as ticks.
    """
    width, left, step, top = 340.0, 96.0, 27.0, 30.0
    values = {genre: _finite(sample.loc[sample["_genre_id"] == genre, feature]) for genre in genres}
    pooled = np.concatenate([*values.values(), np.empty(0)])
    low, high = np.percentile(pooled, [0.5, 99.5]) if len(pooled) else (0.0, 1.0)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    low, high = low - 0.04 * (high - low), high + 0.04 * (high - low)
    grid = np.linspace(low, high, _POINTS)
    densities = {genre: density(v, grid) for genre, v in values.items()}
    tallest = max((float(d.max()) for d in densities.values() if d is not None), default=1.0) or 1.0

    def at(value: float) -> float:
        return left + (width - left - 8) * (value - low) / (high - low)

    base = top + step * len(genres)
    body = [text(0, 12, f"{feature}{f' [{unit}]' if unit else ''}", class_="strong")]
    for tick in ticks(low, high, 4):
        body.append(element("line", x1=at(tick), x2=at(tick), y1=top, y2=base + 4, class_="grid"))
        body.append(text(at(tick), base + 17, amount(tick), text_anchor="middle", class_="soft small"))
    for index, genre in enumerate(genres):
        y = top + step * (index + 1)
        body.append(text(left - 8, y - 3, shortened(names.get(genre, genre), 14), text_anchor="end", class_="small"))
        body.append(element("line", x1=left, x2=width - 8, y1=y, y2=y, class_="axis"))
        curve = densities[genre]
        if curve is None:
            body += [
                element("line", x1=at(v), x2=at(v), y1=y - 8, y2=y, class_="median")
                for v in values[genre]
                if low <= v <= high
            ]
            continue
        heights = y - curve / tallest * step * 1.25
        outline = [(at(grid[0]), y), *zip(map(at, grid), heights, strict=True), (at(grid[-1]), y)]
        body.append(element("path", d=path(outline, close=True), class_="hill"))
    medians = ", ".join(
        f"{names.get(genre, genre)} {amount(float(np.median(v)))}" for genre, v in values.items() if len(v)
    )
    alt = f"Density of {feature}{f' in {unit}' if unit else ''} per genre. Medians: {medians or 'none'}."
    return Figure(name, alt, "".join(body), width, base + 22)


def density(values: np.ndarray, grid: np.ndarray) -> np.ndarray | None:
    """Gaussian kernel density (Scott's rule) on a grid; None for few or equal values.

    References: D. W. Scott, Multivariate Density Estimation, 1992.
    """
    if len(values) < _FEWEST or np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())):
        return None
    return gaussian_kde(values)(grid)


def duration_boxes(name: str, durations: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """Durations of the sources per genre: box from quarter to quarter, line at the median, whiskers 5 to 95 %."""
    row, top = 40, 8
    columns = ["low", "q1", "median", "q3", "high"]
    figures = durations[columns].to_numpy(dtype=float)
    longest = float(figures.max()) if len(figures) else 1.0
    height = top + row * len(durations) + 24

    def at(seconds: float) -> str:
        return f"{number(1.5 + 95 * seconds / (longest * 1.02))}%"

    body = [
        element("line", x1=at(tick), x2=at(tick), y1=top, y2=height - 22, class_="grid")
        + text(at(tick), height - 7, duration(tick) if tick else "0", text_anchor="middle", class_="soft small")
        for tick in _round_times(longest)
    ]
    for index, (low, q1, median, q3, high) in enumerate(figures):
        label = names.get(durations["genre_id"].iloc[index], str(durations["genre_id"].iloc[index]))
        y = top + row * index + 27
        body.append(text(0, y - 13, shortened(label, 40), class_="small"))
        body.append(text("100%", y - 13, f"median {duration(median)}", text_anchor="end", class_="soft small"))
        body.append(element("line", x1=at(low), x2=at(high), y1=y, y2=y, class_="line"))
        box = f"{number(95 * (q3 - q1) / (longest * 1.02))}%"
        body.append(element("rect", x=at(q1), y=y - 7, width=box, height=14, class_="box"))
        body.append(element("line", x1=at(median), x2=at(median), y1=y - 7, y2=y + 7, class_="median"))
    medians = zip(durations["genre_id"], durations["median"], strict=True)
    parts = [f"{names.get(genre, genre)} {duration(median)}" for genre, median in medians]
    return Figure(
        name, f"Durations of the sources per genre. Medians: {', '.join(parts)}.", "".join(body), 720, height, True
    )


def _round_times(longest: float) -> list[float]:
    unit = 1.0 if longest <= 120 else 60.0 if longest <= 7200 else 3600.0
    return [tick * unit for tick in ticks(0, longest / unit, 4)]


def _finite(values: pd.Series) -> np.ndarray:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float)
    return numbers[np.isfinite(numbers)]
