"""A real local HTTP server with scripted responses, which records its requests."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as received by the server. ``at`` is the server's monotonic time in seconds."""

    at: float
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Reply:
    """A response. ``fault`` is one of reset, stall, trickle, truncate, or an empty string."""

    status: int = 200
    body: bytes = b""
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    seconds: float = 0.0


Script = Callable[[Asked], Reply]


class Loopback:
    """Address of the server, and its requests."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.lock = threading.Lock()
        self.released = threading.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def most_in(self, window_s: float) -> int:
        """Maximum number of requests in any window of this length."""
        times = sorted(asked.at for asked in self.asked)
        return max((sum(start <= at < start + window_s for at in times) for start in times), default=0)


@contextmanager
def serve(script: Script) -> Iterator[Loopback]:
    """Run a server during a ``with`` block."""
    state = Loopback(script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            at = time.monotonic()
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(at, self.command, parts.path, query, dict(self.headers), body)
            with state.lock:
                state.asked.append(asked)
            self._answer(state.script(asked))

        do_POST = do_GET

        def _answer(self, reply: Reply) -> None:
            if reply.seconds:
                state.released.wait(reply.seconds)
            if reply.fault == "reset":
                # With a linger time of 0 s, closing resets the connection.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return
            if reply.fault == "stall":
                state.released.wait(30)
                self.close_connection = True
                return
            if reply.fault == "trickle":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not state.released.wait(0.05):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                self.close_connection = True
                return
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(reply.body)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if reply.fault == "truncate":
                self.wfile.write(reply.body[: len(reply.body) // 2])
                self.close_connection = True
            else:
                self.wfile.write(reply.body)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass  # clients that hang up are part of the test

    server = Server(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def in_turn(*replies: Reply) -> Script:
    """Respond with these replies in turn, then always with the last one."""
    left = list(replies)
    lock = threading.Lock()

    def script(_: Asked) -> Reply:
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    return script
