"""Validate values of a JSON body: missing, empty and wrongly typed values become None."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

from genreatlas.values import JsonView

#: Names of query parameters that contain credentials or signatures. Addresses with such parameters are not stored.
_SIGNED = re.compile(
    r"(?:access|auth|signature|sig|token|hmac|hdnea|expires|policy|key-pair-id|x-amz-\w+)", re.IGNORECASE
)


_LONE = re.compile("[\ud800-\udfff]")
_ID = re.compile(r"(?!null$)[0-9A-Za-z]{1,64}")


class UnexpectedBody(ValueError):
    """A JSON body without the requested content; the message states what is missing."""


def mapping(value: object) -> JsonView:
    """The value if it is a JSON object, otherwise an empty mapping."""
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> Iterator[Mapping[str, object]]:
    """JSON objects in a list; empty if the value is not a list."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def text(value: object) -> str | None:
    """A string that is not blank, or None; lone surrogates, which tables cannot store, are replaced by U+FFFD."""
    return encodable(value) if isinstance(value, str) and value.strip() else None


def encodable(value: str) -> str:
    """The string with lone surrogates replaced by U+FFFD, so that it can be encoded as UTF-8."""
    return value if value.isascii() else _LONE.sub("\ufffd", value)


def identifier(value: object) -> str | None:
    """A Spotify id of letters and digits, or None. Checked because ids become part of addresses."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def integer(value: object, low: int = -(2**31), high: int = 2**31 - 1) -> int | None:
    """An integer within bounds (by default 32 bits, as in tables), or None; 1.0 is an integer, too."""
    known = number(value)
    return int(known) if known is not None and known == int(known) and low <= known <= high else None


def number(value: object, low: float = -math.inf, high: float = math.inf) -> float | None:
    """A finite number within bounds, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:  # JSON integers have no maximum
        return None
    return found if math.isfinite(found) and low <= found <= high else None


def boolean(value: object) -> bool | None:
    """A boolean, or None."""
    return value if isinstance(value, bool) else None


def moment(value: object) -> datetime | None:
    """A timestamp in Spotify's format as UTC; None if invalid, and for 1970, which stands for unknown."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return time if 1970 < time.year < 2200 else None


def address(value: object) -> str | None:
    """An http or https address; None also for signed addresses, which expire and must not be stored."""
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
