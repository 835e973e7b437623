"""The wheel brings everything that a job needs, and leaves a managed runtime's packages as they are."""

import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "tests" / "resources" / "databricks_17_3_lts.txt"
#: What markers see there.
THERE = {"python_version": "3.12", "python_full_version": "3.12.3", "sys_platform": "linux", "platform_system": "Linux"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of what is in the repository, so that nothing is left beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "lib", folder / "lib", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    options = ["-q", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, "-w", folder / "dist", folder], check=True)
    (built,) = (folder / "dist").glob("genreatlas-*.whl")
    with zipfile.ZipFile(built) as archive:
        yield archive


@pytest.fixture(scope="module")
def metadata(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return HeaderParser().parsestr(wheel.read(name).decode())


@pytest.fixture(scope="module")
def needed(metadata):
    """What the wheel asks for, with the extra that is of use on a managed runtime."""
    asked = [Requirement(line) for line in metadata.get_all("Requires-Dist")]
    extras = ("", "mlflow")
    return [r for r in asked if not r.marker or any(r.marker.evaluate(THERE | {"extra": extra}) for extra in extras)]


@pytest.fixture(scope="module")
def runtime():
    lines = [line for line in RUNTIME.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def everything_needed(asked, runtime):
    """Requirements, and those of the packages that would be installed for them, as these are installed here.

    What the runtime has stays, if it is allowed to: what it needs is there already.
    """
    waiting, found, seen = [(one, "genreatlas") for one in asked], [], set()
    while waiting:
        requirement, asker = waiting.pop()
        name = canonicalize_name(requirement.name)
        found.append((requirement, asker))
        if name in runtime or (name, *requirement.extras) in seen:
            continue
        seen.add((name, *requirement.extras))
        try:
            more = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:  # for another Python than the tests'
            continue
        for extra in ("", *requirement.extras):
            waiting += [(one, name) for one in more if not one.marker or one.marker.evaluate(THERE | {"extra": extra})]
    return found


def test_the_wheel_has_every_file_that_the_package_reads(wheel):
    package = ROOT / "lib" / "genreatlas"
    there = {path.relative_to(package.parent).as_posix() for path in package.rglob("*") if path.is_file()}
    there = {name for name in there if "__pycache__" not in name}
    assert there <= set(wheel.namelist())
    assert {"genreatlas/sql/leaderboard.sql", "genreatlas/notebook/notebook.css"} <= there


def test_it_sets_no_upper_bound_on_what_a_runtime_has_and_never_asks_for_spark(needed, runtime):
    assert len(needed) > 10
    bounded = {r.name for r in needed if [one.operator for one in r.specifier] != [">="]}
    assert bounded == {"prettytable"} and not bounded & runtime.keys()
    named = {canonicalize_name(requirement.name) for requirement, _ in everything_needed(needed, {})}
    assert {"librosa", "numba", "scikit-learn", "mlflow-skinny"} <= named
    assert not {name for name in named if re.search(r"spark|delta", name)}


def test_nothing_that_the_oldest_runtime_has_would_be_replaced(needed, runtime):
    assert len(runtime) > 200
    asked = everything_needed(needed, runtime)
    there = [
        (r, asker, runtime[canonicalize_name(r.name)]) for r, asker in asked if canonicalize_name(r.name) in runtime
    ]
    assert len(there) > 20
    replaced = [f"{asker} wants {r}, the runtime has {has}" for r, asker, has in there if has not in r.specifier]
    assert replaced == []


def test_the_documents_name_the_runtime_whose_packages_these_are():
    assert "17.3 LTS is the oldest" in (ROOT / "docs" / "databricks.md").read_text(encoding="utf-8")
    assert "Databricks Runtime 17.3 LTS" in RUNTIME.read_text(encoding="utf-8")
