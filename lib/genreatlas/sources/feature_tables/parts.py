"""Parts of a published split, given by a column of the table or by lists of ids."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pandas as pd

from genreatlas.errors import ConfigError, InputError, SplitLeakError
from genreatlas.sources.tabular import open_text
from genreatlas.sources.tabular.formats import repaired

#: Part by its name in sources.
PARTS = {
    "train": "train", "training": "train",
    "promotion": "promotion", "valid": "promotion", "validation": "promotion", "val": "promotion", "dev": "promotion",
    "test": "test", "testing": "test", "eval": "test",
}  # fmt: skip


def read_lists(lists: Mapping[str, Path]) -> dict[str, tuple[str, list[str]]]:
    """Read lists of ids, one per line; blank lines and lines that start with ``#`` are skipped.

    Returns
    -------
    dict : part and entries by name of the list.

    Raises
    ------
    ConfigError : a list's name is not a part.
    InputError : a file is missing or empty.
    """
    found = {}
    for name, path in lists.items():
        if name.lower() not in PARTS:
            raise ConfigError(f"[import_features] split_lists: {name!r} is not a part. Valid: {', '.join(PARTS)}.")
        text, _ = open_text(path, "import_features.split_lists")
        lines = [repaired(line).strip() for line in text()]
        entries = [line for line in lines if line and not line.startswith("#")]
        if not entries:
            raise InputError(f"[import_features] split_lists.{name}: {path} is empty.")
        found[name] = (PARTS[name.lower()], entries)
    return found


def listed_parts(rows: pd.DataFrame, lists: Mapping[str, tuple[str, list[str]]]) -> tuple[pd.Series, list[str]]:
    """Find the part of every row in lists of ids.

    An entry matches a row by its id or its song: first in full, then without folders (``blues/blues.00029.wav`` matches
    ``blues.00029.wav``), then also without the suffix.

    Parameters
    ----------
    rows : columns id and song.
    lists : result of :func:`read_lists`.

    Returns
    -------
    Part of each row (None if it is in no list), and lines on unmatched entries and rows.

    Raises
    ------
    InputError : no entry of a list matches a row, or a row is in lists of different parts.
    """
    parts = pd.Series(None, index=rows.index, dtype=object)
    met: set[str] = set()
    for form in (str, _base, _stem):
        named: dict[str, set[str]] = {}
        for part, entries in lists.values():
            for entry in entries:
                named.setdefault(form(entry), set()).add(part)
        for column in ("id", "song"):
            keys = rows[column].map(form)
            hits = parts.isna() & keys.isin(named)
            for key in sorted(set(keys[hits])):
                if len(named[key]) > 1:
                    raise InputError(f"[import_features] split_lists: {key} is in several lists. Leave it in one.")
            parts[hits] = keys[hits].map(lambda key: min(named[key]))  # noqa: B023 - used at once
            met |= {form(key) for key in keys[hits]}
    notes = []
    for name, (_, entries) in lists.items():
        unmet = [entry for entry in entries if not {entry, _base(entry), _stem(entry)} & met]
        if len(unmet) == len(entries):
            raise InputError(
                f"[import_features] split_lists.{name}: none of its {len(entries)} entries is an id of the table, "
                f"such as {entries[0]!r}. Ids look like {rows['id'].iloc[0]!r}."
            )
        if unmet:
            notes.append(f"split_lists.{name}: {len(unmet)} of {len(entries)} entries are not in the table")
    if missed := int(parts.isna().sum()):
        notes.append(f"{missed} rows are in no list of the split; assign_splits assigns their parts")
    return parts, notes


def song_parts(songs: pd.Series, parts: pd.Series, ignore: bool) -> pd.Series:
    """Part of every song whose rows are all in the same part.

    Parameters
    ----------
    songs, parts : song and part of each row.
    ignore : leave songs with rows in several parts out instead of raising.

    Raises
    ------
    SplitLeakError : rows of one song are in several parts, and ``ignore`` is False.
    """
    given = pd.DataFrame({"song": songs, "part": parts}).dropna().drop_duplicates()
    torn = sorted(set(given.loc[given["song"].duplicated(), "song"]))
    if torn and not ignore:
        raise SplitLeakError(
            f"the declared split divides {len(torn)} songs, whose rows are in several parts: {', '.join(torn[:5])}. "
            'Set [splits] declared = "ignore" to assign new parts.'
        )
    return given[~given["song"].isin(torn)].set_index("song")["part"]


def _base(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name or name


def _stem(name: str) -> str:
    return PurePosixPath(_base(name)).stem
