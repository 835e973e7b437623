"""Access tokens: asked for when needed, renewed when refused, kept in memory and nowhere else."""

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

#: What a user's token may do: read the user's own playlists, private ones too.
SCOPES = "playlist-read-private playlist-read-collaborative"
#: What it may do beside that where playlists are to be published: create and change the user's own.
PUBLISHING_SCOPES = f"{SCOPES} playlist-modify-private playlist-modify-public"
_MARGIN_S = 60
#: No token is taken for good for longer, whatever the answer says.
_LONGEST_S = 86_400.0
#: Reasons with which Spotify's accounts service refuses credentials for good.
_REFUSED = ("invalid_client", "invalid_grant", "unauthorized_client", "access_denied", "invalid_request")


@dataclass(frozen=True)
class Credentials:
    """What the environment says about the app and its user; never shown."""

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)

    def app_key(self, settings: SpotifySection) -> str:
        """Hash that tells this app, on this API, from others."""
        return stable_id("spotify app", settings.api_url, self.client_id, settings.authorisation)


def read_credentials(settings: SpotifySection, environment: Mapping[str, str] = os.environ) -> Credentials:
    """Read ``SPOTIFY_CLIENT_ID``, ``SPOTIFY_CLIENT_SECRET`` and ``SPOTIFY_REFRESH_TOKEN``; spotipy's names do, too.

    Raises
    ------
    ConfigError : one that is needed is missing. The message says which, and where to get it.
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
            f"The environment has no {' and no '.join(missing)}. Make an app at developer.spotify.com/dashboard "
            "and export its client id and secret under these names; they are never put into a file."
        )
    return Credentials(client_id, secret, named("REFRESH_TOKEN"))


class Tokens:
    """What spotipy takes as ``auth_manager``: one token at a time, shared by all threads.

    Parameters
    ----------
    ask : asks for a new token; returns the answer of the accounts service (access_token, expires_in).
    """

    def __init__(self, ask: Callable[[], JsonView]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._token: str | None = None
        self._ends = 0.0

    def get_access_token(self, as_dict: bool = False) -> str:
        """A token that is good for another minute at least.

        Raises
        ------
        ConfigError : Spotify refuses the credentials.
        FetchError : the accounts service gives no answer.
        """
        with self._lock:
            if self._token is None or time.monotonic() > self._ends:
                self._renew()
            assert self._token is not None
            return self._token

    def refused(self, token: str) -> None:
        """Ask for a new token next time, unless another thread has got one in the meantime."""
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
    """Tokens of the configured kind of authorisation.

    Raises
    ------
    ConfigError : a user is to authorise, but there is neither a refresh token nor a terminal.
    """
    if settings.authorisation == "app":
        memory = MemoryCacheHandler()
        # Managers live as long as their tokens: a manager that goes closes the session.
        app = SpotifyClientCredentials(
            credentials.client_id, credentials.client_secret, requests_session=session, cache_handler=memory
        )
        app.OAUTH_TOKEN_URL = _token_url(settings)
        return Tokens(_asking(lambda: app.get_access_token(as_dict=False, check_cache=False), memory, credentials))
    if credentials.refresh_token is None and not sys.stdin.isatty():
        raise ConfigError(
            'spotify.authorisation = "user": the environment has no SPOTIFY_REFRESH_TOKEN, and there is no terminal to '
            "ask at. Get one on a machine with a browser: python -m genreatlas.sources.spotify.authorise"
        )
    memory = MemoryCacheHandler({"refresh_token": credentials.refresh_token} if credentials.refresh_token else None)
    user = _user_manager(settings, credentials, session, memory)

    def ask() -> None:
        # Where Spotify replaces the refresh token, the new one counts from then on.
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
    scopes : what the app may do then.

    Raises
    ------
    ConfigError : Spotify refuses the app.
    FetchError : the accounts service gives no answer.
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
    """spotipy's manager of the authorisation code flow: with PKCE, or with the app's secret where there is one.

    Spotify replaces a refresh token from PKCE at every use, and one that was got with the secret lasts;
    so headless runs that come again had better have the secret.
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
    """Ask, and tell refused credentials, with which no request will work, from an accounts service in trouble."""

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
                    f"Spotify refuses {', '.join(names)}: {said}. See the app in its dashboard."
                ) from None
            raise FetchError(Reason.UNAUTHORIZED, f"no access token: {said}", transient=True) from None
        except requests.RequestException as error:
            said = type(error).__name__
            raise FetchError(Reason.CONNECTION_LOST, f"no access token: {said}", transient=True) from None
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError):  # spotipy takes the answer as it is
            raise FetchError(Reason.WRONG_CONTENT, "the accounts service's answer is odd", transient=True) from None
        answer: JsonView = memory.get_cached_token() or {}
        if not answer.get("access_token"):
            raise FetchError(Reason.WRONG_CONTENT, "the accounts service answered without a token", transient=True)
        return answer

    return asked
