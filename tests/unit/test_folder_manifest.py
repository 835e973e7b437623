"""Genres by directory and by a manifest: what each row means, and which rows cannot be used."""

import os
import unicodedata
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genreatlas.config import FolderSection
from genreatlas.errors import InputError, Reason
from genreatlas.sources.folder.catalogue import Catalogue, Song, clean_isrc, song_rows
from genreatlas.sources.folder.listing import list_folder
from genreatlas.sources.folder.reading import read_catalogue
from genreatlas.sources.genres import Genre, GenreNames
from genreatlas.splits import song_links

ROCK, JAZZ = Genre("rock", "Rock"), Genre("jazz", "Jazz")


def catalogue(root: Path, labels: str = "manifest", aliases=None, **settings) -> Catalogue:
    section = FolderSection(path=root / "music", labels=labels, manifest=root / "list", **settings)
    listing = list_folder(os.fsencode(root / "music"))
    return read_catalogue(listing, listing.entries, section, GenreNames(aliases))


def files(root: Path, *names: str) -> None:
    for name in names:
        path = root / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def manifest(root: Path, text: str | bytes) -> None:
    (root / "list").write_bytes(text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text)


def problems(found: Catalogue) -> list[tuple[str, Reason]]:
    return [(rejection.place, rejection.reason) for rejection in found.rejected]


def test_the_first_directory_is_the_genre_and_spellings_meet(tmp_path):
    files(
        tmp_path, "Hip-Hop/a.mp3", "hip hop/deep/er/b.mp3", "hip hop/c.mp3", "Jazz/d.mp3", "root.mp3", "unknown/e.mp3"
    )
    found = catalogue(tmp_path, "directory")
    hip_hop = Genre("hiphop", "hip hop")  # the commonest spelling
    assert found.songs == {
        "Hip-Hop/a.mp3": Song("Hip-Hop/a.mp3", (hip_hop,)),
        "hip hop/deep/er/b.mp3": Song("hip hop/deep/er/b.mp3", (hip_hop,)),
        "hip hop/c.mp3": Song("hip hop/c.mp3", (hip_hop,)),
        "Jazz/d.mp3": Song("Jazz/d.mp3", (JAZZ,)),
    }
    assert [(r.path.rsplit(b"/", 1)[1], r.reason) for r in found.rejected] == [
        (b"root.mp3", Reason.NO_GENRE),
        (b"e.mp3", Reason.NO_GENRE),
    ]


def test_a_directory_named_in_latin_1_is_a_genre_with_its_letters(tmp_path):
    files(tmp_path, "M\udcfasica/a.mp3", "Jazz/b.mp3")
    assert {song.genres[0].name for song in catalogue(tmp_path, "directory").songs.values()} == {"Música", "Jazz"}


def test_every_column_of_a_manifest_arrives(tmp_path):
    files(tmp_path, "a.mp3")
    manifest(
        tmp_path,
        "path,genre,song,artist,title,album,isrc,licence,split\n"
        'a.mp3,Rock;Jazz, s1 ,"Band, The",Tune,Disc,us-rc1-76-07839,CC0,Validation\n',
    )
    song = Song("s1", (ROCK, JAZZ), "Tune", "Band, The", "Disc", None, "USRC17607839", "promotion", "CC0")
    assert catalogue(tmp_path).songs == {"s1": song}


def test_a_parquet_manifest_may_list_genres_in_an_array(tmp_path):
    files(tmp_path, "a.mp3", "b.mp3")
    table = pa.table({"path": ["a.mp3", "b.mp3", "c.mp3"], "genre": [["Rock", "Jazz"], ["Jazz"], None]})
    pq.write_table(table, tmp_path / "list")
    found = catalogue(tmp_path)
    assert {key: song.genres for key, song in found.songs.items()} == {"a.mp3": (ROCK, JAZZ), "b.mp3": (JAZZ,)}
    assert problems(found) == [("row 3", Reason.MISSING_FILE)]


def test_clips_of_one_song_share_it_and_complete_each_other(tmp_path):
    files(tmp_path, "1.mp3", "2.mp3")
    manifest(tmp_path, "path,genre,song,artist,title\n1.mp3,Rock,s,,First\n2.mp3,Jazz,s,Band,Second\n")
    found = catalogue(tmp_path)
    assert found.songs == {"s": Song("s", (ROCK, JAZZ), "First", "Band")}
    assert list(found.song_of.values()) == ["s", "s"]


def test_rows_that_cannot_be_used_are_rejected_one_by_one(tmp_path):
    files(tmp_path, "a.mp3", "b.mp3", "c.mp3", "d.mp3", "e.mp3", "not-listed.mp3")
    manifest(
        tmp_path,
        "path,genre,split\na.mp3,Rock,\n./a.mp3,Jazz,\ngone.mp3,Rock,\n\nb.mp3,,\nc.mp3,Rock,sometimes\n,Rock,\n"
        "d.mp3,unknown,\n\"e.mp3\",Jazz,test\n\"nul\0.mp3\",Jazz,\n",
    )  # fmt: skip
    found = catalogue(tmp_path)
    assert problems(found) == [
        ("line 3", Reason.DUPLICATE_ROW),
        ("line 4", Reason.MISSING_FILE),
        ("", Reason.NO_GENRE),
        ("", Reason.BAD_VALUE),
        ("line 8", Reason.BAD_VALUE),
        ("", Reason.NO_GENRE),
        ("line 11", Reason.MISSING_FILE),
    ]
    details = [rejection.detail for rejection in found.rejected]
    assert details[0] == "Names the same file as line 2. Join several genres with ';' in one row."
    assert details[2] == "line 6: genre is empty. Give a genre or drop the row."
    assert details[3] == "line 7: split is 'sometimes'. Valid: train, promotion (validation), test."
    assert details[5] == "line 9: genre is 'unknown', which is not a genre. Give a genre or drop the row."
    assert (list(found.songs), found.unnamed) == (["a.mp3", "e.mp3"], 1)


def test_names_with_line_breaks_quotes_and_odd_bytes_are_found(tmp_path):
    names = ["line\nbreak.mp3", 'quote".mp3', "comma, emoji 🎵.mp3", "bytes \udcff.mp3"]
    files(tmp_path, *names)
    rows = "".join('"{}",Rock\n'.format(name.replace('"', '""')) for name in names)
    manifest(tmp_path, f"\ufeffpath,genre\n{rows}missing.mp3,Rock\n")
    found = catalogue(tmp_path)
    assert list(found.songs) == ["line\nbreak.mp3", 'quote".mp3', "comma, emoji 🎵.mp3", "bytes \\xff.mp3"]
    assert problems(found) == [("line 7", Reason.MISSING_FILE)]


def test_absolute_paths_and_files_outside_the_folder_are_found(tmp_path):
    files(tmp_path, "a.mp3")
    (tmp_path / "b.mp3").write_bytes(b"x")
    manifest(tmp_path, f"path;genre\n{tmp_path}/music/a.mp3;Rock\n../b.mp3;Jazz\n")
    assert list(catalogue(tmp_path).songs) == ["a.mp3", "../b.mp3"]


def test_a_compilation_in_a_manifest_groups_by_performer_and_an_album_artist_that_performs_ties_its_songs(tmp_path):
    compiled = [(f"{number}.mp3", f"Act {number}", "Best of Label Records", "Label Records") for number in range(5)]
    own = [("own.mp3", "Act 1", "Own", "Act 1"), ("duet.mp3", "Partner", "Own", "Act 1")]
    files(tmp_path, *(row[0] for row in (*compiled, *own)))
    rows = "".join(f"{path},Rock,{artist},{album},{by}\n" for path, artist, album, by in (*compiled, *own))
    manifest(tmp_path, f"path,genre,artist,album,album_artist\n{rows}")
    made = song_rows(catalogue(tmp_path).songs.values(), "manifest", ids=lambda key: key)
    links = song_links(pd.DataFrame(made.songs), pd.DataFrame(made.song_artists))
    keys = {path: set(links[links["song_id"] == path]["key"]) for path in links["song_id"].unique()}
    assert len(set.union(*(keys[path] for path, *_ in compiled))) == 5
    assert keys["1.mp3"] & keys["own.mp3"] and keys["own.mp3"] & keys["duet.mp3"]
    roles = {row["role"] for row in made.song_artists if row["song_id"] == "0.mp3"}
    assert roles == {"primary", "album_artist"}


def test_columns_that_are_unknown_or_missing_are_named_with_the_valid_ones(tmp_path):
    files(tmp_path, "a.mp3")
    manifest(tmp_path, "path,genres,offset_s\na.mp3,Rock,3\n")
    with pytest.raises(InputError) as caught:
        catalogue(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/list: missing columns: genre; unknown columns: 'genres' (did you mean genre?), 'offset_s'. Valid: "
        "path, genre, song, artist, title, album, album_artist, isrc, licence, split. "
        'To leave columns out, set folder.ignore_columns = ["genres", "offset_s"].'
    )
    manifest(tmp_path, "path,genre,offset_s\na.mp3,Rock,3\n")
    assert catalogue(tmp_path, ignore_columns=("offset_s",)).songs == {"a.mp3": Song("a.mp3", (ROCK,))}


def test_a_known_column_that_is_ignored_is_not_read(tmp_path):
    files(tmp_path, "a.mp3", "b.mp3")
    manifest(tmp_path, "path,genre,song,album\na.mp3,Rock,one,first\nb.mp3,Rock,one,first\n")
    assert list(catalogue(tmp_path).songs) == ["one"]
    apart = catalogue(tmp_path, ignore_columns=("song", "album")).songs
    assert apart == {"a.mp3": Song("a.mp3", (ROCK,)), "b.mp3": Song("b.mp3", (ROCK,))}
    with pytest.raises(InputError, match="missing columns: genre"):
        catalogue(tmp_path, ignore_columns=("genre",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("a\tb\n1\t2\n", "missing columns: path, genre"),
        ("path,genre,genre\na.mp3,Rock,Jazz\n", "appear twice: genre"),
        ("<!DOCTYPE html><html>", "a web page"),
        (b"PAR1 this is no Parquet", "not a readable Parquet file"),
    ],
)
def test_a_manifest_that_is_none_is_one_clear_line(tmp_path, text, words):
    files(tmp_path, "a.mp3")
    manifest(tmp_path, text)
    with pytest.raises(InputError, match=words) as caught:
        catalogue(tmp_path)
    assert "\n" not in str(caught.value).strip()


def test_a_manifest_that_is_not_there_or_not_set_is_one_clear_line(tmp_path):
    files(tmp_path, "a.mp3")
    with pytest.raises(InputError, match=r"no such file. Set folder\.manifest"):
        catalogue(tmp_path)
    with pytest.raises(InputError, match=r"needs folder\.manifest"):
        listing = list_folder(os.fsencode(tmp_path / "music"))
        read_catalogue(listing, listing.entries, FolderSection(labels="manifest"), GenreNames())


def test_aliases_join_and_drop_genres(tmp_path):
    files(tmp_path, "a.mp3", "b.mp3")
    manifest(tmp_path, "path,genre\na.mp3,Rock'n'Roll;Live\nb.mp3,Bebop\n")
    found = catalogue(tmp_path, aliases={"rock n roll": "Rock", "BEBOP": "Jazz", "live": ""})
    assert {key: song.genres for key, song in found.songs.items()} == {"a.mp3": (ROCK,), "b.mp3": (JAZZ,)}


def test_only_real_isrcs_are_kept():
    assert clean_isrc("us-rc1-76-07839") == "USRC17607839"
    assert clean_isrc("ISRC USRC17607839") == "USRC17607839"
    assert [clean_isrc(text) for text in ("", "unknown", "000000000000", "USRC1760783")] == [None] * 4


def test_paths_as_other_systems_write_them_are_found_and_told(tmp_path):
    files(tmp_path, unicodedata.normalize("NFD", "rock/Björk.mp3"), "rock/b.mp3", "Jazz/C d.mp3", "e.mp3", "rock/f.mp3",
          "rock/g.mp3")  # fmt: skip
    folder = (tmp_path / "music").as_uri()
    manifest(
        tmp_path,
        "path;genre\nrock/Björk.mp3;Rock\n.\\rock\\b.mp3;Rock\njazz/c D.MP3;Jazz\n"
        f"{folder}/e.mp3;Rock\nD:\\My Music\\rock\\f.mp3;Rock\nrock/g.mp3 ;Rock\n",
    )
    found = catalogue(tmp_path)
    assert found.rejected == () and len(found.songs) == 6 and found.unnamed == 0
    assert unicodedata.normalize("NFD", "rock/Björk.mp3") in found.songs
    assert len(found.notes) == 6 and any("such as 'jazz/c D.MP3'" in note for note in found.notes)


def test_a_path_that_may_mean_two_files_means_none(tmp_path):
    files(tmp_path, "a.mp3", "A.mp3", "x/1.mp3", "y/2.mp3")
    manifest(tmp_path, "path;genre\nA.MP3;Rock\nC:/x/1/2.mp3;Rock\na.mp3;Jazz\n")
    found = catalogue(tmp_path)
    assert problems(found) == [("line 2", Reason.MISSING_FILE), ("line 3", Reason.MISSING_FILE)]
    assert list(found.songs) == ["a.mp3"]


def test_a_file_name_in_an_old_encoding_is_found_by_a_list_in_any(tmp_path):
    files(tmp_path, "caf\udce9.mp3", "Música.mp3")
    manifest(tmp_path, "path,genre\ncafé.mp3,Rock\nMúsica.mp3,Rock\n")
    assert len(catalogue(tmp_path).songs) == 2
    manifest(tmp_path, "path,genre\ncafé.mp3,Rock\nMúsica.mp3,Forró\n".encode("latin-1"))
    found = catalogue(tmp_path)
    assert len(found.songs) == 2 and found.songs["Música.mp3"].genres == (Genre("forró", "Forró"),)


def test_every_row_of_a_manifest_is_a_song_or_rejected_at_its_line(tmp_path):
    files(tmp_path, *(f"{n}.mp3" for n in range(8)))
    rows = [f'{n}.mp3,"Rock, {n}",Jazz' for n in range(8)]
    rows[2] = '2.mp3,"Rock,Jazz'
    manifest(tmp_path, "path,title,genre\n" + "\n".join(rows) + "\nx.mp3,a,b,c\n")
    found = catalogue(tmp_path)
    assert list(found.songs) == [f"{n}.mp3" for n in range(8) if n != 2]
    assert problems(found) == [("line 4", Reason.BAD_VALUE), ("line 10", Reason.BAD_VALUE)]
    manifest(tmp_path, "path,title,genre\n" + "".join(f"{n}.mp3,{chr(34) * (n == 3)}Song {n},Rock\n" for n in range(8)))
    found = catalogue(tmp_path)
    assert len(found.songs) == 8 and "line 5" in found.notes[0]


def test_lists_in_a_manifest_follow_the_column_or_the_setting(tmp_path):
    files(tmp_path, "a.mp3", "b.mp3")
    manifest(tmp_path, "path;genre\na.mp3;['Rock', 'Jazz']\nb.mp3;Rock,Jazz\n")
    found = catalogue(tmp_path)
    assert [song.genres for song in found.songs.values()] == [(ROCK, JAZZ), (ROCK, JAZZ)] and found.notes
