"""Estimated start of genres and change of their sound from decade to decade, by the years of recordings.

Most release dates are those of reissues, so years are too late rather than too early. The year of a recording is the
earliest among its copies, and the start of a genre is the 10 % quantile of its recordings' years. Both are estimates.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from genreatlas.atlas.profiles import (
    CLIP,
    Floats,
    Ints,
    Profiles,
    Scale,
    Songs,
    build_profiles,
    cap_artists,
    count_recordings_once,
)

#: Quantile of the years of a genre's recordings that is used as its start.
BORN = 0.1
_CONFIDENCE = 0.95
#: Number of the neighbour whose distance is the kernel width for positions of decades.
_NEAR = 5
_BLOCK = 1024


@dataclass(frozen=True)
class Ages:
    """Estimated start of genres; arrays over all genres, NaN where too few recordings have a year.

    Attributes
    ----------
    born : 10 % quantile of the years of the genre's recordings.
    low, high : bounds of its 95 % interval; NaN where there are too few artists for a bound.
    dated : number of recordings with a year.
    """

    born: Floats
    low: Floats
    high: Floats
    dated: Ints


def genre_ages(songs: Songs, years: Floats, n_genres: int, artist_share: float, least: int) -> Ages:
    """Compute the 10 % quantile of each genre's years, with intervals.

    Recordings, labels and artists are weighted as in profiles. Intervals are distribution-free (order statistics), with
    artists as independent units, because recordings of one artist are from similar years.

    Parameters
    ----------
    songs : labels of songs; their vectors are not used.
    years : (n_songs,) year of each row of ``songs.values``; NaN where unknown. The earliest year of copies is used.
    n_genres : number of genres.
    artist_share : largest share of a genre's weight that one artist may have.
    least : minimum number of recordings with a year.
    """
    born, low, high = (np.full(n_genres, np.nan) for _ in range(3))
    dated = np.zeros(n_genres, dtype=np.int64)
    for genre, year, artist, weight in _dated(songs, years, n_genres):
        dated[genre] = len(year)
        if len(year) < least:
            continue
        weight = cap_artists(weight, artist, artist_share)
        born[genre] = _quantile(year, weight, BORN)
        bounds = _ranks(_independent(weight, artist))
        low[genre], high[genre] = (_quantile(year, weight, bound) if bound else np.nan for bound in bounds)
    return Ages(born, low, high, dated)


def _dated(songs: Songs, years: Floats, n_genres: int):  # type: ignore[no-untyped-def]
    """Yield each genre with the years, artists and weights of its recordings with a year."""
    dates = Songs(
        np.where(np.isfinite(years), years, np.inf)[:, None], songs.recording, songs.artist, songs.song, songs.genre,
        songs.weight,
    )  # fmt: skip
    _, place = np.unique(songs.recording, return_inverse=True)
    earliest = np.full(int(place.max(initial=-1)) + 1, np.inf)
    np.minimum.at(earliest, place, dates.values[:, 0])
    _, artist, label = count_recordings_once(dates)
    mine = np.flatnonzero(np.isfinite(earliest[label["recording"]]))
    mine = mine[np.argsort(label["genre"][mine], kind="stable")]
    bounds = np.searchsorted(label["genre"][mine], np.arange(n_genres + 1))
    for genre in np.flatnonzero(np.diff(bounds)).tolist():
        rows = mine[bounds[genre] : bounds[genre + 1]]
        of = label["recording"][rows]
        yield genre, earliest[of], artist[of], label["weight"][rows]


def _quantile(year: Floats, weight: Floats, share: float) -> float:
    """Weighted quantile: the first year up to which at least a share of the weight is reached."""
    order = np.argsort(year, kind="stable")
    upto = np.cumsum(weight[order])
    return float(year[order][min(np.searchsorted(upto, share * upto[-1] * (1 - 1e-12)), len(year) - 1)])


def _independent(weight: Floats, artist: Ints) -> float:
    """Effective number of artists (Kish's formula). Each recording of an unknown artist counts as one artist."""
    alone = artist < 0
    place = np.where(alone, artist.max(initial=0) + 1 + np.cumsum(alone), artist)
    total = np.bincount(np.unique(place, return_inverse=True)[1], weight)
    return float(total.sum() ** 2 / np.sum(total**2))


def _ranks(n: float) -> tuple[float | None, float | None]:
    """Quantiles of the order statistics that bound the 10 % quantile; None where n is too small for a bound."""
    from scipy.stats import binom

    count = int(n)
    outside = (1 - _CONFIDENCE) / 2
    lower = int(binom.ppf(outside, count, BORN)) if count else 0
    upper = int(binom.ppf(1 - outside, count, BORN)) + 1 if count else 1
    return (lower / count if lower >= 1 else None), (upper / count if upper <= count else None)


@dataclass(frozen=True)
class Evolution:
    """Genres by decade; one row per genre and decade with enough songs, sorted by both.

    Attributes
    ----------
    genre : (n,) index in the list of all genres.
    decade : (n,) first year of the decade.
    songs : (n,) number of recordings.
    places : (n, 2) position on the map.
    distance : (n,) root mean square difference to the genre's previous row, in standard deviations of genres; NaN for
        the first.
    by_chance : (n,) expected distance without any change, due to the small number of artists; NaN if no decade of the
        genre has two artists.
    """

    genre: Ints
    decade: Ints
    songs: Ints
    places: Floats
    distance: Floats
    by_chance: Floats


def evolve(
    songs: Songs,
    years: Floats,
    profiles: Profiles,
    placed: Ints,
    places: Floats,
    artist_share: float,
    least: int,
) -> Evolution:
    """Compute the profile and the map position of each genre in each decade.

    The profile of a decade is the mean of its recordings, as in profiles of genres. Its position is that of the genre,
    shifted like the kernel-weighted mean position of the genres near the profile. Shifts are shrunk where the
    difference is hardly larger than expected by chance (James & Stein 1961).

    Parameters
    ----------
    songs : vectors and labels of songs.
    years : (n_songs,) year of each row of ``songs.values``; NaN where unknown.
    profiles : profiles of all genres.
    placed, places : indices of genres on the map, and their positions (n_placed, 2).
    artist_share : largest share of a decade's weight that one artist may have.
    least : minimum number of recordings of a decade.
    """
    n_genres = len(profiles.songs)
    decade = _decades(songs, years)
    there = np.isfinite(decade)
    nothing = np.zeros(0, dtype=np.int64)
    if not there.any():
        return Evolution(nothing, nothing, nothing, np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    first = int(decade[there].min())
    number = np.where(there, (decade - first) / 10, -1).astype(np.int64)
    spans = int(number.max()) + 1
    labelled = there[songs.song] & np.isin(songs.genre, placed)
    pair = songs.genre[labelled] * spans + number[songs.song[labelled]]
    found, at, count = np.unique(pair, return_inverse=True, return_counts=True)
    usual = np.flatnonzero(count >= least)  # counts rows; copies are removed below
    renumbered = np.full(len(found), -1, dtype=np.int64)
    renumbered[usual] = np.arange(len(usual))
    keep = renumbered[at] >= 0
    of_decades = Songs(
        songs.values, songs.recording, songs.artist, songs.song[labelled][keep], renumbered[at][keep],
        songs.weight[labelled][keep],
    )  # fmt: skip
    if not keep.any():
        return Evolution(nothing, nothing, nothing, np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    each = build_profiles(of_decades, len(usual), artist_share, shrink=False)
    enough = np.flatnonzero(each.songs >= least)
    genre, span = found[usual][enough] // spans, found[usual][enough] % spans
    scale = Scale.of(profiles.mean[placed])
    space = scale.apply(profiles.mean[placed])
    mean = scale.apply(each.mean[enough])
    inside = _inside(each.spread[enough], each.songs[enough], genre, n_genres)[:, scale.kept] / scale.size**2
    noise = inside / each.effective[enough][:, None]
    noise *= _by_artists(of_decades, each, enough, genre, n_genres, scale, artist_share)[:, None]
    middle = np.zeros((n_genres, mean.shape[1]))
    weight = np.zeros(n_genres)
    np.add.at(middle, genre, mean * each.effective[enough][:, None])
    np.add.at(weight, genre, each.effective[enough])
    away = mean - middle[genre] / weight[genre][:, None]
    squares, expected = (away**2).sum(axis=1), noise.sum(axis=1)
    real = np.maximum(0.0, 1.0 - np.divide(expected, squares, out=np.ones_like(squares), where=squares > 0))
    real = np.nan_to_num(real)  # undefined for songs of a single artist
    row = np.full(n_genres, -1, dtype=np.int64)
    row[placed] = np.arange(len(placed))
    shifts = _shifts(space, places, row[genre], away * real[:, None])
    distance, by_chance = (np.full(len(genre), np.nan) for _ in range(2))
    later = np.flatnonzero(genre[1:] == genre[:-1]) + 1
    distance[later] = np.sqrt(((mean[later] - mean[later - 1]) ** 2).mean(axis=1))
    by_chance[later] = np.sqrt((noise[later] + noise[later - 1]).mean(axis=1))
    return Evolution(genre, first + 10 * span, each.songs[enough], places[row[genre]] + shifts, distance, by_chance)


def _inside(spread: Floats, songs: Ints, genre: Ints, n_genres: int) -> Floats:
    """Pooled variance of a genre's songs within its decades, for each row."""
    known = np.isfinite(spread)
    weight = known * np.maximum(songs - 1, 0)[:, None]
    total, count = (np.zeros((n_genres, spread.shape[1])) for _ in range(2))
    np.add.at(total, genre, np.where(known, spread, 0.0) ** 2 * weight)
    np.add.at(count, genre, weight)
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)[genre]


def _by_artists(
    songs: Songs, each: Profiles, rows: Ints, genre: Ints, n_genres: int, scale: Scale, artist_share: float
) -> Floats:
    """Design effect of artists on the mean of a decade, for each row; at least 1.

    Songs of one artist are similar, so the mean varies more than that of independent songs. The design effect is the
    ratio of the cluster-robust variance by artists (Liang & Zeger 1986) to the variance by songs, over all decades of a
    genre; NaN if no decade has two artists.
    """
    values, artist, label = count_recordings_once(songs)
    place = np.full(len(each.songs), -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    mine = np.flatnonzero(place[label["genre"]] >= 0)
    mine = mine[np.argsort(label["genre"][mine], kind="stable")]
    at, of = place[label["genre"][mine]], label["recording"][mine]
    bounds = np.searchsorted(at, np.arange(len(rows) + 1)).tolist()
    by_artist, by_song = np.zeros(n_genres), np.zeros(n_genres)
    for row, (start, end) in enumerate(itertools.pairwise(bounds)):
        who = artist[of[start:end]]
        who = np.where(who < 0, who.max(initial=0) + 1 + np.arange(end - start), who)
        names, group = np.unique(who, return_inverse=True)
        if len(names) < 2:
            continue
        weight = cap_artists(label["weight"][mine[start:end]], artist[of[start:end]], artist_share)
        off = (values[of[start:end]] - each.mean[rows[row]])[:, scale.kept] / scale.size
        most = CLIP * np.nan_to_num(each.spread[rows[row]][scale.kept]) / scale.size
        off = np.clip(np.nan_to_num(off), -most, most) * weight[:, None]
        total = np.zeros((len(names), off.shape[1]))
        np.add.at(total, group, off)
        by_artist[genre[row]] += (total**2).sum() / weight.sum() ** 2 * len(names) / (len(names) - 1)
        by_song[genre[row]] += (off**2).sum() / weight.sum() ** 2
    ratio = np.divide(by_artist, by_song, out=np.full(n_genres, np.nan), where=by_song > 0)
    return np.where(np.isnan(ratio), np.nan, np.maximum(ratio, 1.0))[genre]


def _decades(songs: Songs, years: Floats) -> Floats:
    """Decade of the earliest copy of each row's recording; NaN if no copy has a year."""
    _, place = np.unique(songs.recording, return_inverse=True)
    earliest = np.full(int(place.max(initial=-1)) + 1, np.inf)
    np.minimum.at(earliest, place, np.where(np.isfinite(years), years, np.inf))
    found = earliest[place]
    return np.where(np.isfinite(found), np.floor(np.where(np.isfinite(found), found, 0.0) / 10) * 10, np.nan)


def _shifts(space: Floats, places: Floats, genre: Ints, away: Floats) -> Floats:
    """Shift of the kernel-weighted mean position of genres when a profile moves by ``away``, (n, 2)."""
    k = min(_NEAR, len(space) - 1)
    found = np.zeros((len(genre), 2))
    squares = (space**2).sum(axis=1)
    for start in range(0, len(genre), _BLOCK):
        mine = genre[start : start + _BLOCK]
        here, there = space[mine], space[mine] + away[start : start + _BLOCK]
        before = squares[mine, None] + squares - 2.0 * here @ space.T
        width = np.maximum(np.partition(before, k, axis=1)[:, k : k + 1], 1e-12)
        after = (there**2).sum(axis=1)[:, None] + squares - 2.0 * there @ space.T
        found[start : start + _BLOCK] = _mean_place(after, width, places) - _mean_place(before, width, places)
    return found


def _mean_place(squares: Floats, width: Floats, places: Floats) -> Floats:
    weight = np.exp(-(squares - squares.min(axis=1, keepdims=True)) / width)
    return np.asarray(weight @ places / weight.sum(axis=1, keepdims=True), dtype=np.float64)
