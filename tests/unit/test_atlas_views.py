"""Views of the map, on a store of three genres and two maps."""

import duckdb
import pytest

from genreatlas.sql import duck
from genreatlas.tables import GENRE_NEIGHBOURS, GENRE_POSITIONS, GENRE_PROFILES, GENRE_REGIONS, GENRE_TREE, MAPS
from sql_factory import write, write_store

NAMES = {"house": "House", "deephouse": "Deep House", "verydeephouse": "Very Deep House"}


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    home = write_store(tmp_path_factory.mktemp("atlas") / "tables")
    for sequence, (map_id, profile_id) in enumerate((("old", "p1"), ("new", "p2")), 1):
        write(home, MAPS, [{"map_id": map_id, "profile_id": profile_id, "lens": "sound", "sequence": sequence}])
        write(home, GENRE_POSITIONS, [{"map_id": map_id, "genre_id": one, "genre": name, "x": float(x), "y": sequence}
                                      for x, (one, name) in enumerate(NAMES.items())])  # fmt: skip
        write(home, GENRE_PROFILES, [{"profile_id": profile_id, "genre_id": one, "genre": name, "placed": True,
                                      "n_songs": 9, "region": 0, "subregion": x // 2}
                                     for x, (one, name) in enumerate(NAMES.items())])  # fmt: skip
        write(home, GENRE_NEIGHBOURS, [
            {"profile_id": profile_id, "genre_id": "house", "rank": 1, "distance": 0.5,
             "neighbour_id": "deephouse", "neighbour": "Deep House", "similarity": 0.6}
        ])  # fmt: skip
        write(home, GENRE_REGIONS, [
            {"profile_id": profile_id, "resolution": resolution, "region": region, "name": f"{resolution} {region}",
             "largest": ["House"], "n_genres": n, "words": ["house"]}
            for resolution, region, n in (("coarse", 0, 3), ("fine", 0, 2), ("fine", 1, 1))
        ])  # fmt: skip
        write(home, GENRE_TREE, [
            {"profile_id": profile_id, "genre_id": child, "genre": NAMES[child], "rank": rank, "parent_id": parent,
             "parent": NAMES[parent], "probability": 0.9 / rank, "drawn": rank == 1}
            for child, rank, parent in (("deephouse", 1, "house"), ("verydeephouse", 1, "deephouse"),
                                        ("verydeephouse", 2, "house"))
        ])  # fmt: skip
    connection = duckdb.connect()
    duck.register_views(connection, home)
    return connection


def test_the_present_map_is_the_one_of_the_highest_sequence_with_its_regions(connection):
    rows = connection.sql(
        "SELECT genre, x, y, region_name, subregion_name, map_id FROM genre_map ORDER BY x"
    ).fetchall()
    assert rows == [
        ("House", 0.0, 2.0, "coarse 0", "fine 0", "new"),
        ("Deep House", 1.0, 2.0, "coarse 0", "fine 0", "new"),
        ("Very Deep House", 2.0, 2.0, "coarse 0", "fine 1", "new"),
    ]


def test_neighbours_and_regions_are_those_of_the_present_map(connection):
    assert connection.sql("SELECT genre, neighbour, profile_id FROM genre_map_neighbours").fetchall() == [
        ("House", "Deep House", "p2")
    ]
    rows = connection.sql("SELECT resolution, region, n_genres, x FROM genre_map_regions ORDER BY 1, 2").fetchall()
    assert rows == [("coarse", 0, 3, 1.0), ("fine", 0, 2, 0.5), ("fine", 1, 1, 2.0)]


def test_ancestors_are_listed_from_the_parent_up(connection):
    rows = connection.sql("SELECT genre, ancestors, depth FROM genre_ancestors ORDER BY depth").fetchall()
    assert rows == [("Deep House", "House", 1), ("Very Deep House", "Deep House < House", 2)]
