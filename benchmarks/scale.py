"""Scaling of all steps with the number of genres: ``python benchmarks/scale.py --genres 300 --songs 150``.

Generates a feature table, runs import, split, train, evaluate, report, map, views and an SQL query on it with the
candidates of ``conf/fanout.toml``, then everything again without new data. For every step, wall time, CPU time and peak
memory (driver, JVM and workers together) are written to ``benchmarks/scale.json``, from which ``docs/scale.md`` is
generated. Other work on the machine affects wall time but hardly CPU time; the CPU time of other processes is reported,
too.

Results are written after each step. With ``--keep FOLDER`` an interrupted run continues after the last completed step,
with its outputs in the folder.

The tables have the difficulties of real ones: genres form families of similar genres, artists have an effect of their
own, some genres are bimodal, and the spread of genres differs in direction. A tenth of the songs have a second genre of
the same family. With ``--zipf`` the sizes of genres are very different.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from page import machine_line
from watch import Watch, busy_seconds

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "scale.json", ROOT / "docs" / "scale.md"
WIDE = ROOT / "benchmarks" / "wide_table.json"
COLUMNS = 45
#: Genres × songs per genre for the required values, and the smaller run for the comparison of time per song.
LARGE, SMALL = "3000x150", "300x150"
LINEAR = ("import_features", "assign_splits", "publish_views", "write_report")
LEARNING = ("train_models", "evaluate_models")
#: Names of the measurements of a step on the page.
COSTS = ("seconds", "CPU seconds", "CPU seconds of other processes", "CPU ms per song")

#: Names of the results of candidates and evaluated models on the page.
FITTED = ("macro-F1, folds", "macro-F1, fitted songs", "seconds, all folds")
JUDGED = {
    "accuracy": "accuracy", "top_10_accuracy": "hit@10", "mean_reciprocal_rank": "MRR",
    "macro_average_precision": "macro AP", "micro_average_precision": "micro AP",
}  # fmt: skip
BARS = {
    "total_minutes": (60.0, "all steps of 3,000 × 150, wall time in minutes"),
    "total_gb": (16.0, "peak memory of all processes together, GB"),
    "worst_step_ratio": (1.3, "cost per song at 3,000 genres divided by that at 300: import, split, views, report"),
    "worst_learning_ratio": (12.0, "the same for training and evaluation"),
    "rerun_minutes": (3.0, "all steps again without new data, wall time in minutes"),
}


@dataclass(frozen=True)
class Shape:
    """Parameters of a generated table."""

    genres: int
    songs: int
    zipf: bool = False
    seed: int = 7

    @property
    def name(self) -> str:
        """Key of its results."""
        return f"{self.genres}x{self.songs}" + ("-zipf" if self.zipf else "")


@dataclass(frozen=True)
class Genres:
    """Means, families and sizes of genres, and directions of variance shared by all genres."""

    centre: np.ndarray
    family: np.ndarray
    sizes: np.ndarray
    common: np.ndarray


def make_table(path: Path, shape: Shape) -> int:
    """Write the table; return the number of songs.

    A family has twenty genres. Standard deviations per column, in units of the spread within a genre, are 0.55 for
    family means, 0.35 for genres of a family, 0.5 for the two modes of a genre (every fourth genre has two), and 0.45
    for artists (about ten songs each). In addition, all genres share six directions of spread 1.
    """
    rng = np.random.default_rng(shape.seed)
    n_families = max(1, shape.genres // 20)
    family = np.arange(shape.genres) % n_families
    centre = 0.55 * rng.normal(size=(n_families, COLUMNS))[family] + 0.35 * rng.normal(size=(shape.genres, COLUMNS))
    sizes = np.full(shape.genres, shape.songs)
    if shape.zipf:
        share = 1.0 / np.arange(1, shape.genres + 1) ** 0.8
        sizes = np.maximum(60, np.rint(shape.genres * shape.songs * share / share.sum())).astype(int)
    made = Genres(centre, family, sizes, rng.normal(size=(6, COLUMNS)))
    writer, total = None, 0
    for start in range(0, shape.genres, 500):
        rows = _genres(rng, range(start, min(start + 500, shape.genres)), shape, made)
        writer = writer or pq.ParquetWriter(path, rows.schema)
        writer.write_table(rows)
        total += rows.num_rows
    if writer is not None:
        writer.close()
    return total


def _genres(rng: np.random.Generator, which: range, shape: Shape, made: Genres) -> pa.Table:
    values, names, artists, labels = [], [], [], []
    for genre in which:
        n = int(made.sizes[genre])
        n_artists = max(3, n // 10)
        artist = np.sort(rng.integers(0, n_artists, n))
        manner = 0.45 * rng.normal(size=(n_artists, COLUMNS))
        shift = 0.5 * rng.normal(size=(2, COLUMNS)) if genre % 4 == 0 else np.zeros((2, COLUMNS))
        kind = rng.integers(0, 2, n_artists)[artist]
        spread = np.exp(0.25 * rng.normal(size=COLUMNS))
        turn = 0.5 * rng.normal(size=(3, COLUMNS))
        inside = (
            rng.normal(size=(n, COLUMNS)) * spread
            + rng.normal(size=(n, 3)) @ turn
            + rng.normal(size=(n, 6)) @ made.common
        )
        values.append(made.centre[genre] + shift[kind] + manner[artist] + inside)
        alike = np.flatnonzero(made.family == made.family[genre])
        second = np.where(rng.random(n) < 0.1, rng.choice(alike, n), genre)
        labels += [f"g{genre:05}" if one == genre else f"g{genre:05}|g{one:05}" for one in second]
        names += [f"s{genre:05}-{song:05}" for song in range(n)]
        artists += [f"a{genre:05}-{one:04}" for one in artist]
    X = np.concatenate(values).astype(np.float32)
    columns = {"clip": names, "artist": artists, "genre": labels}
    return pa.table({**columns, **{f"f{place:02}": X[:, place] for place in range(COLUMNS)}})


def settings_of(home: Path, cores: int) -> list[str]:
    """The configuration of a run, on top of ``conf/fanout.toml``."""
    values = {
        "store.path": f'"{home}/tables"', "models.path": f'"{home}/models"', "report.path": f'"{home}/report"',
        "import_features.path": f'"{home}/table.parquet"', "import_features.name": '"scale"',
        "import_features.id": '"clip"', "import_features.artist": '"artist"', "import_features.labels": '["genre"]',
        "import_features.label_separator": '"|"', "splits.folds": "3", "extract.feature_sets": "[]",
        "train.feature_sets": '["scale"]', "train.min_songs": "12", "map.feature_set": '"scale"',
        "spark.master": f'"local[{cores},4]"',
    }  # fmt: skip
    return [f"{key}={value}" for key, value in values.items()]


def run(shape: Shape, home: Path, cores: int, write: Callable[[dict[str, Any]], None]) -> None:
    """Run every step twice on a table of one shape.

    Parameters
    ----------
    shape : parameters of the table.
    home : folder for table, store and models; steps that were completed there are not repeated.
    cores : number of cores.
    write : called with all measurements so far after each step.
    """
    from genreatlas.config import load_config
    from genreatlas.session import get_spark
    from genreatlas.steps import (
        assign_splits,
        evaluate_models,
        import_features,
        map_genres,
        publish_views,
        train_models,
        write_report,
    )
    from genreatlas.store import Store

    table, costs = home / "table.parquet", home / "costs.json"
    if not table.exists():
        partly = home / "partly.parquet"
        make_table(partly, shape)
        partly.replace(table)
    n_songs = pq.read_metadata(table).num_rows
    found: dict[str, Any] = {**asdict(shape), "n_songs": n_songs, "steps": {}, "rerun": {}}
    if costs.exists():
        found |= json.loads(costs.read_text(encoding="utf-8"))
    print(f"{shape.name}: {n_songs:,} songs", flush=True)
    config = load_config([ROOT / "conf" / "fanout.toml"], settings_of(home, cores))
    spark = get_spark(config.spark)
    store = Store(spark, config.store, run_id="scale")
    watch = Watch()
    steps: dict[str, Callable[[], Any]] = {
        step.__name__.rpartition(".")[2]: (lambda step=step: step.run(store, config))
        for step in (
            import_features, assign_splits, train_models, evaluate_models, map_genres, write_report, publish_views,
        )
    }  # fmt: skip
    steps["query"] = lambda: _ask(store, config)
    try:
        for kind in ("steps", "rerun"):
            for name, step in steps.items():
                if name in found[kind]:
                    continue
                with _timed(watch) as cost:
                    counts = step()
                found[kind][name] = cost
                print(f"{kind} {name}: {cost}", flush=True)
                for note in getattr(counts, "notes", ()):
                    print(f"  {note[:300]}", flush=True)
                if getattr(counts, "failed", 0):
                    raise RuntimeError(f"{name}: {counts.failed} failed: {counts.notes}")
                if name in LEARNING:
                    found["candidates"] = _candidates(store)
                if name == "write_report":
                    found["pages_mb"] = {
                        page.name: round(page.stat().st_size / 1e6, 2)
                        for page in sorted((home / "report").glob("*.html"))
                    }
                costs.write_text(json.dumps(found), encoding="utf-8")
                write(found | {"complete": all(len(found[one]) == len(steps) for one in ("steps", "rerun"))})
    finally:
        watch.close()
        spark.stop()


@contextmanager
def _timed(watch: Watch) -> Iterator[dict[str, float]]:
    cost: dict[str, float] = {}
    watch.peak = watch.look()
    started, used, busy = time.perf_counter(), watch.cpu(), busy_seconds()
    yield cost
    cost["seconds"] = round(time.perf_counter() - started, 1)
    cost["cpu_seconds"] = round(watch.cpu() - used, 1)
    cost["others_cpu_seconds"] = round(max(0.0, busy_seconds() - busy - cost["cpu_seconds"]), 1)
    cost["gb"] = round(max(watch.peak, watch.look()) / 1e9, 2)


def _ask(store: Any, config: Any) -> None:
    from genreatlas.sql.registering import register_views

    register_views(store, config.splits.name)
    spark = store.spark
    rows = spark.sql("SELECT genre, n_songs FROM genre_sizes ORDER BY n_songs DESC, genre LIMIT 20").collect()
    board = spark.sql("SELECT * FROM leaderboard").collect()
    confused = spark.sql("SELECT genre_id, predicted, count(*) AS n FROM confusions GROUP BY ALL").count()
    if not rows or not board or not confused:
        raise RuntimeError("a view is empty")


def _candidates(store: Any) -> list[dict[str, Any]]:
    from pyspark.sql import functions as F

    from genreatlas.tables import METRICS

    columns = ("candidate", "status", "detail", "score_mean", "train_score_mean", "seconds")
    rows = [row.asDict() for row in store.read("experiments").select(*columns).collect()]
    metrics = store.read(METRICS).where("genre_id = '*' AND other = '*' AND unit = 'song'")
    names = {
        row["model_id"]: row["candidate"] for row in store.read("models").select("model_id", "candidate").collect()
    }
    for row in metrics.where(F.col("metric").isin(list(JUDGED))).collect():
        for candidate in rows:
            if candidate["candidate"] == names[row["model_id"]]:
                candidate[row["metric"]] = row["value"]
    return sorted(rows, key=lambda row: -(row["score_mean"] or 0.0))


def figures(found: dict[str, Any]) -> dict[str, float]:
    """Results with required values, as far as the runs are available; comparisons of sizes need both runs."""
    large, small = found.get(LARGE), found.get(SMALL)
    if large is None or not large["complete"]:
        return {}
    made = {
        "total_minutes": round(sum(step["seconds"] for step in large["steps"].values()) / 60, 1),
        "total_cpu_minutes": round(sum(step["cpu_seconds"] for step in large["steps"].values()) / 60, 1),
        "total_gb": max(step["gb"] for step in large["steps"].values()),
        "rerun_minutes": round(sum(step["seconds"] for step in large["rerun"].values()) / 60, 1),
    }
    if small is not None and small["complete"]:
        for key, steps in (("worst_step_ratio", LINEAR), ("worst_learning_ratio", LEARNING)):
            made[key] = round(max(_per_song(large, step) / _per_song(small, step) for step in steps), 2)
    return made


def _per_song(run: dict[str, Any], step: str) -> float:
    """CPU seconds of a step per song; wall time would also depend on other processes."""
    return run["steps"][step]["cpu_seconds"] / run["n_songs"]


def page(found: dict[str, Any]) -> str:
    """Text of ``docs/scale.md``."""
    lines = [
        "# Thousands of genres: time and memory",
        "",
        "Written by `python benchmarks/scale.py`. Synthetic feature tables of 45 columns are processed by every step,",
        "with the candidates of `conf/fanout.toml` and three folds. The genres of a family are close together, songs",
        "of an artist are similar, every fourth genre has two clusters, genres have different covariances, and a tenth",
        "of the songs have a second genre of the same family (`train.labels` decides how these are used).",
        "",
        "Memory is the peak of driver, JVM and Python workers together; CPU seconds are their sum. Other processes",
        "on the machine lengthen the wall time: the CPU seconds that they used are given for each step, and costs per",
        "song are compared in CPU seconds.",
        "",
        "A standalone cluster of two workers gives the same tables (apart from times and run ids) and the same model",
        "files as one machine: a slow test (`tests/end_to_end/test_cluster.py`) compares them for these candidates,",
        "with a matrix that is sent to the workers and with one whose rows stay in Spark.",
        "",
        "| measurement | value | target |",
        "|---|---|---|",
    ]
    made = figures(found)
    for key, (bar, text) in BARS.items():
        value = made.get(key)
        state = "not run yet" if value is None else f"{value:g}"
        lines.append(
            f"| `{key}`: {text} | {state} | at most {bar:g}{'' if value is None or value <= bar else ' (missed)'} |"
        )
    small = found.get(SMALL, {}).get("steps", {})
    for one in sorted((one for one in found.values() if "steps" in one), key=lambda one: one["n_songs"]):
        title = f"{one['genres']:,} genres × {one['songs']} songs" + (", sizes by Zipf's law" if one["zipf"] else "")
        lines += ["", f"## {title}: {one['n_songs']:,} songs", "", one["machine"], ""]
        if not one["complete"]:
            lines += ["This run was stopped; these steps were completed.", ""]
        lines += [
            f"| {' | '.join(['step', *COSTS, f'relative to {SMALL}', 'GB', 'seconds of a rerun'])} |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for step, cost in one["steps"].items():
            again = one["rerun"].get(step, {}).get("seconds", "")
            cells = [f"{cost[key]:g}" for key in ("seconds", "cpu_seconds", "others_cpu_seconds")]
            cells += [f"{1000 * _per_song(one, step):.2f}"]
            cells += [f"{_per_song(one, step) / _per_song(found[SMALL], step):.2f} ×" if step in small else ""]
            lines.append(f"| {' | '.join([step, *cells])} | {cost['gb']:g} | {again} |")
        if pages := one.get("pages_mb"):
            lines += ["", "Pages: " + ", ".join(f"{name} {size:g} MB" for name, size in pages.items()) + "."]
        lines += [
            "",
            "The columns after the seconds are scores on the test songs, of models fitted on all training songs.",
            "",
            f"| {' | '.join(['candidate', 'status', *FITTED, *JUDGED.values()])} |",
            "|" + "---|" * (2 + len(FITTED) + len(JUDGED)),
        ]
        for row in one.get("candidates", ()):
            scores = [row.get(key) for key in ("score_mean", "train_score_mean", "seconds", *JUDGED)]
            cells = [
                "" if value is None else f"{value:.3f}" if key != 2 else f"{value:.0f}"
                for key, value in enumerate(scores)
            ]
            status = row["status"] + (f": {row['detail']}" if row["status"] == "skipped" and row["detail"] else "")
            lines.append(f"| {row['candidate']} | {status} | {' | '.join(cells)} |")
    return "\n".join([*lines, *_wide_table()]) + "\n"


def _wide_table() -> list[str]:
    """Section with the results of ``benchmarks/wide_table.py``: few songs with very many columns."""
    if not WIDE.exists():
        return []
    rows = json.loads(WIDE.read_text(encoding="utf-8"))
    whole = rows["all_steps"]
    lines = [
        "",
        f"## A wide table: {whole['n']:,} songs",
        "",
        f"Written by `python benchmarks/wide_table.py`; {whole['note']}. Target: {whole['bar']:g} s for all steps.",
        "",
        "| step | seconds |",
        "|---|---|",
    ]
    return lines + [
        f"| {'all steps' if key == 'all_steps' else key} | {row['value']:.0f} |"
        for key, row in rows.items()
        if key != "all_steps_cpu"
    ]


def main() -> None:
    """Generate the table, run the steps twice, write the results and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genres", type=int, default=300)
    parser.add_argument("--songs", type=int, default=150, help="mean number of songs per genre")
    parser.add_argument("--zipf", action="store_true", help="genres of very different sizes")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder for table, store and models; it is kept")
    parser.add_argument(
        "--print", action="store_true", help="run nothing and print docs/scale.md from the stored figures"
    )
    parsed = parser.parse_args()
    if not parsed.print:
        shape = Shape(parsed.genres, parsed.songs, parsed.zipf)
        home = parsed.keep or Path(tempfile.mkdtemp(prefix="scale-"))
        home.mkdir(parents=True, exist_ok=True)
        try:
            run(shape, home, parsed.cores, lambda one: write({shape.name: one | {"machine": machine_line()}}))
        finally:
            if not parsed.keep:
                shutil.rmtree(home, ignore_errors=True)
    else:
        write({})


def write(new: dict[str, Any]) -> None:
    """Add the results of a run to the file, and write the page."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    runs = {name: one for name, one in (known | new).items() if isinstance(one, dict)}
    RESULTS.write_text(json.dumps(figures(runs) | runs, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(runs), encoding="utf-8")


if __name__ == "__main__":
    main()
