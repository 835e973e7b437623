"""What a response means, decided once: reason, whether it may pass, and how long to wait."""

import email.utils
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Literal

from genreatlas.errors import Reason

#: What a caller expects to get: it decides which bodies and content types are taken.
Expected = Literal["anything", "json", "html", "audio"]

#: Statuses in which nothing but another request can help; every other error is final.
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
#: Deezer answers 200 to everything and says in the body what it means: code = (reason, transient, wait in s).
#: Code 4 is its throttle (50 requests in 5 s), 700 an overload, 800 "no data".
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
#: First words of content types that cannot be what was asked for. Servers call audio many things
#: (audio/mpeg, binary/octet-stream, video/mp4), so what it is not is looked at, and its bytes later.
_NOT = {
    "anything": (),
    "json": ("text/html", "audio/", "image/", "video/"),
    "html": ("audio/", "image/", "video/", "application/json"),
    "audio": ("text/", "image/", "application/json", "application/xml", "application/xhtml"),
}


@dataclass(frozen=True)
class Outcome:
    """Meaning of one response.

    Parameters
    ----------
    reason : None where the response is what was asked for.
    transient : the same request may succeed later.
    wait_s : how long the server asks to wait; None where it does not say.
    quota : a quota is used up: no short wait helps.
    parsed : the parsed body, where JSON was expected and came.
    words : what the server said, for people.
    """

    reason: Reason | None = None
    transient: bool = False
    wait_s: float | None = None
    quota: bool = False
    parsed: Any = None
    words: str = ""


def classify_response(status: int, headers: Mapping[str, str], body: bytes, expected: Expected = "anything") -> Outcome:
    """Say what a response means.

    Parameters
    ----------
    headers : with names that are looked up without regard to case.
    body : the whole body, decoded from its transfer and content encoding.
    expected : what the caller asked for.
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
        # An error page of a proxy, a login page, or a server that is confused: worth another try.
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
    """Meaning of a code of Deezer's, which may be any JSON value."""
    try:
        return _DEEZER.get(int(code)) if isinstance(code, int | float | str) else None
    except (ValueError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the header ``Retry-After`` asks for, as a number or as a date; None where it says neither.

    A date is compared with the server's own ``Date``, so that a clock that is wrong, here or there, changes nothing.
    """
    value = headers.get("Retry-After", "").strip()
    # A header that came twice is joined by a comma.
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
    """A date of HTTP as seconds since the epoch; one without a zone is in UTC."""
    try:
        found = email.utils.parsedate_to_datetime(text.strip())
        return (found.replace(tzinfo=UTC) if found.tzinfo is None else found).timestamp()
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def _error_words(body: bytes) -> tuple[str, str]:
    """Message and reason of an error body in any form that is about: nested, flat, without message, or no JSON."""
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
