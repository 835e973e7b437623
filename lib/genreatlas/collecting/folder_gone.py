"""What a folder no longer has, and which of its songs only lie at another path now."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genreatlas.audio.uris import path_to_uri, uri_to_path
from genreatlas.collecting.folder_files import File, KnownClips, Plan
from genreatlas.errors import Reason
from genreatlas.sources.folder.catalogue import Catalogue, SongIds
from genreatlas.sources.folder.listing import Listing

#: Columns of ``songs`` that are kept in the driver for every song of the folder.
STORED = ("song_id", "source_key", "listed_in", "retired_at")
#: Reasons by which a file that changed holds its old sound no longer. Others may pass (permissions, a copy under way).
_OTHER_CONTENT = frozenset(
    {Reason.EMPTY_FILE, Reason.NOT_AUDIO, Reason.TOO_SHORT, Reason.SILENT, Reason.NO_GENRE, Reason.DUPLICATE_ROW}
)
#: Entries below which files may be hidden: what is missing there is not gone.
_HIDING = frozenset({"closed_directory", "broken_link", "special"})


@dataclass(frozen=True)
class Gone:
    """Songs that are to be retired, and clips: those of these songs, and of files that their songs lost."""

    songs: tuple[str, ...]
    clips: tuple[str, ...]


@dataclass
class Former:
    """What the store has of a folder, beside what the folder has.

    Parameters
    ----------
    origin : URI of the list of files, or of the folder.
    songs : rows of ``songs`` of the folder, with the columns :data:`STORED`, by id.
    moved : how many songs that count have another key now.
    """

    origin: str
    root: str
    songs: dict[str, Mapping[str, Any]]
    ids: SongIds
    known: KnownClips
    present_keys: frozenset[str]
    present_uris: frozenset[str]
    empty_uris: frozenset[str]
    hidden: frozenset[bytes]
    moved: int = 0
    _scope: set[str] = field(default_factory=set)

    @classmethod
    def of(
        cls,
        rows: Iterable[Mapping[str, Any]],
        listing: Listing,
        catalogue: Catalogue,
        known: KnownClips,
        ids: SongIds,
    ) -> "Former":
        """Compare what is stored with what was listed."""
        hidden = {listing.absolute(entry) for entry in listing.entries if entry.kind in _HIDING}
        # A row whose part is misspelt still names its file; one without a genre takes its label back.
        hidden |= {one.path for one in catalogue.rejected if one.path and one.reason == Reason.BAD_VALUE}
        root = path_to_uri(listing.root).rstrip("/") + "/"
        empty = (path for path, entry in catalogue.files.items() if entry.kind == "file" and not entry.size)
        former = cls(
            origin=path_to_uri(catalogue.origin) if catalogue.origin else root,
            root=root,
            songs={row["song_id"]: row for row in rows},
            ids=ids,
            known=known,
            present_keys=frozenset(catalogue.song_of.values()),
            present_uris=frozenset(map(path_to_uri, catalogue.song_of)),
            empty_uris=frozenset(map(path_to_uri, empty)),
            hidden=frozenset(hidden),
        )
        former._scope = former._find_scope()
        return former

    def _find_scope(self) -> set[str]:
        """Songs that this folder or list named once; another one's are left alone."""
        origins = self._origins()
        here = {row["song_id"] for row in self.known.by_id.values() if row["uri"].startswith(self.root)}
        return {
            identity
            for identity, row in self.songs.items()
            if identity in here or row["listed_in"] in origins or row["source_key"] in self.present_keys
        }

    def _origins(self) -> set[str]:
        """This folder or list, and those that it took the place of: most of whose songs it has."""
        listed: dict[str, list[bool]] = {}
        for row in self.songs.values():
            if row["listed_in"] is not None and row["retired_at"] is None:
                listed.setdefault(row["listed_in"], []).append(row["source_key"] in self.present_keys)
        return {self.origin} | {origin for origin, there in listed.items() if 2 * sum(there) > len(there)}

    def is_hidden(self, uri: str) -> bool:
        """Whether a file may be there and cannot be seen."""
        if not self.hidden:
            return False
        path = uri_to_path(uri)
        ends = [place for place, byte in enumerate(path) if byte == ord("/")]
        return path in self.hidden or any(path[:end] in self.hidden for end in ends)

    def may_have_moved(self, pending: Sequence[File]) -> list[File]:
        """Files whose sound tells which songs were moved; none where nothing is missing from its place."""
        as_they_were, known = set(), set()
        for clip in self.known.live():
            known.add(clip["uri"])
            key = self.ids.key_of(clip["song_id"])
            as_they_were.add((clip["uri"], clip["bytes"], clip["modified_ns"], key))
        files = [
            file
            for file in pending
            if (file.uri, file.entry.size, file.entry.modified_ns, file.song_key) not in as_they_were
        ]
        return files if self._lost() or any(file.uri in known for file in files) else []

    def follow(self, pending: Iterable[File], sounds: Mapping[str, tuple[str, str]]) -> None:
        """Let songs whose sound lies at another place now have the key of that place.

        Parameters
        ----------
        pending : files that are new or changed.
        sounds : SHA-256 of the bytes and of the sound of these files, by URI.
        """
        clips_of: dict[str, list[dict[str, Any]]] = {}
        for clip in self.known.by_id.values():
            if clip["replaced_by"] is None and clip["song_id"] in self._scope:
                clips_of.setdefault(clip["song_id"], []).append(clip)
        # A song may move where none of its files holds its sound any more.
        files = sorted(pending, key=lambda file: file.entry.path)
        keys = {file.uri: file.song_key for file in files}
        away = {song for song, clips in clips_of.items() if all(self._displaced(clip, keys, sounds) for clip in clips)}
        for file in files:
            if file.uri not in sounds:
                continue
            mine = self.ids.stored_at(file.song_key)
            if mine and any(_same(clip, sounds[file.uri]) for clip in clips_of.get(mine, ())):
                away.discard(mine)
                continue
            name = file.uri.rpartition("/")[2]
            found = [
                (self.songs[song]["retired_at"] is not None, clip["uri"].rpartition("/")[2] != name, clip["uri"], song)
                for clip in self.known.copies(*sounds[file.uri])
                if (song := clip["song_id"]) in away
            ]
            if found:
                *_, song = min(found)
                away.discard(song)
                self.moved += self.songs[song]["retired_at"] is None
                self.ids.move(song, file.song_key)

    def _displaced(
        self, clip: Mapping[str, Any], keys: Mapping[str, str], sounds: Mapping[str, tuple[str, str]]
    ) -> bool:
        uri = clip["uri"]
        if uri in sounds:
            # The same file under another key: the list calls its song by another name.
            return not _same(clip, sounds[uri]) or self.ids.key_of(clip["song_id"]) != keys[uri]
        return uri not in self.present_uris and not self.is_hidden(uri)

    def _lost(self) -> set[str]:
        """Songs, retired ones too, that the folder has no longer under their keys."""
        uris: dict[str, list[str]] = {}
        for clip in self.known.by_id.values():
            uris.setdefault(clip["song_id"], []).append(clip["uri"])
        return {
            song
            for song in self._scope
            if not ((key := self.ids.key_of(song)) in self.present_keys and self.ids.stored_at(key) == song)
            and not any(map(self.is_hidden, uris.get(song, ())))
        }

    def gone(self, plan: Plan, reasons: Mapping[tuple[str, str], str]) -> Gone:
        """What is to be retired, once all files were seen.

        Parameters
        ----------
        reasons : by key and version, why files are in quarantine.
        """
        lost, stay = self._lost(), set()
        clips: dict[str, str] = {}
        for clip in self.known.live():
            if clip["song_id"] in lost or self._lacks(clip, plan, reasons):
                clips[clip["clip_id"]] = clip["song_id"]
            else:
                stay.add(clip["song_id"])
        songs = {song for song in {*lost, *clips.values()} - stay if self._counts(song)}
        return Gone(tuple(sorted(songs)), tuple(sorted(clips)))

    def _lacks(self, clip: Mapping[str, Any], plan: Plan, reasons: Mapping[tuple[str, str], str]) -> bool:
        """Whether a clip's file is no longer there, or holds something else that cannot be used."""
        if clip["uri"] not in self.present_uris:
            return clip["song_id"] in self._scope and not self.is_hidden(clip["uri"])
        if clip["uri"] in self.empty_uris:
            return True
        if (file := plan.files.get(clip["uri"])) is None:
            return False
        changed = (file.entry.size, file.entry.modified_ns) != (clip["bytes"], clip["modified_ns"])
        return changed and reasons.get((file.uri, file.version)) in _OTHER_CONTENT

    @property
    def counting(self) -> int:
        """How many songs of this folder or list counted before."""
        return sum(map(self._counts, self._scope))

    def _counts(self, song: str) -> bool:
        return song in self.songs and self.songs[song]["retired_at"] is None


def _same(clip: Mapping[str, Any], sounds: tuple[str, str]) -> bool:
    return bool({clip["sha256"], clip["sound_sha256"]} & set(sounds))
