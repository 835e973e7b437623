"""Splits of songs into training, promotion and test parts, by groups that are never divided.

Pure numpy and pandas. A split is an append-only list of rows (table ``splits``); the row of a song with the highest
version is the current one. Assigned songs never move to another part.
"""

from genreatlas.splits.assignment import Assignment, Library, assign, stratify
from genreatlas.splits.groups import copies, recordings, stack
from genreatlas.splits.leaks import (
    Shared,
    check_leaks,
    current,
    featured_share,
    find_shared,
    grouping,
    unknown_artist_share,
)
from genreatlas.splits.ties import song_links

__all__ = [
    "Assignment",
    "Library",
    "Shared",
    "assign",
    "check_leaks",
    "copies",
    "current",
    "featured_share",
    "find_shared",
    "grouping",
    "recordings",
    "song_links",
    "stack",
    "stratify",
    "unknown_artist_share",
]
