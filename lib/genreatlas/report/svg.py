"""Build SVG: functions for elements, and the class :class:`Figure` for inline pictures and files.

SVG is written directly so that pictures adapt to light and dark mode and to phones: shapes have the CSS classes of
``templates/plot.css``, whose colours follow the reader's preference, and text stays text. Matplotlib fixes both colours
and sizes when it draws.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

#: Characters that XML 1.0 does not allow, not even as references, and marks that change the direction of text.
_NO_XML = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def escaped(string: object) -> str:
    """Escape text for SVG; characters that SVG does not allow become U+FFFD."""
    return escape(_NO_XML.sub("\ufffd", str(string)))


def element(tag: str, content: str = "", /, **attributes: object) -> str:
    """One element; ``content`` is markup, attribute values are escaped, attributes with value None are left out.

    A trailing underscore is dropped from attribute names and others become hyphens: ``class_``, ``text_anchor``.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escaped(number(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return f"<{tag}{written}>{content}</{tag}>" if content else f"<{tag}{written}/>"


def text(x: object, y: object, string: str, **attributes: object) -> str:
    """A text element with escaped content."""
    return element("text", escaped(string), x=x, y=y, **attributes)


def number(value: object) -> str:
    """Format a float with at most two decimals; other values by ``str``."""
    if isinstance(value, float | np.floating):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)


def path(points: Iterable[tuple[float, float]], close: bool = False) -> str:
    """Attribute ``d`` of a path through points."""
    return "M" + "L".join(f"{number(float(x))} {number(float(y))}" for x, y in points) + ("Z" if close else "")


def ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """About ``wanted`` round numbers in [low, high]."""
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
    """A picture, written as inline SVG on the page and as a file.

    Horizontal positions of ``fluid`` figures are in percent, so that their text keeps its size at any width; other
    figures are scaled down to 90 % of their width at most and then scroll. Width and height are in px.
    """

    name: str
    alt: str
    body: str
    width: float
    height: float
    fluid: bool = False
    stretched: bool = False  #: whether the proportions may change to fill the available space

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
