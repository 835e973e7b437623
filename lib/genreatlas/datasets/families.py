"""Families of genres by their names, for stores that know no parents: deep house, acid house and house argentino."""

import re
from collections import Counter
from collections.abc import Mapping

#: So many genres end with a word that names a family.
LEAST_GENRES = 3

#: Words that join others and name nothing.
_JOINING = frozenset(
    re.findall(
        r"\w+", "a al and da das de del der des di do du e el en et i in la las le les n no of on s the to und y"
    )
)


def families_by_name(names: Mapping[str, str]) -> dict[str, str]:
    """The family of every genre whose name tells one.

    A word names a family where at least :data:`LEAST_GENRES` genres end with it; of several in a name the last word
    counts if it is one, else that with most genres, and of equal ones the first in the alphabet.

    Parameters
    ----------
    names : genre id = name.

    Returns
    -------
    genre id = word. Genres without one are left out.
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
    """Words of a name, lower case; ``hip hop`` and ``hip-hop`` are one word, as are ``r&b`` and ``drum 'n' bass``."""
    plain = re.sub(r"\b(hip)[\s-]+(hop)\b", r"\1\2", name.lower())
    plain = re.sub(r"\br\s*(?:&|n|'n')\s*b\b", "rnb", plain)
    plain = re.sub(r"\bdrum\s*(?:&|and|n|'n')\s*bass\b", "drumandbass", plain)
    return re.findall(r"[^\W_]+", plain)
