"""Keys of artist and title that are independent of spelling variants: 64-bit integers, for an index of all songs."""

import hashlib
import re

from genreatlas.sources.credits import artist_key, is_no_artist, performers, split_guests
from genreatlas.sources.previews.deezer import normalise_title

_DASH = re.compile(r"\s+[-\u2013\u2014]\s+")
#: Maximum number of dashes of a text that are tried as the separator of artist and title.
_MOST_CUTS = 4


def keys_of_credit(artist: str, title: str) -> list[int]:
    """Keys of a song: one for the whole credit, and one for each performer; empty if there is no artist or title.

    Guests, notes on remasters, case, accents and punctuation are ignored. Other versions, such as live recordings, have
    other keys.
    """
    primary, _ = split_guests(artist)
    if is_no_artist(primary) or not title.strip():
        return []
    plain = normalise_title(title)
    names = dict.fromkeys([artist_key(primary), *performers(artist).sure])
    return [_key(plain, name) for name in names if name]


def keys_of_name(called: str) -> list[int]:
    """Keys of a text such as ``Artist - Title``; every dash is tried as the separator."""
    parts = _DASH.split(called)
    keys: list[int] = []
    for cut in range(1, min(len(parts), _MOST_CUTS + 1)):
        keys += keys_of_credit(" - ".join(parts[:cut]), " - ".join(parts[cut:]))
    return list(dict.fromkeys(keys))


def _key(title: str, artist: str) -> int:
    digest = hashlib.blake2b(f"{title}\x1f{artist}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)  # SQLite's integers are signed 64-bit
