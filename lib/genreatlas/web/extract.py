"""Write an extract: SQLite with a search index, arrays to be memory-mapped, charts as Parquet, clips as files.

Places of songs are rows of every array: song ``place`` p has the rowid p + 1 in SQLite. Songs come in the order in
which a search shows them: by popularity, then by id. Equal data make equal bytes.
"""

import json
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from genreatlas.ids import stable_id
from genreatlas.values import Row, RowView
from genreatlas.web.distributions import charts
from genreatlas.web.matching import keys_of_credit
from genreatlas.web.rhythm import rhythm_of_row
from genreatlas.web.site_data import SiteData
from genreatlas.web.words import fold, words

#: Grows when an extract of the same data would be another.
VERSION = 5
DATABASE, CHARTS, MAP, CLIPS = "site.sqlite", "charts", "map.json", "clips"
FEATURES, VECTORS, VECTOR_PLACES = "features.npy", "vectors.npy", "vector_places.npy"
SCALES, FITTED, RECORDINGS, MEASURES = "scales.npy", "fitted.npy", "recordings.npy", "measures.npy"
#: Columns of the measures: bpm, 0 (C) to 11, 1 for minor, dB, any unit.
MEASURED = ("tempo", "key", "minor", "loudness", "energy")
NEIGHBOURS, SIMILARITIES = "neighbours.npy", "similarities.npy"
#: The charts once more, sorted by genre, so that a genre's are read without those of all others.
OF_GENRES = "charts_of_genres"
#: What can be searched, each with a table and an index of its own.
KINDS = ("songs", "artists", "albums", "genres", "playlists")
_MIME_ENDS = {"audio/mpeg": "mp3", "audio/wav": "wav", "audio/flac": "flac", "audio/ogg": "ogg"}
#: Neighbours are kept of a genre at most.
_NEAR_GENRES = 12
#: Genres of a prediction are kept at most: of thousands the rest have next to nothing.
_SCORES = 12
#: Songs that the model calls a genre, the surest first, are kept of each genre at most.
_CALLED = 2000
_DIGEST = re.compile(r"[0-9a-f]{64}")

_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE songs (rank INTEGER PRIMARY KEY, song_id TEXT NOT NULL UNIQUE, name TEXT, folded TEXT NOT NULL,
  artist TEXT, album TEXT, album_rank INTEGER, isrc TEXT, spotify_id TEXT, year INTEGER, duration_s REAL, licence TEXT,
  prediction TEXT, clip_id TEXT, clip_uri TEXT, clip_file TEXT, start_s REAL, length_s REAL, mime TEXT,
  clip_sha256 TEXT, track INTEGER, source TEXT);
CREATE TABLE artists (rank INTEGER PRIMARY KEY, artist_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
  folded TEXT NOT NULL, n_songs INTEGER NOT NULL);
CREATE TABLE albums (rank INTEGER PRIMARY KEY, album_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, folded TEXT NOT NULL,
  artist TEXT, n_songs INTEGER NOT NULL);
CREATE TABLE genres (rank INTEGER PRIMARY KEY, genre_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, folded TEXT NOT NULL,
  n_songs INTEGER NOT NULL, parent_id TEXT, parent TEXT, region TEXT, x REAL, y REAL, near TEXT NOT NULL);
CREATE TABLE playlists (rank INTEGER PRIMARY KEY, playlist_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
  folded TEXT NOT NULL, kind TEXT, n_songs INTEGER NOT NULL);
CREATE TABLE rhythms (clip_id TEXT PRIMARY KEY, told TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE song_artists (song INTEGER, position INTEGER, artist INTEGER, PRIMARY KEY (song, position)) WITHOUT ROWID;
CREATE TABLE artist_songs (artist INTEGER, song INTEGER, PRIMARY KEY (artist, song)) WITHOUT ROWID;
CREATE TABLE song_genres (song INTEGER, genre INTEGER, PRIMARY KEY (song, genre)) WITHOUT ROWID;
CREATE TABLE genre_songs (genre INTEGER, heard INTEGER, song INTEGER, PRIMARY KEY (genre, heard, song)) WITHOUT ROWID;
CREATE TABLE playlist_songs (playlist INTEGER, position INTEGER, song INTEGER, reason TEXT,
  PRIMARY KEY (playlist, position)) WITHOUT ROWID;
CREATE TABLE genre_edges (child INTEGER, parent INTEGER, PRIMARY KEY (child, parent)) WITHOUT ROWID;
CREATE TABLE genre_predicted (genre INTEGER, place INTEGER, song INTEGER, score REAL,
  PRIMARY KEY (genre, place)) WITHOUT ROWID;
CREATE TABLE song_keys (key INTEGER, song INTEGER, PRIMARY KEY (key, song)) WITHOUT ROWID;
"""
_INDICES = "".join(
    f"CREATE INDEX {kind}_folded ON {kind} (folded);\n"
    f"CREATE VIRTUAL TABLE find_{kind} USING fts5(name, content='', detail=none, columnsize=0, prefix='1 2 3', "
    "tokenize='unicode61 remove_diacritics 0');\n"
    for kind in KINDS
) + "CREATE INDEX songs_album ON songs (album_rank, track) WHERE album_rank IS NOT NULL;\n" + (
    "CREATE INDEX songs_clip ON songs (clip_id) WHERE clip_id IS NOT NULL;\n"
    "CREATE INDEX songs_isrc ON songs (isrc) WHERE isrc IS NOT NULL;\n"
    "CREATE INDEX songs_spotify ON songs (spotify_id) WHERE spotify_id IS NOT NULL;\n"
    "CREATE INDEX songs_audio ON songs (clip_sha256) WHERE clip_sha256 IS NOT NULL;\n"
)  # fmt: skip


@dataclass(frozen=True)
class _Songs:
    """Songs in the order of the extract."""

    rows: list[Row]
    place: dict[str, int]

    def places(self, ids: Iterable[str]) -> npt.NDArray[np.int64]:
        """Places of ids; -1 where an id is none of them."""
        return np.array([self.place.get(one, -1) for one in ids], dtype=np.int64)


def build(data: SiteData, folder: Path) -> None:
    """Write the extract of some data into an empty folder."""
    songs = _songs(data)
    genres = _genres(data, songs)
    clips = _clips(data, songs, folder)
    database = sqlite3.connect(folder / DATABASE)
    try:
        database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA page_size = 8192;")
        database.executescript(_TABLES)
        albums = _write_albums(database, songs)
        artists = _write_artists(database, data, songs)
        _write_genres(database, data, songs, genres, clips)
        _write_playlists(database, data, songs)
        _write_songs(database, data, songs, albums, clips)
        _write_keys(database, songs)
        _write_rhythms(database, data, clips)
        database.executescript(_INDICES)
        _index(database, songs, artists)
        _write_facts(database, data, songs)
        database.commit()
        database.execute("ANALYZE")
        database.commit()
    finally:
        database.close()
    _write_arrays(data, songs, folder)
    (folder / CHARTS).mkdir()
    (folder / OF_GENRES).mkdir()
    if data.features is not None:
        placed = songs.places(data.features.song_ids)
        kept = placed >= 0
        row = np.full(len(songs.rows), -1, dtype=np.int64)
        row[placed[kept]] = np.flatnonzero(kept)
        members = {one["genre_id"]: row[one["songs"]] for one in genres}
        members = {genre: rows[rows >= 0] for genre, rows in members.items()}
        units = dict(zip(data.features.names, data.features.units, strict=True))
        names = {one["genre_id"]: one["name"] for one in genres}
        found = charts(data.features.names, data.features.values, members, units, names)
        pq.write_table(found, folder / CHARTS / f"{data.month}.parquet", row_group_size=4096, compression="zstd")
        found = found.sort_by([("genre_id", "ascending"), ("feature", "ascending")])
        pq.write_table(found, folder / OF_GENRES / f"{data.month}.parquet", row_group_size=4096, compression="zstd")
    if data.map_content is not None:
        (folder / MAP).write_text(data.map_content, encoding="utf-8")


def _songs(data: SiteData) -> _Songs:
    rows = data.table("songs").to_pylist()
    rows.sort(key=lambda row: (-(row["popularity"] or 0), row["song_id"]))
    return _Songs(rows, {row["song_id"]: place for place, row in enumerate(rows)})


def _clips(data: SiteData, songs: _Songs, folder: Path) -> dict[int, Row]:
    """The clip of each song that can be played: place = row with ``file``, its name below ``clips``, or None."""
    found: dict[int, Row] = {}
    (folder / CLIPS).mkdir()
    for row in sorted(data.table("clips").to_pylist(), key=lambda one: one["clip_id"]):
        place = songs.place.get(row["song_id"], -1)
        if place < 0 or row["mime"] not in _MIME_ENDS:
            continue
        if str(row["uri"]).startswith("file:"):
            if place not in found or found[place]["file"] is not None:
                found[place] = row | {"file": None}
        elif place not in found and row["sha256"] in data.audio and _DIGEST.fullmatch(row["sha256"]):
            found[place] = row | {"file": f"{row['sha256']}.{_MIME_ENDS[row['mime']]}"}
    for name, digest in {row["file"]: row["sha256"] for row in found.values() if row["file"]}.items():
        (folder / CLIPS / name).write_bytes(data.audio[digest])
    return found


def _genres(data: SiteData, songs: _Songs) -> list[Row]:
    """Genres, the largest first, with the places of their songs."""
    names: dict[str, str] = {}
    members: dict[str, set[int]] = defaultdict(set)
    for row in data.table("song_genres").to_pylist():
        names[row["genre_id"]] = min(names.get(row["genre_id"], row["genre"]), row["genre"])
        if row["song_id"] in songs.place:
            members[row["genre_id"]].add(songs.place[row["song_id"]])
    parents = {row["genre_id"]: (row["parent_id"], row["parent"]) for row in data.table("genre_parents").to_pylist()}
    for parent_id, parent in parents.values():
        names.setdefault(parent_id, parent)
    places = {row["genre_id"]: row for row in data.table("places").to_pylist()}
    near: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for row in sorted(data.table("genre_neighbours").to_pylist(), key=lambda one: (one["genre_id"], one["rank"])):
        if len(near[row["genre_id"]]) < _NEAR_GENRES and row["neighbour_id"] in names:
            near[row["genre_id"]].append((row["neighbour_id"], round(row["similarity"], 4)))
    found = []
    for genre_id in sorted(names, key=lambda one: (-len(members[one]), one)):
        place = places.get(genre_id, {})
        found.append(
            {
                "genre_id": genre_id,
                "name": names[genre_id],
                "parent": parents.get(genre_id, (None, None)),
                "songs": np.array(sorted(members[genre_id]), dtype=np.int64),
                "near": near[genre_id],
                **{key: place.get(key) for key in ("x", "y", "region")},
            }
        )
    return found


def _write_albums(database: sqlite3.Connection, songs: _Songs) -> dict[int, int]:
    """Albums by name and artist; place of a song = rank of its album."""
    found: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(songs.rows):
        if row["album"] and row["album"].strip():
            by = row["album_artist"] or row["artist"] or ""
            found[stable_id("album", fold(row["album"]), fold(by))].append(place)
    ranked = sorted(found.items(), key=lambda one: (-len(one[1]), one[0]))
    rows, of_song = [], {}
    for rank, (album_id, places) in enumerate(ranked, 1):
        first = songs.rows[places[0]]
        by = first["album_artist"] or first["artist"]
        rows.append((rank, album_id, first["album"], fold(first["album"]), by, len(places)))
        of_song.update(dict.fromkeys(places, rank))
    database.executemany("INSERT INTO albums VALUES (?, ?, ?, ?, ?, ?)", rows)
    return of_song


def _write_artists(database: sqlite3.Connection, data: SiteData, songs: _Songs) -> dict[str, int]:
    """Artists with songs; artist_id = rank."""
    names = dict(zip(*(data.table("artists").column(one).to_pylist() for one in ("artist_id", "name")), strict=True))
    credits = [
        (songs.place[row["song_id"]] + 1, row["position"], row["artist_id"])
        for row in data.table("song_artists").to_pylist()
        if row["song_id"] in songs.place and row["artist_id"] in names
    ]
    pairs = {(artist, song) for song, _, artist in credits}
    counts = Counter(artist for artist, _ in pairs)
    rank = {one: place for place, one in enumerate(sorted(counts, key=lambda one: (-counts[one], one)), 1)}
    database.executemany(
        "INSERT INTO artists VALUES (?, ?, ?, ?, ?)",
        [(place, one, names[one], fold(names[one]), counts[one]) for one, place in rank.items()],
    )
    unique = {(song, position): rank[artist] for song, position, artist in sorted(credits)}
    database.executemany(
        "INSERT INTO song_artists VALUES (?, ?, ?)", [(*key, artist) for key, artist in unique.items()]
    )
    database.executemany(
        "INSERT INTO artist_songs VALUES (?, ?)", sorted((rank[artist], song) for artist, song in pairs)
    )
    return rank


def _write_genres(
    database: sqlite3.Connection,
    data: SiteData,
    songs: _Songs,
    genres: Sequence[RowView],
    clips: Mapping[int, object],
) -> None:
    of_song, of_genre = [], []
    for rank, one in enumerate(genres, 1):
        database.execute(
            "INSERT INTO genres VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                rank, one["genre_id"], one["name"], fold(one["name"]), len(one["songs"]), *one["parent"], one["region"],
                one["x"], one["y"], json.dumps(one["near"]),
            ),
        )  # fmt: skip
        places = one["songs"].tolist()
        of_song += [(place + 1, rank) for place in places]
        of_genre += [(rank, int(place not in clips), place + 1) for place in places]
    rank_of = {one["genre_id"]: rank for rank, one in enumerate(genres, 1)}
    edges = data.table("genre_edges").to_pylist()
    pairs = {(rank_of.get(row["genre_id"]), rank_of.get(row["parent_id"])) for row in edges}
    kept = sorted((child, parent) for child, parent in pairs if child is not None and parent is not None)
    database.executemany("INSERT INTO genre_edges VALUES (?, ?)", kept)
    called: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for row in data.table("predictions").to_pylist():
        if row["song_id"] in songs.place and row["predicted"] in rank_of and row["confidence"] is not None:
            called[rank_of[row["predicted"]]].append((-row["confidence"], songs.place[row["song_id"]] + 1))
    database.executemany(
        "INSERT INTO genre_predicted VALUES (?, ?, ?, ?)",
        [(genre, place, song, -score) for genre in sorted(called)
         for place, (score, song) in enumerate(sorted(called[genre])[:_CALLED])],
    )  # fmt: skip
    database.executemany("INSERT INTO song_genres VALUES (?, ?)", sorted(of_song))
    database.executemany("INSERT INTO genre_songs VALUES (?, ?, ?)", sorted(of_genre))


def _write_playlists(database: sqlite3.Connection, data: SiteData, songs: _Songs) -> None:
    entries: dict[str, dict[int, tuple[int, str | None]]] = defaultdict(dict)
    for row in data.table("playlist_songs").to_pylist():
        if row["song_id"] in songs.place:
            entries[row["playlist_id"]][row["position"] or 0] = (songs.place[row["song_id"]] + 1, row["reason"])
    named = {row["playlist_id"]: row for row in data.table("playlists").to_pylist()}
    ranked = sorted((one for one in entries if one in named), key=lambda one: (-len(entries[one]), one))
    for rank, playlist_id in enumerate(ranked, 1):
        row = named[playlist_id]
        name = row["name"] or playlist_id
        database.execute(
            "INSERT INTO playlists VALUES (?, ?, ?, ?, ?, ?)",
            (rank, playlist_id, name, fold(name), row["kind"], len(entries[playlist_id])),
        )
        database.executemany(
            "INSERT INTO playlist_songs VALUES (?, ?, ?, ?)",
            [(rank, position, *entry) for position, entry in sorted(entries[playlist_id].items())],
        )


def _write_songs(
    database: sqlite3.Connection,
    data: SiteData,
    songs: _Songs,
    albums: Mapping[int, int],
    clips: Mapping[int, RowView],
) -> None:
    predictions = {
        row["song_id"]: json.dumps(
            {
                "predicted": row["predicted"],
                "confidence": row["confidence"],
                "scores": sorted(row["scores"] or [], key=lambda one: (-(one[1] or 0.0), one[0]))[:_SCORES],
                "held_out": None if row["heard_in_training"] is None else not row["heard_in_training"],
            }
        )
        for row in data.table("predictions").to_pylist()
    }
    nothing: RowView = {}

    def row_of(place: int, row: RowView) -> tuple[object, ...]:
        clip = clips.get(place, nothing)
        track = (row["disc_number"] or 1) * 1000 + (row["track_number"] or 0)
        return (
            place + 1, row["song_id"], row["title"], fold(row["title"] or ""), row["artist"], row["album"],
            albums.get(place), row["isrc"], row["spotify_id"], row["year"], row["duration_s"], row["licence"],
            predictions.get(row["song_id"]), clip.get("clip_id"), clip.get("uri"), clip.get("file"),
            clip.get("start_s"), clip.get("length_s"), clip.get("mime"), clip.get("sha256"), track,
            row["source"],
        )  # fmt: skip

    marks = ", ".join("?" * 22)
    database.executemany(
        f"INSERT INTO songs VALUES ({marks})", (row_of(place, row) for place, row in enumerate(songs.rows))
    )


def _write_keys(database: sqlite3.Connection, songs: _Songs) -> None:
    """How songs are told by artist and title."""
    named = ((place, row) for place, row in enumerate(songs.rows, 1) if row["artist"] and row["title"])
    keys = {(key, place) for place, row in named for key in keys_of_credit(row["artist"], row["title"])}
    database.executemany("INSERT INTO song_keys VALUES (?, ?)", sorted(keys))


def _write_rhythms(database: sqlite3.Connection, data: SiteData, clips: Mapping[int, RowView]) -> None:
    """Rhythms of the clips that are played."""
    starts = {one["clip_id"]: one["start_s"] or 0.0 for one in clips.values()}
    rows = (row for row in data.table("rhythms").to_pylist() if row["clip_id"] in starts)
    told = ((row["clip_id"], json.dumps(rhythm_of_row(row, starts[row["clip_id"]]))) for row in rows)
    database.executemany("INSERT INTO rhythms VALUES (?, ?)", sorted(told))


def _index(database: sqlite3.Connection, songs: _Songs, artists: Mapping[str, int]) -> None:
    """Fill the search indices; songs and albums are found by their artist, too."""
    found = ((place, f"{row['title'] or ''} {row['artist'] or ''}") for place, row in enumerate(songs.rows, 1))
    _fill(database, "songs", found)
    _fill(database, "albums", database.execute("SELECT rank, name || ' ' || ifnull(artist, '') FROM albums").fetchall())
    for kind in ("artists", "genres", "playlists"):
        _fill(database, kind, database.execute(f"SELECT rank, name FROM {kind}").fetchall())


def _fill(database: sqlite3.Connection, kind: str, rows: Iterable[tuple[int, str]]) -> None:
    database.executemany(
        f"INSERT INTO find_{kind} (rowid, name) VALUES (?, ?)", ((rank, " ".join(words(name))) for rank, name in rows)
    )
    database.execute(f"INSERT INTO find_{kind} (find_{kind}) VALUES ('optimize')")


def _write_facts(database: sqlite3.Connection, data: SiteData, songs: _Songs) -> None:
    features = data.features
    facts: Row = {
        "version": VERSION,
        "title": data.title,
        "month": data.month,
        "versions": dict(sorted(data.versions.items())),
        "model": data.model,
        "model_reason": data.model_reason,
        "space": data.space,
        "feature_set": features.feature_set if features else None,
        "features": list(features.names) if features else [],
        "units": list(features.units) if features else [],
        "n_songs": len(songs.rows),
    }
    database.executemany("INSERT INTO facts VALUES (?, ?)", [(key, json.dumps(value)) for key, value in facts.items()])


def _write_arrays(data: SiteData, songs: _Songs, folder: Path) -> None:
    n = len(songs.rows)
    features = data.features
    values = np.full((n, len(features.names) if features else 0), np.nan, dtype=np.float32)
    if features is not None:
        placed = songs.places(features.song_ids)
        values[placed[placed >= 0]] = features.values[placed >= 0]
    np.save(folder / FEATURES, values)
    if (vectors := data.vectors) is not None:
        placed = songs.places(vectors.song_ids)
        order = np.argsort(placed, kind="stable")
        order = order[placed[order] >= 0]
        np.save(folder / VECTOR_PLACES, placed[order].astype(np.int32))
        np.save(folder / VECTORS, vectors.values[order].astype(np.float32))
        np.save(folder / SCALES, vectors.scales[order].astype(np.float64))
        np.save(folder / FITTED, vectors.fitted[order].astype(np.bool_))
    np.save(folder / RECORDINGS, _recordings(data, songs))
    np.save(folder / MEASURES, _measures(data, songs))
    near, alike = _neighbours(data.table("neighbours"), songs)
    np.save(folder / NEIGHBOURS, near)
    np.save(folder / SIMILARITIES, alike)


def _recordings(data: SiteData, songs: _Songs) -> npt.NDArray[np.int32]:
    """(n,) a number that the copies of one recording share."""
    number = np.arange(len(songs.rows), dtype=np.int32)
    if data.vectors is not None:
        first: dict[str, int] = {}
        for song_id, recording in zip(data.vectors.song_ids.tolist(), data.vectors.recordings, strict=True):
            place = songs.place.get(song_id)
            if place is not None and recording is not None:
                number[place] = first.setdefault(recording, place)
    return number


def _measures(data: SiteData, songs: _Songs) -> npt.NDArray[np.float32]:
    """(n, 5) tempo, key and others; NaN where unknown."""
    table = data.table("measures")
    made = np.full((len(songs.rows), len(MEASURED)), np.nan, dtype=np.float32)
    placed = songs.places(table.column("song_id").to_pylist())
    for column, name in enumerate(MEASURED):
        values = table.column(name).to_numpy(zero_copy_only=False).astype(np.float32)
        made[placed[placed >= 0], column] = values[placed >= 0]
    return made


def _neighbours(table: pa.Table, songs: _Songs) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """(n, k) places of similar songs, -1 where there are fewer, and how similar they are."""
    own, other = (songs.places(table.column(one).to_pylist()) for one in ("song_id", "neighbour_song_id"))
    rank = np.asarray(table.column("rank").to_numpy(), dtype=np.int64)
    alike = np.asarray(table.column("similarity").to_numpy(), dtype=np.float32)
    kept = np.flatnonzero((own >= 0) & (other >= 0))
    kept = kept[np.lexsort((rank[kept], own[kept]))]
    own, other, alike = own[kept], other[kept], alike[kept]
    first = np.searchsorted(own, own)  # the first of each song's: gaps of songs that are gone close
    column = np.arange(len(own)) - first
    width = int(column.max()) + 1 if len(column) else 0
    near = np.full((len(songs.rows), width), -1, dtype=np.int32)
    similar = np.zeros((len(songs.rows), width), dtype=np.float32)
    near[own, column] = other
    similar[own, column] = alike
    return near, similar
