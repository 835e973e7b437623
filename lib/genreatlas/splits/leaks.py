"""What lies on both sides of a split, looked for in another way than the split was made.

The split follows links between songs. Here are no links: the names as they were credited, and the
hashes of the audio, are compared directly between the parts, by rules of their own, so that an error in the
links shows. Nothing is called artist-safe that does not pass.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from genreatlas.sources.credits import is_no_artist

_GUESTS = re.compile(r"[\s(\[](?:feat|ft|featuring)[.\s]", re.IGNORECASE)
_EXAMPLES = 3


@dataclass(frozen=True)
class Shared:
    """Performers and recordings on more than one side: in two parts, or in two folds of the training part.

    ``songs`` counts the songs of those performers, ``examples`` names some of them.
    """

    performers: int = 0
    songs: int = 0
    recordings: int = 0
    examples: tuple[str, ...] = ()


def find_shared(rows: pd.DataFrame, songs: pd.DataFrame, clips: pd.DataFrame | None = None) -> Shared:
    """Count performers and recordings that a split divides.

    Parameters
    ----------
    rows : current rows of a split: song_id, part, fold, reason; excluded songs do not count.
    songs : song_id, artist and, where known, album_artist, which counts where no artist is named.
    clips : song_id, and of sha256, audio_id and sound_sha256 those that are known.
    """
    used = rows.loc[rows["part"] != "excluded", ["song_id", "part", "fold"]]
    place = used["part"].astype(str) + used["fold"].astype("Int64").astype("string").fillna("")
    place_of = dict(zip(used["song_id"], place, strict=True))
    by_name = _places(place_of, zip(songs["song_id"], _performers(songs), strict=True))
    shared = {str(name): held for name, held in by_name.items() if name and len(set(held.values())) > 1}
    tied = {song for held in shared.values() for song in held}
    recordings = 0
    for column in ("sha256", "audio_id", "sound_sha256") if clips is not None else ():
        if clips is not None and column in clips:
            by_hash = _places(place_of, zip(clips["song_id"], clips[column], strict=True))
            recordings += sum(isinstance(value, str) and len(set(held.values())) > 1 for value, held in by_hash.items())
    called = dict(zip(songs["song_id"], songs["artist"], strict=True)) if "artist" in songs else {}
    examples = [str(called.get(min(shared[name])) or name) for name in sorted(shared)[:_EXAMPLES]]
    return Shared(len(shared), len(tied), recordings, tuple(examples))


def _places(place_of: dict[str, str], pairs: Iterable[tuple[str, object]]) -> dict[object, dict[str, str]]:
    """What is paired with songs in use = {song: its place}."""
    found: dict[object, dict[str, str]] = {}
    for song, value in pairs:
        if song in place_of:
            found.setdefault(value, {})[song] = place_of[song]
    return found


def _performers(songs: pd.DataFrame) -> list[str]:
    """Who performs each song: the artist, or else the album artist, unless that is known for others' songs only."""
    artists, makers = _names(songs, "artist"), _names(songs, "album_artist")
    marked = [flag is True for flag in songs["compilation"]] if "compilation" in songs else [False] * len(songs)
    performing = set(artists)
    compiling = {maker for artist, maker in zip(artists, makers, strict=True) if artist} - performing
    found = []
    for artist, maker, compiled in zip(artists, makers, marked, strict=True):
        unknown = maker in compiling or (compiled and maker not in performing)
        found.append(artist or ("" if unknown else maker))
    return found


def _names(songs: pd.DataFrame, column: str) -> list[str]:
    texts = songs[column].tolist() if column in songs else [None] * len(songs)
    plain = {text: _plain(text) if isinstance(text, str) else "" for text in set(texts)}
    return [plain[text] for text in texts]


def _plain(credit: str) -> str:
    """The first artist of a credit without guests, as letters, digits and marks in one case; "" for nobody."""
    for value in re.split(r"[;\x00]", credit):
        name = value[: match.start()] if (match := _GUESTS.search(value)) else value
        if is_no_artist(name):
            continue
        letters = unicodedata.normalize("NFKD", name).casefold()
        # Combining accents of Latin, Greek and Cyrillic are one block; marks of other scripts are letters.
        letters = letters.replace("и\u0306", "й")
        kept = [c for c in letters if not "\u0300" <= c <= "\u036f" and unicodedata.category(c)[0] in "LNM"]
        start = re.match(r"\W*the\s+(?=\S)", letters)
        if start:
            kept = kept[3:] or kept
        elif re.search(r",\s*the\s*$", letters):
            kept = kept[:-3] or kept
        return unicodedata.normalize("NFC", "".join(kept)) or "".join(letters.split())
    return ""
