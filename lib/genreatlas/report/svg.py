"""Pictures as SVG text: a few element builders, and the figure that page and files share.

SVG is written directly because a page must look right in light and in dark and on a phone: shapes
carry the classes of ``templates/plot.css``, whose colours follow the reader's preference, and text
stays text. Matplotlib fixes both colours and sizes when it draws.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

#: Characters that XML 1.0 has no way to write, not even by number, and marks that turn the direction of a line.
_NO_XML = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def escaped(string: object) -> str:
    """Text of a picture: escaped, and with U+FFFD for characters that no SVG may hold."""
    return escape(_NO_XML.sub("\ufffd", str(string)))


def element(tag: str, content: str = "", /, **attributes: object) -> str:
    """One element; ``content`` is markup, attribute values are escaped, None leaves an attribute out.

    A trailing underscore is dropped from attribute names and others become hyphens: ``class_``, ``text_anchor``.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escaped(number(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return f"<{tag}{written}>{content}</{tag}>" if content else f"<{tag}{written}/>"


def text(x: object, y: object, string: str, **attributes: object) -> str:
    """A line of text, escaped."""
    return element("text", escaped(string), x=x, y=y, **attributes)


def number(value: object) -> str:
    """A coordinate with at most two decimals; anything else as it is."""
    if isinstance(value, float | np.floating):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)


def path(points: Iterable[tuple[float, float]], close: bool = False) -> str:
    """The ``d`` of a line through points."""
    return "M" + "L".join(f"{number(float(x))} {number(float(y))}" for x, y in points) + ("Z" if close else "")


def ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round numbers inside [low, high], about as many as wanted."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low] if math.isfinite(low) else []
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


@dataclass(frozen=True)
class Figure:
    """A picture: on the page as inline SVG, beside it as a file.

    ``fluid`` figures have horizontal places in percent, so that their text keeps its size at any
    width; others scale down to a tenth less than their width and then scroll.
    """

    name: str
    alt: str
    body: str
    width: float
    height: float
    fluid: bool = False
    stretched: bool = False  #: may lose its proportions to fill its place

    @property
    def inline(self) -> str:
        """Markup for the page."""
        if self.fluid:
            size: dict[str, Any] = {"width": "100%", "height": self.height}
        else:
            size = {
                "viewBox": f"0 0 {number(float(self.width))} {number(float(self.height))}",
                "style": f"width:{self.width:.0f}px;min-width:{min(self.width, max(320, self.width * 0.9)):.0f}px",
            }
        aspect = "none" if self.stretched else None
        return element(
            "svg", self.body, class_="plot", role="img", aria_label=self.alt, preserveAspectRatio=aspect, **size
        )

    def file(self, css: str) -> str:
        """A whole SVG file that follows the reader's light or dark preference."""
        margin = 16
        width, height = self.width + 2 * margin, self.height + 2 * margin
        inner = element("svg", self.body, x=margin, y=margin, width=self.width, height=self.height, overflow="visible")
        paper = element("rect", width=width, height=height, class_="paper")
        title = element("title", escaped(self.alt))
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + element(
            "svg",
            f"{title}<style>{css}</style>{paper}{inner}",
            xmlns="http://www.w3.org/2000/svg",
            class_="plot",
            role="img",
            width=width,
            height=height,
            viewBox=f"0 0 {number(float(width))} {number(float(height))}",
        )
