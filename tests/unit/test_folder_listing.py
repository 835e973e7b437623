"""What lies in a folder: every name, once, and no circle without end."""

import os
import subprocess
import sys

import pytest

from genreatlas.audio.probe import is_audio
from genreatlas.errors import InputError
from genreatlas.sources.folder.listing import Entry, has_audio_name, is_sidecar, list_folder
from sound_factory import sound

NAMES = [
    b"plain.mp3", b"quote\"'.mp3", b"line\nbreak.mp3", "emoji 🎵.mp3".encode(), b"co:lon.mp3", b"bytes \xff\xfe.mp3",
    b"x" * 246 + b".mp3", b".hidden.mp3", "ünïcode.mp3".encode(), b"-dash.mp3", b" blank .mp3", b"50%41.mp3",
]  # fmt: skip


def touch(root, *names: bytes, content: bytes = b"x") -> bytes:
    folder = os.fsencode(root)
    for name in names:
        path = folder + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(content)
    return folder


def paths(root) -> list[bytes]:
    return [entry.path for entry in list_folder(os.fsencode(root)).entries]


def test_every_name_is_listed_in_the_order_of_its_bytes(tmp_path):
    folder = touch(tmp_path, *(b"rock/" + name for name in NAMES))
    assert paths(folder) == sorted(b"rock/" + name for name in NAMES)


def test_every_name_is_listed_under_the_c_locale(tmp_path):
    folder = touch(tmp_path, *(b"genre \xc3\xa9\xff/" + name for name in NAMES))
    code = (
        "import os; from genreatlas.sources.folder.listing import list_folder\n"
        f"print([entry.path.hex() for entry in list_folder({folder!r}).entries])"
    )
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([(b"genre \xc3\xa9\xff/" + name).hex() for name in sorted(NAMES)])


def test_sizes_and_times_are_those_of_the_file(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(b"12345")
    os.utime(path, ns=(1, 1_700_000_000_123_456_789))
    (tmp_path / "link.mp3").symlink_to("a.mp3")
    assert list_folder(os.fsencode(tmp_path)).entries == (
        Entry(b"a.mp3", "file", 5, 1_700_000_000_123_456_789),
        Entry(b"link.mp3", "file", 5, 1_700_000_000_123_456_789),
    )


def test_links_to_nothing_and_pipes_are_entries_of_their_own_kind(tmp_path):
    (tmp_path / "gone.mp3").symlink_to("nowhere.mp3")
    (tmp_path / "self.mp3").symlink_to("self.mp3")
    os.mkfifo(tmp_path / "pipe.mp3")
    kinds = {entry.path: entry.kind for entry in list_folder(os.fsencode(tmp_path)).entries}
    assert kinds == {b"gone.mp3": "broken_link", b"self.mp3": "broken_link", b"pipe.mp3": "special"}


def test_links_in_circles_end_and_are_told(tmp_path):
    touch(tmp_path, b"rock/a.mp3", b"jazz/b.mp3")
    (tmp_path / "rock" / "loop").symlink_to(tmp_path)
    (tmp_path / "rock" / "jazz").symlink_to(tmp_path / "jazz")
    (tmp_path / "jazz" / "rock").symlink_to(tmp_path / "rock")
    listing = list_folder(os.fsencode(tmp_path))
    assert [e.path for e in listing.entries] == [b"jazz/b.mp3", b"jazz/rock/a.mp3", b"rock/a.mp3", b"rock/jazz/b.mp3"]
    assert listing.circular == (b"jazz/rock/jazz", b"jazz/rock/loop", b"rock/jazz/rock", b"rock/loop")


def test_many_links_that_point_at_each_other_end_soon(tmp_path):
    names = [f"d{number}" for number in range(12)]
    for name in names:
        touch(tmp_path, f"{name}/a.mp3".encode())
    for name in names:
        for other in names:
            (tmp_path / name / f"to-{other}").symlink_to(tmp_path / other)
    assert len(list_folder(os.fsencode(tmp_path)).entries) < 12 * 13 * 12


def test_a_linked_directory_outside_the_folder_is_followed(tmp_path):
    touch(tmp_path / "elsewhere", b"a.mp3")
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "rock").symlink_to(tmp_path / "elsewhere")
    assert paths(tmp_path / "music") == [b"rock/a.mp3"]


def test_a_directory_that_may_not_be_listed_is_an_entry(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    for parent in (tmp_path, *list(tmp_path.parents)[:3]):
        parent.chmod(0o755)
    touch(tmp_path, b"closed/a.mp3", b"open/b.mp3")
    (tmp_path / "closed").chmod(0o700)
    child = os.fork()
    if child == 0:
        code = 9
        try:
            os.setgid(65534)
            os.setuid(65534)
            found = [(e.path, e.kind) for e in list_folder(os.fsencode(tmp_path)).entries]
            code = 7 if found == [(b"closed", "closed_directory"), (b"open/b.mp3", "file")] else 8
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_an_empty_or_missing_folder_and_a_file_are_refused_with_the_key_to_set(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty" / "below").mkdir(parents=True)
    for name, words in [("empty", "is empty"), ("gone", "no such folder"), ("file", "not a folder")]:
        with pytest.raises(InputError, match=words) as caught:
            list_folder(os.fsencode(tmp_path / name))
        assert "folder.path" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_sidecars_are_told_by_content_and_names_that_promise_audio_are_kept(tmp_path):
    sound(tmp_path / "rock" / "song.flac").rename(tmp_path / "rock" / "song.bak")
    touch(tmp_path, b"rock/notes.mp3", b"rock/cover.jpg", b"rock/._song.mp3", b"rock/.DS_Store", b"rock/empty.mp3")
    touch(tmp_path, b"rock/empty.txt", content=b"")
    (tmp_path / "rock" / "link.jpg").symlink_to("gone.jpg")
    listing = list_folder(os.fsencode(tmp_path))
    kept = [entry.path for entry in listing.entries if not is_sidecar(listing, entry, is_audio)]
    assert kept == [b"rock/empty.mp3", b"rock/link.jpg", b"rock/notes.mp3", b"rock/song.bak"]


def test_extensions_count_in_any_case():
    assert all(map(has_audio_name, [b"a.MP3", b"a/b.Flac", b".hidden.ogg"]))
    assert not any(map(has_audio_name, [b"mp3", b"a.mp3.txt", b"a.jpg", b"._a.mp3"]))


def test_hidden_trash_and_system_folders_are_left_out_and_counted(tmp_path):
    left_out = [
        ".Trash-1000/files", "$RECYCLE.BIN", "System Volume Information", "rock/@eaDir/a.mp3", "__MACOSX", ".git",
        "lost+found", "jazz/.AppleDouble", "#recycle",
    ]  # fmt: skip
    touch(tmp_path, b"rock/a.mp3", b"rock/.hidden.mp3", *(f"{name}/x.mp3".encode() for name in left_out))
    listing = list_folder(os.fsencode(tmp_path))
    assert [entry.path for entry in listing.entries] == [b"rock/.hidden.mp3", b"rock/a.mp3"]
    assert len(listing.left_out) == len(left_out) and listing.left_out_files == len(left_out)


def dig(root, name: str, depth: int) -> None:
    """Folders in each other, a song in the last; deeper than a path may be long."""
    place = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=place)
        below = os.open(name, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(os.open("song.mp3", os.O_CREAT | os.O_WRONLY, dir_fd=place))
    os.close(place)


def test_folders_in_each_other_are_listed_however_deep_they_lie(tmp_path):
    (tmp_path / "music").mkdir()
    try:
        dig(tmp_path / "music", "d", 1500)
        assert paths(tmp_path / "music") == [b"d/" * 1500 + b"song.mp3"]
        dig(tmp_path / "music", "too long for the system", 300)
        found = list_folder(os.fsencode(tmp_path / "music")).entries
        assert [entry.kind for entry in found] == ["file", "closed_directory"]
    finally:
        subprocess.run(["rm", "-rf", str(tmp_path / "music")], check=True)
