"""Connections that reach public addresses only, and that end when their time is up.

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
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from genreatlas.errors import FetchError, Reason

_LOOPBACK_NAMES = ("localhost", "ip6-localhost")


def is_loopback_name(host: str) -> bool:
    """Whether a URL's host names this machine itself, by name or as an address."""
    host = host.strip("[]").lower()
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_public(host: str, address: str) -> None:
    """Refuse an address that is not on the public internet; loopback only where the URL names it so.

    Raises
    ------
    FetchError : reason ``bad_address``.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if is_loopback_name(host):
        if ip.is_loopback:
            return
    elif isinstance(ip, ipaddress.IPv4Address):
        if ip.is_global and not ip.is_multicast:
            return
    else:
        inside = ip.ipv4_mapped or ip.sixtofour
        if inside is None and ip in ipaddress.ip_network("64:ff9b::/96"):
            inside = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if (inside is None or inside.is_global) and (ip.is_global or ip.ipv4_mapped) and not ip.is_multicast:
            return
    raise FetchError(Reason.BAD_ADDRESS, f"{host} is at {address}, which is no public address.")


class Exchange:
    """One request and its response in this thread: which socket serves it, and until when."""

    def __init__(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
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


class _Checked:
    """What both kinds of connection do beside urllib3's work."""

    host: str
    port: int
    sock: Any

    def _new_conn(self) -> socket.socket:
        for *_, address in _resolved(self.host, self.port):
            require_public(self.host, str(address[0]))
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        try:
            require_public(self.host, sock.getpeername()[0])
        except FetchError:
            sock.close()
            raise
        _serve(sock)
        return sock

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        _serve(self.sock)
        return super().getresponse(*args, **kwargs)  # type: ignore[misc]


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


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _CheckedHTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _CheckedHTTPSConnection


class CheckedAdapter(HTTPAdapter):
    """An adapter whose connections check where they lead. (Through a proxy, the proxy decides where it connects.)"""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool manager, with our own kinds of connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
