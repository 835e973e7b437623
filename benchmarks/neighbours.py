"""Evaluate similar songs: ``python benchmarks/neighbours.py --tables FOLDER``.

Runs the step ``find_neighbours`` by Spark on synthetic songs, isotropic and clustered, and measures time, memory of all
processes and hubness; then compares a faiss index with the exact search; then measures the share of the 10 nearest
songs by other artists with the same genre in two real tables (FOLDER contains ``gtzan_features_30_sec.csv``,
``gtzan/artists.txt``, ``spotify_songs.csv``). Results are written to ``benchmarks/atlas.json`` and the table in
``docs/atlas.md``. With ``--songs`` other than 450,000 they are only printed.
"""

import argparse
import multiprocessing
import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from atlas_figures import keep, kept, write_table
from watch import Watch

from genreatlas.config import load_config
from genreatlas.neighbours import approximate
from genreatlas.neighbours.hubness import choose_weight, judge_lists
from genreatlas.neighbours.search import local_scale, nearest
from genreatlas.neighbours.space import fit_space
from genreatlas.session import get_spark
from genreatlas.steps import find_neighbours
from genreatlas.store import Store
from genreatlas.tables import FEATURE_SETS, NEIGHBOUR_SPACES, SONGS, Column, summary_table

ROOT = Path(__file__).parents[1]
SONGS_WANTED, WIDTH, SEED = 450_000, 64, 7
NAMES = tuple(f"d{number:02d}" for number in range(WIDTH))
WHERE = {"set_version": "1", "preprocessing_id": "made up"}
SPOTIFY = (
    "danceability", "energy", "loudness", "speechiness", "acousticness", "instrumentalness", "liveness", "valence",
    "tempo",
)  # fmt: skip


def make(kind: str, n: int) -> np.ndarray:
    """Synthetic songs from one normal distribution, or from 6,000 clusters of unequal size and spread."""
    random = np.random.default_rng(SEED)
    if kind == "isotropic":
        return random.normal(size=(n, WIDTH)).astype(np.float32)
    crowds = max(n // 75, 2)
    share = 1.0 / (np.arange(crowds) + 50.0)
    crowd = random.choice(crowds, n, p=share / share.sum())
    centres, spread = random.normal(size=(crowds, WIDTH)), random.uniform(0.3, 1.0, crowds)
    return (centres[crowd] + random.normal(size=(n, WIDTH)) * spread[crowd, None]).astype(np.float32)


def judge_step(kind: str, n: int, *settings: str) -> dict[str, float]:
    """Measure the step on a store of synthetic songs: a first run and a second run without new data."""
    home = Path(tempfile.mkdtemp(prefix="neighbours-", dir=os.environ.get("GENREATLAS_BENCH")))
    overrides = [f'store.path="{home}/tables"', "neighbours.feature_set=made", 'spark.master="local[2,4]"', *settings]
    # In a separate process, so that its memory is not attributed to the step.
    filling = multiprocessing.get_context("spawn").Process(target=_fill, args=(home, overrides, kind, n))
    filling.start()
    filling.join()
    if filling.exitcode:
        raise SystemExit(f"{kind}: the songs could not be written")
    config = load_config([], overrides)
    store = Store(get_spark(config.spark), config.store, run_id="bench")
    started, memory = time.monotonic(), Watch()
    counts = find_neighbours.run(store, config)
    took = time.monotonic() - started
    memory.close()
    peak = memory.peak / 1e9
    print(f"{kind}: {n} songs, {took / 60:.2f} min, {peak:.2f} GB; {counts}", flush=True)
    row = store.read(NEIGHBOUR_SPACES).collect()[0].asDict()
    started = time.monotonic()
    find_neighbours.run(store, config)
    print(f"{kind}: a rerun takes {(time.monotonic() - started) / 60:.2f} min", flush=True)
    size = sum(path.stat().st_size for path in (home / "tables" / "song_neighbours").rglob("*.parquet")) / 1e6
    print(f"{kind}: song_neighbours has {size:.0f} MB", flush=True)
    shutil.rmtree(home)
    figures = ("skew10", "antihubs", "reachable")
    return {"minutes": took / 60, "gb": peak} | {
        f"{name}{suffix}": row[f"{name}{suffix}"] for name in figures for suffix in ("", "_before")
    }


def _fill(home: Path, overrides: list[str], kind: str, n: int) -> None:
    config = load_config([], overrides)
    store = Store(get_spark(config.spark), config.store, run_id="bench")
    values = make(kind, n)
    ids = [f"{number * 2654435761 % 2**32:08x}{number:08x}" for number in range(len(values))]
    features = {name: values[:, place] for place, name in enumerate(NAMES)}
    keys = {"clip_id": ids, "song_id": ids, **{name: [value] * len(ids) for name, value in WHERE.items()}}
    pq.write_table(pa.table(keys | features), home / "features.parquet")
    pq.write_table(pa.table({"song_id": ids, "source": ["made up"] * len(ids)}), home / "songs.parquet")
    table = summary_table("made", "Made up.", [Column(name, "float", name) for name in NAMES])
    for target, file in ((table, "features"), (SONGS, "songs")):
        frame = store.spark.read.parquet(str(home / f"{file}.parquet"))
        lacking = [column for column in target.columns if column.name not in frame.columns]
        store.append(target, frame.selectExpr("*", *(f"CAST(NULL AS {c.type}) AS {c.name}" for c in lacking)))
    rows = [
        WHERE | {"feature_set": "made", "position": place, "feature": name, "kind": "numeric", "axis": table_axis(),
                 "unit": "", "source": "made up"} for place, name in enumerate(NAMES)
    ]  # fmt: skip
    store.append(FEATURE_SETS, store.frame(FEATURE_SETS, rows))
    store.spark.stop()


def table_axis() -> str:
    """Layout of the synthetic feature set."""
    from genreatlas.audio.layouts import SUMMARY

    return SUMMARY.name


def judge_index(kind: str, n: int) -> dict[str, float]:
    """Build and tune an index, and measure some searches."""
    _, vectors = fit_space(make(kind, n), NAMES)
    everybody = np.arange(n, dtype=np.int32)
    started = time.monotonic()
    tuned = approximate.build(vectors, everybody, None, 0.99, SEED)
    took = time.monotonic() - started
    asking = everybody[:: max(1, n // 2000)]
    started = time.monotonic()
    approximate.search(tuned.index, tuned.probes, vectors, asking, 50, None)
    all_songs = (time.monotonic() - started) * n / len(asking) / 60
    print(
        f"{kind}: index of {n} songs in {took:.0f} s: {tuned.probes} of {tuned.cells} cells, {tuned.read:.1%} of the "
        f"songs, recall@10 {tuned.recall10:.4f}; all songs would take {all_songs:.1f} min of one core",
        flush=True,
    )
    return {"recall10": tuned.recall10, "read": tuned.read}


def judge_precision(tables: Path) -> dict[str, float]:
    """Genre precision of the 10 nearest songs by other artists, without and with hubness correction."""
    gtzan = pd.read_csv(tables / "gtzan_features_30_sec.csv")
    artists = {}
    for line in (tables / "gtzan" / "artists.txt").read_text(encoding="utf-8", errors="replace").splitlines():
        parts = [part.strip() for part in line.split(":::")]
        if len(parts) > 1 and parts[1]:
            artists[parts[0]] = parts[1].casefold()
    who = gtzan.filename.map(lambda name: artists.get(name, name))
    numbers = gtzan.drop(columns=["filename", "length", "label"])
    found = _precision("", numbers, gtzan.label, who)
    songs = pd.read_csv(tables / "spotify_songs.csv").drop_duplicates("track_id").dropna(subset=["track_artist"])
    return found | _precision("_spotify", songs[list(SPOTIFY)], songs.playlist_genre, songs.track_artist)


def _precision(suffix: str, values: pd.DataFrame, genres: pd.Series, artists: pd.Series) -> dict[str, float]:
    genre, artist = pd.factorize(genres)[0], pd.factorize(artists)[0]
    _, vectors = fit_space(values.to_numpy(), tuple(values.columns))
    everybody = np.arange(len(vectors), dtype=np.int32)
    plain = nearest(vectors, everybody, everybody, 300)
    weight = choose_weight(vectors, SEED)
    print(f"{len(vectors)} songs by {artist.max() + 1} artists; weight of the scales {weight}", flush=True)
    after = nearest(vectors, everybody, everybody, 300, weight * local_scale(plain, len(vectors)))
    shares = []
    for lists in (plain.places, after.places):
        others = artist[lists] != artist[:, None]
        first = others & (np.cumsum(others, axis=1) <= 10)
        assert (first.sum(axis=1) == 10).all()
        shares.append((genre[lists] == genre[:, None])[first].mean())
        hubs = judge_lists(lists[:, :10])
        print(f"precision@10{suffix} {shares[-1]:.4f}, {hubs}", flush=True)
    return {f"precision10_before{suffix}": shares[0], f"precision10_change{suffix}": shares[1] - shares[0]}


def main() -> None:
    """Run the parts and write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--songs", type=int, default=SONGS_WANTED)
    parser.add_argument("--only", nargs="*", choices=("isotropic", "clustered", "index", "precision"))
    parsed = parser.parse_args()
    wanted = parsed.only or ["precision", "index", "isotropic", "clustered"]
    found: dict[str, float] = {}
    if "precision" in wanted:
        found |= judge_precision(parsed.tables)
    if "index" in wanted:
        by = {kind: judge_index(kind, parsed.songs) for kind in ("isotropic", "clustered")}
        found |= {f"neighbours_read_{kind}": one["read"] for kind, one in by.items()}
        found["neighbours_recall10"] = min(one["recall10"] for one in by.values())
    for kind in ("isotropic", "clustered"):
        if kind in wanted:
            one = judge_step(kind, parsed.songs)
            found |= {f"neighbours_{name}_{kind}": one[name] for name in ("minutes", "gb")}
            if kind == "isotropic":
                found |= {name: value for name, value in one.items() if name not in ("minutes", "gb")}
    print(*(f"{key} {value:.4f}" for key, value in found.items()), sep="\n", flush=True)
    if parsed.songs != SONGS_WANTED and set(wanted) != {"precision"}:
        return
    known = {key: one["value"] for key, one in kept().items()} | found
    for name in ("minutes", "gb"):
        sets = [known[key] for kind in ("isotropic", "clustered") if (key := f"neighbours_{name}_{kind}") in known]
        if sets:
            found[f"neighbours_{name}"] = max(sets)
    keep(found, parsed.songs)
    write_table(ROOT / "docs" / "atlas.md")


if __name__ == "__main__":
    main()
