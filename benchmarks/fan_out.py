"""Collect metadata for sandbox worlds of two sizes: requests, time and memory of a first and an unchanged second run.

``python benchmarks/fan_out.py --genres 300 3000`` serves each world on this machine, runs ``scrape_genres`` and
``collect_songs`` against it without a rate limit, and prints a table. Time includes the start of Spark, which is
also shown separately; memory is the peak resident set, sampled twice per second: of the JVM, whose heap has the given
size from the start, and of the job's Python processes.
"""

import argparse
import math
import os
import re
import subprocess
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from genreatlas.config import SandboxSection, WorldSection
from genreatlas.sandbox.world import World, running_world

ROOT = Path(__file__).parents[1]
CREDENTIALS = {"SPOTIFY_CLIENT_ID": "sandbox", "SPOTIFY_CLIENT_SECRET": "sandbox"}


@dataclass(frozen=True)
class Measured:
    """One run of one step."""

    step: str
    genres: int
    seconds: float
    step_seconds: float
    peak_mb: tuple[float, float]
    requests: Counter[str]
    said: str


def measure(step: str, home: Path, world: World, genres: int, memory: str) -> Measured:
    """Run a step from the command line, as a user does."""
    world.control(clear_log=True)
    settings = [
        f'store.path="{home / "tables"}"',
        "world.start=false",
        "every_noise.genre_pages=false",
        *world.settings(),
    ]
    command = [
        str(ROOT / "spark-submit.sh"), "--driver-memory", memory, step, "--conf", str(ROOT / "conf" / "demo.toml"),
        *(part for setting in settings for part in ("--set", setting)),
    ]  # fmt: skip
    # A fixed heap, because a growing heap also contains garbage and would not show the memory that is needed.
    options = f"{os.environ.get('SPARK_SUBMIT_OPTS', '')} -Xms{memory} -XX:+AlwaysPreTouch".strip()
    started = time.monotonic()
    job = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | CREDENTIALS | {"SPARK_SUBMIT_OPTS": options},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    peak = {"java": 0.0, "python": 0.0}
    watcher = threading.Thread(target=_watch, args=(job, peak))
    watcher.start()
    said, _ = job.communicate()
    watcher.join()
    seconds = time.monotonic() - started
    if job.returncode:
        raise SystemExit(said)
    line = next(line for line in said.splitlines() if line.startswith(f"{step}: read"))
    stated = re.search(r"([0-9.]+) s\b", line)
    step_seconds = float(stated[1]) if stated else math.nan
    asked: Counter[str] = Counter()
    for row in world.counts():
        asked[f"{row['service']} {row['path']}"] += row["requests"]
    return Measured(step, genres, seconds, step_seconds, (peak["java"], peak["python"]), asked, line)


def _watch(job: subprocess.Popen[str], peak: dict[str, float]) -> None:
    """Track the peak resident memory of the job's JVM, and of its other processes together."""
    page = os.sysconf("SC_PAGE_SIZE")
    while job.poll() is None:
        total = dict.fromkeys(peak, 0)
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdecimal() and os.getsid(int(folder.name)) == job.pid:
                    resident = int((folder / "statm").read_text().split()[1]) * page
                    if (folder / "exe").readlink().name == "java":
                        # The maximum, not the sum: a process forked by the JVM briefly shares its memory.
                        total["java"] = max(total["java"], resident)
                    else:
                        total["python"] += resident
            except (OSError, ValueError, IndexError):
                continue
        for kind in peak:
            peak[kind] = max(peak[kind], total[kind] / 1e6)
        time.sleep(0.5)


def main() -> None:
    """Run the measurements and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genres", type=int, nargs="+", default=[300, 3000])
    parser.add_argument("--songs", type=int, default=150)
    parser.add_argument("--memory", default="2g", help="heap of the driver")
    given = parser.parse_args()
    print("| genres | step | s | s in the step | MB of the JVM | of Python | requests |\n|---|---|---|---|---|---|---|")
    for genres in given.genres:
        with tempfile.TemporaryDirectory(prefix="genreatlas-bench-") as folder:
            section = WorldSection(port=0, genres=genres, songs=given.songs)
            with running_world(section, SandboxSection(path=Path(folder) / "music")) as world:
                for step in ("scrape_genres", "collect_songs", "collect_songs"):
                    done = measure(step, Path(folder), world, genres, given.memory)
                    asked = ", ".join(f"{number:,} {kind}" for kind, number in sorted(done.requests.items()))
                    print(
                        f"| {genres:,} | {step} | {done.seconds:.0f} | {done.step_seconds:.0f} "
                        f"| {done.peak_mb[0]:,.0f} | {done.peak_mb[1]:,.0f} | {asked} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
