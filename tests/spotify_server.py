"""A small local Spotify server: tokens, playlists of both generations, search, audio features and scripted faults."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from genreatlas.config import SpotifySection
from loopback import Asked, Loopback, Reply

CLIENT = {"SPOTIFY_CLIENT_ID": "client-of-the-test", "SPOTIFY_CLIENT_SECRET": "secret-that-nobody-may-see"}


def identity(number: int) -> str:
    """An id of 22 letters and digits."""
    return f"{number:022}"


def track(number: int, **changes: Any) -> dict[str, Any]:
    """A track object as returned to apps registered before 2024."""
    return {
        "id": identity(number),
        "type": "track",
        "uri": f"spotify:track:{identity(number)}",
        "name": f"Song {number}",
        "is_local": False,
        "duration_ms": 200_000 + number,
        "disc_number": 1,
        "track_number": number % 12 + 1,
        "explicit": False,
        "popularity": number % 100,
        "preview_url": f"https://previews.example/{number}",
        "external_ids": {"isrc": f"XXAAA24{number:05}"},
        "artists": [{"id": f"A{number % 7}", "name": f"Artist {number % 7}"}, {"id": "G", "name": "Guest"}],
        "album": {
            "id": f"ALBUM{number % 5}",
            "name": f"Album {number % 5}",
            "release_date": "2001-02-03",
            "release_date_precision": "day",
            "artists": [{"id": f"A{number % 7}", "name": f"Artist {number % 7}"}],
            "images": [{"width": 64, "url": "https://images.example/64"}],
        },
    } | changes


def features(number: int) -> dict[str, Any]:
    """Audio features of a track."""
    return {
        "id": identity(number), "danceability": number % 10 / 10, "energy": 0.5, "key": number % 12, "loudness": -7.5,
        "mode": 1, "speechiness": 0.125, "acousticness": 0.25, "instrumentalness": 0.0, "liveness": 0.75,
        "valence": 0.5, "tempo": 100.0 + number, "time_signature": 4, "analysis_url": "https://x.example/?Signature=s3",
    }  # fmt: skip


def error(status: int, message: str | None = "Said so", **more: Any) -> Reply:
    """An error response in Spotify's format, without ``message`` if it is None."""
    inner = {"status": status} | ({"message": message} if message is not None else {}) | more
    return Reply(status, json.dumps({"error": inner}).encode())


@dataclass
class Listing:
    """A playlist: its entries are track objects or None, in the order of the list."""

    entries: list[Any]
    snapshot: str = "v1"
    name: str = "A playlist"
    owner: str = "thesoundsofspotify"


@dataclass
class World:
    """Contents and access rights of the server.

    ``before`` may respond to a request instead; ``site`` is the host of addresses in bodies.
    """

    playlists: dict[str, Listing] = field(default_factory=dict)
    form: str = "tracks"
    page: int = 100
    site: str = ""
    search_page: int = 50
    features_allowed: bool = True
    found_tracks: dict[str, list[Any]] = field(default_factory=dict)
    found_playlists: dict[str, list[Any]] = field(default_factory=dict)
    before: Callable[[Asked], Reply | None] = lambda asked: None
    valid_tokens: set[str] = field(default_factory=set)
    tokens_given: int = 0
    lock: Any = field(default_factory=threading.Lock)

    def __call__(self, asked: Asked) -> Reply:
        """Respond to a request."""
        if asked.path == "/accounts/api/token":
            with self.lock:
                self.tokens_given += 1
                token = f"token-{self.tokens_given}-that-nobody-may-see"
                self.valid_tokens.add(token)
            return _json({"access_token": token, "token_type": "Bearer", "expires_in": 3600})
        if asked.headers.get("Authorization", "").removeprefix("Bearer ") not in self.valid_tokens:
            return error(401, "The access token expired")
        return self.before(asked) or self._answer(asked, asked.path.removeprefix("/v1/").split("/"))

    def _answer(self, asked: Asked, path: list[str]) -> Reply:
        if path[0] == "playlists" and path[1] in self.playlists:
            listing = self.playlists[path[1]]
            if len(path) == 3:
                return _json(self._page(asked, listing, path[1])) if path[2] == self.form else error(403)
            head = {
                "id": path[1], "name": listing.name, "type": "playlist", "public": True,
                "snapshot_id": listing.snapshot, "owner": {"id": listing.owner, "display_name": "The Sounds"},
            }  # fmt: skip
            wanted = f"{self.form}(" in asked.query.get("fields", "")
            return _json(head | ({self.form: self._page(asked, listing, path[1])} if wanted else {}))
        if path == ["audio-features"]:
            if not self.features_allowed:
                return error(403, None)
            ids = asked.query["ids"].split(",")
            return _json({"audio_features": [features(int(i)) if int(i) % 10 else None for i in ids]})
        if path == ["tracks"]:
            return _json({"tracks": [track(int(i)) for i in asked.query["ids"].split(",")]})
        if path == ["search"]:
            if int(asked.query["limit"]) > self.search_page:
                return error(400, "Invalid limit")
            kind, found = (
                ("tracks", self.found_tracks) if asked.query["type"] == "track" else ("playlists", self.found_playlists)
            )
            return _json({kind: self._slice(asked, found.get(asked.query["q"], []), "/v1/search")})
        return error(404, "Resource not found")

    def _page(self, asked: Asked, listing: Listing, playlist: str) -> dict[str, Any]:
        key = "track" if self.form == "tracks" else "item"
        held = [{"added_at": "2022-01-02T03:04:05Z", "is_local": False, key: entry} for entry in listing.entries]
        return self._slice(asked, held, f"/v1/playlists/{playlist}/{self.form}")

    def _slice(self, asked: Asked, held: list[Any], path: str) -> dict[str, Any]:
        offset, limit = int(asked.query.get("offset", 0)), int(asked.query.get("limit", self.page))
        more = offset + limit < len(held)
        site = self.site or f"http://{asked.headers['Host']}"
        address = f"{site}{path}?offset={offset + limit}&limit={limit}"
        return {
            "items": held[offset : offset + limit], "offset": offset, "limit": limit, "total": len(held),
            "href": f"{site}{path}?offset={offset}", "next": address if more else None,
        }  # fmt: skip


def settings(server: Loopback, **changes: Any) -> SpotifySection:
    """A configuration section for this server."""
    urls = {"api_url": f"{server.url}/v1", "accounts_url": f"{server.url}/accounts"}
    return SpotifySection(**({"acknowledge_terms": True} | urls | changes))


def _json(body: Any) -> Reply:
    return Reply(body=json.dumps(body).encode())
