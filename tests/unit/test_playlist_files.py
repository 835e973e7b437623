"""Files of playlists: any name comes back from every format, and M3U is read in whichever encoding it is."""

import csv
import hashlib
import io
import os
from urllib.parse import unquote_to_bytes, urlsplit
from xml.etree import ElementTree

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreatlas.audio.uris import path_to_uri
from genreatlas.errors import InputError
from genreatlas.playlists import files, saving
from genreatlas.playlists.files import Line
from genreatlas.playlists.library import Known, find_library
from genreatlas.playlists.making import Entry, Playlist
from genreatlas.playlists.reading import Found
from playlist_factory import songs

FOLDER = b"/music/lists"
HOSTILE = (
    "#EXTINF:9,Evil", "a\nhttp://evil.example/x", "a\r\n#EXTM3U", "<script>alert(1)</script>", "]]>&amp;\"'",
    "=cmd|' /C'!A0", "-1+1", "@SUM(A1)", "\u202eevil", "\x00\x1b[31m", "\u2028line", "naïve – Ünïcode 音楽 🎵",
    "C:\\x", "../../etc/passwd", "100% %41", "a,b;c\td", " blank ", "http://x/y", "a:b", "\ud800",
)  # fmt: skip


def line(**changes) -> Line:
    usual = {
        "path": b"/music/rock/a.mp3", "link": "", "title": "Title", "artist": "Artist", "album": "Album",
        "reason": "Because", "seconds": 181.4, "song_id": "s1", "isrc": "XX0000000001", "facts": (("tempo", "120.0"),),
    }  # fmt: skip
    return Line(**(usual | changes))


def played(content: bytes) -> list[bytes]:
    """Places that a player finds in an M3U, as paths."""
    found = []
    for row in content.decode("utf-8").split("\n"):
        if row and not row.startswith("#"):
            parts = urlsplit(row)
            path = unquote_to_bytes(parts.path) if row.startswith("file://") else FOLDER + b"/" + row.encode()
            found.append(os.path.normpath(path))
    return found


def test_an_m3u8_has_relative_paths_and_lengths():
    content = files.m3u8("Night", [line(), line(path=None, link="https://open.spotify.com/track/x"),
                                   line(path=None)], FOLDER)  # fmt: skip
    assert content.decode() == (
        "#EXTM3U\n#EXTENC:UTF-8\n#PLAYLIST:Night\n#EXTINF:181,Artist - Title\n../rock/a.mp3\n"
        "#EXTINF:181,Artist - Title\nhttps://open.spotify.com/track/x\n# no file: Artist - Title\n"
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_adds_no_line_no_markup_and_no_formula(text):
    lines = [line(title=text, artist=text, album=text, reason=text), line(title=text, artist="")]
    m3u = files.m3u8(text, lines, FOLDER)
    assert played(m3u) == [b"/music/rock/a.mp3"] * 2
    assert len(m3u.decode().splitlines()) == 7
    root = ElementTree.fromstring(files.xspf(text, lines, FOLDER))
    assert [element.tag.rpartition("}")[2] for element in root] == ["title", "trackList"]
    assert len(root[1]) == 2 and {element.tag.rpartition("}")[2] for element in root[1][0]} == {
        "location", "identifier", "title", "creator", "annotation", "album", "duration",
    }  # fmt: skip
    rows = list(csv.reader(io.StringIO(files.as_csv(text, lines, FOLDER).decode("utf-8-sig"), newline="")))
    assert [len(row) for row in rows] == [11] * 3
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    name = files.file_name(text.encode("utf-8", "replace").decode())  # a recipe's name holds no half characters
    assert "/" not in name and "\0" not in name and name == name.strip() and not name.startswith((".", "-"))
    assert len(name.encode()) < 120


@given(st.binary(min_size=1, max_size=30).filter(lambda b: b"\0" not in b and b"/" not in b and b not in (b".", b"..")))
def test_every_file_name_is_found_again(name):
    path = b"/music/rock/" + name
    assert played(files.m3u8("x", [line(path=path)], FOLDER)) == [path]
    root = ElementTree.fromstring(files.xspf("x", [line(path=path)], FOLDER))
    location = root[1][0].find("{http://xspf.org/ns/0/}location").text
    assert os.path.normpath(FOLDER + b"/" + unquote_to_bytes(location)) == path


def test_names_of_files_differ_where_names_of_playlists_do():
    assert files.file_name("House 1") == "House 1"
    assert len({files.file_name(name).casefold() for name in ("a/b", "a:b", "a b", "CON", "con ", "")}) == 6
    assert files.file_name("house", ["House"]) != "house"


def test_files_are_written_once_and_left_alone_where_they_are_the_same(tmp_path):
    made = files.write(tmp_path / "new", "x", "x", [line()], ("m3u8", "xspf", "csv"))
    assert [path.name for path in made] == ["x.m3u8", "x.xspf", "x.csv"]
    os.utime(made[0], ns=(1, 1))
    files.write(tmp_path / "new", "x", "x", [line()], ("m3u8",))
    assert made[0].stat().st_mtime_ns == 1 and len(list((tmp_path / "new").iterdir())) == 3


@pytest.mark.parametrize(
    ("encoding", "mark"), [("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("utf-16", b""), ("cp1252", b"")]
)
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_an_m3u_is_read_in_its_encoding_and_its_files_are_found(tmp_path, encoding, mark, ends):
    text = ends.join(["#EXTM3U", "#EXTINF:12,Björk - Jóga", "music\\Björk\\Jóga.mp3", "", "# comment", "b.mp3", ""])
    playlist = tmp_path / "mine.m3u"
    playlist.write_bytes(mark + text.encode(encoding))
    entries = files.read_m3u(playlist, "library")
    assert [entry.called for entry in entries] == ["Björk - Jóga", ""]
    known = Known(paths={os.fsencode(tmp_path / "music" / "Björk" / "Jóga.mp3"): 3})
    rows, size = find_library(playlist, "auto", songs(8), known)
    assert (rows.tolist(), size) == ([3], 2)


def test_bytes_that_are_no_text_lead_to_the_file_whose_name_they_are(tmp_path):
    playlist = tmp_path / "mine.m3u8"
    playlist.write_bytes("Björk.mp3\nÅse.mp3\nÆon.mp3\n".encode() + b"J\xf3ga.mp3\n")
    known = Known(paths={os.fsencode(tmp_path) + b"/J\xf3ga.mp3": 1, os.fsencode(tmp_path / "Björk.mp3"): 2})
    assert find_library(playlist, "auto", songs(8), known)[0].tolist() == [1, 2]


def test_songs_of_a_playlist_are_told_by_place_link_and_names(tmp_path):
    music = songs(20)
    lines = [
        "#EXTINF:1,someone else",
        f"https://open.spotify.com/track/{4:022d}?si=x",
        f"#EXTINF:1,{music.facts.artist[2].lower()} - TITLE 2",
        "/gone/x.mp3", "#EXTINF:1,Nobody - Nothing", "/gone/y.mp3",
    ]  # fmt: skip
    (tmp_path / "a.m3u").write_text("\n".join(lines), encoding="utf-8")
    rows, size = find_library(tmp_path / "a.m3u", "auto", music, Known())
    assert (rows.tolist(), size) == ([2, 4], 3)
    xspf = files.xspf("x", [line(path=os.fsencode(tmp_path / "ä b.mp3")), line(path=None, artist=music.facts.artist[3],
                                                                               title="Title 3")],
                      os.fsencode(tmp_path))  # fmt: skip
    (tmp_path / "a.xspf").write_bytes(xspf)
    known = Known(paths={os.fsencode(tmp_path / "ä b.mp3"): 7})
    assert find_library(tmp_path / "a.xspf", "auto", music, known)[0].tolist() == [3, 7]


def test_a_table_tells_songs_by_whichever_columns_it_has(tmp_path):
    music = songs(20)
    table = tmp_path / "mine.csv"
    for text, found in (
        ("song_id\nsong00004\nnone\n", [4]),
        ("isrc,title\nxx-000-00-00005,x\n", [5]),
        (f"artist;title\n{music.facts.artist[6].upper()};title 6\n", [6]),
        (f"spotify_id\n{7:022d}\n", [7]),
        ("path\nmusic/x.mp3\n", [8]),
    ):
        table.write_text(text, encoding="utf-8")
        known = Known(paths={os.fsencode(tmp_path / "music" / "x.mp3"): 8}, isrc={"XX0000000005": 5})
        assert find_library(table, "auto", music, known)[0].tolist() == found, text
    table.write_text("name,year\na,1999\n", encoding="utf-8")
    with pytest.raises(InputError, match="no column identifies the songs"):
        find_library(table, "auto", music, Known())


def test_a_folder_is_known_by_its_places_and_its_bytes(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.mp3").write_bytes(b"one")
    (tmp_path / "moved.mp3").write_bytes(b"two")
    (tmp_path / "cover.jpg").write_bytes(b"two")
    known = Known({os.fsencode(tmp_path / "deep" / "a.mp3"): 1}, {hashlib.sha256(b"two").hexdigest(): 2})
    rows, size = find_library(tmp_path, "auto", songs(8), known)
    assert (rows.tolist(), size) == ([1, 2], 2)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match=r"the folder is empty\. Set playlist\.recipes\.library"):
        find_library(tmp_path / "none", "auto", songs(8), known)


@pytest.mark.parametrize(
    "content",
    [b"", b"#EXTM3U\n", b"\x00\x01\x02\xff" * 9],
)
def test_a_file_that_is_no_playlist_is_refused(tmp_path, content):
    (tmp_path / "a.m3u").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.m3u"):
        files.read_m3u(tmp_path / "a.m3u", "library")


def test_an_xspf_that_declares_entities_is_refused(tmp_path):
    bomb = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><playlist><trackList>&a;</trackList></playlist>'
    for encoding in ("utf-8", "utf-16"):
        (tmp_path / "a.xspf").write_bytes(bomb.encode(encoding))
        with pytest.raises(InputError, match="document type"):
            files.read_xspf(tmp_path / "a.xspf", "library")
    for content in (b"<a", b"<playlist/>", b""):
        (tmp_path / "a.xspf").write_bytes(content)
        with pytest.raises(InputError):
            files.read_xspf(tmp_path / "a.xspf", "library")
    with pytest.raises(InputError, match="no such file"):
        files.read_xspf(tmp_path / "b.xspf", "library")


def test_a_fetched_clip_is_saved_beside_the_playlist_and_listed_with_its_own_length(tmp_path):
    music = songs(6)
    music.facts.loc[0, "uri"] = path_to_uri("/music/own file.mp3")
    music.facts.loc[1:3, "uri"] = ["clip_audio:c1", "clip_audio:c2", "clip_audio:../x"]
    music.facts.loc[5, "spotify_id"] = None
    clips = pd.DataFrame(
        {"clip_id": ["c0", "c1", "c2", "../x"], "mime": "audio/mpeg", "duration_s": [200.0, 30.0, 30.0, 30.0],
         "audio": [None, b"sound", None, b"evil"]}, index=pd.Index([0, 1, 2, 3], name="row"),
    )  # fmt: skip
    found = Found(music, Known(), clips, ())
    playlist = Playlist(tuple(Entry(row, "song", "Because", 0.0, 0.0) for row in range(6)), ())
    assert saving.without_file(found, [playlist]) == [1, 2, 3]
    saved = saving.save_clips(tmp_path, clips.loc[[1, 2, 3]])
    assert saved == {1: tmp_path / "clips" / "c1.mp3"} and saved[1].read_bytes() == b"sound"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["c1.mp3"]
    lines = saving.lines(found, playlist, saved)
    assert [line.path for line in lines] == [b"/music/own file.mp3", os.fsencode(saved[1]), None, None, None, None]
    assert (lines[0].seconds, lines[1].seconds) == (200.0, 30.0) and lines[4].seconds == music.seconds[4]
    assert lines[4].link == f"https://open.spotify.com/track/{4:022d}" and lines[5].link == ""
    content = files.m3u8("x", lines, os.fsencode(tmp_path)).decode()
    assert "\nclips/c1.mp3\n" in content and content.count("# no file:") == 1
