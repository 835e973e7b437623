"""Read one list for its genres: a playlist, the songs of an artist, or the playlists found by a search.

:class:`SpotifyFetch` implements the interface of fan-outs: it maps a request of one of the kinds in :data:`_ANSWERS` to
a response. Both are JSON, which Spark can parse; a playlist of 150 songs is a string of 90 KB.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from genreatlas.config import FanOutSection, SpotifySection
from genreatlas.errors import FetchError, Reason
from genreatlas.ids import stable_id
from genreatlas.sources.credits import normalise_artist
from genreatlas.sources.hosts import hosts_of
from genreatlas.sources.http import polite_session
from genreatlas.sources.spotify.client import Spotify
from genreatlas.sources.spotify.pages import Listed, Page, Playlist
from genreatlas.sources.spotify.song_rows import choose, clip_id, credits_of, song_id, song_row
from genreatlas.sources.spotify.tokens import make_tokens, read_credentials
from genreatlas.values import JsonObject, JsonView, RowView

#: Maximum number of restarts of reading a playlist that changes meanwhile.
_RESTARTS = 2
#: Maximum number of results of a search in the API.
_SEARCH_END = 1000


@dataclass(frozen=True)
class Wanted:
    """A genre that a list is read for, and the maximum number of songs (``number``) chosen for the genre."""

    genre_id: str
    genre: str
    route: str
    role: str | None
    number: int
    weight: float = 1.0

    def selection(self, settings: Mapping[str, object]) -> str:
        """Hash of the criteria by which songs are chosen; if it changes, the list is read again."""
        return stable_id(self.genre_id, self.number, sorted(settings.items()), length=12)


@dataclass(frozen=True)
class _Reading:
    """Content of a list: distinct tracks, and the numbers of other entries by kind.

    Attributes
    ----------
    entries : number of entries that were read.
    total : length of the list as stated by the API.
    steady : whether the list had the same length on all pages.
    """

    tracks: tuple[Listed, ...]
    left_out: Counter[str]
    entries: int
    total: int | None
    steady: bool = True


def read_playlist(spotify: Spotify, playlist_id: str, genres: Sequence[Wanted], snapshot: str | None) -> JsonObject:
    """Read a playlist, unless its snapshot is unchanged.

    Parameters
    ----------
    snapshot : snapshot that was read before; None reads the playlist in any case.

    Returns
    -------
    ``{"unchanged": True}``, otherwise the playlist with its genres and songs; see :func:`_answer`.

    Raises
    ------
    FetchError : the playlist cannot be read, or the app has access only to its head (reason ``forbidden``).
    """
    if snapshot is not None and spotify.head(playlist_id).snapshot == snapshot:
        return {"unchanged": True}
    for _ in range(1 + _RESTARTS):
        playlist = spotify.playlist(playlist_id)
        if playlist.page is None:
            raise FetchError(
                Reason.FORBIDDEN,
                f"GET playlists/{playlist_id}: Spotify returned this playlist without its items. Since February 2026 "
                "apps in development mode read items of their user's own playlists only.",
                200,
            )
        reading = _read(playlist.page, spotify.further_pages(playlist, playlist_id), spotify.settings.max_entries)
        if reading.steady:
            break
    # The snapshot is stored only if one state was read; otherwise the next run reads the playlist again.
    head = _head(playlist) | {"snapshot": playlist.snapshot if reading.steady else None}
    return _answer(spotify, {"playlist_id": playlist_id, "kind": "playlist"} | head, reading, genres)


def read_artist(
    spotify: Spotify, playlist_id: str, name: str, artist_id: str | None, genres: Sequence[Wanted], page_size: int
) -> JsonObject:
    """Read songs of an artist with a search for tracks.

    Only tracks that credit the artist are used, by Spotify id if known, otherwise by name. Of several releases of one
    recording (one ISRC), one is used.
    """
    wanted = max(genre.number for genre in genres)
    query = f'artist:"{_plain(name)}"'
    kept: list[Listed] = []
    codes: set[str] = set()
    seen: set[str] = set()
    left_out, entries, total, offset = Counter[str](), 0, None, 0
    size = min(page_size, wanted)
    while len(kept) < wanted and offset < min(_SEARCH_END, 3 * max(wanted, size)):
        page = spotify.search_tracks(query, size, offset)
        entries, total, offset = entries + page.entries, page.total, offset + size
        left_out.update(page.left_out)
        for listed in page.tracks:
            track = listed.track
            credited = (
                artist_id in track.artist_ids if artist_id and track.artist_ids else _credits(track.artists, name)
            )
            if not credited:
                left_out["other_artist"] += 1
            elif track.spotify_id in seen or (track.isrc and track.isrc in codes):
                left_out["repeated"] += 1
            elif len(kept) < wanted:
                kept.append(listed)
                seen.add(track.spotify_id)
                codes |= {track.isrc} - {None}  # type: ignore[arg-type]
        if page.entries < size:
            break
    reading = _Reading(tuple(kept), left_out, entries, total)
    return _answer(spotify, {"playlist_id": playlist_id, "kind": "artist", "name": name}, reading, genres)


def find_playlists(spotify: Spotify, query: str, number: int, page_size: int) -> list[JsonObject]:
    """First ``number`` distinct playlists found by a search, in order; fewer if the search finds fewer."""
    found: dict[str, JsonObject] = {}
    offset, more = 0, True
    while more and len(found) < number and offset < _SEARCH_END:
        playlists, following = spotify.search_playlists(query, min(page_size, number), offset)
        for playlist in playlists:
            if len(found) < number:
                found.setdefault(playlist.playlist_id, {"position": len(found)} | vars(playlist))
        offset, more = offset + min(page_size, number), following is not None
    return list(found.values())


def _read(first: Page, further: Iterable[Page], most: int) -> _Reading:
    """Read all pages of a playlist, up to ``most`` entries."""
    tracks: dict[str, Listed] = {}
    left_out, totals, entries = Counter[str](), set[int | None](), 0
    for page in chain([first], further):
        entries += page.entries
        totals.add(page.total)
        left_out.update(page.left_out)
        for listed in page.tracks:
            left_out["repeated"] += listed.track.spotify_id in tracks
            tracks.setdefault(listed.track.spotify_id, listed)
        if entries >= most:
            break
    return _Reading(tuple(tracks.values()), +left_out, entries, first.total, steady=len(totals) == 1)


def _answer(spotify: Spotify, head: JsonObject, reading: _Reading, genres: Sequence[Wanted]) -> JsonObject:
    """Response for a list: its row of ``playlists`` without genres, its genres with numbers of songs, and chosen songs.

    A song has ``position`` and ``listed_at`` in the list, ``genres`` (ids for which it was chosen) and ``credits``.
    """
    settings = spotify.settings
    by_genre = {
        wanted.genre_id: choose(
            (t.track.spotify_id for t in reading.tracks), wanted.number, settings.seed, wanted.genre_id
        )
        for wanted in genres
    }
    songs = []
    for listed in reading.tracks:
        chosen = [genre_id for genre_id, kept in by_genre.items() if listed.track.spotify_id in kept]
        if chosen:
            credits = [vars(credit) for credit in credits_of(listed.track)]
            songs.append(
                {
                    "song": song_row(listed.track, settings.market),
                    "position": listed.position,
                    "listed_at": listed.added_at.isoformat() if listed.added_at else None,
                    "genres": chosen,
                    "credits": [credit | {"position": place} for place, credit in enumerate(credits)],
                }
            )
    counted = {
        "total": reading.total,
        "entries": reading.entries,
        "tracks": len(reading.tracks),
        "left_out": dict(sorted(reading.left_out.items())),
    }
    read_for = [
        vars(wanted) | {"selection": wanted.selection(selected_by(settings)), "kept": len(by_genre[wanted.genre_id])}
        for wanted in genres
    ]
    return {"unchanged": False, "playlist": head | counted, "genres": read_for, "songs": songs}


def selected_by(settings: object) -> JsonObject:
    """Settings that determine which songs of a list are chosen."""
    return {name: getattr(settings, name) for name in ("seed", "max_entries", "market")}


def _head(playlist: Playlist) -> dict[str, object]:
    names = ("name", "owner_id", "owner", "public", "form")
    return {name: getattr(playlist, name) for name in names}


def _plain(name: str) -> str:
    """A name that can be quoted in a search query: without quotation marks and backslashes."""
    return " ".join(re.sub(r"[\"\\]", " ", name).split())


def _credits(artists: Iterable[str], name: str) -> bool:
    return normalise_artist(name) in map(normalise_artist, artists)


#: Name of the provider in attempts and pauses.
PROVIDER = "spotify"


@dataclass(frozen=True)
class SpotifyFetch:
    """Fetches requests from the Web API; implements the interface of fan-outs.

    A given client is used only in this process and not serialised. Other processes create their own client, with
    credentials from their environment, so that Spark plans contain no credentials.
    """

    settings: SpotifySection
    client: Spotify | None = field(default=None, repr=False, compare=False)
    providers: tuple[str, ...] = (PROVIDER,)
    columns: str = "answer string"

    def __getstate__(self) -> dict[str, object]:
        return vars(self) | {"client": None}

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts of the API and of the accounts service."""
        return tuple(urlsplit(url).netloc for url in (self.settings.api_url, self.settings.accounts_url))

    def open(self, fan_out: FanOutSection) -> Callable[[JsonView, str], JsonView]:
        """Create the client of a process, and return the function that fetches one row."""
        spotify = self.client or open_spotify(self.settings, fan_out)

        def fetch(row: RowView, provider: str) -> RowView:
            answer = _ANSWERS[row["kind"]](spotify, json.loads(row["request"]))
            return {"answer": json.dumps(answer, ensure_ascii=False)}

        return fetch


def open_spotify(settings: SpotifySection, fan_out: FanOutSection) -> Spotify:
    """Create a client for the app and user given in environment variables.

    Raises
    ------
    ConfigError : an environment variable is missing.
    """
    named = hosts_of(settings.api_url, settings.accounts_url)
    session = polite_session(fan_out, PROVIDER, "json", named=named)
    return Spotify(settings, session, make_tokens(settings, read_credentials(settings), session))


def _playlist(spotify: Spotify, request: JsonObject) -> JsonObject:
    genres = [Wanted(**genre) for genre in request["genres"]]
    return read_playlist(spotify, request["playlist_id"], genres, request["snapshot"])


def _artist(spotify: Spotify, request: JsonObject) -> JsonObject:
    genres = [Wanted(**genre) for genre in request["genres"]]
    return read_artist(
        spotify, request["playlist_id"], request["name"], request["artist_id"], genres, request["page_size"]
    )


def _search(spotify: Spotify, request: JsonObject) -> JsonObject:
    found = find_playlists(spotify, request["query"], request["number"], request["page_size"])
    return {"query": request["query"], "playlists": found}


def _features(spotify: Spotify, request: list[str]) -> list[JsonObject]:
    found = {features.spotify_id: features.values for features in spotify.audio_features(request)}
    return [
        {"clip_id": clip_id(i), "song_id": song_id(i), "spotify_id": i, "heard": i in found} | dict(found.get(i, {}))
        for i in request
    ]


def _analysis(spotify: Spotify, request: str) -> JsonObject:
    return {"track_key": request, "song_id": song_id(request), "source": "api"} | spotify.audio_analysis(request)


_ANSWERS: dict[str, Callable[[Spotify, Any], object]] = {
    "playlist": _playlist,
    "artist": _artist,
    "search": _search,
    "features": _features,
    "analysis": _analysis,
}
