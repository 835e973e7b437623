"""Songs of providers that supply both songs and audio: a manifest of files, and the examples on Every Noise."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.collecting.retiring import follow_labels
from genreatlas.config import Config
from genreatlas.datasets.library import newest_genres
from genreatlas.errors import Reason
from genreatlas.ids import stable_id
from genreatlas.redaction import redact
from genreatlas.sources.credits import credits
from genreatlas.sources.previews.manifest import SOURCE, ListedFile, read_list
from genreatlas.sources.spotify.song_rows import song_id as spotify_song_id
from genreatlas.store import Store
from genreatlas.tables import (
    ARTISTS,
    EVERYNOISE_ARTISTS,
    QUARANTINE,
    SONG_ARTISTS,
    SONG_GENRES,
    SONGS,
    Table,
)
from genreatlas.values import Row

STAGE = "fetch_previews"
#: Columns (Spark DDL) with the addresses of a song's audio, in addition to ``songs``.
LINKS = "key string, example_url string, file_url string, checksum string, listed_licence string"
_ROWS_AT_ONCE = 20_000
#: Reasons of refused rows that do not hide songs: the manifest still counts as completely read.
_TAKEN_BACK = frozenset({Reason.NO_GENRE, Reason.DUPLICATE_ROW})


def write_songs(store: Store, config: Config, providers: Sequence[str]) -> tuple[DataFrame, tuple[str, ...]]:
    """Write the songs that providers supply, and retire those that they no longer supply.

    Returns
    -------
    Frame with the addresses of audio (:data:`LINKS`), and lines for the summary. The frame is created in each run, so
    that addresses, which may be secret, are not stored.

    Raises
    ------
    LimitReachedError : the share of songs that are gone exceeds ``sync.max_share``.
    """
    links: list[tuple[str | None, ...]] = []
    notes: tuple[str, ...] = ()
    for provider, read in (("http", _listed), ("every_noise", _examples)):
        if provider in providers:
            found, lines = read(store, config)
            links, notes = links + found, notes + lines
    return store.spark.createDataFrame(links, LINKS), notes


def _listed(store: Store, config: Config) -> tuple[list[tuple[str | None, ...]], tuple[str, ...]]:
    found = list(read_list(config.http))
    files = [one for one in found if isinstance(one, ListedFile)]
    now = datetime.now(UTC)
    about = {"stage": STAGE, "version": "http", "run_id": store.run_id, "at": now}
    rows = [
        {"key": f"{config.http.manifest}#{one.place}", "reason": one.reason.value, "detail": one.detail} | about
        for one in found
        if not isinstance(one, ListedFile)
    ]
    store.upsert(QUARANTINE, rows, update=True)
    whole = all(row["reason"] in _TAKEN_BACK for row in rows)
    songs = (_listed_rows(config, file) for file in files)
    notes = _sync(store, config, songs, SOURCE, str(config.http.manifest), whole)
    return [(file.song_id, None, file.url, file.checksum, file.song.licence) for file in files], notes


def _sync(
    store: Store, config: Config, songs: Iterable[tuple[Row, list[Row]]], source: str, name: str, whole: bool
) -> tuple[str, ...]:
    """Write the songs and labels of a source, and retire labels that it no longer has.

    Nothing is retired if the source has no labels at all, because it was probably not read. For a store without labels
    the check is skipped, because it takes seconds.
    """
    is_first = not store.exists(SONG_GENRES)
    labels = list(_write(store, songs))
    if is_first or not labels:
        return ()
    stored = store.read(SONG_GENRES).where(F.col("source") == source)
    now = store.spark.createDataFrame(labels, "song_id string, genre_id string, source string")
    return follow_labels(store, config.sync, name, stored, now, whole=whole)


def _listed_rows(config: Config, file: ListedFile) -> tuple[Row, list[Row]]:
    song = file.song
    row = {
        "song_id": file.song_id,
        "source": SOURCE,
        "source_key": redact(song.key) if "://" in song.key else song.key,
        "title": song.title,
        "artist": song.artist,
        "album": song.album,
        "album_artist": song.album_artist,
        "isrc": song.isrc,
        "declared_split": song.split,
        "licence": song.licence or config.http.licence or None,
    }
    genres = [
        {"song_id": file.song_id, "genre_id": genre.genre_id, "source": SOURCE, "genre": genre.name, "weight": 1.0}
        for genre in song.genres
    ]
    return row, genres


def _examples(store: Store, config: Config) -> tuple[list[tuple[str | None, ...]], tuple[str, ...]]:
    """Write the examples of the newest map and of the first artists on each genre's page."""
    columns = ("genre_id", "genre", "artist", "example_track", "example_track_id", "preview_url", "weight")
    genres = newest_genres(store)
    named = genres.select("genre_id", F.col("name").alias("genre"))
    rows = genres.select(
        "genre_id",
        F.col("name").alias("genre"),
        F.col("example_artist").alias("artist"),
        *columns[3:6],
        F.lit(1.0).alias("weight"),
    )
    if config.fetch_previews.examples_per_genre:
        rank = F.expr("row_number() OVER (PARTITION BY genre_id, snapshot ORDER BY weight DESC, position)")
        page = store.read(EVERYNOISE_ARTISTS).withColumn("_rank", rank)
        last = page.groupBy("genre_id").agg(F.max("snapshot").alias("snapshot"))
        page = page.join(last, ["genre_id", "snapshot"]).where(
            F.col("_rank") <= config.fetch_previews.examples_per_genre
        )
        artists = page.join(named, "genre_id").select(
            "genre_id", "genre", F.col("name").alias("artist"), *columns[3:6], F.lit(1.0).alias("weight")
        )
        rows = rows.unionByName(artists)
    links: dict[str, tuple[str | None, ...]] = {}
    songs = []
    for row in rows.where(F.col("preview_url").isNotNull()).collect():
        song, label = _example_rows(row.asDict())
        links.setdefault(song["song_id"], (song["song_id"], row["preview_url"], None, None, None))
        songs.append((song, [label]))
    return list(links.values()), _sync(store, config, songs, "every_noise", "Every Noise's examples", True)


def _example_rows(row: Row) -> tuple[Row, Row]:
    track = row["example_track_id"]
    key = track or f"{row['artist']} - {row['example_track']}"
    identity = spotify_song_id(track) if track else stable_id("song", "every_noise", key)
    song = {
        "song_id": identity,
        "source": "every_noise",
        "source_key": key,
        "title": row["example_track"],
        "artist": row["artist"],
    }
    label = {
        "song_id": identity,
        "genre_id": row["genre_id"],
        "source": "every_noise",
        "genre": row["genre"],
        "weight": row["weight"],
    }
    return song, label


def _write(store: Store, songs: Iterable[tuple[Row, list[Row]]]) -> Iterable[tuple[Any, ...]]:
    """Add songs with their credits and labels. Existing rows are not changed, but retired labels become live again.

    Returns
    -------
    Keys of the labels.
    """
    now = datetime.now(UTC)
    rows: dict[str, dict[tuple[Any, ...], Row]] = {}

    def add(table: Table, row: Row) -> None:
        rows.setdefault(table.name, {}).setdefault(tuple(row[name] for name in table.key), row)

    for song, genres in songs:
        add(SONGS, song | {"added_at": now})
        for label in genres:
            add(SONG_GENRES, label | {"retired_at": None})
        named = credits(song["artist"], album_artist=song.get("album_artist"), title=song["title"])
        for position, credit in enumerate(named):
            add(ARTISTS, {"artist_id": credit.artist_id, "name": credit.name})
            add(
                SONG_ARTISTS,
                {
                    "song_id": song["song_id"],
                    "position": position,
                    "artist_id": credit.artist_id,
                    "role": credit.role,
                },
            )
    for table in (ARTISTS, SONG_ARTISTS, SONG_GENRES, SONGS):
        found = list(rows.get(table.name, {}).values())
        for start in range(0, len(found), _ROWS_AT_ONCE):
            again = table is SONG_GENRES
            part = found[start : start + _ROWS_AT_ONCE]
            store.upsert(table, part, update=again, compare=table.ended_by if again else ())
    return rows.get(SONG_GENRES.name, {}).keys()
