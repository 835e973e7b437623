"""Rebuild docs/results.md from real data: ``make results DATA=folder``.

Every number on the page comes from the tables of these pipeline runs. Data sets that are not below DATA are listed as
absent. Runs are stored below data/results, so that a second call continues an interrupted one.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from results_experiments import WORK, Experiment, experiments
from results_page import write_page

ROOT = Path(__file__).parents[1]


def run(experiment: Experiment, data: Path) -> str:
    """Run one experiment; return its output."""
    if experiment.name == "midi5":
        render(data)
    home = WORK / experiment.name
    paths = {"store.path": "tables", "models.path": "models", "report.path": "report"}
    settings = [f'{key}="{home / folder}"' for key, folder in paths.items()]
    settings += experiment.overrides
    if experiment.steps:
        settings.append("pipeline.steps=[" + ", ".join(f'"{step}"' for step in experiment.steps) + "]")
    settings.append(f'report.title="{experiment.title}"')
    command = ["./spark-submit.sh", "pipeline"]
    command += [part for conf in experiment.conf for part in ("--conf", conf)]
    command += [part for setting in settings for part in ("--set", setting)]
    print(f"\n== {experiment.title}", flush=True)
    done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    print(done.stdout, flush=True)
    home.mkdir(parents=True, exist_ok=True)
    if (done.returncode != 0) != experiment.refused:
        sys.exit(f"{experiment.name}: exit code {done.returncode}")
    return done.stdout


def render(data: Path) -> None:
    """Render the clips of midi5 once: seven minutes on two cores."""
    clips = ROOT / WORK / "midi5" / "clips"
    if not (clips / "manifest.csv").exists():
        subprocess.run(["bash", str(data / "midi5" / "render.sh"), str(clips)], check=True)


def main() -> None:
    """Run the experiments whose data are available, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with midi5/, music/ and tables/")
    parser.add_argument("--only", action="append", default=[], help="name of an experiment to run; default: all")
    parser.add_argument("--page-only", action="store_true", help="write the page from the existing tables")
    parsed = parser.parse_args()
    data = parsed.data.resolve()
    found = []
    for experiment in experiments(data):
        absent = [need for need in experiment.needs if not (data / need).exists()]
        if absent:
            print(f"{experiment.name}: absent: {', '.join(absent)}")
            found.append((experiment, absent, ""))
            continue
        log = ROOT / WORK / experiment.name / "log.txt"
        if not parsed.page_only and (not parsed.only or experiment.name in parsed.only):
            text = run(experiment, data)
            log.write_text(text, encoding="utf-8")
        found.append((experiment, [], log.read_text(encoding="utf-8") if log.exists() else ""))
    write_page(ROOT / "docs" / "results.md", ROOT / WORK, found)


if __name__ == "__main__":
    main()
