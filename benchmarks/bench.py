"""Run every benchmark: ``make bench [DATA=folder]``.

Each group runs in a separate process with one thread, prints a table, and its results are written to
``benchmarks/results.json`` and ``docs/performance.md``. ``--only fma`` runs some groups and keeps the results of the
others. To add a group, add a module to ``benchmarks/groups`` with a function ``measure(context)`` that yields results,
and its name to :data:`GROUPS`.
"""

import argparse
import dataclasses
import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
#: Modules of ``benchmarks/groups``, in the order of the table.
GROUPS = ("fma", "summaries", "sets", "spark", "peers")
#: Environment variables read by the libraries when they are loaded: one thread, as in a Spark worker.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def main() -> int:
    """Run the requested groups and write their results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data/shared", help="folder with music/; peers/ is looked for beside it")
    parser.add_argument("--work", default="data/bench", help="folder for composed clips")
    parser.add_argument("--clips", type=int, default=20, help="clips of each source")
    parser.add_argument("--spark-clips", type=int, default=2000, help="clips that go through Spark (--quick: 64)")
    parser.add_argument("--only", nargs="*", choices=GROUPS, default=GROUPS, help="groups to run")
    parser.add_argument("--quick", action="store_true", help="few clips and runs; prints, writes nothing")
    parser.add_argument("--group", help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.group:
        return run_group(arguments)
    return run_all(arguments)


def run_all(arguments: argparse.Namespace) -> int:
    """Run each group in a separate process and merge the results."""
    from page import machine_line, print_table, write_page

    known = json.loads(RESULTS.read_text(encoding="utf-8"))["results"] if RESULTS.exists() else {}
    results: dict[str, dict] = {} if arguments.quick else known
    failed = 0
    for group in arguments.only:
        found = _in_process(group, sys.argv[1:])
        failed += found is None
        results = {key: row for key, row in results.items() if row["group"] != group or found is None}
        results |= {row["key"]: row | {"group": group} for row in found or []}
        print_table([row | {"group": group} for row in found or []])
        if not arguments.quick:  # after each group, so that an interrupted run keeps its results
            ordered = sorted(results.values(), key=lambda row: GROUPS.index(row["group"]))
            whole = {"machine": machine_line(), "results": {row["key"]: row for row in ordered}}
            RESULTS.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
            write_page(whole, ROOT / "docs" / "performance.md")
    return 1 if failed else 0


def _in_process(group: str, arguments: list[str]) -> list[dict] | None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "results.json"
        command = [sys.executable, __file__, *arguments, "--group", group, "--out", str(out)]
        print(f"== {group}", flush=True)
        done = subprocess.run(command, env=os.environ | _ONE_THREAD, check=False)
        return json.loads(out.read_text(encoding="utf-8")) if done.returncode == 0 else None


def run_group(arguments: argparse.Namespace) -> int:
    """Run one group in this process and write its results to a file."""
    from clips import clip_paths
    from measuring import Context

    from genreatlas.audio.librosa_loading import librosa

    librosa()
    count = 2 if arguments.quick else arguments.clips
    peers = Path(arguments.data).resolve().parent / "peers"
    context = Context(
        clips=clip_paths(Path(arguments.work), Path(arguments.data), count),
        data=arguments.data if Path(arguments.data).is_dir() else None,
        peers=str(peers) if peers.is_dir() else None,
        quick=arguments.quick,
        spark_clips=64 if arguments.quick else arguments.spark_clips,
    )
    module = importlib.import_module(f"groups.{arguments.group}")
    rows = [dataclasses.asdict(result) | {"met": result.met} for result in module.measure(context)]
    Path(arguments.out).write_text(json.dumps(rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
