"""Plots as SVG: scores with intervals, importances, distributions per genre, waveforms; spectrograms as PNG."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from PIL import Image
from scipy.stats import gaussian_kde

from genreatlas.report import number_formats
from genreatlas.report.number_formats import amount, duration, shortened
from genreatlas.report.svg import Figure, element, number, path, text, ticks

_ROW = 60  # px from one row to the next: name and score, a note, the mark
_TOP = 26

_POINTS = 72
_FEWEST = 5  # minimum rows for a density estimate; with fewer, each value is drawn as a tick

_COLUMNS = 420
_BANDS = 96
_RANGE_DB = 70.0


@dataclass(frozen=True)
class Scored:
    """One row of a dot-and-whisker plot; ``quiet`` rows (baselines) are drawn in a muted colour."""

    label: str
    note: str
    value: float | None
    low: float | None
    high: float | None
    quiet: bool = False


def dot_and_whisker(name: str, rows: Sequence[Scored], measure: str, reference: Scored | None = None) -> Figure:
    """Scores as dots with 95 % intervals as whiskers, on a scale from 0 to 1.

    Parameters
    ----------
    name : stem of the picture's file name.
    rows : rows from top to bottom.
    measure : name of the scale.
    reference : a row whose score is drawn as a dashed line through all rows.
    """
    height = _TOP + _ROW * len(rows) + 24
    body = [
        element("line", x1=_at(tick), x2=_at(tick), y1=_TOP - 6, y2=height - 22, class_="grid")
        + text(_at(tick), height - 7, f"{tick:g}", text_anchor="middle", class_="soft small")
        for tick in (0, 0.2, 0.4, 0.6, 0.8, 1)
    ]
    if reference is not None and not number_formats.missing(reference.value):
        place = _at(float(reference.value or 0.0))
        side: dict[str, object] = {"text_anchor": "start" if float(reference.value or 0.0) < 0.5 else "end"}
        body.append(element("line", x1=place, x2=place, y1=_TOP - 6, y2=height - 22, class_="mark"))
        body.append(text(place, _TOP - 12, reference.note, class_="soft small", **side))
    for index, row in enumerate(rows):
        body.append(_dot_row(row, _TOP + _ROW * index))
    shown = "; ".join(f"{row.label} {number_formats.score(row.value)}" for row in rows[:12])
    ends = [number_formats.missing(row.low) for row in rows]
    whiskers = " with its 95 % interval" if not any(ends) else " with a 95 % interval if there are enough groups"
    alt = f"{measure}, one dot a model{'' if all(ends) else whiskers}: {shown}."
    return Figure(name, alt, "".join(body), 720, height, fluid=True)


def _dot_row(row: Scored, top: float) -> str:
    weight = "soft" if row.quiet else "strong"
    label = text(0, top + 14, number_formats.shortened(row.label, 30), class_=f"halo {weight}")
    label += text(0, top + 29, number_formats.shortened(row.note, 52), class_="halo soft small")
    figures = number_formats.score(row.value)
    if not number_formats.missing(row.low):
        figures += f"  ({number_formats.interval(row.low, row.high)})"
    value = text("100%", top + 14, figures, text_anchor="end", class_=f"halo {weight}")
    return label + value + _mark(row, top + 42)


def _mark(row: Scored, y: float, radius: float = 5) -> str:
    tone = " quiet" if row.quiet else ""
    parts = [element("line", x1=_at(0), x2=_at(1), y1=y, y2=y, class_="axis")]
    if not number_formats.missing(row.low) and not number_formats.missing(row.high):
        low, high = float(row.low or 0.0), float(row.high or 0.0)
        parts.append(element("line", x1=_at(low), x2=_at(high), y1=y, y2=y, class_=f"whisker{tone}"))
    if not number_formats.missing(row.value):
        parts.append(element("circle", cx=_at(float(row.value or 0.0)), cy=y, r=radius, class_=f"dot{tone}"))
    return "".join(parts)


def small_whisker(value: Any, low: Any, high: Any, quiet: bool = False) -> str:
    """A dot and its whisker for a table cell; hidden from screen readers, as the numbers are in the table."""
    mark = _mark(Scored("", "", value, low, high, quiet), 8, 4)
    return element("svg", mark, class_="plot cell", width="100%", height=16, aria_hidden="true")


def importance_bars(name: str, rows: Sequence[Scored], measure: str) -> Figure:
    """Importances as dots and lines from zero, in the order of ``rows``, with intervals if known."""
    values = [
        v for row in rows for v in (row.value, row.low, row.high) if v is not None and not number_formats.missing(v)
    ]
    low, high = min([0.0, *values]), max([1e-9, *values])
    step, top = 30, 4
    height = top + step * len(rows) + 22

    def at(value: float) -> str:
        return f"{number(43 + 55 * (value - low) / (high - low))}%"

    body = [
        element("line", x1=at(tick), x2=at(tick), y1=top, y2=height - 20, class_="axis" if tick == 0 else "grid")
        + text(at(tick), height - 6, f"{tick:g}", text_anchor="middle", class_="soft small")
        for tick in ticks(low, high, 3)
    ]
    for index, row in enumerate(rows):
        y = top + step * index + step / 2
        value = float(row.value or 0.0)
        body.append(text("41.5%", y + 4, number_formats.shortened(row.label, 26), text_anchor="end", class_="small"))
        body.append(element("line", x1=at(0), x2=at(value), y1=y, y2=y, class_="line"))
        if not number_formats.missing(row.low) and not number_formats.missing(row.high):
            ends = {"x1": at(float(row.low or 0.0)), "x2": at(float(row.high or 0.0))}
            body.append(element("line", y1=y, y2=y, class_="whisker", **ends))
        body.append(element("circle", cx=at(value), cy=y, r=4, class_="dot"))
    first = ", ".join(row.label for row in rows[:5])
    return Figure(name, f"{measure}; the largest: {first}.", "".join(body), 460, height, True)


def _at(share: float) -> str:
    """Position of a share on the scale, with a margin so that dots and labels at both ends are not cut."""
    return f"{number(1.5 + 97 * min(max(share, 0.0), 1.0))}%"


def ridges(
    name: str, sample: pd.DataFrame, feature: str, unit: str, genres: Sequence[str], names: Mapping[str, str]
) -> Figure:
    """Ridge plot: density of one feature in each genre on a common scale.

    Parameters
    ----------
    name : stem of the picture's file name.
    sample : _genre_id and the feature.
    feature, unit : name and unit of the feature.
    genres : genre ids from top to bottom.
    names : display name by genre id.

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
    """Gaussian kernel density (Scott's rule) on a grid; None if there are fewer than five or only equal values.

    References: D. W. Scott, Multivariate Density Estimation, 1992.
    """
    if len(values) < _FEWEST or np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())):
        return None
    return gaussian_kde(values)(grid)


def duration_boxes(name: str, durations: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """Box plot of source durations per genre: quartiles, median, whiskers from the 5th to the 95th percentile."""
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


def waveform(name: str, samples: np.ndarray, sample_rate: int, title: str) -> Figure:
    """Waveform: the range of samples in each pixel column, on a scale from −1 to 1.

    Parameters
    ----------
    name : stem of the picture's file name.
    samples : (n,) mono, full scale = 1.
    sample_rate : sample rate in Hz.
    title : name of the song, for the alternative text.
    """
    width, height = 420.0, 56.0
    edges = np.linspace(0, len(samples), min(_COLUMNS, len(samples)) + 1).astype(int)
    high = np.maximum.reduceat(samples, edges[:-1])
    low = np.minimum.reduceat(samples, edges[:-1])
    xs = np.linspace(0, width, len(high))
    middle = height / 2
    upper = list(zip(xs, middle - np.clip(high, -1, 1) * (middle - 1) - 0.4, strict=True))
    lower = list(zip(xs, middle - np.clip(low, -1, 1) * (middle - 1) + 0.4, strict=True))
    body = element("path", d=path([*upper, *reversed(lower)], close=True), class_="wave")
    seconds = len(samples) / sample_rate
    peak = float(np.abs(samples).max()) if len(samples) else 0.0
    return Figure(
        name,
        f"Waveform of {title}: {seconds:.0f} s, peak at {peak:.2f} of full scale.",
        body,
        width,
        height,
        stretched=True,
    )


def mel_picture(samples: np.ndarray, sample_rate: int) -> bytes:
    """Mel spectrogram as a PNG with a 256-colour palette.

    Parameters
    ----------
    samples : (n,) mono.
    sample_rate : sample rate in Hz.

    Returns
    -------
    PNG of at most 420 × 96 pixels: time to the right, mel bands upwards, from −70 dB (dark) to the maximum (bright),
    in the colour map magma, which is readable for the colour-blind and in grey.

    References: McFee et al., librosa, SciPy 2015 (``librosa.feature.melspectrogram``).
    """
    import librosa  # takes a second to import, and only pages with sounds need it

    hop = max(256, int(np.ceil(len(samples) / _COLUMNS)))
    power = librosa.feature.melspectrogram(
        y=samples.astype(np.float32), sr=sample_rate, n_fft=2048, hop_length=hop, n_mels=_BANDS
    )
    decibels = librosa.power_to_db(power, ref=np.max, top_db=_RANGE_DB)
    levels = np.clip((decibels + _RANGE_DB) / _RANGE_DB * 255, 0, 255).astype(np.uint8)[::-1]
    picture = Image.fromarray(levels).convert("P")
    palette = (colormaps["magma"](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
    picture.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
