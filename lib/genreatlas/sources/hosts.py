"""State of each host in this process: rate limits, failures (circuit breaker) and pauses.

Limits hold in any rolling window, measured by the server's clock.
"""

import heapq
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from genreatlas.config import FanOutSection, HostLimit
from genreatlas.config.collecting import HOSTS
from genreatlas.errors import FetchError, ProviderPausedError, Reason
from genreatlas.sources.outcomes import Outcome

#: Factor on windows measured by the local clock, for clock and network jitter.
MARGIN = 1.05


class RollingWindow:
    """Limit of requests in any rolling window, measured by the server's clock.

    There is one slot per request in a window. A slot is taken before a request is sent. It becomes free when the window
    plus 5 % has passed since the request was sent, and a whole window since the response. The server received the
    request before it responded, so the next request of the slot arrives at least a window later, regardless of network
    delays.

    A new limiter does not know the requests that other processes sent just before. So every slot waits for one window
    first.

    Parameters
    ----------
    requests : number of requests per window.
    window_s : length of the window in seconds.
    """

    def __init__(self, requests: int, window_s: float) -> None:
        self.requests, self.window_s = requests, window_s
        self._changed = threading.Condition()
        self._rested: list[float] = []
        self._taken = 0
        self.forget()

    def forget(self) -> None:
        """Restart without history, because other processes may have sent requests in the meantime."""
        with self._changed:
            rested = time.monotonic() + self.window_s * MARGIN
            self._rested = [rested] * (self.requests - self._taken)
            self._changed.notify_all()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a slot, and hold it during the request."""
        self._take()
        sent = time.monotonic()
        try:
            yield
        finally:
            rested = max(sent + self.window_s * MARGIN, time.monotonic() + self.window_s)
            with self._changed:
                self._taken -= 1
                heapq.heappush(self._rested, rested)
                self._changed.notify()

    def _take(self) -> None:
        with self._changed:
            while True:
                wait = self._rested[0] - time.monotonic() if self._rested else None
                if wait is not None and wait <= 0:
                    heapq.heappop(self._rested)
                    self._taken += 1
                    return
                self._changed.wait(wait)


class _Limit:
    """Rate and concurrency limits of one host, or of all hosts of one pattern."""

    def __init__(self, limit: HostLimit) -> None:
        self.window = RollingWindow(limit.requests, limit.window_s) if limit.requests else None
        self.concurrency = threading.BoundedSemaphore(limit.concurrency)

    @contextmanager
    def slot(self) -> Iterator[None]:
        with ExitStack() as held:
            held.enter_context(self.concurrency)
            if self.window:
                held.enter_context(self.window.slot())
            yield


class Host:
    """State of one host, shared by all threads and sessions of this process."""

    def __init__(self, name: str, limit: _Limit) -> None:
        self.name = name
        self.limit = limit
        self._changed = threading.Condition()
        self._failures = 0
        self._blocked_until = 0.0
        self._open = False  #: whether the circuit is open, so that only probes are sent
        self._probing = False
        self._probes = 0
        self._paused: tuple[Reason, int | None, float] | None = None

    @contextmanager
    def slot(self, provider: str) -> Iterator[bool]:
        """Wait until one request may be sent; yields whether the request is a probe of a failed host.

        Raises
        ------
        ProviderPausedError : requests to the host are paused.
        """
        self._check(provider)
        with self.limit.slot():
            # The host may have been paused while this thread waited for a slot.
            probe = self._pass(provider)
            try:
                yield probe
            finally:
                if probe:
                    with self._changed:
                        self._probing = False
                        self._changed.notify_all()

    def pause(self, provider: str, reason: Reason, retry_at: float, status: int | None = None) -> ProviderPausedError:
        """Pause requests to the host until ``retry_at`` (seconds since the epoch); returns the error to raise."""
        with self._changed:
            self._paused = (reason, status, retry_at)
            self._changed.notify_all()
        return _paused(provider, self.name, reason, status, retry_at)

    def block(self, seconds: float) -> None:
        """Delay all requests by ``seconds``, as the server requested."""
        with self._changed:
            self._blocked_until = max(self._blocked_until, time.monotonic() + seconds)

    def learn(self, outcome: Outcome, probe: bool, settings: FanOutSection, provider: str) -> None:
        """Record an outcome: consecutive failures open the circuit, a success closes it.

        Rate-limited and final responses do not count as failures.

        Raises
        ------
        ProviderPausedError : the host failed ``fan_out.breaker_probes`` probes.
        """
        failed = outcome.transient and outcome.reason is not Reason.RATE_LIMITED
        with self._changed:
            if not failed:
                self._failures, self._probes, self._open = 0, 0, False
            else:
                self._failures += 1
                if probe or (not self._open and self._failures >= settings.breaker_failures):
                    self._open = True
                    self._probes += probe
                    self._blocked_until = max(self._blocked_until, time.monotonic() + settings.breaker_wait_s)
            gone = failed and self._probes >= settings.breaker_probes
            if gone:
                self._failures, self._probes, self._open = 0, 0, False
            self._changed.notify_all()
        if gone:
            wait = min(settings.pause_s, settings.max_pause_days * 86_400.0)
            raise self.pause(provider, Reason.HOST_DOWN, time.time() + wait)

    def _check(self, provider: str) -> None:
        with self._changed:
            if self._paused and time.time() >= self._paused[2]:
                self._paused = None
            if self._paused:
                raise _paused(provider, self.name, *self._paused)

    def _pass(self, provider: str) -> bool:
        """Wait while requests are delayed or the circuit is open; returns True for the request that is the probe."""
        while True:
            self._check(provider)
            with self._changed:
                wait = self._blocked_until - time.monotonic()
                if wait <= 0 and not self._open:
                    return False
                if wait <= 0 and not self._probing:
                    self._probing = True
                    return True
                self._changed.wait(wait if wait > 0 else None)


def _paused(provider: str, host: str, reason: Reason, status: int | None, retry_at: float) -> ProviderPausedError:
    until = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(retry_at))
    return ProviderPausedError(
        provider, reason, f"{host} asked to pause requests until {until}.", status, retry_at, host
    )


_PUBLIC = frozenset(HOSTS) - {"127.0.0.1", "[::1]", "localhost"}
_hosts: dict[str, Host] = {}
_limits: dict[tuple[str, HostLimit], _Limit] = {}
_lock = threading.Lock()


def find_limit(settings: FanOutSection, netloc: str) -> tuple[str, HostLimit]:
    """Entry of ``[fan_out] hosts`` that applies to a host, and the name under which its limit is shared.

    Precedence: ``host:port``, ``host``, the longest ``*.domain``, ``*``.
    """
    name = netloc.lower().rpartition("@")[2]
    bare = name if name.endswith("]") else name.rpartition(":")[0] or name
    for key in (name, bare):
        if key in settings.hosts and key != "*":
            return key, settings.hosts[key]
    patterns = [key for key in settings.hosts if key.startswith("*.") and bare.endswith(key[1:])]
    if patterns:
        key = max(patterns, key=len)
        return key, settings.hosts[key]
    return bare, settings.hosts["*"]


def is_named(names: Iterable[str], netloc: str) -> bool:
    """Whether a host matches one of the names: ``host`` (any port), ``host:port``, or ``*.domain``."""
    name = netloc.lower().rpartition("@")[2]
    bare = name if name.endswith("]") else name.rpartition(":")[0] or name
    known = {one.lower() for one in names}
    return name in known or bare in known or any(one.startswith("*.") and bare.endswith(one[1:]) for one in known)


def hosts_of(*addresses: str) -> tuple[str, ...]:
    """Hosts of configured addresses without their ports; texts that are not addresses are ignored.

    Hosts of the built-in public services are left out, because they need no exception.
    """
    found = (urlsplit(address).netloc.rpartition("@")[2].lower() for address in addresses if "://" in address)
    bare = (one if one.endswith("]") else one.rpartition(":")[0] or one for one in found if one)
    return tuple(dict.fromkeys(one for one in bare if one not in _PUBLIC))


def host_of(settings: FanOutSection, netloc: str) -> Host:
    """State of a URL's host; the same object in all sessions and threads of this process.

    Raises
    ------
    FetchError : this process has no share of the host's rate limit.
    """
    shared, limit = find_limit(settings, netloc)
    if not limit.concurrency:
        raise FetchError(
            Reason.BAD_ADDRESS, f"the rate limit of {netloc} was not divided among the tasks. Name it in Fetch.hosts."
        )
    with _lock:
        if (shared, limit) not in _limits:
            _limits[shared, limit] = _Limit(limit)
        held = _limits[shared, limit]
        host = _hosts.get(netloc)
        if host is None or host.limit is not held:
            host = _hosts[netloc] = Host(netloc, held)
        return host


def forget_history() -> None:
    """Restart every limiter, because other processes have used the same hosts."""
    with _lock:
        for limit in _limits.values():
            if limit.window:
                limit.window.forget()


def forget_hosts() -> None:
    """Delete the state of all hosts, including failures and pauses."""
    with _lock:
        _hosts.clear()
        _limits.clear()
