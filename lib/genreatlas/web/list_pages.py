"""Genres of a list that a visitor uploads. The list is deleted once it is read; nothing of it is stored."""

import secrets

from fastapi import APIRouter, HTTPException, Request, UploadFile
from fastapi.responses import HTMLResponse, Response

from genreatlas.errors import InputError
from genreatlas.values import JsonObject
from genreatlas.web.answers import extract_of, page
from genreatlas.web.apart import BusyError, run_apart
from genreatlas.web.receiving import Token, keep_bytes, require_own_form
from genreatlas.web.rest import Json
from genreatlas.web.state import state_of

#: Paths that accept lists.
PAGE, REST = "/fit", "/rest/fit"
_SECONDS, _MEMORY_MB = 60.0, 1000
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
rest_router = APIRouter(tags=["rest"])


@router.get(PAGE)
def list_form(request: Request) -> Response:
    """Page with the form for a list."""
    return _page(request, None, "")


@router.post(PAGE)
def fit(request: Request, file: UploadFile, token: Token = "") -> Response:
    """Page with the genres of an uploaded list."""
    return _page(request, _fitted(request, file, token), (file.filename or "").strip()[:200])


@rest_router.post(REST)
def fit_by_rest(request: Request, file: UploadFile, token: Token = "") -> Response:
    """Genres of a list: M3U, XSPF, a table (CSV), Spotify's privacy export or ListenBrainz listens.

    ``matched`` is the number of ``entries`` that are songs of the lake; ``by`` counts them by the key that matched.
    ``token`` is the form token of the page ``/fit``, which also sets the required cookie.
    """
    return Json(_fitted(request, file, token), headers={"cache-control": "no-store"})


def _page(request: Request, answer: JsonObject | None, name: str) -> Response:
    most = state_of(request).config.web.max_list_mb
    return page(request, "fit.html.j2", answer=answer, name=name, most=most, n_songs=extract_of(request).count("songs"))


def _fitted(request: Request, file: UploadFile, token: str) -> JsonObject:
    state = state_of(request)
    require_own_form(request, token)
    path = state.places.uploads / f"{secrets.token_hex(16)}.list"
    order = {"path": str(path), "name": file.filename or "", "extract": str(state.site.extract.folder.absolute())}
    try:
        keep_bytes(file, path, state.config.web.max_list_mb << 20)
        answer: JsonObject = run_apart("genreatlas.web.fitting", order, _SECONDS, _MEMORY_MB)
        return answer
    except InputError as error:
        raise HTTPException(422, str(error)) from None
    except BusyError as error:
        raise HTTPException(503, str(error), {"retry-after": "30"}) from None
    finally:
        path.unlink(missing_ok=True)
