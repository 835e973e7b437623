"""Connections limited to public addresses or configured hosts, with a limit on their total time.

Addresses are checked when a connection is made, also for every redirect, and again on the connected peer, so that a
name whose address changes in between (DNS rebinding) gains nothing. A socket time-out only limits the time between two
reads; a watchdog ends connections to servers that send a byte now and then.
"""

import contextlib
import heapq
import ipaddress
import itertools
import socket
import threading
import time
from typing import Any, Literal

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from genreatlas.errors import FetchError, Reason

_LOOPBACK_NAMES = ("localhost", "ip6-localhost")
#: Suffixes of host names that exist only in local networks.
_LOCAL_ENDINGS = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa", ".corp", ".private")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Reach = Literal["public", "inside", "loopback", "never"]

#: Reach of special IPv4 networks (RFC 6890 and IANA's registry of special-purpose addresses); all others are public.
_V4: tuple[tuple[str, Reach], ...] = (
    ("10.0.0.0/8", "inside"),
    ("100.64.0.0/10", "inside"),  # carrier-grade NAT
    ("127.0.0.0/8", "loopback"),
    ("172.16.0.0/12", "inside"),
    ("192.168.0.0/16", "inside"),
    ("0.0.0.0/8", "never"),
    ("169.254.0.0/16", "never"),  # link-local, where clouds serve their metadata
    ("192.0.0.0/24", "never"),
    ("192.0.2.0/24", "never"),
    ("192.88.99.0/24", "never"),
    ("198.18.0.0/15", "never"),  # benchmarking
    ("198.51.100.0/24", "never"),
    ("203.0.113.0/24", "never"),
    ("224.0.0.0/3", "never"),  # multicast and reserved
)
#: Reach of special IPv6 networks. Only 2000::/3 is allocated for public use; addresses that embed an IPv4 address are
#: handled separately.
_V6: tuple[tuple[str, Reach], ...] = (
    ("::1/128", "loopback"),
    ("64:ff9b:1::/48", "inside"),  # NAT64 of one's own network
    ("fc00::/7", "inside"),
    ("fec0::/10", "inside"),
    ("2001::/23", "never"),  # Teredo and other protocol assignments
    ("2001:db8::/32", "never"),
    ("3fff::/20", "never"),
)
_V4_NETWORKS = tuple((ipaddress.ip_network(network), reach) for network, reach in _V4)
_V6_NETWORKS = tuple((ipaddress.ip_network(network), reach) for network, reach in _V6)
#: IPv6 networks whose last 32 bits are an IPv4 address: mapped, translated, compatible.
_V4_LAST = tuple(map(ipaddress.ip_network, ("::ffff:0:0/96", "::ffff:0:0:0/96", "::/96")))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_6TO4 = ipaddress.ip_network("2002::/16")
_PUBLIC = ipaddress.ip_network("2000::/3")
_ISATAP = (0x00005EFE, 0x02005EFE)


def is_loopback_name(host: str) -> bool:
    """Whether a URL's host is this machine, by name or by address."""
    host = host.strip("[]").lower()
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def reach(address: Address) -> Reach:
    """Classify an address by reach. An address that embeds an IPv4 address reaches no more than that address."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((kind for network, kind in _V4_NETWORKS if address in network), "public")
    known = next((kind for network, kind in _V6_NETWORKS if address in network), None)
    if known is not None:
        return known
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in network for network in _V4_LAST):
        # Sockets report IPv4 peers as mapped addresses; the other forms are no longer in use.
        found = reach(last)
        return found if found != "public" or address in _V4_LAST[0] else "never"
    if address in _NAT64:
        return reach(last)
    if address in _6TO4:
        return "public" if reach(ipaddress.IPv4Address(int(address) >> 80 & 0xFFFFFFFF)) == "public" else "never"
    if int(address) >> 32 & 0xFFFFFFFF in _ISATAP and reach(last) != "public":
        return "never"
    return "public" if address in _PUBLIC else "never"


def require_public(host: str, address: str, named: bool | None = None, encrypted: bool = True) -> None:
    """Refuse an address outside the public internet, unless the configuration lists its host.

    Parameters
    ----------
    host : host of the URL.
    address : IP address of the host.
    named : whether the configuration lists the host; None treats only loopback names and addresses as listed.
    encrypted : whether the connection is encrypted; if not, public addresses are refused.

    Raises
    ------
    FetchError : reason ``bad_address``.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    found, loopback = reach(ip), is_loopback_name(host)
    named = loopback if named is None else named
    if loopback:
        good = named and found == "loopback"
    elif named:
        good = found in ("inside", "loopback") or (found == "public" and encrypted) or _is(host, ip)
    else:
        good = found == "public" and encrypted
    if not good:
        what = (
            "a public address that is requested without encryption"
            if found == "public"
            else "which is not a public address"
        )
        raise FetchError(Reason.BAD_ADDRESS, f"{host} is at {address}, {what}. {HINT}")


#: Hint in error messages on refused hosts.
HINT = "If this is intended, name the host in fan_out.private_hosts."


def require_public_beyond_proxy(host: str, port: int, named: bool, encrypted: bool, strict: bool = False) -> None:
    """Refuse the target host of a request through a proxy, by its name and by its addresses as resolved here.

    A name that only the proxy can resolve is accepted, unless it is a name of a local network. The proxy resolves the
    name again; its result cannot be checked.

    Parameters
    ----------
    named, encrypted : as in :func:`require_public`.
    strict : refuse any name that cannot be resolved here, unless the configuration lists the host.

    Raises
    ------
    FetchError : reason ``bad_address``.
    """
    found = _known_addresses(host, port)
    for address in found:
        require_public(host, address, named, encrypted)
    plain = host.strip("[]").rstrip(".").lower()
    local = ("." not in plain and ":" not in plain) or plain.endswith(_LOCAL_ENDINGS)
    if not found and local and not named:
        raise FetchError(Reason.BAD_ADDRESS, f"{host} is a name of a local network. {HINT}")
    if not found and strict and not named:
        what = "cannot be looked up here, and fan_out.refuse_unresolved is on"
        raise FetchError(Reason.BAD_ADDRESS, f"{host} {what}. {HINT}")


def _known_addresses(host: str, port: int) -> tuple[str, ...]:
    """Addresses of a host as resolved here, cached for 300 s, because without DNS a look-up takes seconds."""
    kept = _looked_up.get((host, port))
    if kept is None or kept[0] < time.monotonic():
        found = tuple(str(address[0]) for *_, address in _resolved(host, port))
        kept = _looked_up[host, port] = (time.monotonic() + _LOOKED_UP_S, found)
    return kept[1]


_LOOKED_UP_S = 300.0
_looked_up: dict[tuple[str, int], tuple[float, tuple[str, ...]]] = {}


def _is(host: str, ip: Address) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")) == ip and not ip.is_multicast and not ip.is_unspecified
    except ValueError:
        return False


class Exchange:
    """Context of one request and its response in this thread, with a deadline and permitted targets.

    Parameters
    ----------
    seconds : maximum total time in seconds.
    named, encrypted : as in :func:`require_public`.
    """

    def __init__(self, seconds: float, named: bool | None = None, encrypted: bool = True) -> None:
        self.deadline = time.monotonic() + seconds
        self.named, self.encrypted = named, encrypted
        self.expired = False
        self._socket: socket.socket | None = None

    def serve(self, sock: socket.socket) -> None:
        """Record the socket, so that the watchdog can shut it down."""
        self._socket = sock

    def expire(self) -> None:
        """Shut the socket down: a blocked read returns an end of file or an error at once."""
        self.expired = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # the connection may be closed already
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def __enter__(self) -> "Exchange":
        _current.exchange = self
        _WATCHDOG.watch(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket = None
        _current.exchange = None
        _WATCHDOG.forget(self)


class _Watchdog:
    """Thread that ends exchanges after their deadlines."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Exchange]] = []
        self._watched: set[Exchange] = set()
        self._count = itertools.count()
        self._thread: threading.Thread | None = None

    def watch(self, exchange: Exchange) -> None:
        with self._changed:
            self._watched.add(exchange)
            heapq.heappush(self._heap, (exchange.deadline, next(self._count), exchange))
            if self._thread is None or not self._thread.is_alive():  # a forked child has no thread
                self._thread = threading.Thread(target=self._run, name="http-deadlines", daemon=True)
                self._thread.start()
            elif self._heap[0][2] is exchange:
                self._changed.notify()

    def forget(self, exchange: Exchange) -> None:
        with self._changed:
            self._watched.discard(exchange)
            while self._heap and self._heap[0][2] not in self._watched:
                heapq.heappop(self._heap)

    def _run(self) -> None:
        while True:
            with self._changed:
                wait = self._heap[0][0] - time.monotonic() if self._heap else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                exchange = heapq.heappop(self._heap)[2]
                live = exchange in self._watched
            if live:
                exchange.expire()


_WATCHDOG = _Watchdog()
_current = threading.local()


class _Served:
    """Mixin for all kinds of connections: registers the socket with the current exchange."""

    host: str
    port: int
    sock: Any

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        _serve(sock)
        return sock

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        _serve(self.sock)
        return super().getresponse(*args, **kwargs)  # type: ignore[misc]


class _Checked(_Served):
    """Mixin for direct connections: checks the resolved addresses and the connected peer."""

    def _new_conn(self) -> socket.socket:
        exchange = getattr(_current, "exchange", None)
        named, encrypted = (exchange.named, exchange.encrypted) if exchange is not None else (None, True)
        for *_, address in _resolved(self.host, self.port):
            require_public(self.host, str(address[0]), named, encrypted)
        sock = super()._new_conn()
        try:
            require_public(self.host, sock.getpeername()[0], named, encrypted)
        except FetchError:
            sock.close()
            raise
        return sock


def _serve(sock: socket.socket | None) -> None:
    exchange = getattr(_current, "exchange", None)
    if exchange is not None and sock is not None:
        exchange.serve(sock)


def _resolved(host: str, port: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except OSError:
        return []  # urllib3 raises its own error


class _CheckedHTTPConnection(_Checked, HTTPConnection):
    pass


class _CheckedHTTPSConnection(_Checked, HTTPSConnection):
    pass


class _ServedHTTPConnection(_Served, HTTPConnection):
    pass


class _ServedHTTPSConnection(_Served, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _CheckedHTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _CheckedHTTPSConnection


class _ProxiedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _ServedHTTPConnection


class _ProxiedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _ServedHTTPSConnection


class CheckedAdapter(HTTPAdapter):
    """HTTP adapter whose connections check their addresses.

    A proxy is configured by the environment, may have any address, and makes the connection itself. Its targets are
    checked before by :func:`require_public_beyond_proxy`.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pool manager with the connection classes of this module."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: object) -> object:
        """Manager of connections through a proxy. SOCKS proxies keep their own connection classes."""
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = {"http": _ProxiedHTTPPool, "https": _ProxiedHTTPSPool}
        return manager
