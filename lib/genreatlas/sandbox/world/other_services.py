"""Addresses of Every Noise, Deezer and the clip server."""

from aiohttp import web

from genreatlas.sandbox.world import deezer
from genreatlas.sandbox.world.catalogue import WorldSong
from genreatlas.sandbox.world.clips import MIME, PICTURE, Clips
from genreatlas.sandbox.world.ids import Kind
from genreatlas.sandbox.world.misbehaviour import SWAPPED
from genreatlas.sandbox.world.pages import Pages
from genreatlas.sandbox.world.spotify_bodies import Bodies


class EveryNoiseService:
    """The map, the list, and a page for each genre."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self._kept: dict[str, str] = {}

    def routes(self) -> list[web.RouteDef]:
        """All addresses, with those of former years."""
        return [
            web.get("/engenremap.html", self._map),
            web.get("/everynoise1d.html", self._list),
            web.get("/everynoise1d.cgi", self._list),
            web.get(r"/everynoise1d-{slug}.html", self._list),
            web.get(r"/engenremap-{slug}.html", self._genre),
        ]

    async def _map(self, request: web.Request) -> web.Response:
        if "map" not in self._kept:
            self._kept["map"] = self.pages.atlas(2023)
        return _html(self._kept["map"])

    async def _list(self, request: web.Request) -> web.Response:
        if "list" not in self._kept:
            self._kept["list"] = self.pages.ranking()
        return _html(self._kept["list"])

    async def _genre(self, request: web.Request) -> web.Response:
        number = self.pages.genre_of(request.match_info["slug"])
        if number is None:
            return web.Response(status=404, text="<h1>Not Found</h1>", content_type="text/html")
        if request.get(SWAPPED, False):
            number = (number + 1) % len(self.pages.catalogue.genres)
        return _html(self.pages.genre(number, 2022 if number % 2 else 2023))


class DeezerService:
    """Tracks by ISRC, with a preview link that expires."""

    def __init__(self, clips: Clips, bodies: Bodies, cdn: str) -> None:
        self.clips, self.bodies, self.cdn = clips, bodies, cdn

    def routes(self) -> list[web.RouteDef]:
        """All addresses."""
        return [web.get("/track/isrc:{isrc}", self._track)]

    async def _track(self, request: web.Request) -> web.Response:
        catalogue = self.clips.catalogue
        song = deezer.song_of(catalogue, request.match_info["isrc"])
        if song is None:
            return web.json_response(deezer.error(deezer.NO_DATA))
        if request.get(SWAPPED, False):
            others = (catalogue.song((song.number + n) % catalogue.song_count) for n in range(1, 4))
            song = next(other for other in others if other.isrc not in (None, song.isrc))
        track_id = self.bodies.ids.encode(Kind.TRACK, song.number)
        link = f"{self.cdn}/stream/{track_id}.mp3?{self.clips.signature(song)}"
        return web.json_response(deezer.track(catalogue, song, link))


class ClipService:
    """The clips themselves: Spotify's previews without a signature, Deezer's with one."""

    def __init__(self, clips: Clips, bodies: Bodies) -> None:
        self.clips, self.bodies = clips, bodies

    def routes(self) -> list[web.RouteDef]:
        """All addresses."""
        return [
            web.get("/mp3-preview/{id}", self._preview),
            web.get("/stream/{id}.mp3", self._stream),
            web.get("/image/{id}", self._image),
        ]

    async def _preview(self, request: web.Request) -> web.Response:
        return self._clip(request, self.bodies.song_of(request.match_info["id"]))

    async def _stream(self, request: web.Request) -> web.Response:
        song = self.bodies.song_of(request.match_info["id"])
        if song is not None and not self.clips.good(song, request.query.get("hdnea", "")):
            return web.Response(status=403, text="URL signature expired")
        return self._clip(request, song)

    async def _image(self, request: web.Request) -> web.Response:
        return web.Response(body=PICTURE, content_type="image/png")

    def _clip(self, request: web.Request, song: WorldSong | None) -> web.Response:
        if request.get(SWAPPED, False):
            return web.Response(body=PICTURE, content_type="audio/mpeg")
        body = self.clips.read(song) if song is not None else None
        if song is None or body is None:
            return web.Response(status=404, text="Not found")
        return web.Response(body=body, content_type=MIME.get(self.clips.path(song).suffix, "audio/mpeg"))


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html", charset="utf-8")
