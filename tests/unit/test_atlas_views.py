"""Views of the map, on a store of three genres and two maps."""

import duckdb
import pytest

from genreatlas.sql import duck
from sql_factory import write_map, write_store


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    home = write_map(write_store(tmp_path_factory.mktemp("atlas") / "tables"))
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


def test_lenses_are_compared_by_their_present_maps(connection):
    rows = connection.sql("SELECT lens, other_lens, n_genres, mantel, map_id FROM map_agreement").fetchall()
    assert rows == [("sound", "artists", 3, 0.2, "new")]


def test_decades_are_those_of_the_present_map(connection):
    rows = connection.sql(
        "SELECT genre, decade, x, x_now, distance, born FROM genre_decades ORDER BY decade"
    ).fetchall()
    assert rows == [("House", 1980, 6.0, 0.0, None, None), ("House", 1990, 6.0, 0.0, 0.4, None)]


def test_typical_songs_are_those_of_the_present_profiles_also_where_a_song_is_gone(connection):
    found = connection.sql("SELECT genre, rank, song_id, title, profile_id FROM genre_map_songs ORDER BY rank")
    assert found.fetchall() == [("House", 1, "song 1", None, "p2"), ("House", 2, "song 2", None, "p2")]
