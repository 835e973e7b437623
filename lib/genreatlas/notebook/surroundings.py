"""Local versions of ``dbutils`` and ``display`` for Databricks notebooks."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from html import escape
from typing import Any

import pandas as pd

from genreatlas.errors import ConfigError

#: Maximum rows of a displayed frame; Databricks shows 1,000.
SHOWN_ROWS = 40
#: Maximum characters of a displayed cell.
_LONGEST = 300


class Widgets:
    """Parameters of a notebook, declared with defaults; given values take precedence."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = dict(given)
        self.values: dict[str, str] = {}

    def text(self, name: str, defaultValue: str, label: str | None = None) -> None:
        """Declare a parameter."""
        self.values[name] = self._given.get(name, defaultValue)

    def dropdown(
        self,
        name: str,
        defaultValue: str,
        choices: Sequence[str],
        label: str | None = None,
    ) -> None:
        """Declare a parameter with a fixed set of values.

        Raises
        ------
        ConfigError : the given value is not in ``choices``.
        """
        self.text(name, defaultValue, label)
        if self.values[name] not in choices:
            raise ConfigError(f"widget {name} = {self.values[name]!r}: choose one of {', '.join(choices)}")

    def get(self, name: str) -> str:
        """Value of a declared parameter.

        Raises
        ------
        ConfigError : the parameter is not declared.
        """
        if name not in self.values:
            raise ConfigError(f"widget {name} is not declared. There are: {', '.join(self.values) or 'none'}.")
        return self.values[name]


class DBUtils:
    """The part of ``dbutils`` that our notebooks use."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self.widgets = Widgets(given)


def display(show: Callable[[str], None]) -> Callable[..., None]:
    """Create the function ``display``, which passes HTML to ``show``."""

    def display(shown: object, *_: object, **__: object) -> None:
        show(as_html(shown))

    return display


def as_html(shown: Any) -> str:
    """Convert to HTML: frames to a table, matplotlib figures to a picture, other objects to text."""
    if hasattr(shown, "savefig"):
        buffer = io.BytesIO()
        shown.savefig(buffer, format="png", dpi=130, bbox_inches="tight")
        return f'<img alt="" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode("ascii")}">'
    if hasattr(shown, "toPandas"):
        shown = shown.limit(SHOWN_ROWS + 1).toPandas()
    if isinstance(shown, pd.DataFrame):
        return _table(shown)
    return f"<pre>{escape(str(shown))}</pre>"


def _table(frame: pd.DataFrame) -> str:
    numeric = {
        name: all(isinstance(v, int | float | Decimal) or _missing(v) for v in frame[name].tolist())
        for name in frame.columns
    }
    head = "".join(f"<th{_left(numeric[name])}>{escape(str(name))}</th>" for name in frame.columns)
    rows = [
        "".join(f"<td{_left(numeric[n])}>{escape(_cell(v))}</td>" for n, v in zip(frame.columns, row, strict=True))
        for row in frame.head(SHOWN_ROWS).itertuples(index=False, name=None)
    ]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    more = f"<p class=more>The first {SHOWN_ROWS} rows.</p>" if len(frame) > SHOWN_ROWS else ""
    empty = "<p class=more>No rows.</p>" if frame.empty else ""
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}{empty}"


def _left(numeric: bool) -> str:
    return "" if numeric else " class=left"


def _missing(value: Any) -> bool:
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple) or hasattr(value, "tolist"):
        value = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(value, list | tuple):
            return ", ".join(map(_cell, value))
    if _missing(value):
        return ""
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_cell(item)}" for key, item in value.items())
    if isinstance(value, bool | int):
        return f"{value:,}" if not isinstance(value, bool) else str(value).lower()
    if isinstance(value, float):
        return f"{value:,.0f}" if value == int(value) and abs(value) >= 1000 else f"{value:.4g}"
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
