"""Notebooks in source format: their cells, what they find around them, and what they leave."""

import ast
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genreatlas.config import Config
from genreatlas.errors import ConfigError, InputError
from genreatlas.notebook.__main__ import widgets_for
from genreatlas.notebook.opening import config_from_widgets
from genreatlas.notebook.running import Cell, read_notebook, render, run_notebook
from genreatlas.notebook.surroundings import DBUtils, as_html

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


def notebook(folder, *cells):
    path = folder / "one.py"
    path.write_text(
        "# Databricks notebook source\n" + "\n\n# COMMAND ----------\n\n".join(cells) + "\n", encoding="utf-8"
    )
    return path


def test_cells_know_their_language_and_line(tmp_path):
    path = notebook(
        tmp_path, "# MAGIC %md\n# MAGIC # Title\n# MAGIC\n# MAGIC text", "a = 1\n\nb = 2", "# MAGIC %sql SELECT 1"
    )
    assert read_notebook(path) == [
        Cell("md", "# Title\n\ntext", 2),
        Cell("python", "a = 1\n\nb = 2", 9),
        Cell("sql", "SELECT 1", 15),
    ]


def test_a_file_that_is_no_notebook_and_a_magic_that_is_not_run_are_refused(tmp_path):
    (tmp_path / "plain.py").write_text("print(1)\n", encoding="utf-8")
    with pytest.raises(InputError, match="not a notebook"):
        read_notebook(tmp_path / "plain.py")
    with pytest.raises(InputError, match="line 2: the magic %sh is not supported"):
        read_notebook(notebook(tmp_path, "# MAGIC %sh ls"))


def test_what_a_cell_prints_and_displays_stays_in_its_order(tmp_path):
    path = notebook(
        tmp_path,
        "dbutils.widgets.text('n', '3')",
        "print('before')\ndisplayHTML('<b>shown</b>')\nprint('after')\nint(dbutils.widgets.get('n')) + 1",
    )
    ran = run_notebook(path, None, {"n": "41"})
    assert ran.error == ""
    assert ran.widgets == {"n": "41"}
    assert ran.cells[1].outputs == ["<pre>before</pre>", "<b>shown</b>", "<pre>after\n42</pre>"]


def test_a_cell_that_fails_ends_the_run_and_is_on_the_page_with_its_line(tmp_path):
    ran = run_notebook(notebook(tmp_path, "print('one')", "x = 1\n1 / 0", "print('never')"), None, {})
    assert len(ran.cells) == 2
    assert 'one.py", line 7' in ran.error
    assert ran.error.rstrip().endswith("ZeroDivisionError: division by zero")
    assert "ZeroDivisionError" in render(ran)
    assert "never" not in render(ran)


def test_the_page_has_words_code_and_outputs_and_fetches_nothing(tmp_path):
    path = notebook(
        tmp_path,
        "# MAGIC %md\n# MAGIC # A <title>\n# MAGIC | a | b |\n# MAGIC |---|---|\n# MAGIC | 1 | 2 |",
        "print('a < b')",
    )
    page = render(run_notebook(path, None, {}))
    assert "<title>A &lt;title&gt;</title>" in page
    assert "<td>1</td>" in page
    assert "a &lt; b" in page
    assert "<script" not in page
    assert "http" not in page


def test_frames_become_tables_with_numbers_to_the_right_and_nothing_for_null():
    frame = pd.DataFrame(
        {"genre": ["a<b", None], "n": [1200, 3], "score": [0.123456, np.nan], "list": [["x", "y"], []]}
    )
    html = as_html(frame)
    assert "<th class=left>genre</th><th>n</th><th>score</th><th class=left>list</th>" in html
    assert "<td class=left>a&lt;b</td><td>1,200</td><td>0.1235</td><td class=left>x, y</td>" in html
    assert "<td class=left></td><td>3</td><td></td><td class=left></td>" in html
    assert "<th>d</th>" in as_html(pd.DataFrame({"d": [Decimal("87.5")]}))  # SQL rounds literals to decimals
    arrays = pd.DataFrame(
        {"genres": [np.array(["x", "y"]), np.array([])], "at": [np.array([1.5, 2.0]), None]}
    )  # by Arrow
    assert "<td class=left>x, y</td><td class=left>1.5, 2</td>" in as_html(arrays)
    assert "No rows." in as_html(frame.head(0))
    assert "The first 40 rows." in as_html(pd.DataFrame({"n": range(41)}))


def test_widgets_have_defaults_closed_choices_and_no_undeclared_names():
    dbutils = DBUtils({"labels": "all"})
    with pytest.raises(ConfigError, match="choose one of drop, multi"):
        dbutils.widgets.dropdown("labels", "drop", ["drop", "multi"])
    with pytest.raises(ConfigError, match="widget conf is not declared"):
        dbutils.widgets.get("conf")


@pytest.mark.parametrize(
    ("store", "home", "expected"),
    [
        ("", "", ("data/demo/tables", "", "")),
        ("/Volumes/a/b/c", "", ("/Volumes/a/b/c", "", "")),
        ("main.genres", "/Volumes/x/", ("/Volumes/x/tables", "main", "genres")),
        ("genres", "", ("data/demo/tables", "", "genres")),
    ],
)
def test_the_store_widget_takes_a_path_or_a_schema(store, home, expected):
    dbutils = DBUtils({})
    for name, value in {"conf": "conf/demo.toml", "store": store, "home": home}.items():
        dbutils.widgets.text(name, value)
    config: Config = config_from_widgets(dbutils)
    assert (config.store.path, config.store.catalog, config.store.schema_) == expected
    assert str(config.models.path) == (f"{home.rstrip('/')}/models" if home else "data/demo/models")


def test_a_widget_is_set_in_all_notebooks_or_in_one_of_them():
    given = ["conf=a.toml", "02_collect:conf=b.toml", "home=x=y"]
    assert widgets_for(Path("notebooks/02_collect.py"), given) == {"conf": "b.toml", "home": "x=y"}
    assert widgets_for(Path("notebooks/05_sql.py"), given) == {"conf": "a.toml", "home": "x=y"}


def test_a_configuration_file_that_is_nowhere_is_named():
    dbutils = DBUtils({})
    for name, value in {"conf": "conf/none.toml", "store": "", "home": ""}.items():
        dbutils.widgets.text(name, value)
    with pytest.raises(ConfigError, match=r"conf/none\.toml: no such configuration file"):
        config_from_widgets(dbutils)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_defines_nothing_and_says_what_it_is(path):
    cells = read_notebook(path)
    assert cells[0].language == "md"
    assert cells[0].source.startswith("# ")
    for cell in cells:
        if cell.language == "python":
            kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
            assert not [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, kinds)], cell.line
    widgets = path.read_text(encoding="utf-8").split("dbutils.widgets.text(")[1:]
    assert {"conf", "store", "home"} <= {text.split('"')[1] for text in widgets}
