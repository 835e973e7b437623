"""Similar songs of a small store: lists from nothing, with songs added, gone and changed, and in SQL."""

import numpy as np
import pytest

from conftest import make_config
from genreatlas.neighbours import finding
from genreatlas.neighbours.finding import SongFiles
from genreatlas.neighbours.hubness import judge_lists
from genreatlas.sql.registering import register_views
from genreatlas.steps import find_neighbours
from genreatlas.store import Store
from genreatlas.tables import (
    FEATURE_SETS,
    NEIGHBOUR_SONGS,
    NEIGHBOUR_SPACES,
    SONG_ARTISTS,
    SONG_NEIGHBOURS,
    SONGS,
    Column,
    summary_table,
)
from judged_factory import WHERE, _write

FEATURES = tuple(f"f{number}" for number in range(8))
SOUND = summary_table("sound", "Test.", [Column(name, "float", name) for name in (*FEATURES, "mode")])


def add_songs(store: Store, numbers: range) -> None:
    """Songs in five crowds; the song ten places on is of the same artist, and song 1 is a copy of song 0."""
    ids = [f"song{number:03d}" for number in numbers]
    values = np.random.default_rng(3).normal(size=(500, 8)) + np.repeat(np.eye(8)[:5] * 9, 100, axis=0)
    values[1] = values[0]
    _write(store, SONGS, [{"song_id": one, "source": "test", "title": f"Title {n}", "artist": f"Artist {n % 10}",
                           "album": f"Album {n % 20}", "isrc": f"XX00000{max(n, 1):05d}"}
                          for one, n in zip(ids, numbers, strict=True)])  # fmt: skip
    _write(store, SONG_ARTISTS, [{"song_id": one, "position": 0, "artist_id": f"artist{n % 10}", "role": "primary"}
                                 for one, n in zip(ids, numbers, strict=True)])  # fmt: skip
    place = np.random.default_rng(4).permutation(500)  # so that neighbours are not neighbours in the order of ids
    place = np.concatenate([[0, 1], place[place > 1]])
    _write(store, SOUND, [
        WHERE | {"clip_id": f"clip of {one}", "song_id": one, "mode": float(n % 2)}
        | {name: float(value) for name, value in zip(FEATURES, values[place[n]], strict=True)}
        for one, n in zip(ids, numbers, strict=True)
    ])  # fmt: skip


def rows(store: Store, table) -> list[tuple]:
    """All rows but for volatile columns, sorted by key."""
    columns = [name for name in table.column_names if name not in table.volatile]
    found = store.read(table).select(*columns).orderBy(*table.key).collect()
    return [tuple(row) for row in found]


@pytest.fixture
def sound(spark, tmp_path, monkeypatch):
    # Eight features make no hubs, and lists that are corrected say more.
    monkeypatch.setattr(find_neighbours, "choose_weight", lambda *_: 0.75)
    config = make_config(tmp_path, "neighbours.feature_set=sound", "neighbours.per_song=12")
    store = Store(spark, config.store)
    _write(store, FEATURE_SETS, [
        WHERE | {"feature_set": "sound", "position": i, "feature": name, "kind": "numeric", "axis": "summary",
                 "unit": "", "source": "test.csv"} for i, name in enumerate((*FEATURES, "mode"))
    ])  # fmt: skip
    return store, config


@pytest.mark.slow
def test_songs_are_listed_once_and_read_with_names(spark, sound):
    store, config = sound
    add_songs(store, range(120))
    counts = find_neighbours.run(store, config)
    assert (counts.read, counts.written, counts.skipped) == (120, 120, 0)
    assert [note.split(":")[0] for note in counts.notes] == [
        "hubness before correction, when the space was fitted",
        "hubness after correction by 0.75 of the local scales",
    ]
    space = store.read(NEIGHBOUR_SPACES).collect()[0]
    assert (space.features, space.n_fitted, space.recall10) == (list(FEATURES), 120, 1.0)
    ten = [(int(row[1][4:]), int(row[3][4:])) for row in rows(store, SONG_NEIGHBOURS) if row[2] <= 10]
    judged = judge_lists(np.array([other for _, other in ten], dtype=np.int32).reshape(120, 10))
    assert (space.skew10, space.antihubs, space.reachable) == (judged.skew, judged.antihubs, judged.reachable)
    assert space.skew10_before not in (None, space.skew10)
    register_views(store, config.splits.name, "SELECT * FROM similar_songs")
    shown = spark.sql("SELECT * FROM similar_songs WHERE song_id = 'song000' ORDER BY rank").collect()
    assert [row.rank for row in shown] == list(range(1, 13))
    first = next(row for row in shown if row.neighbour_song_id == "song001")
    assert (first.distance, first.similarity, first.same_recording) == (0, 1, True)
    assert (first.title, first.neighbour_artist, first.same_artist) == ("Title 0", "Artist 1", False)
    for row in shown:
        number = int(row.neighbour_song_id[4:])
        assert (row.same_artist, row.same_album) == (number % 10 == 0, number % 20 == 0)
        assert row.same_recording == (number == 1)


@pytest.mark.slow
def test_songs_that_are_added_end_in_the_same_lists_as_if_all_were_made_anew(spark, sound):
    store, config = sound
    add_songs(store, range(120))
    counts = find_neighbours.run(store, config)
    assert (counts.read, counts.written, counts.skipped) == (120, 120, 0)
    before = rows(store, SONG_NEIGHBOURS)
    assert len(before) == 120 * 12

    again = find_neighbours.run(store, config)
    assert (again.written, again.skipped) == (0, 120) and rows(store, SONG_NEIGHBOURS) == before

    add_songs(store, range(120, 150))
    counts = find_neighbours.run(store, config)
    assert (counts.read, counts.written, counts.skipped) == (150, 30, 120)
    added, songs = rows(store, SONG_NEIGHBOURS), rows(store, NEIGHBOUR_SONGS)
    assert len(added) == 150 * 12 and added != before
    assert store.read(NEIGHBOUR_SPACES).count() == 1

    store.delete(SONG_NEIGHBOURS, store.read(SONG_NEIGHBOURS).select("space_id"))
    assert find_neighbours.run(store, config).written == 150
    assert rows(store, SONG_NEIGHBOURS) == added and rows(store, NEIGHBOUR_SONGS) == songs


@pytest.mark.slow
def test_lists_with_songs_that_are_gone_are_made_anew_and_a_doubled_library_gets_a_new_space(spark, sound):
    store, config = sound
    add_songs(store, range(120))
    find_neighbours.run(store, config)
    spark.sql(f"UPDATE {store.location.sql('songs')} SET retired_at = timestamp'2026-01-01' WHERE song_id = 'song007'")
    near = store.read(SONG_NEIGHBOURS).where("neighbour_song_id = 'song007'").count()
    counts = find_neighbours.run(store, config)
    assert (counts.read, counts.written) == (119, near)
    lists = store.read(SONG_NEIGHBOURS)
    assert lists.where("song_id = 'song007' OR neighbour_song_id = 'song007'").count() == 0
    assert lists.count() == 119 * 12 and store.read(NEIGHBOUR_SONGS).count() == 119
    left = rows(store, SONG_NEIGHBOURS)
    store.delete(SONG_NEIGHBOURS, lists.select("space_id"))
    find_neighbours.run(store, config)
    assert rows(store, SONG_NEIGHBOURS) == left

    spark.sql(f"UPDATE {store.location.sql('features_sound')} SET f6 = 30, f7 = 30 WHERE song_id = 'song009'")
    counts = find_neighbours.run(store, config)
    assert 0 < counts.written < 119
    alone = store.read(SONG_NEIGHBOURS).where("song_id = 'song009'").agg({"distance": "min"}).collect()[0][0]
    assert alone > 1

    add_songs(store, range(120, 260))
    assert find_neighbours.run(store, config).written == 259
    spaces = store.read(NEIGHBOUR_SPACES).orderBy("sequence").collect()
    assert [row.n_fitted for row in spaces] == [120, 259]
    assert {row.space_id for row in store.read(SONG_NEIGHBOURS).select("space_id").distinct().collect()} == {
        spaces[1].space_id
    }


@pytest.mark.slow
def test_a_run_that_is_killed_between_lists_of_old_and_new_songs_ends_as_if_it_had_not_been(spark, sound, monkeypatch):
    store, config = sound
    add_songs(store, range(120))
    find_neighbours.run(store, config)
    add_songs(store, range(120, 150))
    with monkeypatch.context() as patched:
        patched.setattr(SongFiles, "lists", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            find_neighbours.run(store, config)
    assert find_neighbours.run(store, config).written == 30
    ended = rows(store, SONG_NEIGHBOURS)
    store.delete(SONG_NEIGHBOURS, store.read(SONG_NEIGHBOURS).select("space_id"))
    find_neighbours.run(store, config)
    assert rows(store, SONG_NEIGHBOURS) == ended


@pytest.mark.slow
def test_an_index_finds_the_lists_that_the_exact_search_finds(spark, sound, monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr(finding, "_MOST_READ", 1.0)  # an index of so few songs has few cells
    store, config = sound
    add_songs(store, range(500))
    find_neighbours.run(store, config)
    exact = {(row[1], row[3]) for row in rows(store, SONG_NEIGHBOURS)}
    store.delete(SONG_NEIGHBOURS, store.read(SONG_NEIGHBOURS).select("space_id"))
    store.delete(NEIGHBOUR_SPACES, store.read(NEIGHBOUR_SPACES).select("space_id"))
    store.delete(NEIGHBOUR_SONGS, store.read(NEIGHBOUR_SONGS).select("space_id"))
    section = config.neighbours.model_copy(update={"exact_songs": 10})
    counts = find_neighbours.run(store, config.model_copy(update={"neighbours": section}))
    assert any("approximate search reads" in note for note in counts.notes)
    found = {(row[1], row[3]) for row in rows(store, SONG_NEIGHBOURS)}
    assert len(found & exact) > 0.95 * len(exact)
    assert {row[-1] for row in rows(store, SONG_NEIGHBOURS)} == {"approximate"}
