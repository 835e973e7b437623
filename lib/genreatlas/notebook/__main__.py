"""``python -m genreatlas.notebook FILE... [--out FOLDER] [--set [notebook:]widget=value]...``: leave HTML."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from genreatlas.config import SparkSection
from genreatlas.errors import GenreAtlasError
from genreatlas.notebook.running import render, run_notebook
from genreatlas.redaction import shown
from genreatlas.session import get_spark


def main() -> None:
    """Run the notebooks in order; stop at the first that fails."""
    parser = argparse.ArgumentParser(prog="python -m genreatlas.notebook", description=__doc__)
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="FILE", help="notebook in source format")
    parser.add_argument(
        "--out", type=Path, default=Path("data/notebooks"), metavar="FOLDER", help="folder for the HTML files"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="[NOTEBOOK:]WIDGET=VALUE",
        help="value of a widget, in all notebooks or in one, such as 02_collect:conf=conf/fanout.toml",
    )
    parsed = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parsed.out.mkdir(parents=True, exist_ok=True)
    try:
        spark = get_spark(SparkSection())
        for path in parsed.notebooks:
            ran = run_notebook(path, spark, widgets_for(path, parsed.set))
            target = parsed.out / f"{path.stem}.html"
            target.write_text(render(ran), encoding="utf-8")
            print(f"{path}: {target}{' FAILED' if ran.error else ''}", flush=True)
            if ran.error:
                sys.exit(ran.error)
    except GenreAtlasError as problem:
        print(f"genreatlas: {shown(problem)}", file=sys.stderr)
        sys.exit(problem.exit_code)


def widgets_for(path: Path, given: Sequence[str]) -> dict[str, str]:
    """Values of a notebook's widgets; values given for this notebook take precedence over values given for all."""
    pairs = [pair.partition("=")[::2] for pair in given]
    to_all = {name: value for name, value in pairs if ":" not in name}
    own = {name.partition(":")[2]: value for name, value in pairs if name.partition(":")[0] == path.stem}
    return to_all | own


if __name__ == "__main__":
    main()
