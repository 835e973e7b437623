"""Genres from the lists of the MTG-Jamendo dataset, whose lines end in as many tags as a track has.

References: Bogdanov et al., The MTG-Jamendo Dataset for Automatic Music Tagging, ICML workshop 2019.
"""

import os

from genreatlas.errors import InputError
from genreatlas.sources.folder.catalogue import Row
from genreatlas.sources.tabular import open_text
from genreatlas.sources.tabular.formats import repaired

_COLUMNS = ("TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS")
_GENRE = "genre---"
#: The lists of the dataset that hold genres, the most specific first.
_LISTS = ("autotagging_genre", "autotagging", "raw_30s_cleantags_50artists", "raw_30s_cleantags", "raw_30s")
_PARTS = ("train", "validation", "test")


def read_jamendo(folder: bytes, split: str = "split-0") -> tuple[list[Row], bytes]:
    """Read the tracks with their genre tags, and the part that a published split gives them.

    Parameters
    ----------
    folder : the dataset's ``data`` folder, with the lists, ``splits/`` and, for names, ``raw.meta.tsv``.
    split : which of the published splits; empty: none.

    Returns
    -------
    The rows, and the path of the list that they come from.

    Raises
    ------
    InputError : no list is there, it has other columns, or there is no such split.
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
    # An artist whose name is given for some tracks has it in all: one artist under name and id would be two.
    artists = {
        values[1]: artist for _, track, values in tracks if values and (artist := named.get(track, ("", "", ""))[1])
    }
    for line, track, values in tracks:
        if not values:
            rows.append(Row(f"line {line}", b"", (), problem=f"{track}. Mend or drop the row."))
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
    """Line, track and values of each row; of a row that is none, no values, and in place of the track what is wrong."""
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
    """Title, artist and album of every track, where the dataset's ``raw.meta.tsv`` is there."""
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
