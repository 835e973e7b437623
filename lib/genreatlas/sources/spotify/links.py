"""Parse Spotify links to playlists, tracks, artists and albums, in all forms used since 2014.

The forms, with the years of their use:

- URIs: ``spotify:playlist:ID``, ``spotify:user:NAME:playlist:ID`` (until 2018), ``spotify://track/ID`` (mobile);
- pages: ``open.spotify.com/playlist/ID``, ``…/user/NAME/playlist/ID`` (until 2018), ``…/intl-de/track/ID`` (since
  2022), ``play.spotify.com/…`` (until 2017), all with or without ``?si=…``, ``#1:30`` and scheme;
- embeds: ``embed.spotify.com/?uri=…`` (until 2018, the URI plain or encoded), ``open.spotify.com/embed?uri=…``,
  ``open.spotify.com/embed/playlist/ID``, and ``…/oembed?url=…``;
- addresses of the API: ``api.spotify.com/v1/playlists/ID/tracks``, ``…/v1/users/NAME/playlists/ID``.

Short links (``spotify.link/…``) contain no id and would need a request to resolve, so they are not supported.
"""

import html
import re
from dataclasses import dataclass
from typing import Literal, cast, get_args
from urllib.parse import parse_qs, unquote, urlsplit

from genreatlas.errors import InputError

Kind = Literal["playlist", "track", "artist", "album", "episode", "show"]

_KINDS = frozenset(get_args(Kind))
#: 128 bits in base 62.
_ID = re.compile(r"[0-9A-Za-z]{22}")
_HOSTS = re.compile(r"(?:[\w-]+\.)*spotify\.com|spotify\.app\.link|com\.spotify\.music")
_SHORT_HOSTS = re.compile(r"(?:[\w-]+\.)*(?:spotify\.link|spoti\.fi|tospotify\.com|spotify\.app\.link)")
#: Query parameters that contain the target link of pages without an id.
_NESTED = ("uri", "url", "$deeplink_path", "$canonical_url", "$full_url", "link")


@dataclass(frozen=True)
class SpotifyLink:
    """Target of a link; ``user`` is the owner, contained in links until 2018."""

    kind: Kind
    id: str
    user: str | None = None

    @property
    def uri(self) -> str:
        """Current form of the URI."""
        return f"spotify:{self.kind}:{self.id}"

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"https://open.spotify.com/{self.kind}/{self.id}"


def parse_link(text: str | None) -> SpotifyLink | None:
    """Parse a link in any form; None if it is not a link to a playlist, track, artist, album, episode or show.

    The path takes precedence over parameters: ``track/ID?context=spotify:playlist:ID`` is the track. An album page that
    highlights a track (``album/ID?highlight=spotify:track:ID``) is a link to that track.
    """
    return _parse(html.unescape(text or "").strip().strip("<>\"'"), depth=0)


def require_link(text: str, kind: Kind) -> str:
    """Id of a link of the given kind; a bare id of 22 letters and digits is accepted, too.

    Raises
    ------
    InputError : the text is neither; the message has the reason and the accepted forms.
    """
    plain = text.strip()
    if _ID.fullmatch(plain):
        return plain
    link = parse_link(plain)
    if link is not None and link.kind == kind:
        return link.id
    if link is not None:
        problem = f"is a link to {'an' if link.kind[0] in 'aeiou' else 'a'} {link.kind}, not to a {kind}"
    elif _SHORT_HOSTS.fullmatch(_split(plain)[0]):
        problem = "is a short link, which contains no id: open it and copy the address of the page"
    elif plain.endswith((":starred", "/starred")):
        problem = "is a list of starred tracks, which Spotify's API no longer has"
    else:
        problem = f"is not a link to a {kind}"
    raise InputError(f"{text!r} {problem}. Write it as spotify:{kind}:ID or https://open.spotify.com/{kind}/ID.")


def _parse(text: str, depth: int) -> SpotifyLink | None:
    if re.match(r"spotify:", unquote(unquote(text)), re.IGNORECASE):
        uri = re.split(r"[?#]", unquote(unquote(text)))[0]
        return _named([part for part in re.split(r"[:/]", uri) if part][1:])
    host, path, query = _split(text)
    if not _HOSTS.fullmatch(host):
        return None
    own = _named([unquote(part) for part in path.split("/") if part])
    if own is not None and own.kind != "album":
        return own
    if own is None and ":" in unquote(path):
        own = _named([part for part in re.split(r"[:/]", unquote(path)) if part])
    parameters = parse_qs(query)
    nested = ("highlight",) if own else _NESTED
    found = (_parse(value, depth + 1) for name in nested for value in parameters.get(name, ()) if depth < 3)
    return next((link for link in found if link is not None), own)


def _split(text: str) -> tuple[str, str, str]:
    """Host in lower case, path and query of an address with or without a scheme."""
    address = text if re.match(r"[a-z][a-z0-9+.-]*://", text, re.IGNORECASE) else "//" + text.lstrip("/")
    try:
        parts = urlsplit(address)
        return (parts.hostname or "").lower(), parts.path, parts.query
    except ValueError:
        return "", "", ""


def _named(parts: list[str]) -> SpotifyLink | None:
    """Parse path segments: the first kind that is followed by an id, and the user before it."""
    kinds = [part.lower().removesuffix("s") for part in parts]
    for place, (kind, following) in enumerate(zip(kinds, parts[1:], strict=False)):
        if kind in _KINDS and _ID.fullmatch(following):
            user = unquote(parts[place - 1]) if place > 1 and kinds[place - 2] == "user" else None
            return SpotifyLink(cast(Kind, kind), following, user)
    return None
