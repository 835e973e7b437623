"""Read genres from the published metadata of the Free Music Archive (FMA) and MTG-Jamendo datasets.

FMA has ``tracks.csv`` and ``genres.csv``; Jamendo has lists whose lines end with a variable number of tags.

References: Defferrard et al., FMA: A Dataset for Music Analysis, ISMIR 2017; Bogdanov et al., The MTG-Jamendo Dataset
for Automatic Music Tagging, ICML workshop 2019.
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

#: Values of ``set.subset``, the smallest subset with a track; each subset contains those before it.
_SUBSETS = ("small", "medium", "large", "full")
_NEEDED = (("set", "split"), ("set", "subset"), ("track", "genre_top"), ("track", "genres_all"))
_FACTS = {
    "title": ("track", "title"),
    "artist": ("artist", "name"),
    "album": ("album", "title"),
    "licence": ("track", "license"),
}

#: Title, parent id (0 for none) and id of the root genre, by genre id.
Tree = dict[int, tuple[str, int, int]]


def read_fma(
    folder: bytes,
    names: GenreNames,
    subset: str = "",
    labels: Literal["genre_top", "genres_all"] = "genre_top",
) -> tuple[list[Row], tuple[GenreParent, ...]]:
    """Read the tracks and the genre tree of FMA.

    Parameters
    ----------
    folder : the metadata folder (``fma_metadata``).
    subset : small, medium, large or full; empty for all tracks, including those without a file.
    labels : ``genre_top`` uses the top genre of a track or, if it has none, the root genres of its genres;
        ``genres_all`` uses all its genres with their ancestors.

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
    """Path of a track's audio; for track 2, ``000/000002.mp3``."""
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
                yield Row(
                    place, b"", (), problem=f"track_id is {track!r}, which is not a number. Correct or drop the row."
                )
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
    """Edges of the tree between distinct genres; aliases may have merged some genres."""
    found: dict[str, GenreParent] = {}
    for title, parent, _ in (tree[genre_id] for genre_id in sorted(tree)):
        lower, upper = names.read(title), names.read(tree[parent][0]) if parent in tree else None
        if lower and upper and lower.genre_id != upper.genre_id:
            edge = GenreParent(lower.genre_id, lower.name, upper.genre_id, upper.name)
            found.setdefault(lower.genre_id, edge)
    return tuple(found[genre_id] for genre_id in sorted(found))


_COLUMNS = ("TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS")
_GENRE = "genre---"
#: Lists of the dataset with genres, the most specific first.
_LISTS = ("autotagging_genre", "autotagging", "raw_30s_cleantags_50artists", "raw_30s_cleantags", "raw_30s")
_PARTS = ("train", "validation", "test")


def read_jamendo(folder: bytes, split: str = "split-0") -> tuple[list[Row], bytes]:
    """Read the tracks of MTG-Jamendo with their genre tags and their parts of a published split.

    Parameters
    ----------
    folder : the dataset's ``data`` folder, with the lists, ``splits/`` and, for names, ``raw.meta.tsv``.
    split : name of the published split; empty for none.

    Returns
    -------
    The rows, and the path of the list that was read.

    Raises
    ------
    InputError : there is no list, it has other columns, or there is no such split.
    """
    for stem in _LISTS:
        path = _below(folder, f"{stem}.tsv")
        if os.path.exists(path):  # noqa: PTH110 - bytes
            break
    else:
        name = folder.decode("utf-8", "replace")
        raise InputError(f"{name}: no list of tracks. Expected one of {', '.join(f'{stem}.tsv' for stem in _LISTS)}.")
    part_of = _read_split(folder, split, stem) if split else {}
    named = _read_names(_below(folder, "raw.meta.tsv"))
    rows = []
    tracks = _tracks(path)
    # Some tracks lack the artist's name: use the name from other tracks, so that one artist is not stored as two.
    artists = {
        values[1]: artist for _, track, values in tracks if values and (artist := named.get(track, ("", "", ""))[1])
    }
    for line, track, values in tracks:
        if not values:
            rows.append(Row(f"line {line}", b"", (), problem=f"{track}. Correct or drop the row."))
            continue
        title, artist, album = named.get(track, ("", "", ""))
        rows.append(
            Row(
                place=f"line {line}",
                path=values[3].encode("utf-8"),
                song=track,
                genres=tuple(tag.removeprefix(_GENRE) for tag in values[5:] if tag.startswith(_GENRE)),
                title=title,
                artist=artist or artists.get(values[1], values[1]),
                album=album or values[2],
                split=part_of.get(track, ""),
            )
        )
    return rows, path


def _tracks(path: bytes) -> list[tuple[int, str, list[str]]]:
    """Line, track and values of each row; for a broken row, the problem instead of the track, and no values."""
    name = path.decode("utf-8", "replace")
    header, *lines = _lines(path)
    columns = header.split("\t")
    if tuple(columns[: len(_COLUMNS)]) != _COLUMNS:
        missing = [column for column in _COLUMNS if column not in columns] or ["their order"]
        raise InputError(f"{name}: missing columns: {', '.join(missing)}. Expected {', '.join(_COLUMNS)}.")
    tracks: list[tuple[int, str, list[str]]] = []
    for number, line in enumerate(lines, start=2):
        values = [value.strip() for value in line.split("\t")]
        if not line.strip():
            continue
        if len(values) < len(_COLUMNS) - 1:
            tracks.append((number, f"{len(values)} values, expected at least {len(_COLUMNS) - 1}", []))
            continue
        tracks.append((number, values[0], values))
    return tracks


def _read_split(folder: bytes, split: str, stem: str) -> dict[str, str]:
    part_of: dict[str, str] = {}
    for part in _PARTS:
        path = _below(folder, "splits", split, f"{stem}-{part}.tsv")
        if not os.path.exists(path):  # noqa: PTH110 - bytes
            raise InputError(
                f"{path.decode('utf-8', 'replace')}: no such file. Set folder.jamendo_split to one of the folders in "
                'splits/, or to "" for none.'
            )
        part_of.update((track, part) for _, track, values in _tracks(path) if values)
    return part_of


def _read_names(path: bytes) -> dict[str, tuple[str, str, str]]:
    """Title, artist and album of every track from ``raw.meta.tsv``; empty if it is missing."""
    if not os.path.exists(path):  # noqa: PTH110 - bytes
        return {}
    header, *lines = _lines(path)
    columns = header.split("\t")
    try:
        places = [columns.index(column) for column in ("TRACK_ID", "TRACK_NAME", "ARTIST_NAME", "ALBUM_NAME")]
    except ValueError:
        return {}
    names = {}
    for line in lines:
        values = line.split("\t")
        if len(values) > max(places):
            track, title, artist, album = (values[place].strip() for place in places)
            names[track] = (title, artist, album)
    return names


def _lines(path: bytes) -> list[str]:
    text, _ = open_text(path, "folder.manifest")
    return [repaired(line.rstrip("\r\n")) for line in text()] or [""]


def _below(folder: bytes, *names: str) -> bytes:
    return os.path.join(folder, *(name.encode("utf-8", "surrogateescape") for name in names))  # noqa: PTH118 - bytes
