"""Generate a playlist from a recipe: candidates, choice, order, and the reason for each song."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from genreatlas.config import PlaylistRecipe
from genreatlas.errors import InputError
from genreatlas.playlists.aims import Aim, Beside, aim
from genreatlas.playlists.choosing import Basket, Limits, blocked, fit, shaken, take, unfit
from genreatlas.playlists.music import Floats, Ints, Songs, distances, step_matrix, steps_from
from genreatlas.playlists.ordering import curve_costs, fill_places, ranks, smooth
from genreatlas.playlists.paths import walk
from genreatlas.playlists.references import Named, find

#: Version of the code. Increase it when the same recipe and songs may result in another playlist.
VERSION = "1"
#: Number of candidates for a curve of energy, as a multiple of the playlist's length.
_POOL = 3
#: Cost per step in the tree of genres by which a song is before or after its position.
_GROUP = 10.0


@dataclass(frozen=True)
class Entry:
    """A song of a playlist.

    Attributes
    ----------
    row : row of the song.
    role : seed (named by the recipe) or song.
    reason : reason for the choice.
    distance : distance from the target of the recipe; NaN on a path.
    step : size of the step from the previous song; NaN for the first.
    """

    row: int
    role: str
    reason: str
    distance: float
    step: float


@dataclass(frozen=True)
class Playlist:
    """Songs in order, and remarks."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...]


def make(songs: Songs, recipe: PlaylistRecipe, feature_set: str, beside: Beside | None = None) -> Playlist:
    """Generate a playlist. The result is the same for the same songs and recipe.

    Parameters
    ----------
    songs : all songs.
    recipe : recipe of the playlist.
    feature_set : name of the vectors' feature set, for messages.
    beside : further data for the kinds explore, predicted and around.

    Raises
    ------
    InputError : a seed is not in the store, or no song fits.
    """
    random = np.random.default_rng(recipe.seed)
    limits = limits_of(songs, recipe)
    beside = beside or Beside()
    if recipe.kind == "path":
        return _path(songs, recipe, limits, feature_set, random)
    wanted = aim(songs, recipe, feature_set, beside)
    costs = shaken(wanted.costs, recipe.variety, random)
    order = np.argsort(costs, kind="stable")
    seeds = list(wanted.seeds)
    basket = take(Basket(songs, limits), [*seeds, *wanted.rows[order]])
    if recipe.energy and basket.rows:
        basket = _with_curve(basket, recipe, seeds, wanted.rows[order])
    short = basket.shortfall(len(set(wanted.rows.tolist()) | set(seeds)))
    left = [row for row in seeds if row not in basket.rows]
    notes = [*wanted.notes, short, *(_left_out(songs, limits, row) for row in left)]
    notes += _unknown(songs, recipe, basket.rows)
    return _ended(songs, recipe, basket, _ordered(songs, recipe, basket, wanted), wanted, notes)


def limits_of(songs: Songs, recipe: PlaylistRecipe) -> Limits:
    """Limits of a recipe's playlist.

    Raises
    ------
    InputError : a reference in ``block`` is not in the store.
    """
    named = [find(songs, reference) for reference in recipe.block]
    rows = np.concatenate([one.rows for one in named]) if named else np.zeros(0, dtype=np.int64)
    return Limits(
        recipe.length, recipe.minutes * 60, recipe.songs_per_artist, recipe.tempo, blocked(songs, np.unique(rows))
    )


def _with_curve(basket: Basket, recipe: PlaylistRecipe, seeds: list[int], rows: Ints) -> Basket:
    """Choose songs again for the positions of the energy curve, from three times as many candidates."""
    songs, limits = basket.songs, basket.limits
    n = len(basket.rows)
    free = Limits(_POOL * n, 0.0, limits.per_artist, limits.tempo, limits.blocked)
    pool = take(Basket(songs, free), [*seeds, *fit(songs, limits, rows)]).rows
    energy = ranks(songs.energy[pool])
    cost = np.arange(len(pool)) / max(len(pool), 1)
    cost[: sum(row in seeds for row in pool)] = -100.0  # seeds are at the start of the pool
    chosen = [pool[place] for place in fill_places(cost, energy, recipe.energy, n)]
    best_first = sorted(chosen, key=pool.index)
    made = take(Basket(songs, limits), best_first)
    made = take(made, [row for row in pool if row not in chosen])
    made.refused = {row: why for row, why in (basket.refused | made.refused).items() if row not in made.rows}
    return made


def _ordered(songs: Songs, recipe: PlaylistRecipe, basket: Basket, wanted: Aim) -> list[int]:
    rows = np.array(basket.rows, dtype=np.int64)
    if len(rows) < 2:
        return basket.rows
    steps = step_matrix(songs, rows)
    places: Floats | None = None
    if recipe.energy:
        places = curve_costs(ranks(songs.energy[rows]), recipe.energy)
    elif wanted.groups is not None:
        group = dict(zip(wanted.rows.tolist(), wanted.groups.tolist(), strict=True))
        mine = np.array([group.get(int(row), 0) for row in rows])
        places = _GROUP * np.abs(mine[:, None] - np.sort(mine)[None, :])
    opens = recipe.kind == "around" and wanted.seeds and wanted.seeds[0] in basket.rows
    first = basket.rows.index(wanted.seeds[0]) if opens else None
    return [int(rows[place]) for place in smooth(steps, places, first)]


def _path(
    songs: Songs, recipe: PlaylistRecipe, limits: Limits, feature_set: str, random: np.random.Generator
) -> Playlist:
    ends = [find(songs, seed) for seed in recipe.seeds]
    points = [end.require_point(feature_set) for end in ends]
    stands = [_stands(songs, limits, end, point) for end, point in zip(ends, points, strict=True)]
    basket = walk(Basket(songs, limits), (points[0], stands[0]), (points[1], stands[1]), recipe.variety, random)
    rows = np.array(basket.rows, dtype=np.int64)
    a, b = (distances(songs, point, rows) for point in points)
    along = np.nan_to_num(a / np.maximum(a + b, 1e-12))
    named = {int(end.rows[0]) for end in ends if end.kind == "song"}

    def reason(place: int) -> str:
        row = basket.rows[place]
        if place in (0, len(rows) - 1):
            end = ends[0 if place == 0 else 1]
            what = "starts" if place == 0 else "ends"
            return f"The path {what} here" + ("" if row in named else f": the song that fits {end.label} best")
        return f"On the way from {ends[0].label} to {ends[1].label}, {100 * along[place]:.0f} % of it behind"

    found = Aim(rows, along, np.full(len(rows), np.nan), reason, tuple(named))
    notes = [basket.shortfall(int(songs.heard.sum()))]
    if len(rows) > 2:
        largest = max(float(steps_from(songs, int(x), np.array([y]))[0]) for x, y in pairwise(rows))
        straight = float(steps_from(songs, int(rows[0]), rows[-1:])[0])
        notes.append(f"largest step {largest:.2f}; distance from the first song to the last {straight:.2f}")
    notes += [_left_out(songs, limits, row) for row in sorted(named) if row not in basket.rows]
    return _ended(songs, recipe, basket, basket.rows, found, [*notes, *_unknown(songs, recipe, basket.rows)])


def _stands(songs: Songs, limits: Limits, end: Named, point: Floats) -> Ints:
    """Candidates for an end of a path: the seed's songs by distance from its point, then other songs by distance."""
    away = distances(songs, point)
    rows = fit(songs, limits, np.flatnonzero(songs.heard))
    own = np.isin(rows, end.rows)
    return rows[np.lexsort((away[rows], ~own))]


def _left_out(songs: Songs, limits: Limits, row: int) -> str:
    """Message that explains why a seed was not chosen."""
    why = unfit(songs, limits, row, songs.seconds)
    return f"the seed {songs.called(row)} is left out: {why or 'a copy, or another song of its artist, was selected'}"


def _unknown(songs: Songs, recipe: PlaylistRecipe, rows: list[int]) -> list[str]:
    """Remarks on unknown artists, tempi, keys, loudness and energy of the chosen songs."""
    chosen = np.array(rows, dtype=np.int64)
    notes = []
    if nobody := int((songs.performer[chosen] < 0).sum()):
        notes.append(f"{nobody} songs have no known artist, so songs_per_artist does not apply to them")
    unknown = {
        "tempo": songs.tempo, "key": songs.key + songs.minor, "loudness": songs.loudness,
    } | ({"energy": songs.energy} if recipe.energy else {})  # fmt: skip
    lacks = [(name, int((~np.isfinite(values[chosen])).sum())) for name, values in unknown.items()]
    said = [f"{name} of {'all' if count == len(rows) else count}" for name, count in lacks if count]
    if said:
        notes.append(f"not known: {', '.join(said)}")
    return notes


def _ended(
    songs: Songs, recipe: PlaylistRecipe, basket: Basket, rows: list[int], wanted: Aim, notes: list[str]
) -> Playlist:
    """Create the playlist's entries with their reasons.

    Raises
    ------
    InputError : no song was chosen.
    """
    said = tuple(note for note in notes if note)
    if not rows:
        raise InputError(f"{recipe.name}: no song fits. {'; '.join(said)}")
    place_of = {int(row): place for place, row in enumerate(wanted.rows)}
    entries = []
    for place, row in enumerate(rows):
        here = place_of.get(row)
        seed = row in wanted.seeds
        if here is not None and (recipe.kind == "path" or not seed):
            reason = wanted.reason(here)
        else:
            reason = "The recipe names it"
        step = float(steps_from(songs, rows[place - 1], np.array([row]))[0]) if place else float("nan")
        distance = float(wanted.distances[here]) if here is not None else 0.0
        entries.append(Entry(row, "seed" if seed else "song", reason, distance, step))
    return Playlist(tuple(entries), said)
