"""What two songs with one sound are to each other: copies of one recording, or versions that names and lengths tell.

A remix, a live take, a cover, another master or an edit may share a fingerprint with the recording that it was made of.
Shops and taggers say so in brackets or after a dash, and another length says that something was cut or added.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from genreatlas.recordings.verifying import Match
from genreatlas.sources.credits import performers

Kind = Literal["copy", "master", "remix", "live", "cover", "edit", "doubt"]

#: Words behind a title that make it a version, by the kind of it; the first kind that differs counts.
_MARKS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("remix", re.compile(r"\b(?:remix\w*|rmx|re-?work\w*|mix|dub|bootleg|mash-?up|nightcore|sped up|slowed|vip)\b")),
    ("live", re.compile(r"\b(?:live|unplugged|concert|session|en vivo|ao vivo|en directo|en public)\b")),
    ("cover", re.compile(r"\b(?:cover|karaoke|tribute|style of|made famous by|originally performed|backing track)\b")),
    ("master", re.compile(
        r"\b(?:remaster\w*|re-?master\w*|re-?recorded|mono|stereo|demo|alternat\w+|acoustic|instrumental|a ?cappella|"
        r"outtake|rehearsal|take \d+|taylor.s version)\b"
    )),
    ("edit", re.compile(r"\b(?:edit|radio|extended|short|long version|full length|intro|outro|reprise|interlude)\b")),
)  # fmt: skip
#: What the usual version is called: no mark.
_USUAL = re.compile(r"\b(?:original|album|single|main|standard)\s+(?:mix|version|edit)\b|\boriginal\b")
_BRACKETS = re.compile(r"[(\[{]([^)\]}]*)[)\]}]")
_DASH = re.compile(r"\s+[-–—]\s+")
_WORD = re.compile(r"[^\W_]+")

#: Lengths of one recording differ by less: silence, fades, and what a player counts otherwise. [s, share]
_LENGTH_S, _LENGTH_SHARE = 15.0, 0.1
#: Shorter files may be excerpts of any recording. [s]
_EXCERPT_S = 75.0
#: Different performers with a larger error are a cover made very alike; with a smaller one the credits differ.
_SURE_ERROR = 0.08
#: Where sound alone is no proof: distance of timbres over the usual one of two songs. Of 34 songs, 9 s lay at 0.27 from
#: the whole (median; at 0.37 for a quarter), and one in a thousand pairs of different songs below 0.43.
MOST_TIMBRE = 0.4


@dataclass(frozen=True)
class Facts:
    """What sources say of a song; None where they do not."""

    title: str | None = None
    artist: str | None = None
    isrc: str | None = None
    duration_s: float | None = None


def kind_of(match: Match, one: Facts, other: Facts, timbre: float | None = None) -> tuple[Kind, str]:
    """Tell what two songs are to each other, and why.

    Parameters
    ----------
    match : how their fingerprints match; it is of one sound.
    timbre : distance of their timbres over the usual one of two songs; None: not known.

    Returns
    -------
    The kind, and the reason in words.
    """
    if mark := differing_mark(one.title, other.title):
        return mark, "names differ"
    lengths = (one.duration_s, other.duration_s)
    if all(length is not None and length > _EXCERPT_S for length in lengths):
        shorter, longer = sorted(length for length in lengths if length is not None)
        if longer - shorter > max(_LENGTH_S, _LENGTH_SHARE * longer):
            return "edit", f"lengths of {shorter:.0f} and {longer:.0f} s"
    same_artist = _same_artist(one.artist, other.artist)
    if match.is_long:
        if match.error > _SURE_ERROR and same_artist is False:
            return "cover", "other performers"
        return "copy", "sound"
    if timbre is None or timbre > MOST_TIMBRE:
        return "doubt", "short overlap, timbre " + ("not known" if timbre is None else f"differs ({timbre:.2f})")
    if one.isrc and one.isrc == other.isrc:
        return "copy", f"short overlap, timbre {timbre:.2f}, one ISRC"
    if plain_title(one.title) and plain_title(one.title) == plain_title(other.title) and same_artist is not False:
        return "copy", f"short overlap, timbre {timbre:.2f}, one title"
    return "doubt", "short overlap, neither title nor ISRC agrees"


def differing_mark(one: str | None, other: str | None) -> Kind | None:
    """The kind of version that one title says to be, and the other not, or in other words; None: no difference.

    A title that is not known says nothing, so a file without tags is no copy of a live take: it may be either.
    """
    first, second = marks(one or ""), marks(other or "")
    return next((kind for kind, _ in _MARKS if first.get(kind) != second.get(kind)), None)


def marks(title: str) -> dict[Kind, frozenset[str]]:
    """Kinds of version that a title names behind its name, each with the words that say so."""
    found: dict[Kind, frozenset[str]] = {}
    for piece in _pieces(title)[1]:
        for kind, pattern in _MARKS:
            if pattern.search(piece):
                words = {re.sub(r"^re-?master.*", "remaster", word) for word in _WORD.findall(piece)}
                found[kind] = found.get(kind, frozenset()) | words - {"the", "version", "at", "from", "in"}
                break
    return found


def plain_title(title: str | None) -> str:
    """A title as it is compared: small letters and digits, without what stands in brackets or behind a dash."""
    return "".join(_WORD.findall(_pieces(title)[0])) if title else ""


def _pieces(title: str) -> tuple[str, list[str]]:
    """The name in a title, and what stands in brackets and behind dashes."""
    folded = unicodedata.normalize("NFKC", title).casefold()
    behind = _BRACKETS.findall(folded)
    name, *dashed = _DASH.split(_BRACKETS.sub(" ", folded))
    return name, [_USUAL.sub(" ", piece) for piece in (*behind, *dashed)]


def _same_artist(one: str | None, other: str | None) -> bool | None:
    """Whether two credits have a performer in common; None where one is not known."""
    if not one or not other:
        return None
    first, second = performers(one).named, performers(other).named
    return bool(first & second) if first and second else None
