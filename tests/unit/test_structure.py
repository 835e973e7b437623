"""Promises about the code itself that no single module can keep."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = sorted((ROOT / "lib" / "genreatlas").rglob("*.py"))
CODE = [*PACKAGE, *sorted((ROOT / "jobs").glob("*.py")), *sorted((ROOT / "tests").rglob("*.py"))]


def relative(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_no_file_outgrows_what_one_can_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500
    assert path.name != "utils.py"


@pytest.mark.parametrize("path", PACKAGE, ids=relative)
def test_nothing_is_used_that_spark_connect_lacks(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    called = {node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and hasattr(node.func, "attr")}
    assert not used & {"sparkContext", "rdd", "accumulator", "_jvm", "_jdf", "_sc", "_jsc"}
    assert not called & {"broadcast", "cache", "persist"}


@pytest.mark.parametrize("path", PACKAGE, ids=relative)
def test_only_session_py_builds_a_session(path):
    if path.name not in ("session.py", "setup_jars.py"):
        assert "SparkSession.builder" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PACKAGE, ids=relative)
def test_only_the_store_writes_tables(path):
    if path.parent.name not in ("store", "web"):  # the site never sees Spark; its SQL is SQLite's
        assert not re.search(
            r"\.saveAsTable\(|\.write\.format\(|MERGE INTO|INSERT INTO", path.read_text(encoding="utf-8")
        )


@pytest.mark.parametrize("path", PACKAGE, ids=relative)
def test_no_stored_column_is_renamed(path):
    """Delta renames only with column mapping, and with it another reader returned NULL for every row."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"RENAME\s+COLUMN|delta\.columnMapping|DROP\s+COLUMN|REPLACE\s+COLUMNS", text, re.IGNORECASE)


@pytest.mark.parametrize("path", PACKAGE, ids=relative)
def test_what_shows_or_prepares_takes_a_reader_with_which_nothing_can_be_written(path):
    if path.parent.name in ("report", "explore", "datasets"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert "Store" not in {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("path", PACKAGE, ids=relative)
def test_nothing_but_the_layouts_asks_which_layout_a_set_has(path):
    names = {"summary", "vector", "frames", "events", "quantised", "codes"}
    constants = {"SUMMARY", "VECTOR", "FRAMES", "EVENTS", "QUANTISED", "CODES"}
    if path.name == "layouts.py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare | ast.Match):
            words = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
            used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            assert not (words & names or used & constants), f"line {node.lineno}: give the layout a method instead"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not re.search(r"\baxis\b *(=|<>|!=|IN) *['(]", node.value), f"line {node.lineno}: ask the layouts"


def test_a_job_is_nothing_but_the_door():
    for path in (ROOT / "jobs").glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 15, path


def test_every_step_has_a_job_and_every_job_a_step():
    from genreatlas.cli import JOBS

    assert sorted(path.stem for path in (ROOT / "jobs").glob("*.py")) == sorted(JOBS)


def test_steps_has_nothing_but_steps():
    jobs = {path.stem for path in (ROOT / "jobs").glob("*.py")}
    for path in (ROOT / "lib" / "genreatlas" / "steps").glob("[!_]*.py"):
        named = set()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            match node:
                case ast.FunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                    named.add(name)
                case ast.Assign(targets=[ast.Name(id=name)]):
                    named.add(name)
                case ast.ImportFrom(module=module):
                    assert not module.startswith("genreatlas.steps"), path
        assert {"check", "run", "READS", "WRITES", "SECTIONS"} <= named, path
        assert path.stem in jobs, path


def test_nobody_but_an_engine_compares_the_name_of_an_engine_or_its_format():
    from genreatlas.models.engines import BUILT_IN

    own = ROOT / "lib" / "genreatlas" / "models" / "engines"
    names = {one for engine in BUILT_IN for one in (engine.name, *engine.formats)} - {"json"}
    found = []
    for path in [path for path in PACKAGE if own not in path.parents]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_choice = isinstance(node, ast.Compare | ast.MatchValue) or (
                isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("isin", "eq", "ne")
            )
            texts = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)} if is_choice else set()
            found += [f"{relative(path)}:{node.lineno}: {name}" for name in texts & names]
    for path in (ROOT / "lib" / "genreatlas").rglob("*.j2"):
        compared = re.findall(r"[=!]=\s*[\"'](\w+(?:-\w+)?)", path.read_text(encoding="utf-8"))
        found += [f"{relative(path)}: {name}" for name in compared if name in names]
    assert found == []


def test_the_engines_that_a_configuration_may_name_are_those_that_are_registered():
    from genreatlas.config import ENGINES
    from genreatlas.models.engines import BUILT_IN

    assert set(ENGINES) == {engine.name for engine in BUILT_IN}
    for engine in BUILT_IN:
        assert {entry.engine for entry in engine.quick} <= {engine.name}
