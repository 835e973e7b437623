"""Which files are to be scored: those below a folder, or those that a table lists."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from genreatlas.errors import InputError
from genreatlas.sources.folder.listing import AUDIO_NAMES, list_folder


@dataclass(frozen=True)
class Item:
    """One file: its absolute path as bytes, a path to read, size (byte) and modification time (ns)."""

    path: bytes
    text: str
    size: int
    modified_ns: int


def list_items(path: Path, is_audio: Callable[[bytes], bool]) -> Iterator[Item]:
    """Files of a folder that hold audio, or of a CSV or Parquet table with a column ``path``.

    Paths in a table are relative to the table. A file that a table lists and that is missing has the size 0: it is
    for the scoring to say so.

    Parameters
    ----------
    is_audio : tells whether a file with an unusual name holds audio all the same.

    Raises
    ------
    InputError : there is no such folder or table, or the table has no column path.
    """
    if path.is_dir():
        yield from _folder(path, is_audio)
    elif path.is_file():
        yield from _table(path)
    else:
        raise InputError(f"{path}: no such folder or table. Set score.path.")


def _folder(path: Path, is_audio: Callable[[bytes], bool]) -> Iterator[Item]:
    listing = list_folder(os.fsencode(path))
    for entry in listing.entries:
        absolute = listing.absolute(entry)
        named = os.path.splitext(entry.path)[1].lower() in AUDIO_NAMES  # noqa: PTH122 - bytes
        if entry.kind == "file" and (named or is_audio(absolute)):
            yield Item(absolute, entry.text, entry.size, entry.modified_ns)


def _table(path: Path) -> Iterator[Item]:
    try:
        rows = pd.read_parquet(path) if path.suffix.lower() == ".parquet" else pd.read_csv(path, dtype=str)
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: cannot be read as CSV or Parquet: {str(error).splitlines()[0]}") from None
    if "path" not in rows.columns:
        raise InputError(f"{path}: has no column path; it has {', '.join(map(str, rows.columns))}.")
    for name in sorted(set(rows["path"].dropna().astype(str))):
        file = path.parent.absolute() / name
        try:
            status = file.stat()
            yield Item(os.fsencode(file), name, status.st_size, status.st_mtime_ns)
        except OSError:
            yield Item(os.fsencode(file), name, 0, 0)
