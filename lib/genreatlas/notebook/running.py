"""Run the cells of a notebook in order in one namespace, and render their outputs as one HTML file.

A notebook is a Python file in the source format of Databricks, in which comments separate cells. The HTML makes no
requests and contains no scripts.

References: Databricks, "Export and import Databricks notebooks" (source format).
"""

import ast
import contextlib
import io
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from genreatlas.errors import InputError
from genreatlas.notebook.surroundings import DBUtils, as_html, display

LANGUAGES = ("md", "sql", "python")

_FIRST = "# Databricks notebook source"
_BREAK = "# COMMAND ----------"
_MAGIC = "# MAGIC"


@dataclass(frozen=True)
class Cell:
    """One cell: ``language`` is python, md or sql; ``line`` is the first line of its source in the file, from 1."""

    language: str
    source: str
    line: int


@dataclass
class Shown:
    """A cell that was run: its outputs as HTML, and its run time. ``error`` is the traceback if it failed."""

    cell: Cell
    outputs: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class Ran:
    """A notebook that was run, up to its end or to the first cell that failed."""

    path: Path
    cells: tuple[Shown, ...]
    widgets: Mapping[str, str]

    @property
    def error(self) -> str:
        """Traceback of the cell that failed; empty if all succeeded."""
        return next((shown.error for shown in self.cells if shown.error), "")


def read_notebook(path: Path) -> list[Cell]:
    """The cells of a notebook, without empty ones.

    Raises
    ------
    InputError : the file is not a notebook, or contains an unsupported magic command.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0].strip() != _FIRST:
        raise InputError(f"{path}: not a notebook: its first line is not {_FIRST!r}")
    cells: list[Cell] = []
    start = 1
    for index in range(1, len(lines) + 1):
        if index == len(lines) or lines[index].strip() == _BREAK:
            cells += _cell(path, lines[start:index], start + 1)
            start = index + 1
    return cells


def run_notebook(path: Path, spark: SparkSession, widgets: Mapping[str, str]) -> Ran:
    """Run a notebook.

    Parameters
    ----------
    path : a notebook in source format.
    spark : the session, available to the notebook as ``spark``.
    widgets : values of widgets, instead of the notebook's defaults.

    Raises
    ------
    InputError : the file is not a notebook.
    """
    cells = read_notebook(path)
    dbutils = DBUtils(widgets)
    current: list[str] = []

    def show(html: str) -> None:
        sys.stdout.flush()  # keeps the order of printed and displayed outputs
        current.append(html)

    namespace: dict[str, object] = {
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


def render(ran: Ran) -> str:
    """Render the notebook with its outputs as an HTML page."""
    style = (files("genreatlas.notebook") / "notebook.css").read_text(encoding="utf-8")
    title = next((c.cell.source.lstrip("# ").splitlines()[0] for c in ran.cells if c.cell.language == "md"), "")
    widgets = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v) or '–'}</dd></div>" for k, v in ran.widgets.items())
    parameters = f"<dl class=widgets>{widgets}</dl>" if widgets else ""
    body = [_cell_html(shown) for shown in ran.cells]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title or ran.path.stem)}</title><style>{style}</style></head><body>"
        f"<header><p class=file>{escape(ran.path.name)}</p>{parameters}</header><main>{''.join(body)}</main>"
        "</body></html>\n"
    )


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


def _execute(cell: Cell, path: Path, namespace: dict[str, object]) -> None:
    """Run a cell; if its last statement is an expression, print its value, as notebooks do."""
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
    """Standard output of a cell, inserted between displayed outputs in order."""

    def __init__(self, outputs: list[str]) -> None:
        super().__init__()
        self._outputs = outputs

    def flush(self) -> None:
        """Move the printed text to the outputs."""
        if text := self.getvalue().rstrip():
            self._outputs.append(f"<pre>{escape(text)}</pre>")
        self.seek(0)
        self.truncate(0)


def _cell(path: Path, lines: list[str], line: int) -> list[Cell]:
    while lines and not lines[0].strip():
        lines, line = lines[1:], line + 1
    text = "\n".join(lines).rstrip()
    if not text:
        return []
    if not text.startswith(_MAGIC):
        return [Cell("python", text, line)]
    stripped = "\n".join(row.removeprefix(_MAGIC).removeprefix(" ") for row in text.splitlines())
    word, _, rest = stripped.removeprefix("%").partition("\n") if "\n" in stripped else (stripped[1:], "", "")
    language, _, first = word.partition(" ")
    if not stripped.startswith("%") or language not in LANGUAGES:
        raise InputError(f"{path} line {line}: the magic %{language} is not supported. Use {', '.join(LANGUAGES)}.")
    return [Cell(language, "\n".join(part for part in (first, rest) if part).strip("\n"), line)]


def _cell_html(shown: Shown) -> str:
    if shown.cell.language == "md":
        return f"<section class=words>{_markdown(shown.cell.source)}</section>"
    outputs = "".join(f"<div class=output>{output}</div>" for output in shown.outputs)
    error = f"<pre class=error>{escape(shown.error)}</pre>" if shown.error else ""
    seconds = f"<small>{shown.seconds:.1f} s</small>" if shown.seconds >= 1 else ""
    return (
        f"<section class=cell><div class=source>{_code(shown.cell.source, shown.cell.language)}{seconds}</div>"
        f"{outputs}{error}</section>"
    )


def _markdown(text: str) -> str:
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark").enable("table").render(text))


def _code(source: str, language: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name

    return str(highlight(source, get_lexer_by_name(language), HtmlFormatter(nowrap=False, cssclass="code")))
