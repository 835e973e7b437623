"""Groups of copies, and their rows of ``recording_links``.

Groups are formed by complete linkage: every pair of songs in a group matches. So a medley, or a loop that two songs
share, does not join groups. A song that matches only part of a group is not added and gets the kind ``doubt``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from genreatlas.recordings.kinds import Facts, Kind, kind_of, marks
from genreatlas.recordings.verifying import Match


@dataclass(frozen=True)
class Pair:
    """Two songs with matching fingerprints, the lower id first, and the kind of their relation."""

    song_id: str
    other_id: str
    match: Match
    kind: Kind
    reason: str

    @property
    def evidence(self) -> str:
        """The match and the reason in words."""
        match = self.match
        speed = "" if match.speed == 1.0 else f", speed {match.speed:.3f}"
        return f"{self.reason}: {match.error:.3f} of bits differ over {match.overlap_s:.1f} s{speed}"


@dataclass(frozen=True)
class Link:
    """A row of ``recording_links``."""

    song_id: str
    recording_id: str
    kind: Kind
    score: float
    evidence: str


def classify_pairs(
    matches: Mapping[tuple[str, str], Match],
    facts: Mapping[str, Facts],
    timbres: Mapping[tuple[str, str], float],
) -> list[Pair]:
    """Classify the relation of each pair of matching songs.

    Parameters
    ----------
    matches : best match of each pair of song ids, the lower first.
    facts : title, artist and other metadata by song id.
    timbres : distance of two songs' timbres relative to the usual distance, by pair, if known.
    """
    nothing = Facts()
    found = []
    for (one, other), match in sorted(matches.items()):
        told = kind_of(match, facts.get(one, nothing), facts.get(other, nothing), timbres.get((one, other)))
        found.append(Pair(one, other, match, *told))
    return found


def complete_links(pairs: Iterable[Pair]) -> dict[str, str]:
    """Recording of every song with copies: the lowest song id of its group.

    Pairs are processed by ascending error. A pair joins two groups only if all their songs are copies of each other.
    """
    copies = [pair for pair in pairs if pair.kind == "copy"]
    linked = {(pair.song_id, pair.other_id) for pair in copies}
    group: dict[str, set[str]] = {}
    for pair in sorted(copies, key=lambda pair: (pair.match.error, pair.song_id, pair.other_id)):
        one = group.setdefault(pair.song_id, {pair.song_id})
        other = group.setdefault(pair.other_id, {pair.other_id})
        if one is other or not all((min(a, b), max(a, b)) in linked for a in one for b in other):
            continue
        one |= other
        for song in other:
            group[song] = one
    return {song: min(songs) for song, songs in group.items() if len(songs) > 1}


def make_links(pairs: list[Pair], facts: Mapping[str, Facts]) -> list[Link]:
    """Rows of ``recording_links``, sorted: members of every recording, then relations of songs to other recordings.

    The score of a member is its lowest score with another member of the group. A version points to the recording of the
    original: the song without a mark in its title, or else the song with the lower id.
    """
    recording = complete_links(pairs)
    weakest: dict[str, Pair] = {}
    apart: dict[tuple[str, str], Link] = {}
    for pair in pairs:
        one, other = (recording.get(song, song) for song in (pair.song_id, pair.other_id))
        if one == other:
            for song in (pair.song_id, pair.other_id):
                if song not in weakest or weakest[song].match.error < pair.match.error:
                    weakest[song] = pair
            continue
        kind, reason = (
            (pair.kind, pair.evidence) if pair.kind != "copy" else ("doubt", f"not all match: {pair.evidence}")
        )
        version, base = _version_first(pair, facts)
        link = Link(version, recording.get(base, base), kind, score(pair.match), reason)
        held = apart.get((link.song_id, link.recording_id))
        if held is None or _rank(held) < _rank(link):
            apart[link.song_id, link.recording_id] = link
    members = [Link(song, recording[song], "copy", score(pair.match), pair.evidence) for song, pair in weakest.items()]
    return sorted([*members, *apart.values()], key=lambda link: (link.song_id, link.recording_id))


def _rank(link: Link) -> tuple[bool, float, str]:
    """Sort key for links between the same song and recording: all other kinds rank above ``doubt``."""
    return link.kind != "doubt", link.score, link.kind


def score(match: Match) -> float:
    """Score of a match: 1 for equal fingerprints, 0 if half of the bits differ."""
    return max(0.0, 1.0 - 2.0 * match.error)


def missing_pairs(pairs: Iterable[tuple[str, str]], most: int) -> list[tuple[str, str]]:
    """Pairs that were not compared, within connected components of at most ``most`` songs.

    The index does not find every pair when a recording has many copies.
    """
    known = set(pairs)
    near: dict[str, set[str]] = {}
    for one, other in known:
        near.setdefault(one, set()).add(other)
        near.setdefault(other, set()).add(one)
    found, seen = [], set()
    for start in sorted(near):
        if start in seen:
            continue
        together, waiting = {start}, [start]
        while waiting:
            fresh = near[waiting.pop()] - together
            together |= fresh
            waiting += fresh
        seen |= together
        if 2 < len(together) <= most:
            songs = sorted(together)
            every = ((one, other) for place, one in enumerate(songs) for other in songs[place + 1 :])
            found += [pair for pair in every if pair not in known]
    return found


def _version_first(pair: Pair, facts: Mapping[str, Facts]) -> tuple[str, str]:
    """The pair's song ids: version, original."""
    named = [bool(marks(facts[song].title or "")) if song in facts else False for song in (pair.song_id, pair.other_id)]
    if named == [True, False]:
        return pair.song_id, pair.other_id
    return pair.other_id, pair.song_id
