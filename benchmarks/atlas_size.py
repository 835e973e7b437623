"""Time and memory of ``map_genres`` with as many genres as Every Noise had, on synthetic songs; run by atlas.py.

Genres have the names and coordinates of the Every Noise page; further names are composed of its words, so that the same
share of names implies parents. Feature vectors are drawn around 64-dimensional centres with shared directions; genre
sizes decrease with rank. The lenses with available data are used: sound, labelled and artists.
"""

import shutil
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F
from watch import Watch

from genreatlas.config import load_config
from genreatlas.ids import slug
from genreatlas.session import get_spark
from genreatlas.sources.every_noise import parse_map
from genreatlas.steps import map_genres
from genreatlas.store import Store
from genreatlas.tables import (
    FEATURE_SETS,
    GENRES,
    SONG_ARTISTS,
    SONG_GENRES,
    SONGS,
    Column,
    Table,
    summary_table,
)

N_GENRES, N_SONGS, WIDTH, SEED = 6291, 450_000, 64, 7
_ROWS = 50_000  # rows per write


@dataclass(frozen=True)
class MadeUp:
    """Synthetic songs with one genre each."""

    names: list[str]
    places: np.ndarray
    genre: np.ndarray
    artist: np.ndarray
    values: np.ndarray
    years: np.ndarray


def make(page: Path, n_genres: int = N_GENRES, n_songs: int = N_SONGS, width: int = WIDTH) -> MadeUp:
    """Generate songs; every genre has at least five."""
    random = np.random.default_rng(SEED)
    known = {slug(genre.name): genre for genre in parse_map(page.read_text(encoding="utf-8"))}
    names = [genre.name for genre in known.values()][:n_genres]
    taken, first, last = set(known), [n.split()[0] for n in names], [n.split()[-1] for n in names]
    while len(names) < n_genres:
        name = f"{random.choice(first)} {random.choice(last)}"
        if slug(name) not in taken:
            taken.add(slug(name))
            names.append(name)
    places = np.full((n_genres, 2), np.nan)
    for row, genre in zip(range(n_genres), known.values(), strict=False):
        places[row] = (genre.x or 0, genre.y or 0)
    share = 1.0 / (np.arange(n_genres) + 50.0)
    genre = np.concatenate([np.repeat(np.arange(n_genres), 5),
                            random.choice(n_genres, n_songs - 5 * n_genres, p=share / share.sum())])  # fmt: skip
    centres = random.normal(size=(n_genres, width)) @ (random.normal(size=(width, width)) * np.linspace(1, 0.05, width))
    values = (centres[genre] + random.normal(size=(n_songs, width)) * 3).astype(np.float32)
    # An artist has five songs, mostly of one genre.
    artist = (genre * 5003 + random.integers(0, np.maximum(np.bincount(genre) // 5, 1)[genre])).astype(np.int64)
    strays = random.random(n_songs) < 0.1
    artist[strays] = random.permutation(artist)[: strays.sum()]
    years = 1950 + (genre % 50) + random.integers(0, 25, n_songs)
    return MadeUp(names, places, genre, artist, values, years)


def write(store: Store, made: MadeUp) -> None:
    """Write the songs to the store, as an import of features would."""
    names = tuple(f"f{number:02d}" for number in range(made.values.shape[1]))
    sound = summary_table("sound", "Benchmark.", [Column(name, "float", name) for name in names])
    where = {"set_version": "1", "preprocessing_id": "p"}
    ids = np.array([f"g{number:05d}" for number in range(len(made.names))])
    _append(store, FEATURE_SETS, {"feature_set": ["sound"] * len(names), "position": list(range(len(names))),
                                  "feature": list(names), "source": ["made up"] * len(names)},
            where | {"kind": "numeric", "axis": "summary", "unit": ""})  # fmt: skip
    there = np.flatnonzero(np.isfinite(made.places).all(axis=1))
    _append(store, GENRES, {"genre_id": ids[there], "name": [made.names[g] for g in there], "map_position": there,
                            "map_x": made.places[there, 0], "map_y": made.places[there, 1]},
            {"snapshot": date(2023, 11, 19), "source": "made up"})  # fmt: skip
    for start in range(0, len(made.genre), _ROWS):
        some = slice(start, start + _ROWS)
        genre = made.genre[some]
        songs = np.array([f"song{number:06d}" for number in range(start, start + len(genre))])
        _append(store, SONGS, {"song_id": songs, "original_year": made.years[some]}, {"source": "made up"})
        _append(store, SONG_ARTISTS, {"song_id": songs, "artist_id": made.artist[some].astype(str)},
                {"position": 0, "role": "primary"})  # fmt: skip
        _append(store, SONG_GENRES, {"song_id": songs, "genre_id": ids[genre], "genre": [made.names[g] for g in genre]},
                {"source": "made up", "weight": 1.0})  # fmt: skip
        columns = {name: made.values[some, place] for place, name in enumerate(names)}
        _append(store, sound, {"clip_id": np.char.add("clip of ", songs), "song_id": songs} | columns, where)


def _append(store: Store, table: Table, columns: dict, constants: dict) -> None:
    frame = store.spark.createDataFrame(pa.table({name: pa.array(values) for name, values in columns.items()}))
    whole = [
        F.col(c.name).cast(c.type) if c.name in columns else F.lit(constants.get(c.name)).cast(c.type).alias(c.name)
        for c in table.columns
    ]
    store.append(table, frame.select(*whole))


def judge_size(page: Path, n_genres: int = N_GENRES, n_songs: int = N_SONGS) -> dict[str, float]:
    """Run time (min) and memory (GB) of the step including I/O, and run time of a second run without new data."""
    home = Path(tempfile.mkdtemp(prefix="atlas-size-"))
    try:
        overrides = (f'store.path="{home}/tables"', "map.feature_set=sound", 'spark.master="local[2,4]"')
        config = load_config([], [*overrides, 'spark.driver_memory="2g"'])
        store = Store(get_spark(config.spark), config.store, run_id="bench")
        write(store, make(page, n_genres, n_songs))
        watch, found = Watch(), {}
        for key in ("map_minutes", "map_rerun_minutes"):
            started = time.monotonic()
            counts = map_genres.run(store, config)
            found[key] = (time.monotonic() - started) / 60
            print(key, found[key], counts.read, counts.written, *counts.notes, sep="\n", flush=True)
        watch.close()
        store.spark.stop()
        return found | {"map_gb": watch.peak / 1e9}
    finally:
        shutil.rmtree(home)
