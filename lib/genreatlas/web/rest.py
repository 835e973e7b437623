"""REST endpoints below ``/rest``, described by ``/rest/openapi.json``."""

import json
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from genreatlas.values import JsonObject
from genreatlas.web.answers import extract_of
from genreatlas.web.extract import KINDS
from genreatlas.web.state import State, state_of

T = TypeVar("T")

#: Names reserved for user accounts in the next release. Nothing is served under them.
KEPT = ("me", "nowplaying", "toptracks", "likedtracks", "taste", "compare")


class Json(JSONResponse):
    """JSON response for values that are already JSON-able: no conversion or validation."""

    def render(self, content: Any) -> bytes:
        """Serialise as UTF-8 JSON."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


router = APIRouter(prefix="/rest", tags=["rest"])
Start = Annotated[int, Query(ge=0, le=10_000_000, description="Index of the first item, from 0.")]
Limit = Annotated[int, Query(ge=1, le=100, description="Maximum number of items.")]
Id = Annotated[str, Query(min_length=1, max_length=200)]
Kind = Literal["songs", "artists", "albums", "genres", "playlists"]


def _found(answer: T | None, what: str) -> T:
    if answer is None:
        raise HTTPException(404, f"There is no such {what}.")
    return answer


@router.get("/search")
async def search(
    request: Request,
    q: Annotated[str, Query(min_length=1, max_length=200, description="Beginnings of words, in any order.")],
    kind: Kind | None = None,
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> Any:
    """Search songs, artists, albums, genres and playlists by name; songs and albums also by artist."""
    # Runs in the event loop, not in a thread, because a thread waits for the GIL after every row of SQLite. With 50
    # concurrent requests on 450,000 songs the 95th percentile was 41 ms, and 92 ms in threads. A search takes about
    # 1 ms of CPU; the slowest one that was tried, 26 ms.
    found = extract_of(request)
    answer = {one: found.search(q, one, limit) for one in ([kind] if kind else KINDS)}
    return Json(answer)


@router.get("/categories")
def categories(request: Request) -> list[JsonObject]:
    """Families of genres, with their genres."""
    return extract_of(request).categories()


@router.get("/genres")
def genres(request: Request, genre_id: str = "", start: Start = 0, limit: Limit = 50) -> Any:
    """All genres, largest first; with ``genre_id``, one genre with its songs."""
    if genre_id:
        return _found(extract_of(request).genre(genre_id, start, limit), "genre")
    return extract_of(request).listed("genres", start, limit)


@router.get("/playlists")
def playlists(request: Request, start: Start = 0, limit: Limit = 50) -> list[JsonObject]:
    """Playlists that songs were collected from, and playlists made by recipe."""
    return extract_of(request).listed("playlists", start, limit)


@router.get("/playlist_tracks")
def playlist_tracks(request: Request, playlist_id: Id, start: Start = 0, limit: Limit = 50) -> Any:
    """Songs of a playlist, in order."""
    return _found(extract_of(request).playlist(playlist_id, start, limit), "playlist")


@router.get("/album_tracks")
def album_tracks(request: Request, album_id: Id, start: Start = 0, limit: Limit = 50) -> Any:
    """Songs of an album, in track order."""
    return _found(extract_of(request).album(album_id, start, limit), "album")


@router.get("/artist_tracks")
def artist_tracks(request: Request, artist_id: Id, start: Start = 0, limit: Limit = 50) -> Any:
    """Songs on which an artist is credited."""
    return _found(extract_of(request).artist(artist_id, start, limit), "artist")


@router.get("/analysis")
def analysis(request: Request, song_id: str = "", analysis_id: str = "") -> Any:
    """Data of a song of the lake, or of one of your analyses: give one of the two ids.

    An analysis has a ``state`` (queued, running, done, failed) and, when done, an ``answer``.
    """
    if bool(song_id) == bool(analysis_id):
        raise HTTPException(422, "Give song_id or analysis_id.")
    state = state_of(request)
    if song_id:
        return _found(state.site.extract.song(song_id), "song")
    return _found(analysis_state(state, request, analysis_id), "analysis")


def analysis_state(state: State, request: Request, analysis_id: str) -> JsonObject | None:
    """State and result of an analysis; None if there is none, or if it belongs to another visitor."""
    job = state.work.get(analysis_id, state.visitor(request).key)
    if job is None:
        return None
    shown = {"analysis_id": job.analysis_id, "name": job.name, "state": job.state, "expires": job.expires}
    if job.state == "queued":
        shown["before"] = state.work.before(job)
    if job.state == "failed":
        shown |= {"reason": job.reason, "detail": job.detail}
    if job.state == "done":
        answer = job.answer
        likely = answer["genres"] if answer["score_kind"] == "probability" else answer["genres"][:1]
        scores = {one["genre_id"]: one["score"] if len(likely) > 1 else 1.0 for one in likely}
        shown["answer"] = answer | {"place": state.site.extract.place(scores)}
    return shown


@router.get("/map")
def genre_map(request: Request) -> Response:
    """The map's data: columns over genres, with lenses, regions, neighbours and the tree."""
    page = _found(extract_of(request).map_page(), "map")
    return Response(page["content"], media_type="application/json")


@router.get("/similar")
def similar(request: Request, song_id: Id, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Any:
    """Songs that sound similar to a song, without copies of its recording."""
    return _found(extract_of(request).similar(song_id, limit), "song")


@router.get("/charts")
def charts(
    request: Request,
    feature: Annotated[str, Query(max_length=200)] = "",
    genre_id: Annotated[str, Query(max_length=200, description="Id of a genre; * is all songs.")] = "",
    month: Annotated[str, Query(pattern=r"^(\d{4}-\d{2})?$")] = "",
) -> Any:
    """Histograms and quantiles of a feature in every genre, of every feature in a genre, or of one feature in a genre.

    Without a feature and a genre: the features with charts in the month, and the stored months.
    """
    found = extract_of(request)
    if not feature and not genre_id:
        units = found.charted(month)
        return {"features": list(units), "units": units, "months": found.months}
    return found.charts(feature, genre_id, month)


def openapi_lines(schema: JsonObject) -> list[JsonObject]:
    """Endpoints of an OpenAPI schema, as rows for the page that documents them."""
    lines = []
    for path, methods in sorted(schema["paths"].items()):
        for method, told in methods.items():
            parameters = [
                {
                    "name": one["name"],
                    "required": one.get("required", False),
                    "about": one.get("description", ""),
                    "kind": json.dumps({k: v for k, v in one["schema"].items() if k not in ("title", "description")}),
                }
                for one in told.get("parameters", ())
            ]
            lines.append(
                {"path": path, "method": method.upper(), "about": told.get("description", ""), "parameters": parameters}
            )
    return lines
