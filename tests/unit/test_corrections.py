"""Corrections of the site's visitors as labels: from its database and from tables, and when visitors disagree."""

import csv

import pytest

from genreatlas.errors import InputError
from genreatlas.sources.folder.corrections import Correction, agreed, read_corrections

pytest.importorskip("sqlalchemy")
from genreatlas.web.work import Work

SAID = (("song1", None, "techno", "a"), ("song1", None, "techno", "b"), ("song1", None, "house", "c"),
        (None, "d" * 64, "jazz", "a"))  # fmt: skip
WANTED = [Correction(song or "", digest or "", genre, visitor) for song, digest, genre, visitor in SAID]


def write_database(path, said=SAID):
    work = Work(f"sqlite:///{path}")
    for song, digest, genre, visitor in said:
        work.correct(visitor, genre, song_id=song, sha256=digest)
    return path


def test_the_sites_database_is_read_by_its_file_and_by_its_address(tmp_path):
    path = write_database(tmp_path / "site.sqlite")
    assert read_corrections(str(path)) == WANTED == read_corrections(f"sqlite:///{path}")


def test_a_table_is_read_in_which_every_row_without_a_visitor_is_one_of_its_own(tmp_path):
    path = tmp_path / "said.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("song_id", "sha256", "genre_id", "visitor", "more"), *((*row, 1) for row in SAID)])
    assert read_corrections(str(path)) == WANTED
    path.write_text("song_id,genre_id\nsong1,techno\nsong1,techno\n,techno\nsong2,\n")
    assert agreed(read_corrections(str(path)), 2) == ({"song1": ("techno",)}, {})


def test_the_genre_that_most_visitors_name_counts_and_several_where_they_are_as_many():
    said = [*WANTED, Correction("song2", "", "rock", "a"), Correction("song2", "", "pop", "b")]
    assert agreed(said, 1) == ({"song1": ("techno",), "song2": ("pop", "rock")}, {"d" * 64: ("jazz",)})
    assert agreed(said, 2) == ({"song1": ("techno",)}, {})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        (b"SQLite format 3\x00 and no database", "no corrections can be read"),
        (b"artist,title\na,b\n", "are needed; there are artist, title"),
    ],
)
def test_what_holds_no_corrections_is_said_so(tmp_path, content, words):
    path = tmp_path / "said"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_corrections(str(path))


def test_a_database_that_is_away_is_said_so_without_its_password():
    with pytest.raises(InputError) as caught:
        read_corrections("postgresql://me:hidden-word@127.0.0.1:1/none")
    assert "hidden-word" not in str(caught.value) and "folder.corrections" in str(caught.value)
