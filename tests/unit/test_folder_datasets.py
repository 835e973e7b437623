"""The metadata of FMA and MTG-Jamendo, as these data sets write it."""

import os
from pathlib import Path

import pytest

from genreatlas.config import FolderSection
from genreatlas.errors import InputError, Reason
from genreatlas.sources.folder.catalogue import Catalogue, Song
from genreatlas.sources.folder.listing import list_folder
from genreatlas.sources.folder.reading import read_catalogue
from genreatlas.sources.genres import Genre, GenreNames, GenreParent

FMA_TRACKS = """,album,album,artist,set,set,track,track,track,track
,comments,title,name,split,subset,genre_top,genres_all,license,title
track_id,,,,,,,,,
2,0,AWOL,AWOL,training,small,Hip-Hop,[21],CC BY-NC-SA,Food
3,0,"Two
lines","A, B",validation,medium,,"[10, 76]",,Electric Ave
1005,0,Disc,C,test,large,Rock,"[12, 25]",,Loud
1006,0,Disc,C,test,full,,[],,Nothing
"""
FMA_GENRES = """genre_id,#tracks,parent,title,top_level
10,13845,0,Pop,10
12,32923,0,Rock,12
21,8389,0,Hip-Hop,21
25,9261,12,Punk,12
76,1,10,Experimental Pop,10
"""
JAMENDO = """TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS
track_0000214\tartist_000014\talbum_000031\t14/214.mp3\t124.6\tgenre---punkrock
track_0000215\tartist_000014\talbum_000031\t15/215.mp3\t151.4\tgenre---metal\tinstrument---guitar\tgenre---punkrock
track_0000382\tartist_000020\talbum_000046\t82/382.mp3\t211.1\tmood/theme---calm
track_0000387\tartist_000020\talbum_000046\t87/387.mp3\t290.0\tgenre---metal
"""


def catalogue(root: Path, labels: str, **settings) -> Catalogue:
    section = FolderSection(path=root / "music", labels=labels, manifest=root / "metadata", **settings)
    listing = list_folder(os.fsencode(root / "music"))
    return read_catalogue(listing, listing.entries, section, GenreNames())


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


@pytest.fixture
def fma(tmp_path):
    write(tmp_path, {"metadata/tracks.csv": FMA_TRACKS, "metadata/genres.csv": FMA_GENRES})
    write(tmp_path, {f"music/{name}.mp3": "x" for name in ("000/000002", "000/000003", "001/001005", "001/009999")})
    return tmp_path


@pytest.fixture
def jamendo(tmp_path):
    header, *rows = JAMENDO.splitlines(keepends=True)
    splits = dict(zip(("train", "validation", "test"), (rows[:2], rows[2:3], rows[3:]), strict=True))
    write(tmp_path, {"metadata/autotagging_genre.tsv": JAMENDO})
    write(
        tmp_path,
        {f"metadata/splits/split-0/autotagging_genre-{p}.tsv": header + "".join(r) for p, r in splits.items()},
    )
    write(tmp_path, {f"music/{name}.mp3": "x" for name in ("14/214", "15/215.low", "82/382")})
    return tmp_path


def test_fma_tracks_that_are_there_have_their_top_genre_or_those_above_their_genres(fma):
    found = catalogue(fma, "fma")
    assert found.songs == {
        "2": Song("2", (Genre("hiphop", "Hip-Hop"),), "Food", "AWOL", "AWOL", split="train", licence="CC BY-NC-SA"),
        "3": Song("3", (Genre("pop", "Pop"),), "Electric Ave", "A, B", "Two\nlines", split="promotion"),
        "1005": Song("1005", (Genre("rock", "Rock"),), "Loud", "C", "Disc", split="test"),
    }
    assert (found.rejected, found.unnamed, found.labels) == ((), 1, "fma")


def test_fma_gives_the_tree_of_genres(fma):
    assert catalogue(fma, "fma").parents == (
        GenreParent("experimentalpop", "Experimental Pop", "pop", "Pop"),
        GenreParent("punk", "Punk", "rock", "Rock"),
    )


def test_fma_gives_all_genres_when_asked(fma):
    found = catalogue(fma, "fma", fma_labels="genres_all")
    assert [genre.name for genre in found.songs["1005"].genres] == ["Rock", "Punk"]
    assert [genre.name for genre in found.songs["3"].genres] == ["Pop", "Experimental Pop"]


def test_a_subset_of_fma_holds_the_smaller_ones_and_misses_files(fma):
    (fma / "music/000/000003.mp3").unlink()
    found = catalogue(fma, "fma", subset="medium")
    assert list(found.songs) == ["2"]
    assert [(r.place, r.reason) for r in found.rejected] == [("line 5", Reason.MISSING_FILE)]
    assert found.unnamed == 2


def test_fma_metadata_without_its_columns_or_with_a_wrong_subset_is_one_clear_line(fma):
    with pytest.raises(ValueError, match="'small', 'medium', 'large' or 'full'"):
        catalogue(fma, "fma", subset="tiny")
    (fma / "metadata/tracks.csv").write_text("track_id,genre\n2,Rock\n")
    with pytest.raises(InputError, match=r"missing columns: set.split, set.subset, track.genre_top, track.genres_all"):
        catalogue(fma, "fma")


def test_jamendo_lines_have_as_many_tags_as_they_like(jamendo):
    found = catalogue(jamendo, "jamendo")
    punk, metal = Genre("punkrock", "punkrock"), Genre("metal", "metal")
    album = {"artist": "artist_000014", "album": "album_000031", "split": "train"}
    assert found.songs == {
        "track_0000214": Song("track_0000214", (punk,), **album),
        "track_0000215": Song("track_0000215", (metal, punk), **album),
    }
    assert [(r.place, r.reason) for r in found.rejected] == [("", Reason.NO_GENRE), ("line 5", Reason.MISSING_FILE)]


def test_jamendo_names_come_from_its_metadata(jamendo):
    meta = "TRACK_ID\tARTIST_ID\tALBUM_ID\tTRACK_NAME\tARTIST_NAME\tALBUM_NAME\tRELEASEDATE\tURL\n"
    write(
        jamendo, {"metadata/raw.meta.tsv": meta + "track_0000214\ta\tb\tPunk Song\tThe Band\tFirst\t2004\thttp://x\n"}
    )
    songs = catalogue(jamendo, "jamendo").songs
    song = songs["track_0000214"]
    assert (song.title, song.artist, song.album) == ("Punk Song", "The Band", "First")
    assert songs["track_0000215"].artist == "The Band"  # the same artist, whose name stands at another track


def test_jamendo_without_the_split_says_what_to_set(jamendo):
    with pytest.raises(InputError, match=r"folder\.jamendo_split"):
        catalogue(jamendo, "jamendo", jamendo_split="split-9")
    assert {song.split for song in catalogue(jamendo, "jamendo", jamendo_split="").songs.values()} == {None}
    (jamendo / "metadata/autotagging_genre.tsv").unlink()
    with pytest.raises(InputError, match="no list of tracks"):
        catalogue(jamendo, "jamendo")


def test_broken_lines_of_fma_and_jamendo_are_rejected_and_cost_no_other(fma, jamendo):
    (fma / "metadata/tracks.csv").write_text(FMA_TRACKS.replace(",Loud\n", "\n").replace("1006,", "x6,"))
    found = catalogue(fma, "fma")
    assert list(found.songs) == ["2", "3"]
    assert [(r.place, r.reason) for r in found.rejected] == [
        ("line 7", Reason.BAD_VALUE), ("line 8", Reason.BAD_VALUE)
    ]  # fmt: skip
    (jamendo / "metadata/autotagging_genre.tsv").write_text(
        JAMENDO.replace("\tartist_000020\talbum_000046\t82/382", "")
    )
    found = catalogue(jamendo, "jamendo")
    assert len(found.songs) == 2 and ("line 4", Reason.BAD_VALUE) in [(r.place, r.reason) for r in found.rejected]
