"""Checks of every request (host, rate, origin, size), security headers of every response, and visitor cookies."""

import hashlib
import hmac
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "visitor"
#: Maximum body of a request without an upload, in bytes.
_SMALL = 64 * 1024
_SAFE = ("GET", "HEAD")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"same-origin"),  # with no-referrer, forms would have the origin "null"
    (b"permissions-policy", b"microphone=(), camera=(), geolocation=(), payment=(), usb=()"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
#: The only page that may use the microphone.
LISTENING = "/tempo"
_LISTENS = (b"permissions-policy", b"microphone=(self), camera=(), geolocation=(), payment=(), usb=()")
#: Maximum number of clients whose rate is tracked.
_CLIENTS = 50_000


class Rate:
    """Rate limit per client (token bucket with the capacity of one minute).

    Parameters
    ----------
    per_minute : requests per minute of one client.
    clock : monotonic time in s.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> float:
        """Count a request; returns 0 if it is allowed, otherwise the seconds until a request is allowed."""
        now = self._clock()
        left, before = self._left.pop(client, (float(self.per_minute), now))
        left = min(float(self.per_minute), left + (now - before) * self.per_minute / 60)
        self._left[client] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > _CLIENTS:
            self._left.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) * 60 / self.per_minute


@dataclass
class Counters:
    """Counters for ``/metrics``: responses by status, and total response time in s."""

    answers: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0


class Guard:
    """ASGI middleware that refuses requests before a handler runs, and adds security headers.

    Parameters
    ----------
    app : the application.
    hosts : accepted host names without ports, as a protection against DNS rebinding.
    rates : rate limits of all requests, and of uploads.
    max_upload : maximum body of an upload in bytes.
    upload_paths : paths that accept uploads.
    counters : counters to update.
    """

    def __init__(
        self,
        app: App,
        hosts: Iterable[str],
        rates: tuple[Rate, Rate],
        max_upload: int,
        upload_paths: Iterable[str],
        counters: Counters,
    ) -> None:
        self.app = app
        self.hosts = {host.strip("[]").lower() for host in hosts}
        self.requests, self.uploads = rates
        self.max_upload = max_upload
        self.upload_paths = frozenset(upload_paths)
        self.counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request and pass it to the application."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        uploads = scope["path"] in self.upload_paths and scope["method"] == "POST"
        most = self.max_upload if uploads else _SMALL
        started = time.perf_counter()
        read, too_large, begun = 0, False, False

        async def counted() -> Message:
            nonlocal read, too_large
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                too_large = True
                return {"type": "http.disconnect"}
            return message

        async def guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                status = 413 if too_large else message["status"]
                self.counters.answers[status] = self.counters.answers.get(status, 0) + 1
                self.counters.seconds += time.perf_counter() - started
                own = dict(HEADERS) | dict([_LISTENS] if scope["path"] == LISTENING else [])
                kept = [pair for pair in message.get("headers", []) if pair[0].lower() not in own]
                message = {**message, "status": status, "headers": [*kept, *own.items()]}
            await send(message)

        refusal = self._refusal(scope, headers, uploads, most)
        if refusal is not None:
            await _answer(guarded, *refusal, as_json=scope["path"].startswith("/rest"))
            return
        try:
            await self.app(scope, counted, guarded)
        except Exception:
            if not too_large or begun:
                raise
            await _answer(guarded, 413, _too_large(most), 0, as_json=scope["path"].startswith("/rest"))

    def _refusal(
        self, scope: Scope, headers: dict[str, str], uploads: bool, most: int
    ) -> tuple[int, str, float] | None:
        """Status, message and Retry-After in s for a refused request; None if it is accepted."""
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        if host.lower() not in self.hosts:
            return 421, "This host name is not allowed. The owner of the site can add it to web.hosts.", 0
        client = (scope.get("client") or ("unknown", 0))[0]
        wait = self.requests.wait(client) or (self.uploads.wait(client) if uploads else 0.0)
        if wait:
            return 429, "Too many requests. Wait a minute and try again.", wait
        if scope["method"] not in _SAFE and not _same_origin(headers):
            return 403, "The request was refused because it came from a page of another site.", 0
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            return 413, _too_large(most), 0
        return None


def _too_large(most: int) -> str:
    return f"The request is larger than the limit of {most / 2**20:.3g} MB."


def _same_origin(headers: dict[str, str]) -> bool:
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


async def _answer(send: Send, status: int, words: str, wait: float, as_json: bool) -> None:
    body = json.dumps({"detail": words}) if as_json else f"{words}\n"
    kind = b"application/json" if as_json else b"text/plain; charset=utf-8"
    headers = [(b"content-type", kind), (b"cache-control", b"no-store"), (b"connection", b"close")]
    if wait:
        headers.append((b"retry-after", str(max(1, round(wait))).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})


@dataclass(frozen=True)
class Visitor:
    """A visitor, identified only by a random cookie."""

    cookie: str
    is_new: bool
    secret: bytes

    @property
    def key(self) -> str:
        """Keyed hash of the cookie, stored in its place, so that the database does not reveal cookies."""
        return hmac.new(self.secret, b"visitor:" + self.cookie.encode(), hashlib.sha256).hexdigest()

    @property
    def token(self) -> str:
        """Token in the forms of this visitor (against cross-site request forgery)."""
        return hmac.new(self.secret, b"form:" + self.cookie.encode(), hashlib.sha256).hexdigest()

    def owns(self, token: str) -> bool:
        """Whether a form token is this visitor's."""
        return not self.is_new and hmac.compare_digest(token.encode(), self.token.encode())


def visitor_of(cookie_header: str, secret: bytes) -> Visitor:
    """The visitor of a request; a new visitor if the cookie is missing or malformed."""
    try:
        jar = SimpleCookie(cookie_header)
    except CookieError:
        jar = SimpleCookie()
    value = jar[COOKIE].value if COOKIE in jar else ""
    if len(value) == 43 and value.replace("-", "").replace("_", "").isalnum() and value.isascii():
        return Visitor(value, False, secret)
    return Visitor(secrets.token_urlsafe(32), True, secret)
