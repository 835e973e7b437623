"""Normalised words of names and queries, for a search that ignores case and accents."""

import unicodedata

#: Maximum words of a query; each needs a look-up.
MOST_WORDS = 8
_LONGEST = 60


def fold(text: str) -> str:
    """Normalise text: NFKD, case folded, without accents and repeated spaces."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return " ".join("".join(one for one in plain if unicodedata.category(one) != "Mn").split())


def words(text: str) -> list[str]:
    """Words of a text: runs of letters and digits, normalised."""
    spaced = "".join(one if unicodedata.category(one)[0] in "LN" else " " for one in fold(text))
    return [word[:_LONGEST] for word in spaced.split()]


def match_expression(query: str) -> str:
    """FTS5 expression that matches names with a word beginning with each word of the query; empty without words."""
    return " ".join(f'"{word}"*' for word in words(query)[:MOST_WORDS])
