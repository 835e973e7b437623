"""Durations: boxes with the outlier rule, and mean lengths."""

import numpy as np
import pandas as pd

from genreatlas.report.formats import duration, shortened
from genreatlas.report.svg import Figure, element, number, text, ticks

_LEFT = 17.0  # percent of the width that names take
_RIGHT = 9.0  # and figures


def outlier_fences(values: pd.Series) -> tuple[float, float]:
    """Below the first and above the second number a value is an outlier: 1.5 times the box's length away from it.

    References: J. W. Tukey, Exploratory Data Analysis, 1977, ch. 2.
    """
    q1, q3 = np.percentile(values.to_numpy(float), [25, 75])
    return float(q1 - 1.5 * (q3 - q1)), float(q3 + 1.5 * (q3 - q1))


def outliers(found: pd.DataFrame) -> pd.DataFrame:
    """Rows outside the fences of their own genre, longest first, with the fences.

    Parameters
    ----------
    found : genre, duration_s and anything else.
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
    """One box a genre: quarters and median, whiskers to the last value inside the fences, outliers as dots.

    Parameters
    ----------
    found : genre, duration_s; genres in the order in which they are drawn.
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
    """Mean duration of each genre as a bar, longest first.

    Parameters
    ----------
    found : genre, duration_s.
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
