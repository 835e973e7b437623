"""Providers with addresses that are known in advance: Spotify previews, Every Noise examples, files of a manifest."""

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import requests

from genreatlas.config import FanOutSection, HttpSection
from genreatlas.errors import FetchError, Reason
from genreatlas.redaction import redact_url
from genreatlas.sources.http import fetch_bytes, polite_session
from genreatlas.sources.previews.provider import Preview, PreviewOf, usual_length
from genreatlas.values import JsonView

#: Reasons that mean that an address has expired, and whether they are transient: a missing file is final; a refusal
#: means an expired signature, and a new address may work.
_GONE = {Reason.NOT_FOUND: False, Reason.FORBIDDEN: True, Reason.UNAUTHORIZED: True}


def download(session: requests.Session, url: str) -> bytes:
    """Fetch the audio at an address given by a provider.

    Raises
    ------
    FetchError : the request failed; reason ``link_expired`` if the address is invalid or expired.
    """
    try:
        return fetch_bytes(session, url)
    except FetchError as error:
        if error.reason in _GONE:
            raise FetchError(Reason.LINK_EXPIRED, error.detail, error.http_status, _GONE[error.reason]) from None
        raise


@dataclass(frozen=True)
class SpotifyPreviews:
    """Previews at the address that the Web API returned with a song, for apps that still get one.

    Parameters
    ----------
    largest_mb : maximum size of a file in MB.
    named : configured hosts that may be on this machine or in a private network.
    """

    largest_mb: int
    named: tuple[str, ...] = ()
    name: ClassVar[str] = "spotify"
    hosts: ClassVar[tuple[str, ...]] = ("p.scdn.co",)
    column: ClassVar[str] = "preview_url"
    licence: ClassVar[str] = "Spotify preview, all rights reserved"

    def open(self, settings: FanOutSection) -> PreviewOf:
        """Create the session, and return the function that fetches a preview."""
        session = polite_session(settings, self.name, "audio", self.largest_mb, self.named)

        def preview_of(song: JsonView) -> Preview:
            url = song[self.column]
            if not url:
                raise FetchError(Reason.NO_PREVIEW, f"{self.name} has no preview of it.")
            declared = usual_length(song["duration_ms"] / 1000 if song["duration_ms"] else None)
            return Preview(download(session, url), redact_url(url), self.licence, declared)

        return preview_of


@dataclass(frozen=True)
class EveryNoisePreviews(SpotifyPreviews):
    """Examples that Every Noise At Once plays for genres and artists."""

    name: ClassVar[str] = "every_noise"
    column: ClassVar[str] = "example_url"


@dataclass(frozen=True)
class HttpFiles:
    """Whole files at the addresses of a manifest, verified with its checksums if given."""

    settings: HttpSection
    largest_mb: int
    name: ClassVar[str] = "http"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts configured in ``http.hosts``."""
        return self.settings.hosts

    def open(self, settings: FanOutSection) -> PreviewOf:
        """Create the session, and return the function that fetches a file."""
        session = polite_session(settings, self.name, "audio", self.largest_mb, self.settings.hosts)

        def preview_of(song: JsonView) -> Preview:
            url = song["file_url"]
            if not url:
                raise FetchError(Reason.NO_PREVIEW, "The list names no file of it.")
            data = download(session, url)
            require_checksum(data, song["checksum"])
            return Preview(data, redact_url(url), song["licence"] or self.settings.licence or None)

        return preview_of


def require_checksum(data: bytes, checksum: str | None) -> None:
    """Verify bytes with an MD5 or SHA-256 checksum in hexadecimal, if given.

    Raises
    ------
    FetchError : the checksum differs. The error is transient, because a damaged transfer is the most likely cause.
    """
    if not checksum:
        return
    kind = "md5" if len(checksum) == 32 else "sha256"
    found = hashlib.new(kind, data, usedforsecurity=False).hexdigest()
    if found != checksum.lower():
        raise FetchError(Reason.CHECKSUM_MISMATCH, f"{kind} is {found}, not {checksum.lower()}.", transient=True)
