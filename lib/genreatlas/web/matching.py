"""Keys by which a title and an artist are found however they are written: small numbers, for an index of all songs."""

import hashlib
import re

from genreatlas.sources.credits import artist_key, is_no_artist, performers, split_guests
from genreatlas.sources.previews.deezer import normalise_title

_DASH = re.compile(r"\s+[-\u2013\u2014]\s+")
#: Of a text with many dashes so many are tried as the one between artist and title.
_MOST_CUTS = 4


def keys_of_credit(artist: str, title: str) -> list[int]:
    """Keys of a song: one for each way to read who performs it, the whole credit first; none where that is nobody.

    Guests, notes of a remaster, case, accents and signs make no difference. Another version, such as a live take, is
    another title.
    """
    primary, _ = split_guests(artist)
    if is_no_artist(primary) or not title.strip():
        return []
    plain = normalise_title(title)
    names = dict.fromkeys([artist_key(primary), *performers(artist).sure])
    return [_key(plain, name) for name in names if name]


def keys_of_name(called: str) -> list[int]:
    """Keys of a text such as ``Artist - Title``; each dash may be the one between them."""
    parts = _DASH.split(called)
    keys: list[int] = []
    for cut in range(1, min(len(parts), _MOST_CUTS + 1)):
        keys += keys_of_credit(" - ".join(parts[:cut]), " - ".join(parts[cut:]))
    return list(dict.fromkeys(keys))


def _key(title: str, artist: str) -> int:
    digest = hashlib.blake2b(f"{title}\x1f{artist}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)  # what SQLite holds
