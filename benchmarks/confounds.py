"""Measure confounds on two libraries of audio: ``python benchmarks/confounds.py --data DATA``.

The composer's library is composed, midi5 (263 songs as MIDI in five genres, below DATA) is rendered by its own script,
and each goes through import, extraction, split and the step ``probe`` with the default feature sets. No part is held
back: every song is changed, and answered by the models of five folds that never heard it or its artist. Runs are kept
below data/confounds: one that has a store is not run again; ``--again composed`` does, ``--page-only`` writes what is
there. Writes ``benchmarks/confounds.json`` and ``docs/confounds.md``; nothing on that page is typed.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from confounds_page import write_page
from deltalake import DeltaTable

from genreatlas.config import Config

ROOT = Path(__file__).parents[1]
WORK = ROOT / "data" / "confounds"
OUT = ROOT / "benchmarks" / "confounds.json"
PAGE = ROOT / "docs" / "confounds.md"
#: Points that each change may cost.
BAR = 2.0
#: The sets that are extracted by default.
SETS = Config().extract.feature_sets
STEPS = ("import_folder", "extract_features", "assign_splits", "probe")


@dataclass(frozen=True)
class Library:
    """A library of audio, and how it is read.

    Attributes
    ----------
    apart : names, genres, and the genre that may be told by its level; empty: the quietest.
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


def run(library: Library) -> None:
    """Take a library in and probe it."""
    home = WORK / library.name
    names = "[" + ", ".join(f'"{name}"' for name in SETS) + "]"
    settings = [
        f'store.path="{home}/tables"', f'models.path="{home}/models"', f"extract.feature_sets={names}",
        f"probe.feature_sets={names}", "splits.promotion=0.0", "splits.test=0.0", "probe.songs=100000",
        f"probe.apart=[{library.apart}]", "pipeline.steps=[" + ", ".join(f'"{s}"' for s in library.steps) + "]",
        *library.overrides,
    ]  # fmt: skip
    command = ["./spark-submit.sh", "pipeline", *(part for one in settings for part in ("--set", one))]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"{library.name}: exit code {done.returncode}")


def figures(rows: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """The largest fall under each change over libraries and sets, in points, and which set it is.

    A fall below 0 is a gain.
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
    """Rows of the table probes of a run, over all genres."""
    rows = DeltaTable(str(WORK / name / "tables" / "probes")).to_pandas()
    return rows[(rows["genre_id"] == "*") & (rows["metric"] == "accuracy")]


def render(data: Path) -> bool:
    """Render midi5, once; False where it is not below DATA."""
    clips, script = WORK / "midi5" / "clips", data / "midi5" / "render.sh"
    if not (clips / "manifest.csv").exists() and script.exists():
        subprocess.run(["bash", str(script), str(clips)], check=True)
    return (clips / "manifest.csv").exists()


def main(arguments: Iterable[str] | None = None) -> None:
    """Run what has no store yet, then write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with midi5/")
    parser.add_argument("--again", action="append", default=[], help="name of a library to run from the start")
    parser.add_argument("--page-only", action="store_true", help="write the files from the tables that are there")
    parsed = parser.parse_args(None if arguments is None else list(arguments))
    for library in libraries() if not parsed.page_only else ():
        if library.name in parsed.again:
            shutil.rmtree(WORK / library.name / "tables", ignore_errors=True)
        if library.name == "midi5" and not render(parsed.data.resolve()):
            print(f"midi5: absent below {parsed.data}")
        elif not (WORK / library.name / "tables" / "probes").exists():
            run(library)
    there = [one for one in libraries() if (WORK / one.name / "tables" / "probes").exists()]
    rows = {library.name: probes(library.name) for library in there}
    found = figures(rows) if rows else {}
    OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    absent = [one.title for one in libraries() if one not in there]
    write_page(PAGE, [(one.title, one.about, rows[one.name]) for one in there], found, absent)


if __name__ == "__main__":
    main()
