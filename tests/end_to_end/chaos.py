"""Kill the fan-out repeatedly at random moments, and compare the resulting store with that of an undisturbed run.

``make chaos N=20`` prints one line per kill and the result; tests do the same with fewer kills. The world is served by
this process, so it survives the driver, and its log shows repeated requests.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from secrets_left import CREDENTIALS, assert_no_secret_below, assert_no_secret_in
from whole_jobs import ROOT, assert_equal_stores, environment, run

from genreatlas.config import SandboxSection, WorldSection
from genreatlas.sandbox.composed_library import write_library
from genreatlas.sandbox.world import Faults, World, running_world
from genreatlas.sandbox.world.server import shape_of

SANDBOX = ROOT / "conf" / "demo.toml"
# Jobs this short spend a third of their time on optimising JIT compilation, with little benefit.
os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m")

STEPS = ("scrape_genres", "collect_songs", "fetch_previews")


@dataclass
class Chaos:
    """Requests by kind of address, in an undisturbed run and in addition in killed runs.

    Parameters
    ----------
    kills : number of killed runs.
    rounds : number of stores filled by them, each equal to that of the undisturbed run.
    quiet : requests of the undisturbed run.
    again : repeated requests, over all rounds.
    """

    kills: int = 0
    rounds: int = 0
    quiet: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)


def library(folder: Path, genres: tuple[str, ...] = (), seconds: float = 6.0) -> SandboxSection:
    """A small composed library for the world's clips."""
    section = SandboxSection(
        path=folder / "music",
        genres=genres,
        artists_per_genre=2,
        songs_per_artist=2,
        seconds=seconds,
        broken_files=False,
    )
    write_library(section)
    return section


def command(home: Path, world: World, songs: SandboxSection, steps: tuple[str, ...], *settings: str) -> list[str]:
    """Command line of a pipeline with all outputs below ``home`` that uses ``world``."""
    names = ", ".join(f'"{step}"' for step in steps)
    places = [
        f'store.path="{home / "tables"}"',
        f'models.path="{home / "models"}"',
        f'report.path="{home / "report"}"',
        f'sandbox.path="{songs.path}"',
        "world.start=false",
        f"pipeline.steps=[{names}]",
        "fan_out.chunk_rows=20",
        "fan_out.retry_delay_s=0",
        "fan_out.max_attempts=9",
        "fan_out.breaker_failures=1000",
        "fan_out.read_s=2",
        *world.settings(),
        *settings,
    ]
    events = home / "events"
    events.mkdir(parents=True, exist_ok=True)
    logged = ("--conf", "spark.eventLog.enabled=true", "--conf", f"spark.eventLog.dir={events}")
    return [
        str(ROOT / "spark-submit.sh"), "--driver-memory", "1g", *logged, "pipeline", "--conf", str(SANDBOX),
        *(part for place in places for part in ("--set", place)),
    ]  # fmt: skip


def kill_after(arguments: list[str], seconds: float, credentials: dict[str, str]) -> bool:
    """Start a pipeline and kill all its processes after some seconds. Returns False if it had finished."""
    job = subprocess.Popen(
        arguments,
        cwd=ROOT,
        env=environment(**credentials),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        job.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        return True
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
        job.wait()


def wreak(
    folder: Path,
    kills: int,
    seed: int,
    world: WorldSection,
    steps: tuple[str, ...] = STEPS,
    faults: Faults | None = None,
    *settings: str,
) -> Chaos:
    """Run once undisturbed; then fill stores by runs that are killed.

    A run is killed at a random moment within the duration of the undisturbed run. If a run finishes before, its store
    is compared, and the next store is begun.

    Parameters
    ----------
    folder : folder of all stores.
    kills : number of kills.
    seed : seed of the random moments.
    world : the world.
    steps : steps of the pipeline.
    faults : faults during the killed runs; the undisturbed run has none.
    settings : further settings ``key=value``.

    Raises
    ------
    AssertionError : a store differs, or the output or a file of a run contains a secret.
    """
    credentials = CREDENTIALS
    draw, chaos, songs = random.Random(seed), Chaos(), library(folder)
    with running_world(world, songs) as served:
        started = time.monotonic()
        _finish(command(folder / "quiet", served, songs, steps, *settings), credentials)
        seconds = time.monotonic() - started
        asked = _asked(served)
        chaos.quiet = _kinds(asked)
        served.faults(faults or Faults())
        while chaos.kills < kills or not chaos.rounds:
            home = folder / f"round{chaos.rounds}"
            served.control(clear_log=True)
            arguments = command(home, served, songs, steps, *settings)
            # Not immediately, because starting a session takes some time.
            while chaos.kills < kills and kill_after(arguments, draw.uniform(0.2, 1.2) * seconds, credentials):
                chaos.kills += 1
                print(f"kill {chaos.kills}: after {_commits(home)} commits", flush=True)
            _finish(arguments, credentials)
            assert_equal_stores(folder / "quiet", home)
            assert assert_no_secret_below(home) > 100
            chaos.rounds += 1
            chaos.again += _kinds(_asked(served) - asked)
    return chaos


def _finish(arguments: list[str], credentials: dict[str, str]) -> None:
    done = run(arguments, **credentials)
    if done.returncode:
        raise AssertionError(done.stdout)
    assert_no_secret_in(done.stdout, "output")


def _asked(world: World) -> Counter[str]:
    """Number of requests without fault, by service and address without expiring parameters."""
    return Counter(f"{e['service']} {e['path'].partition('?hdnea')[0]}" for e in world.log() if e["fault"] is None)


def _kinds(asked: Counter[str]) -> Counter[str]:
    kinds: Counter[str] = Counter()
    for address, number in asked.items():
        service, path = address.split(" ", 1)
        kinds[f"{service} {shape_of(path)}"] += number
    return kinds


def _commits(home: Path) -> int:
    return sum(1 for _ in home.glob("tables/*/_delta_log/*.json"))


def main() -> None:
    """Run and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--genres", type=int, default=12)
    parser.add_argument("--songs", type=int, default=40)
    parser.add_argument("--share", type=float, default=0.0, help="share of requests that go wrong meanwhile")
    given = parser.parse_args()
    world = WorldSection(port=0, genres=given.genres, songs=given.songs)
    with tempfile.TemporaryDirectory(prefix="genreatlas-chaos-") as folder:
        try:
            faults = Faults(share=given.share, retry_after_s=0.2, stall_s=3.0)
            chaos = wreak(Path(folder), given.kills, given.seed, world, STEPS, faults)
        except AssertionError as problem:
            print(f"{problem}\nNOT EQUAL to an undisturbed run")
            sys.exit(1)
    print(f"{chaos.kills} kills, {chaos.rounds} stores, each equal to that of an undisturbed run")
    for kind, number in sorted(chaos.quiet.items()):
        print(f"  {kind}: {number} requests undisturbed, {chaos.again[kind]} made again after the kills")


if __name__ == "__main__":
    main()
