"""Genres from the metadata of the Free Music Archive dataset: ``tracks.csv`` and ``genres.csv``.

References: Defferrard et al., FMA: A Dataset for Music Analysis, ISMIR 2017.
"""

import os
import re
from collections.abc import Collection, Iterator
from typing import Literal

from genreatlas.errors import InputError
from genreatlas.sources.folder.catalogue import Row
from genreatlas.sources.folder.manifest import clean_text
from genreatlas.sources.genres import GenreNames, GenreParent
from genreatlas.sources.tabular import open_text, read_table
from genreatlas.sources.tabular.delimited import Dialect, records
from genreatlas.sources.tabular.formats import repaired

#: ``set.subset`` holds the smallest subset that a track is in; each contains those before it.
_SUBSETS = ("small", "medium", "large", "full")
_NEEDED = (("set", "split"), ("set", "subset"), ("track", "genre_top"), ("track", "genres_all"))
_FACTS = {
    "title": ("track", "title"),
    "artist": ("artist", "name"),
    "album": ("album", "title"),
    "licence": ("track", "license"),
}

#: Genre id = title, parent id (0 for none), id of the root of its branch.
Tree = dict[int, tuple[str, int, int]]


def read_fma(
    folder: bytes,
    names: GenreNames,
    subset: str = "",
    labels: Literal["genre_top", "genres_all"] = "genre_top",
) -> tuple[list[Row], tuple[GenreParent, ...]]:
    """Read tracks and the tree of genres.

    Parameters
    ----------
    folder : the metadata folder (``fma_metadata``).
    subset : small, medium, large or full; empty: every track, whether its file is there or not.
    labels : ``genre_top`` gives a track its top genre or, where it has none, the top genres above its
        genres; ``genres_all`` gives it all its genres, with those above them.

    Raises
    ------
    InputError : a file or a column is missing, or there is no such subset.
    """
    if subset and subset not in _SUBSETS:
        raise InputError(f"folder.subset = {subset!r}: FMA has the subsets {', '.join(_SUBSETS)}.")
    wanted = _SUBSETS[: _SUBSETS.index(subset) + 1] if subset else _SUBSETS
    tree = _read_tree(os.path.join(folder, b"genres.csv"))  # noqa: PTH118 - bytes
    rows = _read_tracks(os.path.join(folder, b"tracks.csv"), tree, wanted, labels)  # noqa: PTH118 - bytes
    return list(rows), _parents(tree, names)


def track_path(track_id: int) -> bytes:
    """Where the audio of a track lies: track 2 in ``000/000002.mp3``."""
    return f"{track_id // 1000:03d}/{track_id:06d}.mp3".encode()


def _read_tracks(path: bytes, tree: Tree, subsets: Collection[str], labels: str) -> Iterator[Row]:
    name = path.decode("utf-8", "replace")
    text, _ = open_text(path, "folder.manifest")
    lines = map(repaired, text())
    dialect = Dialect(",")
    upper, lower = ([*dialect.reader([next(lines, "")], strict=False), []][0] for _ in range(2))
    above = ""
    columns: dict[tuple[str, str], int] = {}
    for position, (group, column) in enumerate(zip(upper, lower, strict=False)):
        above = group or above
        columns[above, column] = position
    if missing := [".".join(column) for column in _NEEDED if column not in columns]:
        raise InputError(
            f"{name}: missing columns: {', '.join(missing)}. Expected FMA's tracks.csv, whose header has three rows: "
            "group (set, track), column (split, genre_top), track_id."
        )
    for line, values, problem in records(lines, dialect, len(lower), start=3):
        place = f"line {line}"
        if values is None:
            yield Row(place, b"", (), problem=problem)
            continue
        track = values[0].strip()
        if not track.isascii() or not track.isdigit():
            if track != "track_id":  # the third row of the header
                yield Row(place, b"", (), problem=f"track_id is {track!r}, which is no number. Mend or drop the row.")
            continue
        cells = {key: values[at].strip() for key, at in columns.items()}
        if cells.get(("set", "subset")) not in subsets:
            continue
        yield Row(
            place=place,
            path=track_path(int(track)),
            song=track,
            genres=_genres(cells, tree, labels),
            split=cells.get(("set", "split"), ""),
            **{fact: clean_text(cells.get(column, "")) for fact, column in _FACTS.items()},
        )


def _genres(cells: dict[tuple[str, str], str], tree: Tree, labels: str) -> tuple[str, ...]:
    top = cells.get(("track", "genre_top"), "")
    ids = [int(number) for number in re.findall(r"\d+", cells.get(("track", "genres_all"), ""))]
    known = [genre_id for genre_id in ids if genre_id in tree]
    if labels == "genres_all":
        return tuple(dict.fromkeys([*filter(None, [top]), *(tree[genre_id][0] for genre_id in known)]))
    if top:
        return (top,)
    roots = (tree[genre_id][2] for genre_id in known)
    return tuple(dict.fromkeys(tree[root][0] for root in roots if root in tree))


def _read_tree(path: bytes) -> Tree:
    name = path.decode("utf-8", "replace")
    raw = read_table(path, "folder.manifest")
    needed = ("genre_id", "parent", "title", "top_level")
    if missing := [column for column in needed if column not in raw.table.column_names]:
        raise InputError(f"{name}: missing columns: {', '.join(missing)}. Expected FMA's genres.csv.")
    if raw.broken:
        raise InputError(f"{name} {raw.broken[0][0]}: {raw.broken[0][1]}")
    tree: Tree = {}
    for place, record in raw.rows(needed):
        try:
            genre_id, parent, root = (int(float(record[key] or 0)) for key in ("genre_id", "parent", "top_level"))
        except ValueError as error:
            raise InputError(f"{name} {place}: not a number: {error}.") from None
        tree[genre_id] = (record["title"].strip(), parent, root)
    return tree


def _parents(tree: Tree, names: GenreNames) -> tuple[GenreParent, ...]:
    """The tree's edges between genres that have different names here; aliases may have merged some."""
    found: dict[str, GenreParent] = {}
    for title, parent, _ in (tree[genre_id] for genre_id in sorted(tree)):
        lower, upper = names.read(title), names.read(tree[parent][0]) if parent in tree else None
        if lower and upper and lower.genre_id != upper.genre_id:
            edge = GenreParent(lower.genre_id, lower.name, upper.genre_id, upper.name)
            found.setdefault(lower.genre_id, edge)
    return tuple(found[genre_id] for genre_id in sorted(found))
