"""Do probabilities and prediction sets hold on artists never heard: writes calibration.json and docs/calibration.md.

Artists are divided into halves at random, 20 times. On one half a model is trained, and its temperatures and sets are
fitted on folds as ``train_models`` does it, by the same functions; the other half judges. No Spark.

    python benchmarks/calibration.py --tables ../shared/data/tables
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
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
#: Columns of the Spotify table that are sound.
SOUND = (
    "danceability", "energy", "key", "loudness", "mode", "speechiness", "acousticness", "instrumentalness", "liveness",
    "valence", "tempo", "duration_ms",
)  # fmt: skip
#: Songs of a half that judge a model of thousands of genres, and of these, whose sets are counted.
JUDGED, COUNTED = 60_000, 5_000
_CELLS = 4_000_000

#: Bars, as they were set before anything was measured.
BARS = {
    "calibration error, mean": "≤ .03",
    "coverage, mean": "89 to 91 %",
    "coverage, each resample": "87 to 93 %",
    "gap of coverage by genre above its binomial floor": "≤ 2 points",
}


@dataclass
class Songs:
    """A table: X (n, n_features), y (n,) genre, artist (n,)."""

    X: np.ndarray
    y: np.ndarray
    artist: np.ndarray
    n_genres: int


@dataclass
class Judged:
    """What the resamples showed."""

    raw_error: list[float] = field(default_factory=list)
    error: list[float] = field(default_factory=list)
    perfect: list[float] = field(default_factory=list)
    coverage: list[float] = field(default_factory=list)
    size: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    covered: np.ndarray | float = 0.0
    songs: np.ndarray | float = 0.0


#: Fits on a half: gives what scores rows, and the confidence.
Fit = Callable[[Songs, int], tuple[Callable[[np.ndarray], np.ndarray], Confidence]]


def spotify(tables: Path) -> Songs:
    """Songs of one genre, each once, of the Spotify table."""
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
    """A candidate of the project, fitted and calibrated by the code of ``train_models``."""

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
    """Slices of songs whose scores fit into memory."""
    step = max(1, _CELLS // n_genres)
    return (slice(start, start + step) for start in range(0, n, step))


def judge(found: Judged, test: Songs, score: Callable[[np.ndarray], np.ndarray], sure: Confidence) -> None:
    """Add one resample."""
    top, raw, right, ahead, sizes = [], [], [], [], []
    for block in blocks(len(test.y), test.n_genres):
        scores, y = score(test.X[block]), test.y[block]
        p = sure.probabilities(scores)
        top.append(p.max(axis=1))
        raw.append(scores.max(axis=1))
        right.append(p.argmax(axis=1) == y)
        ahead.append(mass_ahead(p, y)[0])
        if len(sizes) * len(y) < COUNTED:
            sizes.append(np.mean([len(one) for one in sure.sets(p)]))
    confidence, hit = np.concatenate(top), np.concatenate(right)
    covered = np.concatenate(ahead) <= sure.thresholds[test.y] + 1e-9
    found.raw_error.append(calibration_error(np.concatenate(raw), hit))
    found.error.append(calibration_error(confidence, hit))
    found.perfect.append(perfect_calibration_error(confidence, n_samples=20))
    found.coverage.append(float(covered.mean()))
    found.size.append(float(np.mean(sizes)))
    found.accuracy.append(float(hit.mean()))
    found.covered = found.covered + np.bincount(test.y, weights=covered, minlength=test.n_genres)
    found.songs = found.songs + np.bincount(test.y, minlength=test.n_genres)


def resample(songs: Songs, fit: Fit, n: int, name: str) -> Judged:
    """Judge ``n`` halves of artists."""
    found = Judged()
    names, place = np.unique(songs.artist, return_inverse=True)
    for number in range(n):
        started = time.perf_counter()
        rng = np.random.default_rng(1000 + number)
        half = rng.permutation(len(names)) < len(names) // 2
        train, test = np.flatnonzero(half[place]), np.flatnonzero(~half[place])
        if songs.n_genres > 200 and len(test) > JUDGED:
            test = np.sort(rng.choice(test, JUDGED, replace=False))
        parts = [Songs(songs.X[rows], songs.y[rows], songs.artist[rows], songs.n_genres) for rows in (train, test)]
        score, sure = fit(parts[0], number)
        judge(found, parts[1], score, sure)
        print(
            f"{name} {number + 1}/{n}: accuracy {found.accuracy[-1]:.3f}, error {found.raw_error[-1]:.3f} -> "
            f"{found.error[-1]:.3f} (perfect {found.perfect[-1]:.3f}), coverage {found.coverage[-1]:.3f}, "
            f"sets of {found.size[-1]:.1f}, {time.perf_counter() - started:.0f} s",
            flush=True,
        )
    return found


def summary(found: Judged) -> dict[str, float | list[float]]:
    """What is written of one table."""
    gap, floor = coverage_gap(found.covered, found.songs, COVERAGE), binomial_gap(found.songs, COVERAGE)
    return {
        "accuracy": round(float(np.mean(found.accuracy)), 4),
        "ece": round(float(np.mean(found.error)), 4),
        "ece_before": round(float(np.mean(found.raw_error)), 4),
        "ece_perfect": round(float(np.mean(found.perfect)), 4),
        "coverage": round(float(np.mean(found.coverage)), 4),
        "coverage_least": round(min(found.coverage), 4),
        "coverage_most": round(max(found.coverage), 4),
        "set_size": round(float(np.mean(found.size)), 2),
        "class_gap": round(gap, 4),
        "class_gap_floor": round(floor, 4),
        "class_gap_above_floor": round(gap - floor, 4),
        "genres_judged": int((np.asarray(found.songs) >= 100).sum()),
    }


def page(tables: dict[str, dict[str, object]]) -> str:
    """``docs/calibration.md``."""
    rows = [
        ("calibration error before", "ece_before"), ("calibration error, mean", "ece"),
        ("the same if every confidence were true", "ece_perfect"), ("coverage of 90 % sets, mean", "coverage"),
        ("coverage, lowest resample", "coverage_least"), ("coverage, highest resample", "coverage_most"),
        ("genres in a set, mean", "set_size"), ("gap of coverage by genre", "class_gap"),
        ("the same by chance alone", "class_gap_floor"), ("gap above chance", "class_gap_above_floor"),
        ("genres with 100 and more test songs", "genres_judged"), ("accuracy", "accuracy"),
    ]  # fmt: skip
    lines = [
        "# Calibration",
        "",
        "Written by `benchmarks/calibration.py`. Artists are divided into halves at random "
        f"{RESAMPLES} times; one half trains and calibrates on its own folds, the other judges. The calibration error "
        "is that of the first genre, over 15 bins of equally many songs.",
        "",
        "| | " + " | ".join(str(one["title"]) for one in tables.values()) + " |",
        "|---|" + "---|" * len(tables),
        *(f"| {name} | " + " | ".join(str(one[key]) for one in tables.values()) + " |" for name, key in rows),
        "",
        "Bars: " + "; ".join(f"{name} {bar}" for name, bar in BARS.items()) + ".",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, and write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="folder with spotify_songs.csv")
    parser.add_argument("--genres", type=int, default=3000, help="genres of the synthetic table")
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    parser.add_argument("--only", choices=("spotify", "synthetic"))
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    args = parser.parse_args()
    stored = ROOT / "benchmarks" / "calibration.json"
    tables = json.loads(stored.read_text(encoding="utf-8"))["tables"] if stored.exists() else {}
    if args.only != "synthetic":
        estimator, params = "hist_gradient_boosting", {"max_leaf_nodes": 15, "learning_rate": 0.1, "scaler": "none"}
        found = resample(spotify(args.tables), fit_project("sklearn", estimator, params), args.resamples, "spotify")
        tables["spotify"] = {"title": "Spotify table, 6 genres, gradient boosting", **summary(found)}
    if args.only != "spotify":
        drawn = draw(args.genres)
        songs = Songs(drawn.X, drawn.y, drawn.artist, args.genres)
        found = resample(songs, fit_project("numpy", "lda", {"shrinkage": 0.0}), args.resamples, "synthetic")
        title = f"synthetic, {args.genres:,} genres × 150 songs, linear discriminant"
        tables["synthetic"] = {"title": title, **summary(found)}
    print(json.dumps(tables, indent=1))
    if not args.dry:
        write(tables)


def write(tables: dict[str, dict[str, Any]]) -> None:
    """Write ``calibration.json`` and the page."""
    figures = {f"{key}_{name}": one[key] for name, one in tables.items() for key in ("ece", "coverage")}
    figures["class_gap"] = max(one["class_gap_above_floor"] for one in tables.values())
    stored = ROOT / "benchmarks" / "calibration.json"
    stored.write_text(json.dumps(figures | {"tables": tables}, indent=1) + "\n", encoding="utf-8")
    (ROOT / "docs" / "calibration.md").write_text(page(tables), encoding="utf-8")


if __name__ == "__main__":
    main()
