"""The class :class:`Problem`, and checks of paths and packages that several steps share.

The checks return a list with the problem, or an empty list.
"""

import importlib.util
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from genreatlas.audio.feature_sets import FEATURE_SETS
from genreatlas.audio.layouts import get_layout
from genreatlas.config.joined import members_of
from genreatlas.errors import GenreAtlasError


@dataclass(frozen=True)
class Problem:
    """An error, or a warning.

    Attributes
    ----------
    text : the key, what is wrong, and what to do.
    path : the missing file or folder, if that is the error: an earlier step of the job may create it.
    warning : whether the job can run in spite of the problem.
    """

    text: str
    path: Path | None = None
    warning: bool = False

    def __str__(self) -> str:
        return self.text


def raised(check: Callable[..., object], *arguments: object) -> list[Problem]:
    """Problem with the message of the error that a function raises."""
    try:
        result = check(*arguments)
        if isinstance(result, Iterator):
            list(result)
    except GenreAtlasError as error:
        return [Problem(str(error))]
    return []


def missing(key: str, path: Path, what: str = "file or folder") -> list[Problem]:
    """Problem if a path does not exist; ``what`` is "file", "folder" or "file or folder"."""
    try:
        if {"file": path.is_file, "folder": path.is_dir}.get(what, path.exists)():
            return []
        other = path.exists()
    except OSError as error:
        return [Problem(f"{key} = {path}: cannot be read: {error.strerror}.", path)]
    text = f"is not a {what}" if other else f"no such {what}"
    return [Problem(f"{key} = {path}: {text}. Set {key}.", None if other else path)]


def not_compared(key: str, feature_set: str, compared: str) -> list[Problem]:
    """Problems of a set or joined sets that cannot be used to compare songs or genres (``compared``, a plural)."""
    found = []
    for member in members_of(feature_set):
        known = FEATURE_SETS.get(member)  # None for imported tables
        if known is not None and not get_layout(known.axis).joins:
            text = f"{key}: {member} holds {known.axis}; {compared} are compared by one row of numbers per clip."
            found.append(Problem(f"{text} Name a summary or a vector."))
    return found


def encoding(key: str, name: str) -> list[Problem]:
    """Problem if a name is neither a text encoding nor "auto"."""
    try:
        if name != "auto":
            "".encode(name)
        return []
    except LookupError:  # also raised for codecs that are not text encodings, such as base64
        return [
            Problem(f"{key} = {name!r}: no such encoding. Valid: auto, or a name that Python knows, such as cp1251.")
        ]


def not_writable(key: str, path: Path) -> list[Problem]:
    """Problem if a folder cannot be created or written to; tested with a temporary file in its nearest parent."""
    place = path.absolute()
    try:
        while not place.exists():
            place = place.parent
        if not place.is_dir():
            return [Problem(f"{key} = {path}: {place} is a file, so the folder cannot be created. Set {key}.")]
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return [Problem(f"{key} = {path}: {place} cannot be written to ({error.strerror}). Set {key}.")]
    return []


def not_installed(module: str, why: str, package: str = "") -> list[Problem]:
    """Problem if a package that a setting needs is not installed."""
    if importlib.util.find_spec(module) is not None:
        return []
    return [Problem(f"{why} needs {module}, which is not installed: pip install {package or module}")]


def sandbox_lacks(why: str, *modules: str) -> list[Problem]:
    """Problem of the first of some packages of the extra ``sandbox`` that is not installed."""
    return [problem for module in modules for problem in not_installed(module, why, "'genreatlas[sandbox]'")][:1]


def is_address(text: str) -> bool:
    """Whether a text is a URL, such as https://host, s3://bucket or dbfs:/folder, rather than a local path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", text) is not None
