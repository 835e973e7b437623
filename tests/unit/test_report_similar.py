"""Which similar songs the report names."""

import pandas as pd

from genreatlas.report.similar import nearest_of_others


def rows(*given):
    names = ("song_id", "rank", "other", "recording", "artist", "own_recording", "own_artist", "title", "credit")
    return pd.DataFrame([dict(zip(names, one, strict=True)) for one in given])


def test_similar_songs_are_by_others_one_of_each_artist_and_recording():
    found = nearest_of_others(
        rows(
            ("s", 4, "d", "r4", "bob", "r0", "ann", "Fourth", "Bob"),
            ("s", 1, "a", "r0", "cy", "r0", "ann", "A copy", "Cy"),
            ("s", 2, "b", "r2", "ann", "r0", "ann", "Of the same", "Ann"),
            ("s", 3, "c", "r3", "bob", "r0", "ann", "Third", "Bob"),
            ("s", 5, "e", None, None, "r0", "ann", None, None),
            ("s", 6, "f", "r3", "di", "r0", "ann", "Copy of the third", "Di"),
            ("s", 7, "g", "r7", "ed", "r0", "ann", "Seventh", "Ed"),
            ("s", 8, "h", "r8", "flo", "r0", "ann", "One too many", "Flo"),
            ("t", 1, "i", "r9", "gil", "r9", None, "A copy alone", "Gil"),
        )
    )
    assert found == {"s": ["Bob – Third", "e", "Ed – Seventh"]}


def test_songs_of_unknown_artists_are_everybody_s():
    unknown = [("s", rank, f"o{rank}", None, None, None, None, f"T{rank}", None) for rank in (1, 2)]
    assert nearest_of_others(rows(*unknown)) == {"s": ["T1", "T2"]}
