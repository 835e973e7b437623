"""The view of topics, on a store of two fits."""

import duckdb

from genreatlas.sql import duck
from sql_factory import write_store, write_topics


def test_topics_of_the_present_fit_are_listed_with_their_genres(tmp_path):
    home = write_store(tmp_path / "tables")
    write_topics(home)
    connection = duckdb.connect()
    duck.register_views(connection, home)
    columns = "topic, topic_share, rank, genre_id, genre, share, lift, set_version"
    rows = connection.sql(f"SELECT {columns} FROM topic_genres ORDER BY topic, rank").fetchall()
    assert rows == [
        (1, 0.4, 1, "house", "House", 0.6, 3.0, "2-b"),
        (1, 0.4, 2, "ambient", "Ambient", 0.1, 0.25, "2-b"),
    ]
