"""Analyses of tracks by their id at Deezer or Spotify: off until the configuration acknowledges the service's terms.

An id is all that is taken from a visitor. The service's own API, at the address of the configuration, says where the
preview lies; its bytes are deleted as soon as they are analysed.
"""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from genreatlas.errors import InputError
from genreatlas.sources.previews.by_id import parse_reference, services_on
from genreatlas.web.answers import known
from genreatlas.web.receiving import Token, cache_key, require_own_form, require_room
from genreatlas.web.state import state_of

PAGE, REST = "/tracks", "/rest/track"
#: What the services' rules call them.
NAMES = {"deezer": "Deezer", "spotify": "Spotify"}
_LOGOS = {".svg": "image/svg+xml", ".png": "image/png"}
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
rest_router = APIRouter(tags=["rest"])
Track = Annotated[
    str, Form(min_length=1, max_length=300, description="deezer:ID, spotify:track:ID, or a track's page.")
]


@router.post(PAGE)
def analyse_track(request: Request, track: Track, token: Token = "") -> Response:
    """Analyse a track by its id, and show how far that is."""
    return RedirectResponse(f"/analyses/{_accepted(request, track, token)}", 303)


@rest_router.post(REST, status_code=202)
def analyse_track_by_rest(request: Request, track: Track, token: Token = "") -> dict[str, str]:
    """Analyse the preview of a track of Deezer or Spotify. ``token`` is that of the page ``/upload``."""
    return {"analysis_id": _accepted(request, track, token)}


@router.get("/logos/{service}")
def logo(request: Request, service: str) -> Response:
    """A service's logo, as its owner of this site got it from the service."""
    path = known(state_of(request).config.web.logos.get(service), "logo")  # type: ignore[call-overload]
    kind = known(_LOGOS.get(path.suffix.lower()), "logo")
    return FileResponse(known(path if path.is_file() else None, "logo"), media_type=kind)


def _accepted(request: Request, text: str, token: str) -> str:
    state = state_of(request)
    require_own_form(request, token)
    try:
        reference = parse_reference(text)
    except InputError as error:
        raise HTTPException(422, str(error)) from None
    if reference.service not in services_on(state.config):
        name = NAMES[reference.service]
        raise HTTPException(
            403, f"Tracks of {name} are off here: the owner of this site has not acknowledged its terms."
        )
    visitor = state.visitor(request).key
    key = cache_key(state.site.extract, str(reference))
    earlier = state.work.find(visitor, key)
    if earlier is not None:
        return earlier.analysis_id
    require_room(state)
    keep_s = 3600 * state.config.web.keep_hours
    return state.work.add(visitor, key, str(reference), Path(str(reference)), uploaded=False, keep_s=keep_s)
