"""Measure confounds on two libraries of audio: ``python benchmarks/confounds.py --data DATA``.

The composer's library is composed, midi5 (263 songs as MIDI in five genres, below DATA) is rendered by its own script,
and each is imported, extracted, split and probed with the default feature sets. There is no test part: at most
``--songs`` songs are changed, and predicted by the models of the folds that were not trained on them or their artist.

Runs are stored below data/confounds and can be interrupted at any time: composed or rendered files, features, the clips
of each change and the predictions of each feature set are kept, and the next call continues. ``--minutes`` limits the
time of a call. Completed runs are not repeated, except with ``--again composed``; ``--page-only`` writes the files from
the available results. Writes ``benchmarks/confounds.json`` and the generated page ``docs/confounds.md``.
"""

import argparse
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from confounds_page import write_page
from deltalake import DeltaTable

from genreatlas.audio.feature_sets import get_feature_set
from genreatlas.config import Config
from genreatlas.ids import stable_id

ROOT = Path(__file__).parents[1]
WORK = ROOT / "data" / "confounds"
OUT = ROOT / "benchmarks" / "confounds.json"
PAGE = ROOT / "docs" / "confounds.md"
#: Maximum decrease of accuracy under each change, in percentage points.
BAR = 2.0
#: The default feature sets without sets of codes, which models cannot use.
SETS = tuple(name for name in Config().extract.feature_sets if get_feature_set(name).axis != "codes")
STEPS = ("import_folder", "extract_features", "assign_splits", "probe")
#: Maximum songs of midi5 to render, and maximum songs to change per change; at least as many as both libraries have.
SONGS = 300
#: Exit code of a call that was stopped by ``--minutes``.
CUT = 3


@dataclass(frozen=True)
class Library:
    """A library of audio and the configuration of its run.

    Attributes
    ----------
    apart : entry of ``probe.apart``: name, genres, and the genre that may be recognised by its level.
    """

    name: str
    title: str
    about: str
    overrides: tuple[str, ...]
    steps: tuple[str, ...]
    apart: str


def libraries() -> list[Library]:
    """The libraries, in the order of the page."""
    composed, midi5 = WORK / "composed" / "music", WORK / "midi5" / "clips"
    return [
        Library(
            "composed",
            "The composer's library",
            "Songs that the sandbox composes: eight genres, and artists with a manner of their own, who never lie on "
            "both sides. All files have one format.",
            (f'sandbox.path="{composed}"', f'folder.path="{composed}"', "sandbox.broken_files=false",
             "folder.labels=tags"),
            ("compose_library", *STEPS),
            '{name="slow music", genres=["ambient", "waltz", "folk"]}',
        ),
        Library(
            "midi5",
            "Five genres, one synthesiser (midi5)",
            "263 songs as MIDI, all rendered by one synthesiser and encoder. Artists are not known: figures are by "
            "song, and a song of the same artist may have been learnt from.",
            (f'folder.path="{midi5}"', f'folder.manifest="{midi5}/manifest.csv"', "folder.labels=manifest"),
            STEPS,
            '{name="classics", genres=["classics", "jazz", "rock"], quiet="classics"}',
        ),
    ]  # fmt: skip


class Cut(Exception):
    """The time limit ``--minutes`` was reached; completed work is kept."""


def run(library: Library, songs: int, deadline: float) -> None:
    """Import and probe a library; an interrupted run is continued.

    Parameters
    ----------
    library : the library.
    songs : maximum songs whose clips are changed.
    deadline : time of the monotonic clock at which the run is stopped.

    Raises
    ------
    Cut : the run did not end before the deadline.
    """
    home = WORK / library.name
    names = "[" + ", ".join(f'"{name}"' for name in SETS) + "]"
    settings = [
        f'store.path="{home}/tables"', f'models.path="{home}/models"', f"extract.feature_sets={names}",
        f"probe.feature_sets={names}", "splits.promotion=0.0", "splits.test=0.0", f"probe.songs={songs}",
        f"probe.apart=[{library.apart}]", "pipeline.steps=[" + ", ".join(f'"{s}"' for s in library.steps) + "]",
        *library.overrides,
    ]  # fmt: skip
    command = ["./spark-submit.sh", "pipeline", *(part for one in settings for part in ("--set", one))]
    if code := bounded(command, home, deadline):
        sys.exit(f"{library.name}: exit code {code}")
    ended(library.name).write_text(json.dumps({"songs": songs}), encoding="utf-8")


def bounded(command: Sequence[str], home: Path, deadline: float) -> int:
    """Run a command until the deadline and return its exit code. The run time of each call is stored in the folder.

    Raises
    ------
    Cut : the deadline was reached. The command and its child processes are stopped.
    """
    home.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        return process.wait(None if deadline == math.inf else max(1.0, deadline - started))
    except subprocess.TimeoutExpired:
        raise Cut(f"{home.name}: cut after {(time.monotonic() - started) / 60:.1f} minutes") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        turns = home / "turns.json"
        kept = json.loads(turns.read_text(encoding="utf-8")) if turns.exists() else []
        turns.write_text(json.dumps([*kept, round(time.monotonic() - started)]), encoding="utf-8")


def ended(name: str) -> Path:
    """Path of the file that marks a library's run as complete."""
    return WORK / name / "ended.json"


def figures(rows: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Largest decrease of accuracy under each change over libraries and feature sets, in percentage points.

    A negative decrease is a gain.
    """
    found: dict[str, Any] = {}
    changed = pd.concat([table.assign(library=name) for name, table in rows.items()], ignore_index=True)
    changed = changed[(changed["kind"] == "change") & changed["difference"].notna()]
    for change, table in changed.groupby("name"):
        worst = table.loc[table["difference"].idxmin()]
        losing = table[-100 * table["difference"] > BAR]
        found[f"worst_fall_{change}"] = {
            "value": round(-100 * float(worst["difference"]), 2),
            "bar": BAR,
            "unit": "points",
            "n": int(worst["n_songs"]),
            "note": f"{worst['feature_set']} on {worst['library']}",
            "falls": {
                f"{row.feature_set} on {row.library}": round(-100 * float(row.difference), 2)
                for row in table.sort_values(["library", "feature_set"]).itertuples()
            },
            "loses_more": sorted(f"{row.feature_set} on {row.library}" for row in losing.itertuples()),
        }
    return found


def probes(name: str) -> pd.DataFrame:
    """Rows of the table ``probes`` of a run, with accuracies over all genres."""
    rows = DeltaTable(str(WORK / name / "tables" / "probes")).to_pandas()
    return rows[(rows["genre_id"] == "*") & (rows["metric"] == "accuracy")]


def render(data: Path, songs: int, deadline: float) -> bool:
    """Render the missing clips of at most ``songs`` songs of midi5; False if midi5 is not below DATA."""
    midi5, home = data / "midi5", WORK / "midi5"
    clips, chosen = home / "clips", home / "midi"
    if not (clips / "manifest.csv").exists() and (midi5 / "render.sh").exists():
        chosen.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(midi5 / "render.sh", chosen / "render.sh")  # it renders the files in its folder
        for file in evenly(sorted(midi5.rglob("*.mid")), songs):
            place = chosen / file.relative_to(midi5)
            place.parent.mkdir(exist_ok=True)
            if not place.exists():
                shutil.copyfile(file, place)
        # An interrupted call may have left the last two files incomplete: the script writes two at the same time.
        for half in sorted(clips.rglob("*.mp3"), key=lambda file: file.stat().st_mtime_ns)[-2:]:
            half.unlink()
        if code := bounded(["bash", str(chosen / "render.sh"), str(clips)], home, deadline):
            sys.exit(f"midi5: rendering it ended with exit code {code}")
    return (clips / "manifest.csv").exists()


def evenly(files: Sequence[Path], most: int) -> list[Path]:
    """At most ``most`` files, evenly from all folders, in the order of hashes of their names."""
    seen: dict[Path, int] = {}
    ranked = []
    for file in sorted(files, key=lambda file: stable_id(file.parent.name, file.name)):
        seen[file.parent] = rank = seen.get(file.parent, -1) + 1
        ranked.append((rank, file))
    return [file for _, file in sorted(ranked, key=lambda one: (one[0], one[1]))[:most]]


def sample(name: str) -> str:
    """Sentence with the maximum number of changed songs and the run time of the calls."""
    turns = json.loads((WORK / name / "turns.json").read_text(encoding="utf-8"))
    songs = json.loads(ended(name).read_text(encoding="utf-8"))["songs"]
    calls = "one call" if len(turns) == 1 else f"{len(turns)} calls"
    return f"Of each change at most {songs:,} songs; {sum(turns) / 60:.1f} minutes in {calls}."


def main(arguments: Iterable[str] | None = None) -> None:
    """Run the libraries that are not complete, then write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with midi5/")
    parser.add_argument("--songs", type=int, default=SONGS, help="maximum songs to render, and to change")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="minutes after which a call ends; call again to continue"
    )
    parser.add_argument("--only", choices=[one.name for one in libraries()], help="run this library only")
    parser.add_argument("--again", action="append", default=[], help="name of a library to run from the start")
    parser.add_argument("--page-only", action="store_true", help="write the files from the existing tables")
    parsed = parser.parse_args(None if arguments is None else list(arguments))
    deadline = time.monotonic() + 60 * parsed.minutes
    cut = ""
    try:
        for library in libraries() if not parsed.page_only else ():
            if parsed.only not in (None, library.name):
                continue
            if library.name in parsed.again:
                for stale in (WORK / library.name / "tables", ended(library.name), WORK / library.name / "turns.json"):
                    shutil.rmtree(stale) if stale.is_dir() else stale.unlink(missing_ok=True)
            if library.name == "midi5" and not render(parsed.data.resolve(), parsed.songs, deadline):
                print(f"midi5: absent below {parsed.data}")
            elif not ended(library.name).exists():
                run(library, parsed.songs, deadline)
    except Cut as stopped:
        cut = f"{stopped}. Call again: it goes on from there."
    there = [one for one in libraries() if ended(one.name).exists()]
    if there:
        rows = {library.name: probes(library.name) for library in there}
        found = figures(rows)
        OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        absent = [one.title for one in libraries() if one not in there]
        about = {one.name: f"{one.about} {sample(one.name)}" for one in there}
        write_page(PAGE, [(one.title, about[one.name], rows[one.name]) for one in there], found, absent)
    if cut:
        print(cut)
        sys.exit(CUT)


if __name__ == "__main__":
    main()
