"""Measure the speed of ``import_folder`` on new MP3 files and on files that have not changed.

``python benchmarks/import_speed.py --data ../shared/data`` creates files from ``<data>/music``. Each is a clip without
some of its last frames, so that all files have different audio, after an ID3 tag. Every import runs in a new process.
The time excludes Spark's start, and includes the first execution of each kind of statement. The note has the CPU time
and the load average, because other programs may use the cores at the same time. The results are written to
``import_speed.json`` and docs/folder.md.
"""

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from page import machine_line, replace_figures
from watch import Watch

FILE = Path(__file__).with_name("import_speed.json")
PAGE = Path(__file__).parents[1] / "docs" / "folder.md"
_BEGIN = "<!-- figures: begin (written by benchmarks/import_speed.py) -->"
#: Frames of the files of the unchanged folder (3 s).
_SHORT = 120
#: Description, unit, bar and sense by key.
FIGURES = {
    "cold_files_per_s": ("new clips of 30 s into a new store, genres from directories", "files/s", 40.0, "at least"),
    "cold_tags_files_per_s": ("the same, genres from tags", "files/s", 40.0, "at least"),
    "unchanged_10000_s": ("10,000 files that were imported before, genres from directories", "s", 20.0, "at most"),
}


@dataclass(frozen=True)
class Run:
    """One import: files of the folder, wall and CPU time in seconds, and the load average of the last minute."""

    files: int
    seconds: float
    busy_s: float
    load: float


def main() -> int:
    """Create the files and import them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with music/<genre>/*.mp3")
    parser.add_argument("--files", type=int, default=2000, help="new files")
    parser.add_argument("--unchanged", type=int, default=10_000, help="files that have not changed")
    parser.add_argument("--work", type=Path, help="folder; a temporary one unless given")
    parser.add_argument("--only", nargs="*", default=[], choices=FIGURES, help="figures to measure; others are kept")
    arguments = parser.parse_args()
    work = arguments.work or Path(tempfile.mkdtemp(prefix="import-speed-"))
    found: dict[str, Run] = {}
    for key in arguments.only or FIGURES:
        count = arguments.files if key.startswith("cold") else arguments.unchanged
        music = work / f"{'long' if key.startswith('cold') else 'short'}-{count}"
        if not music.exists():
            make_files(arguments.data / "music", music, count, None if key.startswith("cold") else _SHORT)
        labels = "tags" if "tags" in key else "directory"
        store = work / "tables"
        if key.startswith("unchanged"):
            run(music, store, labels, count, written=count)
        found[key] = run(music, store, labels, count, written=count if key.startswith("cold") else 0)
        print(key, found[key], flush=True)
        shutil.rmtree(store)
    if not arguments.work:
        shutil.rmtree(work)
    keep(found)
    write_page()
    return 0


def keep(found: dict[str, Run]) -> None:
    """Write figures, and keep those that were not measured."""
    rows = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    for key, one in found.items():
        what, unit, bar, sense = FIGURES[key]
        value = one.seconds if unit == "s" else one.files / one.seconds
        met = value >= bar if sense == "at least" else value <= bar
        about = {"value": round(value, 1), "bar": bar, "sense": sense, "met": met, "unit": unit, "n": one.files}
        times = f"{one.seconds:.0f} s, {one.busy_s:.0f} s CPU, load {one.load:.0f}"
        rows[key] = about | {"note": f"{what}; {times}; {machine_line()}"}
    FILE.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def write_page() -> None:
    """Write the table between the marks of the page."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))
    machine = next(iter(rows.values()))["note"].split("; ", 2)[2]
    lines = [machine, "", "| key | what | n | target | measured | time |", "|---|---|---|---|---|---|"]
    for key, row in rows.items():
        missed = "" if row["met"] else " (missed)"
        what, times, _ = row["note"].split("; ", 2)
        bar = f"{row['sense']} {row['bar']:g}"
        lines.append(f"| `{key}` | {what} | {row['n']:,} | {bar} | {row['value']:g} {row['unit']}{missed} | {times} |")
    replace_figures(PAGE, _BEGIN, lines)


def make_files(music: Path, target: Path, count: int, frames: int | None) -> None:
    """Create ``count`` files in one folder per genre.

    Parameters
    ----------
    frames : number of MPEG frames per file; None: all except some at the end.
    """
    clips = [(path.parent.name, _frames(path.read_bytes())) for path in sorted(music.glob("*/*.mp3"))]
    clips = [(genre, parts) for genre, parts in clips if len(parts) > 1000]
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for number in range(count):
        copy, place = divmod(number, len(clips))
        genre, parts = clips[place]
        sound = parts[: len(parts) - copy] if frames is None else parts[copy : copy + frames]
        path = partial / genre / f"{number % 50:02}" / f"{number:06}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_tag({"TIT2": f"Title {number}", "TPE1": f"Artist {number // 10}", "TCON": genre}))
        with path.open("ab") as file:
            file.writelines(sound)
    print(f"{count} files of {path.stat().st_size / 1000:.0f} KB", flush=True)
    partial.rename(target)


def _tag(frames: dict[str, str]) -> bytes:
    """An ID3v2.3 tag."""
    texts = {name: b"\x00" + text.encode("latin-1") for name, text in frames.items()}
    body = b"".join(name.encode() + len(text).to_bytes(4, "big") + bytes(2) + text for name, text in texts.items())
    return b"ID3\x03\x00\x00" + bytes([0, 0, len(body) >> 7, len(body) & 127]) + body


def _frames(data: bytes) -> list[bytes]:
    """Audio frames of an MP3 file."""
    from genreatlas.audio.magic import FRAME_KEY, frame_lengths
    from genreatlas.audio.mpeg import walk_frames
    from genreatlas.audio.pieces import Pieces
    from genreatlas.audio.probe import identify

    file = io.BytesIO(data)
    found = []
    for place, end in walk_frames(file, identify(Pieces(file))[1]).ranges:
        lengths = frame_lengths(data, place)
        while place < end:
            length = lengths[int.from_bytes(data[place : place + 4], "big") & FRAME_KEY]
            found.append(data[place : place + length])
            place += length
    return found


def run(music: Path, store: Path, labels: str, files: int, written: int) -> Run:
    """Run the step in a new process."""
    command = [sys.executable, __file__, "--child", str(music), str(store), labels]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["written"], found["failed"]) == (written, 0), found
    return Run(files, found["seconds"], found["busy_s"], os.getloadavg()[0])


def import_once(arguments: Sequence[str]) -> int:
    """Run the step and print its time."""
    from genreatlas.config import load_config
    from genreatlas.session import get_spark
    from genreatlas.steps import import_folder
    from genreatlas.store import open_store

    music, store, labels = arguments
    config = load_config([], [f'folder.path="{music}"', f'store.path="{store}"', f"folder.labels={labels}"])
    spark = get_spark(config.spark)
    spark.range(10).count()
    watch = Watch()
    start, before = time.perf_counter(), watch.cpu()
    counts = import_folder.run(open_store(spark, config.store), config)
    found = {"seconds": time.perf_counter() - start, "busy_s": watch.cpu() - before}
    watch.close()
    print(json.dumps(found | {"written": counts.written, "failed": counts.failed}), flush=True)
    spark.stop()
    return 0


if __name__ == "__main__":
    sys.exit(import_once(sys.argv[2:]) if sys.argv[1:2] == ["--child"] else main())
