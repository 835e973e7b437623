"""Files to be scored: files below a folder, or files listed in a table."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from genreatlas.errors import InputError, Reason
from genreatlas.sources.folder.listing import AUDIO_NAMES, Finder, list_folder
from genreatlas.sources.tabular import read_table


@dataclass(frozen=True)
class Item:
    """One file: absolute path as bytes, path as text, size in bytes and modification time in ns."""

    path: bytes
    text: str
    size: int
    modified_ns: int


@dataclass(frozen=True)
class Refused:
    """A row of a table without a usable path."""

    place: str
    reason: Reason
    detail: str


def list_items(path: Path, is_audio: Callable[[bytes], bool], encoding: str = "auto") -> Iterator[Item | Refused]:
    """Audio files of a folder, or files of a table with a column ``path``.

    Paths in a table are relative to the table's folder. A missing file has size 0; its failure is reported by scoring.

    Parameters
    ----------
    path : a folder with audio files, or a table; see :func:`genreatlas.sources.tabular.read_table`.
    is_audio : function that checks whether a file with an unusual name is an audio file.
    encoding : encoding of a text table.

    Raises
    ------
    InputError : there is no such folder or table, or the table has no column ``path``.
    """
    if path.is_dir() and not (path / "_SUCCESS").exists():
        yield from _folder(path, is_audio)
    elif path.exists():
        yield from _table(path, encoding)
    else:
        raise InputError(f"{path}: no such folder or table. Set score.path.")


def _folder(path: Path, is_audio: Callable[[bytes], bool]) -> Iterator[Item]:
    listing = list_folder(os.fsencode(path))
    for entry in listing.entries:
        absolute = listing.absolute(entry)
        named = os.path.splitext(entry.path)[1].lower() in AUDIO_NAMES  # noqa: PTH122 - bytes
        if entry.kind == "file" and (named or is_audio(absolute)):
            yield Item(absolute, entry.text, entry.size, entry.modified_ns)


def _table(path: Path, encoding: str) -> Iterator[Item | Refused]:
    raw = read_table(path, "score.path", encoding, pad=True)
    if "path" not in raw.table.column_names:
        raise InputError(f"{path}: has no column path; it has {', '.join(raw.table.column_names)}.")
    for place, why in raw.broken:
        yield Refused(place, Reason.BAD_VALUE, why)
    finder = Finder(os.fsencode(path.parent.absolute()), ())
    first: dict[bytes, str] = {}
    items: list[Item] = []
    for number, (place, row) in enumerate(raw.rows(["path"])):
        text = row["path"]
        if text is None or not str(text).strip():
            yield Refused(place, Reason.BAD_VALUE, "path is empty. Give a path or drop the row.")
            continue
        name = raw.raw.get((number, "path")) or (text if isinstance(text, bytes) else os.fsencode(str(text)))
        file = finder.find(name)
        if file in first:
            yield Refused(place, Reason.DUPLICATE_ROW, f"Names the same file as {first[file]}.")
            continue
        first[file] = place
        shown = name.decode("utf-8", "replace")
        try:
            status = os.stat(file)  # noqa: PTH116 - bytes
            items.append(Item(file, shown, status.st_size, status.st_mtime_ns))
        except (OSError, ValueError):
            items.append(Item(file, shown, 0, 0))
    yield from sorted(items, key=lambda item: item.text)
