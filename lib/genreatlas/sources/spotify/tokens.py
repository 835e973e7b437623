"""Access tokens: requested when needed, renewed when refused, and kept only in memory."""

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import requests
from spotipy.cache_handler import MemoryCacheHandler
from spotipy.exceptions import SpotifyOauthError
from spotipy.oauth2 import SpotifyClientCredentials, SpotifyOAuth, SpotifyPKCE

from genreatlas.config import SpotifySection
from genreatlas.errors import ConfigError, FetchError, Reason
from genreatlas.ids import stable_id
from genreatlas.sources.json_values import number
from genreatlas.values import JsonObject, JsonView

#: Scopes of a user's token: read the user's own playlists, including private ones.
SCOPES = "playlist-read-private playlist-read-collaborative"
#: Scopes for publishing playlists: in addition, create and change the user's own playlists.
PUBLISHING_SCOPES = f"{SCOPES} playlist-modify-private playlist-modify-public"
_MARGIN_S = 60
#: Maximum lifetime of a token in seconds, independent of the response.
_LONGEST_S = 86_400.0
#: Reasons with which Spotify's accounts service refuses credentials permanently.
_REFUSED = ("invalid_client", "invalid_grant", "unauthorized_client", "access_denied", "invalid_request")


@dataclass(frozen=True)
class Credentials:
    """Credentials of the app and its user from environment variables. Secrets are not shown in its representation."""

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)

    def app_key(self, settings: SpotifySection) -> str:
        """Hash that identifies this app and its kind of authorisation on this API."""
        return stable_id("spotify app", settings.api_url, self.client_id, settings.authorisation)


def read_credentials(settings: SpotifySection, environment: Mapping[str, str] = os.environ) -> Credentials:
    """Read ``SPOTIFY_CLIENT_ID``, ``SPOTIFY_CLIENT_SECRET`` and ``SPOTIFY_REFRESH_TOKEN``, or spotipy's ``SPOTIPY_*``.

    Raises
    ------
    ConfigError : a required variable is missing; the message has its name and how to get it.
    """

    def named(name: str) -> str | None:
        return (environment.get(f"SPOTIFY_{name}") or environment.get(f"SPOTIPY_{name}") or "").strip() or None

    client_id, secret = named("CLIENT_ID"), named("CLIENT_SECRET")
    missing = [
        name for name, value in (("SPOTIFY_CLIENT_ID", client_id), ("SPOTIFY_CLIENT_SECRET", secret)) if not value
    ]
    if settings.authorisation == "user":
        missing = [name for name in missing if name == "SPOTIFY_CLIENT_ID"]
    if missing or client_id is None:
        raise ConfigError(
            f"Not set in the environment: {', '.join(missing)}. Create an app at developer.spotify.com/dashboard and "
            "export its client id and secret under these names; they are never put into a file."
        )
    return Credentials(client_id, secret, named("REFRESH_TOKEN"))


class Tokens:
    """``auth_manager`` for spotipy with one token, shared by all threads.

    Parameters
    ----------
    ask : function that requests a new token; returns the response of the accounts service (access_token, expires_in).
    """

    def __init__(self, ask: Callable[[], JsonView]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._token: str | None = None
        self._ends = 0.0

    def get_access_token(self, as_dict: bool = False) -> str:
        """Current token; renewed a minute before it expires.

        Raises
        ------
        ConfigError : Spotify refuses the credentials.
        FetchError : the request to the accounts service failed.
        """
        with self._lock:
            if self._token is None or time.monotonic() > self._ends:
                self._renew()
            assert self._token is not None
            return self._token

    def refused(self, token: str) -> None:
        """Discard a refused token, unless another thread has renewed it already."""
        with self._lock:
            if self._token == token:
                self._token = None

    def _renew(self) -> None:
        answer = self._ask()
        self._token = str(answer["access_token"])
        given = number(answer.get("expires_in"))
        seconds = min(given, _LONGEST_S) if given and given > 0 else 3600.0
        self._ends = time.monotonic() + seconds - min(_MARGIN_S, seconds / 2)


def make_tokens(settings: SpotifySection, credentials: Credentials, session: requests.Session) -> Tokens:
    """Create the source of tokens for the configured kind of authorisation.

    Raises
    ------
    ConfigError : authorisation by a user is configured, but there is neither a refresh token nor a terminal.
    """
    if settings.authorisation == "app":
        memory = MemoryCacheHandler()
        # Tokens keep a reference to the manager, because a manager closes the session when it is deleted.
        app = SpotifyClientCredentials(
            credentials.client_id, credentials.client_secret, requests_session=session, cache_handler=memory
        )
        app.OAUTH_TOKEN_URL = _token_url(settings)
        return Tokens(_asking(lambda: app.get_access_token(as_dict=False, check_cache=False), memory, credentials))
    if credentials.refresh_token is None and not sys.stdin.isatty():
        raise ConfigError(
            'spotify.authorisation = "user": the environment has no SPOTIFY_REFRESH_TOKEN, and there is no terminal '
            "for the login. Get one on a machine with a browser: python -m genreatlas.sources.spotify.authorise"
        )
    memory = MemoryCacheHandler({"refresh_token": credentials.refresh_token} if credentials.refresh_token else None)
    user = _user_manager(settings, credentials, session, memory)

    def ask() -> None:
        # If Spotify replaced the refresh token, the new one has to be used.
        refresh = (memory.get_cached_token() or {}).get("refresh_token")
        if refresh is None:
            user.get_access_token(check_cache=False)
        else:
            user.refresh_access_token(refresh)

    return Tokens(_asking(ask, memory, credentials))


def authorise(
    settings: SpotifySection, credentials: Credentials, session: requests.Session, scopes: str = SCOPES
) -> str:
    """Let a user authorise the app in a browser; returns the refresh token for headless runs.

    Parameters
    ----------
    scopes : requested scopes, separated by blanks.

    Raises
    ------
    ConfigError : Spotify refuses the app.
    FetchError : the request to the accounts service failed.
    """
    memory = MemoryCacheHandler()
    user = _user_manager(settings, credentials, session, memory, scopes)
    answer = _asking(lambda: user.get_access_token(check_cache=False), memory, credentials)()
    return str(answer["refresh_token"])


def _user_manager(
    settings: SpotifySection,
    credentials: Credentials,
    session: requests.Session,
    memory: MemoryCacheHandler,
    scopes: str = SCOPES,
) -> SpotifyPKCE | SpotifyOAuth:
    """spotipy's manager of the authorisation code flow: with the app's secret if given, otherwise with PKCE.

    Spotify replaces a refresh token obtained with PKCE at every use; a token obtained with the secret remains valid. So
    repeated headless runs should use the secret.
    """
    told: JsonObject = {
        "redirect_uri": settings.redirect_uri, "scope": scopes, "state": os.urandom(12).hex(),
        "requests_session": session, "cache_handler": memory,
    }  # fmt: skip
    manager: SpotifyPKCE | SpotifyOAuth
    if credentials.client_secret:
        manager = SpotifyOAuth(credentials.client_id, credentials.client_secret, **told)
    else:
        manager = SpotifyPKCE(credentials.client_id, **told)
    manager.OAUTH_TOKEN_URL = _token_url(settings)
    manager.OAUTH_AUTHORIZE_URL = f"{settings.accounts_url.rstrip('/')}/authorize"
    return manager


def _token_url(settings: SpotifySection) -> str:
    return f"{settings.accounts_url.rstrip('/')}/api/token"


def _asking(
    ask: Callable[[], object], memory: MemoryCacheHandler, credentials: Credentials
) -> Callable[[], Mapping[str, object]]:
    """Wrap ``ask``: refused credentials raise ConfigError, failures of the accounts service a transient FetchError."""

    def asked() -> JsonView:
        try:
            ask()
        except SpotifyOauthError as error:
            said = str(error.error or error)[:100]
            if said in _REFUSED:
                names = ["SPOTIFY_CLIENT_ID"]
                names += ["SPOTIFY_CLIENT_SECRET"] if credentials.client_secret else []
                names += ["SPOTIFY_REFRESH_TOKEN"] if credentials.refresh_token else []
                raise ConfigError(
                    f"Spotify refuses {', '.join(names)}: {said}. Compare them with the app's settings in Spotify's "
                    "dashboard."
                ) from None
            raise FetchError(Reason.UNAUTHORIZED, f"no access token: {said}", transient=True) from None
        except requests.RequestException as error:
            said = type(error).__name__
            raise FetchError(Reason.CONNECTION_LOST, f"no access token: {said}", transient=True) from None
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError):  # not validated by spotipy
            raise FetchError(
                Reason.WRONG_CONTENT, "the answer of the accounts service cannot be read", transient=True
            ) from None
        answer: JsonView = memory.get_cached_token() or {}
        if not answer.get("access_token"):
            raise FetchError(Reason.WRONG_CONTENT, "the accounts service answered without a token", transient=True)
        return answer

    return asked
