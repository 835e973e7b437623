"""Run the cells of a notebook one after the other in one namespace, and keep what each shows."""

import ast
import contextlib
import io
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from genreatlas.notebook.source import Cell, read_notebook
from genreatlas.notebook.surroundings import DBUtils, as_html, display


@dataclass
class Shown:
    """A cell that ran: its outputs as HTML, and how long it took. ``error`` has the traceback where it failed."""

    cell: Cell
    outputs: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class Ran:
    """A notebook that ran, up to its end or to the first cell that failed."""

    path: Path
    cells: tuple[Shown, ...]
    widgets: Mapping[str, str]

    @property
    def error(self) -> str:
        """Traceback of the cell that failed; empty where all went well."""
        return next((shown.error for shown in self.cells if shown.error), "")


def run_notebook(path: Path, spark: SparkSession, widgets: Mapping[str, str]) -> Ran:
    """Run a notebook.

    Parameters
    ----------
    path : a notebook in source format.
    spark : the session that it finds as ``spark``.
    widgets : values for parameters, in place of the notebook's defaults.

    Raises
    ------
    InputError : the file is no notebook.
    """
    cells = read_notebook(path)
    dbutils = DBUtils(widgets)
    current: list[str] = []

    def show(html: str) -> None:
        sys.stdout.flush()  # what was printed before stands before
        current.append(html)

    namespace: dict[str, Any] = {
        "__name__": "__main__",
        "spark": spark,
        "dbutils": dbutils,
        "display": display(show),
        "displayHTML": show,
    }
    done: list[Shown] = []
    for cell in cells:
        shown = Shown(cell)
        done.append(shown)
        current.clear()
        started = time.monotonic()
        if cell.language != "md":
            shown.error = _run(cell, path, namespace, current, spark)
        shown.seconds = time.monotonic() - started
        shown.outputs = list(current)
        if shown.error:
            break
    return Ran(path, tuple(done), dbutils.widgets.values)


def _run(cell: Cell, path: Path, namespace: dict[str, Any], outputs: list[str], spark: SparkSession) -> str:
    written = _Written(outputs)
    try:
        with contextlib.redirect_stdout(written):
            if cell.language == "sql":
                outputs.append(as_html(spark.sql(cell.source)))
            else:
                _execute(cell, path, namespace)
    except Exception:
        written.flush()
        return traceback.format_exc()
    written.flush()
    return ""


def _execute(cell: Cell, path: Path, namespace: dict[str, Any]) -> None:
    """Run a cell; the value of a last line that is an expression is shown, as notebooks do."""
    tree = ast.parse("\n" * (cell.line - 1) + cell.source, filename=str(path))
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        del tree.body[-1]
    exec(compile(tree, str(path), "exec"), namespace)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), str(path), "eval"), namespace)
        if value is not None:
            print(value)
    sys.stdout.flush()


class _Written(io.StringIO):
    """What a cell prints, in its place between what it displays."""

    def __init__(self, outputs: list[str]) -> None:
        super().__init__()
        self._outputs = outputs

    def flush(self) -> None:
        """Move what was printed to the outputs."""
        if text := self.getvalue().rstrip():
            self._outputs.append(f"<pre>{escape(text)}</pre>")
        self.seek(0)
        self.truncate(0)
