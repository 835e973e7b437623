"""Every Noise's pages in the markup of 2022 and of 2023, and routes of Every Noise, Deezer and the clip server."""

import html
from collections.abc import Callable
from typing import Literal

from aiohttp import web

from genreatlas.sandbox.world.clips import (
    MIME,
    NO_DATA,
    PICTURE,
    Clips,
    deezer_error,
    deezer_track,
    song_numbered,
    song_of,
)
from genreatlas.sandbox.world.contents import Catalogue, Ids, Kind, Role, WorldSong
from genreatlas.sandbox.world.misbehaviour import SWAPPED
from genreatlas.sandbox.world.spotify_bodies import Bodies

Edition = Literal[2022, 2023]
_HEAD = """<html>
<head>
<meta http-equiv="Content-Type" content="text/html;charset=utf-8" >
<style type="text/css">
body {{font: 14px "Gill Sans", "Trebuchet MS", sans-serif; width: 1600px; background: white}}
.canvas {{position: relative}} .genre {{padding: 0px 2px; position: absolute; white-space: nowrap; cursor: pointer;}}
.title {{font-weight: bold; font-size: 200%; margin-right: 32px}} a {{text-decoration: none; color: teal}}
</style>
<script>
var player = new Audio();
function playx(key, name, me) {{ player.src = me.getAttribute('preview_url'); player.play(); }}
</script>
<title>Every Noise at Once{title}</title>
</head>
<body>
"""
_FOOT = "</body>\n</html>\n"
_KEYS = ' role=button tabindex=0 onKeyDown="kb(event);"'


class Pages:
    """Renders pages.

    Parameters
    ----------
    playlist_id : function (genre, role) -> id of the playlist.
    cdn : address of the server of previews."""

    def __init__(self, catalogue: Catalogue, ids: Ids, playlist_id: Callable[[int, Role], str], cdn: str) -> None:
        self.catalogue, self.ids, self.playlist_id, self.cdn = catalogue, ids, playlist_id, cdn
        self._slugs: dict[str, int] = {}

    def genre_of(self, slug: str) -> int | None:
        """Number of the genre with this slug; None if there is none."""
        if not self._slugs:
            self._slugs = {genre.slug: genre.number for genre in self.catalogue.genres}
        return self._slugs.get(slug)

    def atlas(self, edition: Edition) -> str:
        """The map of all genres."""
        height = max(genre.place.y for genre in self.catalogue.genres) + 200
        lines = [
            _HEAD.format(title=""),
            '<div class=title><a href="engenremap.html">Every Noise at Once</a>',
            '&nbsp; <a style="color: gray" href="everynoise1d.html">list</a></div>',
            f'<div class=canvas style="width: 1609px; height: {height}px; top: 64px">',
        ]
        for number, genre in enumerate(self.catalogue.genres, start=1):
            song = self.catalogue.song(self.catalogue.artist_songs(self.catalogue.genre_artists(genre.number)[0])[0])
            example = f'e.g. {self.catalogue.artist_name(song.artists[0])} "{song.title}"'
            lines.append(
                self._item(
                    f"item{number}", "genre scanme", genre.name, f"engenremap-{genre.slug}.html", genre.place.x,
                    genre.place.y, genre.place.colour, genre.place.weight, song.number, example, edition,
                )
            )  # fmt: skip
        return "\n".join([*lines, "</div>", _FOOT])

    def ranking(self) -> str:
        """The list of all genres. Playlist links have all forms used over the years."""
        rows = []
        for rank, genre in enumerate(self.catalogue.genres, start=1):
            playlist = self._link(self.playlist_id(genre.number, "sound"), genre.number)
            rows.append(
                f"<tr valign=top class=>\n<td align=right class=note>{rank}</td>\n"
                f'<td> <a href="{playlist}" class=note target=spotify title="See this playlist">&#x260A;</a></td>\n'
                f'<td class=note><a href="everynoise1d-{genre.slug}.html" '
                f'title="Re-sort the list starting from here." style="color: {genre.place.colour.upper()}">'
                f"{html.escape(genre.name, quote=False)}</a></td></tr>"
            )
        return "\n".join([_HEAD.format(title=" - list"), "<table>", *rows, "</table>", _FOOT])

    def genre(self, number: int, edition: Edition) -> str:
        """A genre's page."""
        genre = self.catalogue.genres[number]
        name = html.escape(genre.name, quote=False)
        links = {"playlist": "sound", "intro": "intro", "pulse": "pulse", "edge": "edge", "2021": "year"}
        lines = [
            _HEAD.format(title=f" - {name}"),
            f'<div class=title><a href="engenremap.html">Every Noise at Once</a> &middot; {name}',
        ]
        for form, (text, role) in enumerate(links.items()):
            address = self._link(self.playlist_id(number, role), number + form)  # type: ignore[arg-type]
            lines.append(f'&nbsp; <a style="color: #989898" href="{address}">{text}</a>')
        lines += ["</div>", '<div class=canvas style="width: 1557px; height: 936px; top: 64px">']
        for place, artist in enumerate(self.catalogue.genre_artists(number), start=1):
            lines.append(self._artist(place, artist, edition))
        lines += ["</div>", self._box("tunnel", "nearbyitem", number, self._near(number, nearest=True), edition)]
        lines += [self._box("mirror", "mirroritem", number, self._near(number, nearest=False), edition)]
        words = f"for {len(self.catalogue.genres):,} genre-shaped distinctions by Spotify as of {edition}-06-01."
        return "\n".join([*lines, f"<div>based on data tracked and analyzed {words}</div>", _FOOT])

    def _artist(self, place: int, artist: int, edition: Edition) -> str:
        name, songs = self.catalogue.artist_name(artist), self.catalogue.artist_songs(artist)
        artist_id = self.ids.encode(Kind.ARTIST, artist)
        link = f"spotify:artist:{artist_id}" if edition == 2022 else f"artistprofile.html?id={artist_id}"
        song = songs[0] if songs else None
        title = f'e.g. {name} "{self.catalogue.song(song).title}"' if song is not None else "(no sample available)"
        x, y, size = artist * 211 % 1400, artist * 137 % 900, 100 + artist * 17 % 61
        return self._item(f"item{place}", "genre scanme", name, link, x, y, "#8a7a3c", size, song, title, edition)

    def _near(self, number: int, nearest: bool) -> list[int]:
        """Up to ten other genres, nearest or farthest on the map among a sample of a few hundred."""
        genres, here = self.catalogue.genres, self.catalogue.genres[number].place
        step = max(1, len(genres) // 200)
        others = [genres[n] for n in range(number % step, len(genres), step) if n != number]
        others.sort(key=lambda g: (g.place.x - here.x) ** 2 + (g.place.y - here.y) ** 2, reverse=not nearest)
        return [genre.number for genre in others[:10]]

    def _box(self, name: str, prefix: str, own: int, genres: list[int], edition: Edition) -> str:
        lines = [f"<div id={name}>", '<div class=canvas style="width: 433px; height: 342px">']
        numbers = genres if prefix == "mirroritem" else [*genres[:3], own, *genres[3:]]
        for place, number in enumerate(numbers, start=1):
            genre = self.catalogue.genres[number]
            link = f"engenremap-{genre.slug}.html#tunnel"
            if number == own:
                link = f"everynoise1d-{genre.slug}.html" if edition == 2023 else f"everynoise1d.cgi?root={genre.name}"
            x, y = genre.place.x * 430 // 1600, genre.place.y % 340
            lines.append(
                self._item(
                    f"{prefix}{place}", "genre", genre.name, html.escape(link), x, y, genre.place.colour,
                    240 if number == own else genre.place.weight, None, "", edition,
                )
            )  # fmt: skip
        return "\n".join([*lines, "</div></div>"])

    def _item(
        self, identity: str, classes: str, name: str, link: str, x: int, y: int, colour: str, size: int,
        song: int | None, title: str, edition: Edition,
    ) -> str:  # fmt: skip
        keys = _KEYS if edition == 2023 else ""
        track = self.ids.encode(Kind.TRACK, song) if song is not None else ""
        preview = f"{self.cdn}/mp3-preview/{track}" if track else ""
        text = html.escape(name, quote=False)
        call = html.escape(f'playx("{track}", "{name}", this);')
        return (
            f'<div id={identity} preview_url="{preview}" class="{classes}" scan=true style="color: {colour}; '
            f'top: {y}px; left: {x}px; font-size: {size}%"{keys} onclick="{call}" title="{html.escape(title)}">{text}'
            f'<a class=navlink href="{link}"{keys} onclick="event.stopPropagation();" >&raquo;</a> </div>\n'
        )

    @staticmethod
    def _link(playlist_id: str, form: int) -> str:
        """A link to a playlist, in one of the forms used over the years."""
        return (
            f"https://open.spotify.com/playlist/{playlist_id}",
            f"https://embed.spotify.com/?uri=spotify:playlist:{playlist_id}",
            f"https://embed.spotify.com/?uri=spotify:user:thesoundsofspotify:playlist:{playlist_id}",
            f"https://open.spotify.com/user/thesoundsofspotify/playlist/{playlist_id}",
        )[form % 4]


class EveryNoiseService:
    """The map, the list, and a page for each genre."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self._kept: dict[str, str] = {}

    def routes(self) -> list[web.RouteDef]:
        """All routes, including those of earlier years."""
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
    """Tracks by ISRC and by id, with preview links that expire."""

    def __init__(self, clips: Clips, bodies: Bodies, cdn: str) -> None:
        self.clips, self.bodies, self.cdn = clips, bodies, cdn

    def routes(self) -> list[web.RouteDef]:
        """All routes."""
        return [web.get("/track/isrc:{isrc}", self._track), web.get(r"/track/{number:\d+}", self._track)]

    async def _track(self, request: web.Request) -> web.Response:
        catalogue = self.clips.catalogue
        if "number" in request.match_info:
            song = song_numbered(catalogue, int(request.match_info["number"]))
        else:
            song = song_of(catalogue, request.match_info["isrc"])
        if song is None:
            return web.json_response(deezer_error(NO_DATA))
        if request.get(SWAPPED, False):
            others = (catalogue.song((song.number + n) % catalogue.song_count) for n in range(1, 4))
            song = next(other for other in others if other.isrc not in (None, song.isrc))
        track_id = self.bodies.ids.encode(Kind.TRACK, song.number)
        link = f"{self.cdn}/stream/{track_id}.mp3?{self.clips.signature(song)}"
        return web.json_response(deezer_track(catalogue, song, link))


class ClipService:
    """The clips: Spotify's previews without signature, Deezer's with signature."""

    def __init__(self, clips: Clips, bodies: Bodies) -> None:
        self.clips, self.bodies = clips, bodies

    def routes(self) -> list[web.RouteDef]:
        """All routes."""
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
