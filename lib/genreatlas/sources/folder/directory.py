"""Genres by directory: ``<folder>/<genre>/**/*``, as GTZAN has it."""

from collections.abc import Iterable

from genreatlas.errors import Reason
from genreatlas.sources.folder.catalogue import Catalogue, Rejected, Song, path_key
from genreatlas.sources.folder.listing import Entry, Listing
from genreatlas.sources.folder.manifest import clean_text
from genreatlas.sources.genres import GenreNames


def read_directory(listing: Listing, candidates: Iterable[Entry], names: GenreNames) -> Catalogue:
    """Label every file with the first directory on its path."""
    songs: dict[str, Song] = {}
    song_of: dict[bytes, str] = {}
    files: dict[bytes, Entry] = {}
    rejected = []
    for entry in candidates:
        path = listing.absolute(entry)
        if entry.kind != "file":  # it cannot be opened, whatever its label is
            song_of[path], files[path] = path_key(entry.path), entry
            continue
        top, slash, _ = entry.path.partition(b"/")
        genres = names.read_all([clean_text(top.decode("utf-8", "surrogateescape"))]) if slash else ()
        if not genres:
            detail = (
                f"The directory {top.decode('utf-8', 'replace')!r} names no genre."
                if slash
                else "The file lies in no genre's directory. Expected <folder>/<genre>/<file>."
            )
            rejected.append(Rejected(path, Reason.NO_GENRE, detail))
            continue
        key = path_key(entry.path)
        songs[key] = Song(key, genres)
        song_of[path] = key
        files[path] = entry
    return Catalogue("directory", songs, song_of, files, tuple(rejected))
