"""Labels of a folder's songs that visitors of the site corrected. They replace the labels of the folder."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pyspark.sql import DataFrame
from pyspark.sql import Row as SparkRow
from pyspark.sql import functions as F

from genreatlas.collecting.folder_songs import LABELS
from genreatlas.collecting.retiring import retire
from genreatlas.config import FolderSection
from genreatlas.sources.folder.catalogue import CORRECTION, SOURCE, Song, SongIds
from genreatlas.sources.folder.corrections import agreed, read_corrections
from genreatlas.sources.genres import Genre
from genreatlas.store import Reader, Store
from genreatlas.tables import CLIPS, GENRE_PARENTS, SONG_GENRES, SONGS
from genreatlas.values import Row


@dataclass(frozen=True)
class Corrected:
    """Corrected labels.

    Attributes
    ----------
    genres : genres by song_id, which replace those of the folder.
    elsewhere : number of corrections of songs or files that are not in the store.
    """

    genres: Mapping[str, tuple[Genre, ...]] = field(default_factory=dict)
    elsewhere: int = 0

    def __call__(self, songs: Iterable[Song], ids: SongIds) -> list[Song]:
        """Replace the genres of corrected songs; other songs are returned unchanged."""
        if not self.genres:
            return list(songs)
        found = ((song, self.genres.get(ids(song.key))) for song in songs)
        return [replace(song, genres=own, labelled_by=CORRECTION, no_genre="") if own else song for song, own in found]

    def notes(self) -> tuple[str, ...]:
        """Lines for the summary."""
        if not self.genres and not self.elsewhere:
            return ()
        other = f"; {self.elsewhere} corrections are for songs or files not in the store" if self.elsewhere else ""
        return (f"{len(self.genres)} songs have labels that visitors of the site corrected{other}",)


def read_corrected(store: Reader, section: FolderSection) -> Corrected:
    """Read corrections of songs from the folder. Corrections of files are matched by the sha256 of stored clips.

    Raises
    ------
    InputError : the corrections cannot be read.
    """
    if not section.corrections:
        return Corrected()
    of_songs, of_files = agreed(read_corrections(section.corrections), section.corrections_agree)
    if not of_songs and not of_files:
        return Corrected()
    there = {row[0] for row in _named(store, of_songs, "song_id", store.read(SONGS).where(F.col("source") == SOURCE))}
    clips = store.live(CLIPS).where(F.col("provider") == SOURCE)
    song_of = {row["sha256"]: row["song_id"] for row in _named(store, of_files, "sha256", clips, "song_id")}
    chosen = {song_of[digest]: genres for digest, genres in of_files.items() if digest in song_of}
    chosen |= {song: genres for song, genres in of_songs.items() if song in there}
    names = _names(store)
    made = {song: tuple(Genre(one, names.get(one, one)) for one in chosen[song]) for song in sorted(chosen)}
    missing = sum(song not in there for song in of_songs) + sum(digest not in song_of for digest in of_files)
    return Corrected(made, missing)


def write_corrected(store: Store, corrected: Corrected) -> int:
    """Replace stored labels of corrected songs by the corrected ones; returns the number of changed songs."""
    if not corrected.genres:
        return 0
    labelled = store.live(SONG_GENRES).where(F.col("source").isin(*LABELS))
    live: dict[str, set[tuple[str, str]]] = {}
    for row in _named(store, corrected.genres, "song_id", labelled, "genre_id", "source"):
        live.setdefault(row["song_id"], set()).add((row["genre_id"], row["source"]))
    rows: list[Row] = []
    gone: list[tuple[str, str, str]] = []
    songs = set()
    for song, genres in corrected.genres.items():
        wanted = {(genre.genre_id, CORRECTION): genre for genre in genres}
        if song in live and live[song] != wanted.keys():  # a song without live labels is retired
            songs.add(song)
            gone += [(song, *key) for key in sorted(live[song] - wanted.keys())]
            rows += [_row(song, genre) for key, genre in wanted.items() if key not in live[song]]
    if rows:
        store.upsert(SONG_GENRES, rows, update=True, compare=SONG_GENRES.ended_by)
    if gone:
        retire(store, SONG_GENRES, gone)
    return len(songs)


def _row(song: str, genre: Genre) -> Row:
    return {
        "song_id": song, "genre_id": genre.genre_id, "source": CORRECTION, "genre": genre.name, "weight": 1.0,
        "label_source": SOURCE, "retired_at": None,
    }  # fmt: skip


def _named(store: Reader, values: Iterable[str], column: str, frame: DataFrame, *more: str) -> Sequence[SparkRow]:
    wanted = [(value,) for value in values]
    if not wanted:
        return []
    named = store.spark.createDataFrame(wanted, f"{column} string")
    found: Sequence[SparkRow] = frame.join(named, column, "left_semi").select(column, *more).collect()
    return found


def _names(store: Reader) -> dict[str, str]:
    parents = store.read(GENRE_PARENTS).select(F.col("parent_id").alias("genre_id"), F.col("parent").alias("genre"))
    rows = store.live(SONG_GENRES).select("genre_id", "genre").unionByName(parents).distinct().collect()
    return dict(sorted(((row["genre_id"], row["genre"]) for row in rows), reverse=True))
