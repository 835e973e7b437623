"""Classify the relation of two songs with matching fingerprints: copies of one recording, or versions.

The fingerprint of a remix, live take, cover, other master or edit may match that of the original recording. Versions
are recognised by words in brackets or after a dash in the title, and by different lengths.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from genreatlas.recordings.verifying import Match
from genreatlas.sources.credits import performers

Kind = Literal["copy", "master", "remix", "live", "cover", "edit", "doubt"]

#: Words in the suffix of a title that mark a version, by kind; the first kind that differs is used.
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
#: Names of the usual version, which are not marks.
_USUAL = re.compile(r"\b(?:original|album|single|main|standard)\s+(?:mix|version|edit)\b|\boriginal\b")
_BRACKETS = re.compile(r"[(\[{]([^)\]}]*)[)\]}]")
_DASH = re.compile(r"\s+[-–—]\s+")
_WORD = re.compile(r"[^\W_]+")

#: Copies differ in length by no more than the larger of these two, due to silence, fades and decoders. [s, share]
_LENGTH_S, _LENGTH_SHARE = 15.0, 0.1
#: Files up to this length may be excerpts, so their lengths are not compared. [s]
_EXCERPT_S = 75.0
#: Different performers: a cover if the error is larger, a copy with differing credits if it is smaller.
_SURE_ERROR = 0.08
#: Largest relative timbre distance of copies with a short overlap. Measured on 34 songs: 9 s had a distance of 0.27 to
#: the whole song (median; 0.37 for a quarter), and one in a thousand pairs of different songs was below 0.43.
MOST_TIMBRE = 0.4
#: Reason for the doubt about two songs with similar sound at several offsets.
_LOOPS = "similar at other offsets too, as loops are"


@dataclass(frozen=True)
class Facts:
    """Metadata of a song from its sources; None where unknown."""

    title: str | None = None
    artist: str | None = None
    isrc: str | None = None
    duration_s: float | None = None


def kind_of(match: Match, one: Facts, other: Facts, timbre: float | None = None) -> tuple[Kind, str]:
    """Classify the relation of two songs whose fingerprints match.

    Parameters
    ----------
    match : match of their fingerprints, with ``match.is_sound``.
    one, other : metadata of the songs.
    timbre : distance of their timbres divided by the usual distance of two songs; None: unknown.

    Returns
    -------
    kind, reason in words.
    """
    same_artist = _same_artist(one.artist, other.artist)
    related = _one_name(one, other)
    shared = "" if related == "one title" and same_artist is False else related
    if match.is_long and not match.is_unlike_loops and not related:
        return "doubt", _LOOPS
    if mark := differing_mark(one.title, other.title):
        return mark, "names differ"
    lengths = (one.duration_s, other.duration_s)
    if all(length is not None and length > _EXCERPT_S for length in lengths):
        shorter, longer = sorted(length for length in lengths if length is not None)
        if longer - shorter > max(_LENGTH_S, _LENGTH_SHARE * longer):
            return "edit", f"lengths of {shorter:.0f} and {longer:.0f} s"
    if match.is_long:
        if match.error > _SURE_ERROR and same_artist is False:
            return "cover", "other performers"
        if match.is_distinct:
            return "copy", "sound"
        if shared:
            return "copy", f"sound, {shared}"
        return "doubt", "more differs than in copies" if match.is_unlike_loops else _LOOPS
    if timbre is None or timbre > MOST_TIMBRE:
        return "doubt", "short overlap, timbre " + ("not known" if timbre is None else f"differs ({timbre:.2f})")
    if shared:
        return "copy", f"short overlap, timbre {timbre:.2f}, {shared}"
    return "doubt", "short overlap, neither title nor ISRC agrees"


def _one_name(one: Facts, other: Facts) -> str:
    """What two songs have in common: "one ISRC", "one title", or nothing."""
    if one.isrc and one.isrc == other.isrc:
        return "one ISRC"
    title = plain_title(one.title)
    return "one title" if title and title == plain_title(other.title) else ""


def differing_mark(one: str | None, other: str | None) -> Kind | None:
    """First kind of version for which the marks of two titles differ; None if there is none.

    An unknown title has no marks, so a file without tags is never a copy of a marked version such as a live take.
    """
    first, second = marks(one or ""), marks(other or "")
    return next((kind for kind, _ in _MARKS if first.get(kind) != second.get(kind)), None)


def marks(title: str) -> dict[Kind, frozenset[str]]:
    """Kinds of version that are marked in brackets or after a dash in a title, each with the words of the mark."""
    found: dict[Kind, frozenset[str]] = {}
    for piece in _pieces(title)[1]:
        for kind, pattern in _MARKS:
            if pattern.search(piece):
                words = {re.sub(r"^re-?master.*", "remaster", word) for word in _WORD.findall(piece)}
                found[kind] = found.get(kind, frozenset()) | words - {"the", "version", "at", "from", "in"}
                break
    return found


def plain_title(title: str | None) -> str:
    """A title normalised for comparison: lower-case letters and digits, without brackets and text after a dash."""
    return "".join(_WORD.findall(_pieces(title)[0])) if title else ""


def _pieces(title: str) -> tuple[str, list[str]]:
    """Split a title into the name and the texts in brackets and after dashes."""
    folded = unicodedata.normalize("NFKC", title).casefold()
    behind = _BRACKETS.findall(folded)
    name, *dashed = _DASH.split(_BRACKETS.sub(" ", folded))
    return name, [_USUAL.sub(" ", piece) for piece in (*behind, *dashed)]


def _same_artist(one: str | None, other: str | None) -> bool | None:
    """Whether two credits have a performer in common; None if either is unknown."""
    if not one or not other:
        return None
    first, second = performers(one).named, performers(other).named
    return bool(first & second) if first and second else None
