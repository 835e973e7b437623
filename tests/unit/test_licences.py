"""docs/licences.md names every dependency with its licence, and the wheel needs none under the GPL."""

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from genreatlas import cli
from genreatlas.config import load_config
from genreatlas.errors import ConfigError
from genreatlas.steps import compose_library

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ROW = re.compile(r"^\| ([\w.-]+) \| ([^|]+) \| (.+) \|$", re.MULTILINE)
COPYLEFT = re.compile(r"GPL|GNU|EUPL|CDDL|SSPL", re.IGNORECASE)


def table() -> dict[str, str]:
    rows = ROW.findall((ROOT / "docs" / "licences.md").read_text(encoding="utf-8"))
    return {canonicalize_name(name): licence for name, licence, _ in rows if name != "package"}


def names(lines) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in lines}


def stated(name: str) -> str:
    """Everything that a package's metadata says of its licence."""
    found = metadata(name)
    classifiers = [line for line in found.get_all("Classifier") or () if line.startswith("License ::")]
    first = (found.get("License") or "").strip().splitlines()[:1]
    text = " ".join([found.get("License-Expression") or "", *classifiers, *first])
    if text.strip() in ("", "License :: OSI Approved"):  # such as skops, whose licence is in its file alone
        files = [file for file in metadata_files(name) if "licen" in file.name.lower()]
        text = " ".join(file.read_text() for file in files)
    return text


def metadata_files(name: str):
    from importlib.metadata import files

    return files(name) or []


def test_every_dependency_stands_in_the_table_and_nothing_else():
    extras = PROJECT["optional-dependencies"].values()
    assert set(table()) == names(PROJECT["dependencies"]).union(*map(names, extras))


def test_each_licence_is_the_one_that_the_package_states():
    wrong = []
    for name, licence in table().items():
        words = stated(name)
        if licence.lower() not in words.lower() and licence.split("-")[0].lower() not in words.lower():
            wrong.append(f"{name}: {licence}, but it states {words[:80]}")
    assert wrong == []


def test_the_wheel_needs_nothing_under_the_gpl_and_only_soxr_under_the_lgpl():
    waiting, seen = list(names(PROJECT["dependencies"])), {}
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        try:
            seen[name] = stated(name)
        except PackageNotFoundError:  # for another Python or platform
            continue
        lines = [Requirement(line) for line in requires(name) or ()]
        waiting += [canonicalize_name(r.name) for r in lines if not r.marker or r.marker.evaluate({"extra": ""})]
    assert len(seen) > 30
    assert {name for name, licence in seen.items() if COPYLEFT.search(licence[:400])} == {"soxr"}


def test_extras_under_the_gpl_are_needed_by_no_other():
    extras = PROJECT["optional-dependencies"]
    assert {extra for extra, lines in extras.items() if "mutagen" in names(lines)} == {"tags", "sandbox", "local"}
    assert {extra for extra, lines in extras.items() if "lameenc" in names(lines)} == {"sandbox", "local"}


def test_without_the_extra_the_composer_says_what_to_install_and_every_job_is_listed(tmp_path, monkeypatch, capsys):
    for name in ("lameenc", "mutagen", "mutagen.id3"):
        monkeypatch.setitem(sys.modules, name, None)
    small = ("artists_per_genre=1", "songs_per_artist=1", 'genres=["house"]', "seconds=2", f"path={tmp_path}/music")
    with pytest.raises(ConfigError, match=r"needs lameenc.*genreatlas\[sandbox\]"):
        compose_library.run(None, load_config([], [f"sandbox.{setting}" for setting in small]))
    monkeypatch.setattr(sys, "argv", ["genreatlas", "--help"])
    with pytest.raises(SystemExit, match="0"):
        cli.console()
    assert "import_folder" in capsys.readouterr().out
