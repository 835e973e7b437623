"""Tell ids that name segments of songs from ids that name songs."""

import re

import pandas as pd

from genreatlas.errors import ConfigError

_SEGMENT = re.compile(r"^(.+\d.*)[._\- ]+(?:seg(?:ment)?|part|chunk|clip)?[._\- ]*(\d{1,3})$", re.IGNORECASE)
_ENDING = re.compile(r"\.(wav|mp3|flac|ogg|au|aiff?|m4a|npy|png)$", re.IGNORECASE)


def cut_songs(ids: pd.Series, pattern: str) -> tuple[pd.Series, int]:
    """Cut the song out of every id by the pattern's first group; ids that do not match stay whole.

    Returns
    -------
    The songs, and how many ids did not match.

    Raises
    ------
    ConfigError : no regular expression, one without a group, or one that matches no id.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"[import_features] song_pattern {pattern!r} is no regular expression: {error}.") from None
    if not expression.groups:
        raise ConfigError(f"[import_features] song_pattern {pattern!r} has no group. Put brackets around the song.")
    matches = [expression.search(text) for text in ids]
    songs = [match[1] if match and match[1] else text for match, text in zip(matches, ids, strict=True)]
    missed = sum(not (match and match[1]) for match in matches)
    if missed == len(ids) and len(ids):
        raise ConfigError(f"[import_features] song_pattern {pattern!r} matches no id, such as {ids.iloc[0]!r}.")
    return pd.Series(songs, index=ids.index, dtype=object), missed


def segment_warning(ids: pd.Series, labels: pd.Series) -> str | None:
    """Warn where ids look like ``blues.00000.3.wav``: several numbered pieces of one song.

    Nine ids in ten must end in a number of at most three digits after a stem with digits, the
    stems must have two rows and more on average and outnumber the labels twice (``rock_12`` is a
    song of the stem ``rock``).
    """
    found = [_SEGMENT.match(_ENDING.sub("", text)) for text in ids.drop_duplicates()]
    stems = [match[1] for match in found if match]
    if len(stems) < 0.9 * len(found) or len(stems) < 4:
        return None
    distinct = len(set(stems))
    if len(stems) < 2 * distinct or distinct < 2 * labels.nunique():
        return None
    example = next(match for match in found if match)
    return (
        f"WARNING: ids look like segments of songs ({example[0]} of {example[1]}): {len(stems)} ids, {distinct} stems. "
        "Segments of one song must not be divided between parts: set song_pattern, such as '^(.+)\\.\\d+\\.wav$'"
    )
