"""What every form and upload passes: the visitor's own token, and bytes that are bounded."""

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
    """Refuse a form that this visitor was not given."""
    if not state_of(request).visitor(request).owns(token):
        raise HTTPException(403, "This form is too old, or cookies are off. Load the page again and send it once more.")


def keep_bytes(file: UploadFile, path: Path, most: int) -> str:
    """Write an upload to a file that only its owner reads, and return its SHA-256."""
    digest, size = hashlib.sha256(), 0
    path.touch(0o600)
    with path.open("wb") as kept:
        while chunk := file.file.read(_CHUNK):
            size += len(chunk)
            if size > most:
                raise HTTPException(413, f"The file is larger than {most >> 20} MB, the most that is taken here.")
            digest.update(chunk)
            kept.write(chunk)
    if not size:
        raise HTTPException(422, "The file is empty. Choose another.")
    return digest.hexdigest()


def require_room(state: State) -> None:
    """Refuse what would wait too long."""
    if state.work.waiting() >= state.config.web.max_queue:
        raise HTTPException(503, "Too many files are waiting. Try again in some minutes.", {"retry-after": "120"})


def cache_key(found: Extract, audio: str) -> str:
    """Names an analysis: the audio, the model, and the versions of all features."""
    model, space = found.facts["model"], found.facts["space"] or {}
    if model is None:
        raise HTTPException(503, f"Nothing can be analysed here: {found.facts['model_reason']}.")
    versions = [space.get(name) for name in ("feature_set", "set_version", "preprocessing_id")]
    made = (model["model_id"], model["feature_set"], model["set_version"], found.facts["feature_set"], *versions)
    return stable_id(audio, *made, length=40)
