"""Spotify's accounts service: access tokens for apps and for a user, and their end."""

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from genreatlas.sandbox.world.spotify_bodies import LISTENER

#: A client secret that is refused, for tests of what then happens.
WRONG_SECRET = "wrong"


@dataclass(frozen=True)
class Grant:
    """What a token stands for; ``user`` is None for an app alone."""

    expires: float
    user: str | None


class Accounts:
    """Gives out tokens and knows which are good."""

    def __init__(self, lifetime_s: float) -> None:
        self.lifetime_s = lifetime_s
        self._grants: dict[str, Grant] = {}
        self._codes: dict[str, str] = {}
        self._refresh: set[str] = set()

    def token(self, form: Mapping[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """Status and body of a request for a token."""
        client, secret = _client(form, authorization)
        if not client or secret == WRONG_SECRET:
            return 400, {"error": "invalid_client", "error_description": "Invalid client secret"}
        match form.get("grant_type"):
            case "client_credentials":
                return 200, self._grant(None)
            case "authorization_code":
                challenge = self._codes.pop(form.get("code", ""), None)
                if challenge is None or (challenge and challenge != _challenge(form.get("code_verifier", ""))):
                    return 400, {"error": "invalid_grant", "error_description": "Invalid authorization code"}
                return 200, self._grant(LISTENER)
            case "refresh_token":
                if form.get("refresh_token", "") in ("", "revoked"):
                    return 400, {"error": "invalid_grant", "error_description": "Refresh token revoked"}
                return 200, self._grant(LISTENER)
        return 400, {"error": "unsupported_grant_type", "error_description": "grant_type is missing or unknown"}

    def authorize(self, query: Mapping[str, str]) -> str:
        """Address that a user who agreed is sent to, with the code."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = query.get("code_challenge", "")
        answer = {"code": code} | ({"state": query["state"]} if "state" in query else {})
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def check(self, authorization: str) -> Grant | str:
        """The grant behind a request's header, or the words in which it is refused."""
        kind, _, token = authorization.partition(" ")
        if kind != "Bearer" or not token:
            return "No token provided"
        grant = self._grants.get(token)
        if grant is None:
            return "Invalid access token"
        return grant if grant.expires > time.time() else "The access token expired"

    def end(self, authorization: str) -> None:
        """Let a token expire now."""
        token = authorization.partition(" ")[2]
        if token in self._grants:
            self._grants[token] = Grant(0.0, self._grants[token].user)

    def end_all(self) -> None:
        """Let all tokens expire now."""
        self._grants = {token: Grant(0.0, grant.user) for token, grant in self._grants.items()}

    def _grant(self, user: str | None) -> dict[str, Any]:
        token = secrets.token_urlsafe(48)
        self._grants[token] = Grant(time.time() + self.lifetime_s, user)
        body = {"access_token": token, "token_type": "Bearer", "expires_in": int(self.lifetime_s)}
        if user:
            body |= {"scope": "playlist-read-private", "refresh_token": secrets.token_urlsafe(48)}
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
