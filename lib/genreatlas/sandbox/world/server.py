"""The server: four services on four local ports, with a common log and common faults."""

import asyncio
import contextlib
import html
import json
import re
import socket
import sys
import threading
import time
from array import array
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any

from aiohttp import web

from genreatlas.config import SandboxSection, WorldSection
from genreatlas.errors import ConfigError
from genreatlas.sandbox.world.clips import Clips
from genreatlas.sandbox.world.contents import Catalogue, Ids
from genreatlas.sandbox.world.misbehaviour import misbehave
from genreatlas.sandbox.world.other_services import ClipService, DeezerService, EveryNoiseService, Pages
from genreatlas.sandbox.world.scripted_faults import SERVICES, Faults, Service, Weather
from genreatlas.sandbox.world.spotify_bodies import RIGHTS, Bodies
from genreatlas.sandbox.world.spotify_service import Accounts, SpotifyService
from genreatlas.values import JsonObject, JsonView

HOST = "127.0.0.1"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Number of requests kept in the log; times and counts are kept for all.
_KEPT = 500_000

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; }
th { border-bottom: 1px solid #999; font-weight: 600; } td.n { text-align: right; font-variant-numeric: tabular-nums; }
code { background: #f3f3f0; padding: 0 .25rem; } a { color: #0b6; } .bad { color: #b00; }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd; } code { background: #2a2a2a; } }
"""


class Server:
    """Server of a world.

    Parameters
    ----------
    world : size, seed, port and rights.
    library : the composed library with the clips.
    faults : the initial faults.

    Raises
    ------
    ConfigError : a port is in use.
    """

    def __init__(self, world: WorldSection, library: SandboxSection, faults: Faults) -> None:
        self.world = world
        self.sockets = {service: _bind(world.port and world.port + n) for n, service in enumerate(SERVICES)}
        self.addresses = {s: f"http://{HOST}:{sock.getsockname()[1]}" for s, sock in self.sockets.items()}
        self.catalogue, self.ids = Catalogue(world, library), Ids(world.seed)
        self.weather, self.log = Weather(faults), Log()
        cdn, rights = self.addresses["cdn"], RIGHTS[world.app]
        bodies = Bodies(self.catalogue, self.ids, rights, f"{self.addresses['spotify']}/v1", cdn)
        self.accounts, clips = Accounts(world.token_lifetime_s), Clips(self.catalogue, world.preview_lifetime_s)
        self.bodies, self.spotify = bodies, SpotifyService(bodies, self.accounts)
        pages = Pages(self.catalogue, self.ids, bodies.playlist_id, cdn)
        self.routes: dict[Service, list[web.RouteDef]] = {
            "everynoise": EveryNoiseService(pages).routes(),
            "spotify": self.spotify.routes(),
            "deezer": DeezerService(clips, bodies, cdn).routes(),
            "cdn": ClipService(clips, bodies).routes(),
        }

    def about(self) -> JsonObject:
        """Facts of the world, and addresses of the services."""
        return {
            "world": self.world.model_dump(mode="json"),
            "addresses": self.addresses,
            "songs": self.catalogue.song_count,
            "artists": self.catalogue.artist_count,
            "faults": self.weather.faults.values(),
        }

    async def serve(self, until: Callable[[], Awaitable[Any]], announce: Callable[[JsonObject], None]) -> None:
        """Serve until ``until()`` returns. ``announce(about)`` is called once, when all ports listen."""
        runners = []
        for service, routes in self.routes.items():
            application = web.Application(middlewares=[self._middleware(service)])
            application.add_routes([*routes, *self._own_routes()])
            runner = web.AppRunner(application, access_log=None, keepalive_timeout=30.0, handler_cancellation=True)
            await runner.setup()
            await web.SockSite(runner, self.sockets[service], backlog=1024).start()
            runners.append(runner)
        announce(self.about())
        try:
            await until()
        finally:
            for runner in runners:
                await runner.cleanup()

    def _middleware(self, service: Service) -> Any:
        @web.middleware
        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            path = request.path_qs
            if path == "/" or path.startswith("/_"):
                return await handler(request)
            came = self.log.begin(service)
            fault, status = self.weather.fault(service, path), 0
            try:
                if fault == "unauthorized":
                    self.accounts.end(request.headers.get("Authorization", ""))
                if fault == "changed" and not self._change_now(path):
                    fault = None
                response = (
                    await handler(request)
                    if fault is None
                    else await misbehave(fault, service, request, handler, self.weather.faults)
                )
                status = response.status
                return response
            except web.HTTPException as error:
                status = error.status
                raise
            finally:
                self.log.end(Entry(came, service, request.method, path, status, fault))

        return answer

    def _change_now(self, path: str) -> bool:
        """Modify a playlist when a later page is requested, until its first page is requested again."""
        parts = path.partition("?")[0].split("/")
        found = self.bodies.playlist_of(parts[3]) if len(parts) > 4 and parts[2] == "playlists" else None
        if found is not None:
            self.spotify.change(*found, for_good=False)
        return found is not None

    def _own_routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self._index),
            web.get("/_world", self._about),
            web.get("/_log", self._log),
            web.get("/_counts", self._counts),
            web.get("/_busiest", self._busiest),
            web.post("/_control", self._control),
        ]

    async def _index(self, request: web.Request) -> web.Response:
        noise, genre = self.addresses["everynoise"], self.catalogue.genres[0]
        isrc = self.catalogue.song(0).isrc
        examples = [
            (f"{noise}/engenremap.html", "the map of all genres"),
            (f"{noise}/everynoise1d.html", "the list of all genres"),
            (f"{noise}/engenremap-{genre.slug}.html", f"the page of {genre.name}"),
            (f"{self.addresses['deezer']}/track/isrc:{isrc}", "a track at Deezer"),
        ]
        return web.Response(text=index_page(self.about(), examples, self.log.counts()), content_type="text/html")

    async def _about(self, request: web.Request) -> web.Response:
        return web.json_response(self.about())

    async def _log(self, request: web.Request) -> web.Response:
        found = self.log.entries(request.query.get("service", ""), request.query.get("path", ""))
        return web.json_response([asdict(entry) for entry in found])

    async def _counts(self, request: web.Request) -> web.Response:
        return web.json_response(self.log.counts())

    async def _busiest(self, request: web.Request) -> web.Response:
        service, window = request.query.get("service", ""), float(request.query.get("window_s", "1"))
        busiest = self.log.busiest(service, window)
        return web.json_response({"requests": busiest, "at_once": self.log.most_open[service]})

    async def _control(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        try:
            if "faults" in wanted:
                self.weather.change(Faults.of(wanted["faults"]))
        except ConfigError as error:
            return web.json_response({"error": str(error)}, status=400)
        for playlist_id in wanted.get("change", ()):
            found = self.bodies.playlist_of(playlist_id)
            if found is None:
                return web.json_response({"error": f"no playlist {playlist_id}"}, status=400)
            self.spotify.change(*found)
        if wanted.get("end_tokens"):
            self.accounts.end_all()
        if wanted.get("clear_log"):
            self.log.clear()
        return web.json_response(self.about())


def serve_by_hand(world: WorldSection, library: SandboxSection) -> None:
    """Serve a world until Control-C, and print its address."""

    def announce(about: JsonObject) -> None:
        print(f"The sandbox world is at {about['addresses']['everynoise']}/ (Control-C ends it)", flush=True)

    server = Server(world, library, Faults(share=world.fault_share))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.serve(asyncio.Event().wait, announce))


def serve_for_parent(world: WorldSection, library: SandboxSection, faults: Faults) -> None:
    """Serve a world until the parent process exits. Prints a line of JSON with the addresses to stdout."""
    server = Server(world, library, faults)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.serve(_stdin_closed, lambda about: print(json.dumps(about), flush=True)))


def _bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"world.port: {HOST}:{port} cannot be used ({error.strerror}). Choose another port."
        ) from None
    return listener


async def _stdin_closed() -> None:
    """Wait for the end of stdin, which is reached when the parent process exits."""
    loop, closed = asyncio.get_running_loop(), asyncio.Event()

    def wait() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=wait, daemon=True).start()
    await closed.wait()


@dataclass(frozen=True, slots=True)
class Entry:
    """One request. ``time`` is the time of its arrival in seconds since the epoch."""

    time: float
    service: str
    method: str
    path: str
    status: int
    fault: str | None


class Log:
    """Requests since the start, or since the log was cleared."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=_KEPT)
        self._times: dict[str, array[float]] = {}
        self._counts: Counter[tuple[str, str, int, str]] = Counter()
        self.open = 0  #: number of requests in progress
        self.most_open: Counter[str] = Counter()
        self._open: Counter[str] = Counter()

    def begin(self, service: str) -> float:
        """Record the arrival of a request. Returns the time."""
        now = time.time()
        self._times.setdefault(service, array("d")).append(now)
        self._open[service] += 1
        self.most_open[service] = max(self.most_open[service], self._open[service])
        return now

    def end(self, entry: Entry) -> None:
        """Record the response to a request."""
        self._open[entry.service] -= 1
        self._entries.append(entry)
        self._counts[entry.service, shape_of(entry.path), entry.status, entry.fault or ""] += 1

    def clear(self) -> None:
        """Clear the log."""
        self._entries.clear()
        self._times.clear()
        self._counts.clear()
        self.most_open.clear()

    def entries(self, service: str = "", path: str = "") -> Iterator[Entry]:
        """Requests of a service whose path matches the regular expression, oldest first."""
        return (e for e in self._entries if service in ("", e.service) and re.search(path, e.path))

    def counts(self) -> list[dict[str, object]]:
        """Number of requests by service, kind of path, status and fault."""
        names = ("service", "path", "status", "fault", "requests")
        return [dict(zip(names, (*key, number), strict=True)) for key, number in sorted(self._counts.items())]

    def busiest(self, service: str, window_s: float) -> int:
        """Maximum number of requests to a service within any window of this length."""
        times, most, first = self._times.get(service, array("d")), 0, 0
        for last in range(len(times)):
            while times[last] - times[first] >= window_s:
                first += 1
            most = max(most, last - first + 1)
        return most


def shape_of(path: str) -> str:
    """A path with ids and slugs replaced by placeholders, and without parameters."""
    numbers = count()
    plain = path.partition("?")[0]
    plain = re.sub(r"engenremap-.+\.html", "engenremap-SLUG.html", plain)
    plain = re.sub(r"isrc:[^/]+", "isrc:CODE", plain)
    return re.sub(r"[0-9A-Za-z]{22}", lambda _: "ID" if next(numbers) == 0 else "ID2", plain)


def index_page(about: JsonView, examples: list[tuple[str, str]], counts: list[JsonObject]) -> str:
    """Render the start page.

    Parameters
    ----------
    about : result of :meth:`~genreatlas.sandbox.world.server.Server.about`.
    examples : pairs of address and description.
    counts : number of requests by service, path, status and fault.
    """
    world = about["world"]
    kind = f"{world['genres']:,} made-up genres" if world["genres"] else "the composed library"
    addresses = "".join(f"<tr><td>{name}<td><code>{url}</code></tr>" for name, url in about["addresses"].items())
    links = "".join(
        f'<tr><td><a href="{html.escape(url)}">{html.escape(url)}</a><td>{html.escape(text)}</tr>'
        for url, text in examples
    )
    rows = "".join(
        f"<tr><td>{row['service']}<td><code>{html.escape(str(row['path']))}</code><td class=n>{row['status']}"
        f"<td class=bad>{row['fault']}<td class=n>{row['requests']:,}</tr>"
        for row in counts
    )
    faults = about["faults"]
    weather = f"{faults['share']:.0%} of requests fail, and {len(faults['rules'])} rules for faults are set"
    return f"""<!doctype html>
<html lang=en><head>
<meta charset=utf-8><title>Genre Atlas: the sandbox world</title><style>{_STYLE}</style></head><body>
<h1>The sandbox world</h1>
<p>{kind}, {about["songs"]:,} songs by {about["artists"]:,} artists, seed {world["seed"]}. Spotify responds as
to an app of the kind <b>{world["app"]}</b>. {weather}.</p>
<h2>Addresses</h2><table>{addresses}</table>
<h2>Examples</h2><table>{links}</table>
<h2>Requests</h2>
<table><tr><th>service<th>path<th>status<th>fault<th>requests</tr>{rows}</table>
<p>In full: <a href="/_log">/_log</a> (<code>?service=spotify&amp;path=playlists</code>), sums:
<a href="/_counts">/_counts</a>, most requests in any window: <code>/_busiest?service=deezer&amp;window_s=5</code>.</p>
<h2>Changes</h2>
<p>POST JSON to <code>/_control</code>: <code>{{"faults": {{"share": 0.3}}}}</code>,
<code>{{"faults": {{"rules": [{{"kind": "paused", "service": "deezer"}}]}}}}</code>,
<code>{{"change": ["PLAYLIST ID"]}}</code>, <code>{{"end_tokens": true}}</code>, <code>{{"clear_log": true}}</code>.</p>
</body></html>
"""
