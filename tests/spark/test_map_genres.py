"""The map of a small store: drawn once, drawn anew with new songs, and read in SQL."""

import numpy as np
import pytest

from conftest import make_config
from genreatlas.errors import ConfigError
from genreatlas.sql.registering import register_views
from genreatlas.steps import map_genres
from genreatlas.store import Store
from genreatlas.tables import (
    FEATURE_SETS,
    GENRE_NEIGHBOURS,
    GENRE_POSITIONS,
    GENRE_PROFILES,
    GENRE_REGIONS,
    MAPS,
    SONG_ARTISTS,
    SONG_GENRES,
    SONGS,
    Column,
    summary_table,
)
from judged_factory import WHERE, _write

FEATURES = ("energy", "valence", "tempo", "mode")
SOUND = summary_table("sound", "Test.", [Column(name, "float", name) for name in FEATURES])


def add_songs(store: Store, genres: range, songs: range) -> None:
    """Songs of genres on a grid; a song and its copy in every genre, and one genre of two songs."""
    found = [(genre, song) for genre in genres for song in songs if genre != 29 or song < 2]
    ids = [f"song{genre:02d}-{song}" for genre, song in found]
    random = np.random.default_rng(songs.start)
    _write(store, SONGS, [{"song_id": one, "source": "test", "isrc": f"XX00000{g:02d}{max(s, 1):03d}"}
                          for one, (g, s) in zip(ids, found, strict=True)])  # fmt: skip
    _write(store, SONG_ARTISTS, [{"song_id": one, "position": 0, "artist_id": f"{g}-{s // 3}", "role": "primary"}
                                 for one, (g, s) in zip(ids, found, strict=True)])  # fmt: skip
    _write(store, SONG_GENRES, [{"song_id": one, "genre_id": f"genre{g:02d}", "source": "test", "weight": 1.0,
                                 "genre": f"Genre {g} {'house' if g % 2 else 'rock'}"}
                                for one, (g, _) in zip(ids, found, strict=True)])  # fmt: skip
    _write(store, SOUND, [
        WHERE | {"clip_id": f"clip of {one}", "song_id": one, "mode": float(random.integers(2))}
        | {name: float(value) for name, value in zip(
            FEATURES, random.normal((g % 6, g // 6, 9.0 * (g % 2)), 0.3), strict=False)}
        for one, (g, _) in zip(ids, found, strict=True)
    ])  # fmt: skip


@pytest.mark.slow
def test_the_map_is_drawn_once_and_anew_with_new_songs(spark, tmp_path):
    pytest.importorskip("openTSNE")
    config = make_config(tmp_path, "map.feature_set=sound")
    store = Store(spark, config.store)
    with pytest.raises(ConfigError, match="sound"):
        map_genres.run(store, config)
    _write(store, FEATURE_SETS, [
        WHERE | {"feature_set": "sound", "position": i, "feature": name, "kind": "numeric", "axis": "summary",
                 "unit": "", "source": "test.csv"} for i, name in enumerate(FEATURES)
    ])  # fmt: skip
    add_songs(store, range(30), range(9))
    counts = map_genres.run(store, config)
    assert (counts.read, counts.written, counts.skipped) == (2, 1, 1)
    assert "1 genres have fewer than 5 songs" in counts.notes[0]
    assert any("labelled: too few genres" in note for note in counts.notes)
    first = store.read(MAPS).collect()[0]
    assert (first.lens, first.sequence, first.n_genres, first.n_left_out) == ("sound", 1, 29, 1)
    assert first.features == ["energy", "valence", "tempo"] and first.method == "tsne"
    left = store.read(GENRE_PROFILES).where("NOT placed").collect()
    assert [(row.genre_id, row.n_songs, row.mean) for row in left] == [("genre29", 1, None)]
    usual = store.read(GENRE_PROFILES).where("genre_id = 'genre07'").collect()[0]
    assert (usual.n_songs, usual.n_artists) == (8, 3)  # songs 0 and 1 are one recording
    assert usual.mean == pytest.approx([1, 1, 9], abs=0.5)
    nearest = store.read(GENRE_NEIGHBOURS).where("rank = 1").collect()
    assert len(nearest) == 29 and all(int(r.genre_id[-1]) % 2 == int(r.neighbour_id[-1]) % 2 for r in nearest)
    places = store.read(GENRE_POSITIONS).where(f"map_id = '{first.map_id}'").collect()
    assert len(places) == 29 and all(row.instability < 2 for row in places)
    assert store.read(GENRE_REGIONS).where("resolution = 'coarse'").count() >= 2

    assert map_genres.run(store, config).written == 0  # the same songs make the same map
    add_songs(store, range(30), range(9, 14))
    assert map_genres.run(store, config).written == 1
    second = store.read(MAPS).where("sequence = 2").collect()[0]
    assert second.started_from == first.map_id and second.moved is not None

    register_views(store, config.splits.name)
    shown = spark.sql("SELECT * FROM genre_map ORDER BY genre_id").collect()
    assert len(shown) == 29 and {row.map_id for row in shown} == {second.map_id}
    assert shown[0].region_name and shown[0].genre == "Genre 0 rock"
    near = spark.sql("SELECT * FROM genre_map_neighbours WHERE genre_id = 'genre07' ORDER BY rank").collect()
    assert [row.rank for row in near] == list(range(1, 16))
    assert spark.sql("SELECT sum(n_genres) FROM genre_map_regions WHERE resolution = 'fine'").collect()[0][0] == 29
