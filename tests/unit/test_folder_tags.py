"""Tags of real files: several genres, numbers of ID3v1, and what tags lack."""

import struct
from pathlib import Path

import pytest
from mutagen import apev2, mp3

from genreatlas.audio.probe import open_file, probe
from genreatlas.errors import ClipError, Reason
from genreatlas.sources.folder.catalogue import Song, song_id, song_rows
from genreatlas.sources.folder.tags import _first_of, read_tags, song_of_tags
from genreatlas.sources.genres import Genre, GenreNames
from sound_factory import sound, tag

ID3 = {
    "TCON": ["Rock", "Jazz"], "TPE1": ["Band", "Guest"], "TPE2": "Album Band", "TIT2": "Tune", "TALB": "Disc",
    "TSRC": "US-RC1-76-07839",
}  # fmt: skip
VORBIS = {
    "genre": ["Rock", "Jazz"], "artist": ["Band", "Guest"], "albumartist": "Album Band", "title": "Tune",
    "album": "Disc", "isrc": "USRC17607839",
}  # fmt: skip


def tags_of(path: Path) -> dict[str, list[str]]:
    mime = probe(path).mime
    with open_file(path) as file:
        return dict(read_tags(file, mime))


@pytest.mark.parametrize("name", ["a.mp3", "a.wav", "a.aif", "a.flac", "a.ogg"])
def test_every_kind_of_tag_gives_the_same_song(tmp_path, name):
    path = sound(tmp_path / "x" / name, **(VORBIS if name in ("a.flac", "a.ogg") else ID3))
    song = song_of_tags("key", tags_of(path), GenreNames())
    genres = (Genre("rock", "Rock"), Genre("jazz", "Jazz"))
    assert song == Song("key", genres, "Tune", "Band; Guest", "Disc", "Album Band", "USRC17607839")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("(17)", ["Rock"]),
        ("17", ["Rock"]),
        ("(17)(8)", ["Rock", "Jazz"]),
        ("(9)Doom", ["Metal", "Doom"]),
        ("(RX)", ["Remix"]),
        ("Hip-Hop", ["Hip-Hop"]),
    ],
)
def test_numbers_of_genres_become_names(tmp_path, written, read):
    assert tags_of(sound(tmp_path / "x" / "a.mp3", TCON=written))["genre"] == read


def test_id3v1_alone_is_read(tmp_path):
    path = sound(tmp_path / "x" / "a.mp3", TCON="(17)", TIT2="Old", TPE1="Band")
    file = mp3.MP3(path)
    file.save(v1=2)
    data = path.read_bytes()
    size = data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9]
    path.write_bytes(data[10 + size :])
    assert path.read_bytes()[-128:-125] == b"TAG"
    assert tags_of(path) == {"genre": ["Rock"], "title": ["Old"], "artist": ["Band"]}


def test_a_file_without_tags_has_no_genre(tmp_path):
    for name in ("a.mp3", "a.wav", "a.aif", "a.au", "a.flac"):
        assert tags_of(sound(tmp_path / "x" / name)) == {}
    assert song_of_tags("key", {}, GenreNames()) == Song("key")


def test_broken_tags_are_a_reason_and_no_crash(tmp_path):
    path = sound(tmp_path / "x" / "a.flac")
    with open_file(path) as file, pytest.raises(ClipError) as caught:
        read_tags(file, "audio/ogg")
    assert caught.value.reason == Reason.NO_GENRE


def test_tags_in_any_script_and_with_separators_are_read(tmp_path):
    path = sound(tmp_path / "x" / "a.mp3", TCON="国风; Pop", TPE1="周杰倫", TIT2="晴天 🎵")
    song = song_of_tags("key", tags_of(path), GenreNames())
    assert (song.artist, song.title) == ("周杰倫", "晴天 🎵")
    assert song.genres == (Genre("国风", "国风"), Genre("pop", "Pop"))


def test_the_performer_comes_first_and_guests_come_last():
    rows = song_rows([Song("k", artist="Band feat. Guest", album_artist="Album Band", title="T (with Friend)")], "tags")
    names = {row["artist_id"]: row["name"] for row in rows.artists}
    credits = [(row["position"], names[row["artist_id"]], row["role"]) for row in rows.song_artists]
    assert credits == [
        (0, "Band", "primary"),
        (1, "Album Band", "album_artist"),
        (2, "Guest", "guest"),
        (3, "Friend", "guest"),
    ]


def test_various_artists_are_nobody():
    rows = song_rows([Song("k", artist="Unknown Artist", album_artist="Various Artists")], "tags")
    assert (rows.artists, rows.song_artists) == ([], [])


def test_rows_of_a_song_are_whole():
    song = Song("k", (Genre("rock", "Rock"),), "T", "A", "D", "B", "USRC17607839", "test", None)
    rows = song_rows([song], "manifest", licence="CC0")
    assert rows.songs == [
        {
            "song_id": song_id("k"), "source": "folder", "source_key": "k", "title": "T", "artist": "A", "album": "D",
            "album_artist": "B", "compilation": None, "isrc": "USRC17607839", "declared_split": "test",
            "licence": "CC0", "listed_in": None, "retired_at": None,
        }
    ]  # fmt: skip
    assert rows.song_genres == [
        {
            "song_id": song_id("k"), "genre_id": "rock", "source": "manifest", "genre": "Rock", "weight": 1.0,
            "label_source": "folder", "retired_at": None,
        }
    ]  # fmt: skip


def test_a_tag_that_is_written_again_is_read_anew(tmp_path):
    path = sound(tmp_path / "x" / "a.flac", genre="Rock")
    tag(path, genre="Jazz")
    assert tags_of(path) == {"genre": ["Jazz"]}


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("a.mp3", {"TCMP": "1"}),
        ("a.wav", {"TCMP": "1"}),
        ("a.flac", {"compilation": "1"}),
        ("a.ogg", {"COMPILATION": "true"}),
    ],
)
def test_the_mark_of_a_compilation_is_read(tmp_path, name, tags):
    read = song_of_tags("key", tags_of(sound(tmp_path / "x" / name, **tags)), GenreNames())
    assert read.compilation is True
    assert song_rows([read], "tags").songs[0]["compilation"] is True


def test_mp4_marks_a_compilation_with_a_truth_value():
    assert _first_of({"cpil": True}, ("cpil",)) == ["True"] and _first_of({"cpil": False}, ("cpil",)) == ["False"]
    assert song_of_tags("key", {"compilation": ["False"]}, GenreNames()).compilation is False
    assert song_of_tags("key", {"compilation": ["x"]}, GenreNames()).compilation is None


def with_info(path: Path, **info: bytes) -> Path:
    """Add a RIFF INFO list to a WAV, as recorders and editors write it."""
    items = b"".join(
        name.encode() + struct.pack("<I", len(text) + 1) + text + b"\0" * (2 - len(text) % 2)
        for name, text in info.items()
    )
    data = path.read_bytes() + b"LIST" + struct.pack("<I", len(items) + 4) + b"INFO" + items
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    return path


def test_the_info_list_of_a_wav_is_read_and_id3_counts_first(tmp_path):
    path = with_info(sound(tmp_path / "x" / "a.wav"), IGNR=b"Jazz", IART="Sade Adú".encode("cp1252"), INAM=b"Tune")
    assert tags_of(path) == {"genre": ["Jazz"], "artist": ["Sade Adú"], "title": ["Tune"]}
    both = with_info(sound(tmp_path / "x" / "b.wav", TCON="Rock", TIT2="Own"), IGNR=b"Jazz", IPRD=b"Disc")
    assert tags_of(both) == {"genre": ["Rock"], "title": ["Own"], "album": ["Disc"]}


@pytest.mark.parametrize("id3", [{}, {"TIT2": "Own"}])
def test_apev2_of_an_mp3_gives_what_id3_lacks(tmp_path, id3):
    path = sound(tmp_path / "x" / "a.mp3", **id3)
    tags = apev2.APEv2()
    tags["Genre"], tags["Artist"], tags["Album Artist"] = ["Trip Hop", "(17)"], "Band", "Album Band"
    tags.save(path)
    found = tags_of(path)
    assert (found["genre"], found["artist"], found["album_artist"]) == (["Trip Hop", "Rock"], ["Band"], ["Album Band"])
    assert found.get("title") == (["Own"] if id3 else None)


def test_a_second_id3_tag_gives_what_the_first_lacks(tmp_path):
    first, second = (sound(tmp_path / "x" / f"{name}.mp3", **tags) for name, tags in
                     (("a", {"TIT2": "Own"}), ("b", {"TCON": "Rock", "TIT2": "Other"})))  # fmt: skip
    data = first.read_bytes()
    size = 10 + (data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9])
    first.write_bytes(data[:size] + second.read_bytes())
    assert tags_of(first) == {"title": ["Own"], "genre": ["Rock"]}


def test_a_song_without_a_genre_says_why(tmp_path):
    silent = song_of_tags("key", tags_of(sound(tmp_path / "x" / "a.wav")), GenreNames())
    assert "no tag that names a genre" in silent.no_genre and "RIFF INFO" in silent.no_genre
    other = song_of_tags("key", {"genre": ["Other"]}, GenreNames())
    assert "'Other', which is not a genre" in other.no_genre


def test_a_genre_tag_may_be_a_list_and_its_separator_is_configurable():
    listed = song_of_tags("key", {"genre": ["['rock', 'indie rock']"]}, GenreNames())
    assert [genre.name for genre in listed.genres] == ["rock", "indie rock"]
    slashed = song_of_tags("key", {"genre": ["Rock/Pop"]}, GenreNames(separator="/"))
    assert [genre.name for genre in slashed.genres] == ["Rock", "Pop"]
