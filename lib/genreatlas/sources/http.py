"""HTTP client with rate limits, retries and address checks, used for all requests.

``polite_session(config.fan_out, "deezer", expects="json")`` is a ``requests.Session``. It can be passed to spotipy, or
used with ``get``. Its adapter implements:

- rate and concurrency limits per host, shared by all sessions and threads of the process (:mod:`.hosts`);
- retries with full-jitter back-off for transient errors; none for final errors (:mod:`.outcomes`);
- ``Retry-After`` up to a limit; above it :class:`.ProviderPausedError` with the time of the next attempt;
- only https and public addresses, except hosts on this machine or in a private network that the configuration lists;
- limits on redirects, bytes, seconds and content types.

A final error status is returned as a response, as in requests. A request that fails after all tries raises
:class:`FetchError`. :func:`fetch_json` and :func:`fetch_bytes` also raise for final errors. Bodies are held in memory.
Error messages contain no query strings, because these may contain tokens and signatures.
"""

import logging
import random
import time
from collections.abc import Mapping, Sequence
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import SplitResult, urlsplit

import requests
import urllib3

from genreatlas import __version__
from genreatlas.config import FanOutSection
from genreatlas.config.collecting import HOSTS
from genreatlas.errors import FetchError, Reason
from genreatlas.redaction import redact_url, shown_log
from genreatlas.sources.connections import (
    HINT,
    CheckedAdapter,
    Exchange,
    is_loopback_name,
    require_public_beyond_proxy,
)
from genreatlas.sources.hosts import Host, host_of, is_named
from genreatlas.sources.outcomes import Expected, Outcome, classify_response
from genreatlas.values import Params

log = shown_log(__name__)

_PIECE = 1 << 16
DAY_S = 86_400.0


def polite_session(
    settings: FanOutSection,
    provider: str,
    expects: Expected = "anything",
    max_body_mb: int | None = None,
    named: Sequence[str] | None = None,
) -> requests.Session:
    """Create a session, which can be shared by any number of threads.

    Parameters
    ----------
    settings : the ``[fan_out]`` section.
    provider : name of the provider in errors and pauses, such as ``deezer``.
    expects : required content of successful responses; other content counts as a failed try.
    max_body_mb : maximum size of a body in MB; None uses ``settings.max_body_mb``.
    named : hosts of the configuration that may be on this machine or in a private network, in addition to
        ``fan_out.private_hosts`` and hosts with their own entry in ``fan_out.hosts``. None, for addresses given by the
        caller, also permits addresses of this machine.
    """
    # At level DEBUG these libraries log addresses with their queries, or headers with tokens.
    for name in ("urllib3", "spotipy"):
        library = logging.getLogger(name)
        library.setLevel(max(library.level, logging.INFO))
    session = PoliteSession()
    adapter = _PoliteAdapter(settings, provider, expects, max_body_mb or settings.max_body_mb, named)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.max_redirects = settings.max_redirects
    session.headers["User-Agent"] = settings.user_agent or f"genreatlas/{__version__}"
    return session


def fetch_json(session: requests.Session, url: str, params: Params | None = None) -> Any:
    """Get and parse JSON, using a session with ``expects="json"``.

    Raises
    ------
    FetchError : the request failed, or the response is a final error.
    """
    response = checked(session.get(url, params=params))
    parsed = getattr(response, "parsed", None)
    return response.json() if parsed is None else parsed


def fetch_bytes(session: requests.Session, url: str) -> bytes:
    """Get the body of a response.

    Raises
    ------
    FetchError : the request failed, or the response is a final error.
    """
    return checked(session.get(url)).content


def checked(response: requests.Response) -> requests.Response:
    """Return the response if it is successful.

    Raises
    ------
    FetchError : the response is a final error.
    """
    outcome: Outcome = getattr(response, "outcome", None) or classify_response(
        response.status_code, response.headers, response.content
    )
    if outcome.reason is None:
        return response
    raise FetchError(
        outcome.reason,
        _words("GET", response.url, f"{response.status_code} {outcome.words}"),
        response.status_code,
        outcome.transient,
    )


class PoliteSession(requests.Session):
    """Session without cookies and ``.netrc``. It raises typed errors, and refuses redirects to this machine."""

    def __init__(self) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.auth = _leave_auth
        self._surroundings: dict[tuple[str, str], dict[str, Any]] = {}

    def request(self, method: str, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request; the module's docstring describes responses and errors.

        Raises
        ------
        FetchError : no try succeeded.
        """
        url = url.decode() if isinstance(url, bytes) else url
        adapter = self.get_adapter(url) if url.lower().startswith(("http://", "https://")) else None
        tries = adapter.settings.tries if isinstance(adapter, _PoliteAdapter) else 1
        for attempt in range(tries):
            try:
                return super().request(method, url, *args, **kwargs)
            except requests.TooManyRedirects:
                if isinstance(adapter, _PoliteAdapter) and attempt + 1 < tries:
                    _back_off(adapter.settings, attempt)
            except requests.RequestException as error:  # an invalid URL, an invalid header, ...
                kind = type(error).__name__
                raise FetchError(Reason.BAD_ADDRESS, _words(method, url, kind)) from None
        detail = _words(method, url, f"more than {self.max_redirects} redirects")
        raise FetchError(Reason.TOO_MANY_REDIRECTS, detail, transient=True)

    def merge_environment_settings(
        self, url: str, proxies: dict[str, str] | None, stream: bool | None, verify: Any, cert: Any
    ) -> dict[str, Any]:
        """Settings of proxies and certificates from the environment, cached per host: reading them takes half a ms."""
        if proxies or self.proxies or stream is not None or verify is not None or cert is not None:
            return super().merge_environment_settings(url, proxies, stream, verify, cert)
        parts = urlsplit(url)
        place = (parts.scheme, parts.netloc.rpartition("@")[2])
        if place not in self._surroundings:
            self._surroundings[place] = super().merge_environment_settings(url, {}, None, None, None)
        said = self._surroundings[place]
        return said | {"proxies": dict(said["proxies"])}

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Target of a redirect.

        Raises
        ------
        FetchError : another host redirects to this machine.
        """
        target = super().get_redirect_target(resp)
        if target is not None:
            host = urlsplit(target).hostname or ""
            if is_loopback_name(host) and not is_loopback_name(urlsplit(resp.url).hostname or ""):
                raise FetchError(Reason.BAD_ADDRESS, _words("GET", resp.url, "redirects to this machine"))
        return target

    def rebuild_auth(self, prepared_request: Any, response: requests.Response) -> None:
        """Remove the authorisation header on redirects to another host, without reading ``.netrc``."""
        if response.request.url and self.should_strip_auth(response.request.url, prepared_request.url):
            prepared_request.headers.pop("Authorization", None)


def _leave_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _PoliteAdapter(CheckedAdapter):
    """Sends a request within the host's limits, retries transient errors, and reads the body up to a maximum size."""

    def __init__(
        self,
        settings: FanOutSection,
        provider: str,
        expects: Expected,
        max_body_mb: int,
        named: Sequence[str] | None = None,
    ) -> None:
        self.settings, self.provider, self.expects, self.max_bytes = settings, provider, expects, max_body_mb << 20
        own = [host for host in settings.hosts if host not in HOSTS and "*" not in host]
        self.named, self.trusts_loopback = (*(named or ()), *settings.private_hosts, *own), named is None
        super().__init__(pool_connections=32, pool_maxsize=max(settings.threads, 8))

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, stream: bool = False, timeout: Any = None, **kwargs: Any
    ) -> requests.Response:
        """Send a request, at most ``fan_out.tries`` times.

        Raises
        ------
        FetchError : all tries failed, or the address is refused.
        """
        url, method = request.url or "", request.method or "GET"
        parts = urlsplit(url)
        loopback = is_loopback_name(parts.hostname or "")
        named = (loopback and self.trusts_loopback) or is_named(self.named, parts.netloc)
        if loopback:
            kwargs["proxies"] = {}  # a proxy cannot reach loopback addresses of this machine
        self._check_target(parts, method, named, kwargs.get("proxies") or {})
        host = host_of(self.settings, parts.netloc.rpartition("@")[2].lower())
        timeout = timeout or (self.settings.connect_s, self.settings.read_s)
        for attempt in range(self.settings.tries):
            with host.slot(self.provider) as probe:
                response, outcome = self._try(request, timeout, named, **kwargs)
                self._learn(host, outcome, probe, response)
            if response is not None and not outcome.transient:
                response.outcome = outcome  # type: ignore[attr-defined]
                response.parsed = outcome.parsed  # type: ignore[attr-defined]
                return response
            if not outcome.transient:
                break
            log.debug("%s: try %d", _words(method, url, outcome.words), attempt + 1)
            if attempt + 1 < self.settings.tries and outcome.wait_s is None:
                _back_off(self.settings, attempt)
        status = response.status_code if response is not None else None
        said = f"{status or ''} {outcome.words}".strip()
        assert outcome.reason is not None
        raise FetchError(outcome.reason, _words(method, url, said), status, outcome.transient)

    def _check_target(self, parts: SplitResult, method: str, named: bool, proxies: Mapping[str, str]) -> None:
        """Check the address of a request, before a slot of its host is taken and before it is sent to a proxy.

        Raises
        ------
        FetchError : reason ``bad_address``.
        """
        url, host = parts.geturl(), parts.hostname or ""
        if parts.scheme != "https" and not named:
            what = f"{host} is on this machine. {HINT}" if is_loopback_name(host) else f"only https is fetched. {HINT}"
            raise FetchError(Reason.BAD_ADDRESS, _words(method, url, what))
        if requests.utils.select_proxy(url, dict(proxies)):
            port = parts.port or (443 if parts.scheme == "https" else 80)
            try:
                require_public_beyond_proxy(host, port, named, parts.scheme == "https", self.settings.refuse_unresolved)
            except FetchError as error:
                raise FetchError(error.reason, _words(method, url, error.detail)) from None

    def _learn(self, host: Host, outcome: Outcome, probe: bool, response: requests.Response | None) -> None:
        """Record the outcome for the host. Delays and pauses requested by the server apply to all threads."""
        status = response.status_code if response is not None else None
        wait = outcome.wait_s
        if outcome.quota or (outcome.transient and wait is not None and wait > self.settings.retry_after_cap_s):
            assert outcome.reason is not None
            longest = self.settings.max_pause_days * DAY_S
            retry_at = time.time() + min(self.settings.pause_s if wait is None else wait, longest)
            raise host.pause(self.provider, outcome.reason, retry_at, status)
        if outcome.transient and wait is not None:
            host.block(wait + random.uniform(0, min(1.0, self.settings.backoff_s)))
        host.learn(outcome, probe, self.settings, self.provider)

    def _try(
        self, request: requests.PreparedRequest, timeout: Any, named: bool, **kwargs: Any
    ) -> tuple[requests.Response | None, Outcome]:
        """Send the request once and read the body. Network errors are returned as outcomes."""
        response = None
        with Exchange(self.settings.total_s, named, urlsplit(request.url or "").scheme == "https") as exchange:
            try:
                response = super().send(request, stream=True, timeout=timeout, **kwargs)
                body = self._read(response)
                if exchange.expired:  # a truncated header may be parsed without an error
                    raise TimeoutError
            except FetchError as error:
                outcome = Outcome(error.reason, error.transient, words=error.detail)
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                outcome = _network_outcome(error, exchange, self.settings)
            else:
                response._content = body
                response._content_consumed = True
                return response, classify_response(response.status_code, response.headers, body, self.expects)
            if response is not None:
                response.close()
        return None, outcome

    def _read(self, response: requests.Response) -> bytes:
        """Complete body, decompressed.

        Raises
        ------
        FetchError : the body is larger than the maximum.
        """
        pieces, size = [], 0
        for piece in response.raw.stream(_PIECE, decode_content=True):
            size += len(piece)
            if size > self.max_bytes:
                raise FetchError(Reason.TOO_LARGE, f"more than {self.max_bytes >> 20} MB")
            pieces.append(piece)
        return b"".join(pieces)


def _network_outcome(error: Exception, exchange: Exchange, settings: FanOutSection) -> Outcome:
    text = f"{type(error).__name__} {error}"
    if exchange.expired:
        return Outcome(Reason.TIMED_OUT, True, words=f"not finished after {settings.total_s:g} s")
    if "certificate verify failed" in text.lower():
        return Outcome(Reason.BAD_CERTIFICATE, words="the server's certificate is not trusted")
    if "IncompleteRead" in text:
        return Outcome(Reason.INCOMPLETE_BODY, True, words="the body is incomplete")
    if "DecodeError" in type(error).__name__:
        return Outcome(Reason.WRONG_CONTENT, True, words="the body cannot be decompressed")
    if "timed out" in text.lower() or "timeout" in text.lower():
        return Outcome(Reason.TIMED_OUT, True, words="no answer in time")
    return Outcome(Reason.CONNECTION_LOST, True, words=type(error).__name__)


def _back_off(settings: FanOutSection, attempt: int) -> None:
    """Wait with full jitter: uniform between 0 and a limit that doubles with each attempt."""
    time.sleep(random.uniform(0.0, min(settings.backoff_cap_s, settings.backoff_s * 2**attempt)))


def _words(method: str, url: str, what: str) -> str:
    return f"{method} {redact_url(url)}: {what.strip()}"
