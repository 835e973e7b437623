"""Providers whose addresses are known beforehand: Spotify's previews, Every Noise's examples, files of a list."""

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

#: What a server says of an address that was good once. Without the file, it is gone; with a refusal, the signature
#: is too old, and a fresh one may do.
_GONE = {Reason.NOT_FOUND: False, Reason.FORBIDDEN: True, Reason.UNAUTHORIZED: True}


def download(session: requests.Session, url: str) -> bytes:
    """Fetch the audio at an address that a provider gave.

    Raises
    ------
    FetchError : ``link_expired`` where the address is not, or no longer, good.
    """
    try:
        return fetch_bytes(session, url)
    except FetchError as error:
        if error.reason in _GONE:
            raise FetchError(Reason.LINK_EXPIRED, error.detail, error.http_status, _GONE[error.reason]) from None
        raise


@dataclass(frozen=True)
class SpotifyPreviews:
    """The preview address that the Web API gave with a song, where the app still gets one.

    ``named`` are hosts of the configuration: a list may send requests to this machine only where it names it.
    """

    largest_mb: int
    named: tuple[str, ...] = ()
    name: ClassVar[str] = "spotify"
    hosts: ClassVar[tuple[str, ...]] = ("p.scdn.co",)
    column: ClassVar[str] = "preview_url"
    licence: ClassVar[str] = "Spotify preview, all rights reserved"

    def open(self, settings: FanOutSection) -> PreviewOf:
        """Make the session."""
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
    """The example that Every Noise At Once plays for a genre or an artist."""

    name: ClassVar[str] = "every_noise"
    column: ClassVar[str] = "example_url"


@dataclass(frozen=True)
class HttpFiles:
    """Whole files at the addresses of a list, with their checksums where it states them."""

    settings: HttpSection
    largest_mb: int
    name: ClassVar[str] = "http"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Those that the section names."""
        return self.settings.hosts

    def open(self, settings: FanOutSection) -> PreviewOf:
        """Make the session."""
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
    """Compare bytes with an MD5 or SHA-256 in hexadecimal; without one there is nothing to compare.

    Raises
    ------
    FetchError : they differ. A broken transfer is the likeliest cause, so it is tried again.
    """
    if not checksum:
        return
    kind = "md5" if len(checksum) == 32 else "sha256"
    found = hashlib.new(kind, data, usedforsecurity=False).hexdigest()
    if found != checksum.lower():
        raise FetchError(Reason.CHECKSUM_MISMATCH, f"{kind} is {found}, not {checksum.lower()}.", transient=True)
