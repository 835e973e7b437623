"""Reliability diagram: confidence of a model against accuracy."""

import pandas as pd

from genreatlas.report.number_formats import percent
from genreatlas.report.svg import Figure, element, number, text

_SIDE, _LEFT, _TOP = 300.0, 44.0, 10.0


def reliability_diagram(name: str, bins: pd.DataFrame) -> Figure:
    """One dot per bin of equal numbers of songs: mean confidence to the right, accuracy upwards.

    Parameters
    ----------
    name : stem of the picture's file name.
    bins : confidence and accuracy of the bins, from 0 to 1, in ascending order of confidence.
    """

    def at(x: float, y: float) -> tuple[str, str]:
        return number(_LEFT + _SIDE * x), number(_TOP + _SIDE * (1 - y))

    body = []
    for tick in (0, 0.2, 0.4, 0.6, 0.8, 1):
        x, y = at(tick, tick)
        body.append(element("line", x1=x, x2=x, y1=_TOP, y2=_TOP + _SIDE, class_="grid"))
        body.append(element("line", x1=_LEFT, x2=_LEFT + _SIDE, y1=y, y2=y, class_="grid"))
        body.append(text(x, _TOP + _SIDE + 16, percent(tick), text_anchor="middle", class_="soft small"))
        body.append(text(_LEFT - 6, float(y) + 4, percent(tick), text_anchor="end", class_="soft small"))
    (x1, y1), (x2, y2) = at(0, 0), at(1, 1)
    body.append(element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_="mark"))
    for confidence, accuracy in zip(bins["confidence"], bins["accuracy"], strict=True):
        x, y = at(float(confidence), float(accuracy))
        body.append(element("line", x1=x, x2=x, y1=at(0, float(confidence))[1], y2=y, class_="whisker"))
        body.append(element("circle", cx=x, cy=y, r=5, class_="dot"))
    body.append(
        text(_LEFT + _SIDE / 2, _TOP + _SIDE + 34, "predicted probability", text_anchor="middle", class_="small")
    )
    pairs = "; ".join(
        f"{percent(c)} predicted, {percent(a)} right" for c, a in zip(bins["confidence"], bins["accuracy"], strict=True)
    )
    alt = f"Share of right answers against the probability of the predicted genre, one dot a bin: {pairs}."
    return Figure(name, alt, "".join(body), _LEFT + _SIDE + 20, _TOP + _SIDE + 42)
