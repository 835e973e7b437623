"""Fetch one track with its preview by its Deezer or Spotify id, for use by the site and not for the store."""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from genreatlas.config import Config
from genreatlas.errors import FetchError, InputError, Reason
from genreatlas.sources.hosts import hosts_of
from genreatlas.sources.http import fetch_json, polite_session
from genreatlas.sources.previews import open_provider
from genreatlas.sources.previews.addresses import download
from genreatlas.sources.previews.deezer import parse_track as parse_deezer_track
from genreatlas.sources.previews.provider import SONG_COLUMNS
from genreatlas.sources.spotify.links import parse_link
from genreatlas.sources.spotify.lists import open_spotify
from genreatlas.sources.spotify.pages import parse_track as parse_spotify_track
from genreatlas.values import JsonView

Service = Literal["deezer", "spotify"]
#: Number of tries and maximum seconds of a request; low, because a visitor is waiting.
_TRIES, _TOTAL_S = 2, 20.0
_DEEZER_PAGE = re.compile(r"/(?:[a-z]{2}(?:-[a-z]{2})?/)?track/(\d{1,18})/?", re.IGNORECASE)
_SPOTIFY_ID = re.compile(r"[0-9A-Za-z]{22}")


@dataclass(frozen=True)
class Reference:
    """Id of a track at a service."""

    service: Service
    track_id: str

    def __str__(self) -> str:
        return f"{self.service}:{self.track_id}"

    @property
    def link(self) -> str:
        """Address of the track's page at the service."""
        if self.service == "deezer":
            return f"https://www.deezer.com/track/{self.track_id}"
        return f"https://open.spotify.com/track/{self.track_id}"


@dataclass(frozen=True)
class FoundTrack:
    """A track with its preview.

    Attributes
    ----------
    audio : bytes of the preview.
    given_by : service of the preview; Deezer for a Spotify track without a preview of its own.
    """

    reference: Reference
    title: str
    artist: str
    audio: bytes
    given_by: Service


def parse_reference(text: str) -> Reference:
    """Parse an id with its service, or a link to a track's page. No request is sent, and the address is not kept.

    Raises
    ------
    InputError : the text is neither.
    """
    plain = text.strip()
    service, _, name = plain.partition(":")
    if service.lower() == "deezer" and name.isascii() and name.isdecimal() and len(name) <= 18:
        return Reference("deezer", name)
    if service.lower() == "spotify" and _SPOTIFY_ID.fullmatch(name):
        return Reference("spotify", name)
    link = parse_link(plain)
    if link is not None and link.kind == "track":
        return Reference("spotify", link.id)
    try:
        parts = urlsplit(plain if "//" in plain else f"//{plain}")
    except ValueError:
        parts = urlsplit("")
    found = _DEEZER_PAGE.fullmatch(parts.path)
    if found and (parts.hostname or "") in ("deezer.com", "www.deezer.com"):
        return Reference("deezer", found[1])
    raise InputError(
        "This is not the id or the address of a track. Write deezer:3135553, spotify:track:ID, or the address of a "
        "track's page at Deezer or Spotify."
    )


def services_on(config: Config) -> tuple[Service, ...]:
    """Services whose terms are acknowledged in the configuration."""
    on = {"deezer": config.deezer.acknowledge_terms, "spotify": config.spotify.acknowledge_terms}
    return tuple(service for service in ("deezer", "spotify") if on[service])


def fetch_track(reference: Reference, config: Config) -> FoundTrack:
    """Fetch a track and its preview from a service.

    Raises
    ------
    ConfigError : the service's terms are not acknowledged, or credentials are missing.
    FetchError : there is no such track, it has no preview, or a request failed.
    """
    settings = config.fan_out.model_copy(update={"tries": _TRIES, "total_s": _TOTAL_S, "backoff_s": 0.5})
    config = config.model_copy(update={"fan_out": settings})
    provider = open_provider(reference.service, config)  # raises if the terms are not acknowledged
    if reference.service == "deezer":
        return _of_deezer(reference, config)
    body = open_spotify(config.spotify, settings).track(reference.track_id)
    track = parse_spotify_track(body)
    if isinstance(track, str):
        raise FetchError(Reason.NOT_FOUND, f"Spotify has no such track ({track}).")
    song = dict.fromkeys(SONG_COLUMNS) | {
        "title": track.title, "artist": "; ".join(track.artists), "isrc": track.isrc,
        "duration_ms": track.duration_ms, "preview_url": track.preview_url,
    }  # fmt: skip
    given_by: Service = "spotify"
    try:
        audio = provider.open(settings)(song).data
    except FetchError as error:
        if error.reason not in (Reason.NO_PREVIEW, Reason.LINK_EXPIRED) or not config.deezer.acknowledge_terms:
            raise
        audio, given_by = open_provider("deezer", config).open(settings)(song).data, "deezer"
    return FoundTrack(reference, track.title or "", ", ".join(track.artists), audio, given_by)


def _of_deezer(reference: Reference, config: Config) -> FoundTrack:
    section, largest = config.deezer, config.fetch_previews.max_file_mb
    named = (*hosts_of(section.api_url), *section.hosts)
    api = polite_session(config.fan_out, "deezer", "json", named=named)
    body: JsonView = fetch_json(api, f"{section.api_url}/track/{reference.track_id}")
    track = parse_deezer_track(body)
    if not track.preview_url:
        raise FetchError(Reason.NO_PREVIEW, f"Deezer track {track.track_id} has no preview.")
    audio = download(polite_session(config.fan_out, "deezer", "audio", largest, named), track.preview_url)
    return FoundTrack(reference, track.title, ", ".join(track.artists), audio, "deezer")
