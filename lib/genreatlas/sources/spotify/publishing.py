"""Create and fill playlists of a Spotify user; existing ones are found by a mark in their description.

Since February 2026 a playlist is created with ``POST /me/playlists``, and its entries are at ``/playlists/{id}/items``;
``/users/{id}/playlists`` and ``/playlists/{id}/tracks`` are deprecated. Requests that are not safe to repeat (create,
append) are sent once. After a failure with an unknown result, the playlist is searched for by its mark, and filled
again from its first entry.
"""

import os
from collections.abc import Iterator, Mapping, Sequence

import requests

from genreatlas.config import FanOutSection, SpotifySection
from genreatlas.errors import ConfigError, FetchError, Reason
from genreatlas.ids import stable_id
from genreatlas.sources.hosts import hosts_of
from genreatlas.sources.http import checked, polite_session
from genreatlas.sources.json_values import identifier, mapping
from genreatlas.sources.spotify.tokens import Credentials, Tokens, make_tokens, read_credentials
from genreatlas.values import JsonView, Params

#: Maximum number of entries in one request.
BATCH = 100
_PAGE = 50
_TOKENS = 3
#: Maximum number of characters of a description at Spotify.
_DESCRIPTION = 300
#: Maximum number of a user's playlists that are searched.
_PLAYLISTS = 11_000


def read_publishing_credentials(settings: SpotifySection, environment: Mapping[str, str] = os.environ) -> Credentials:
    """Read the credentials of the app and of a user who has authorised it (``SPOTIFY_REFRESH_TOKEN``).

    Raises
    ------
    ConfigError : an environment variable is missing.
    """
    credentials = read_credentials(settings.model_copy(update={"authorisation": "user"}), environment)
    if credentials.refresh_token is None:
        raise ConfigError(
            "playlist.publish: the environment has no SPOTIFY_REFRESH_TOKEN of a user who lets the app change "
            "playlists. Get one on a machine with a browser: python -m genreatlas.sources.spotify.authorise --publish"
        )
    return credentials


def open_publisher(settings: SpotifySection, fan_out: FanOutSection) -> "Publisher":
    """Create a publisher for the user given in environment variables.

    Raises
    ------
    ConfigError : an environment variable is missing.
    """
    settings = settings.model_copy(update={"authorisation": "user"})
    credentials = read_publishing_credentials(settings)
    named = hosts_of(settings.api_url, settings.accounts_url)
    session = polite_session(fan_out, "spotify", "json", named=named)
    once = polite_session(fan_out.model_copy(update={"tries": 1}), "spotify", "json", named=named)
    return Publisher(settings.api_url, make_tokens(settings, credentials, session), session, once)


class Publisher:
    """Creates and fills the playlists of one user.

    Parameters
    ----------
    api_url : address of the Web API.
    tokens : source of the user's access tokens.
    session : session for requests that may be repeated.
    once : session without retries, for requests that may not be repeated.
    """

    def __init__(self, api_url: str, tokens: Tokens, session: requests.Session, once: requests.Session) -> None:
        self._api = api_url.rstrip("/")
        self._tokens = tokens
        self._session, self._once = session, once

    def account(self) -> str:
        """Hash that identifies the user on this API."""
        user = self._ask("GET", "me").get("id")
        if not isinstance(user, str) or not user:
            raise FetchError(Reason.WRONG_CONTENT, "GET me: the answer names no user", 200, transient=True)
        return stable_id("spotify user", self._api, user)

    def find(self, mark: str) -> str | None:
        """Id of the user's playlist with a mark in its description; None if there is none."""
        return next((_playlist_id(one) for one in self._own() if mark in str(one.get("description") or "")), None)

    def create(self, name: str, description: str, mark: str, public: bool) -> str:
        """Create a playlist; returns its id.

        Parameters
        ----------
        mark : text at the end of the description by which the playlist is found again.
        """
        kept = f"{' '.join(description.split())[: _DESCRIPTION - len(mark) - 1]} {mark}"
        body = {"name": name, "description": kept, "public": public, "collaborative": False}
        try:
            return _playlist_id(self._ask("POST", "me/playlists", body, once=True))
        except FetchError as error:
            if not error.transient:
                raise
            if (found := self.find(mark)) is not None:  # it was created, but the response was lost
                return found
            raise

    def fill(self, playlist_id: str, track_ids: Sequence[str]) -> None:
        """Replace the entries of the playlist by these tracks, in this order."""
        uris = [f"spotify:track:{track}" for track in track_ids]
        path = f"playlists/{playlist_id}/items"
        self._ask("PUT", path, {"uris": uris[:BATCH]})
        for start in range(BATCH, len(uris), BATCH):
            self._ask("POST", path, {"uris": uris[start : start + BATCH], "position": start}, once=True)

    def _own(self) -> Iterator[Mapping[str, object]]:
        for offset in range(0, _PLAYLISTS, _PAGE):
            page = self._ask("GET", "me/playlists", params={"limit": _PAGE, "offset": offset})
            items = page.get("items")
            if not isinstance(items, list):
                raise FetchError(Reason.WRONG_CONTENT, "GET me/playlists: no items", 200, transient=True)
            yield from (one for one in items if isinstance(one, Mapping))
            if page.get("next") is None or not items:
                return

    def _ask(
        self,
        method: str,
        path: str,
        body: JsonView | None = None,
        params: Params | None = None,
        once: bool = False,
    ) -> JsonView:
        """Send one request; repeat it with a new token if the token is refused, as a refused request has no effect.

        Raises
        ------
        ConfigError : the user has not authorised the request.
        FetchError : the request failed, or the response has unexpected content.
        """
        session = self._once if once else self._session
        for attempt in range(_TOKENS + 1):
            token = self._tokens.get_access_token()
            headers = {"Authorization": f"Bearer {token}"}
            response = session.request(method, f"{self._api}/{path}", params=params, json=body, headers=headers)
            if response.status_code == 401 and attempt < _TOKENS:
                self._tokens.refused(token)
                continue
            if response.status_code == 403:
                raise ConfigError(
                    f"Spotify refuses {method} {path} (403): the user of SPOTIFY_REFRESH_TOKEN did not let the app "
                    "change playlists, or is not registered with it. Authorise it again: python -m "
                    "genreatlas.sources.spotify.authorise --publish"
                )
            try:
                parsed = getattr(checked(response), "parsed", None)
                return mapping(response.json() if parsed is None else parsed)
            except ValueError as problem:
                raise FetchError(Reason.WRONG_CONTENT, f"{method} {path}: {problem}", 200, transient=True) from None
        raise AssertionError("unreachable")


def _playlist_id(body: Mapping[str, object]) -> str:
    """Id of a playlist, validated because it becomes part of addresses.

    Raises
    ------
    FetchError : the body has no valid id.
    """
    found = identifier(body.get("id"))
    if found is None:
        raise FetchError(Reason.WRONG_CONTENT, "the answer has no id of a playlist", 200, transient=True)
    return found
