"""A song is its sound: wherever its file lies after a day of renaming, it stays the song that it was."""

from pathlib import Path

import pyarrow as pa
import pytest

from conftest import make_config
from genreatlas.audio.preprocess import window_rule
from genreatlas.audio.uris import path_bytes, uri_to_path
from genreatlas.collecting.folder_files import check_files, make_plan
from genreatlas.collecting.folder_gone import Former
from genreatlas.collecting.folder_known import KnownClips, KnownSongs
from genreatlas.sources.folder.catalogue import SongIds
from genreatlas.sources.folder.listing import list_folder
from genreatlas.sources.folder.reading import read_catalogue
from genreatlas.sources.genres import GenreNames

FACTS = ("start_s", "length_s", "mime", "codec", "sample_rate", "channels", "bit_rate", "duration_s", "quality_flags")


class Folder:
    """A folder of which every file's content is its sound, and what a store would keep of it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "music"
        self.config = make_config(root)
        self.known = KnownClips()
        self.songs: dict[str, dict] = {}

    def write(self, **files: str) -> None:
        for name, content in files.items():
            path = self.root / name.replace("_", "/", 1)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content * (1 + len(list(self.root.rglob("*.x")))))  # a new size for what is written anew

    def imported(self, chunk: int = 100) -> dict[str, str]:
        """Import; returns path = song id of the clips that count."""
        listing = list_folder(path_bytes(self.root))
        entries = [entry for entry in listing.entries if entry.kind != "closed_directory"]
        catalogue = read_catalogue(listing, entries, self.config.folder, GenreNames({}, {}))
        stored = sorted(self.songs.values(), key=lambda row: (row["retired_at"] is not None, row["song_id"]))
        ids = SongIds((row["song_id"], row["source_key"]) for row in stored)
        songs = KnownSongs([pa.Table.from_pylist(stored)] if stored else [])
        former = Former.of(songs, listing, catalogue, self.known, ids)

        def plan():
            return make_plan(listing, 0, catalogue, self.config, self.known, lambda *_: None, ids)

        def sound(uri: str) -> str:
            return Path(uri_to_path(uri).decode()).read_text()[:1]

        files = former.may_have_moved(plan().pending)
        former.follow(files, {file.uri: (sound(file.uri), sound(file.uri)) for file in files})
        pending = plan().pending
        for start in range(0, len(pending), chunk):
            rows = [
                dict.fromkeys(FACTS) | {
                    "uri": file.uri, "version": file.version, "reason": None, "start_s": 0.0, "length_s": 1.0,
                    "bytes": file.entry.size, "modified_ns": file.entry.modified_ns, "sha256": sound(file.uri),
                    "sound_sha256": sound(file.uri), "window_rule": window_rule(self.config.clip),
                }
                for file in pending[start : start + chunk]
            ]  # fmt: skip
            found = check_files(rows, plan().files, {u: catalogue.songs[f.song_key] for u, f in plan().files.items()},
                          self.known, "", ids)  # fmt: skip
            assert not found.quarantine
            for clip, other in found.replaced.items():
                self.known.add(self.known.get(clip) | {"replaced_by": other})
            for clip in found.clips:
                self.known.add(clip)
        for key in catalogue.song_of.values():
            self.songs[ids(key)] = {"song_id": ids(key), "source_key": key, "listed_in": former.origin,
                                    "retired_at": None}  # fmt: skip
        gone = former.gone(plan(), lambda *_: None)
        for song in gone.songs:
            self.songs[song] = self.songs[song] | {"retired_at": "now"}
        for clip in gone.clips:
            self.known.add(self.known.get(clip) | {"retired_at": "now"})
        assert not plan().pending
        return {row["uri"].split("music/")[1]: row["song_id"] for row in self.known.live()}

    def move(self, *pairs: tuple[str, str]) -> None:
        for number, (old, _) in enumerate(pairs):
            (self.root / old).rename(self.root.parent / f"on its way {number}")
        for number, (_, new) in enumerate(pairs):
            (self.root / new).parent.mkdir(exist_ok=True)
            (self.root.parent / f"on its way {number}").rename(self.root / new)


@pytest.fixture
def folder(tmp_path):
    folder = Folder(tmp_path)
    folder.write(**{f"rock_{number}.x": letter for number, letter in enumerate("abcdef")}, **{"jazz_7.x": "g"})
    return folder


@pytest.mark.parametrize("chunk", [1, 100])
@pytest.mark.parametrize(
    "moves",
    [
        [("rock/0.x", "jazz/0.x")],
        [("rock/0.x", "rock/1.x"), ("rock/1.x", "rock/2.x"), ("rock/2.x", "rock/9.x")],
        [("rock/0.x", "rock/1.x"), ("rock/1.x", "rock/0.x")],
        [("rock/0.x", "jazz/7.x"), ("jazz/7.x", "rock/1.x"), ("rock/1.x", "rock/0.x")],
        [(f"rock/{n}.x", f"pop/{n}.x") for n in range(6)],
    ],
    ids=["another genre", "a chain", "a swap", "a circle", "a directory"],
)
def test_songs_follow_their_files(folder, moves, chunk):
    before = folder.imported(chunk)
    folder.move(*moves)
    after = folder.imported(chunk)
    moved = dict(moves)
    assert after == {moved.get(path, path): song for path, song in before.items()}
    assert folder.imported(chunk) == after
    assert all(row["retired_at"] is None for row in folder.songs.values())


def test_a_new_file_at_the_old_place_is_another_song_and_one_that_was_written_over_is_gone(folder):
    before = folder.imported()
    folder.move(("rock/0.x", "jazz/0.x"))
    folder.write(**{"rock_0.x": "z"})
    folder.move(("rock/2.x", "rock/1.x"))  # over what was there
    after = folder.imported()
    assert after.pop("rock/0.x") not in before.values()
    assert after["jazz/0.x"] == before["rock/0.x"] and after["rock/1.x"] == before["rock/2.x"]
    assert [song for song, row in folder.songs.items() if row["retired_at"]] == [before["rock/1.x"]]


def test_a_deleted_song_comes_back_under_any_name_and_a_copy_of_what_stays_is_a_song_of_its_own(folder):
    before = folder.imported()
    (folder.root / "rock" / "3.x").unlink()
    folder.write(**{"pop_copy.x": "a"})
    after = folder.imported()
    assert after["pop/copy.x"] not in before.values() and "rock/3.x" not in after
    folder.write(**{"pop_again.x": "d"})
    assert folder.imported()["pop/again.x"] == before["rock/3.x"]


def test_what_lies_behind_a_link_to_nothing_is_neither_gone_nor_moved(folder):
    before = folder.imported()
    (folder.root / "rock").rename(folder.root.parent / "elsewhere")
    (folder.root / "rock").symlink_to(folder.root.parent / "not mounted")
    folder.write(**{"pop_copy.x": "a"})
    after = folder.imported()
    assert after.pop("pop/copy.x") not in before.values()
    assert after == before
    (folder.root / "rock").unlink()
    (folder.root.parent / "elsewhere").rename(folder.root / "rock")
    assert folder.imported().items() > before.items()
