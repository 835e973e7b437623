"""Which songs train, decide and test: groups that are never divided, placed once and for all.

Pure numpy and pandas. A split is a list of rows (table ``splits``) that only ever grows; what
counts for a song is its row with the highest version.
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
