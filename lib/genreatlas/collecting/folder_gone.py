"""What a folder no longer has, and which of its songs only lie at another path now."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genreatlas.audio.uris import path_to_uri, uri_to_path
from genreatlas.collecting.folder_files import File, Plan
from genreatlas.collecting.folder_known import KnownClips, KnownSongs
from genreatlas.errors import Reason
from genreatlas.sources.folder.catalogue import Catalogue, SongIds
from genreatlas.sources.folder.listing import Listing

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
    songs : the songs of the folder that the store has; those that this folder or list named once are marked.
    present_keys : keys of the songs that it names now.
    moved : how many songs that count have another key now.
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
        """Compare what is stored with what was listed."""
        hidden = {listing.absolute(entry) for entry in listing.entries if entry.kind in _HIDING}
        # A row whose part is misspelt still names its file; one without a genre takes its label back.
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
        """This folder or list, and those that it took the place of: most of whose songs it has."""
        listed: dict[str, list[int]] = {}
        for row in self.songs.all():
            if row["listed_in"] is not None and row["retired_at"] is None:
                counts = listed.setdefault(row["listed_in"], [0, 0])
                counts[0] += row["source_key"] in self.present_keys
                counts[1] += 1
        return {self.origin} | {origin for origin, (there, count) in listed.items() if 2 * there > count}

    def is_hidden(self, uri: str) -> bool:
        """Whether a file may be there and cannot be seen."""
        if not self.hidden:
            return False
        path = uri_to_path(uri)
        ends = [place for place, byte in enumerate(path) if byte == ord("/")]
        return path in self.hidden or any(path[:end] in self.hidden for end in ends)

    def is_present(self, uri: str) -> bool:
        """Whether a file is there and has a label."""
        return uri_to_path(uri) in self.catalogue.song_of

    def may_have_moved(self, pending: Sequence[File]) -> list[File]:
        """Files whose sound tells which songs were moved; none where nothing is missing from its place."""
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
        """Let songs whose sound lies at another place now have the key of that place.

        Parameters
        ----------
        pending : files that are new or changed.
        sounds : SHA-256 of the bytes and of the sound of these files, by URI.
        """
        files = sorted(pending, key=lambda file: file.entry.path)
        keys = {file.uri: file.song_key for file in files}
        away: dict[str, bool] = {}

        def is_away(song: str) -> bool:
            """A song may move where none of its files holds its sound any more."""
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
        """Clips that nothing took the place of, of a song of this folder or list."""
        row = self.songs.get(song)
        if row is None or not row["scope"]:
            return []
        return [clip for clip in self.known.of_song(song) if clip["replaced_by"] is None]

    def _displaced(
        self, clip: Mapping[str, Any], keys: Mapping[str, str], sounds: Mapping[str, tuple[str, str]]
    ) -> bool:
        uri = clip["uri"]
        if uri in sounds:
            # The same file under another key: the list calls its song by another name.
            return not _same(clip, sounds[uri]) or self._key_of(clip["song_id"]) != keys[uri]
        return not self.is_present(uri) and not self.is_hidden(uri)

    def _lost(self) -> Iterator[str]:
        """Songs, retired ones too, that the folder has no longer under their keys."""
        for row in self.songs.in_scope():
            song, key = row["song_id"], self.ids.key_of(row["song_id"], row["source_key"])
            if key in self.present_keys and self.ids(key) == song:
                continue
            if not (self.hidden and any(self.is_hidden(clip["uri"]) for clip in self.known.of_song(song))):
                yield song

    def gone(self, plan: Plan, reason_for: Callable[[str, str], str | None]) -> Gone:
        """What is to be retired, once all files were seen.

        Parameters
        ----------
        reason_for : by key and version, why files are in quarantine.
        """
        lost = set(self._lost())
        clips: dict[str, str] = {}
        for clip in self.known.live():
            if clip["song_id"] in lost or self._lacks(clip, plan, reason_for):
                clips[clip["clip_id"]] = clip["song_id"]
        songs = {song for song in {*lost, *clips.values()} if self._counts(song) and not self._stays(song, clips)}
        return Gone(tuple(sorted(songs)), tuple(sorted(clips)))

    def _stays(self, song: str, clips: Mapping[str, str]) -> bool:
        """Whether a song keeps a clip that counts when these are gone."""
        left = (clip for clip in self.known.of_song(song) if clip["clip_id"] not in clips)
        return any(clip["replaced_by"] is None and clip["retired_at"] is None for clip in left)

    def _lacks(self, clip: Mapping[str, Any], plan: Plan, reason_for: Callable[[str, str], str | None]) -> bool:
        """Whether a clip's file is no longer there, or holds something else that cannot be used."""
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
        """How many songs of this folder or list counted before."""
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
