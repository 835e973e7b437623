"""Format numbers for display: rounded, with the exact value in the markup."""

import json
import math
from typing import Any, TypeAlias

import pandas as pd
from markupsafe import Markup

#: Value of a table cell: a number, None, NaN or NaT.
Cell: TypeAlias = Any
MISSING = "–"


def missing(value: Cell) -> bool:
    """Whether a cell is empty: None, NaN or NaT."""
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def score(value: Cell) -> str:
    """A share or score with two decimals; ``–`` if undefined."""
    return MISSING if missing(value) else signed(value, 2)


def signed(value: float, digits: int) -> str:
    """A number with ``digits`` decimals and a Unicode minus sign; values that round to zero have no sign."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def interval(low: Cell, high: Cell) -> str:
    """``0.61–0.80``, or ``–`` if there is no interval."""
    return MISSING if missing(low) or missing(high) else f"{score(low)}–{score(high)}"


def count(value: Cell) -> str:
    """A whole number with thousands separators."""
    return MISSING if missing(value) else f"{round(value):,}"


def percent(value: Cell) -> str:
    """A share as whole percent; positive shares below 0.5 % are ``<1 %``."""
    if missing(value):
        return MISSING
    return "<1 %" if 0 < value < 0.005 else f"{100 * value:.0f} %"


def p_value(value: Cell) -> str:
    """A p-value with two significant digits down to .001."""
    if missing(value):
        return MISSING
    return "<0.001" if value < 0.001 else f"{value:.2g}"


def amount(value: Cell, unit: str = "") -> str:
    """A measurement with three significant digits and its unit."""
    if missing(value):
        return MISSING
    size = abs(value)
    if size == 0:
        text = "0"
    elif size >= 100_000 or size < 0.001:
        text = f"{value:.1e}"
    else:
        text = f"{value:,.{max(0, 2 - math.floor(math.log10(size)))}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{text} {unit}".strip().replace("-", "−")


def duration(seconds: Cell) -> str:
    """``45 s``, ``3:20 min`` or ``2.4 h``."""
    if missing(seconds):
        return MISSING
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d} min"
    return f"{seconds / 3600:,.1f} h"


def length_of_clips(hours: Cell) -> str:
    """``25 min`` below two hours, ``3.4 h`` below a hundred hours, otherwise ``1,250 h``."""
    if missing(hours):
        return MISSING
    if hours < 2:
        return f"{amount(float(f'{60 * hours:.2g}'))} min"
    return f"{hours:,.1f} h" if hours < 100 else f"{hours:,.0f} h"


def clock(seconds: Cell) -> str:
    """A position in a file: ``1:05``."""
    return MISSING if missing(seconds) else f"{int(seconds // 60)}:{int(seconds % 60):02d}"


def exact(value: Cell, shown: str) -> Markup:
    """The shown text in a ``<data>`` element whose ``value`` is the unrounded number."""
    if missing(value):
        return Markup("{}").format(shown)
    return Markup('<data value="{}">{}</data>').format(repr(float(value)), shown)


def settings(params: Cell) -> str:
    """Format JSON parameters: ``{"C": 1.0, "scaler": "none"}`` → ``C 1.0, scaler none``."""
    try:
        found = json.loads(params)
    except (TypeError, ValueError):
        return str(params or "")
    if not isinstance(found, dict):
        return str(params)
    return ", ".join(f"{words(key)} {value}" for key, value in found.items())


def words(identifier: str) -> str:
    """``hist_gradient_boosting`` → ``hist gradient boosting``."""
    return identifier.replace("_", " ")


def shortened(text: object, width: int) -> str:
    """The text on one line, cut to at most ``width`` characters with an ellipsis."""
    line = " ".join(str(text).split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"
