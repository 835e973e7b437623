"""Whether what a provider found is the song that was looked for, and not another version of it."""

import re

from genreatlas.sources.credits import normalise_artist, split_guests

#: Masterings of one recording sound alike to every feature here; remixes, live takes and edits do not.
_REMASTER = re.compile(
    r"\s*(?:[-–—]\s*|[(\[]\s*)(?:[^()\[\]-]*\b)?remaster(?:ed)?\b[^()\[\]-]*[)\]]?\s*$", re.IGNORECASE
)
_GUESTS = re.compile(r"\s*[(\[]\s*(?:feat\.?|ft\.?|featuring|with)\s+[^)\]]*[)\]]", re.IGNORECASE)
_TAIL_GUESTS = re.compile(r"\s(?:feat\.?|ft\.?|featuring)\s+[^()\[\]]+?(?=\s+-\s|$)", re.IGNORECASE)
_JOINT = re.compile(r"\s*(?:,|;|&|/|\s(?:and|x|vs\.?|with)\s)\s*", re.IGNORECASE)

#: Seconds by which durations of one recording may differ.
TOLERANCE_S = 3.0


def normalise_title(title: str) -> str:
    """Reduce a title to what is compared: no guests, no remaster note, no case, accents or punctuation."""
    plain = _TAIL_GUESTS.sub("", _GUESTS.sub("", title))
    return normalise_artist(_REMASTER.sub("", plain) or title)


def normalised_artists(names: str) -> set[str]:
    """Every way to read a credit: as a whole, its primary artist, and each of its parts."""
    primary, guests = split_guests(names)
    found = {names, primary, *guests, *_JOINT.split(primary)}
    return {normalise_artist(name) for name in found if name.strip()}


def mismatch(
    title: str | None, artist: str | None, duration_s: float | None,
    found_title: str, found_artists: list[str], found_duration_s: float | None,
) -> str:  # fmt: skip
    """Say why two songs are not one recording; empty where they agree. What is not known is not compared."""
    if title and normalise_title(title) != normalise_title(found_title):
        return f"The title is {found_title!r}, not {title!r}."
    if artist:
        named = set().union(*(normalised_artists(name) for name in found_artists))
        if not named & normalised_artists(artist):
            return f"The artist is {', '.join(found_artists)!r}, not {artist!r}."
    if duration_s and found_duration_s and abs(duration_s - found_duration_s) > TOLERANCE_S:
        return f"It lasts {found_duration_s:g} s, not {duration_s:g} s."
    return ""
