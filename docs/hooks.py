"""What the documentation site takes from outside docs/: the README, the changelog, and the gallery of notebooks.

Used by mkdocs (``mkdocs.yml``); not a page of the site.
"""

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
NOTEBOOKS = ROOT / "data" / "notebooks"

_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie beside docs/, and notebooks as pages where they were run."""
    for name, page in PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_relinked(text)))
    files.append(File.generated(config, "notebooks.md", content=_gallery()))
    for page in sorted(NOTEBOOKS.glob("*.html")) if NOTEBOOKS.exists() else ():
        files.append(File.generated(config, f"notebooks/{page.name}", abs_src_path=str(page)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Name files of the repository instead of linking to them: the site does not hold them."""
    folder = posixpath.dirname(page.file.src_uri)
    return markdown if page.file.generated_by else _relinked(markdown, folder)


def _relinked(text: str, folder: str | None = None) -> str:
    """Links of a page: to pages of the site, or the names of files that are no page.

    Parameters
    ----------
    folder : of the page, below docs/; None: the page lies beside docs/.
    """

    def replace(found: re.Match[str]) -> str:
        image, words, target = found.groups()
        path, _, anchor = target.partition("#")
        if "://" in target or not path:
            return found[0]
        if folder is not None:
            whole = posixpath.normpath(posixpath.join(folder, path))
            return f"{words} (`{whole.removeprefix('../')}`)" if whole.startswith("../") else found[0]
        there = PAGES.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
        if there is None:
            return f"{words} (`{path}`)"
        return f"{image}[{words}]({there}{'#' if anchor else ''}{anchor})"

    return _LINK.sub(replace, text)


def _gallery() -> str:
    lines = [
        "# Notebooks",
        "",
        "Each is a Databricks notebook in the source format, `notebooks/*.py`. `make notebooks` runs them on the",
        "library of `make demo` and writes them as pages; a site that is built after that holds these pages.",
        "",
    ]
    for notebook in sorted((ROOT / "notebooks").glob("[0-9]*.py")):
        page = NOTEBOOKS / f"{notebook.stem}.html"
        name = notebook.stem.partition("_")[2].replace("_", " ")
        shown = f"[{name.capitalize()}](notebooks/{page.name})" if page.exists() else f"**{name.capitalize()}**"
        lines.append(f"- {shown}: {_about(notebook)}")
    return "\n".join(lines) + "\n"


def _about(notebook: Path) -> str:
    """First paragraph of a notebook's first text cell, or of its docstring."""
    text = notebook.read_text(encoding="utf-8")
    if said := ast.get_docstring(ast.parse(text)):
        return said.split("\n\n")[0].replace("\n", " ")
    cell = re.search(r"# MAGIC %md\n((?:# MAGIC.*\n)+)", text)
    lines = [line.removeprefix("# MAGIC").strip() for line in cell[1].splitlines()] if cell else []
    plain = [line for line in lines if line and not line.startswith("#")]
    return plain[0] if plain else ""
