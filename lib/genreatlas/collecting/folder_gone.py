"""Find songs and clips that a folder no longer has, and songs whose files were only moved."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genreatlas.audio.uris import path_to_uri, uri_to_path
from genreatlas.collecting.folder_files import File, Plan
from genreatlas.collecting.folder_known import KnownClips, KnownSongs
from genreatlas.errors import Reason
from genreatlas.sources.folder.catalogue import Catalogue, SongIds
from genreatlas.sources.folder.listing import Listing

#: Reasons that show that a changed file no longer contains its old audio. Others may be temporary (permissions, a copy
#: in progress).
_OTHER_CONTENT = frozenset(
    {Reason.EMPTY_FILE, Reason.NOT_AUDIO, Reason.TOO_SHORT, Reason.SILENT, Reason.NO_GENRE, Reason.DUPLICATE_ROW}
)
#: Kinds of entries below which files may be invisible, so that missing files there do not count as gone.
_HIDING = frozenset({"closed_directory", "broken_link", "special"})


@dataclass(frozen=True)
class Gone:
    """Ids of songs and clips to be retired: clips of these songs, and clips of missing files of other songs."""

    songs: tuple[str, ...]
    clips: tuple[str, ...]


@dataclass
class Former:
    """Comparison of the stored songs and clips of a folder with its current content.

    Parameters
    ----------
    origin : URI of the list of files, or of the folder.
    root : URI of the folder.
    songs : stored songs of all folders; songs that this folder or list had before are marked as in scope.
    present_keys : keys of the songs that the folder or list has now.
    hidden : absolute paths of files and directories whose content is not visible.
    moved : number of live songs that got another key.
    """

    origin: str
    root: str
    songs: KnownSongs
    ids: SongIds
    known: KnownClips
    catalogue: Catalogue
    present_keys: Collection[str]
    hidden: frozenset[bytes]
    moved: int = 0

    @classmethod
    def of(cls, songs: KnownSongs, listing: Listing, catalogue: Catalogue, known: KnownClips, ids: SongIds) -> "Former":
        """Compare stored songs with a listing and its catalogue."""
        hidden = {listing.absolute(entry) for entry in listing.entries if entry.kind in _HIDING}
        # A row with an invalid part still lists its file; a row without a genre removes the label.
        hidden |= {one.path for one in catalogue.rejected if one.path and one.reason == Reason.BAD_VALUE}
        root = path_to_uri(listing.root).rstrip("/") + "/"
        former = cls(
            origin=path_to_uri(catalogue.origin) if catalogue.origin else root,
            root=root,
            songs=songs,
            ids=ids,
            known=known,
            catalogue=catalogue,
            present_keys=frozenset(catalogue.song_of.values()),
            hidden=frozenset(hidden),
        )
        origins = former._origins()
        songs.mark(
            lambda song: (
                song["source_key"] in former.present_keys
                or song["listed_in"] in origins
                or known.has_below(song["song_id"], root)
            )
        )
        return former

    def _origins(self) -> set[str]:
        """This folder or list, and those that it replaces, that is, those whose songs it has for the most part."""
        listed: dict[str, list[int]] = {}
        for row in self.songs.all():
            if row["listed_in"] is not None and row["retired_at"] is None:
                counts = listed.setdefault(row["listed_in"], [0, 0])
                counts[0] += row["source_key"] in self.present_keys
                counts[1] += 1
        return {self.origin} | {origin for origin, (there, count) in listed.items() if 2 * there > count}

    def is_hidden(self, uri: str) -> bool:
        """Whether a file may exist but is not visible."""
        if not self.hidden:
            return False
        path = uri_to_path(uri)
        ends = [place for place, byte in enumerate(path) if byte == ord("/")]
        return path in self.hidden or any(path[:end] in self.hidden for end in ends)

    def is_present(self, uri: str) -> bool:
        """Whether a file exists and has a label."""
        return uri_to_path(uri) in self.catalogue.song_of

    def may_have_moved(self, pending: Sequence[File]) -> list[File]:
        """New or changed files whose audio has to be hashed to find moved songs; empty if no song may have moved."""
        files = [file for file in pending if not self._is_as_it_was(file)]
        if files and (any(self._lost()) or any(self.known.live_at(file.uri) for file in files)):
            return files
        return []

    def _is_as_it_was(self, file: File) -> bool:
        return any(
            (clip["bytes"], clip["modified_ns"]) == (file.entry.size, file.entry.modified_ns)
            and self._key_of(clip["song_id"]) == file.song_key
            for clip in self.known.live_at(file.uri)
        )

    def follow(self, pending: Iterable[File], sounds: Mapping[str, tuple[str, str]]) -> None:
        """Assign songs whose audio is now in another file the key of that file.

        Parameters
        ----------
        pending : new or changed files.
        sounds : SHA-256 of the bytes and of the audio of these files, by URI.
        """
        files = sorted(pending, key=lambda file: file.entry.path)
        keys = {file.uri: file.song_key for file in files}
        away: dict[str, bool] = {}

        def is_away(song: str) -> bool:
            """Whether none of the song's files contains its audio any more, so that the song may have moved."""
            if song not in away:
                clips = self._clips_of(song)
                away[song] = bool(clips) and all(self._displaced(clip, keys, sounds) for clip in clips)
            return away[song]

        for file in files:
            if file.uri not in sounds:
                continue
            mine = self.ids.stored_at(file.song_key)
            if mine and any(_same(clip, sounds[file.uri]) for clip in self._clips_of(mine)):
                away[mine] = False
                continue
            name = file.uri.rpartition("/")[2]
            found = [
                (self._is_retired(song), clip["uri"].rpartition("/")[2] != name, clip["uri"], song)
                for clip in self.known.copies(*sounds[file.uri])
                if is_away(song := clip["song_id"])
            ]
            if found:
                *_, song = min(found)
                away[song] = False
                self.moved += not self._is_retired(song)
                self.ids.move(song, file.song_key, self._stored(song)["source_key"])

    def _clips_of(self, song: str) -> list[dict[str, Any]]:
        """Clips that were not replaced, of a song in scope; empty for other songs."""
        row = self.songs.get(song)
        if row is None or not row["scope"]:
            return []
        return [clip for clip in self.known.of_song(song) if clip["replaced_by"] is None]

    def _displaced(
        self, clip: Mapping[str, Any], keys: Mapping[str, str], sounds: Mapping[str, tuple[str, str]]
    ) -> bool:
        uri = clip["uri"]
        if uri in sounds:
            # The same file with another key: the list has another name for its song.
            return not _same(clip, sounds[uri]) or self._key_of(clip["song_id"]) != keys[uri]
        return not self.is_present(uri) and not self.is_hidden(uri)

    def _lost(self) -> Iterator[str]:
        """Songs in scope, including retired ones, whose keys the folder no longer has."""
        for row in self.songs.in_scope():
            song, key = row["song_id"], self.ids.key_of(row["song_id"], row["source_key"])
            if key in self.present_keys and self.ids(key) == song:
                continue
            if not (self.hidden and any(self.is_hidden(clip["uri"]) for clip in self.known.of_song(song))):
                yield song

    def gone(self, plan: Plan, reason_for: Callable[[str, str], str | None]) -> Gone:
        """Songs and clips to be retired, after all files were inspected.

        Parameters
        ----------
        reason_for : function of key and version that returns the reason in quarantine, or None.
        """
        lost = set(self._lost())
        clips: dict[str, str] = {}
        for clip in self.known.live():
            if clip["song_id"] in lost or self._lacks(clip, plan, reason_for):
                clips[clip["clip_id"]] = clip["song_id"]
        songs = {song for song in {*lost, *clips.values()} if self._counts(song) and not self._stays(song, clips)}
        return Gone(tuple(sorted(songs)), tuple(sorted(clips)))

    def _stays(self, song: str, clips: Mapping[str, str]) -> bool:
        """Whether a song has a live clip without these clips."""
        left = (clip for clip in self.known.of_song(song) if clip["clip_id"] not in clips)
        return any(clip["replaced_by"] is None and clip["retired_at"] is None for clip in left)

    def _lacks(self, clip: Mapping[str, Any], plan: Plan, reason_for: Callable[[str, str], str | None]) -> bool:
        """Whether a clip's file is gone, or now has other content that cannot be used."""
        entry = self.catalogue.files.get(uri_to_path(clip["uri"]))
        if entry is None:
            return self._is_ours(clip["song_id"]) and not self.is_hidden(clip["uri"])
        if entry.kind == "file" and not entry.size:
            return True
        if (entry.size, entry.modified_ns) == (clip["bytes"], clip["modified_ns"]):
            return False
        file = plan.files.get(clip["uri"])
        return file is not None and reason_for(file.uri, file.version) in _OTHER_CONTENT

    @property
    def counting(self) -> int:
        """Number of songs in scope that were live before."""
        return self.songs.counting()

    def _stored(self, song: str) -> dict[str, Any]:
        return self.songs.get(song) or {}

    def _key_of(self, song: str) -> str | None:
        row = self.songs.get(song)
        return None if row is None else self.ids.key_of(song, row["source_key"])

    def _is_ours(self, song: str) -> bool:
        return bool(self._stored(song).get("scope"))

    def _is_retired(self, song: str) -> bool:
        return self._stored(song)["retired_at"] is not None

    def _counts(self, song: str) -> bool:
        row = self.songs.get(song)
        return row is not None and row["retired_at"] is None


def _same(clip: Mapping[str, Any], sounds: tuple[str, str]) -> bool:
    return bool({clip["sha256"], clip["sound_sha256"]} & set(sounds))
