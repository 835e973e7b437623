"""Client of the Web API, which sends requests, renews tokens and parses bodies, and a probe of the app's access.

spotipy provides addresses and headers. Its error handling is not used: it sleeps as long as Spotify requests, reports
every failure after retries as 429, and drops the headers. Errors are raised by the session as
:class:`~genreatlas.errors.FetchError`, with status, reason and time of the next attempt.

Spotify removed access from new apps on 2024-11-27, and from all apps in development mode in February 2026; apps with an
extended quota were exempt. No endpoint reports the kind of an app, so the probe tests each ability with a request.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import requests
import spotipy
from spotipy.exceptions import SpotifyException

from genreatlas.config import SpotifySection
from genreatlas.errors import FetchError, ProviderPausedError, Reason
from genreatlas.sources.http import checked
from genreatlas.sources.json_values import UnexpectedBody, mapping
from genreatlas.sources.spotify.analysis import AudioFeatures, parse_analysis, parse_audio_features
from genreatlas.sources.spotify.pages import (
    Form,
    FoundPlaylist,
    Page,
    Playlist,
    Track,
    parse_page,
    parse_playlist,
    parse_playlist_page,
    parse_track_page,
)
from genreatlas.sources.spotify.tokens import Tokens
from genreatlas.values import JsonObject

T = TypeVar("T")

#: Maximum number of tracks in one request for audio features.
FEATURES_BATCH = 100
#: Maximum number of repetitions of a request with a new token.
_TOKENS = 3
_TRACK = (
    "id,uri,type,name,is_local,episode,explicit,duration_ms,disc_number,track_number,popularity,preview_url,"
    "external_ids(isrc),artists(id,name),album(id,name,release_date,release_date_precision,images,artists(id,name))"
)
#: Requested fields. Without them, a page of 100 tracks is four times as long: each track lists 180 markets twice.
_ENTRY = f"added_at,is_local,track({_TRACK}),item({_TRACK})"
_PAGE = f"items({_ENTRY}),total,limit,offset,href,next"
#: Without this parameter, episodes look like withdrawn tracks.
_TYPES = {"additional_types": "track,episode"}
#: Maximum number of entries of a page in each form, if the page does not state it.
_LONGEST = {"tracks": 100, "items": 50}
_OF_LIST = re.compile(r"/playlists/([0-9A-Za-z]+)/")
_HEAD = "id,name,type,public,snapshot_id,owner(id,display_name)"


class Spotify:
    """Client of the Web API, for one app and one kind of authorisation. It can be shared by threads.

    Parameters
    ----------
    settings : the ``[spotify]`` section.
    session : session of :func:`genreatlas.sources.http.polite_session` with ``expects="json"``.
    tokens : source of access tokens.
    """

    def __init__(self, settings: SpotifySection, session: requests.Session, tokens: Tokens) -> None:
        self.settings = settings
        self._api = _Api(auth_manager=tokens, requests_session=session, requests_timeout=None, retries=0)
        self._api.prefix = settings.api_url.rstrip("/") + "/"

    def head(self, playlist_id: str) -> Playlist:
        """Playlist without its entries, to check whether it changed."""
        return self._playlist(playlist_id, _HEAD)

    def playlist(self, playlist_id: str) -> Playlist:
        """Playlist with its first page, if the app has access to it."""
        return self._playlist(playlist_id, f"{_HEAD},tracks({_PAGE}),items({_PAGE})")

    def further_pages(self, playlist: Playlist, playlist_id: str) -> Iterator[Page]:
        """Iterate over the pages after the first; each is requested when it is needed.

        Offsets are computed. Of the next page's address in a response only the page length is used, so that the token
        is never sent to another host.
        """
        page = playlist.page
        while page is not None and page.entries:
            offset = page.offset + page.entries
            if page.next is None and (page.total is None or offset >= page.total):
                return

            def parse(body: object, offset: int = offset) -> Page:
                return _same_list(playlist_id, offset, parse_page(body, offset))

            given = {"offset": offset, "limit": _length(page, playlist.form), "fields": _PAGE}
            page = self._ask(f"playlists/{playlist_id}/{playlist.form}", parse, **given, **_TYPES, **self._market)
            yield page

    def search_tracks(self, query: str, limit: int, offset: int = 0) -> Page:
        """One page of tracks found by a search."""
        parse = partial(parse_track_page, offset=offset)
        return self._ask("search", parse, q=query, type="track", limit=limit, offset=offset, **self._market)

    def search_playlists(self, query: str, limit: int, offset: int = 0) -> tuple[tuple[FoundPlaylist, ...], str | None]:
        """One page of playlists found by a search, and the address of the next page."""
        return self._ask("search", parse_playlist_page, q=query, type="playlist", limit=limit, offset=offset)

    def audio_features(self, track_ids: Sequence[str]) -> tuple[AudioFeatures, ...]:
        """Audio features of up to 100 tracks, in one request; tracks without any are missing."""
        asked = frozenset(track_ids)

        def parse(body: object) -> tuple[AudioFeatures, ...]:
            found = parse_audio_features(body)
            if not asked.issuperset(features.spotify_id for features in found):
                raise UnexpectedBody("the audio features belong to other tracks")
            several = mapping(body).get("audio_features")
            if isinstance(several, list) and len(several) != len(track_ids):
                # A track without features is null at its position; a track that is missing may have features.
                raise UnexpectedBody(
                    f"audio features of {len(track_ids)} tracks were requested, {len(several)} were received"
                )
            return found

        return self._ask("audio-features", parse, ids=",".join(track_ids))

    def audio_analysis(self, track_id: str) -> JsonObject:
        """Audio analysis of one track; there is no batch endpoint."""
        return self._ask(f"audio-analysis/{track_id}", parse_analysis)

    def tracks(self, track_ids: Sequence[str]) -> list[Any]:
        """Track objects of up to 50 tracks, in one request."""

        def parse(body: object) -> list[Any]:
            found = mapping(body).get("tracks")
            if not isinstance(found, list):
                raise UnexpectedBody("tracks were requested, but the body has no tracks")
            return found

        return self._ask("tracks", parse, ids=",".join(track_ids))

    def track(self, track_id: str) -> JsonObject:
        """One track object; available to all kinds of apps."""
        return self._ask(f"tracks/{track_id}", lambda body: dict(mapping(body)), **self._market)

    @property
    def _market(self) -> dict[str, str]:
        return {"market": self.settings.market} if self.settings.market else {}

    def _playlist(self, playlist_id: str, fields: str) -> Playlist:
        def parse(body: object) -> Playlist:
            playlist = parse_playlist(body)
            if playlist.playlist_id not in (playlist_id, None):
                raise UnexpectedBody("the body belongs to another playlist")
            if playlist.page is not None:
                _same_list(playlist_id, 0, playlist.page)
            return playlist

        return self._ask(f"playlists/{playlist_id}", parse, fields=fields, **_TYPES, **self._market)

    def _ask(self, path: str, parse: Callable[[object], T], **parameters: object) -> T:
        """Get and parse one body; repeat the request with a new token if the token is refused.

        Raises
        ------
        FetchError : the request failed, or the response has unexpected content.
        ConfigError : Spotify refuses the credentials.
        """
        for attempt in range(_TOKENS + 1):
            try:
                return parse(self._api.get(path, parameters))
            except UnexpectedBody as problem:
                raise FetchError(Reason.WRONG_CONTENT, f"GET {path}: {problem}", 200, transient=True) from None
            except FetchError as error:
                if error.http_status != 401:
                    raise
                if attempt == _TOKENS:
                    # Transient, because a later run may get a valid token; the song or playlist is not at fault.
                    raise FetchError(error.reason, error.detail, 401, transient=True) from None
        raise AssertionError("unreachable")


def _length(page: Page, form: str | None) -> int:
    """Length of the next page: from its address in the response, otherwise the length of this page."""
    try:
        stated = int(dict(parse_qsl(urlsplit(page.next or "").query)).get("limit", ""))
    except ValueError:  # no address, or no number in it
        stated = 0
    if 0 < stated <= max(_LONGEST.values()):
        return stated
    return min(page.limit or page.entries, _LONGEST[form or "tracks"])


def _same_list(playlist_id: str, offset: int, page: Page) -> Page:
    """Return the page if it is the requested one; caches and proxies have returned other pages.

    Raises
    ------
    UnexpectedBody : it is another page.
    """
    named = _OF_LIST.search(page.address or "")
    if page.offset != offset or (named and named.group(1) != playlist_id):
        raise UnexpectedBody("the page belongs to another list or to another offset")
    return page


class _Api(spotipy.Spotify):
    """spotipy's client, with the errors of the session."""

    def get(self, path: str, parameters: JsonObject) -> Any:
        """Parsed body of a GET."""
        try:
            return self._get(path, **parameters)
        except SpotifyException as error:  # refused by spotipy without a request
            raise FetchError(Reason.BAD_REQUEST, f"GET {path}: {error.msg}", error.http_status) from None

    def _internal_call(self, method: str, url: str, payload: object, params: dict[str, object]) -> object:
        address = url if url.startswith("http") else self.prefix + url
        token = self.auth_manager.get_access_token()
        headers = {"Authorization": f"Bearer {token}"}
        response = self._session.request(method, address, params=params, json=payload, headers=headers)
        if response.status_code == 401:
            self.auth_manager.refused(token)
        parsed = getattr(checked(response), "parsed", None)
        return response.json() if parsed is None and response.content else parsed


#: Id of a playlist owned by Spotify ("Today's Top Hits"), and of the example track in the API's reference.
OWNED_BY_SPOTIFY = "37i9dQZF1DXcBWIGoYBM5M"
EXAMPLE_TRACK = "11dFghVXANMlKmJXsNCbNl"
#: Number of playlists that must be refused before access to playlists counts as closed; a single one may be deleted.
_PLAYLISTS_TRIED = 3
#: Maximum results per search page, and since February 2026 in development mode.
SEARCH_PAGES = (50, 10)

_NEW_APPS = "since 2024-11-27, for apps made since"
_DEVELOPMENT = "since February 2026, for apps in development mode"
#: Description of each ability, and the restriction that likely causes a refusal.
ABILITIES = {
    "playlist_items": ("items of other people's playlists", f"only of one's own {_DEVELOPMENT}"),
    "spotify_playlists": ("playlists that Spotify owns", f"closed {_NEW_APPS}"),
    "audio_features": ("audio features", f"closed {_NEW_APPS}"),
    "audio_analysis": ("audio analyses", f"closed {_NEW_APPS}"),
    "batch_tracks": ("several tracks in one request", f"closed {_DEVELOPMENT}"),
    "search_page": ("results on a page of a search", f"10 instead of 50 {_DEVELOPMENT}"),
    "previews": ("addresses of previews", f"empty {_NEW_APPS}"),
}


@dataclass(frozen=True)
class Ability:
    """Result of the probe for one ability.

    Attributes
    ----------
    allowed : whether the app has access; None if the probe was inconclusive.
    value : form of playlists, page size, or number of previews.
    """

    ability: str
    allowed: bool | None
    value: str | None = None
    http_status: int | None = None
    detail: str | None = None


def probe(spotify: Spotify, playlists: Sequence[str], analysis: bool = False) -> tuple[Ability, ...]:
    """Test every ability with one request each (up to three for playlists, two for the size of search pages).

    Parameters
    ----------
    playlists : ids of playlists of other users; if empty, playlists of others are not tested.
    analysis : also test audio analyses.

    Raises
    ------
    ProviderPausedError : Spotify's rate limit pauses requests.
    ConfigError : Spotify refuses the credentials.
    """
    seen: list[Track] = []
    found = [_playlist_items(spotify, playlists[:_PLAYLISTS_TRIED], seen)] if playlists else []
    found.append(_try("spotify_playlists", lambda: spotify.head(OWNED_BY_SPOTIFY)))
    found.append(_search_page(spotify, seen))
    track = seen[0].spotify_id if seen else EXAMPLE_TRACK
    found.append(_try("audio_features", lambda: spotify.audio_features([track])))
    if analysis:
        found.append(_try("audio_analysis", lambda: spotify.audio_analysis(track)))
    found.append(_try("batch_tracks", lambda: spotify.tracks([track])))
    found.append(_previews(seen))
    return tuple(sorted(found, key=lambda ability: list(ABILITIES).index(ability.ability)))


def describe(abilities: Iterable[Ability]) -> list[str]:
    """Lines of a table with each ability, its result and the reason of a refusal."""
    rows = [("Spotify access of the app", "", "")]
    for ability in abilities:
        what = ABILITIES[ability.ability][0]
        allowed = {True: "yes", False: "no", None: "unknown"}[ability.allowed]
        rows.append((what, ability.value if ability.allowed and ability.value else allowed, ability.detail or ""))
    width, middle = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [f"{what:{width}}  {allowed:{middle}}  {why}".rstrip() for what, allowed, why in rows]


def _try(name: str, ask: Callable[[], object]) -> Ability:
    try:
        ask()
    except ProviderPausedError:
        raise
    except FetchError as error:
        refused = not error.transient
        why = ABILITIES[name][1] if refused else error.reason.value
        said = f"{error.http_status} " if error.http_status else ""
        return Ability(name, False if refused else None, None, error.http_status, f"{said}{why}")
    return Ability(name, True, None, 200)


def _playlist_items(spotify: Spotify, playlists: Sequence[str], seen: list[Track]) -> Ability:
    ability = Ability("playlist_items", None)
    for playlist_id in playlists:
        forms: list[Form | None] = []

        def ask(playlist_id: str = playlist_id, forms: list[Form | None] = forms) -> None:
            playlist = spotify.playlist(playlist_id)
            forms.append(playlist.form)
            seen.extend(_tracks(playlist.page))

        ability = _try("playlist_items", ask)
        if forms and forms[0] is None:
            ability = Ability("playlist_items", False, None, 200, f"head only: {ABILITIES['playlist_items'][1]}")
        elif forms:
            return Ability("playlist_items", True, forms[0], 200)
    return ability


def _search_page(spotify: Spotify, seen: list[Track]) -> Ability:
    ability = Ability("search_page", None)

    def ask(size: int) -> None:
        seen.extend(_tracks(spotify.search_tracks("love", size)))

    for size in SEARCH_PAGES:
        ability = _try("search_page", partial(ask, size))
        if ability.allowed:
            why = ABILITIES["search_page"][1] if size != SEARCH_PAGES[0] else None
            return Ability("search_page", True, str(size), 200, why)
        if ability.allowed is None:
            break
    return ability


def _previews(seen: Sequence[Track]) -> Ability:
    if not seen:
        return Ability("previews", None, detail="no track was received")
    given = sum(track.preview_url is not None for track in seen)
    why = None if given else f"{given} of {len(seen)} tracks have one: {ABILITIES['previews'][1]}"
    return Ability("previews", given > 0, f"{given} of {len(seen)}", 200, why)


def _tracks(page: Page | None) -> list[Track]:
    return [listed.track for listed in page.tracks] if page else []
