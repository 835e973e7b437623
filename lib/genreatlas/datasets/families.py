"""Families of genres derived from names, for stores without parent genres: deep house, acid house, house argentino."""

import re
from collections import Counter
from collections.abc import Mapping

#: Minimum number of genres whose names end with a word for the word to name a family.
LEAST_GENRES = 3

#: Articles, prepositions and conjunctions, which never name a family.
_JOINING = frozenset(
    re.findall(
        r"\w+", "a al and da das de del der des di do du e el en et i in la las le les n no of on s the to und y"
    )
)


def families_by_name(names: Mapping[str, str]) -> dict[str, str]:
    """Derive the families of genres from their names.

    A word names a family if the names of at least :data:`LEAST_GENRES` genres end with it. If a name contains several
    such words, its last word is used if it is one of them; otherwise the word with the most genres, and among equals
    the first in alphabetical order.

    Parameters
    ----------
    names : name by genre id.

    Returns
    -------
    Family (a word) by genre id. Genres without a family are left out.
    """
    words = {genre: _words(name) for genre, name in names.items()}
    ends = Counter(of[-1] for of in words.values() if of)
    known = {word for word, n in ends.items() if n >= LEAST_GENRES and word not in _JOINING and len(word) > 1}
    found = {}
    for genre, of in words.items():
        if of and of[-1] in known:
            found[genre] = of[-1]
        elif there := [word for word in of if word in known]:
            found[genre] = min(there, key=lambda word: (-ends[word], word))
    return found


def _words(name: str) -> list[str]:
    """Words of a name in lower case. ``hip hop``, ``hip-hop``, ``r&b`` and ``drum 'n' bass`` are single words."""
    plain = re.sub(r"\b(hip)[\s-]+(hop)\b", r"\1\2", name.lower())
    plain = re.sub(r"\br\s*(?:&|n|'n')\s*b\b", "rnb", plain)
    plain = re.sub(r"\bdrum\s*(?:&|and|n|'n')\s*bass\b", "drumandbass", plain)
    return re.findall(r"[^\W_]+", plain)
