"""The polite HTTP client: one session for everybody who asks the outside world.

``polite_session(config.fan_out, "deezer", expects="json")`` is a ``requests.Session`` whose adapter
does all that politeness asks for, so spotipy can be given it and everybody else calls ``get``:

- rate and concurrency of each host, shared by all sessions and threads of the process (:mod:`.hosts`);
- another try, after a full-jitter wait, for what may pass; none for what is final (:mod:`.outcomes`);
- ``Retry-After`` up to a cap, above it :class:`.ProviderPausedError` with the time to come back;
- https and public addresses only, but for hosts on this machine or in a private network that the configuration
  names; bounded redirects, bytes, seconds and content types.

A final error status comes back as a response, as requests does; what still fails after all tries is a
:class:`FetchError`. :func:`fetch_json` and :func:`fetch_bytes` raise for final ones too. Bodies are
held in memory. No error text holds a query string, because there tokens and signatures are.
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
    """Make a session; any number of threads may share it.

    Parameters
    ----------
    settings : the ``[fan_out]`` section.
    provider : under which name a pause is reported, such as ``deezer``.
    expects : what successful responses must hold; anything else counts as a failed try.
    max_body_mb : longest body; that of the settings when None.
    named : hosts of the configuration that may be on this machine or in a private network, beside
        ``fan_out.private_hosts`` and the hosts that ``fan_out.hosts`` has an entry of its own for. None: the session is
        for the caller's own addresses, of which those of this machine are taken as they are.
    """
    # At DEBUG these log every address with its query, or the headers with the token.
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
    """Get and parse JSON from a session that expects it.

    Raises
    ------
    FetchError : for final errors too.
    """
    response = checked(session.get(url, params=params))
    parsed = getattr(response, "parsed", None)
    return response.json() if parsed is None else parsed


def fetch_bytes(session: requests.Session, url: str) -> bytes:
    """Get a body.

    Raises
    ------
    FetchError : for final errors too.
    """
    return checked(session.get(url)).content


def checked(response: requests.Response) -> requests.Response:
    """The response itself, if it is a success.

    Raises
    ------
    FetchError : it is a final error.
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
    """A session without cookies and ``.netrc``, whose errors are typed and whose redirects stay outside."""

    def __init__(self) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.auth = _leave_auth
        self._surroundings: dict[tuple[str, str], dict[str, Any]] = {}

    def request(self, method: str, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request; see the module for what comes back.

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
            except requests.RequestException as error:  # no URL at all, a header that cannot be sent, ...
                kind = type(error).__name__
                raise FetchError(Reason.BAD_ADDRESS, _words(method, url, kind)) from None
        detail = _words(method, url, f"more than {self.max_redirects} redirects")
        raise FetchError(Reason.TOO_MANY_REDIRECTS, detail, transient=True)

    def merge_environment_settings(
        self, url: str, proxies: dict[str, str] | None, stream: bool | None, verify: Any, cert: Any
    ) -> dict[str, Any]:
        """What the environment says of proxies and certificates, asked once for each host: it takes half a ms."""
        if proxies or self.proxies or stream is not None or verify is not None or cert is not None:
            return super().merge_environment_settings(url, proxies, stream, verify, cert)
        parts = urlsplit(url)
        place = (parts.scheme, parts.netloc.rpartition("@")[2])
        if place not in self._surroundings:
            self._surroundings[place] = super().merge_environment_settings(url, {}, None, None, None)
        said = self._surroundings[place]
        return said | {"proxies": dict(said["proxies"])}

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Where a redirect leads; from the outside never back to this machine."""
        target = super().get_redirect_target(resp)
        if target is not None:
            host = urlsplit(target).hostname or ""
            if is_loopback_name(host) and not is_loopback_name(urlsplit(resp.url).hostname or ""):
                raise FetchError(Reason.BAD_ADDRESS, _words("GET", resp.url, "redirects to this machine"))
        return target

    def rebuild_auth(self, prepared_request: Any, response: requests.Response) -> None:
        """Drop the authorisation where a redirect leads to another host; never look for one in ``.netrc``."""
        if response.request.url and self.should_strip_auth(response.request.url, prepared_request.url):
            prepared_request.headers.pop("Authorization", None)


def _leave_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _PoliteAdapter(CheckedAdapter):
    """Sends one request politely, again where that may help, and reads its whole body within bounds."""

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
        """Send a request, as often as ``[fan_out] tries`` allows.

        Raises
        ------
        FetchError : the last try failed too, or the request may not be sent at all.
        """
        url, method = request.url or "", request.method or "GET"
        parts = urlsplit(url)
        loopback = is_loopback_name(parts.hostname or "")
        named = (loopback and self.trusts_loopback) or is_named(self.named, parts.netloc)
        if loopback:
            kwargs["proxies"] = {}  # no proxy knows this machine's own addresses
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
        """Refuse a request by its address alone: before its host is asked for a slot, and before a proxy sees it.

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
        """Let the host know how it went; waits and pauses that the server asks for hold for all threads."""
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
        """Send once and read the body; what the network does to it becomes an outcome."""
        response = None
        with Exchange(self.settings.total_s, named, urlsplit(request.url or "").scheme == "https") as exchange:
            try:
                response = super().send(request, stream=True, timeout=timeout, **kwargs)
                body = self._read(response)
                if exchange.expired:  # a header that was cut off reads like a whole one
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
        """The whole body, decoded.

        Raises
        ------
        FetchError : it is too long.
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
        return Outcome(Reason.TIMED_OUT, True, words=f"not done after {settings.total_s:g} s")
    if "certificate verify failed" in text.lower():
        return Outcome(Reason.BAD_CERTIFICATE, words="the server's certificate is not trusted")
    if "IncompleteRead" in text:
        return Outcome(Reason.INCOMPLETE_BODY, True, words="the body broke off")
    if "DecodeError" in type(error).__name__:
        return Outcome(Reason.WRONG_CONTENT, True, words="the body cannot be decompressed")
    if "timed out" in text.lower() or "timeout" in text.lower():
        return Outcome(Reason.TIMED_OUT, True, words="no answer in time")
    return Outcome(Reason.CONNECTION_LOST, True, words=type(error).__name__)


def _back_off(settings: FanOutSection, attempt: int) -> None:
    """Full jitter: any wait from 0 up to a bound that doubles."""
    time.sleep(random.uniform(0.0, min(settings.backoff_cap_s, settings.backoff_s * 2**attempt)))


def _words(method: str, url: str, what: str) -> str:
    return f"{method} {redact_url(url)}: {what.strip()}"
