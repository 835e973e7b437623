"""Tables of stylistic origins: what is read, what is left out and why."""

import pytest

from genreatlas.errors import InputError
from genreatlas.sources.influences import Influence, read_influences


def write(folder, text: str):
    path = folder / "origins.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_are_pairs_of_genres_whatever_their_spelling(tmp_path):
    path = write(
        tmp_path,
        "genre,origin,source\nHip-Hop, Funk ,a\nhip hop,funk,again\nhip hop,disco,b\n,funk,c\nHouse,house,d\nx,,e\n",
    )
    found = read_influences(path)
    assert found.rows == (Influence("Hip-Hop", "Funk"), Influence("hip hop", "funk"), Influence("hip hop", "disco"))
    assert found.notes == (
        "origins.csv: rows that were left out: line 5: genre is empty; line 6: House is its own origin; "
        "line 7: origin is empty",
    )
    genres = [("hiphop", "Hip hop"), ("funk", "Funk"), ("house", "House")]
    assert found.among(genres) == [("hiphop", "funk")]  # each pair once, and no genre without songs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("genre,parent\na,b\n", r"origins.csv: no column origin; it has genre, parent. Give one pair per row"),
        ("a,b\n1,2\n", "no column genre and no column origin"),
        ("genre,origin\na,\n,b\n", "no row has a genre and a different origin.* line 2: origin is empty; line 3"),
    ],
)
def test_a_table_that_tells_nothing_is_refused_with_the_reason(text, message, tmp_path):
    with pytest.raises(InputError, match=message):
        read_influences(write(tmp_path, text))


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no such file. Set map.influences"):
        read_influences(tmp_path / "none.csv")
