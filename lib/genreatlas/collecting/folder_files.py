"""Files of a folder: which an import has to open, and what it makes of what was seen in them.

Opened are all that are neither clips nor in quarantine already; each becomes a row of ``clips`` or of ``quarantine``.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from genreatlas import __version__
from genreatlas.audio.decode import DECODER_RELEASE
from genreatlas.audio.preprocess import window_rule
from genreatlas.audio.uris import path_to_uri, readable
from genreatlas.config import Config
from genreatlas.errors import Reason
from genreatlas.ids import stable_id
from genreatlas.sources.folder.catalogue import SOURCE, Catalogue, Song, song_id
from genreatlas.sources.folder.listing import Entry, Listing


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


#: Columns of ``clips`` that are kept in the driver for every clip of the folder.
KNOWN = (
    "clip_id", "uri", "song_id", "bytes", "modified_ns", "window_rule", "ingest_batch", "replaced_by", "retired_at",
    "sha256", "sound_sha256", "mime",
)  # fmt: skip


@dataclass
class KnownClips:
    """The clips that the store has, as far as an import needs them; grows with every chunk."""

    by_id: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_uri: dict[str, set[str]] = field(default_factory=dict)
    by_sound: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> "KnownClips":
        """Index rows that have the columns :data:`KNOWN`."""
        known = cls()
        for row in rows:
            known.add(row)
        return known

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in one row, in place of the one that it had."""
        identity = row["clip_id"]
        if before := self.by_id.get(identity):
            self.by_uri[before["uri"]].discard(identity)
        self.by_id[identity] = {name: row[name] for name in KNOWN}
        self.by_uri.setdefault(row["uri"], set()).add(identity)
        for sound in {row["sha256"], row["sound_sha256"]} - {None}:
            self.by_sound.setdefault(sound, set()).add(identity)

    def live(self) -> Iterable[dict[str, Any]]:
        """Clips that count: no other took their place, and their files are there."""
        return (row for row in self.by_id.values() if row["replaced_by"] is None and row["retired_at"] is None)

    def copies(self, *sounds: str | None) -> list[dict[str, Any]]:
        """Clips, retired ones too, that hold one of these sounds (hashes of bytes or of sound), by where they lie."""
        found: set[str] = set()
        for sound in sounds:
            found |= self.by_sound.get(sound, set()) if sound else set()
        copies = [self.by_id[one] for one in found if self.by_id[one]["replaced_by"] is None]
        return sorted(copies, key=lambda clip: (clip["uri"], clip["clip_id"]))


@dataclass(frozen=True)
class Outcome:
    """What one chunk comes to.

    ``replaced`` maps clips of files that changed to the clips that take their place.
    """

    clips: list[dict[str, Any]]
    quarantine: list[dict[str, Any]]
    replaced: dict[str, str]
    songs: dict[str, Song]


def judge(
    rows: Iterable[Mapping[str, Any]],
    files: Mapping[str, File],
    songs: Mapping[str, Song],
    known: KnownClips,
    licence: str,
    ids: Callable[[str], str] = song_id,
) -> Outcome:
    """Decide for every inspected file whether it becomes a clip.

    Parameters
    ----------
    rows : rows of :data:`genreatlas.audio.inspection.RESULT`. Those of files that are no longer in the
        folder, or that changed since, are left out: they are inspected anew.
    songs : by URI, the song of every file that has a label.
    known : clips that the store has.
    licence : what a clip gets whose song states none.
    ids : id of a song by its key.
    """
    clips: dict[str, dict[str, Any]] = {}
    quarantine: list[dict[str, Any]] = []
    replaced: dict[str, str] = {}
    used: dict[str, Song] = {}
    current = [row for row in rows if row["uri"] in files and files[row["uri"]].version == row["version"]]
    for row in sorted(current, key=lambda row: files[row["uri"]].entry.path):
        file = files[row["uri"]]
        song = songs.get(file.uri)
        if row["reason"] is not None:
            quarantine.append(_refusal(file, row["reason"], row["detail"]))
            continue
        if song is None or not song.genres:
            detail = song.no_genre if song else ""
            quarantine.append(_refusal(file, Reason.NO_GENRE, detail or "The tags name no genre. Tag the file."))
            continue
        clip = _clip(row, file, song, licence, ids(song.key))
        identity = clip["clip_id"]
        owner = clips.get(identity) or known.by_id.get(identity)
        if owner and owner["uri"] != file.uri and owner["replaced_by"] is None and _unchanged(owner, files):
            detail = f"The same bytes as {files[owner['uri']].entry.text}, for the same song."
            quarantine.append(_refusal(file, Reason.DUPLICATE_ROW, detail))
            continue
        clips[identity] = clip
        used[song.key] = song
        for former in known.by_uri.get(file.uri, ()):
            if former != identity and known.by_id[former]["replaced_by"] is None:
                replaced[former] = identity
        for copy in known.copies(row["sha256"], row.get("sound_sha256")):  # a file that was moved, and tagged anew
            if copy["song_id"] == clip["song_id"] and copy["uri"] not in files and copy["clip_id"] != identity:
                replaced[copy["clip_id"]] = identity
    batch = stable_id("ingest", *sorted(clips))
    for identity, clip in clips.items():
        clip["ingest_batch"] = known.by_id[identity]["ingest_batch"] if identity in known.by_id else batch
    replaced = {former: clip for former, clip in replaced.items() if former not in clips}
    return Outcome(list(clips.values()), quarantine, replaced, used)


def _unchanged(clip: Mapping[str, Any], files: Mapping[str, File]) -> bool:
    """Whether the file that a clip was cut from is there as it was."""
    file = files.get(clip["uri"])
    return file is not None and (file.entry.size, file.entry.modified_ns) == (clip["bytes"], clip["modified_ns"])


def _clip(row: Mapping[str, Any], file: File, song: Song, licence: str, identity: str) -> dict[str, Any]:
    facts = (
        "sha256", "sound_sha256", "uri", "window_rule", "start_s", "length_s", "mime", "codec", "sample_rate",
        "channels", "bit_rate", "duration_s", "bytes", "modified_ns", "quality_flags",
    )  # fmt: skip
    return {name: row.get(name) for name in facts} | {
        "clip_id": stable_id(identity, SOURCE, row["sha256"], row["start_s"]),
        "song_id": identity,
        "provider": SOURCE,
        "audio_id": stable_id(row["sha256"], row["start_s"], row["length_s"]),
        "path": file.entry.text,
        "licence": song.licence or licence or None,
        "replaced_by": None,
        "retired_at": None,
    }


def _refusal(file: File, reason: str, detail: str | None) -> dict[str, Any]:
    return {
        "key": file.uri,
        "version": file.version,
        "reason": str(reason),
        "detail": detail,
        "path": file.entry.text,
    }
