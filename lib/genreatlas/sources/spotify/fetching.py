"""What is fetched for one key of a fan-out: a request of one kind in, an answer as JSON out.

Requests and answers are JSON, so that a playlist of 150 songs is one string of 90 KB on its way, and Spark
reads it. The kinds are those of :data:`_ANSWERS`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from genreatlas.config import FanOutSection, SpotifySection
from genreatlas.sources.hosts import hosts_of
from genreatlas.sources.http import polite_session
from genreatlas.sources.spotify.client import Spotify
from genreatlas.sources.spotify.lists import Wanted, find_playlists, read_artist, read_playlist
from genreatlas.sources.spotify.rows import clip_id, song_id
from genreatlas.sources.spotify.tokens import make_tokens, read_credentials

#: Under this name Spotify's attempts and pauses are kept.
PROVIDER = "spotify"


@dataclass(frozen=True)
class SpotifyFetch:
    """Fetches keys from the Web API; what the fan-out asks for.

    A client that is there is used in this process. It does not travel: other processes make their own, with
    credentials from their own environment, so that none stand in a plan.
    """

    settings: SpotifySection
    client: Spotify | None = field(default=None, repr=False, compare=False)
    providers: tuple[str, ...] = (PROVIDER,)
    columns: str = "answer string"

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"client": None}

    @property
    def hosts(self) -> tuple[str, ...]:
        """The API's hosts."""
        return tuple(urlsplit(url).netloc for url in (self.settings.api_url, self.settings.accounts_url))

    def open(self, fan_out: FanOutSection) -> Callable[[Mapping[str, Any], str], Mapping[str, Any]]:
        """Make one process's client."""
        spotify = self.client or open_spotify(self.settings, fan_out)

        def fetch(row: Mapping[str, Any], provider: str) -> Mapping[str, Any]:
            answer = _ANSWERS[row["kind"]](spotify, json.loads(row["request"]))
            return {"answer": json.dumps(answer, ensure_ascii=False)}

        return fetch


def open_spotify(settings: SpotifySection, fan_out: FanOutSection) -> Spotify:
    """A client with a polite session, for the app and user that the environment names.

    Raises
    ------
    ConfigError : the environment lacks something.
    """
    named = hosts_of(settings.api_url, settings.accounts_url)
    session = polite_session(fan_out, PROVIDER, "json", named=named)
    return Spotify(settings, session, make_tokens(settings, read_credentials(settings), session))


def _playlist(spotify: Spotify, request: dict[str, Any]) -> Any:
    genres = [Wanted(**genre) for genre in request["genres"]]
    return read_playlist(spotify, request["playlist_id"], genres, request["snapshot"])


def _artist(spotify: Spotify, request: dict[str, Any]) -> Any:
    genres = [Wanted(**genre) for genre in request["genres"]]
    return read_artist(
        spotify, request["playlist_id"], request["name"], request["artist_id"], genres, request["page_size"]
    )


def _search(spotify: Spotify, request: dict[str, Any]) -> Any:
    found = find_playlists(spotify, request["query"], request["number"], request["page_size"])
    return {"query": request["query"], "playlists": found}


def _features(spotify: Spotify, request: list[str]) -> Any:
    found = {features.spotify_id: features.values for features in spotify.audio_features(request)}
    return [
        {"clip_id": clip_id(i), "song_id": song_id(i), "spotify_id": i, "heard": i in found} | dict(found.get(i, {}))
        for i in request
    ]


def _analysis(spotify: Spotify, request: str) -> Any:
    return {"track_key": request, "song_id": song_id(request), "source": "api"} | spotify.audio_analysis(request)


_ANSWERS: dict[str, Callable[[Spotify, Any], Any]] = {
    "playlist": _playlist,
    "artist": _artist,
    "search": _search,
    "features": _features,
    "analysis": _analysis,
}
