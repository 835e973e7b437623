"""Classification of HTTP responses for all providers: reason, transient or final, and time to wait."""

import email.utils
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Literal

from genreatlas.errors import Reason

#: Expected content; it determines which bodies and content types are accepted.
Expected = Literal["anything", "json", "html", "audio"]

#: Statuses of transient errors; all other errors are final.
_TRANSIENT = {
    408: Reason.TIMED_OUT,
    425: Reason.SERVER_ERROR,
    429: Reason.RATE_LIMITED,
    500: Reason.SERVER_ERROR,
    502: Reason.SERVER_ERROR,
    503: Reason.SERVER_ERROR,
    504: Reason.SERVER_ERROR,
    520: Reason.SERVER_ERROR,
    521: Reason.SERVER_ERROR,
    522: Reason.SERVER_ERROR,
    523: Reason.SERVER_ERROR,
    524: Reason.SERVER_ERROR,
    529: Reason.SERVER_ERROR,
}
_FINAL = {
    401: Reason.UNAUTHORIZED,
    402: Reason.FORBIDDEN,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    407: Reason.UNAUTHORIZED,
    410: Reason.NOT_FOUND,
    413: Reason.TOO_LARGE,
    451: Reason.FORBIDDEN,
}
#: Errors of Deezer, which always responds with status 200 and has an error code in the body: (reason, transient, wait
#: in seconds) by code. Code 4 is its rate limit (50 requests in 5 s), 700 an overload, 800 "no data".
_DEEZER: dict[int, tuple[Reason, bool, float | None]] = {
    4: (Reason.RATE_LIMITED, True, 5.0),
    200: (Reason.FORBIDDEN, False, None),
    300: (Reason.UNAUTHORIZED, False, None),
    500: (Reason.BAD_REQUEST, False, None),
    501: (Reason.BAD_REQUEST, False, None),
    600: (Reason.BAD_REQUEST, False, None),
    700: (Reason.SERVER_ERROR, True, None),
    800: (Reason.NOT_FOUND, False, None),
    901: (Reason.FORBIDDEN, False, None),
}
#: Prefixes of content types that are refused. Servers use many types for audio (audio/mpeg, binary/octet-stream,
#: video/mp4), so impossible types are listed here, and the bytes are checked later.
_NOT = {
    "anything": (),
    "json": ("text/html", "audio/", "image/", "video/"),
    "html": ("audio/", "image/", "video/", "application/json"),
    "audio": ("text/", "image/", "application/json", "application/xml", "application/xhtml"),
}


@dataclass(frozen=True)
class Outcome:
    """Classification of one response.

    Parameters
    ----------
    reason : reason of a failure; None for a success.
    transient : whether the same request may succeed later.
    wait_s : seconds that the server requests to wait; None if not stated.
    quota : whether a quota is exhausted, so that a short wait does not help.
    parsed : parsed body, if JSON was expected and received.
    words : the server's error message.
    """

    reason: Reason | None = None
    transient: bool = False
    wait_s: float | None = None
    quota: bool = False
    parsed: Any = None
    words: str = ""


def classify_response(status: int, headers: Mapping[str, str], body: bytes, expected: Expected = "anything") -> Outcome:
    """Classify a response.

    Parameters
    ----------
    status : HTTP status.
    headers : mapping with case-insensitive names.
    body : complete body, decoded from its transfer and content encoding.
    expected : expected content.
    """
    if 200 <= status < 300:
        return Outcome() if status == 204 else _success(headers, body, expected)
    if 300 <= status < 400 and "Location" in headers:
        return Outcome()  # a redirect, which the session follows
    words, reason = _error_words(body)
    wait = retry_after(headers)
    if status == 429 and reason == "QUOTA_EXCEEDED":
        return Outcome(Reason.QUOTA_EXCEEDED, True, wait, quota=True, words=words)
    if status in _TRANSIENT:
        return Outcome(_TRANSIENT[status], True, wait, words=words)
    fallback = Reason.BAD_REQUEST if status < 500 else Reason.SERVER_ERROR
    return Outcome(_FINAL.get(status, fallback), words=words)


def _success(headers: Mapping[str, str], body: bytes, expected: Expected) -> Outcome:
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind.startswith(_NOT[expected]) or (expected != "anything" and not body):
        # Possibly an error page of a proxy or a login page, so another try may succeed.
        return Outcome(Reason.WRONG_CONTENT, True, words=f"{expected} expected, got {kind or 'nothing'}")
    if expected != "json":
        return Outcome()
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return Outcome(Reason.WRONG_CONTENT, True, words=f"json expected, got {body[:40]!r}")
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if isinstance(error, dict) and (known := _deezer(error.get("code"))) is not None:
        reason, transient, wait = known
        return Outcome(reason, transient, wait, words=str(error.get("message", ""))[:200])
    return Outcome(parsed=parsed)


def _deezer(code: object) -> tuple[Reason, bool, float | None] | None:
    """Classification of Deezer's error code, which may be any JSON value; None if unknown."""
    try:
        return _DEEZER.get(int(code)) if isinstance(code, int | float | str) else None
    except (ValueError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by the header ``Retry-After``, given as a number or as a date; None if it has neither.

    A date is compared with the server's ``Date`` header, so that wrong clocks have no effect.
    """
    value = headers.get("Retry-After", "").strip()
    # Repeated headers are joined with a comma.
    numbers = [_seconds(part) for part in value.split(",")]
    known = [number for number in numbers if number is not None]
    if known and len(known) == len(numbers):
        return max(known)
    until = _moment(value)
    if until is None:
        return None
    now = _moment(headers.get("Date", ""))
    return max(until - (time.time() if now is None else now), 0.0)


def _seconds(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return max(found, 0.0) if math.isfinite(found) else None


def _moment(text: str) -> float | None:
    """HTTP date as seconds since the epoch, in UTC if it has no time zone; None if invalid."""
    try:
        found = email.utils.parsedate_to_datetime(text.strip())
        return (found.replace(tzinfo=UTC) if found.tzinfo is None else found).timestamp()
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def _error_words(body: bytes) -> tuple[str, str]:
    """Message and reason of an error body: nested or flat JSON. Empty texts if missing or not JSON."""
    try:
        parsed = json.loads(body[: 1 << 16])
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(parsed, dict):
        return "", ""
    error = parsed.get("error")
    inner = error if isinstance(error, dict) else parsed
    message = inner.get("message") or parsed.get("error_description") or (error if isinstance(error, str) else "")
    return str(message or "")[:200], str(inner.get("reason") or parsed.get("reason") or "")
