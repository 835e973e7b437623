"""From what was seen in files to rows of ``clips`` and ``quarantine``."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from genreatlas.errors import Reason
from genreatlas.ids import stable_id
from genreatlas.sources.folder.catalogue import Song
from genreatlas.sources.folder.rows import SOURCE, song_id
from genreatlas.steps.folder_plan import File

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
