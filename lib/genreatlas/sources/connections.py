"""Connections that reach public addresses only, or hosts that are named, and that end when their time is up.

Addresses are checked when a connection is made, for every redirect too, and again on the peer that
was reached, so that a name that changes its address in between is of no use. A socket time-out only
bounds one silence; a server that sends a byte now and then is cut off by a watchdog.
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
#: Endings of names that mean something inside a network only.
_LOCAL_ENDINGS = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa", ".corp", ".private")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Reach = Literal["public", "inside", "loopback", "never"]

#: IPv4 by what it reaches (RFC 6890 and IANA's registry of special-purpose addresses); all other is public.
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
#: IPv6 by what it reaches. Only 2000::/3 is given out for public use; what embeds an IPv4 address comes before.
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
#: Prefixes of IPv6 before the last 32 bits, which are an IPv4 address: mapped, translated, compatible.
_V4_LAST = tuple(map(ipaddress.ip_network, ("::ffff:0:0/96", "::ffff:0:0:0/96", "::/96")))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_6TO4 = ipaddress.ip_network("2002::/16")
_PUBLIC = ipaddress.ip_network("2000::/3")
_ISATAP = (0x00005EFE, 0x02005EFE)


def is_loopback_name(host: str) -> bool:
    """Whether a URL's host names this machine itself, by name or as an address."""
    host = host.strip("[]").lower()
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def reach(address: Address) -> Reach:
    """What an address reaches; one that embeds an IPv4 address reaches no more than that does."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((kind for network, kind in _V4_NETWORKS if address in network), "public")
    known = next((kind for network, kind in _V6_NETWORKS if address in network), None)
    if known is not None:
        return known
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in network for network in _V4_LAST):
        # Mapped addresses are IPv4 as sockets write it; the other forms are no longer in use.
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
    """Refuse an address that is not on the public internet; others only for hosts that the configuration names.

    Parameters
    ----------
    host : of the URL.
    address : where it is.
    named : whether the configuration names the host; None: only a host that says by itself that it is this machine.
    encrypted : whether the connection is; without, a public address is refused.

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
        what = "which is public, and asked without encryption" if found == "public" else "which is no public address"
        raise FetchError(Reason.BAD_ADDRESS, f"{host} is at {address}, {what}. {HINT}")


#: What to do about a host that is refused.
HINT = "If it is meant, name it in fan_out.private_hosts."


def require_public_beyond_proxy(host: str, port: int, named: bool, encrypted: bool, strict: bool = False) -> None:
    """Refuse a host that is asked through a proxy, by what its name or its addresses here say.

    A name that only the proxy can look up is taken, unless it is one of a local network. Where a name leads for the
    proxy, which looks it up again, cannot be told here.

    Parameters
    ----------
    strict : refuse any name that cannot be looked up here, unless the configuration names the host.

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
    """Addresses of a host as this machine knows them, kept for minutes: where there is no DNS, asking takes seconds."""
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
    """One request and its response in this thread: which socket serves it, until when, and where it may lead.

    Parameters
    ----------
    seconds : the longest that it may take.
    named, encrypted : as in :func:`require_public`.
    """

    def __init__(self, seconds: float, named: bool | None = None, encrypted: bool = True) -> None:
        self.deadline = time.monotonic() + seconds
        self.named, self.encrypted = named, encrypted
        self.expired = False
        self._socket: socket.socket | None = None

    def serve(self, sock: socket.socket) -> None:
        """Take note of the socket, so that the watchdog can end it."""
        self._socket = sock

    def expire(self) -> None:
        """End the exchange: whoever reads gets an end of file or an error at once."""
        self.expired = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it may have ended by itself
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
    """One thread that ends exchanges whose time is up."""

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
    """What every kind of connection does beside urllib3's work: the watchdog knows its socket."""

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
    """A connection that looks where it leads."""

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
        return []  # urllib3 says it in its own way


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
    """An adapter whose connections check where they lead.

    Through a proxy, which the environment names and which may be anywhere, the proxy decides where it connects:
    :func:`require_public_beyond_proxy` looks at the target before.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool manager, with our own kinds of connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: object) -> object:
        """The manager of connections through a proxy; those of SOCKS are its own."""
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = {"http": _ProxiedHTTPPool, "https": _ProxiedHTTPSPool}
        return manager
