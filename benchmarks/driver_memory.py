"""Memory of the driver's Python process with a million songs, for import, score and fan-out runs without new data.

Writes driver_memory.json. Creates a folder of a million sparse files, and tables that contain them: rows of clips and
songs are made by the functions of the import from generated results of workers, so that no audio is read. Nine in
ten files are clips, one is in quarantine. Then each step runs in a separate process, whose peak memory is read from the
system; the JVM is another process and not included. ``--files 20000`` is a trial run that writes nothing.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from measuring import Result
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from genreatlas.audio.inspection import RESULT
from genreatlas.audio.preprocess import window_rule
from genreatlas.audio.uris import path_to_uri
from genreatlas.collecting.folder_files import check_files, make_plan
from genreatlas.collecting.folder_known import KnownClips
from genreatlas.config import Config, load_config
from genreatlas.errors import Reason
from genreatlas.fanout.tries import make_plan as plan_fetches
from genreatlas.ids import stable_id
from genreatlas.models import aliases
from genreatlas.session import get_spark
from genreatlas.sources.folder.catalogue import song_id, song_rows
from genreatlas.sources.folder.listing import list_folder
from genreatlas.sources.folder.reading import read_catalogue
from genreatlas.sources.genres import GenreNames
from genreatlas.steps import import_folder, score
from genreatlas.store import Store
from genreatlas.tables import CLIPS, FETCH_ATTEMPTS, QUARANTINE, SCORES, SONG_GENRES, SONGS, Table

ROOT = Path(__file__).parents[1]
BAR_MB = 1536.0
GENRES = ("ambient", "blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "rock")
ROWS_AT_ONCE = 250_000


def main() -> None:
    """Create folder and tables, run each step in a separate process, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--home", type=Path, help="folder with the files of an earlier call")
    parser.add_argument("--only", nargs="+", choices=RUNS, default=[name for name in RUNS if name != "make"])
    parser.add_argument("--do", choices=RUNS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.do:
        run(given.home, given.do)
        return
    home = given.home or Path(tempfile.mkdtemp(prefix="driver-memory-"))
    if not (home / "made").exists():
        make_files(home / "music", given.files)
        in_a_process("make", home)
        (home / "made").touch()
    results = []
    for what in given.only:
        found = in_a_process(what, home)
        note = f"{found['said']}; {found['seconds']:.0f} s"
        results.append(Result(f"{what}_mb", found["mb"], "MB", BAR_MB, "at most", n=given.files, note=note))
        print(f"{what}: {found['mb']:.0f} MB; {note}", flush=True)
    if given.home is None:
        shutil.rmtree(home)
    if given.files >= 1_000_000:
        path = ROOT / "benchmarks" / "driver_memory.json"
        stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        for result in results:
            stored[result.key] = {name: asdict(result)[name] for name in ("value", "bar", "unit", "n", "note")}
        path.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


def in_a_process(what: str, home: Path) -> dict:
    """Run a part of this program in a separate process; return the JSON of its last output line."""
    command = [sys.executable, __file__, "--home", str(home), "--do", what]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def run(home: Path, what: str) -> None:
    """Run one part, and print its peak memory."""
    config = settings(home, scoring=what == "score")
    spark = get_spark(config.spark)
    store = Store(spark, config.store, run_id=f"bench-{what}")
    started = time.perf_counter()
    said = RUNS[what](store, config)
    seconds = time.perf_counter() - started
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"mb": int(peak.split()[1]) / 1024, "seconds": seconds, "said": said}), flush=True)


def settings(home: Path, scoring: bool = False) -> Config:
    """Configuration of the store of the library, or of the store with a model (``scoring``)."""
    sys.path.insert(0, str(ROOT / "tests"))
    from frozen_store import Frozen

    memory = ['spark.master="local[2,4]"', 'spark.driver_memory="4g"']
    if scoring:
        store = home / "scored"
        frozen = Frozen(store) if store.exists() else Frozen.copy(store)
        return frozen.config(f'score.path="{home / "music"}"', *memory)
    return load_config([], [f'store.path="{home}/tables"', f'folder.path="{home}/music"', *memory])


def make_files(music: Path, count: int) -> None:
    """Create sparse files of half a megabyte, a thousand per directory."""
    for number in range(0, count, 1000):
        folder = music / GENRES[number // 1000 % len(GENRES)] / f"Artist {number // 1000:04}"
        folder.mkdir(parents=True)
        for song in range(number, min(number + 1000, count)):
            with (folder / f"{song % 1000:03} Song {song:07}.mp3").open("wb") as file:
                file.truncate(500_000 + song)


def make(store: Store, config: Config) -> str:
    """Write the tables that import and score of these files would write."""
    listing = list_folder(bytes(config.folder.path))
    catalogue = read_catalogue(listing, listing.entries, config.folder, GenreNames())
    known = KnownClips()
    plan = make_plan(listing, 0, catalogue, config, known, lambda *_: None)
    now = datetime.now(UTC)
    about = {"stage": import_folder.STEP, "run_id": store.run_id, "at": now, "attempts": None}
    for start in range(0, len(plan.pending), ROWS_AT_ONCE):
        files = list(plan.pending[start : start + ROWS_AT_ONCE])
        songs = {file.uri: catalogue.songs[file.song_key] for file in files}
        outcome = check_files(
            [inspected(file, config, n) for n, file in enumerate(files)], plan.files, songs, known, ""
        )
        rows = song_rows(outcome.songs.values(), catalogue.labels, "", song_id, path_to_uri(listing.root) + "/")
        write(store, CLIPS, [clip | {"fetched_at": now} for clip in outcome.clips])
        write(store, SONGS, [row | {"added_at": now} for row in rows.songs])
        write(store, SONG_GENRES, rows.song_genres)
        write(store, QUARANTINE, [row | about for row in outcome.quarantine])
    tries = store.spark.range(len(plan.pending)).select(
        F.lit("previews").alias("task"),
        key_of(F.col("id")).alias("key"),
        F.lit("deezer").alias("provider"),
        F.lit(1).alias("attempt"),
        F.lit("retry").alias("status"),
        F.lit(503).alias("http_status"),
        F.lit("server_error").alias("reason"),
        F.lit(now).cast("timestamp").alias("at"),
        F.lit(now).cast("timestamp").alias("next_retry_at"),
        F.lit(store.run_id).alias("run_id"),
    )
    store.append(FETCH_ATTEMPTS, whole(store, FETCH_ATTEMPTS, tries))
    make_scores(store, settings(config.folder.path.parent, scoring=True), plan)
    return f"{len(plan.pending)} files"


def inspected(file, config: Config, number: int) -> dict:
    """Result of a worker for a file; one in ten files is too short."""
    facts = {name.split()[0]: None for name in RESULT.split(", ")}
    hashed = stable_id(file.uri, length=64)
    return facts | {
        "uri": file.uri, "version": file.version, "bytes": file.entry.size, "modified_ns": file.entry.modified_ns,
        "window_rule": window_rule(config.clip), "sha256": hashed, "sound_sha256": hashed[::-1], "start_s": 15.0,
        "length_s": 30.0, "mime": "audio/mpeg", "codec": "MPEG_LAYER_III", "sample_rate": 44100, "channels": 2,
        "bit_rate": 128000, "duration_s": 60.0, "quality_flags": [],
        "reason": Reason.TOO_SHORT.value if number % 10 == 9 else None, "detail": "0.50 s are less than 1.",
    }  # fmt: skip


def make_scores(store: Store, config: Config, plan) -> None:
    """Write scores of the model in use for every file."""
    scored = Store(store.spark, config.store, run_id=store.run_id)
    model = aliases.resolve(scored, config.score.model)
    genre = model["classes"][0]
    for start in range(0, len(plan.pending), ROWS_AT_ONCE):
        rows = [
            {"model_id": model["model_id"], "item_id": file.uri, "path": file.entry.text, "predicted": genre,
             "confidence": 1.0, "scores": [(genre, 1.0)], "score_kind": "probability", "n_windows": 1,
             "n_failed_windows": 0, "bytes": file.entry.size, "modified_ns": file.entry.modified_ns}
            for file in plan.pending[start : start + ROWS_AT_ONCE]
        ]  # fmt: skip
        write(scored, SCORES, rows)
    score.run(scored, config)  # scores the clips that belong to the model's data


def write(store: Store, table: Table, rows: list[dict]) -> None:
    """Append rows to a table."""
    if rows:
        schema = store.spark.createDataFrame([], store.schema(table)).toArrow().schema
        columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
        store.append(table, store.spark.createDataFrame(pa.table(columns, schema), store.schema(table)))


def whole(store: Store, table: Table, frame):
    """Add missing columns of a table to a frame as NULL."""
    kinds = [(field.name, field.dataType) for field in store.schema(table)]
    return frame.select(
        *((F.col(name) if name in frame.columns else F.lit(None)).cast(kind).alias(name) for name, kind in kinds)
    )


def key_of(number):
    """Column with a key of 20 characters, like song ids."""
    return F.substring(F.md5(number.cast("string")), 1, 20)


def import_nothing(store: Store, config: Config) -> str:
    """Import a folder without new files."""
    counts = import_folder.run(store, config)
    assert (counts.read, counts.written, counts.failed) == (0, 0, 0), counts
    return counts.notes[0]


def score_nothing(store: Store, config: Config) -> str:
    """Score a folder in which all files are scored."""
    counts = score.run(store, config)
    assert (counts.read, counts.written, counts.failed) == (0, 0, 0), counts
    return "nothing new"


def plan_fan_out(store: Store, config: Config) -> str:
    """Plan a fan-out in which every key was tried before, and iterate over all tasks."""
    spark: SparkSession = store.spark
    number = spark.range(store.read(FETCH_ATTEMPTS).count())
    pending = number.select(
        key_of(F.col("id")).alias("key"),
        F.concat(F.lit("A title of usual length "), F.col("id").cast("string")).alias("title"),
        F.concat(F.lit("Somebody "), (F.col("id") % 50_000).cast("string")).alias("artist"),
        F.concat(F.lit("DEXYZ"), F.lpad(F.col("id").cast("string"), 7, "0")).alias("isrc"),
        F.lit(215.0).alias("duration_s"),
    )
    plan = plan_fetches(store, "previews", pending, ("deezer", "http"))
    tasks: Iterator = plan.tasks()
    return f"{sum(1 for _ in tasks)} keys to fetch"


RUNS: dict[str, Callable[[Store, Config], str]] = {
    "import_folder": import_nothing,
    "score": score_nothing,
    "ledger": plan_fan_out,
    "make": make,
}

if __name__ == "__main__":
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    main()
