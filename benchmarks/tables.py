"""Accuracy on two well-known feature tables, on unseen artists: writes tables.json and docs/tables.md.

The candidates are those of ``train_models`` with the preset ``quick`` for tables of this size (scikit-learn only),
fitted and scored by its functions. The best candidate on folds of the training part is refitted and tested once on
unseen artists, or on a published list of test songs. No Spark.

    python benchmarks/tables.py --tables ../shared/data/tables
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from calibration import SOUND
from label_rules import missing_labels, rules
from levels import compare
from many_genres import draw
from tables_page import page

from genreatlas.metrics.reliability import calibration_error
from genreatlas.models.confidence import Confidence
from genreatlas.models.engines import get_task_engine
from genreatlas.models.engines.scikit_learn.sklearn_facts import QUICK
from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles, fit, refit_rows, score_fold
from genreatlas.models.types import FoldTask, Trial

ROOT = Path(__file__).parents[1]
FOLDS, SEED, TEST = 3, 7, 0.25
#: Estimators left out on the Spotify tables: with 12,000 songs they take as long as all others together.
SLOW = {"svc"}
LDA = ("numpy", "lda", {"shrinkage": 0.0})


@dataclass
class Table:
    """A feature table: X (n, n_features), y (n,) genre, group (n,) artist or song, is_test (n,) bool."""

    X: np.ndarray
    y: np.ndarray
    group: np.ndarray
    is_test: np.ndarray


def by_artist(X: np.ndarray, labels: pd.Series, artist: pd.Series) -> Table:
    """A table whose test part is a quarter of the artists."""
    group = pd.factorize(artist.str.strip().str.lower())[0]
    test = np.random.default_rng(SEED).random(group.max() + 1) < TEST
    return Table(X.astype(np.float32), pd.factorize(labels, sort=True)[0].astype(np.int32), group, test[group])


def spotify(tables: Path, label: str) -> pd.DataFrame:
    """Tracks with a single genre, without duplicates."""
    table = pd.read_csv(tables / "spotify_songs.csv")
    one = table.groupby("track_id")[label].nunique() == 1
    table = table[table["track_id"].map(one) & table["track_artist"].notna()]
    return table.drop_duplicates("track_id").reset_index(drop=True)


def with_context(table: pd.DataFrame) -> np.ndarray:
    """Features of a song, and means over the other songs of its artist (missing if there are none)."""
    values = table[list(SOUND)].astype(float)
    by = values.groupby(table["track_artist"].str.strip().str.lower())
    n = by["tempo"].transform("size").to_numpy()[:, None]
    others = (by.transform("sum").to_numpy() - values.to_numpy()) / np.where(n > 1, n - 1, np.nan)
    return np.column_stack([values, others, n - 1])


def gtzan(tables: Path) -> tuple[Table, np.ndarray]:
    """The table of 57 features with the fault-filtered lists, and the artist of each song."""
    lists = [
        {line.strip().rpartition("/")[2] for line in (tables / "gtzan" / f"{part}_filtered.txt").open() if line.strip()}
        for part in ("train", "valid")
    ]
    table = pd.read_csv(tables / "gtzan_features_30_sec.csv")
    table = table[table["filename"].isin(lists[0] | lists[1])].reset_index(drop=True)
    cells = [line.split(":::") for line in (tables / "gtzan" / "artists.txt").open(errors="replace") if ":::" in line]
    known = {one[0].strip(): one[1].strip().lower() for one in cells if one[1].strip()}
    artist = pd.factorize(table["filename"].map(known).fillna(table["filename"]))[0]
    X = table.drop(columns=["filename", "length", "label"]).to_numpy(np.float32)
    y = pd.factorize(table["label"], sort=True)[0].astype(np.int32)
    return Table(X, y, np.arange(len(y)), table["filename"].isin(lists[1]).to_numpy()), artist


@contextmanager
def files_of(table: Table, group: np.ndarray) -> Iterator[MatrixFiles]:
    """The training part in the format of ``train_models``, with folds by group."""
    train = ~table.is_test
    names, place = np.unique(group[train], return_inverse=True)
    n = int(train.sum())
    arrays = {
        "X": table.X[train], "y": table.y[train], "song": np.arange(n, dtype=np.int32), "group": place,
        "fold": np.random.default_rng(SEED + 1).integers(0, FOLDS, len(names))[place].astype(np.int16),
        "weight": np.ones(n, np.float32),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for name, array in arrays.items():
            np.save(Path(folder) / f"t-{name}.npy", array)
        yield MatrixFiles("t", int(table.y.max()) + 1, False, folder)


def candidates(n_rows: int, n_columns: int, n_classes: int, without: set[str]) -> list[Trial]:
    """The default candidates for a table of this size."""
    engine = get_task_engine("sklearn")
    suiting = [one for one in QUICK if one.suits(n_rows, n_columns, n_classes) and one.estimator not in without]
    return [
        Trial(f"{one.estimator} {json.dumps(point)}", "sklearn", one.estimator, "table", point, SEED)
        for one in suiting
        for point in engine.grid_points(one.estimator, {name: list(values) for name, values in one.grid.items()})
    ]


def learn(name: str, table: Table, group: np.ndarray, without: set[str]) -> dict[str, object]:
    """Select the best candidate on folds, and test it once."""
    started = time.perf_counter()
    train, n_classes = ~table.is_test, int(table.y.max()) + 1
    trials = candidates(int(train.sum()), table.X.shape[1], n_classes, without)
    settings = GridSettings("macro_f1", calibrate=True, weights=False)
    with files_of(table, group) as files:
        scores: dict[str, list[float]] = {trial.name: [] for trial in trials}
        kept = trials
        for fold in range(FOLDS):  # successive halving, as in the preset
            for trial in kept:
                found = score_fold(FoldTask(trial.name, trial, fold), files, settings)
                scores[trial.name].append(-1.0 if found.score is None else found.score)
            kept = sorted(kept, key=lambda one: -float(np.mean(scores[one.name])))[: max(2, -(-len(kept) // 2))]
        best = max(kept, key=lambda one: float(np.mean(scores[one.name])))
        rows = list(refit_rows(best, files, settings))
        if rows[0]["reason"]:
            raise SystemExit(f"{name}: {rows[0]['detail']}")
        model = get_task_engine("sklearn").loads(b"".join(row["content"] for row in rows))
        # accuracy on the same folds, for the comparison with the test accuracy
        accuracy = [
            score_fold(FoldTask("a", best, fold), files, GridSettings("accuracy", False, False)).score or 0.0
            for fold in range(FOLDS)
        ]
        stored = json.loads(rows[0]["confidence"]) if rows[0]["confidence"] else None
    X, y = table.X[table.is_test], table.y[table.is_test]
    raw = model.matrix_scores(X, slice(None), np.arange(len(X)))
    sure = Confidence.from_json(stored, n_classes)
    p = raw if sure is None else sure.probabilities(raw)
    right = p.argmax(axis=1) == y
    result: dict[str, object] = {
        "accuracy": round(float(right.mean()), 4),
        "folds_macro_f1": round(float(np.mean(scores[best.name])), 4),
        "folds_accuracy": round(float(np.mean(accuracy)), 4),
        "best": best.name,
        "train": int(train.sum()),
        "test": len(y),
        "calibration_error": round(calibration_error(p.max(axis=1), right), 4),
        "seconds": round(time.perf_counter() - started),
    }
    if sure is not None:
        held = [truth in one for truth, one in zip(y, sure.sets(p), strict=True)]
        result["coverage"] = round(float(np.mean(held)), 4)
    print(name, json.dumps(result), flush=True)
    return result


def each_estimator(table: Table, groups: dict[str, np.ndarray]) -> list[dict[str, object]]:
    """Test accuracy of the best grid point on folds, for each estimator and scaler.

    For information only: nothing is selected by these results.

    Parameters
    ----------
    table : the table.
    groups : groups of the folds, by name of the grouping.
    """
    train, n_classes = ~table.is_test, int(table.y.max()) + 1
    trials = candidates(int(train.sum()), table.X.shape[1], n_classes, set())
    X, y = table.X[table.is_test], table.y[table.is_test]
    settings = GridSettings("macro_f1", calibrate=False, weights=False)
    rows: list[dict[str, object]] = []
    for name, group in groups.items():
        with files_of(table, group) as files:
            best: dict[tuple[str, str], tuple[float, Trial]] = {}
            for trial in trials:
                found = [score_fold(FoldTask("t", trial, fold), files, settings).score or -1.0 for fold in range(FOLDS)]
                key = (trial.estimator, str(trial.params.get("scaler", "none")))
                best[key] = max(best.get(key, (-1.0, trial)), (float(np.mean(found)), trial), key=lambda one: one[0])
            for (estimator, scaler), (score, trial) in best.items():
                model, _ = fit(trial, files, settings, np.arange(int(train.sum())))
                right = model.matrix_scores(X, slice(None), np.arange(len(X))).argmax(axis=1) == y
                rows.append(
                    {
                        "folds": name, "estimator": estimator, "scaler": scaler, "best": trial.params_json,
                        "folds_macro_f1": round(score, 4), "accuracy": round(float(right.mean()), 4),
                    }
                )  # fmt: skip
                print(rows[-1], flush=True)
    return rows


def figures_of(found: dict[str, dict]) -> dict[str, float]:
    """Results by key of the file."""
    figures = {name: one["accuracy"] for name, one in found.items() if name.startswith("spotify")}
    for name, key in (("gtzan57", "gtzan_gap_random"), ("gtzan57_by_artist", "gtzan_gap_artist")):
        if name in found:
            figures[key] = round(found[name]["folds_accuracy"] - found[name]["accuracy"], 4)
    if "gtzan57" in found:
        figures["gtzan57_valid"] = found["gtzan57"]["accuracy"]
    return figures


def main() -> None:
    """Run the measurements and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="folder with spotify_songs.csv and gtzan/")
    parser.add_argument("--without", nargs="*", default=[], help="estimators to leave out")
    parser.add_argument("--only", nargs="*", default=[], help="parts to measure; stored figures of the others are kept")
    args = parser.parse_args()
    stored = ROOT / "benchmarks" / "tables.json"
    kept = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else {}
    found = kept.setdefault("tables", {})
    without = set(args.without)

    def measure(name: str, key: str, work: Callable[[], object]) -> None:
        """Run one measurement and write its result, so that an interrupted run keeps it."""
        if args.only and name not in args.only:
            return
        result = work()
        if key == "tables":
            found.update(result)
        else:
            kept[key] = result
        figures = figures_of(found) | {one: kept[one] for one in ("tables", "tried", "levels", "labels") if one in kept}
        stored.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (ROOT / "docs" / "tables.md").write_text(page(figures, FOLDS), encoding="utf-8")

    def of_gtzan() -> dict[str, object]:
        table, artist = gtzan(args.tables)
        by = {"gtzan57": table.group, "gtzan57_by_artist": artist}
        return {name: learn(name, table, group, without) for name, group in by.items()}

    def of_each() -> list[dict[str, object]]:
        table, artist = gtzan(args.tables)
        return each_estimator(table, {"songs": table.group, "artists": artist})

    measure("gtzan57", "tables", of_gtzan)
    measure("tried", "tried", of_each)
    six, fine = (spotify(args.tables, f"playlist_{level}") for level in ("genre", "subgenre"))
    sound = six[list(SOUND)].to_numpy(float)
    year = pd.to_numeric(six["track_album_release_date"].str[:4]).to_numpy(float)
    spotify_tables = {
        "spotify_6": (six, "playlist_genre", sound),
        "spotify_6_year": (six, "playlist_genre", np.column_stack([sound, year])),
        "spotify_6_context": (six, "playlist_genre", with_context(six)),
        "spotify_24": (fine, "playlist_subgenre", fine[list(SOUND)].to_numpy(float)),
    }
    for name, (songs, label, X) in spotify_tables.items():
        table = by_artist(X, songs[label], songs["track_artist"])
        measure(name, "tables", partial(_named, name, table, without | SLOW))
    measure("labels", "labels", lambda: {**rules(args.tables), "missing": missing_labels()})
    measure("levels", "levels", lambda: levels(fine))


def _named(name: str, table: Table, without: set[str]) -> dict[str, object]:
    return {name: learn(name, table, table.group, without)}


def levels(fine: pd.DataFrame) -> list[dict[str, object]]:
    """Compare flat and top-down models on Spotify's subgenres and on synthetic genres with families."""
    y, names = pd.factorize(fine["playlist_subgenre"], sort=True)
    above = fine.groupby("playlist_subgenre")["playlist_genre"].first().loc[names]
    artist = pd.factorize(fine["track_artist"].str.strip().str.lower())[0]
    X, parent = fine[list(SOUND)].to_numpy(np.float32), pd.factorize(above, sort=True)[0]
    forest = ("sklearn", "extra_trees", {"min_samples_leaf": 5, "max_features": 0.3, "scaler": "none"})
    rows = [
        {"table": f"Spotify, `{title}`", **compare(X, y, artist, parent, 5, SEED, candidate)}
        for title, candidate in (("extra_trees", forest), ("lda", LDA))
    ]
    made = draw(300, 60)
    rows.append({"table": "made up, `lda`", **compare(made.X, made.y, made.artist, made.family, 5, SEED, LDA)})
    for row in rows:
        print(row, flush=True)
    return rows


if __name__ == "__main__":
    main()
