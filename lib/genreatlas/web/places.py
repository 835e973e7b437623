"""Files that the site creates, in addition to the extracts: database, uploads and secret."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from genreatlas.config import Config


@dataclass(frozen=True)
class Places:
    """Locations of a site: folder of uploads, secret for tokens, and URL of the database."""

    uploads: Path
    secret: bytes
    database: str


def prepare(config: Config) -> Places:
    """Create the folders of a site, readable only by their owner."""
    work = config.web.path.absolute() / "work"
    uploads = work / "uploads"
    uploads.mkdir(parents=True, exist_ok=True)
    work.chmod(0o700)
    return Places(uploads, _secret(work / "secret"), config.web.database or f"sqlite:///{work / 'site.sqlite'}")


def _secret(path: Path) -> bytes:
    """Persistent secret that signs form tokens; created on first use."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(32))
    return path.read_bytes()
