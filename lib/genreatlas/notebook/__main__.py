"""``python -m genreatlas.notebook FILE... [--out FOLDER] [--set widget=value]...``: run notebooks, leave HTML."""

import argparse
import os
import sys
from pathlib import Path

from genreatlas.config import SparkSection
from genreatlas.errors import GenreAtlasError
from genreatlas.notebook.page import render
from genreatlas.notebook.running import run_notebook
from genreatlas.session import get_spark


def main() -> None:
    """Run the notebooks in order; stop at the first that fails."""
    parser = argparse.ArgumentParser(prog="python -m genreatlas.notebook", description=__doc__)
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="FILE", help="notebook in source format")
    parser.add_argument("--out", type=Path, default=Path("data/notebooks"), metavar="FOLDER", help="where HTML goes")
    parser.add_argument("--set", action="append", default=[], metavar="WIDGET=VALUE", help="value of a widget")
    parsed = parser.parse_args()
    widgets = dict(pair.split("=", 1) for pair in parsed.set)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parsed.out.mkdir(parents=True, exist_ok=True)
    try:
        spark = get_spark(SparkSection())
        for path in parsed.notebooks:
            ran = run_notebook(path, spark, widgets)
            target = parsed.out / f"{path.stem}.html"
            target.write_text(render(ran), encoding="utf-8")
            print(f"{path}: {target}{' FAILED' if ran.error else ''}", flush=True)
            if ran.error:
                sys.exit(ran.error)
    except GenreAtlasError as problem:
        print(f"genreatlas: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)


if __name__ == "__main__":
    main()
