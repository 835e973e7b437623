"""Words of names and queries, folded alike, so that a search finds a name however it is typed."""

import unicodedata

#: Of a query; each word costs a look-up.
MOST_WORDS = 8
_LONGEST = 60


def fold(text: str) -> str:
    """Text without case, accents and doubled spaces, by which equal names are equal."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return " ".join("".join(one for one in plain if unicodedata.category(one) != "Mn").split())


def words(text: str) -> list[str]:
    """Words of a text: runs of letters and digits, folded."""
    spaced = "".join(one if unicodedata.category(one)[0] in "LN" else " " for one in fold(text))
    return [word[:_LONGEST] for word in spaced.split()]


def match_expression(query: str) -> str:
    """What FTS5 is asked: every word of a query is one or the beginning of one; empty where it has no word."""
    return " ".join(f'"{word}"*' for word in words(query)[:MOST_WORDS])
