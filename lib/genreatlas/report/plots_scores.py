"""Scores with their intervals: the leaderboard, one row of it inside a table, and importances."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genreatlas.report import formats
from genreatlas.report.svg import Figure, element, number, text, ticks

_ROW = 60  # px from one row to the next: name and score, a note, the mark
_TOP = 26


@dataclass(frozen=True)
class Scored:
    """One row of a dot-and-whisker plot; ``quiet`` rows (baselines) step back."""

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
    name : stem of the picture's file.
    rows : top to bottom.
    measure : what the scale shows, in words.
    reference : a row whose score is drawn as a dashed line through all rows.
    """
    height = _TOP + _ROW * len(rows) + 24
    body = [
        element("line", x1=_at(tick), x2=_at(tick), y1=_TOP - 6, y2=height - 22, class_="grid")
        + text(_at(tick), height - 7, f"{tick:g}", text_anchor="middle", class_="soft small")
        for tick in (0, 0.2, 0.4, 0.6, 0.8, 1)
    ]
    if reference is not None and not formats.missing(reference.value):
        place = _at(float(reference.value or 0.0))
        side: dict[str, Any] = {"text_anchor": "start" if float(reference.value or 0.0) < 0.5 else "end"}
        body.append(element("line", x1=place, x2=place, y1=_TOP - 6, y2=height - 22, class_="mark"))
        body.append(text(place, _TOP - 12, reference.note, class_="soft small", **side))
    for index, row in enumerate(rows):
        body.append(_dot_row(row, _TOP + _ROW * index))
    shown = "; ".join(f"{row.label} {formats.score(row.value)}" for row in rows[:12])
    ends = [formats.missing(row.low) for row in rows]
    whiskers = " with its 95 % interval" if not any(ends) else " with a 95 % interval where groups suffice for one"
    alt = f"{measure}, one dot a model{'' if all(ends) else whiskers}: {shown}."
    return Figure(name, alt, "".join(body), 720, height, fluid=True)


def _dot_row(row: Scored, top: float) -> str:
    weight = "soft" if row.quiet else "strong"
    label = text(0, top + 14, formats.shortened(row.label, 30), class_=f"halo {weight}")
    label += text(0, top + 29, formats.shortened(row.note, 52), class_="halo soft small")
    figures = formats.score(row.value)
    if not formats.missing(row.low):
        figures += f"  ({formats.interval(row.low, row.high)})"
    value = text("100%", top + 14, figures, text_anchor="end", class_=f"halo {weight}")
    return label + value + _mark(row, top + 42)


def _mark(row: Scored, y: float, radius: float = 5) -> str:
    tone = " quiet" if row.quiet else ""
    parts = [element("line", x1=_at(0), x2=_at(1), y1=y, y2=y, class_="axis")]
    if not formats.missing(row.low) and not formats.missing(row.high):
        low, high = float(row.low or 0.0), float(row.high or 0.0)
        parts.append(element("line", x1=_at(low), x2=_at(high), y1=y, y2=y, class_=f"whisker{tone}"))
    if not formats.missing(row.value):
        parts.append(element("circle", cx=_at(float(row.value or 0.0)), cy=y, r=radius, class_=f"dot{tone}"))
    return "".join(parts)


def small_whisker(value: Any, low: Any, high: Any, quiet: bool = False) -> str:
    """A dot and its whisker for a table's cell; decoration, the numbers stand beside it."""
    mark = _mark(Scored("", "", value, low, high, quiet), 8, 4)
    return element("svg", mark, class_="plot cell", width="100%", height=16, aria_hidden="true")


def importance_bars(name: str, rows: Sequence[Scored], measure: str) -> Figure:
    """Importances as dots from zero, largest first, with their spread where it is known."""
    values = [v for row in rows for v in (row.value, row.low, row.high) if v is not None and not formats.missing(v)]
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
        body.append(text("41.5%", y + 4, formats.shortened(row.label, 26), text_anchor="end", class_="small"))
        body.append(element("line", x1=at(0), x2=at(value), y1=y, y2=y, class_="line"))
        if not formats.missing(row.low) and not formats.missing(row.high):
            ends = {"x1": at(float(row.low or 0.0)), "x2": at(float(row.high or 0.0))}
            body.append(element("line", y1=y, y2=y, class_="whisker", **ends))
        body.append(element("circle", cx=at(value), cy=y, r=4, class_="dot"))
    first = ", ".join(row.label for row in rows[:5])
    return Figure(name, f"{measure}; the largest: {first}.", "".join(body), 460, height, True)


def _at(share: float) -> str:
    """Place of a share on the scale; a hair of margin keeps dots and labels at both ends whole."""
    return f"{number(1.5 + 97 * min(max(share, 0.0), 1.0))}%"
