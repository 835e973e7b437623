"""Read the catalogue of a folder, for all kinds of labels. Labels from directories are read here."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from genreatlas.config import FolderSection
from genreatlas.errors import InputError, Reason
from genreatlas.sources.folder.catalogue import Catalogue, Rejected, Song, catalogue_of_rows, path_key
from genreatlas.sources.folder.listing import Entry, Listing
from genreatlas.sources.folder.manifest import clean_text, read_manifest
from genreatlas.sources.folder.metadata import read_fma, read_jamendo
from genreatlas.sources.genres import Genre, GenreNames, shown_names


def read_catalogue(
    listing: Listing, candidates: Sequence[Entry], folder: FolderSection, names: GenreNames
) -> Catalogue:
    """Read the labels of a folder, of the kind ``folder.labels``.

    Parameters
    ----------
    candidates : entries of the listing that may be audio.

    Raises
    ------
    InputError : a file with labels is missing, or has other columns.
    """
    if folder.labels == "directory":
        catalogue = read_directory(listing, candidates, names)
    elif folder.labels == "tags":
        song_of = {listing.absolute(entry): path_key(entry.path) for entry in candidates}
        files = {listing.absolute(entry): entry for entry in candidates}
        return Catalogue("tags", {}, song_of, files)
    else:
        catalogue = _read_list(listing, candidates, folder, names)
    return replace(catalogue, songs=_with_shown_names(catalogue.songs))


def _read_list(listing: Listing, candidates: Sequence[Entry], folder: FolderSection, names: GenreNames) -> Catalogue:
    if folder.manifest is None:
        what = "the CSV or Parquet file" if folder.labels == "manifest" else "the metadata folder"
        raise InputError(f"folder.labels = {folder.labels!r} needs folder.manifest, {what}.")
    origin = _absolute(folder.manifest)
    if folder.labels == "manifest":
        rows, notes = read_manifest(origin, names, folder.ignore_columns, folder.encoding)
        return catalogue_of_rows("manifest", rows, listing, candidates, names, origin, notes=notes)
    present = {entry.path for entry in candidates}
    if folder.labels == "fma":
        rows, parents = read_fma(origin, names, folder.subset, folder.fma_labels)
        if not folder.subset:
            rows = [row for row in rows if row.problem or row.path in present]
        place = os.path.join(origin, b"tracks.csv")  # noqa: PTH118 - bytes
        return catalogue_of_rows("fma", rows, listing, candidates, names, place, parents)
    rows, place = read_jamendo(origin, folder.jamendo_split)
    # The dataset is also published with smaller files, named 14/214.low.mp3 instead of 14/214.mp3.
    low = {row.path: row.path.removesuffix(b".mp3") + b".low.mp3" for row in rows}
    rows = [
        replace(row, path=low[row.path]) if row.path not in present and low[row.path] in present else row
        for row in rows
    ]
    return catalogue_of_rows("jamendo", rows, listing, candidates, names, place)


def _with_shown_names(songs: dict[str, Song]) -> dict[str, Song]:
    """Use one name per genre: the most frequent spelling. Songs with equal genres share one tuple."""
    shown = shown_names(genre for song in songs.values() for genre in song.genres)
    renamed: dict[tuple[Genre, ...], tuple[Genre, ...]] = {}
    for key, song in songs.items():
        if song.genres not in renamed:
            renamed[song.genres] = tuple(replace(genre, name=shown[genre.genre_id]) for genre in song.genres)
        if song.genres is not renamed[song.genres]:
            songs[key] = replace(song, genres=renamed[song.genres])
    return songs


def _absolute(path: Path) -> bytes:
    return os.path.abspath(str(path).encode("utf-8", "surrogateescape"))  # noqa: PTH100 - bytes


def read_directory(listing: Listing, candidates: Iterable[Entry], names: GenreNames) -> Catalogue:
    """Label every file with the first directory of its path."""
    songs: dict[str, Song] = {}
    song_of: dict[bytes, str] = {}
    files: dict[bytes, Entry] = {}
    rejected = []
    named: dict[bytes, tuple[Genre, ...]] = {}  # genres by directory, read once
    for entry in candidates:
        path = listing.absolute(entry)
        if entry.kind != "file":  # rejected later, independent of its label
            song_of[path], files[path] = path_key(entry.path), entry
            continue
        top, slash, _ = entry.path.partition(b"/")
        if slash and top not in named:
            named[top] = names.read_all([clean_text(top.decode("utf-8", "surrogateescape"))])
        genres = named[top] if slash else ()
        if not genres:
            detail = (
                f"The directory {top.decode('utf-8', 'replace')!r} does not name a genre."
                if slash
                else "The file is not in a genre's directory. Expected <folder>/<genre>/<file>."
            )
            rejected.append(Rejected(path, Reason.NO_GENRE, detail))
            continue
        key = path_key(entry.path)
        songs[key] = Song(key, genres)
        song_of[path] = key
        files[path] = entry
    return Catalogue("directory", songs, song_of, files, tuple(rejected))
