"""Names on Every Noise's pages: slugs of links, and the artist and track of an example."""

import re
from urllib.parse import unquote, urlsplit

from genreatlas.sources.spotify.links import parse_link

_PAGE = re.compile(r"(?:engenremap|everynoise1d)-(.+)\.html?", re.IGNORECASE)
_ARCHIVE = re.compile(r"^(?:https?://web\.archive\.org)?/web/\d+(?:[a-z]{2}_)?/")
_ID = re.compile(r"[0-9A-Za-z]{22}")


def slug_of_href(href: str | None) -> str | None:
    """Slug in a link to a genre's page or to its list (``engenremap-SLUG.html``); None for any other link.

    A saved page may hold full addresses, and one from the Internet Archive addresses within others. Names in
    queries (``everynoise1d.cgi?root=r&b en espanol``) are no help: they were never encoded.
    """
    try:
        path = urlsplit(unarchived(href or "")).path
    except ValueError:
        return None
    match = _PAGE.fullmatch(unquote(path).rsplit("/", 1)[-1])
    return match.group(1).lower() if match else None


def artist_id_of_href(href: str | None) -> str | None:
    """Spotify's id of the artist in any link that holds one (``spotify:artist:ID``, ``artistprofile.html?id=ID``)."""
    address = unarchived(href or "")
    if "artist" not in address.lower():
        return None
    link = parse_link(address)
    if link is not None:
        return link.id if link.kind == "artist" else None
    found = re.search(r"[?&]id=(?:spotify(?::|%3A)artist(?::|%3A))?([0-9A-Za-z]{22})(?![0-9A-Za-z])", address)
    return found.group(1) if found else None


def unarchived(address: str) -> str:
    """The address that a page had before the Internet Archive wrapped it in its own."""
    return _ARCHIVE.sub("", address.strip())


def track_id(key: str | None) -> str | None:
    """A key as Spotify's id of a track; None for keys of other services (before 2014) and for empty ones."""
    key = (key or "").removeprefix("spotify:track:")
    return key if _ID.fullmatch(key) else None


def example(title: str | None) -> tuple[str | None, str | None]:
    """Artist and track of ``e.g. Artist "Track"``; either is None where it is not said.

    Both may hold quotation marks (``Meade "Lux" Lewis "Honky Tonk Train Blues"``, ``Mark Ayres "Tubular
    Bells (From "The Exorcist")"``), so of the places where the track may begin the first counts that
    leaves both with pairs only; failing that, the very first.
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
    """Tell whether every quotation mark that opens is closed; one after a digit may mean inches."""
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
