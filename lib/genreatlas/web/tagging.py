"""Zip of copies of uploaded files with genres in their tags."""

import shutil
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from genreatlas.audio.probe import lay_out, open_file
from genreatlas.errors import ClipError, InputError
from genreatlas.sources.folder.tag_writing import write_genres
from genreatlas.values import JsonView
from genreatlas.web.apart import carry_out, run_apart
from genreatlas.web.csv_tables import as_table
from genreatlas.web.rendering import plain

#: Name of the table in the zip.
TABLE = "genres.csv"
_LONGEST_NAME = 120
_RESERVED = '<>:"/\\|?*'


@dataclass(frozen=True)
class Tagged:
    """A file and the genres to write to its copy.

    Attributes
    ----------
    source : path of the file.
    name : name in the zip.
    genres : names of its genres, most probable first.
    """

    source: str
    name: str
    genres: tuple[str, ...]


@cache
def available() -> bool:
    """Whether tags can be written: needs mutagen, which is in the extra ``tags`` but not in the extra ``web``."""
    return find_spec("mutagen") is not None


def file_name(given: str, taken: Collection[str]) -> str:
    """File name that is valid on every file system: without folder and leading dot, and not in ``taken``."""
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


def make_zip(files: Sequence[Tagged], target: Path, seconds: float, memory_mb: int) -> None:
    """Write a zip of tagged copies in a separate process.

    Raises
    ------
    InputError : the time or memory limit was exceeded.
    BusyError : the maximum number of processes is running.
    """
    order = {"target": str(target), "files": [asdict(one) for one in files]}
    try:
        run_apart("genreatlas.web.tagging", order, seconds, memory_mb)
    except InputError:
        target.unlink(missing_ok=True)
        raise


def write_zip(files: Sequence[Tagged], target: Path) -> None:
    """Write a zip of tagged copies and a table of the results; files whose tags cannot be written are unchanged."""
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
        shutil.copyfile(one.source, copy)  # the copy may be partly written
        return f"not written: {error.detail or error.reason.value}" if isinstance(error, ClipError) else "not written"
    except Exception as error:  # malicious files may trigger any error in the library
        shutil.copyfile(one.source, copy)
        return f"not written: {type(error).__name__}"
    return "written"


def _carry_out(target: str, files: Sequence[JsonView]) -> None:
    write_zip([Tagged(one["source"], one["name"], tuple(one["genres"])) for one in files], Path(target))


if __name__ == "__main__":
    carry_out(_carry_out)
