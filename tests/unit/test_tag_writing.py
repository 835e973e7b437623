"""Genres in the tags of copies: what is written is read again, and the sound stays as it is."""

import csv
import io
import zipfile
import zlib

import pytest
import soundfile
from mutagen import apev2

from genreatlas.audio.probe import open_file, probe
from genreatlas.errors import ClipError, InputError
from genreatlas.sources.folder.tag_writing import write_genres
from genreatlas.sources.folder.tags import read_tags

pytest.importorskip("fastapi")
from test_folder_tags import ID3, VORBIS

from genreatlas.web.tagging import TABLE, Tagged, file_name, make_zip
from sound_factory import sound

NAMES = ("a.mp3", "a.wav", "a.aif", "a.flac", "a.ogg")


def tags_of(path):
    with open_file(path) as file:
        return dict(read_tags(file, probe(path).mime))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tagged", [True, False], ids=["with tags", "without"])
def test_genres_are_written_alone_and_read_again_and_the_sound_is_the_same(tmp_path, name, tagged):
    tags = (VORBIS if name in ("a.flac", "a.ogg") else ID3) if tagged else {}
    path = sound(tmp_path / "x" / name, **tags)
    before, samples = tags_of(path), soundfile.read(path)[0]
    write_genres(path, probe(path).mime, ["Deep House", "Drum & Bass/Jungle"])
    assert tags_of(path) == before | {"genre": ["Deep House", "Drum & Bass/Jungle"]}
    assert (soundfile.read(path)[0] == samples).all()


def test_a_genre_of_ape_tags_is_changed_with_that_of_id3(tmp_path):
    path = sound(tmp_path / "x" / "a.mp3", TCON="Rock")
    ape = apev2.APEv2()
    ape["Genre"], ape["Artist"] = "Rock", "Band"
    ape.save(path)
    write_genres(path, "audio/mpeg", ["Techno"])
    assert [str(apev2.APEv2(path)[key]) for key in ("Genre", "Artist")] == ["Techno", "Band"]


def test_what_is_no_file_of_its_kind_is_refused(tmp_path):
    path = tmp_path / "a.flac"
    path.write_bytes(b"fLaC" + b"\xff" * 50)
    with pytest.raises(ClipError, match="cannot be written"):
        write_genres(path, "audio/flac", ["Rock"])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Song.mp3", "Song (2).mp3"),
        ("../../etc/passwd", "passwd"),
        ("C:\\music\\a?.mp3", "a_.mp3"),
        ("..", "file"),
        ("\u202egnp.exe", "_gnp.exe"),
        ("a" * 300 + ".flac", "a" * 120 + ".flac"),
        ("genres.csv", "genres (2).csv"),
    ],
)
def test_a_name_in_the_zip_leads_nowhere_else_and_is_taken_once(given, kept):
    assert file_name(given, ["song.mp3", TABLE]) == kept


def test_a_zip_holds_tagged_copies_and_says_what_could_not_be_tagged(tmp_path):
    good, bad = sound(tmp_path / "x" / "a.mp3", **ID3), sound(tmp_path / "x" / "b.mp3")
    frame = zlib.compress(bytes(600 << 20))  # 600 MB of nothing in 600 KB
    size = len(frame) + 4
    head = b"TIT2" + bytes((size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127)) + b"\x00\x09"
    whole = head + bytes((0x02, 0x2B, 0x30, 0x00)) + frame
    tag = b"ID3\x04\x00\x00" + bytes((len(whole) >> 21 & 127, len(whole) >> 14 & 127, len(whole) >> 7 & 127,
                                      len(whole) & 127)) + whole  # fmt: skip
    bad.write_bytes(tag + bad.read_bytes())
    originals = [good.read_bytes(), bad.read_bytes()]
    target = tmp_path / "copies.zip"
    make_zip([Tagged(str(good), "a.mp3", ("Rock", "Jazz")), Tagged(str(bad), "b.mp3", ("=Techno",))], target, 60, 100)
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == ["a.mp3", "b.mp3", TABLE]
        rows = list(csv.DictReader(io.StringIO(archive.read(TABLE).decode())))
        (tmp_path / "copy.mp3").write_bytes(archive.read("a.mp3"))
        assert archive.read("b.mp3") == originals[1]
    assert tags_of(tmp_path / "copy.mp3")["genre"] == ["Rock", "Jazz"]
    assert [(row["file"], row["genres"]) for row in rows] == [("a.mp3", "Rock; Jazz"), ("b.mp3", "'=Techno")]
    assert rows[0]["tags"] == "written" and rows[1]["tags"].startswith("not written")
    assert [good.read_bytes(), bad.read_bytes()] == originals
    with pytest.raises(InputError, match="time limit was exceeded"):
        make_zip([Tagged(str(good), "a.mp3", ("Rock",))], target, 0.001, 100)
    assert not target.exists()
