"""Playlists by recipe from the extract: preselect songs, then run the recipe as ``make_playlist`` does.

The recipe is run by :mod:`genreatlas.playlists.making`, on some thousands of preselected songs near its seeds or of its
genres, so that the web process does not need to hold a table of all (450,000) songs.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from genreatlas.config import PlaylistRecipe
from genreatlas.config.recipes import Kind
from genreatlas.errors import InputError, nearest
from genreatlas.playlists.aims import Beside
from genreatlas.playlists.making import Playlist, make
from genreatlas.playlists.music import Songs, credited
from genreatlas.values import JsonObject
from genreatlas.web import lookups
from genreatlas.web.extract import MEASURED
from genreatlas.web.matching import keys_of_name
from genreatlas.web.published import Extract
from genreatlas.web.words import fold

#: Maximum songs preselected near each seed, of a seed that is a genre or artist, and of each genre that is explored.
_NEAR, _OWN, _EACH = 3000, 2000, 300
#: Number of preselected songs from which no further genre is added.
_MOST = 12_000
#: Number of vectors compared in one block.
_BLOCK = 65_536


@dataclass(frozen=True)
class Seed:
    """A seed found in the extract.

    Attributes
    ----------
    reference : reference for the recipe, such as ``song:ID`` or ``artist:NAME``.
    label : display name.
    ranks : ranks of its songs.
    genre : genre_id if the seed is a genre; otherwise empty.
    """

    reference: str
    label: str
    ranks: tuple[int, ...]
    genre: str = ""


def find_seed(found: Extract, text: str) -> Seed:
    """Find a seed: ``genre:``, ``song:`` or ``artist:`` with an id or a name; a song's name is ``ARTIST - TITLE``.

    Raises
    ------
    InputError : nothing is found; for genres, the message has the nearest name.
    """
    kind, colon, name = text.partition(":")
    kind, name = kind.strip().lower(), name.strip()
    if not colon or kind not in ("genre", "song", "artist") or not name:
        raise InputError(f"{text[:80]!r} is not a seed. Write genre:NAME, song:ARTIST - TITLE or artist:NAME.")
    if kind == "song":
        rank = found.rank("songs", name)
        ranks = lookups.ranks_by_keys(found, keys_of_name(name)) if rank is None else {}
        rank = min(ranks.values(), default=None) if rank is None else rank
        if rank is None:
            raise InputError(f"This site has no song {name[:80]!r}. Write song:ARTIST - TITLE.")
        (song,) = found.songs([rank])
        label = " - ".join(one for one in (song["artist"], song["title"]) if one) or song["song_id"]
        return Seed(f"song:{song['song_id']}", label, (rank,))
    table = "genres" if kind == "genre" else "artists"
    rank = found.rank(table, name)
    if rank is None:
        rows = found.search(name, table, 1)
        rank = found.rank(table, rows[0][f"{kind}_id"]) if rows and fold(rows[0]["name"]) == fold(name) else None
    if rank is None:
        near = nearest(name, sorted(found.genre_names().values())) if kind == "genre" else ""
        raise InputError(f"This site has no {kind} {name[:80]!r}. {near}".strip())
    (row,) = found.named(table, [rank])
    if kind == "genre":
        ranks_of = lookups.of_genre(found, row["genre_id"], _OWN)
        return Seed(f"genre:{row['genre_id']}", row["name"], tuple(ranks_of), row["genre_id"])
    return Seed(f"artist:{row['name']}", row["name"], tuple(lookups.of_artist(found, row["artist_id"], _OWN)))


def make_recipe(
    found: Extract, kind: Kind, seeds: Iterable[str], away_from: Iterable[str] = (), **settings: object
) -> dict[str, object]:
    """Make a playlist.

    Parameters
    ----------
    found : the extract.
    kind : around, path, blend, explore (outward along the tree, from a genre) or predicted.
    seeds, away_from : texts for :func:`find_seed`.
    settings : further keys of a recipe: songs, minutes, songs_per_artist, tempo, energy, variety, seed.

    Returns
    -------
    ``name``, ``kind``, ``seeds``, ``notes``, and ``songs``, each with ``role``, ``reason`` and ``distance``.

    Raises
    ------
    InputError : a seed is not found, or no song fits.
    ValueError : the recipe is invalid (pydantic's ValidationError).
    """
    named = [find_seed(found, one) for one in seeds]
    avoided = [find_seed(found, one) for one in away_from]
    name = f"{kind.capitalize()}: {', '.join(one.label for one in named)}"[:100]
    explores = kind == "explore"
    if explores and (len(named) != 1 or not named[0].genre):
        raise InputError("To explore, name one genre to start from, such as genre:house.")
    recipe = PlaylistRecipe(
        name="".join(one if one.isprintable() else " " for one in name).strip() or "Playlist",
        kind=kind,
        seeds=() if explores else tuple(one.reference for one in named),
        away_from=tuple(one.reference for one in avoided),
        library=Path(named[0].label) if explores else None,
        **settings,
    )
    pool = _Pool(found)
    songs, beside = pool.songs_for(recipe, named, avoided)
    made = make(songs, recipe, str((found.facts["space"] or {}).get("feature_set", "no features")), beside)
    return _answer(found, recipe, [one.label for one in named], pool, made)


def _answer(found: Extract, recipe: PlaylistRecipe, labels: list[str], pool: "_Pool", made: Playlist) -> JsonObject:
    entries = list(made.entries)
    songs = found.songs([int(pool.ranks[entry.row]) for entry in entries])
    return {
        "name": recipe.name,
        "kind": recipe.kind,
        "seeds": labels,
        "notes": list(made.notes),
        "songs": [
            song
            | {
                "role": entry.role,
                "reason": entry.reason,
                "distance": float(entry.distance) if np.isfinite(entry.distance) else None,
            }
            for song, entry in zip(songs, entries, strict=True)
        ],
    }


class _Pool:
    """The preselected songs of a recipe; row r is the song of rank ``ranks[r]``."""

    def __init__(self, found: Extract) -> None:
        self.found = found
        self.ranks: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def songs_for(self, recipe: PlaylistRecipe, seeds: list[Seed], avoided: list[Seed]) -> tuple[Songs, Beside]:
        """Preselect songs and read their data."""
        ranks: dict[int, None] = {}
        for one in (*seeds, *avoided):
            ranks.update(dict.fromkeys(one.ranks))
        edges: list[tuple[str, str]] = []
        scores: dict[str, list[tuple[int, float]]] = {}
        if recipe.kind == "explore":
            edges = self._edges()
            for genre in _within(edges, seeds[0].genre, recipe.reach):
                ranks.update(dict.fromkeys(lookups.of_genre(self.found, genre, _EACH)))
                if len(ranks) >= _MOST:
                    break
        elif recipe.kind == "predicted":
            scores = {one.genre: lookups.called(self.found, one.genre) for one in seeds if one.genre}
            ranks.update(dict.fromkeys(rank for rows in scores.values() for rank, _ in rows))
        else:
            near = self._near([one.ranks for one in seeds], together=recipe.kind != "around")
            ranks.update(dict.fromkeys(int(rank) for rank in near))
        listed: list[int] = []
        if recipe.kind == "around" and len(seeds[0].ranks) == 1:
            listed = [int(place) + 1 for place in self.found.neighbours[seeds[0].ranks[0] - 1] if place >= 0]
            ranks.update(dict.fromkeys(listed))
        self.ranks = np.array(sorted(ranks), dtype=np.int64)
        songs = self._songs()
        row_of = {int(rank): row for row, rank in enumerate(self.ranks)}
        number = {genre: place for place, genre in enumerate(songs.genre_ids)}
        rows = np.array([row_of[rank] for rank in seeds[0].ranks], dtype=np.int64)
        home = number[seeds[0].genre] if recipe.kind == "explore" else -1
        rows = songs.of_genre(home) if home >= 0 else rows  # includes songs that were selected for another genre
        beside = Beside(
            edges=tuple(sorted((number[a], number[b]) for a, b in edges if a in number and b in number)),
            library=rows if recipe.kind == "explore" else None,
            library_size=len(rows),
            library_name=seeds[0].label,
            home=(home,) if home >= 0 else None,
            confidence={number[genre]: _scored(found, row_of) for genre, found in scores.items() if genre in number},
            neighbours={
                int(rows[0]): np.array([row_of[one] for one in listed if songs.heard[row_of[one]]], dtype=np.int64)
            } if listed else None,
        )  # fmt: skip
        return songs, beside

    def _edges(self) -> list[tuple[str, str]]:
        """Edges of the drawn tree; genres outside the tree are connected with their nearest genres by sound."""
        edges = lookups.genre_edges(self.found)
        inside = {genre for pair in edges for genre in pair}
        return [*edges, *((one, other) for one, other in lookups.genre_near(self.found) if one not in inside)]

    def _near(self, seeds: list[tuple[int, ...]], together: bool) -> npt.NDArray[np.int64]:
        """Ranks of the songs nearest to each seed and, if ``together``, of those with the smallest sum of distances."""
        vectors, places = self.found.vectors
        if not len(places):
            return np.zeros(0, dtype=np.int64)
        row_of = np.full(self.found.facts["n_songs"], -1, dtype=np.int64)
        row_of[places] = np.arange(len(places))
        points = []
        for ranks in seeds:
            rows = row_of[np.array(ranks, dtype=np.int64) - 1]
            rows = np.sort(rows[rows >= 0])
            if len(rows):
                points.append(np.asarray(vectors[rows]).mean(axis=0, dtype=np.float64).astype(np.float32))
        if not points:
            return np.zeros(0, dtype=np.int64)
        away = np.empty((len(points), len(places)), dtype=np.float32)
        for start in range(0, len(places), _BLOCK):
            block = np.asarray(vectors[start : start + _BLOCK])
            for number, point in enumerate(points):
                away[number, start : start + len(block)] = np.sqrt(np.square(block - point).sum(axis=1))
        wanted = [*away, away.sum(axis=0)] if together else list(away)
        found = {int(place) for one in wanted for place in _least(one, _NEAR)}
        return np.asarray(places)[sorted(found)].astype(np.int64) + 1

    def _songs(self) -> Songs:
        rows = lookups.songs_plainly(self.found, self.ranks.tolist())
        facts = pd.DataFrame(rows)
        places = self.ranks - 1
        names, credits = lookups.credits(self.found, self.ranks.tolist())
        performer, pairs, keys = credited(
            facts, pd.DataFrame(credits, columns=["song_id", "position", "artist_id"]), names
        )
        labels = lookups.all_labels(self.found, self.ranks.tolist())
        genre_ids = tuple(sorted({genre for _, genre in labels} | set(self.found.genre_names())))
        number = {genre: place for place, genre in enumerate(genre_ids)}
        row_of = {int(rank): row for row, rank in enumerate(self.ranks)}
        of_names = self.found.genre_names()
        measures = np.asarray(self.found.measures[places], dtype=np.float64)
        held = {name: measures[:, column].copy() for column, name in enumerate(MEASURED)}
        return Songs(
            facts=facts,
            vectors=self._vectors(places),
            recording=np.asarray(self.found.recordings[places], dtype=np.int64),
            performer=performer,
            genre_ids=genre_ids,
            genre_names=tuple(of_names.get(genre, genre) for genre in genre_ids),
            labels=np.array(
                sorted((row_of[rank], number[genre]) for rank, genre in labels), dtype=np.int64
            ).reshape(-1, 2),
            credits=pairs,
            artist_keys=keys,
            **held,
        )  # fmt: skip

    def _vectors(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        vectors, held = self.found.vectors
        row_of = np.full(self.found.facts["n_songs"], -1, dtype=np.int64)
        row_of[held] = np.arange(len(held))
        rows = row_of[places]
        made = np.full((len(places), vectors.shape[1]), np.nan, dtype=np.float32)
        made[rows >= 0] = vectors[rows[rows >= 0]]
        return made


def _within(edges: Iterable[tuple[str, str]], first: str, reach: int) -> Iterable[str]:
    """Genres within ``reach`` steps of a genre, including itself, nearest first."""
    beside: dict[str, list[str]] = {}
    for one, other in edges:
        beside.setdefault(one, []).append(other)
        beside.setdefault(other, []).append(one)
    steps = {first: 0}
    waiting = deque([first])
    while waiting:
        genre = waiting.popleft()
        yield genre
        for other in beside.get(genre, ()) if steps[genre] < reach else ():
            if other not in steps:
                steps[other] = steps[genre] + 1
                waiting.append(other)


def _least(values: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int64]:
    return np.argpartition(values, k - 1)[:k] if k < len(values) else np.arange(len(values))


def _scored(
    found: list[tuple[int, float]], row_of: Mapping[int, int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    rows = sorted((row_of[rank], score) for rank, score in found)
    return np.array([row for row, _ in rows], dtype=np.int64), np.array([score for _, score in rows], dtype=np.float64)
