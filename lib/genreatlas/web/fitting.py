"""Genres of a visitor's list: match its entries with songs of the extract, and count their genres."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from genreatlas.values import JsonObject
from genreatlas.web import lookups
from genreatlas.web.apart import carry_out
from genreatlas.web.lists import Entry, Heard, read_list
from genreatlas.web.matching import keys_of_credit, keys_of_name
from genreatlas.web.published import Extract

#: Keys by which entries are matched with songs, most reliable first.
KEYS = ("isrc", "spotify_id", "title_artist")
_CODES: tuple[Literal["isrc", "spotify_id"], ...] = ("isrc", "spotify_id")
_GENRES = 50
_SAMPLE = 20


def fit(found: Extract, heard: Heard) -> JsonObject:
    """Count the genres of a list.

    Each play of a song counts once, divided equally among the song's genres; a song without labels counts for its
    predicted genre.

    Returns
    -------
    JSON-able: numbers of ``entries`` and ``plays`` and how many were matched, in total and ``by`` key; ``genres`` with
    ``share`` (of the matched plays that have a genre), ``times_lake`` (ratio of this share to the genre's share of the
    lake) and ``n_songs``; and the first entries that were ``not_found``.
    """
    song_of = match(found, heard.plays)
    by = Counter(key for key, _ in song_of.values())
    plays: Counter[int] = Counter()
    for entry, (_, rank) in song_of.items():
        plays[rank] += heard.plays[entry]
    labels = lookups.labels(found, plays)
    shares: defaultdict[str, float] = defaultdict(float)
    songs: Counter[str] = Counter()
    labelled = predicted = 0
    for rank, times in plays.items():
        genres, by_model = labels.get(rank, ((), False))
        labelled, predicted = labelled + bool(genres and not by_model), predicted + bool(genres and by_model)
        for genre in genres:
            shares[genre] += times / len(genres)
            songs[genre] += 1
    total = sum(shares.values())
    names, sizes = found.genre_names(), found.genre_sizes
    everything = sum(sizes.values())
    ordered = sorted(shares, key=lambda genre: (-shares[genre], genre))[:_GENRES]
    return {
        "kind": heard.kind,
        "entries": len(heard.plays),
        "matched": len(song_of),
        "by": {key: by[key] for key in KEYS},
        "plays": sum(heard.plays.values()),
        "plays_matched": sum(plays.values()),
        "songs": len(plays),
        "songs_labelled": labelled,
        "songs_predicted": predicted,
        "skips": heard.skips,
        "other": heard.other,
        "broken": heard.broken,
        "genres": [
            {
                "genre_id": genre,
                "name": names.get(genre, genre),
                "share": shares[genre] / total,
                "times_lake": shares[genre] / total * everything / sizes[genre] if sizes.get(genre) else None,
                "n_songs": songs[genre],
            }
            for genre in ordered
        ],
        "not_found": [_shown(entry) for entry in heard.plays if entry not in song_of][:_SAMPLE],
    }


def match(found: Extract, entries: Iterable[Entry]) -> dict[Entry, tuple[str, int]]:
    """Match entries with songs of the extract: key type and rank of the song by entry; others are absent."""
    entries = list(entries)
    matched: dict[Entry, tuple[str, int]] = {}
    for key in _CODES:
        values = {entry: value for entry in entries if entry not in matched and (value := getattr(entry, key))}
        ranks = lookups.ranks_by(found, key, values.values())
        matched |= {entry: (key, ranks[value]) for entry, value in values.items() if value in ranks}
    keys = {entry: _keys(entry) for entry in entries if entry not in matched}
    ranks_of = lookups.ranks_by_keys(found, {key for own in keys.values() for key in own})
    for entry, own in keys.items():
        rank = next((ranks_of[key] for key in own if key in ranks_of), None)
        if rank is not None:
            matched[entry] = ("title_artist", rank)
    return matched


def _keys(entry: Entry) -> list[int]:
    if entry.artist and entry.title:
        return keys_of_credit(entry.artist, entry.title)
    return keys_of_name(entry.called) if entry.called else []


def _shown(entry: Entry) -> str:
    named = " - ".join(one for one in (entry.artist, entry.title) if one)
    return (named or entry.called or entry.isrc or entry.spotify_id)[:200]


def _carry_out(path: str, name: str, extract: str) -> JsonObject:
    return fit(Extract(Path(extract)), read_list(Path(path), name))


if __name__ == "__main__":
    carry_out(_carry_out)
