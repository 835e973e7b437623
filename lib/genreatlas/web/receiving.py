"""What every form and upload passes: the visitor's own token, and bytes that are bounded."""

import hashlib
from pathlib import Path
from typing import Annotated

from fastapi import Form, HTTPException, Request, UploadFile

from genreatlas.web.state import state_of

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
