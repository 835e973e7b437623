"""Read the source format of Databricks notebooks: a Python file whose comments say where a cell ends.

References: Databricks, "Export and import Databricks notebooks" (source format).
"""

from dataclasses import dataclass
from pathlib import Path

from genreatlas.errors import InputError

_FIRST = "# Databricks notebook source"
_BREAK = "# COMMAND ----------"
_MAGIC = "# MAGIC"
LANGUAGES = ("md", "sql", "python")


@dataclass(frozen=True)
class Cell:
    """One cell: ``language`` is python, md or sql; ``line`` is where its source begins in the file, from 1."""

    language: str
    source: str
    line: int


def read_notebook(path: Path) -> list[Cell]:
    """The cells of a notebook, without empty ones.

    Raises
    ------
    InputError : the file is no notebook, or has a magic that is not run here.
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
        raise InputError(f"{path} line {line}: the magic %{language} is not run here. Use {', '.join(LANGUAGES)}.")
    return [Cell(language, "\n".join(part for part in (first, rest) if part).strip("\n"), line)]
