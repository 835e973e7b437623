"""Bulk look-ups of songs in an extract: by code, name, genre or artist, for lists and recipes.

A rank is the number of a song in the extract, from 1, in descending order of popularity.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal

from genreatlas.values import Row
from genreatlas.web.published import Extract

#: Maximum number of values in one statement.
_AT_ONCE = 500


def ranks_by(found: Extract, column: Literal["isrc", "spotify_id"], values: Iterable[str]) -> dict[str, int]:
    """Rank by code; of several songs with one code, the most popular."""
    assert column in ("isrc", "spotify_id")
    statement = f"SELECT {column} AS code, min(rank) AS rank FROM songs WHERE {column} IN ({{}}) GROUP BY {column}"
    return {row["code"]: row["rank"] for row in _many(found, statement, values)}


def ranks_by_keys(found: Extract, keys: Iterable[int]) -> dict[int, int]:
    """Rank by key of artist and title (:mod:`genreatlas.web.matching`); of several songs, the most popular."""
    statement = "SELECT key, min(song) AS rank FROM song_keys WHERE key IN ({}) GROUP BY key"
    return {row["key"]: row["rank"] for row in _many(found, statement, keys)}


def labels(found: Extract, ranks: Iterable[int]) -> dict[int, tuple[tuple[str, ...], bool]]:
    """Genres by rank, and whether they are predictions; songs without labels and predictions are absent."""
    ranks = list(ranks)
    statement = "SELECT song, genre_id FROM song_genres JOIN genres ON rank = genre WHERE song IN ({})"
    named: dict[int, list[str]] = {}
    for row in _many(found, statement, ranks):
        named.setdefault(row["song"], []).append(row["genre_id"])
    known = {rank: (tuple(sorted(genres)), False) for rank, genres in named.items()}
    statement = "SELECT rank, prediction FROM songs WHERE prediction IS NOT NULL AND rank IN ({})"
    for row in _many(found, statement, [rank for rank in ranks if rank not in known]):
        known[row["rank"]] = ((json.loads(row["prediction"])["predicted"],), True)
    return known


def all_labels(found: Extract, ranks: Sequence[int]) -> list[tuple[int, str]]:
    """All pairs of rank and labelled genre_id."""
    statement = "SELECT song, genre_id FROM song_genres JOIN genres ON rank = genre WHERE song IN ({})"
    return [(row["song"], row["genre_id"]) for row in _many(found, statement, ranks)]


def of_genre(found: Extract, genre_id: str, most: int) -> list[int]:
    """Ranks of a genre's songs: songs with clips first, then in order of rank."""
    statement = (
        "SELECT song FROM genre_songs WHERE genre = (SELECT rank FROM genres WHERE genre_id = ?) "
        "ORDER BY heard, song LIMIT ?"
    )
    return [row["song"] for row in found.rows(statement, genre_id, most)]


def of_artist(found: Extract, artist_id: str, most: int) -> list[int]:
    """Ranks of the songs on which an artist is credited, the best known first."""
    statement = (
        "SELECT song FROM artist_songs WHERE artist = (SELECT rank FROM artists WHERE artist_id = ?) "
        "ORDER BY song LIMIT ?"
    )
    return [row["song"] for row in found.rows(statement, artist_id, most)]


def called(found: Extract, genre_id: str) -> list[tuple[int, float]]:
    """Ranks and scores of the songs with a predicted genre, highest score first."""
    statement = (
        "SELECT song, score FROM genre_predicted WHERE genre = (SELECT rank FROM genres WHERE genre_id = ?) "
        "ORDER BY place"
    )
    return [(row["song"], row["score"]) for row in found.rows(statement, genre_id)]


def genre_edges(found: Extract) -> list[tuple[str, str]]:
    """Edges of the drawn tree of genres: (child, parent)."""
    statement = (
        "SELECT one.genre_id AS below, other.genre_id AS above FROM genre_edges AS edge "
        "JOIN genres AS one ON one.rank = edge.child JOIN genres AS other ON other.rank = edge.parent ORDER BY 1, 2"
    )
    return [(row["below"], row["above"]) for row in found.rows(statement)]


def genre_near(found: Extract) -> list[tuple[str, str]]:
    """Pairs of each genre and its two nearest genres by sound."""
    rows = found.rows("SELECT genre_id, near FROM genres ORDER BY rank")
    return [(row["genre_id"], other) for row in rows for other, _ in json.loads(row["near"])[:2]]


def songs_plainly(found: Extract, ranks: Sequence[int]) -> list[Row]:
    """Columns of songs that recipes need, in the order of ``ranks``."""
    columns = "song_id, name AS title, artist, album, isrc, spotify_id, clip_uri AS uri, duration_s AS seconds"
    rows = _many(found, f"SELECT rank, {columns} FROM songs WHERE rank IN ({{}})", ranks)
    by_rank = {row.pop("rank"): row for row in rows}
    return [by_rank[rank] for rank in ranks]


def credits(found: Extract, ranks: Sequence[int]) -> tuple[dict[str, str], list[tuple[str, int, str]]]:
    """Credits of songs: names by artist_id, and rows (song_id, position, artist_id)."""
    statement = (
        "SELECT song_id, position, artist_id, artists.name AS name FROM song_artists "
        "JOIN artists ON artists.rank = song_artists.artist JOIN songs ON songs.rank = song WHERE song IN ({})"
    )
    rows = list(_many(found, statement, ranks))
    names = {row["artist_id"]: row["name"] for row in rows}
    return names, [(row["song_id"], row["position"], row["artist_id"]) for row in rows]


def _many(found: Extract, statement: str, values: Iterable[object]) -> Iterator[Row]:
    """Rows of a statement whose ``{}`` is replaced by placeholders for any number of values, in batches."""
    waiting = iter(dict.fromkeys(values))
    while some := list(islice(waiting, _AT_ONCE)):
        yield from found.rows(statement.format(", ".join("?" * len(some))), *some)
