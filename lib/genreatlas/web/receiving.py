"""Checks of forms and uploads: form token, size, length of the queue."""

import hashlib
from pathlib import Path
from typing import Annotated

from fastapi import Form, HTTPException, Request, UploadFile

from genreatlas.ids import stable_id
from genreatlas.web.published import Extract
from genreatlas.web.state import State, state_of

Token = Annotated[str, Form(max_length=100)]
_CHUNK = 1 << 20


def require_own_form(request: Request, token: str) -> None:
    """Raise 403 if the form token is not the visitor's own."""
    if not state_of(request).visitor(request).owns(token):
        raise HTTPException(403, "The form has expired, or cookies are disabled. Reload the page and send it again.")


def keep_bytes(file: UploadFile, path: Path, most: int) -> str:
    """Write an upload of at most ``most`` bytes to a private file, and return its SHA-256."""
    digest, size = hashlib.sha256(), 0
    path.touch(0o600)
    with path.open("wb") as kept:
        while chunk := file.file.read(_CHUNK):
            size += len(chunk)
            if size > most:
                raise HTTPException(413, f"The file is larger than the limit of {most >> 20} MB.")
            digest.update(chunk)
            kept.write(chunk)
    if not size:
        raise HTTPException(422, "The file is empty. Choose another.")
    return digest.hexdigest()


def require_room(state: State) -> None:
    """Raise 503 if the queue is full."""
    if state.work.waiting() >= state.config.web.max_queue:
        raise HTTPException(503, "Too many files are waiting. Try again in a few minutes.", {"retry-after": "120"})


def cache_key(found: Extract, audio: str) -> str:
    """Cache key of an analysis: hash of the audio's id, the model, and the versions of all features."""
    model, space = found.facts["model"], found.facts["space"] or {}
    if model is None:
        raise HTTPException(503, f"Files cannot be analysed: {found.facts['model_reason']}.")
    versions = [space.get(name) for name in ("feature_set", "set_version", "preprocessing_id")]
    made = (model["model_id"], model["feature_set"], model["set_version"], found.facts["feature_set"], *versions)
    return stable_id(audio, *made, length=40)
