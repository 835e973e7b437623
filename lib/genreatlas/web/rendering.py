"""Jinja templates of the pages, with autoescape; invisible characters in text are replaced."""

import unicodedata
from functools import cache
from importlib.resources import files
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from genreatlas.web import drawing

#: Invisible characters that join letters in many scripts; all other invisible characters are replaced.
_JOINERS = "\u200c\u200d"
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def plain(text: str) -> str:
    """Replace control characters, direction overrides, other invisible characters and lone surrogates by U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        "\ufffd" if unicodedata.category(one) in _UNSEEN and one not in _JOINERS and one not in "\n\t" else one
        for one in text
    )


def _finalize(value: object) -> object:
    if value is None:
        return ""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def amount(value: float | None, unit: str = "") -> str:
    """A number with three significant digits (whole from 1,000 on) and its unit."""
    if value is None:
        return "–"
    shown = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{shown} {unit}" if unit and unit not in ("1", "0..1") else shown


def percent(share: float | None) -> str:
    """A share in percent; shares near 0 or 1 are shown as ``< 1 %`` or ``> 99 %``."""
    if share is None:
        return "–"
    if 0 < share < 0.01:
        return "< 1 %"
    return "> 99 %" if 0.99 < share < 1 else f"{100 * share:.0f} %"


def clock(seconds: float | None) -> str:
    """Minutes and seconds."""
    return "–" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def words(name: str) -> str:
    """Display name of a feature."""
    return name.replace("_", " ")


@cache
def environment() -> jinja2.Environment:
    """The templates with their filters."""
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: resource("genreatlas.web", f"templates/{name}")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    made.filters.update(
        amount=amount, percent=percent, clock=clock, words=words, count=lambda number: f"{number:,}",
        placed=lambda genre, places: places[genre], part=lambda text: quote(str(text), safe=""),
        capital=lambda text: text[:1].upper() + text[1:],
    )  # fmt: skip
    made.globals.update(histogram=drawing.histogram, box=drawing.box, place_on_map=drawing.place_on_map)
    return made


def resource(package: str, path: str) -> str:
    """Text of a resource file of a package."""
    return files(package).joinpath(*path.split("/")).read_text(encoding="utf-8")
