"""Analyses of uploaded files and of clips of the lake, and corrections by visitors."""

import os
import secrets
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.background import BackgroundTask

from genreatlas.errors import InputError
from genreatlas.sources.folder.catalogue import SOURCE as CORRECTABLE
from genreatlas.sources.previews.by_id import services_on
from genreatlas.values import JsonObject, Row
from genreatlas.web.answers import compared, extract_of, known, page
from genreatlas.web.apart import BusyError
from genreatlas.web.csv_tables import as_table
from genreatlas.web.published import Extract
from genreatlas.web.receiving import Token, cache_key, keep_bytes, require_own_form, require_room
from genreatlas.web.rendering import plain
from genreatlas.web.rest import analysis_state
from genreatlas.web.state import State, state_of
from genreatlas.web.tagging import TABLE, Tagged, available, file_name, make_zip
from genreatlas.web.tracks import NAMES
from genreatlas.web.work import EVERYBODY

#: Paths that accept files.
PAGE, REST = "/upload", "/rest/analysis"
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
rest_router = APIRouter(tags=["rest"])
Keep = Annotated[bool, Form(description="Keep the file for web.keep_hours, so that a tagged copy can be downloaded.")]
#: Time limit for a zip of tagged copies, in seconds.
_ZIP_S = 120.0


@router.get(PAGE)
def upload_form(request: Request) -> Response:
    """Page with the upload form."""
    section = state_of(request).config.web
    facts = extract_of(request).facts
    return page(
        request, "upload.html.j2", most=section.max_upload_mb, hours=section.keep_hours, model=facts["model"],
        reason=facts["model_reason"], can_tag=available(),
        services=[NAMES[one] for one in services_on(state_of(request).config)],
    )  # fmt: skip


@router.post(PAGE)
def upload(request: Request, file: UploadFile, token: Token = "", keep: Keep = False) -> Response:
    """Accept a file and redirect to the page of its analysis."""
    return RedirectResponse(f"/analyses/{_accepted(request, file, token, keep)}", 303)


@rest_router.post(REST, status_code=202)
def upload_by_rest(request: Request, file: UploadFile, token: Token = "", keep: Keep = False) -> dict[str, str]:
    """Upload a file for analysis. ``token`` is the form token of ``/upload``, which also sets the required cookie."""
    return {"analysis_id": _accepted(request, file, token, keep)}


def _accepted(request: Request, file: UploadFile, token: str, keep: bool) -> str:
    """Id of the analysis of a file: a new one, or the visitor's existing analysis of the same audio."""
    state = state_of(request)
    require_own_form(request, token)
    require_room(state)
    keep = keep and available()
    path = state.places.uploads / secrets.token_hex(16)
    try:
        digest = keep_bytes(file, path, state.config.web.max_upload_mb << 20)
        key = cache_key(state.site.extract, digest)
        visitor = state.visitor(request).key
        if keep:
            _has_room_to_keep(state, visitor, path.stat().st_size)
        earlier = state.work.find(visitor, key)
        if earlier is not None:
            kept = _kept_file(state, earlier.analysis_id)
            if keep and not kept.exists():
                path.rename(kept)
            path.unlink(missing_ok=True)
            return earlier.analysis_id
        name = plain(file.filename or "").strip()[:200] or "a file without a name"
        keep_s = 3600 * state.config.web.keep_hours
        spare = path.with_suffix(".spare")
        if keep:
            os.link(path, spare)  # the queue deletes the original after the analysis
        try:
            analysis_id = state.work.add(visitor, key, name, path, uploaded=True, keep_s=keep_s)
            if keep:
                spare.rename(_kept_file(state, analysis_id))
        finally:
            spare.unlink(missing_ok=True)
        return analysis_id
    except BaseException:
        path.unlink(missing_ok=True)  # the upload was not accepted
        raise


def _kept_file(state: State, analysis_id: str) -> Path:
    """Path of the file that is kept for a tagged copy."""
    return state.places.uploads / f"{analysis_id}.kept"


def _has_room_to_keep(state: State, visitor: str, size: int) -> None:
    """Raise 413 if the visitor's kept files would exceed ``web.max_kept_mb``."""
    most = state.config.web.max_kept_mb << 20
    for job in state.work.of_visitor(visitor):
        kept = _kept_file(state, job.analysis_id)
        size += kept.stat().st_size if kept.exists() else 0
    if size > most:
        raise HTTPException(
            413,
            f"The site keeps at most {most >> 20} MB of your files. Send this file without keeping it, or wait "
            "until earlier files have expired.",
        )


@router.get("/analyses")
def analyses(request: Request) -> Response:
    """Page with all files of a visitor and their genres."""
    rows = _rows(request)
    return page(request, "analyses.html.j2", rows=rows, n_kept=sum(row["kept"] is not None for row in rows))


@router.get("/analyses.csv")
def analyses_as_csv(request: Request) -> Response:
    """CSV of a visitor's files: name, state, genre, score, and all genres of the prediction set."""
    rows = [
        (row["name"], row["state"], row["genre"], "" if row["score"] is None else f"{row['score']:.4f}",
         "; ".join(row["several"]))
        for row in _rows(request)
    ]  # fmt: skip
    text = as_table(rows, ("file", "state", "genre", "score", "genres"))
    headers = {"content-disposition": 'attachment; filename="genres.csv"', "cache-control": "no-store"}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/analyses.zip")
def analyses_as_zip(request: Request) -> Response:
    """Zip of tagged copies of the kept files; the files themselves are not changed."""
    state = state_of(request)
    files: list[Tagged] = []
    names = [TABLE]
    for row in reversed(_rows(request)):  # in the order of upload
        if row["kept"] is not None and row["state"] == "done":
            names.append(file_name(row["name"], names))
            files.append(Tagged(str(row["kept"]), names[-1], tuple(row["several"])))
    if not files:
        raise HTTPException(404, "None of your files is kept. Select the option to keep files when you send them.")
    target = state.places.uploads / f"{secrets.token_hex(16)}.zip"
    try:
        make_zip(files, target, _ZIP_S, state.config.limits.clip_memory_mb)
    except InputError as error:
        raise HTTPException(422, str(error)) from None
    except BusyError as error:
        raise HTTPException(503, str(error), {"retry-after": "30"}) from None
    deleted = BackgroundTask(target.unlink, missing_ok=True)
    headers = {"cache-control": "no-store"}
    return FileResponse(
        target, media_type="application/zip", filename="genres.zip", headers=headers, background=deleted
    )


def _rows(request: Request) -> list[Row]:
    """The visitor's files with their genres; the visitor's own correction replaces predicted genres."""
    state = state_of(request)
    visitor = state.visitor(request).key
    names = state.site.extract.genre_names()
    said = state.work.corrected(visitor)
    rows = []
    for job in state.work.of_visitor(visitor):
        answer = job.answer if job.state == "done" else None
        first = answer["genres"][0] if answer else {"genre_id": None, "name": "", "score": None}
        several = (answer["set"] if answer and not answer["abstains"] else []) or [first["name"]]
        own = names.get(said.get(answer["sha256"], "")) if answer else None
        kept = _kept_file(state, job.analysis_id)
        rows.append(
            {
                "analysis_id": job.analysis_id, "name": job.name, "state": job.state, "genre": own or first["name"],
                "score": None if own else first["score"], "several": [own] if own else several, "detail": job.detail,
                "own": bool(own), "kept": kept if kept.exists() else None,
            }
        )  # fmt: skip
    return rows


@router.post("/songs/{song_id}/analyse")
def analyse_song(request: Request, song_id: str, token: Token = "") -> Response:
    """Analyse the clip of a song of the lake; the result is visible to all visitors."""
    state = state_of(request)
    require_own_form(request, token)
    found = state.site.extract
    shown = known(found.song(song_id), "song")
    clip_id = shown["clip"]["clip_id"] if shown["clip"] else ""
    path, _ = known(found.clip(clip_id), "clip of this song")
    key = cache_key(found, clip_id)
    earlier = state.work.find(EVERYBODY, key)
    if earlier is None:
        require_room(state)
        name = " – ".join(one for one in (shown["artist"], shown["title"]) if one) or song_id
        keep_s = 3600 * state.config.web.keep_hours
        analysis_id = state.work.add(EVERYBODY, key, name, path, uploaded=False, keep_s=keep_s)
    else:
        analysis_id = earlier.analysis_id
    return RedirectResponse(f"/analyses/{analysis_id}", 303)


@router.get("/analyses/{analysis_id}")
async def analysis(request: Request, analysis_id: str) -> Response:
    """Page of an analysis: its progress or result."""
    # Cached pages are answered in the event loop: with many threads that wait for one another, some answers are late.
    state = state_of(request)
    found = state.site.extract
    key = (analysis_id, state.visitor(request).key, found.folder)
    if (kept := state.pages.get(key)) is not None:
        return HTMLResponse(kept, headers={"cache-control": "no-store"})
    return await run_in_threadpool(_analysis, request, found, key)


def _analysis(request: Request, found: Extract, key: tuple[str, str, Path]) -> Response:
    state, analysis_id = state_of(request), key[0]
    shown = known(analysis_state(state, request, analysis_id), "analysis. If it has expired, upload the file again")
    if shown["state"] == "failed":
        return page(request, "failed.html.j2", 422, shown=shown)
    if shown["state"] != "done":
        return page(request, "waiting.html.j2", shown=shown)
    with state.pages.making(key):
        if (kept := state.pages.get(key)) is not None:
            return HTMLResponse(kept, headers={"cache-control": "no-store"})
        made = _analysis_page(request, found, shown)
        if not state.visitor(request).is_new:
            state.pages.put(key, bytes(made.body), shown["expires"])
    return made


def _analysis_page(request: Request, found: Extract, shown: JsonObject) -> Response:
    answer = shown["answer"]
    first = answer["genres"][0]
    of_songs = {one["song_id"]: one["similarity"] for one in answer.get("similar", ())}
    ranks = [rank for one in of_songs if (rank := found.rank("songs", one)) is not None]
    similar = [song | {"similarity": of_songs[song["song_id"]]} for song in found.songs(ranks)]
    rows = compared(found, [one for one in answer.get("features", ()) if one["feature"] in found.features], first)
    return page(
        request, "analysis.html.j2", shown=shown, answer=answer, compared=rows, similar=similar, genres=found.largest,
        genre=first, clip=found.clip_of(answer["sha256"]), places=found.genre_places, services=NAMES,
        logos=state_of(request).config.web.logos,
    )  # fmt: skip


@router.post("/corrections")
def correct(
    request: Request,
    genre: Annotated[str, Form(min_length=1, max_length=200)],
    song_id: Annotated[str, Form(max_length=200)] = "",
    analysis_id: Annotated[str, Form(max_length=100)] = "",
    token: Token = "",
) -> Response:
    """Store a visitor's correction of a genre."""
    state = state_of(request)
    require_own_form(request, token)
    found = state.site.extract
    names = found.genre_names()
    by_name = {name.casefold(): genre_id for genre_id, name in names.items()}
    genre_id = genre if genre in names else by_name.get(genre.strip().casefold())
    if genre_id is None:
        raise HTTPException(422, "This site has no genre of that name. Choose one from the list.")
    visitor = state.visitor(request).key
    if song_id:
        shown = known(found.song(song_id), "song")
        if shown["source"] != CORRECTABLE:
            raise HTTPException(409, "The genres of this song come from a list or table and cannot be corrected here.")
        said = (shown["prediction"] or {}).get("predicted")
        model_id = found.facts["model"]["model_id"] if found.facts["model"] else None
        state.work.correct(visitor, genre_id, song_id=song_id, said=said, model_id=model_id)
        back = f"/songs/{song_id}"
    else:
        told = known(analysis_state(state, request, analysis_id), "analysis")
        answer = told.get("answer") or {}
        if "sha256" not in answer:
            raise HTTPException(409, "This analysis has no result yet, so it cannot be corrected.")
        said, model_id = answer["genres"][0]["genre_id"], answer["model_id"]
        state.work.correct(visitor, genre_id, sha256=answer["sha256"], said=said, model_id=model_id)
        back = f"/analyses/{analysis_id}"
    return page(request, "thanks.html.j2", genre=names[genre_id], back=back)
