"""The server: four services on four ports of this machine, one log, and one weather for all."""

import asyncio
import contextlib
import json
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from genreatlas.config import SandboxSection, WorldSection
from genreatlas.errors import ConfigError
from genreatlas.sandbox.world.catalogue import Catalogue
from genreatlas.sandbox.world.clips import Clips
from genreatlas.sandbox.world.faults import SERVICES, Faults, Service, Weather
from genreatlas.sandbox.world.ids import Ids
from genreatlas.sandbox.world.index_page import index_page
from genreatlas.sandbox.world.log import Entry, Log
from genreatlas.sandbox.world.misbehaviour import misbehave
from genreatlas.sandbox.world.other_services import ClipService, DeezerService, EveryNoiseService
from genreatlas.sandbox.world.pages import Pages
from genreatlas.sandbox.world.spotify_bodies import RIGHTS, Bodies
from genreatlas.sandbox.world.spotify_service import SpotifyService
from genreatlas.sandbox.world.tokens import Accounts

HOST = "127.0.0.1"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """The world, ready to be served.

    Parameters
    ----------
    world : size, seed, port and rights.
    library : the composed library that clips come from.
    faults : what goes wrong from the start.

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

    def about(self) -> dict[str, Any]:
        """What is served, and where."""
        return {
            "world": self.world.model_dump(mode="json"),
            "addresses": self.addresses,
            "songs": self.catalogue.song_count,
            "artists": self.catalogue.artist_count,
            "faults": self.weather.faults.values(),
        }

    async def serve(self, until: Callable[[], Awaitable[Any]], announce: Callable[[dict[str, Any]], None]) -> None:
        """Serve as long as ``until`` waits; ``announce`` is told once when all ports listen."""
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
        """Let the playlist whose further page is asked for be another, until its head is read again."""
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
    """Serve a world until Control-C, and say where."""

    def announce(about: dict[str, Any]) -> None:
        print(f"The sandbox world is at {about['addresses']['everynoise']}/ (Control-C ends it)", flush=True)

    server = Server(world, library, Faults(share=world.fault_share))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.serve(asyncio.Event().wait, announce))


def serve_for_parent(world: WorldSection, library: SandboxSection, faults: Faults) -> None:
    """Serve a world until the process that started this one is gone; a line of JSON on stdout says where."""
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
    """Wait for the end of stdin, which comes when the process that holds its other end is gone."""
    loop, closed = asyncio.get_running_loop(), asyncio.Event()

    def wait() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=wait, daemon=True).start()
    await closed.wait()
