"""Who made a song: artist names made comparable, and guests told from the primary artist.

A split groups songs by their primary artist, so two rules matter more than any other here. Names
that differ in spelling only ("The Beatles", "beatles", "Beatles, The") must meet in one artist,
and a name that stands for nobody ("Various Artists") must not join songs that have nothing in
common. Joint credits ("Simon & Garfunkel", "Tyler, The Creator") are left whole: taking a pair
apart needs a catalogue of artists, not punctuation.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from genreatlas.ids import stable_id

Role = Literal["primary", "album_artist", "guest"]

#: Names that stand for nobody in particular, as taggers and shops write them.
_NOBODY = frozenset(
    {
        "", "?", "-", "anon", "anonymous", "artist", "artist unknown", "artista desconhecido", "artista desconocido",
        "artiste inconnu", "artistes divers", "artistes varies", "artisti vari", "desconhecido", "desconocido",
        "divers", "diverse", "diverse artister", "diverse interpreten", "diverse kunstler", "inconnu", "n.a", "n/a",
        "nan", "no artist", "none", "not available", "null", "original soundtrack", "ost", "sconosciuto",
        "several artists", "soundtrack", "unbekannt", "unbekannter interpret", "unbekannter kunstler", "undefined",
        "unknown", "unknown artist", "unknown artists", "unknown performer", "untitled", "v.a", "v/a", "va", "varios",
        "varios artistas", "varios interpretes", "various", "various artist", "various artists",
        "various performers", "verschiedene", "verschiedene interpreten", "verschiedene kunstler",
    }
)  # fmt: skip

_FEATURING = re.compile(r"\s+[(\[]?\s*(?:feat\.?|ft\.?|featuring)\s+", re.IGNORECASE)
#: In a title only brackets announce a guest reliably: "(with X)", "[feat. X]"; or "feat. X" up to its end.
_TITLE_GUESTS = (
    re.compile(r"[(\[]\s*(?:feat\.?|ft\.?|featuring|with)\s+([^)\]]+)[)\]]", re.IGNORECASE),
    re.compile(r"\s(?:feat\.?|ft\.?|featuring)\s+([^()\[\]]+?)(?:\s+-\s.*)?$", re.IGNORECASE),
)
_SEVERAL = re.compile(r"\s*(?:;|\x00|\s/\s)\s*")
_GUEST_LIST = re.compile(r"\s*(?:,|;|\x00|\s/\s|&|\s(?:and|et|y|und|x)\s)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Credit:
    """One artist of a song; the first of a song's credits is the one that songs are grouped by."""

    artist_id: str
    name: str
    role: Role


def normalise_artist(name: str) -> str:
    """Reduce a name to what is compared: no case, accents, punctuation, or leading article.

    Returns
    -------
    str : "" only for blank names. A name of punctuation alone ("!!!") stays as it is.
    """
    plain = " ".join(_fold(name).split())
    if plain.endswith(", the"):
        plain = plain.removesuffix(", the")
    words = re.sub(r"[^\w\s]|_", "", plain.replace("&", " and ")).split()
    if words[0:1] == ["the"] and words[1:] not in ([], ["the"]):
        words = words[1:]
    return " ".join(words) or plain


def is_no_artist(name: str | None) -> bool:
    """Tell names that stand for nobody (empty, Unknown, Various Artists and their like) from artists."""
    plain = " ".join(_fold(name or "").split()).strip(" <>[](){}*_.\"'")
    return plain in _NOBODY or plain.startswith(("various artists ", "unknown artist "))


@lru_cache(maxsize=1 << 16)
def artist_id(name: str) -> str:
    """Hash of the normalised name."""
    return stable_id("artist", normalise_artist(name))


def split_guests(artist: str) -> tuple[str, tuple[str, ...]]:
    """Split "A feat. B & C" into A and its guests; of several artists in one tag ("A; B") the first is primary."""
    primary, *featured = _FEATURING.split(artist.strip())
    primary, *others = [part for part in _SEVERAL.split(primary) if part] or [""]
    guests = [guest for part in featured for guest in _GUEST_LIST.split(part.strip(" )]"))]
    return primary.strip(), tuple(guest.strip() for guest in (*others, *guests) if guest.strip())


def title_guests(title: str) -> tuple[str, ...]:
    """Guests that a title names: "I Don't Care (with Justin Bieber) - Remix" names one."""
    found = [match for pattern in _TITLE_GUESTS for match in pattern.findall(title)]
    return tuple(dict.fromkeys(guest.strip() for part in found for guest in _GUEST_LIST.split(part) if guest.strip()))


def credits(
    artist: str | None = None,
    *,
    album_artist: str | None = None,
    title: str | None = None,
    guests: Iterable[str] = (),
) -> tuple[Credit, ...]:
    """All credits of a song in order: album artist (if any), artist, guests; nobody is named twice.

    The album artist comes first because files of one album often carry a different guest in each
    artist tag. Names that stand for nobody are left out, so a song without an artist has no credits.
    A guest alone never becomes the first credit.
    """
    primary, featured = split_guests(artist or "")
    named: list[tuple[str, Role]] = []
    if album_artist:
        named.append((split_guests(album_artist)[0], "album_artist"))
    named.append((primary, "primary"))
    named = [(name, role) for name, role in named if not is_no_artist(name)]
    if named:
        extra = (*featured, *guests, *title_guests(title or ""))
        named.extend((name, "guest") for name in extra if not is_no_artist(name))
    found: dict[str, Credit] = {}
    for name, role in named:
        identity = artist_id(name)
        found.setdefault(identity, Credit(identity, name, role))
    return tuple(found.values())


def _fold(name: str) -> str:
    """Case-fold, and drop the accents of alphabets that write them as U+0300..U+036F."""
    decomposed = unicodedata.normalize("NFKD", name.replace("’", "'")).casefold()
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if not "\u0300" <= c <= "\u036f"))
