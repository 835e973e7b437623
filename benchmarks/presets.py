"""Compare the presets of training on the table of GTZAN features: ``python benchmarks/presets.py --data DATA``.

Each preset trains in a separate store below data/presets, from the same rows and split, by the job train_models. As the
wall time of a step depends on other work on the machine, the processor time of the whole job, including the start of
Spark, is reported, too. Completed presets are not repeated, except with ``--again quick``. Writes
benchmarks/presets.json.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from page import machine_line

ROOT = Path(__file__).parents[1]
WORK = ROOT / "data" / "presets"
OUT = ROOT / "benchmarks" / "presets.json"
PRESETS = ("quick", "full")
_TICKS = os.sysconf("SC_CLK_TCK")


def settings(preset: str, data: Path) -> list[str]:
    """Command-line options of one preset's job."""
    home, tables = WORK / preset, data / "tables"
    lists = f'train="{tables}/gtzan/train_filtered.txt", test="{tables}/gtzan/valid_filtered.txt"'
    values = (
        f'store.path="{home}/tables"',
        f'models.path="{home}/models"',
        f'import_features.path="{tables}/gtzan_features_30_sec.csv"',
        f"import_features.split_lists={{{lists}}}",
        f"train.preset={preset}",
    )
    return ["--conf", "conf/gtzan_features.toml", *(part for value in values for part in ("--set", value))]


def run(preset: str, data: Path) -> dict[str, Any]:
    """Import, split and train; return run time and results of the training."""
    home = WORK / preset
    shutil.rmtree(home, ignore_errors=True)
    steps = ["--set", 'pipeline.steps=["import_features", "assign_splits"]']
    subprocess.run(["./spark-submit.sh", "pipeline", *settings(preset, data), *steps], cwd=ROOT, check=True)
    started = time.monotonic()
    job = subprocess.Popen(
        ["./spark-submit.sh", "train_models", *settings(preset, data)], cwd=ROOT, start_new_session=True
    )
    seconds: dict[int, float] = {}
    while job.poll() is None:
        seconds |= _processor_seconds(job.pid)
        time.sleep(0.2)
    if job.returncode:
        sys.exit(f"{preset}: train_models ended with {job.returncode}")
    done = {"job_wall_s": time.monotonic() - started, "job_cpu_s": sum(seconds.values()), "load": os.getloadavg()[1]}
    (home / "measured.json").write_text(json.dumps(done))
    return done


def _processor_seconds(session: int) -> dict[int, float]:
    """Processor time used so far by each process of a session, by process id."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            found[int(stat.parent.name)] = (int(fields[11]) + int(fields[12])) / _TICKS
    return found


def figures(preset: str, measured: dict[str, Any]) -> dict[str, Any]:
    """Add results of the training from the tables of the store."""
    from deltalake import DeltaTable

    tables = WORK / preset / "tables"
    runs = DeltaTable(str(tables / "runs")).to_pandas().set_index("step").loc["train_models"]
    experiments = DeltaTable(str(tables / "experiments")).to_pandas()
    folds = DeltaTable(str(tables / "fold_scores")).to_pandas()
    mine = experiments[experiments["engine"] != "baseline"]
    best = mine[mine["status"] == "done"].nlargest(1, "score_mean").iloc[0]
    return measured | {
        "step_wall_s": (runs["ended_at"] - runs["started_at"]).total_seconds(),
        "best": best["candidate"],
        "score": float(best["score_mean"]),
        "candidates": len(mine),
        "cut": int((mine["status"] == "cut").sum()),
        "fits": int(folds["experiment_id"].isin(mine["experiment_id"]).sum()),
        "songs": int(best["n_songs"]),
    }


def results(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Results with their required values."""
    quick, full = found["quick"], found["full"]

    def one(value: float, unit: str, note: str, bar: float | None = None) -> dict[str, Any]:
        return {"value": round(value, 4), "bar": bar, "unit": unit, "n": quick["songs"], "note": note}

    tried = "{candidates} candidates, {cut} of them cut, {fits} fits; the machine's load was {load:.0f}"
    job = "processor time of the job, the start of Spark included"
    return {
        "quick_step_wall_s": one(quick["step_wall_s"], "s", tried.format(**quick), bar=120),
        "quick_job_cpu_s": one(quick["job_cpu_s"], "s", f"{job}; two minutes of two cores are 240", bar=240),
        "full_step_wall_s": one(full["step_wall_s"], "s", tried.format(**full)),
        "full_job_cpu_s": one(full["job_cpu_s"], "s", job),
        "quick_fold_score": one(quick["score"], "macro F1", f"mean over the folds of {quick['best']}"),
        "full_fold_score": one(full["score"], "macro F1", f"mean over the folds of {full['best']}"),
        "shortfall": one(full["score"] - quick["score"], "macro F1", "best of full less best of quick", bar=0.01),
    }


def main() -> None:
    """Run the missing presets, then write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with tables/")
    parser.add_argument("--again", action="append", default=[], choices=PRESETS, help="run this preset again")
    parsed = parser.parse_args()
    found = {}
    for preset in PRESETS:
        kept = WORK / preset / "measured.json"
        again = preset in parsed.again or not kept.exists()
        measured = run(preset, parsed.data.resolve()) if again else json.loads(kept.read_text())
        found[preset] = figures(preset, measured)
    OUT.write_text(json.dumps({"machine": machine_line(), "results": results(found)}, indent=1) + "\n")
    print(OUT.read_text())


if __name__ == "__main__":
    main()
