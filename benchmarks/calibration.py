"""Calibration of probabilities and prediction sets on unseen artists: writes calibration.json and docs/calibration.md.

Artists are divided into halves at random, 20 times. On one half a model is trained, and its temperatures and sets are
fitted on folds by the functions of ``train_models``; the other half is the test set. No Spark.

    python benchmarks/calibration.py --tables ../shared/data/tables

Each resample of the synthetic table is stored below data/calibration, so that the next call continues after an
interruption or the limit ``--minutes``. The page is written from the available resamples and gives their number.
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from calibration_page import page
from many_genres import draw

from genreatlas.metrics.reliability import (
    binomial_gap,
    calibration_error,
    coverage_gap,
    perfect_calibration_error,
)
from genreatlas.models.confidence import Confidence, mass_ahead
from genreatlas.models.confidence_fits import COVERAGE
from genreatlas.models.engines import get_task_engine
from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles, refit_rows
from genreatlas.models.types import Trial

ROOT = Path(__file__).parents[1]
RESAMPLES, FOLDS = 20, 3
#: Estimator and parameters for the Spotify table: the best on its folds.
SPOTIFY = ("hist_gradient_boosting", {"max_leaf_nodes": 15, "learning_rate": 0.1, "scaler": "none"})
#: Audio features of the Spotify table.
SOUND = (
    "danceability", "energy", "key", "loudness", "mode", "speechiness", "acousticness", "instrumentalness", "liveness",
    "valence", "tempo", "duration_ms",
)  # fmt: skip
#: Maximum test songs for a model of many genres, and approximate number of songs whose set sizes are measured.
JUDGED, COUNTED = 30_000, 2_000
#: For tables with few artists per genre: number of resamples, songs per genre, number of genres.
FEW_RESAMPLES, FEW_SONGS, FEW_GENRES = 4, (20, 60, 150), 300
_CELLS = 4_000_000


@dataclass
class Songs:
    """A feature table: X (n, n_features), y (n,) genre, artist (n,)."""

    X: np.ndarray
    y: np.ndarray
    artist: np.ndarray
    n_genres: int


@dataclass
class Judged:
    """Results of resamples: one value per resample in each list; counts of covered and all test songs by genre."""

    raw_error: list[float] = field(default_factory=list)
    error: list[float] = field(default_factory=list)
    perfect: list[float] = field(default_factory=list)
    coverage: list[float] = field(default_factory=list)
    size: list[float] = field(default_factory=list)
    oracle: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    covered: np.ndarray | float = 0.0
    songs: np.ndarray | float = 0.0

    def add(self, other: "Judged", genres: np.ndarray | None = None, n_genres: int = 0) -> None:
        """Append resamples; ``genres`` are the indices of their genres in the whole table."""
        for name in ("raw_error", "error", "perfect", "coverage", "size", "oracle", "accuracy"):
            getattr(self, name).extend(getattr(other, name))
        for name in ("covered", "songs"):
            counts = getattr(other, name)
            if genres is not None:
                counts = np.bincount(genres, weights=counts, minlength=n_genres)
            setattr(self, name, getattr(self, name) + counts)


#: Function that fits on a half (songs, seed) and returns the scoring function and the confidence.
Fit = Callable[[Songs, int], tuple[Callable[[np.ndarray], np.ndarray], Confidence]]


def spotify(tables: Path) -> Songs:
    """Songs with a single genre of the Spotify table, without duplicates."""
    table = pd.read_csv(tables / "spotify_songs.csv")
    genres = table.groupby("track_id")["playlist_genre"].nunique()
    table = table[table["track_id"].map(genres) == 1].drop_duplicates("track_id")
    table = table[table["track_artist"].notna()]
    y, names = pd.factorize(table["playlist_genre"], sort=True)
    artist = pd.factorize(table["track_artist"].str.strip().str.lower())[0]
    return Songs(table[list(SOUND)].to_numpy(np.float32), y.astype(np.int32), artist, len(names))


def folds_of(artist: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fold of each song, by artist."""
    names, place = np.unique(artist, return_inverse=True)
    return rng.integers(0, FOLDS, len(names))[place].astype(np.int16)


def fit_project(engine: str, estimator: str, params: dict[str, object]) -> Fit:
    """Fit function for a candidate, using the fitting and calibration of ``train_models``."""

    def fit(songs: Songs, seed: int) -> tuple[Callable[[np.ndarray], np.ndarray], Confidence]:
        trial = Trial(estimator, engine, estimator, "table", params, seed)
        group = np.unique(songs.artist, return_inverse=True)[1]
        arrays = {
            "X": songs.X, "y": songs.y, "song": np.arange(len(songs.y), dtype=np.int32), "group": group,
            "fold": folds_of(songs.artist, np.random.default_rng(seed)), "weight": np.ones(len(songs.y), np.float32),
        }  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            for name, array in arrays.items():
                np.save(Path(folder) / f"half-{name}.npy", array)
            files = MatrixFiles("half", songs.n_genres, False, folder)
            rows = list(refit_rows(trial, files, GridSettings("macro_f1", calibrate=True, weights=False)))
        if rows[0]["reason"]:
            raise SystemExit(rows[0]["detail"])
        model = get_task_engine(engine).loads(b"".join(row["content"] for row in rows))
        confidence = Confidence.from_json(json.loads(rows[0]["confidence"]), songs.n_genres)
        if confidence is None:
            raise SystemExit("the half has too few songs")
        return lambda X: model.matrix_scores(X, slice(None), np.arange(len(X))), confidence

    return fit


def blocks(n: int, n_genres: int) -> Iterator[slice]:
    """Slices of songs, so that their scores fit into memory."""
    step = max(1, _CELLS // n_genres)
    return (slice(start, start + step) for start in range(0, n, step))


def judge(found: Judged, test: Songs, score: Callable[[np.ndarray], np.ndarray], sure: Confidence) -> None:
    """Evaluate on test songs and append the results to ``found``."""
    top, raw, right, ahead, counted = [], [], [], [], []
    every = max(1, len(test.y) // COUNTED)
    for block in blocks(len(test.y), test.n_genres):
        scores, y = score(test.X[block]), test.y[block]
        p = sure.probabilities(scores)
        top.append(p.max(axis=1))
        raw.append(scores.max(axis=1))
        right.append(p.argmax(axis=1) == y)
        ahead.append(mass_ahead(p, y)[0])
        counted.append(p[-block.start % every :: every])
    confidence, hit, mass = np.concatenate(top), np.concatenate(right), np.concatenate(ahead)
    covered = mass <= sure.thresholds[test.y] + 1e-9
    best = replace(sure, thresholds=np.full(test.n_genres, np.quantile(mass, COVERAGE)))
    found.raw_error.append(calibration_error(np.concatenate(raw), hit))
    found.error.append(calibration_error(confidence, hit))
    found.perfect.append(perfect_calibration_error(confidence, n_samples=20))
    found.coverage.append(float(covered.mean()))
    for sizes, one in ((found.size, sure), (found.oracle, best)):
        sizes.append(float(np.mean([len(mine) for p in counted for mine in one.sets(p)])))
    found.accuracy.append(float(hit.mean()))
    found.covered = found.covered + np.bincount(test.y, weights=covered, minlength=test.n_genres)
    found.songs = found.songs + np.bincount(test.y, minlength=test.n_genres)


#: Function of songs and random generator that returns (n,) bool: whether a song is in the training half.
Divide = Callable[[Songs, np.random.Generator], np.ndarray]


def at_random(songs: Songs, rng: np.random.Generator) -> np.ndarray:
    """Random half of the artists, independent of their genres."""
    names, place = np.unique(songs.artist, return_inverse=True)
    return (rng.permutation(len(names)) < len(names) // 2)[place]


def by_plan(songs: Songs, rng: np.random.Generator) -> np.ndarray:
    """Half of the artists of each genre; an artist's genre is that of the first song."""
    _, first, place = np.unique(songs.artist, return_index=True, return_inverse=True)
    order = np.lexsort((rng.random(len(first)), songs.y[first]))
    number = np.empty(len(first), dtype=np.int64)
    number[order] = np.arange(len(first))
    return (number % 2 == 0)[place]


def resample(
    songs: Songs,
    fit: Fit,
    n: int,
    name: str,
    divide: Divide = at_random,
    kept: Path | None = None,
    deadline: float = math.inf,
) -> Judged:
    """Evaluate on ``n`` divisions of the artists; genres without training songs are left out of a division.

    Parameters
    ----------
    songs : the table.
    fit : function that fits a model.
    n : number of resamples.
    name : name for messages.
    divide : function that divides the artists.
    kept : folder of stored resamples; None to store nothing.
    deadline : time of the monotonic clock after which no resample is started.
    """
    found = Judged()
    for number in range(n):
        stored = None if kept is None else kept / f"{number}.npz"
        if stored is not None and stored.exists():
            found.add(read_judged(stored))
            continue
        if time.monotonic() > deadline:
            print(f"{name}: {len(found.coverage)} of {n} resamples, and the time is over. Call again to go on.")
            break
        started = time.process_time()
        rng = np.random.default_rng(1000 + number)
        trains = divide(songs, rng)
        known = np.bincount(songs.y[trains], minlength=songs.n_genres) > 0
        place = np.cumsum(known) - 1
        train, test = np.flatnonzero(trains), np.flatnonzero(~trains & known[songs.y])
        if songs.n_genres > 200 and len(test) > JUDGED:
            test = np.sort(rng.choice(test, JUDGED, replace=False))
        parts = [
            Songs(songs.X[rows], place[songs.y[rows]].astype(np.int32), songs.artist[rows], int(known.sum()))
            for rows in (train, test)
        ]
        score, sure = fit(parts[0], number)
        one = Judged()
        judge(one, parts[1], score, sure)
        whole = Judged()
        whole.add(one, np.flatnonzero(known), songs.n_genres)
        found.add(whole)
        if stored is not None:
            write_judged(stored, whole)
        print(
            f"{name} {number + 1}/{n}: accuracy {found.accuracy[-1]:.3f}, error {found.raw_error[-1]:.3f} -> "
            f"{found.error[-1]:.3f} (perfect {found.perfect[-1]:.3f}), coverage {found.coverage[-1]:.3f}, "
            f"sets of {found.size[-1]:.1f} ({found.oracle[-1]:.1f}), {time.process_time() - started:.0f} s of CPU",
            flush=True,
        )
    return found


def write_judged(path: Path, judged: Judged) -> None:
    """Store the results of a resample."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partly = path.with_name(f".{path.name}")
    np.savez(partly, **{one.name: np.asarray(getattr(judged, one.name)) for one in fields(judged)})
    partly.replace(path)


def read_judged(path: Path) -> Judged:
    """Read the results stored by :func:`write_judged`."""
    with np.load(path) as arrays:
        lists = {name: arrays[name].tolist() for name in arrays.files if name not in ("covered", "songs")}
        return Judged(**lists, covered=arrays["covered"], songs=arrays["songs"])


def few_artists() -> list[dict[str, Any]]:
    """Effect of few artists per genre on prediction sets, by method of dividing artists."""
    rows = []
    for songs in FEW_SONGS:
        for words, divide in (("at random", at_random), ("by plan", by_plan)):
            found = Judged()
            for seed in range(FEW_RESAMPLES):
                drawn = draw(FEW_GENRES, songs, seed=100 + seed)
                table = Songs(drawn.X, drawn.y, drawn.artist, FEW_GENRES)
                name = f"{songs} songs a genre, {words}, {seed}"
                found.add(resample(table, fit_project("numpy", "lda", {"shrinkage": 0.1}), 1, name, divide))
            figures = summary(found)
            kept = {key: figures[key] for key in ("coverage", "set_size", "set_size_oracle", "ece", "ece_perfect")}
            halved = {"songs": songs // 2, "artists": round(songs / 12)}
            rows.append({**halved, "divided": words, "resamples": FEW_RESAMPLES, **kept})
    return rows


def summary(found: Judged) -> dict[str, float | list[float]]:
    """Summary of the results of one table."""
    gap, floor = coverage_gap(found.covered, found.songs, COVERAGE), binomial_gap(found.songs, COVERAGE)
    return {
        "resamples": len(found.coverage),
        "accuracy": round(float(np.mean(found.accuracy)), 4),
        "ece": round(float(np.mean(found.error)), 4),
        "ece_before": round(float(np.mean(found.raw_error)), 4),
        "ece_perfect": round(float(np.mean(found.perfect)), 4),
        "coverage": round(float(np.mean(found.coverage)), 4),
        "coverage_least": round(min(found.coverage), 4),
        "coverage_most": round(max(found.coverage), 4),
        "set_size": round(float(np.mean(found.size)), 2),
        "set_size_oracle": round(float(np.mean(found.oracle)), 2),
        "class_gap": round(gap, 4),
        "class_gap_floor": round(floor, 4),
        "class_gap_above_floor": round(gap - floor, 4),
        "genres_judged": int((np.asarray(found.songs) >= 100).sum()),
    }


def main() -> None:
    """Run the measurements and write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="folder with spotify_songs.csv")
    parser.add_argument("--genres", type=int, default=1000, help="genres of the synthetic table")
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="minutes after which no further resample is started"
    )
    parser.add_argument(
        "--only", choices=("spotify", "synthetic", "few"), help="part to measure; stored figures of the others are kept"
    )
    parser.add_argument("--dry", action="store_true", help="print the figures and write nothing")
    args = parser.parse_args()
    stored = ROOT / "benchmarks" / "calibration.json"
    found = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else {}
    tables = found.setdefault("tables", {})
    if args.only in (None, "spotify"):
        estimator, params = SPOTIFY
        judged = resample(spotify(args.tables), fit_project("sklearn", estimator, params), args.resamples, "spotify")
        tables["spotify"] = {"title": f"Spotify table, 6 genres, `{estimator}`", **summary(judged)}
    if args.only in (None, "synthetic"):
        drawn = draw(args.genres)
        songs = Songs(drawn.X, drawn.y, drawn.artist, args.genres)
        fit, kept = fit_project("numpy", "lda", {"shrinkage": 0.0}), ROOT / "data" / "calibration" / f"{args.genres}"
        deadline = time.monotonic() + 60 * args.minutes
        judged = resample(songs, fit, args.resamples, "synthetic", kept=kept, deadline=deadline)
        title = f"synthetic, {args.genres:,} genres × 150 songs, `lda`"
        tables["synthetic"] = {"title": title, **summary(judged)}
    if args.only in (None, "few"):
        found["few"] = few_artists()
    print(json.dumps(found, indent=1))
    if not args.dry:
        write(found)


def write(found: dict[str, Any]) -> None:
    """Write ``calibration.json`` and the page."""
    tables = found["tables"]
    figures = {f"{key}_{name}": one[key] for name, one in tables.items() for key in ("ece", "coverage")}
    figures |= {f"ece_perfect_{name}": one["ece_perfect"] for name, one in tables.items()}
    figures["class_gap"] = max(one["class_gap_above_floor"] for one in tables.values())
    kept = {key: found[key] for key in ("tables", "few", "notes") if key in found}
    stored = ROOT / "benchmarks" / "calibration.json"
    stored.write_text(json.dumps(figures | kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (ROOT / "docs" / "calibration.md").write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
