"""Deezer: find a track by ISRC, check that it is the same recording, and fetch its preview.

Addresses of previews expire after about 15 minutes, so a track is found and fetched in one task. The API always
responds with status 200; its error codes are classified in :mod:`genreatlas.sources.outcomes`.
"""

import re
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote, urlsplit

from genreatlas.config import DeezerSection, FanOutSection
from genreatlas.errors import FetchError, Reason
from genreatlas.sources.credits import normalise_artist, split_guests
from genreatlas.sources.folder.catalogue import clean_isrc
from genreatlas.sources.hosts import hosts_of
from genreatlas.sources.http import fetch_json, polite_session
from genreatlas.sources.json_values import integer, mapping, mappings, number, text
from genreatlas.sources.previews.addresses import download
from genreatlas.sources.previews.provider import Preview, PreviewOf, usual_length
from genreatlas.values import JsonView

#: Remaster notes in titles. They are ignored: masterings of one recording sound alike to all features here,
#: unlike remixes, live takes and edits.
_REMASTER = re.compile(
    r"\s*(?:[-–—]\s*|[(\[]\s*)(?:[^()\[\]-]*\b)?remaster(?:ed)?\b[^()\[\]-]*[)\]]?\s*$", re.IGNORECASE
)
_GUESTS = re.compile(r"\s*[(\[]\s*(?:feat\.?|ft\.?|featuring|with)\s+[^)\]]*[)\]]", re.IGNORECASE)
_TAIL_GUESTS = re.compile(r"\s(?:feat\.?|ft\.?|featuring)\s+[^()\[\]]+?(?=\s+-\s|$)", re.IGNORECASE)
_JOINT = re.compile(r"\s*(?:,|;|&|/|\s(?:and|x|vs\.?|with)\s)\s*", re.IGNORECASE)

#: Maximum difference between durations of one recording, in seconds.
TOLERANCE_S = 3.0


@dataclass(frozen=True)
class Track:
    """A track of Deezer."""

    track_id: str
    title: str
    artists: tuple[str, ...]
    duration_s: float | None
    isrc: str | None
    preview_url: str


def parse_track(body: object) -> Track:
    """Parse the body of ``/track/isrc:…``.

    Raises
    ------
    FetchError : the body is not a track.
    """
    given = mapping(body)
    identity = integer(given.get("id"), 0, 2**63) if not isinstance(given.get("id"), str) else given["id"]
    if identity is None or not str(identity).isdecimal() or not isinstance(given.get("artist"), dict):
        said = text(mapping(given.get("error")).get("message"))
        raise FetchError(
            Reason.WRONG_CONTENT, f"Deezer's answer is not a track{f': {said}' if said else ''}.", transient=True
        )
    named = [given["artist"], *mappings(given.get("contributors"))]
    artists = dict.fromkeys(text(artist.get("name")) for artist in named)
    preview = given.get("preview")
    return Track(
        str(identity),
        text(given.get("title")) or "",
        tuple(name for name in artists if name),
        number(given.get("duration"), 1e-9),
        clean_isrc(text(given.get("isrc")) or ""),
        preview if isinstance(preview, str) and preview.isprintable() else "",
    )


@dataclass(frozen=True)
class DeezerPreviews:
    """Previews by ISRC."""

    settings: DeezerSection
    largest_mb: int
    name: ClassVar[str] = "deezer"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts of the API and of previews."""
        return (urlsplit(self.settings.api_url).netloc, *self.settings.hosts)

    def open(self, settings: FanOutSection) -> PreviewOf:
        """Create the sessions, and return the function that finds and fetches a preview."""
        named = (*hosts_of(self.settings.api_url), *self.settings.hosts)
        api = polite_session(settings, self.name, "json", named=named)
        files = polite_session(settings, self.name, "audio", self.largest_mb, named)

        def find(song: JsonView) -> Track:
            try:
                body = fetch_json(api, f"{self.settings.api_url}/track/isrc:{quote(song['isrc'], safe='')}")
            except FetchError as error:
                if error.reason is Reason.FORBIDDEN and error.http_status != 200:
                    # The API reports refusals in a body with status 200; another status comes from a proxy.
                    raise FetchError(error.reason, error.detail, error.http_status, transient=True) from None
                raise
            track = parse_track(body)
            if track.isrc and track.isrc != clean_isrc(song["isrc"]):
                raise FetchError(
                    Reason.WRONG_CONTENT, f"Deezer answered with another ISRC, {track.isrc}.", transient=True
                )
            return track

        def preview_of(song: JsonView) -> Preview:
            if not song["isrc"]:
                raise FetchError(Reason.NO_PREVIEW, "The song has no ISRC. Deezer is searched by ISRC.")
            track = require_same(song, find(song))
            try:
                data = download(files, track.preview_url)
            except FetchError as error:
                if error.reason is not Reason.LINK_EXPIRED:
                    raise
                # The address may have expired while waiting for the host's rate limit: retry once with a new one.
                data = download(files, require_same(song, find(song)).preview_url)
            declared = usual_length(track.duration_s)
            return Preview(data, f"deezer track {track.track_id}", self.settings.licence, declared)

        return preview_of


def require_same(song: JsonView, track: Track) -> Track:
    """Return the track if it is the same recording as the song and has a preview.

    Raises
    ------
    FetchError : reason ``version_mismatch`` or ``no_preview``.
    """
    seconds = song["duration_ms"] / 1000 if song["duration_ms"] else None
    words = mismatch(song["title"], song["artist"], seconds, track.title, list(track.artists), track.duration_s)
    if words:
        raise FetchError(Reason.VERSION_MISMATCH, f"Deezer track {track.track_id}: {words}")
    if not track.preview_url:
        raise FetchError(Reason.NO_PREVIEW, f"Deezer track {track.track_id} has no preview.")
    return track


def normalise_title(title: str) -> str:
    """Normalise a title: without guests, remaster notes, case, accents and punctuation."""
    plain = _TAIL_GUESTS.sub("", _GUESTS.sub("", title))
    return normalise_artist(_REMASTER.sub("", plain) or title)


def _normalised_artists(names: str) -> set[str]:
    """Normalised names in a credit: the whole credit, its primary artist, its guests and its parts."""
    primary, guests = split_guests(names)
    found = {names, primary, *guests, *_JOINT.split(primary)}
    return {normalise_artist(name) for name in found if name.strip()}


def mismatch(
    title: str | None, artist: str | None, duration_s: float | None,
    found_title: str, found_artists: list[str], found_duration_s: float | None,
) -> str:  # fmt: skip
    """Text why a found track is not the requested recording; empty if title, artist and duration agree.

    Unknown values are not compared. Another version, such as a live take, is another recording.

    Parameters
    ----------
    title, artist, duration_s : requested song, duration in seconds.
    found_title, found_artists, found_duration_s : found track, duration in seconds.
    """
    if title and normalise_title(title) != normalise_title(found_title):
        return f"The title is {found_title!r}, not {title!r}."
    if artist:
        named = set().union(*(_normalised_artists(name) for name in found_artists))
        if not named & _normalised_artists(artist):
            return f"The artist is {', '.join(found_artists)!r}, not {artist!r}."
    if duration_s and found_duration_s and abs(duration_s - found_duration_s) > TOLERANCE_S:
        return f"It lasts {found_duration_s:g} s, not {duration_s:g} s."
    return ""
