"""Plan which files of a folder an import has to open, and convert inspected files to rows.

All files are opened that are not yet clips or in quarantine. Each becomes a row of ``clips`` or of ``quarantine``.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from genreatlas import __version__
from genreatlas.audio.decode import DECODER_RELEASE
from genreatlas.audio.preprocess import window_rule
from genreatlas.audio.uris import path_to_uri, readable, uri_to_path
from genreatlas.collecting.folder_known import KnownClips
from genreatlas.config import Config
from genreatlas.errors import Reason
from genreatlas.ids import stable_id
from genreatlas.sources.folder.catalogue import SOURCE, Catalogue, Song, song_id
from genreatlas.sources.folder.listing import Entry, Listing


@dataclass(frozen=True, slots=True)
class File:
    """A file of the folder with the key of its song; ``version`` is the state of the file as stored in quarantine."""

    uri: str
    entry: Entry
    song_key: str
    version: str


class Files(Mapping[str, File]):
    """Mapping from URIs to all labelled files that can be opened, sorted by path.

    Files are created on access, because a million of them would take 400 MB.
    """

    def __init__(self, catalogue: Catalogue, config: Config) -> None:
        self._catalogue = catalogue
        self._config = config

    def of(self, path: bytes) -> File | None:
        """File at an absolute path; None if there is none that can be opened."""
        entry = self._catalogue.files.get(path)
        if entry is None or _closed(entry, self._config):
            return None
        version = file_version(entry, self._catalogue.labels, self._config)
        return File(path_to_uri(path), entry, self._catalogue.song_of[path], version)

    def song_key(self, uri: str) -> str:
        """Key of a file's song."""
        return self._catalogue.song_of[uri_to_path(uri)]

    def __getitem__(self, uri: str) -> File:
        if (file := self.of(uri_to_path(uri))) is None:
            raise KeyError(uri)
        return file

    def __iter__(self) -> Iterator[str]:
        for path in sorted(self._catalogue.files):
            if not _closed(self._catalogue.files[path], self._config):
                yield path_to_uri(path)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Pending(Sequence[File]):
    """Sequence of the files to be opened, which are created on access."""

    def __init__(self, files: Files, paths: Sequence[bytes]) -> None:
        self._files = files
        self._paths = paths

    @overload
    def __getitem__(self, place: int) -> File: ...

    @overload
    def __getitem__(self, place: slice) -> "Pending": ...

    def __getitem__(self, place: int | slice) -> "File | Pending":
        if isinstance(place, slice):
            return Pending(self._files, self._paths[place])
        if (file := self._files.of(self._paths[place])) is None:
            raise IndexError(place)
        return file

    def __len__(self) -> int:
        return len(self._paths)


@dataclass(frozen=True)
class Plan:
    """Plan of an import.

    Parameters
    ----------
    files : all labelled files that can be opened.
    pending : files to be opened, sorted by path.
    clips : number of files that are clips already.
    quarantined : number of files that are in quarantine already.
    rejected : new rows of quarantine for files and list rows that are rejected without opening a file.
    refused_lines : keys of all such rows, new and stored, that refer to a row of the list of files.
    known_rejected : number of such rows that are in quarantine already.
    ignored : number of entries that are neither audio nor have an audio suffix.
    unnamed : number of audio files that are not in the list of files.
    """

    files: Files
    pending: Pending
    clips: int
    quarantined: int
    rejected: list[dict[str, Any]]
    refused_lines: set[str]
    known_rejected: int
    ignored: int
    unnamed: int

    @property
    def entries(self) -> int:
        """Number of entries of the folder and of rejected rows of its list of files."""
        done = self.clips + self.quarantined + self.known_rejected
        return len(self.pending) + len(self.rejected) + done + self.ignored + self.unnamed


def make_plan(
    listing: Listing,
    sidecars: int,
    catalogue: Catalogue,
    config: Config,
    known: KnownClips,
    refused_for: Callable[[str, str], str | None],
    ids: Callable[[str], str] = song_id,
) -> Plan:
    """Compare a folder with the clips and quarantine of the store.

    Parameters
    ----------
    sidecars : number of entries of the listing that are not in the catalogue, as they are not audio.
    refused_for : function of key and version that returns the reason in quarantine if it is not tried again, or None.
    ids : function that returns the id of a song by its key.
    """
    files, pending = Files(catalogue, config), []
    rule, version = window_rule(config.clip), _version_of(catalogue.labels, config)
    clips_known = bad_known = closed_known = 0
    rejected: list[dict[str, Any]] = []
    lines: set[str] = set()

    def refuse(path: bytes, reason: Reason, detail: str, place: str = "") -> None:
        nonlocal closed_known
        row = _row_of(path, reason, detail, place, catalogue, listing)
        if place:
            lines.add(row["key"])
        if refused_for(row["key"], row["version"]) is None:
            rejected.append(row)
        else:
            closed_known += 1

    for rejection in catalogue.rejected:
        refuse(rejection.path, rejection.reason, rejection.detail, rejection.place)
    for path in sorted(catalogue.song_of):
        entry = catalogue.files[path]
        if problem := _closed(entry, config):
            refuse(path, *problem)
            continue
        uri = path_to_uri(path)
        if known.is_done(uri, entry.size, entry.modified_ns, rule, ids(catalogue.song_of[path])):
            clips_known += 1
        elif _still_closed(path, refused_for(uri, version(entry))):
            bad_known += 1
        else:
            pending.append(path)
    for entry in listing.entries:
        if entry.kind == "closed_directory" and (problem := _closed(entry, config)):
            refuse(listing.absolute(entry), *problem)
    return Plan(
        files=files,
        pending=Pending(files, pending),
        clips=clips_known,
        quarantined=bad_known,
        rejected=rejected,
        refused_lines=lines,
        known_rejected=closed_known,
        ignored=sidecars,
        unnamed=catalogue.unnamed,
    )


def file_version(entry: Entry, labels: str, config: Config) -> str:
    """State of a file in which it is inspected only once: size, time, window rule, and whether labels are tags.

    It includes the release, because a later release may support files that an earlier one refused.
    """
    return _version_of(labels, config)(entry)


def _version_of(labels: str, config: Config) -> Callable[[Entry], str]:
    """Function that computes :func:`file_version` for many files."""
    tags = ":tags" if labels == "tags" else ""
    same = f"{window_rule(config.clip)}:{config.clip.min_seconds:g}{tags}:{__version__}.{DECODER_RELEASE}"
    return lambda entry: f"{entry.size}:{entry.modified_ns}:{same}"


def _still_closed(path: bytes, reason: str | None) -> bool:
    """Whether a file remains in quarantine. Permissions can change without a change of size or time."""
    return reason is not None and not (reason == Reason.UNREADABLE and os.access(path, os.R_OK))


def _closed(entry: Entry, config: Config) -> tuple[Reason, str] | None:
    """Reason and text why a file is not opened, by its directory entry; None if it is opened."""
    if entry.kind == "broken_link":
        return Reason.BROKEN_LINK, "The target of the link does not exist."
    if entry.kind == "special":
        return Reason.NOT_AUDIO, "Not a regular file (a pipe, a socket or a device)."
    if entry.kind == "closed_directory":
        return Reason.UNREADABLE, "No permission to list the directory. Give the user that runs the job access."
    if entry.size == 0:
        return Reason.EMPTY_FILE, "The file is empty."
    if entry.size > config.limits.max_file_mb * 2**20:
        size = entry.size / 2**20
        return Reason.TOO_LARGE, f"{size:,.0f} MB is more than limits.max_file_mb = {config.limits.max_file_mb}."
    return None


def _row_of(
    path: bytes, reason: Reason, detail: str, place: str, catalogue: Catalogue, listing: Listing
) -> dict[str, Any]:
    """Row of quarantine. Its version is a hash of the reason and text, so that it is written again if they change."""
    key = f"{path_to_uri(catalogue.origin)}#{place.replace(' ', '=')}" if place else path_to_uri(path)
    below = path.removeprefix(listing.root.rstrip(b"/") + b"/")
    return {
        "key": key,
        "version": stable_id(reason.value, detail, path_to_uri(path) if path else "", length=12),
        "reason": reason.value,
        "detail": detail,
        "path": readable(below) or None,
    }


@dataclass(frozen=True)
class Outcome:
    """Rows of one chunk.

    ``replaced`` maps ids of clips of changed or moved files to the ids of the clips that replace them.
    """

    clips: list[dict[str, Any]]
    quarantine: list[dict[str, Any]]
    replaced: dict[str, str]
    songs: dict[str, Song]


def check_files(
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
    rows : rows of :data:`genreatlas.audio.inspection.RESULT`. Rows of files that are no longer in the folder or have
        changed since are ignored; changed files are inspected again.
    songs : songs of labelled files by URI.
    known : stored clips.
    licence : default for clips whose song has no licence.
    ids : function that returns the id of a song by its key.
    """
    clips: dict[str, dict[str, Any]] = {}
    quarantine: list[dict[str, Any]] = []
    replaced: dict[str, str] = {}
    used: dict[str, Song] = {}
    batches: dict[str, str | None] = {}
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
        before = known.get(identity)
        owner = clips.get(identity) or before
        if owner and owner["uri"] != file.uri and owner["replaced_by"] is None and _unchanged(owner, files):
            detail = f"It has the same bytes as {files[owner['uri']].entry.text}, for the same song."
            quarantine.append(_refusal(file, Reason.DUPLICATE_ROW, detail))
            continue
        clips[identity] = clip
        batches[identity] = before["ingest_batch"] if before else None
        used[song.key] = song
        for former in known.at(file.uri):
            if former["clip_id"] != identity and former["replaced_by"] is None:
                replaced[former["clip_id"]] = identity
        for copy in known.copies(row["sha256"], row.get("sound_sha256")):  # moved files, even with new tags
            if copy["song_id"] == clip["song_id"] and copy["uri"] not in files and copy["clip_id"] != identity:
                replaced[copy["clip_id"]] = identity
    batch = stable_id("ingest", *sorted(clips))
    for identity, clip in clips.items():
        clip["ingest_batch"] = batches[identity] or batch
    replaced = {former: clip for former, clip in replaced.items() if former not in clips}
    return Outcome(list(clips.values()), quarantine, replaced, used)


def _unchanged(clip: Mapping[str, Any], files: Mapping[str, File]) -> bool:
    """Whether the file of a clip exists unchanged."""
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
