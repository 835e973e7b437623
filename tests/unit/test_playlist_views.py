"""Views of playlists, on a store of two playlists of one name."""

import duckdb
import pytest

from genreatlas.sql import duck
from genreatlas.tables import GENERATED_PLAYLIST_SONGS, GENERATED_PLAYLISTS, PLAYLIST_RECIPES, PUBLISHED_PLAYLISTS
from sql_factory import write, write_store


@pytest.fixture
def home(tmp_path):
    home = write_store(tmp_path / "tables")
    write(home, PLAYLIST_RECIPES, [{"recipe_id": "r", "name": "Night", "sequence": 1, "kind": "around", "recipe": "{}",
                                    "feature_set": "x", "exclude": []}])  # fmt: skip
    write(home, GENERATED_PLAYLISTS, [
        {"playlist_id": one, "recipe_id": "r", "name": "Night", "sequence": n, "n_songs": n, "seconds": 90.0 * n}
        for n, one in ((1, "old"), (2, "new"))
    ])  # fmt: skip
    write(home, GENERATED_PLAYLIST_SONGS, [
        {"playlist_id": one, "position": place, "song_id": song, "role": "song", "reason": "Because"}
        for one, place, song in (("old", 1, "a"), ("new", 2, "a"), ("new", 1, "gone"))
    ])  # fmt: skip
    return home


def connected(home):
    connection = duckdb.connect()
    duck.register_views(connection, home)
    return connection


def test_the_present_playlist_of_a_name_is_shown_with_its_songs_in_order(home):
    connection = connected(home)
    columns = "name, kind, n_songs, minutes, published_as, playlist_id"
    rows = connection.sql(f"SELECT {columns} FROM made_playlists").fetchall()
    assert rows == [("Night", "around", 2, 3.0, None, "new")]
    rows = connection.sql("SELECT position, song_id, reason FROM made_playlist_songs ORDER BY position").fetchall()
    assert rows == [(1, "gone", "Because"), (2, "a", "Because")]


def test_a_playlist_is_shown_as_published_when_all_its_songs_were_sent(home):
    row = {"service": "spotify", "account": "x", "name": "Night", "external_id": "id", "n_songs": 2, "n_left_out": 0}
    whole = [row | {"account": one, "playlist_id": "new"} for one in "yz"]
    write(home, PUBLISHED_PLAYLISTS, [*whole, row | {"playlist_id": None, "external_id": "0"}])
    connection = connected(home)
    assert connection.sql("SELECT published_as FROM made_playlists").fetchall() == [("spotify:playlist:id",)]
    assert len(connection.sql("SELECT * FROM made_playlist_songs").fetchall()) == 2
