"""Routes of the Web API and of the accounts service, with access tokens for apps and for a user."""

import base64
import hashlib
import re
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from aiohttp import web

from genreatlas.sandbox.world.contents import Entry, Kind, Role, isrc_number
from genreatlas.sandbox.world.misbehaviour import SWAPPED, error
from genreatlas.sandbox.world.own_playlists import OwnPlaylists, wanted_of
from genreatlas.sandbox.world.spotify_bodies import LISTENER, OWNERS, Bodies, Body, analysis, select
from genreatlas.values import JsonObject

#: A client secret that is rejected, for tests.
WRONG_SECRET = "wrong"
#: A refresh token of a user who allowed the app to read playlists, but not to change them.
READ_ONLY = "read-only"
_READ, _CHANGE = "playlist-read-private", ("playlist-modify-private", "playlist-modify-public")

#: Maximum number of results of a search.
_FOUND = 1000
#: Maximum page size of the list of the user's playlists.
_LISTED = 50
_QUERY = re.compile(r'(artist|genre|isrc|track):(?:"([^"]*)"|(\S+))')


@dataclass(frozen=True)
class Grant:
    """Authorisation of a token. ``user`` is None for an app without user; ``scope`` has the user's permissions."""

    expires: float
    user: str | None
    scope: str = ""

    def may_change(self, public: bool) -> bool:
        """Whether the app may create and change public (or private) playlists."""
        return self.user is not None and _CHANGE[public] in self.scope.split()


Call = Callable[[web.Request, Grant], web.Response]


class Accounts:
    """Issues and validates tokens."""

    def __init__(self, lifetime_s: float) -> None:
        self.lifetime_s = lifetime_s
        self._grants: dict[str, Grant] = {}
        self._codes: dict[str, tuple[str, str]] = {}
        self._scopes: dict[str, str] = {READ_ONLY: _READ}

    def token(self, form: Mapping[str, str], authorization: str) -> tuple[int, JsonObject]:
        """Status and response body of a request for a token."""
        client, secret = _client(form, authorization)
        if not client or secret == WRONG_SECRET:
            return 400, {"error": "invalid_client", "error_description": "Invalid client secret"}
        match form.get("grant_type"):
            case "client_credentials":
                return 200, self._grant(None)
            case "authorization_code":
                challenge, scope = self._codes.pop(form.get("code", ""), (None, ""))
                if challenge is None or (challenge and challenge != _challenge(form.get("code_verifier", ""))):
                    return 400, {"error": "invalid_grant", "error_description": "Invalid authorization code"}
                return 200, self._grant(LISTENER, scope)
            case "refresh_token":
                if form.get("refresh_token", "") in ("", "revoked"):
                    return 400, {"error": "invalid_grant", "error_description": "Refresh token revoked"}
                # Refresh tokens not issued by this world have all permissions.
                scope = self._scopes.get(form["refresh_token"], " ".join((_READ, *_CHANGE)))
                return 200, self._grant(LISTENER, scope)
        return 400, {"error": "unsupported_grant_type", "error_description": "grant_type is missing or unknown"}

    def authorize(self, query: Mapping[str, str]) -> str:
        """Redirect address, with the code, for a user who gave permission."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = query.get("code_challenge", ""), query.get("scope", "")
        answer = {"code": code} | ({"state": query["state"]} if "state" in query else {})
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def check(self, authorization: str) -> Grant | str:
        """Grant of a request's authorization header, or the error message."""
        kind, _, token = authorization.partition(" ")
        if kind != "Bearer" or not token:
            return "No token provided"
        grant = self._grants.get(token)
        if grant is None:
            return "Invalid access token"
        return grant if grant.expires > time.time() else "The access token expired"

    def end(self, authorization: str) -> None:
        """Expire a token."""
        token = authorization.partition(" ")[2]
        if token in self._grants:
            self._grants[token] = replace(self._grants[token], expires=0.0)

    def end_all(self) -> None:
        """Expire all tokens."""
        self._grants = {token: replace(grant, expires=0.0) for token, grant in self._grants.items()}

    def _grant(self, user: str | None, scope: str = "") -> dict[str, object]:
        token = secrets.token_urlsafe(48)
        self._grants[token] = Grant(time.time() + self.lifetime_s, user, scope)
        body = {"access_token": token, "token_type": "Bearer", "expires_in": int(self.lifetime_s)}
        if user:
            refresh = secrets.token_urlsafe(48)
            self._scopes[refresh] = scope
            body |= {"scope": scope, "refresh_token": refresh}
        return body


def _client(form: Mapping[str, str], authorization: str) -> tuple[str, str]:
    if authorization.startswith("Basic "):
        try:
            client, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        except ValueError:
            return "", ""
        return client, secret
    return form.get("client_id", ""), form.get("client_secret", "")


def _challenge(verifier: str) -> str:
    """S256 of RFC 7636."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class SpotifyService:
    """Handles requests to the Web API and the accounts service."""

    def __init__(self, bodies: Bodies, accounts: Accounts) -> None:
        self.bodies, self.accounts = bodies, accounts
        self.catalogue, self.ids, self.rights = bodies.catalogue, bodies.ids, bodies.rights
        self.versions: Counter[tuple[int, Role]] = Counter()
        self._passing: set[tuple[int, Role]] = set()
        self.own = OwnPlaylists(bodies, self.ids)

    def routes(self) -> list[web.RouteDef]:
        """All routes."""
        calls: dict[str, Call] = {
            "/v1/playlists/{id}": self._playlist,
            "/v1/users/{user}/playlists/{id}": self._playlist,
            "/v1/playlists/{id}/{form:tracks|items}": self._entries,
            "/v1/tracks": self._tracks,
            "/v1/tracks/{id}": self._track,
            "/v1/audio-features": self._features,
            "/v1/audio-features/{id}": self._features_of_one,
            "/v1/audio-analysis/{id}": self._analysis,
            "/v1/search": self._search,
            "/v1/artists/{id}": self._artist,
            "/v1/artists/{id}/top-tracks": self._top_tracks,
            "/v1/me": self._me,
            "/v1/me/playlists": self._my_playlists,
        }
        return [
            web.post("/api/token", self._token),
            web.get("/authorize", self._authorize),
            *(web.get(path, self._checked(call)) for path, call in calls.items()),
            web.post("/v1/me/playlists", self._create),
            web.post("/v1/playlists/{id}/{form:tracks|items}", self._change),
            web.put("/v1/playlists/{id}/{form:tracks|items}", self._change),
        ]

    def change(self, genre: int, role: Role, for_good: bool = True) -> None:
        """Add a song at the top of a playlist, permanently, or until its first page is next requested."""
        if for_good:
            self.versions[genre, role] += 1
        else:
            self._passing.add((genre, role))

    async def _token(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        status, body = self.accounts.token(form, request.headers.get("Authorization", ""))
        return web.json_response(body, status=status)

    async def _authorize(self, request: web.Request) -> web.Response:
        if "redirect_uri" not in request.query:
            return web.Response(status=400, text="INVALID_CLIENT: no redirect URI")
        return web.Response(status=302, headers={"Location": self.accounts.authorize(request.query)})

    def _checked(self, call: Call) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            grant = self.accounts.check(request.headers.get("Authorization", ""))
            return error(401, grant) if isinstance(grant, str) else call(request, grant)

        return handler

    async def _create(self, request: web.Request) -> web.Response:
        grant, wanted = self._may(request), wanted_of(await request.text())
        if isinstance(grant, web.Response):
            return grant
        if wanted is None:
            return error(400, "Error parsing JSON.")
        if not grant.may_change(wanted.get("public", True) is True):
            return error(403, "Insufficient client scope")
        return _said(*self.own.create(wanted))

    async def _change(self, request: web.Request) -> web.Response:
        grant, wanted = self._may(request), wanted_of(await request.text())
        if isinstance(grant, web.Response):
            return grant
        playlist = self.own.find(request.match_info["id"])
        if playlist is None:
            known = self.bodies.playlist_of(request.match_info["id"]) is not None
            return error(403, "You can only change your own playlists.") if known else error(404, "Resource not found")
        if request.match_info["form"] == "tracks" and self.rights.form == "items":
            return error(403, "Forbidden")
        if not grant.may_change(playlist.public):
            return error(403, "Insufficient client scope")
        if wanted is None:
            return error(400, "Error parsing JSON.")
        return _said(*self.own.change(playlist, wanted, replace=request.method == "PUT"))

    def _may(self, request: web.Request) -> Grant | web.Response:
        """Grant of the user, or the error response."""
        grant = self.accounts.check(request.headers.get("Authorization", ""))
        if isinstance(grant, str):
            return error(401, grant)
        return grant if grant.user is not None else error(403, "Insufficient client scope")

    def _playlist(self, request: web.Request, grant: Grant) -> web.Response:
        if (own := self.own.find(request.match_info["id"])) is not None:
            return web.json_response(select(self.own.body(own), request.query.get("fields")))
        found = self._asked(request)
        if found is None:
            return error(404, "Resource not found")
        self._passing.discard(found)
        entries = self._list(*found) if self._may_read(found[1], grant) else None
        body = self.bodies.playlist(*found, self.versions[found], entries)
        return web.json_response(select(body, request.query.get("fields")))

    def _entries(self, request: web.Request, grant: Grant) -> web.Response:
        found, own = self._asked(request), self.own.find(request.match_info["id"])
        if found is None and own is None:
            return error(404, "Resource not found")
        form = request.match_info["form"]
        may_read = grant.user is not None if own else found is not None and self._may_read(found[1], grant)
        if not may_read or (form == "tracks" and self.rights.form == "items"):
            return error(403, "Forbidden")
        limit, offset = _number(request, "limit", self.bodies.list_page), _number(request, "offset", 0)
        if limit is None or offset is None or not 1 <= limit <= self.bodies.list_page:
            return error(400, "Invalid limit")
        if own is not None:
            body = self.own.page(own, offset, limit)
        else:
            assert found is not None
            body = self.bodies.page(*found, self._list(*found), offset, limit)
        return web.json_response(select(body, request.query.get("fields")))

    def _tracks(self, request: web.Request, grant: Grant) -> web.Response:
        if not self.rights.batches:
            return web.json_response({"error": {"status": 403}}, status=403)
        ids = _ids(request, 50)
        if ids is None:
            return error(400, "Too many ids requested")
        songs = [self.bodies.song_of(one) for one in ids]
        return web.json_response({"tracks": [self.bodies.track(song) if song else None for song in songs]})

    def _track(self, request: web.Request, grant: Grant) -> web.Response:
        song = self.bodies.song_of(request.match_info["id"])
        return web.json_response(self.bodies.track(song)) if song else error(404, "Non existing id")

    def _features(self, request: web.Request, grant: Grant) -> web.Response:
        if not self.rights.sound:
            return web.json_response({"error": {"status": 403}}, status=403)
        ids = _ids(request, 100)
        if ids is None:
            return error(400, "Too many ids requested")
        if request.get(SWAPPED, False):
            ids = [self.ids.encode(Kind.TRACK, n) for n in range(len(ids))]
        return web.json_response({"audio_features": [self.bodies.features(one) for one in ids]})

    def _features_of_one(self, request: web.Request, grant: Grant) -> web.Response:
        if not self.rights.sound:
            return web.json_response({"error": {"status": 403}}, status=403)
        body = self.bodies.features(request.match_info["id"])
        return web.json_response(body) if body else error(404, "analysis not found")

    def _analysis(self, request: web.Request, grant: Grant) -> web.Response:
        if not self.rights.sound:
            return web.json_response({"error": {"status": 403}}, status=403)
        features = self.bodies.features(request.match_info["id"])
        return web.json_response(analysis(features)) if features else error(404, "analysis not found")

    def _search(self, request: web.Request, grant: Grant) -> web.Response:
        query, kinds = request.query.get("q", ""), request.query.get("type", "").split(",")
        limit, offset = _number(request, "limit", min(20, self.rights.page)), _number(request, "offset", 0)
        if not query or limit is None or offset is None or not 1 <= limit <= self.rights.page or offset >= _FOUND:
            return error(400, "Invalid limit" if query else "No search query")
        finders: dict[str, Callable[[str], list[Body]]] = {
            "track": self._find_tracks,
            "artist": self._find_artists,
            "playlist": self._find_playlists,
        }
        body: JsonObject = {}
        for kind in kinds:
            if kind not in finders:
                return error(400, f"Bad search type field {kind}")
            found = finders[kind](query)[:_FOUND]
            body |= self.bodies.search_page(kind, query, found, offset, limit)
        return web.json_response(body)

    def _artist(self, request: web.Request, grant: Grant) -> web.Response:
        number = self.ids.decode(Kind.ARTIST, request.match_info["id"])
        if number is None or number >= self.catalogue.artist_count:
            return error(404, "Resource not found")
        genre = self.catalogue.genres[self.catalogue.artist_genre(number)].name
        return web.json_response(self.bodies.artist(number) | {"genres": [genre], "images": []})

    def _top_tracks(self, request: web.Request, grant: Grant) -> web.Response:
        number = self.ids.decode(Kind.ARTIST, request.match_info["id"])
        if not self.rights.batches:
            return error(403, "Forbidden")
        if number is None or number >= self.catalogue.artist_count:
            return error(404, "Resource not found")
        songs = [self.catalogue.song(song) for song in self.catalogue.artist_songs(number)[:10]]
        return web.json_response({"tracks": [self.bodies.track(song) for song in songs]})

    def _me(self, request: web.Request, grant: Grant) -> web.Response:
        if grant.user is None:
            return error(401, "Valid user authentication required")
        return web.json_response({"id": grant.user, "display_name": grant.user, "type": "user"})

    def _my_playlists(self, request: web.Request, grant: Grant) -> web.Response:
        if grant.user is None:
            return error(401, "Valid user authentication required")
        limit, offset = _number(request, "limit", 20) or 20, _number(request, "offset", 0) or 0
        if limit > _LISTED:
            return error(400, "Invalid limit")
        genres = len(self.catalogue.genres)
        created = self.own.listed()
        total = len(created) + genres
        made = created[offset : offset + limit]
        first = max(0, offset - len(created))
        numbers = range(genres)[first : first + limit - len(made)]
        own = [*made, *(self.bodies.playlist(genre, "own", self.versions[genre, "own"], None) for genre in numbers)]
        following = f"{self.bodies.api}/me/playlists?offset={offset + limit}&limit={limit}"
        following_or_none = following if offset + limit < total else None
        return web.json_response({"items": own, "total": total, "limit": limit, "next": following_or_none})

    def _asked(self, request: web.Request) -> tuple[int, Role] | None:
        found = self.bodies.playlist_of(request.match_info["id"])
        if found is not None and request.get(SWAPPED, False):
            return (found[0] + 1) % len(self.catalogue.genres), found[1]
        return found

    def _may_read(self, role: Role, grant: Grant) -> bool:
        return self.rights.others or (grant.user == LISTENER and OWNERS.get(role) == LISTENER)

    def _list(self, genre: int, role: Role) -> list[Entry]:
        """Entries, including songs added at the top since the start."""
        entries, added = self.catalogue.entries(genre, role), self.versions[genre, role]
        following = self.catalogue.entries((genre + 1) % len(self.catalogue.genres), "pulse")
        added += (genre, role) in self._passing
        return [*reversed(following[:added]), *entries]

    def _find_tracks(self, query: str) -> list[Body]:
        wanted = {kind: (quoted or plain) for kind, quoted, plain in _QUERY.findall(query)}
        if code := wanted.get("isrc"):
            number = isrc_number(code)
            numbers = [] if number is None or number >= self.catalogue.song_count else [number]
        elif genre := wanted.get("genre"):
            known = [g.number for g in self.catalogue.genres if g.name == genre.casefold()]
            numbers = [e.number for g in known for e in self.catalogue.entries(g, "sound") if e.kind == "song"]
        else:
            artist = self.catalogue.artist_number(wanted.get("artist") or query)
            numbers = self.catalogue.artist_songs(artist) if artist is not None else []
        return [self.bodies.track(self.catalogue.song(number)) for number in numbers]

    def _find_artists(self, query: str) -> list[Body]:
        wanted = {kind: (quoted or plain) for kind, quoted, plain in _QUERY.findall(query)}
        number = self.catalogue.artist_number(wanted.get("artist") or query)
        return [self.bodies.artist(number)] if number is not None else []

    def _find_playlists(self, query: str) -> list[Body]:
        words = query.casefold().replace("the sound of", "").split()
        found = [g.number for g in self.catalogue.genres if all(word in g.name for word in words)]
        return [self.bodies.playlist(genre, "sound", self.versions[genre, "sound"], None) for genre in found]


def _said(status: int, body: Body | str) -> web.Response:
    return error(status, body) if isinstance(body, str) else web.json_response(body, status=status)


def _number(request: web.Request, name: str, default: int) -> int | None:
    text = request.query.get(name, str(default))
    return int(text) if text.isdecimal() else None


def _ids(request: web.Request, most: int) -> list[str] | None:
    ids = [one for one in request.query.get("ids", "").split(",") if one]
    return ids if 0 < len(ids) <= most else None
