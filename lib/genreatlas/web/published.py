"""Read what was published: search, songs, artists, albums, genres, playlists, neighbours and charts."""

import atexit
import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from genreatlas.audio.uris import uri_to_path
from genreatlas.errors import StoreError
from genreatlas.values import Row
from genreatlas.web import extract, publishing
from genreatlas.web.array_files import ArrayFile
from genreatlas.web.distributions import EVERYBODY, share_below
from genreatlas.web.kept import Kept
from genreatlas.web.words import fold, match_expression

#: Names that match are ranked among so many at most, which come in the order of the extract: the best known first.
_CANDIDATES = 200
#: Answers of searches that are kept: those of beginnings that many type.
_SEARCHES = 4000
#: Pages of the database that each thread's connection keeps; the operating system keeps them all once.
_CACHE_KB = 512
#: Genres whose charts are kept: 60 KB each.
_CHARTED = 200
#: Genres that a form suggests; others can be typed.
_SUGGESTED = 200
#: A song's place on the map is that of the genres which hold so much of its probability.
_PLACED = 0.9
_ID = {
    "songs": "song_id",
    "artists": "artist_id",
    "albums": "album_id",
    "genres": "genre_id",
    "playlists": "playlist_id",
}
_SONG = (
    "rank, song_id, name AS title, artist, album, album_rank, isrc, spotify_id, year, duration_s, licence, clip_id, "
    "clip_file, start_s, length_s, mime, source"
)


class Extract:
    """One extract. Its files never change, so that what is read of it is true for as long as it is held."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._local = threading.local()
        self.facts = {row["name"]: json.loads(row["value"]) for row in self.rows("SELECT * FROM facts")}
        if self.facts.get("version") != extract.VERSION:
            raise StoreError(f"{folder}: this extract was written by another release. Run publish_site.")
        self.features: tuple[str, ...] = tuple(self.facts["features"])
        self.units = dict(zip(self.features, self.facts["units"], strict=True))
        self.values = ArrayFile(folder / extract.FEATURES)
        self.neighbours = ArrayFile(folder / extract.NEIGHBOURS)
        self.similarities = ArrayFile(folder / extract.SIMILARITIES)
        self.recordings = np.load(folder / extract.RECORDINGS, mmap_mode="r")
        self.months = sorted(path.stem for path in (folder / extract.CHARTS).glob("*.parquet"))
        self._charts_of = lru_cache(_CHARTED)(self._read_charts_of)
        self._found: Kept[list[Row]] = Kept(_SEARCHES)

    def search(self, query: str, kind: str, limit: int) -> list[Row]:
        """Names of a kind in which every word of a query is a word or the beginning of one.

        Equal names come first, then names that begin as the query does, then the others.
        """
        folded = fold(query)
        kept = self._found.get((folded, kind, limit))
        return self._found.put((folded, kind, limit), self._search(folded, kind, limit)) if kept is None else kept

    def _search(self, folded: str, kind: str, limit: int) -> list[Row]:
        asked = f"SELECT * FROM (SELECT rank, 0 AS place FROM {kind} WHERE folded = ? ORDER BY rank LIMIT ?)"
        values: list[Any] = [folded, limit]
        if expression := match_expression(folded):
            asked += (
                f" UNION SELECT {kind}.rank,"
                " CASE WHEN folded = ? THEN 0 WHEN substr(folded, 1, ?) = ? THEN 1 ELSE 2 END"
                f" FROM (SELECT rowid AS found FROM find_{kind} WHERE find_{kind} MATCH ? ORDER BY rowid LIMIT ?)"
                f" CROSS JOIN {kind} ON {kind}.rank = found"
            )
            values += [folded, len(folded), folded, expression, _CANDIDATES]
        chosen = self.rows(f"SELECT rank FROM ({asked}) ORDER BY place, rank LIMIT ?", *values, limit)
        return self.named(kind, [row["rank"] for row in chosen])

    def named(self, kind: str, ranks: Sequence[int]) -> list[Row]:
        """Rows of a kind by rank, in this order."""
        if kind == "songs":
            return self.songs(ranks)
        marks = ", ".join("?" * len(ranks))
        columns = {"albums": ", artist", "genres": ", parent, region", "playlists": ", kind"}.get(kind, "")
        rows = self.rows(
            f"SELECT rank, {_ID[kind]}, name, n_songs{columns} FROM {kind} WHERE rank IN ({marks})", *ranks
        )
        by_rank = {row.pop("rank"): row for row in rows}
        return [by_rank[rank] for rank in ranks if rank in by_rank]

    def songs(self, ranks: Sequence[int]) -> list[Row]:
        """Songs by rank, in this order, with their genres and what is played of them."""
        marks = ", ".join("?" * len(ranks))
        genres: dict[int, list[Row]] = {}
        for row in self.rows(
            "SELECT song, genre_id, name FROM song_genres JOIN genres ON rank = genre "
            f"WHERE song IN ({marks}) ORDER BY song, name",
            *ranks,
        ):
            genres.setdefault(row.pop("song"), []).append(row)
        albums = "(SELECT album_id FROM albums WHERE albums.rank = album_rank) AS album_id"
        rows = self.rows(f"SELECT {_SONG}, {albums} FROM songs WHERE rank IN ({marks})", *ranks)
        by_rank = {row["rank"]: _song(row) | {"genres": genres.get(row["rank"], [])} for row in rows}
        return [by_rank[rank] for rank in ranks if rank in by_rank]

    def rank(self, kind: str, name: str) -> int | None:
        """Rank of an id; None where there is none."""
        rows = self.rows(f"SELECT rank FROM {kind} WHERE {_ID[kind]} = ?", name)
        return rows[0]["rank"] if rows else None

    def song(self, song_id: str) -> Row | None:
        """A song with its artists, what the model says of it, and how its features lie among those of others."""
        rank = self.rank("songs", song_id)
        if rank is None:
            return None
        (song,) = self.songs([rank])
        artists = self.rows(
            "SELECT artist_id, name FROM song_artists JOIN artists ON rank = artist WHERE song = ? ORDER BY position",
            rank,
        )
        prediction = self.rows("SELECT prediction FROM songs WHERE rank = ?", rank)[0]["prediction"]
        said = self._prediction(json.loads(prediction)) if prediction else None
        scores = said["scores"] if said else [one | {"score": 1.0} for one in song["genres"]]
        return song | {
            "artists": list({one["artist_id"]: one for one in artists}.values()),
            "prediction": said,
            "place": self.place({one["genre_id"]: one["score"] for one in scores}),
            "features": self.compare(self.values[rank - 1], [one["genre_id"] for one in song["genres"]]),
        }

    @cached_property
    def genre_places(self) -> dict[str, tuple[float, float]]:
        """Where genres lie on the map; y grows downward."""
        rows = self.rows("SELECT genre_id, x, y FROM genres WHERE x IS NOT NULL AND y IS NOT NULL ORDER BY rank")
        return {row["genre_id"]: (row["x"], row["y"]) for row in rows}

    def place(self, scores: Mapping[str, float]) -> Row | None:
        """Where a song belongs on the map: the middle of its likeliest genres, weighted; None: none has a place.

        Parameters
        ----------
        scores : genre = probability, or any weight.

        Returns
        -------
        ``x`` and ``y``; the genres ``between`` which it lies, with their share; and how far they lie ``apart`` from it,
        in shares of the map's radius: the further, the less its place says.
        """
        known = {genre: score for genre, score in scores.items() if score > 0 and genre in self.genre_places}
        chosen: list[tuple[str, float]] = []
        total = sum(known.values())
        for genre, score in sorted(known.items(), key=lambda one: (-one[1], one[0])):
            if sum(one for _, one in chosen) < _PLACED * total - 1e-9:
                chosen.append((genre, score))
        if not chosen:
            return None
        weights = np.array([score for _, score in chosen]) / sum(score for _, score in chosen)
        points = np.array([self.genre_places[genre] for genre, _ in chosen])
        middle = weights @ points
        every = np.array(list(self.genre_places.values()))
        radius = float(np.sqrt(np.square(every - every.mean(axis=0)).sum(axis=1).max())) or 1.0
        apart = float(np.sqrt(weights @ np.square(points - middle).sum(axis=1)))
        names = self.genre_names()
        return {
            "x": float(middle[0]),
            "y": float(middle[1]),
            "apart": apart / radius,
            "between": [
                {"genre_id": genre, "name": names[genre], "share": float(weight)}
                for (genre, _), weight in zip(chosen, weights, strict=True)
            ],
        }

    def compare(self, values: Sequence[float] | np.ndarray, genres: Sequence[str]) -> list[Row]:
        """Where values of the extract's features lie among all songs and among those of genres."""
        found = []
        for name, value in zip(self.features, values, strict=True):
            known = bool(np.isfinite(value))
            of_all = self.chart(name, EVERYBODY)
            in_genres = {genre: chart for genre in genres[:5] if (chart := self.chart(name, genre)) is not None}
            found.append(
                {
                    "feature": name,
                    "unit": self.units[name],
                    "value": float(value) if known else None,
                    "below_all": _below(value, of_all) if known else None,
                    "below_genre": {genre: _below(value, chart) for genre, chart in in_genres.items()} if known else {},
                }
            )
        return found

    def artist(self, artist_id: str, start: int, limit: int) -> Row | None:
        """An artist with a page of its songs."""
        return self._page(
            "artists", artist_id, "SELECT song FROM artist_songs WHERE artist = ? ORDER BY song", start, limit
        )

    def album(self, album_id: str, start: int, limit: int) -> Row | None:
        """An album with a page of its songs, in the order of the tracks."""
        statement = "SELECT rank AS song FROM songs WHERE album_rank = ? ORDER BY track, rank"
        return self._page("albums", album_id, statement, start, limit)

    def playlist(self, playlist_id: str, start: int, limit: int) -> Row | None:
        """A playlist with a page of its songs, in order."""
        statement = "SELECT song FROM playlist_songs WHERE playlist = ? ORDER BY position"
        return self._page("playlists", playlist_id, statement, start, limit)

    def genre(self, genre_id: str, start: int, limit: int) -> Row | None:
        """A genre with its neighbours and a page of its songs, those first that can be heard."""
        statement = "SELECT song FROM genre_songs WHERE genre = ? ORDER BY heard, song"
        found = self._page("genres", genre_id, statement, start, limit)
        if found is None:
            return None
        more = self.rows("SELECT parent_id, parent, region, x, y, near FROM genres WHERE genre_id = ?", genre_id)[0]
        names = self.genre_names()
        near = [
            {"genre_id": other, "name": names[other], "similarity": alike}
            for other, alike in json.loads(more.pop("near"))
        ]
        return found | more | {"near": near}

    def _page(self, kind: str, name: str, statement: str, start: int, limit: int) -> Row | None:
        rank = self.rank(kind, name)
        if rank is None:
            return None
        (found,) = self.named(kind, [rank])
        rows = self.rows(f"{statement} LIMIT ? OFFSET ?", rank, limit, start)
        return found | {"start": start, "songs": self.songs([row["song"] for row in rows])}

    def listed(self, kind: str, start: int, limit: int) -> list[Row]:
        """A page of everything of a kind, the largest first."""
        rows = self.rows(f"SELECT rank FROM {kind} ORDER BY rank LIMIT ? OFFSET ?", limit, start)
        return self.named(kind, [row["rank"] for row in rows])

    def count(self, kind: str) -> int:
        """How many there are of a kind."""
        return self._counts[kind]

    @cached_property
    def _counts(self) -> dict[str, int]:
        return {kind: int(self.rows(f"SELECT count(*) AS n FROM {kind}")[0]["n"]) for kind in extract.KINDS}

    def categories(self) -> list[Row]:
        """Families of genres: parents where the lake has them, else regions of the map; genres without are the last."""
        return self._categories

    @cached_property
    def _categories(self) -> list[Row]:
        rows = self.rows("SELECT genre_id, name, n_songs, parent, region FROM genres ORDER BY rank")
        key = "parent" if any(row["parent"] for row in rows) else "region"
        families: dict[str, list[Row]] = {}
        parents = {row["parent"] for row in rows}
        for row in rows:
            family = row[key] or (row["name"] if row["name"] in parents else "Other genres")
            families.setdefault(family, []).append({one: row[one] for one in ("genre_id", "name", "n_songs")})
        ordered = sorted(
            families.items(), key=lambda one: (one[0] == "Other genres", -sum(g["n_songs"] for g in one[1]))
        )
        return [{"name": name, "genres": members} for name, members in ordered]

    def genre_names(self) -> dict[str, str]:
        """Name of each genre."""
        return self._genre_names

    @cached_property
    def _genre_names(self) -> dict[str, str]:
        return {row["genre_id"]: row["name"] for row in self.rows("SELECT genre_id, name FROM genres")}

    @cached_property
    def genre_sizes(self) -> dict[str, int]:
        """Songs of each genre."""
        return {row["genre_id"]: row["n_songs"] for row in self.rows("SELECT genre_id, n_songs FROM genres")}

    def similar(self, song_id: str, limit: int) -> list[Row] | None:
        """Similar songs with ``similarity``; None where there is no such song."""
        rank = self.rank("songs", song_id)
        if rank is None:
            return None
        near = self.neighbours[rank - 1][:limit]
        alike = {int(place) + 1: float(one) for place, one in zip(near, self.similarities[rank - 1], strict=False)}
        ranks = [int(place) + 1 for place in near if place >= 0]
        return [song | {"similarity": alike[rank]} for rank, song in zip(ranks, self.songs(ranks), strict=True)]

    @cached_property
    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """Songs in the space of neighbours, as rows of numbers, and the place of each row's song."""
        if not (self.folder / extract.VECTORS).exists():
            return np.zeros((0, 0), dtype=np.float32), np.zeros(0, dtype=np.int32)
        vectors = np.load(self.folder / extract.VECTORS, mmap_mode="r")
        return vectors, np.load(self.folder / extract.VECTOR_PLACES, mmap_mode="r")

    @cached_property
    def measures(self) -> np.ndarray:
        """(n_songs, 5) tempo, key, minor, loudness and energy; NaN where unknown."""
        found: np.ndarray = np.load(self.folder / extract.MEASURES, mmap_mode="r")
        return found

    def chart(self, feature: str, genre_id: str) -> Row | None:
        """Histogram and quantiles of a feature in a genre, in the last month; None where nobody has it."""
        return self.charts_of(genre_id).get(feature)

    def charts_of(self, genre_id: str, month: str = "") -> dict[str, Row]:
        """Charts of a genre by feature; of the last month unless told."""
        return self._charts_of(genre_id, month or self.month)

    @property
    def month(self) -> str:
        """The last month that charts were published in; empty where none were."""
        return self.months[-1] if self.months else ""

    def _read_charts_of(self, genre_id: str, month: str) -> dict[str, Row]:
        path = self.folder / extract.OF_GENRES / f"{month}.parquet"
        rows = _ask_charts(path, "genre_id = ?", "feature", genre_id) if month in self.months else []
        return {row["feature"]: row for row in rows}

    def charts(self, feature: str = "", genre_id: str = "", month: str = "") -> list[Row]:
        """Charts of a feature in every genre, of a genre's every feature, or one; of the last month unless told."""
        month = month or self.month
        if genre_id:
            of_genre = self.charts_of(genre_id, month)
            return list(of_genre.values()) if not feature else [of_genre[feature]] if feature in of_genre else []
        path = self.folder / extract.CHARTS / f"{month}.parquet"
        return _ask_charts(path, "feature = ?", "n DESC, genre_id", feature) if month in self.months else []

    def ranked(self, feature: str, month: str, start: int, limit: int) -> tuple[list[Row], int]:
        """A page of a feature's charts in the genres of a month, the highest median first; and how many there are."""
        path = self.folder / extract.CHARTS / f"{month}.parquet"
        if month not in self.months:
            return [], 0
        of_genres = f"feature = ? AND genre_id <> '{EVERYBODY}'"
        order = f"q50 DESC, genre_id LIMIT {limit} OFFSET {start}"
        rows = _ask_charts(path, of_genres, order, feature, "* EXCLUDE counts, count(*) OVER () AS n_all")
        return rows, rows[0]["n_all"] if rows else 0

    def charted(self, month: str = "") -> dict[str, str]:
        """Features that have charts in a month, with their units."""
        return {name: row["unit"] for name, row in self.charts_of(EVERYBODY, month).items()}

    def over_months(self, feature: str, genre_id: str) -> list[Row]:
        """Charts of a feature in a genre in each month that has one, with ``month``, the oldest first."""
        found = ((month, self.charts_of(genre_id, month).get(feature)) for month in self.months)
        return [chart | {"month": month} for month, chart in found if chart is not None]

    @property
    def has_map(self) -> bool:
        """Whether a map was drawn."""
        return (self.folder / extract.MAP).exists()

    def map_page(self) -> Row | None:
        """The map's data: ``content`` is JSON that can stand inside a page; None: no map was drawn."""
        return self._map

    @cached_property
    def _map(self) -> Row | None:
        return json.loads((self.folder / extract.MAP).read_text(encoding="utf-8")) if self.has_map else None

    @cached_property
    def largest(self) -> list[str]:
        """Names of the largest genres, in alphabetical order: what a form suggests."""
        return sorted((row["name"] for row in self.listed("genres", 0, _SUGGESTED)), key=str.casefold)

    def clip(self, clip_id: str) -> tuple[Path, str] | None:
        """File and media type of a clip; None where it is unknown, gone, or no longer the file that was imported."""
        rows = self.rows("SELECT clip_uri, clip_file, clip_sha256, mime FROM songs WHERE clip_id = ? LIMIT 1", clip_id)
        if not rows:
            return None
        row = rows[0]
        if row["clip_file"]:
            return self.folder / extract.CLIPS / row["clip_file"], row["mime"]
        path = Path(os.fsdecode(uri_to_path(row["clip_uri"])))
        try:
            status = path.stat()
            same = path.is_file() and _digest(path, status.st_size, status.st_mtime_ns) == row["clip_sha256"]
        except OSError:
            return None
        return (path, row["mime"]) if same else None

    def clip_of(self, sha256: str) -> Row | None:
        """A song with a clip of these bytes, to be played; None where the lake has none."""
        rows = self.rows("SELECT rank FROM songs WHERE clip_sha256 = ? ORDER BY rank LIMIT 1", sha256)
        return self.songs([rows[0]["rank"]])[0]["clip"] if rows else None

    def rhythm(self, clip_id: str) -> Row | None:
        """Beats, bars and groove of a clip; None where they were not extracted."""
        rows = self.rows("SELECT told FROM rhythms WHERE clip_id = ?", clip_id)
        return json.loads(rows[0]["told"]) if rows else None

    def _prediction(self, said: Row) -> Row:
        names = self.genre_names()
        scores = [{"genre_id": one, "name": names.get(one, one), "score": score} for one, score in said["scores"]]
        return said | {"scores": scores, "name": names.get(said["predicted"], said["predicted"])}

    def rows(self, statement: str, *values: object) -> list[Row]:
        """Rows of a statement on the extract's database."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            # A thread has a connection of its own: SQLite runs one statement of a connection at a time.
            address = f"{(self.folder / extract.DATABASE).absolute().as_uri()}?mode=ro&immutable=1"
            connection = sqlite3.connect(address, uri=True, check_same_thread=False)
            connection.execute("PRAGMA query_only = ON")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
            self._local.connection = connection
        cursor = connection.execute(statement, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


class Site:
    """The present extract of a folder: a new one is seen at the next request, without a restart."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._held: Extract | None = None
        self._seen: tuple[int, int] = (0, 0)

    @property
    def extract(self) -> Extract:
        """The extract that is current now.

        Raises
        ------
        StoreError : nothing was published.
        """
        try:
            status = (self.path / publishing.CURRENT).stat()
        except OSError:
            raise StoreError(f"{self.path}: contains no extract. Run publish_site, or set web.path.") from None
        seen = (status.st_mtime_ns, status.st_ino)
        if self._held is None or seen != self._seen:
            with self._lock:
                folder = publishing.current(self.path)
                if folder is None:
                    raise StoreError(f"{self.path}: the extract is damaged. Run publish_site.")
                if self._held is None or self._held.folder != folder or seen != self._seen:
                    self._held, self._seen = Extract(folder), seen
        return self._held


def _ask_charts(path: Path, condition: str, order: str, value: str, columns: str = "*") -> list[Row]:
    cursor = _duck().cursor()
    answer = cursor.execute(
        f"SELECT {columns} FROM read_parquet(?) WHERE {condition} ORDER BY {order}", [str(path), value]
    )
    names = [column[0] for column in answer.description]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


@cache
def _duck() -> Any:
    """DuckDB's connection of this process: one thread, little memory, and files cached by the system alone."""
    import duckdb

    atexit.register(_duck.cache_clear)
    return duckdb.connect(config={"threads": 1, "memory_limit": "32MB", "enable_external_file_cache": False})


def _song(row: Row) -> Row:
    clip = None
    if row["clip_id"]:
        part = "" if row["clip_file"] else f"#t={row['start_s']:.3f},{row['start_s'] + row['length_s']:.3f}"
        address = f"/clips/{quote(row['clip_id'], safe='')}{part}"
        clip = {"clip_id": row["clip_id"], "url": address, "mime": row["mime"], "length_s": row["length_s"]}
    hidden = ("rank", "album_rank", "clip_id", "clip_file", "start_s", "length_s", "mime")
    return {name: value for name, value in row.items() if name not in hidden} | {"clip": clip}


def _below(value: float, chart: Row | None) -> float | None:
    return None if chart is None else share_below(float(value), chart["low"], chart["high"], chart["counts"])


@lru_cache(512)
def _digest(path: Path, size: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
