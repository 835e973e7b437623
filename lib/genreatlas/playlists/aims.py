"""Candidates of a recipe with costs: near a seed, between seeds, outward along the tree of genres, or predicted."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from genreatlas.config import PlaylistRecipe
from genreatlas.errors import InputError
from genreatlas.playlists.music import Floats, Ints, Songs, centre, distances
from genreatlas.playlists.references import Named, find

#: Minimum share of a library's songs for a genre to be a start of exploration ("home").
_HOME_SHARE = 0.05
#: Number of nearest genres to which a genre without an edge in the tree is connected.
_NEAREST = 2


@dataclass(frozen=True)
class Aim:
    """Candidates of a recipe.

    Attributes
    ----------
    rows : (m,) rows of the songs.
    costs : (m,) cost of each song; songs with low costs are chosen first.
    distances : (m,) distance that is stored with the playlist; NaN if there is none.
    reason : function that returns the reason for a candidate by its index in ``rows``.
    seeds : rows of songs named by the recipe, which should be on the playlist.
    groups : (m,) explore: steps from the home genres; None for other kinds.
    notes : remarks for the log.
    """

    rows: Ints
    costs: Floats
    distances: Floats
    reason: Callable[[int], str]
    seeds: tuple[int, ...] = ()
    groups: Ints | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Beside:
    """Further data that some kinds of recipes need.

    Attributes
    ----------
    edges : pairs of genres, child and parent in the drawn tree.
    library : explore: rows of the library's songs.
    library_size : number of entries of the library.
    library_name : name of the library in reasons and notes.
    home : explore: genres to start from; None: genres of at least 5 % of the library's songs.
    confidence : predicted: rows and scores of songs by predicted genre.
    neighbours : neighbours of a song in ``song_neighbours``, the nearest first, by row of the song.
    """

    edges: tuple[tuple[int, int], ...] = ()
    library: Ints | None = None
    library_size: int = 0
    library_name: str = "the library"
    home: tuple[int, ...] | None = None
    confidence: Mapping[int, tuple[Ints, Floats]] | None = None
    neighbours: Mapping[int, Ints] | None = None


def aim(songs: Songs, recipe: PlaylistRecipe, feature_set: str, beside: Beside) -> Aim:
    """Find the candidates of a recipe of any kind except path.

    Raises
    ------
    InputError : a seed is not in the store or has no features, or there are no candidates.
    """
    if recipe.kind == "explore":
        return _explore(songs, recipe, beside)
    named = [find(songs, seed) for seed in recipe.seeds]
    if recipe.kind == "predicted":
        return _predicted(songs, recipe, named, beside)
    if recipe.kind == "blend":
        away = [find(songs, seed) for seed in recipe.away_from]
        return _blend(songs, named, away, feature_set)
    if named[0].kind == "song":
        return _around_song(songs, named[0], feature_set, beside)
    return _around_many(songs, named[0], feature_set)


def _around_song(songs: Songs, seed: Named, feature_set: str, beside: Beside) -> Aim:
    """The nearest songs: first those in ``song_neighbours``, which are corrected for hubs, then others by distance."""
    away = distances(songs, seed.require_point(feature_set))
    row = int(seed.rows[0])
    rows = np.flatnonzero(songs.heard & (songs.recording != songs.recording[row]))
    order = rows[np.argsort(away[rows], kind="stable")]
    listed = (beside.neighbours or {}).get(row, np.zeros(0, dtype=np.int64))
    listed = listed[songs.recording[listed] != songs.recording[row]]
    order = np.concatenate([listed, order[~np.isin(order, listed)]])

    _, first, which = np.unique(songs.recording[order], return_index=True, return_inverse=True)
    number = (np.argsort(np.argsort(first)) + 1)[which]  # equal for copies

    def reason(place: int) -> str:
        return f"Number {number[place]} of the songs nearest to {seed.label} (distance {away[order[place]]:.2f})"

    return Aim(order, np.arange(len(order), dtype=np.float64), away[order], reason, (row,))


def _around_many(songs: Songs, seed: Named, feature_set: str) -> Aim:
    """Songs of a genre or artist, the most typical first, and other songs within their median distance."""
    away = distances(songs, seed.require_point(feature_set))
    own = np.zeros(len(songs), dtype=bool)
    own[seed.rows] = True
    usual = float(np.median(away[own & songs.heard]))
    rows = np.flatnonzero(own | (songs.heard & (away <= usual)))
    costs = np.where(np.isfinite(away[rows]), away[rows], np.inf)
    of = f"{'songs by' if seed.kind == 'artist' else 'songs of'} {seed.label}"

    def reason(place: int) -> str:
        if not np.isfinite(costs[place]):
            return f"Is one of the {of}; its sound is not known"
        nearer = f"{costs[place]:.2f} from the middle of {of}, of which half lie within {usual:.2f}"
        return f"{'One of them: ' if own[rows[place]] else 'Sounds like them: '}{nearer}"

    return Aim(rows, np.nan_to_num(costs, posinf=1e9), away[rows], reason)


def _blend(songs: Songs, seeds: list[Named], away: list[Named], feature_set: str) -> Aim:
    """Songs between the seeds that are not nearer to ``away`` than to the seeds.

    The cost is the root mean square of the distances to the seeds, which is smallest in the middle. Their mean would be
    equal everywhere between two seeds.
    """
    to = np.array([distances(songs, seed.require_point(feature_set)) for seed in seeds])
    off = np.array([distances(songs, seed.require_point(feature_set)) for seed in away]).reshape(len(away), len(songs))
    named = tuple(int(seed.rows[0]) for seed in seeds if seed.kind == "song")
    near = songs.heard.copy()
    if away:
        near &= to.min(axis=0) <= off.min(axis=0)
        near[np.concatenate([seed.rows for seed in away])] = False
    rows = np.flatnonzero(near)
    costs = np.sqrt((to**2).mean(axis=0))[rows]

    def reason(place: int) -> str:
        row = rows[place]
        parts = ", ".join(f"{to[i, row]:.2f} from {seed.label}" for i, seed in enumerate(seeds))
        if not away:
            return f"Between the seeds: {parts}"
        nearest = int(off[:, row].argmin())
        return f"Between the seeds: {parts}; farther from {away[nearest].label} ({off[nearest, row]:.2f})"

    removed = int(songs.heard.sum()) - len(rows)
    notes = (f"{removed} songs are nearer to {', '.join(s.label for s in away)}",) if away else ()
    return Aim(rows, costs, costs, reason, tuple(row for row in named if near[row]), notes=notes)


def _predicted(songs: Songs, recipe: PlaylistRecipe, seeds: list[Named], beside: Beside) -> Aim:
    best: dict[int, tuple[float, str]] = {}
    for seed in seeds:
        assert seed.genre is not None
        rows, scores = (beside.confidence or {}).get(seed.genre, (np.zeros(0, dtype=np.int64), np.zeros(0)))
        for row, score in zip(rows.tolist(), scores.tolist(), strict=True):
            if score >= recipe.min_confidence and score > best.get(row, (-1.0, ""))[0]:
                best[row] = (score, seed.label)
    if not best:
        wanted = ", ".join(seed.label for seed in seeds)
        raise InputError(
            f"{recipe.name}: the model predicts {wanted} for no song with a score of {recipe.min_confidence:g} or "
            "more. Run score, or lower min_confidence."
        )
    found = np.array(sorted(best), dtype=np.int64)
    scores = np.array([best[int(row)][0] for row in found])

    def reason(place: int) -> str:
        return f"The model calls it {best[int(found[place])][1]} (score {scores[place]:.2f})"

    return Aim(found, 1.0 - scores, 1.0 - scores, reason)


def _explore(songs: Songs, recipe: PlaylistRecipe, beside: Beside) -> Aim:
    """Songs outside the library, in genres up to ``reach`` steps from its own, with equal shares for each step."""
    library = beside.library if beside.library is not None else np.zeros(0, dtype=np.int64)
    home = _home(songs, library) if beside.home is None else list(beside.home)
    if not home:
        raise InputError(
            f"{recipe.name}: {len(library)} of {beside.library_size} entries of {recipe.library} are songs of the "
            "store, and none of them has a genre, so the recipe has no starting point. Import songs of the library "
            "with their genres first."
        )
    edges, how = _connected(songs, beside.edges)
    came_from = _outward(edges, home, recipe.reach)
    steps = {genre: len(_way(came_from, genre)) - 1 for genre in came_from}
    have = np.isin(songs.recording, songs.recording[library])
    nearest: dict[int, int] = {}
    for song, genre in songs.labels:
        if genre in steps and not have[song] and songs.heard[song]:
            known = nearest.get(int(song))
            if known is None or (steps[int(genre)], genre) < (steps[known], known):
                nearest[int(song)] = int(genre)
    rows = np.array(sorted(nearest), dtype=np.int64)
    groups = np.array([steps[nearest[int(row)]] for row in rows], dtype=np.int64)
    points = {genre: centre(songs, library[np.isin(library, songs.of_genre(genre))]) for genre in home}
    roots = [_way(came_from, nearest[int(row)])[0] for row in rows]
    away = np.full(len(rows), 9.0)
    for genre, point in points.items():
        mine = np.array([root == genre for root in roots], dtype=bool)
        if point is not None and mine.any():
            away[mine] = distances(songs, point, rows[mine])
    costs = np.empty(len(rows))
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        costs[members[np.argsort(away[members], kind="stable")]] = np.arange(len(members))

    def reason(place: int) -> str:
        way = [songs.genre_names[genre] for genre in _way(came_from, nearest[int(rows[place])])]
        if len(way) == 1:
            return f"{way[0]}, which is in {beside.library_name}; the song is not"
        return f"{len(way) - 1} step{'s' * (len(way) > 2)} from {beside.library_name}: {' > '.join(way)}"

    found = f"{len(library)} of {beside.library_size} entries of {beside.library_name} are songs of the store"
    homes = ", ".join(songs.genre_names[genre] for genre in home[:5])
    return Aim(rows, costs, away, reason, groups=groups, notes=(f"{found}; it starts from {homes}{how}",))


def _home(songs: Songs, library: Ints) -> list[int]:
    """Genres of at least 5 % of a library's songs, the most frequent first."""
    labels = songs.labels[np.isin(songs.labels[:, 0], library)]
    genres, counts = np.unique(labels[:, 1], return_counts=True)
    order = np.lexsort((genres, -counts))
    least = _HOME_SHARE * len(library)
    return [int(genres[place]) for place in order if counts[place] >= least]


def _connected(songs: Songs, edges: tuple[tuple[int, int], ...]) -> tuple[set[tuple[int, int]], str]:
    """Edges of the tree, and edges from genres outside the tree to the genres nearest by sound; a note on these."""
    found = {(min(pair), max(pair)) for pair in edges if pair[0] != pair[1]}
    inside = {genre for pair in found for genre in pair}
    points = {genre: centre(songs, songs.of_genre(genre)) for genre in range(len(songs.genre_ids))}
    known = [genre for genre, point in points.items() if point is not None]
    vectors = np.array([points[genre] for genre in known])
    alone = 0
    for place, genre in enumerate(known):
        if genre not in inside and len(known) > 1:
            away = ((vectors - vectors[place]) ** 2).sum(axis=1)
            away[place] = np.inf
            for other in np.argsort(away, kind="stable")[: min(_NEAREST, len(known) - 1)]:
                found.add((min(genre, known[other]), max(genre, known[other])))
            alone += 1
    if not alone:
        return found, ""
    return found, f"; {alone} genres are not in the tree and were connected to the genres nearest by sound"


def _outward(edges: set[tuple[int, int]], home: list[int], reach: int) -> dict[int, int]:
    """Breadth-first search from the home genres: predecessor of each genre in reach; that of a home genre is itself."""
    beside: dict[int, list[int]] = {}
    for one, other in sorted(edges):
        beside.setdefault(one, []).append(other)
        beside.setdefault(other, []).append(one)
    came_from = {genre: genre for genre in home}
    waiting = deque((genre, 0) for genre in home)
    while waiting:
        genre, steps = waiting.popleft()
        for other in beside.get(genre, []) if steps < reach else []:
            if other not in came_from:
                came_from[other] = genre
                waiting.append((other, steps + 1))
    return came_from


def _way(came_from: Mapping[int, int], genre: int) -> list[int]:
    """Genres on the way from a home genre to this genre."""
    way = [genre]
    while came_from[way[-1]] != way[-1]:
        way.append(came_from[way[-1]])
    return way[::-1]
