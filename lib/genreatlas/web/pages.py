"""Pages of the lake's contents: search, songs, artists, albums, genres, playlists, charts, map."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from markupsafe import Markup

from genreatlas.values import JsonObject
from genreatlas.web.answers import compared, extract_of, known, page
from genreatlas.web.distributions import as_csv
from genreatlas.web.extract import KINDS
from genreatlas.web.rendering import resource
from genreatlas.web.rest import openapi_lines

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_PAGE = 50
_HOME = 24
_SIMILAR = 12
_STYLES = {
    "plot": ("genreatlas.report", "templates/plot.css"),
    "page": ("genreatlas.report", "templates/page.css"),
    "map": ("genreatlas.report", "templates/map.css"),
}
Month = Annotated[str, Query(pattern=r"^(\d{4}-\d{2})?$")]
Start = Annotated[int, Query(ge=0, le=10_000_000)]


@router.get("/")
def home(request: Request) -> Response:
    """Home page: search, families of genres, and links."""
    found = extract_of(request)
    counts = {kind: found.count(kind) for kind in KINDS}
    families = [one | {"genres": one["genres"][:_HOME]} for one in found.categories()]
    has_map = found.has_map
    return page(request, "home.html.j2", counts=counts, families=families, has_map=has_map)


@router.get("/search")
async def search(request: Request, q: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Page with all results of a query."""
    found = extract_of(request)
    results = {kind: found.search(q, kind, 20) for kind in KINDS} if q.strip() else {}
    return page(request, "search.html.j2", q=q, results=results)


@router.get("/songs/{song_id}")
def song(request: Request, song_id: str) -> Response:
    """Page of a song: artists, genres with reasons, features, similar songs."""
    found = extract_of(request)
    shown = known(found.song(song_id), "song")
    similar = found.similar(song_id, _SIMILAR) or []
    genre = shown["genres"][0] if shown["genres"] else None
    pictures = compared(found, shown["features"], genre)
    model = found.facts["model"]
    heard = found.rhythm(shown["clip"]["clip_id"]) if shown["clip"] else None
    return page(
        request, "song.html.j2", rhythm=heard, song=shown, similar=similar, genre=genre, compared=pictures,
        genres=found.largest, model=model, places=found.genre_places,
    )  # fmt: skip


@router.get("/artists/{artist_id}")
def artist(request: Request, artist_id: str, start: Start = 0) -> Response:
    """Page with an artist's songs."""
    return _listed(request, "artist", known(extract_of(request).artist(artist_id, start, _PAGE), "artist"))


@router.get("/albums/{album_id}")
def album(request: Request, album_id: str, start: Start = 0) -> Response:
    """Page with an album's songs."""
    return _listed(request, "album", known(extract_of(request).album(album_id, start, _PAGE), "album"))


@router.get("/playlists/{playlist_id}")
def playlist(request: Request, playlist_id: str, start: Start = 0) -> Response:
    """Page with a playlist's songs."""
    return _listed(request, "playlist", known(extract_of(request).playlist(playlist_id, start, _PAGE), "playlist"))


def _listed(request: Request, kind: str, shown: JsonObject) -> Response:
    return page(request, "listed.html.j2", kind=kind, shown=shown, size=_PAGE)


@router.get("/genres")
def genres(request: Request) -> Response:
    """Page with all genres by family."""
    return page(request, "genres.html.j2", families=extract_of(request).categories())


@router.get("/genres/{genre_id}")
def genre(request: Request, genre_id: str, start: Start = 0, month: Month = "") -> Response:
    """Page of a genre: songs, near genres, and distributions of features compared with all songs, by month."""
    found = extract_of(request)
    shown = known(found.genre(genre_id, start, _PAGE), "genre")
    of_all = found.charts_of("*", month)
    rows = [(one, of_all[feature]) for feature, one in found.charts_of(genre_id, month).items()]
    return page(
        request, "genre.html.j2", genre=shown, size=_PAGE, charts=rows, months=found.months,
        month=month or found.month,
    )  # fmt: skip


@router.get("/playlists")
def playlists(request: Request, start: Start = 0) -> Response:
    """Page with all playlists."""
    found = extract_of(request)
    rows = found.listed("playlists", start, _PAGE)
    return page(request, "playlists.html.j2", playlists=rows, start=start, size=_PAGE, n=found.count("playlists"))


@router.get("/charts")
def charts(
    request: Request,
    feature: Annotated[str, Query(max_length=200)] = "",
    month: Month = "",
    start: Start = 0,
) -> Response:
    """Page with the distributions of a feature by genre in a month, highest median first, and over months."""
    found = extract_of(request)
    month = month or found.month
    units = found.charted(month)
    feature = feature or next((one for one in found.features if one in units), "")
    rows, n = found.ranked(feature, month, start, _PAGE)
    return page(
        request, "charts.html.j2", feature=feature, features=list(units), unit=units.get(feature, ""),
        months=found.months, month=month, of_all=found.charts_of("*", month).get(feature), rows=rows, n=n,
        start=start, size=_PAGE, known=found.genre_names(), over=found.over_months(feature, "*"),
    )  # fmt: skip


@router.get("/charts.csv")
def charts_as_csv(request: Request, feature: Annotated[str, Query(max_length=200)] = "", month: Month = "") -> Response:
    """CSV of a month's distributions of one feature, or of all features."""
    found = extract_of(request)
    names = [feature] if feature else list(found.charted(month))
    rows = [row for name in names for row in found.charts(feature=name, month=month)]
    text = as_csv(rows)
    headers = {"content-disposition": f'attachment; filename="charts-{month or found.month}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/map")
def genre_map(request: Request) -> Response:
    """Page with the map of genres, as in the report, with this site's clips."""
    drawn = known(extract_of(request).map_page(), "map: no map was published")
    return page(request, "map.html.j2", page=drawn, content=Markup(drawn["content"]))


@router.get("/tempo")
def tempo(request: Request) -> Response:
    """Page that measures the tempo of a microphone or file in the browser."""
    return page(request, "tempo.html.j2")


@router.get("/rest")
def endpoints(request: Request) -> Response:
    """Page that documents the REST endpoints."""
    return page(request, "rest.html.j2", lines=openapi_lines(request.app.openapi()))


@router.get("/style/{name}.css")
def style(name: str) -> Response:
    """Style sheets that the site shares with the report."""
    package, path = known(_STYLES.get(name), "style")
    return Response(resource(package, path), media_type="text/css", headers={"cache-control": "max-age=300"})


@router.get("/clips/{clip_id}")
def clip(request: Request, clip_id: str) -> Response:
    """Audio of a clip, with support for range requests."""
    path, mime = known(extract_of(request).clip(clip_id), "clip")
    return FileResponse(path, media_type=mime, headers={"cache-control": "private, max-age=3600"})
