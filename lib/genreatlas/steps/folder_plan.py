"""Which files of a folder an import has to open: all that are neither clips nor in quarantine already."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from genreatlas import __version__
from genreatlas.audio.decode import DECODER_RELEASE
from genreatlas.audio.uris import path_to_uri, readable
from genreatlas.audio.window import window_rule
from genreatlas.config import Config
from genreatlas.errors import Reason
from genreatlas.ids import stable_id
from genreatlas.sources.folder.catalogue import Catalogue
from genreatlas.sources.folder.listing import Entry, Listing
from genreatlas.sources.folder.rows import song_id


@dataclass(frozen=True)
class File:
    """A file of the folder and the song that it belongs to; ``version`` is its state, as quarantine keeps it."""

    uri: str
    entry: Entry
    song_key: str
    version: str


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Parameters
    ----------
    files : all files with a label that can be opened, by URI.
    pending : those to open, in the order of their paths.
    clips : how many are clips already.
    quarantined : how many are in quarantine already.
    rejected : new rows of quarantine for files and rows that are not opened.
    refused_keys : keys of all such rows, new and old.
    known_rejected : how many such rows are in quarantine already.
    ignored : entries that are neither audio nor named like it.
    unnamed : audio files that the list of files does not name.
    """

    files: dict[str, File]
    pending: list[File]
    clips: int
    quarantined: int
    rejected: list[dict[str, Any]]
    refused_keys: set[str]
    known_rejected: int
    ignored: int
    unnamed: int

    @property
    def entries(self) -> int:
        """Entries of the folder, and rows of its list of files that name none of them."""
        done = self.clips + self.quarantined + self.known_rejected
        return len(self.pending) + len(self.rejected) + done + self.ignored + self.unnamed


def make_plan(
    listing: Listing,
    sidecars: int,
    catalogue: Catalogue,
    config: Config,
    clips: Iterable[Mapping[str, Any]],
    quarantined: Mapping[tuple[str, str], str],
    ids: Callable[[str], str] = song_id,
) -> Plan:
    """Compare a folder with what is known of it.

    Parameters
    ----------
    sidecars : entries of the listing that the catalogue was not asked about.
    clips : rows of ``clips`` of this provider that count.
    quarantined : key and version of this step's rows of ``quarantine``, with their reason.
    ids : id of a song by its key.
    """
    done = {(row["uri"], row["bytes"], row["modified_ns"], row["window_rule"], row["song_id"]) for row in clips}
    rule = window_rule(config.clip)
    files: dict[str, File] = {}
    pending: list[File] = []
    clips_known = bad_known = 0
    refused = [_row_of(rejection.path, rejection.reason, rejection.detail, rejection.place, catalogue, listing)
               for rejection in catalogue.rejected]  # fmt: skip
    for path in sorted(catalogue.song_of):
        entry = catalogue.files[path]
        if problem := _closed(entry, config):
            refused.append(_row_of(path, *problem, "", catalogue, listing))
            continue
        key = catalogue.song_of[path]
        file = File(path_to_uri(path), entry, key, file_version(entry, catalogue.labels, config))
        files[file.uri] = file
        state = (file.uri, entry.size, entry.modified_ns, rule, ids(key))
        if state in done:
            clips_known += 1
        elif _still_closed(path, quarantined.get((file.uri, file.version))):
            bad_known += 1
        else:
            pending.append(file)
    refused.extend(
        _row_of(listing.absolute(entry), *problem, "", catalogue, listing)
        for entry in listing.entries
        if entry.kind == "closed_directory" and (problem := _closed(entry, config))
    )
    new = [row for row in refused if (row["key"], row["version"]) not in quarantined]
    return Plan(
        files=files,
        pending=pending,
        clips=clips_known,
        quarantined=bad_known,
        rejected=new,
        refused_keys={row["key"] for row in refused},
        known_rejected=len(refused) - len(new),
        ignored=sidecars,
        unnamed=catalogue.unnamed,
    )


def file_version(entry: Entry, labels: str, config: Config) -> str:
    """State in which a file is opened once: its size, its time, the cut, and whether its tags must name a genre.

    The release is part of it, because a later one may read what an earlier one refused.
    """
    tags = ":tags" if labels == "tags" else ""
    rule = f"{window_rule(config.clip)}:{config.clip.min_seconds:g}{tags}"
    return f"{entry.size}:{entry.modified_ns}:{rule}:{__version__}.{DECODER_RELEASE}"


def _still_closed(path: bytes, reason: str | None) -> bool:
    """Whether a file in quarantine stays there: permissions are given without a new size or time."""
    return reason is not None and not (reason == Reason.UNREADABLE and os.access(path, os.R_OK))


def _closed(entry: Entry, config: Config) -> tuple[Reason, str] | None:
    """Why a file is not opened at all, as its directory entry tells."""
    if entry.kind == "broken_link":
        return Reason.BROKEN_LINK, "The link leads to nothing."
    if entry.kind == "special":
        return Reason.NOT_AUDIO, "Not a regular file (a pipe, a socket or a device)."
    if entry.kind == "closed_directory":
        return Reason.UNREADABLE, "No permission to list the directory. Give the user that runs the job access."
    if entry.size == 0:
        return Reason.EMPTY_FILE, "The file has no bytes."
    if entry.size > config.limits.max_file_mb * 2**20:
        size = entry.size / 2**20
        return Reason.TOO_LARGE, f"{size:,.0f} MB are more than limits.max_file_mb = {config.limits.max_file_mb}."
    return None


def _row_of(
    path: bytes, reason: Reason, detail: str, place: str, catalogue: Catalogue, listing: Listing
) -> dict[str, Any]:
    """Row of quarantine. Its version is made from what was said, so that it is written again when that changes."""
    key = f"{path_to_uri(catalogue.origin)}#{place.replace(' ', '=')}" if place else path_to_uri(path)
    below = path.removeprefix(listing.root.rstrip(b"/") + b"/")
    return {
        "key": key,
        "version": stable_id(reason.value, detail, path_to_uri(path) if path else "", length=12),
        "reason": reason.value,
        "detail": detail,
        "path": readable(below) or None,
    }
