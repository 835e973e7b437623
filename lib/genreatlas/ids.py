"""Stable identifiers: the same input has the same id on every machine and in every run."""

import hashlib
import re
import unicodedata


def stable_id(*parts: object, length: int = 20) -> str:
    """Hash parts to a hexadecimal id.

    Every part goes in with its length before it, so ``("ab", "c")`` and ``("a", "bc")`` differ.

    Parameters
    ----------
    parts : values that name the thing; they enter as ``str``, floats by ``repr``.
    length : number of hexadecimal digits; 20 digits are 80 bits.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = str(part).encode("utf-8", "surrogateescape")
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()[:length]


def slug(name: str) -> str:
    """Genre id of a genre's name: lower case, letters and digits of any script only.

    ``Hip-Hop``, ``hiphop`` and ``hip hop`` are one genre, ``r&b en espanol`` is ``rbenespanol``;
    a name in Hangul keeps its letters. Accents stay: ``música`` and ``musica`` are two names.
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\W_]+", "", folded)
