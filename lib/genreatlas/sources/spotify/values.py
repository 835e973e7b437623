"""Values of a JSON body as they should be: what is missing, empty or of another type is None."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

#: Names of query parameters that make an address a key to something. Such an address is not kept.
_SIGNED = re.compile(
    r"(?:access|auth|signature|sig|token|hmac|hdnea|expires|policy|key-pair-id|x-amz-\w+)", re.IGNORECASE
)


class UnexpectedBody(ValueError):
    """A body is JSON, but not of the kind that was asked for; says what was missing."""


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of a list; nothing where it is no list."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def text(value: Any) -> str | None:
    """A string that is not blank."""
    return value if isinstance(value, str) and value.strip() else None


def integer(value: Any) -> int | None:
    """A whole number, also where it is written with a decimal point."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if math.isfinite(value) and value == int(value) else None


def number(value: Any) -> float | None:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def boolean(value: Any) -> bool | None:
    """True or false."""
    return value if isinstance(value, bool) else None


def moment(value: Any) -> datetime | None:
    """A time as Spotify writes it, in UTC; its stand-in for an unknown one (1970-01-01) is None."""
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time if time.year > 1970 else None


def address(value: Any) -> str | None:
    """An http address; None also for one that is signed, which expires and must not be stored."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if parts is None or parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
        return None
    names = (name for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    return None if any(map(_SIGNED.match, names)) else value
