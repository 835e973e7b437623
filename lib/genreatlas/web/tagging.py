"""Copies of files with their genres in the tags, as a zip; made in a process of its own, bounded in memory and time.

Tags may be made to harm whoever reads them, such as a compressed frame of gigabytes. What a file does to the process
here, it does to its own visitor's zip alone.
"""

import csv
import io
import json
import resource
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from genreatlas.audio.probe import lay_out, open_file
from genreatlas.errors import ClipError, InputError
from genreatlas.redaction import is_formula
from genreatlas.sources.folder.tag_writing import write_genres
from genreatlas.web.rendering import plain

#: The table that lies in the zip beside the files.
TABLE = "genres.csv"
_LONGEST_NAME = 120
_RESERVED = '<>:"/\\|?*'
#: What Python and mutagen hold before a file is read.
_BASE_MB = 400


@dataclass(frozen=True)
class Tagged:
    """A file and the genres that its copy gets.

    Attributes
    ----------
    source : where the file lies.
    name : what it is called in the zip.
    genres : names of its genres, the first one first.
    """

    source: str
    name: str
    genres: tuple[str, ...]


@cache
def available() -> bool:
    """Whether tags can be written here: mutagen, of the extra ``tags``, is no part of the extra ``web``."""
    return find_spec("mutagen") is not None


def file_name(given: str, taken: Collection[str]) -> str:
    """A visitor's name for a file as every file system takes it: no folder, nothing hidden, and not taken yet."""
    name = PurePosixPath(plain(given).replace("\\", "/")).name
    kept = "".join("_" if one in _RESERVED or one == "\ufffd" or not one.isprintable() else one for one in name)
    kept = kept.lstrip(".").strip() or "file"
    stem, dot, ending = kept.rpartition(".")
    if not dot or len(ending) > 5:
        stem, ending = kept, ""
    stem, end = stem[:_LONGEST_NAME].rstrip(" ."), f".{ending}" if ending else ""
    used = {one.casefold() for one in taken}
    found, number = stem + end, 2
    while found.casefold() in used:
        found, number = f"{stem} ({number}){end}", number + 1
    return found


def as_table(rows: Iterable[Sequence[str]], head: Sequence[str]) -> str:
    """Rows as CSV in which no cell is a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    for row in rows:
        writer.writerow([f"'{cell}" if is_formula(cell) else cell for cell in row])
    return text.getvalue()


def make_zip(files: Sequence[Tagged], target: Path, seconds: float, memory_mb: int) -> None:
    """Write a zip of tagged copies.

    Raises
    ------
    InputError : it took too long, or the process was killed at its bound.
    """
    order = json.dumps({"target": str(target), "memory_mb": memory_mb, "files": [asdict(one) for one in files]})
    command = [sys.executable, "-m", "genreatlas.web.tagging"]
    try:
        done = subprocess.run(command, input=order.encode(), capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode:
        target.unlink(missing_ok=True)
        why = "took too long" if done is None else "needs more memory than is given"
        raise InputError(f"The tags of these files cannot be written: it {why}. Send fewer files at once.")


def write_zip(files: Sequence[Tagged], target: Path) -> None:
    """Write a zip of tagged copies, and the table of what was done. Files whose tags cannot be written are as given."""
    rows = []
    copy = target.with_suffix(".copy")
    try:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            for one in files:
                said = _tag(one, copy)
                archive.write(copy, one.name)
                rows.append((one.name, "; ".join(one.genres), said))
            archive.writestr(TABLE, as_table(rows, ("file", "genres", "tags")))
    finally:
        copy.unlink(missing_ok=True)


def _tag(one: Tagged, copy: Path) -> str:
    shutil.copyfile(one.source, copy)
    try:
        with open_file(str(copy)) as file:
            mime = lay_out(file).kind.mime
        write_genres(copy, mime, one.genres)
    except (ClipError, MemoryError) as error:
        shutil.copyfile(one.source, copy)  # half of a change may have been made
        return f"not written: {error.detail or error.reason.value}" if isinstance(error, ClipError) else "not written"
    except Exception as error:  # a fault of the library on a file that was made to find one
        shutil.copyfile(one.source, copy)
        return f"not written: {type(error).__name__}"
    return "written"


def main() -> None:
    """Read an order from the standard input, and carry it out."""
    order = json.load(sys.stdin)
    bound = (order["memory_mb"] + _BASE_MB) << 20
    with suppress(ValueError, OSError):  # a lower bound is set already
        resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
    files = [Tagged(one["source"], one["name"], tuple(one["genres"])) for one in order["files"]]
    write_zip(files, Path(order["target"]))


if __name__ == "__main__":
    main()
