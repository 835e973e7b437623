"""Values of a JSON body as they should be: what is missing, empty or of another type is None."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

from genreatlas.values import JsonView

#: Names of query parameters that make an address a key to something. Such an address is not kept.
_SIGNED = re.compile(
    r"(?:access|auth|signature|sig|token|hmac|hdnea|expires|policy|key-pair-id|x-amz-\w+)", re.IGNORECASE
)


_LONE = re.compile("[\ud800-\udfff]")
_ID = re.compile(r"(?!null$)[0-9A-Za-z]{1,64}")


class UnexpectedBody(ValueError):
    """A body is JSON, but not of the kind that was asked for; says what was missing."""


def mapping(value: object) -> JsonView:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> Iterator[Mapping[str, object]]:
    """The objects of a list; nothing where it is no list."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def text(value: object) -> str | None:
    """A string that is not blank; halves of characters (lone surrogates, which no table takes) are U+FFFD in it."""
    return encodable(value) if isinstance(value, str) and value.strip() else None


def encodable(value: str) -> str:
    """A string that can be written as UTF-8."""
    return value if value.isascii() else _LONE.sub("\ufffd", value)


def identifier(value: object) -> str | None:
    """An id as Spotify makes them, of letters and digits: it goes into addresses."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def integer(value: object, low: int = -(2**31), high: int = 2**31 - 1) -> int | None:
    """A whole number within bounds, also where it is written with a decimal point; tables hold 32 bits."""
    known = number(value)
    return int(known) if known is not None and known == int(known) and low <= known <= high else None


def number(value: object, low: float = -math.inf, high: float = math.inf) -> float | None:
    """A finite number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:  # JSON has numbers of any length
        return None
    return found if math.isfinite(found) and low <= found <= high else None


def boolean(value: object) -> bool | None:
    """True or false."""
    return value if isinstance(value, bool) else None


def moment(value: object) -> datetime | None:
    """A time as Spotify writes it, in UTC; None for an impossible one and for 1970-01-01, which means unknown."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return time if 1970 < time.year < 2200 else None


def address(value: object) -> str | None:
    """An http address; None also for one that is signed, which expires and must not be stored."""
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        return None
    try:
        parts = urlsplit(value)
        names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
        return None
    return None if any(map(_SIGNED.match, names)) else value
