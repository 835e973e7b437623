"""Stable identifiers: the same input has the same id on every machine and in every run."""

import hashlib
import re
import unicodedata


def stable_id(*parts: object, length: int = 20) -> str:
    """Hash parts to a hexadecimal id.

    Each part is hashed with its length as prefix, so ``("ab", "c")`` and ``("a", "bc")`` differ.

    Parameters
    ----------
    parts : values that identify the object, converted by ``str``.
    length : number of hexadecimal digits; 20 digits are 80 bits.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = str(part).encode("utf-8", "surrogateescape")
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()[:length]


#: A name that is a number, and signs with a meaning at the end of a name ("C#", "C++").
_NUMBER = re.compile(r"[+\-\u2212]?\d+(?:[.,]\d+)?")
_SIGNS = {"+": "plus", "#": "sharp", "\u266f": "sharp", "\u266d": "flat"}
_SIGNED = re.compile(r"(?<=[^\W_])[+#\u266f\u266d]+(?=\W*$)")
#: Marks to drop: combining accents without a precomposed letter, and variation selectors of emoji.
_SILENT = re.compile("[\u0300-\u036f\ufe00-\ufe0f]")


def slug(name: str) -> str:
    """Convert a genre's name to its id: lower case; only letters, vowel signs and digits of any script are kept.

    ``Hip-Hop``, ``hiphop`` and ``hip hop`` are one genre, ``r&b en espanol`` is ``rbenespanol``;
    a name in Hangul keeps its letters. Accents stay: ``música`` and ``musica`` are two names.

    Signs that distinguish two names are spelled out: ``-1`` is ``minus1``, ``1.5`` is ``1point5``
    and ``1.0`` is ``1``, ``C#`` is ``csharp``, ``C++`` is ``cplusplus``. A name of symbols alone (``+``, ``\u2665``)
    becomes a hash; a name of punctuation alone ("-", "???") has an empty slug.
    """
    folded = unicodedata.normalize("NFKC", name).casefold().strip()
    if _NUMBER.fullmatch(folded):
        return _number(folded)
    folded = _SIGNED.sub(lambda signs: "".join(_SIGNS[sign] for sign in signs[0]), folded)
    kept = "".join(c for c in _SILENT.sub("", folded) if c.isalnum() or unicodedata.category(c)[0] == "M")
    if kept.strip("_"):
        return kept
    symbols = [c for c in folded if unicodedata.category(c)[0] == "S"]
    return stable_id("genre", "".join(symbols), length=12) if symbols else ""


def _number(text: str) -> str:
    sign = "minus" if text[0] in "-\u2212" else ""
    digits = text.lstrip("+-\u2212")
    digits = re.sub(r",(?=\d{3}$)", "", digits)  # 1,000
    whole, _, fraction = digits.replace(",", ".").partition(".")
    fraction = fraction.rstrip("0")
    return f"{sign}{whole}{'point' if fraction else ''}{fraction}"
