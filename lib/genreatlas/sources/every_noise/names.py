"""Parse slugs, ids and examples (artist and track) on Every Noise's pages."""

import re
from urllib.parse import unquote, urlsplit

from genreatlas.sources.spotify.links import parse_link

_PAGE = re.compile(r"(?:engenremap|everynoise1d)-(.+)\.html?", re.IGNORECASE)
_ARCHIVE = re.compile(r"^(?:https?://web\.archive\.org)?/web/\d+(?:[a-z]{2}_)?/")
_ID = re.compile(r"[0-9A-Za-z]{22}")


def slug_of_href(href: str | None) -> str | None:
    """Slug in a link to a genre's page or to its list (``engenremap-SLUG.html``); None for any other link.

    Saved pages may contain absolute addresses, and addresses wrapped by the Internet Archive. Names in queries
    (``everynoise1d.cgi?root=r&b en espanol``) are not used, because they are not encoded.
    """
    try:
        path = urlsplit(unarchived(href or "")).path
    except ValueError:
        return None
    match = _PAGE.fullmatch(unquote(path).rsplit("/", 1)[-1])
    return match.group(1).lower() if match else None


def artist_id_of_href(href: str | None) -> str | None:
    """Spotify id of the artist in a link (``spotify:artist:ID``, ``artistprofile.html?id=ID``), or None."""
    address = unarchived(href or "")
    if "artist" not in address.lower():
        return None
    link = parse_link(address)
    if link is not None:
        return link.id if link.kind == "artist" else None
    found = re.search(r"[?&]id=(?:spotify(?::|%3A)artist(?::|%3A))?([0-9A-Za-z]{22})(?![0-9A-Za-z])", address)
    return found.group(1) if found else None


def unarchived(address: str) -> str:
    """Original address of an address wrapped by the Internet Archive."""
    return _ARCHIVE.sub("", address.strip())


def track_id(key: str | None) -> str | None:
    """Spotify id of a track from its key; None for empty keys and keys of other services (before 2014)."""
    key = (key or "").removeprefix("spotify:track:")
    return key if _ID.fullmatch(key) else None


def example(title: str | None) -> tuple[str | None, str | None]:
    """Artist and track of ``e.g. Artist "Track"``; each is None if missing.

    Both may contain quotation marks (``Meade "Lux" Lewis "Honky Tonk Train Blues"``, ``Mark Ayres "Tubular Bells (From
    "The Exorcist")"``). The track starts at the first possible position that leaves paired quotation marks in both
    parts; if there is none, at the first possible position.
    """
    text = " ".join((title or "").split())
    if not text.startswith("e.g."):
        return None, None
    text = text.removeprefix("e.g.").strip()
    if not text.endswith('"'):
        return text or None, None
    places = [match.start() for match in re.finditer(r'(?<=\S) "', text) if match.end() < len(text)]
    if not places:
        whole = text.strip('"').strip()
        return (None, whole or None) if text.startswith('"') else (text, None)
    cuts = [(text[:place], text[place + 2 : -1]) for place in places]
    artist, track = next((cut for cut in cuts if _paired(cut[0]) and _paired(cut[1])), cuts[0])
    return artist.strip(), track.strip() or None


def _paired(text: str) -> bool:
    """Whether all quotation marks are paired; an unpaired closing mark is accepted after a digit (inches)."""
    depth = 0
    for match in re.finditer('"', text):
        before, after = text[: match.start()][-1:], text[match.end() :][:1]
        if (not before or before in ' ([{"-/') and after not in ("", " "):
            depth += 1
        elif depth:
            depth -= 1
        elif not before.isdigit():
            return False
    return depth == 0
