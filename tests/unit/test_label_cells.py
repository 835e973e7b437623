"""Cells with several labels: what divides, and what is part of a name."""

import pytest

from genreatlas.sources.genres import GenreNames
from genreatlas.sources.label_cells import parse_list, read_column


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("['rock', 'indie rock']", ("rock", "indie rock")),
        ('["rock","r\'n\'b"]', ("rock", "r'n'b")),
        ("('rock',)", ("rock",)),
        ("['rock' 'indie rock']", ("rock", "indie rock")),
        ("[rock, indie rock]", ("rock", "indie rock")),
        ('{rock,"classic rock"}', ("rock", "classic rock")),
        ("['r\\'n\\'b', \"children's\"]", ("r'n'b", "children's")),
        ("[{'genre_id': '21', 'genre_title': 'Hip-Hop'}]", ("Hip-Hop",)),
        ("['rock', None, '']", ("rock",)),
        ("[-1, 2]", ("-1", "2")),
        ("[]", ()),
        ("(Rock)", None),
        ("rock", None),
    ],
)
def test_list_literals_of_any_language_are_lists(text, labels):
    assert parse_list(text) == labels


@pytest.mark.parametrize(
    ("cells", "divided"),
    [
        (["rock,classic rock", "jazz"], [("rock", "classic rock"), ("jazz",)]),
        (["rock, pop", "pop, jazz", "jazz", "metal"], [("rock", "pop"), ("pop", "jazz"), ("jazz",), ("metal",)]),
        (["Folk, World, & Country", "Rock", "Jazz"], [("Folk, World, & Country",), ("Rock",), ("Jazz",)]),
        (["Rock, folk, world & country", "Rock", "Pop, Rock"],
         [("Rock", "folk, world & country"), ("Rock",), ("Pop", "Rock")]),
        (["folk, world & country,rock", "rock"], [("folk, world & country", "rock"), ("rock",)]),
        (["rock / pop", "R&B/Soul", "Drum & Bass"], [("rock / pop",), ("R&B/Soul",), ("Drum & Bass",)]),
        (["Rock; Pop", "Rock|Jazz"], [("Rock", "Pop"), ("Rock", "Jazz")]),
        (["10,000 Maniacs"], [("10,000 Maniacs",)]),
        (["Tyler, The Creator", "Nas", "Etta"], [("Tyler, The Creator",), ("Nas",), ("Etta",)]),
    ],
)  # fmt: skip
def test_the_column_decides_whether_commas_divide(cells, divided):
    labels = read_column(cells)
    assert [labels.split(cell) for cell in cells] == divided


def test_notes_name_what_divides_and_what_could():
    several = read_column(["rock,pop", "jazz"], what="labels (genre)", key="folder.label_separator").notes
    assert several == (
        "1 rows have several labels (genre), such as 'rock,pop' = rock | pop; "
        'folder.label_separator = "none" switches the splitting off',
    )
    kept = read_column(["Stage, Screen", "R&B/Soul", "jazz", "pop"]).notes
    assert [note.split(",")[0] for note in kept] == [
        "commas in labels are read as part of names", "slashes in labels are read as part of names"
    ]  # fmt: skip
    assert read_column(["rock", "jazz"]).notes == ()


def test_a_configured_separator_divides_and_nothing_else_but_lists():
    labels = read_column(["a/b; c", "['x', 'y']"], separator="/")
    assert (labels.split("a/b; c"), labels.split("['x', 'y']")) == (("a", "b; c"), ("x", "y"))
    whole = read_column(["a, b; c"], separator="none")
    assert whole.split("a, b; c") == ("a, b; c",)


def test_names_of_the_configuration_keep_their_commas():
    names = GenreNames({"Stage, Screen": "Soundtrack"})
    labels = names.divide(["Stage, Screen, Pop", "Pop, Jazz", "Jazz"], "labels", "key")
    assert labels.split("Stage, Screen, Pop") == ("Stage, Screen", "Pop")


def test_spellings_that_become_one_genre_are_told():
    names = GenreNames()
    names.read_all(["Hip-Hop", "hip hop; Rock", "Rock"])
    names.read_all(["Mu\u0301sica", "M\u00fasica"])  # decomposed and composed letters are one spelling
    assert names.notes() == ("spellings read as one genre: 'Hip-Hop' = 'hip hop'",)


def test_marks_that_divide_no_tag_are_told():
    names = GenreNames()
    assert [genre.name for genre in names.read_all(["Rock, Pop", "Hip-Hop/Rap"])] == ["Rock, Pop", "Hip-Hop/Rap"]
    assert [note.split(";")[0] for note in names.notes()] == [
        "\",\" is read as part of names, such as 'Rock, Pop'", "\"/\" is read as part of names, such as 'Hip-Hop/Rap'"
    ]  # fmt: skip
