"""Which code and which packages made a row."""

import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

import genreatlas

#: Packages whose version can change a figure.
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


@cache
def git_commit() -> str | None:
    """Commit of the code, with ``+`` where its tree has changes; None outside a checkout."""
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
    """Versions of Python, of this package and of those that compute."""
    found = {"python": platform.python_version(), "genreatlas": genreatlas.__version__}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
