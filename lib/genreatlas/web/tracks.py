"""Analyses of Deezer or Spotify tracks by id; disabled until the configuration acknowledges the service's terms.

Only an id is accepted from a visitor. The address of the preview comes from the service's API, whose address is
configured; the audio is deleted after the analysis.
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
#: Display names of the services, as their brand rules require.
NAMES = {"deezer": "Deezer", "spotify": "Spotify"}
_LOGOS = {".svg": "image/svg+xml", ".png": "image/png"}
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
rest_router = APIRouter(tags=["rest"])
Track = Annotated[
    str,
    Form(min_length=1, max_length=300, description="deezer:ID, spotify:track:ID, or the URL of a track's page."),
]


@router.post(PAGE)
def analyse_track(request: Request, track: Track, token: Token = "") -> Response:
    """Queue the analysis of a track and redirect to its page."""
    return RedirectResponse(f"/analyses/{_accepted(request, track, token)}", 303)


@rest_router.post(REST, status_code=202)
def analyse_track_by_rest(request: Request, track: Track, token: Token = "") -> dict[str, str]:
    """Analyse the preview of a Deezer or Spotify track. ``token`` is the form token of the page ``/upload``."""
    return {"analysis_id": _accepted(request, track, token)}


@router.get("/logos/{service}")
def logo(request: Request, service: str) -> Response:
    """A service's logo, from the file configured in ``web.logos``."""
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
            403, f"Tracks of {name} are disabled: the owner of this site has not acknowledged its terms."
        )
    visitor = state.visitor(request).key
    key = cache_key(state.site.extract, str(reference))
    earlier = state.work.find(visitor, key)
    if earlier is not None:
        return earlier.analysis_id
    require_room(state)
    keep_s = 3600 * state.config.web.keep_hours
    return state.work.add(visitor, key, str(reference), Path(str(reference)), uploaded=False, keep_s=keep_s)
