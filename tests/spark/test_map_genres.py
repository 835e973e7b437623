"""The map of a small store: drawn once, drawn anew with new songs, and read in SQL."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from conftest import make_config
from genreatlas.atlas.regions import nearest_genres
from genreatlas.errors import ConfigError
from genreatlas.sql.registering import register_views
from genreatlas.steps import map_genres
from genreatlas.store import Store
from genreatlas.tables import (
    FEATURE_SETS,
    GENRE_EVOLUTION,
    GENRE_NEIGHBOURS,
    GENRE_PARENTS,
    GENRE_POSITIONS,
    GENRE_PROFILES,
    GENRE_REGIONS,
    GENRE_TREE,
    GENRE_TYPICAL_SONGS,
    GENRES,
    MAP_COMPARISONS,
    MAPS,
    MODELS,
    PREDICTIONS,
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


def describe_set(store: Store) -> None:
    _write(store, FEATURE_SETS, [
        WHERE | {"feature_set": "sound", "position": i, "feature": name, "kind": "numeric", "axis": "summary",
                 "unit": "", "source": "test.csv"} for i, name in enumerate(FEATURES)
    ])  # fmt: skip


def add_families(store: Store) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Four large genres and 15 children of each, which sound like it; every other child is called after it.

    Returns
    -------
    names, family of each genre, and its true place (n, 3).
    """
    random = np.random.default_rng(4)
    heads = ["house", "rock", "jazz", "folk"]
    family = np.concatenate([np.arange(4), np.repeat(np.arange(4), 15)])
    centres = np.array([[0, 0, 0], [9, 0, 3], [0, 9, 6], [9, 9, 9]], dtype=float)
    places = centres[family] + np.concatenate([np.zeros((4, 3)), random.normal(0, 0.9, (60, 3))])
    names = heads + [f"s{i} {heads[k]}" if i % 2 else f"unnamed{i}" for i, k in enumerate(family[4:])]
    songs = [(genre, song) for genre in range(64) for song in range(40 if genre < 4 else 8)]
    ids = [f"song{genre:02d}-{song:02d}" for genre, song in songs]
    # The four are thirty years older; a copy without features tells how old one song of a child is.
    year = [1960 + s if g < 4 else 1990 + 2 * s for g, s in songs]
    dates = [{"song_id": one, "source": "test", "release_date": f"{y}-05-01", "isrc": f"XX00000{k:05d}"}
             for k, (one, y) in enumerate(zip(ids, year, strict=True))]  # fmt: skip
    copy = {"song_id": "copy", "source": "test", "original_year": 1985, "isrc": dates[ids.index("song10-00")]["isrc"]}
    _write(store, SONGS, [*dates, copy])
    # An artist of each child plays its parent, too: two of 15 songs.
    _write(store, SONG_ARTISTS, [
        {"song_id": one, "position": 0, "role": "primary",
         "artist_id": f"of{4 + 15 * g + s % 15}" if g < 4 and s < 15 else f"of{g}" if s < 2 else f"{g}-{s}"}
        for one, (g, s) in zip(ids, songs, strict=True)
    ])  # fmt: skip
    _write(store, SONG_GENRES, [{"song_id": one, "genre_id": f"g{g:02d}", "source": "test", "weight": 1.0,
                                 "genre": names[g]} for one, (g, _) in zip(ids, songs, strict=True)])  # fmt: skip
    _write(store, SOUND, [
        WHERE | {"clip_id": f"clip of {one}", "song_id": one, "mode": 0.0}
        | dict(zip(FEATURES, map(float, places[g] + random.normal(0, 0.5, 3)), strict=False))
        for one, (g, _) in zip(ids, songs, strict=True)
    ])  # fmt: skip
    return names, family, places


def add_judged_model(store: Store, names: list[str], family: np.ndarray) -> None:
    """A model that was judged on four songs of each genre but one, and takes families apart, hardly their genres."""
    ids = [f"g{g:02d}" for g in range(len(names))]
    _write(store, MODELS, [
        WHERE | {"model_id": "m", "experiment_id": "x", "candidate": "c", "engine": "sklearn", "estimator": "e",
                 "feature_set": "sound", "params": "{}", "dataset_id": "d", "split": "default", "split_version": 1,
                 "level": "genre", "labels": "drop", "seed": 1, "classes": ids, "class_names": names,
                 "features": list(FEATURES), "score_kind": "probability", "grouping": "artist-safe",
                 "format": "skops", "path": "m", "fitted_at": datetime(2026, 1, 1, tzinfo=UTC)}
    ])  # fmt: skip
    random, rows = np.random.default_rng(6), []
    for g in range(1, len(names)):
        for song in range(5):
            said = np.where(family == family[g], 1.0, 0.02) * random.uniform(0.5, 1.5, len(names))
            top = np.argsort(-said)[:20]  # of each song 20 are stored
            scores = {ids[k]: float(said[k] / said.sum()) for k in top}
            rows.append({"model_id": "m", "song_id": f"song{g:02d}-{song:02d}", "group_id": f"{g}-{song // 2}",
                         "part": "test" if song else "train", "genres": [ids[g]], "predicted": ids[top[0]],
                         "confidence": scores[ids[top[0]]], "scores": scores, "score_kind": "probability",
                         "n_rows": 1})  # fmt: skip
    _write(store, PREDICTIONS, rows)


@pytest.mark.slow  # reason: the labelled lens and the tree have no other test that reads their tables
def test_places_on_the_axes_of_every_noise_and_parents_are_found_again(spark, tmp_path):
    pytest.importorskip("openTSNE")
    config = make_config(tmp_path, "map.feature_set=sound", "map.half_samples=0", "map.min_dated=8")
    store = Store(spark, config.store)
    describe_set(store)
    names, family, places = add_families(store)
    unknown = range(4, 64, 10)  # genres that the map of Every Noise lacks
    there = [g for g in range(64) if g not in unknown]
    x, y = (100 * places[:, 0]).astype(int).tolist(), (1000 * np.exp(places[:, 1] / 9)).astype(int).tolist()
    _write(store, GENRES, [
        {"genre_id": f"g{g:02d}", "snapshot": date(2023, 11, day), "name": names[g], "source": "test",
         "map_position": g, "map_x": x[g] if day == 19 else 0, "map_y": y[g] if day == 19 else g}
        for g in there for day in (1, 19)
    ])  # fmt: skip
    given = next(g for g in range(4, 64) if names[g].startswith("unnamed") and family[g] == 0)
    _write(store, GENRE_PARENTS, [{"genre_id": f"g{given:02d}", "genre": names[given], "parent_id": "g03",
                                   "parent": "folk", "source": "configuration"}])  # fmt: skip
    add_judged_model(store, names, family)
    counts = map_genres.run(store, config)
    assert (counts.written, counts.skipped) == (4, 0), counts.notes

    row = store.read(MAPS).where("lens = 'labelled'").collect()[0]
    assert row.method == "regression" and min(row.axes_r2_x, row.axes_r2_y) > 0.8
    placed = {r.genre_id: r for r in store.read(GENRE_POSITIONS).where(f"map_id = '{row.map_id}'").collect()}
    assert len(placed) == 64
    assert {g for g in range(64) if not placed[f"g{g:02d}"].known} == set(unknown)
    for axis, name in enumerate("xy"):
        found = np.array([placed[f"g{g:02d}"][name] for g in range(64)])
        rank = np.argsort(np.argsort(places[:, axis])) / 63
        assert np.abs(found - rank)[list(unknown)].max() < 0.25  # of places that only the profiles tell
        assert np.corrcoef(found, rank)[0, 1] > 0.95

    maps = {row.lens: row for row in store.read(MAPS).collect()}
    assert {lens: row.n_genres for lens, row in maps.items()} == {
        "sound": 64,
        "labelled": 64,
        "confusion": 63,
        "artists": 64,
    }
    assert (maps["confusion"].model_id, maps["confusion"].n_songs, maps["sound"].model_id) == ("m", 63 * 4, None)
    for lens in ("confusion", "artists"):
        rows = store.read(GENRE_POSITIONS).where(f"map_id = '{maps[lens].map_id}'").collect()
        there = np.array([int(r.genre_id[1:]) for r in rows])
        near, _ = nearest_genres(np.array([(r.x, r.y) for r in rows]), 3)
        assert (family[there][near] == family[there][:, None]).mean() > 0.9, lens
    lens_of = {row.map_id: lens for lens, row in maps.items()}
    agreed = {(lens_of[r.map_id], lens_of[r.other_map_id]): r for r in store.read(MAP_COMPARISONS).collect()}
    assert len(agreed) == 6
    row = agreed["sound", "confusion"]
    assert row.n_genres == 63 and row.mantel > row.mantel_chance + 0.2
    assert row.procrustes_r2 > row.procrustes_chance + 0.2
    assert sum("Mantel" in note for note in counts.notes) == 6

    tree = store.read(GENRE_TREE).toPandas()
    drawn = tree[tree.drawn].set_index("genre_id")
    assert drawn.index.is_unique
    assert drawn.parent_id[f"g{given:02d}"] == "g03" and drawn.known[f"g{given:02d}"]
    others = [g for g in range(4, 64) if g != given]
    assert set(drawn.index) == {f"g{g:02d}" for g in range(4, 64)}  # nothing is above the four
    assert [drawn.parent_id[f"g{g:02d}"] for g in others] == [f"g{family[g]:02d}" for g in others]
    first = tree[tree["rank"] == 1].set_index("genre_id")
    assert [bool(first.name_head[f"g{g:02d}"]) for g in others] == [not names[g].startswith("un") for g in others]
    assert first.artist_containment[[f"g{g:02d}" for g in others]].to_numpy() == pytest.approx(1 / 7)

    profiles = store.read(GENRE_PROFILES).toPandas().set_index("genre_id")
    assert profiles.born["g00"] == 1963.0 and profiles.born["g11"] == 1990.0 and profiles.n_dated["g11"] == 8
    assert profiles.born["g10"] == 1985.0 and np.isnan(profiles.born_low["g10"])
    assert first.years_older["g11"] == 27.0 and first.years_older["g10"] == 22.0
    moved = store.read(GENRE_EVOLUTION).toPandas().set_index(["genre_id", "decade"]).sort_index()
    assert moved.n_songs["g00"].to_dict() == {1960: 10, 1970: 10, 1980: 10, 1990: 10}
    assert moved.n_songs["g11"].to_dict() == {1990: 5}
    steps = moved.distance.dropna()
    assert len(steps) == 12 and (steps / moved.distance_by_chance.dropna()).median() < 2  # nothing changes here

    register_views(store, config.splits.name)
    shown = spark.sql("SELECT born, count(*) AS n FROM genre_decades WHERE genre_id = 'g00' GROUP BY born").collect()
    assert [(r.born, r.n) for r in shown] == [(1963.0, 4)]
    lines = spark.sql("SELECT genre_id, ancestors, depth FROM genre_ancestors").collect()
    assert {r.genre_id: r.ancestors.split(" < ")[0] for r in lines if int(r.genre_id[1:]) in others} == {
        f"g{g:02d}": names[family[g]] for g in others
    }
    shown = spark.sql("SELECT lens, other_lens, mantel FROM map_agreement WHERE lens = 'sound'").collect()
    assert {r.other_lens for r in shown} == {"labelled", "confusion", "artists"}
    again = map_genres.run(store, config)
    assert (again.written, again.skipped) == (0, 4) and store.read(MAP_COMPARISONS).count() == 6
    with pytest.raises(ConfigError, match="no model 'other'"):
        map_genres.run(store, config.model_copy(update={"map": config.map.model_copy(update={"model": "other"})}))


@pytest.mark.slow
def test_the_map_is_drawn_once_and_anew_with_new_songs(spark, tmp_path):
    pytest.importorskip("openTSNE")
    config = make_config(tmp_path, "map.feature_set=sound")
    store = Store(spark, config.store)
    with pytest.raises(ConfigError, match="sound"):
        map_genres.run(store, config)
    describe_set(store)
    add_songs(store, range(30), range(9))
    few = map_genres.run(store, make_config(tmp_path, "map.feature_set=sound", "map.min_songs=50"))
    assert few.written == 0 and "no map: 0 of 30 genres have 50 or more songs" in few.notes[-1]
    counts = map_genres.run(store, config)
    assert (counts.read, counts.written, counts.skipped) == (4, 1, 3)
    assert "1 genres have fewer than 5 songs" in counts.notes[0]
    for why in ("labelled: too few genres", "confusion: no model with probabilities", "artists: 0 genres share"):
        assert any(why in note for note in counts.notes), counts.notes
    first = store.read(MAPS).collect()[0]
    assert (first.lens, first.sequence, first.n_genres, first.n_left_out) == ("sound", 1, 29, 1)
    assert first.checked_versions["song_genres"] == store.version(SONG_GENRES) and first.checked_by
    assert first.checked_versions["predictions"] == -1  # a model that arrives would draw the lens confusion
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
    typical = store.read(GENRE_TYPICAL_SONGS).orderBy("genre_id", "rank").collect()
    assert len(typical) == 29 * 5 and len({(row.genre_id, row.song_id) for row in typical}) == len(typical)
    of = {row.song_id: row.genre_id for row in store.read(SONG_GENRES).collect()}
    assert all(of[row.song_id] == row.genre_id for row in typical)

    # What it was drawn from is as it was, so songs are not even read; other settings are looked at again.
    again = map_genres.run(store, config)
    assert (again.read, again.written, again.skipped) == (4, 0, 4)
    assert again.notes == ("maps: unchanged, because their inputs have not changed",)
    _write(store, SONG_GENRES, [{"song_id": "a song without features", "genre_id": "genre00", "source": "test",
                                 "weight": 1.0, "genre": "Genre 0 rock"}])  # fmt: skip
    other = map_genres.run(store, config)
    assert other.written == 0 and "1 genres have fewer" in other.notes[0]  # the same songs make the same map
    assert map_genres.run(store, config).notes == again.notes
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
