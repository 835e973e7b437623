"""Versions of code and packages that produced a row."""

import platform
import subprocess
from functools import cache
from importlib import metadata
from importlib.resources.abc import Traversable
from pathlib import Path

import genreatlas

#: Packages whose version can change a result.
_PACKAGES = (
    "pyspark",
    "delta-spark",
    "numpy",
    "scipy",
    "librosa",
    "soundfile",
    "soxr",
    "numba",
    "scikit-learn",
    "pyarrow",
    "pandas",
)


def package_code(*folders: Traversable) -> list[str]:
    """Contents of the files in package folders, sorted by name; hashed to detect code that changes a result."""
    parts = [part for folder in folders for part in folder.iterdir() if part.is_file()]
    return [part.read_text(encoding="utf-8") for part in sorted(parts, key=lambda part: part.name)]


@cache
def git_commit() -> str | None:
    """Git commit of the code, with ``+`` appended if the working tree has changes; None outside a checkout."""
    folder = Path(genreatlas.__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        if not git("ls-files", "__init__.py"):  # installed below somebody else's repository
            return None
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return None


@cache
def versions() -> dict[str, str]:
    """Versions of Python, this package and the packages of :data:`_PACKAGES` that are installed."""
    found = {"python": platform.python_version(), "genreatlas": genreatlas.__version__}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
