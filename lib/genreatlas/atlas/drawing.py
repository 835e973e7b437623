"""Compute the atlas from songs: profiles, neighbours, regions, and a map for each lens."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from genreatlas.atlas.ages import Ages, genre_ages
from genreatlas.atlas.genealogy import Evidence, Tree, find_parents, known_parents
from genreatlas.atlas.lenses import Shares, hellinger_space
from genreatlas.atlas.positions import (
    align,
    embed,
    instability,
    label_axes,
    method_of,
    moved,
    start_from,
)
from genreatlas.atlas.profiles import Floats, Ints, Profiles, Songs, build_profiles, half_samples, standardise
from genreatlas.atlas.quality import neighbourhoods
from genreatlas.atlas.regions import RegionName, Regions, find_regions, name_regions, nearest_genres, similarity
from genreatlas.config import MapSection
from genreatlas.errors import InputError
from genreatlas.ids import stable_id

#: Version of the map code. Increase it when results change for the same input, so that maps are redrawn.
VERSION = 3
#: Minimum number of genres on a map.
FEWEST = 3
#: Number of neighbours from which new genres get their initial position.
_NEAR = 15


@dataclass(frozen=True)
class Charted:
    """Data that all lenses share. Arrays with n_placed rows are in the order of ``placed``, the genres on maps.

    Attributes
    ----------
    profile_id : hash of genres, profiles and settings.
    profiles : profiles of all genres.
    placed : (n_placed,) indices in the list of genres.
    space : (n_placed, n_kept) standardised profiles.
    neighbours, distances, similarity : (n_placed, k), neighbours are indices into ``placed``.
    regions, coarse_names, fine_names : regions of the placed genres.
    given : known edges (child, parent) between placed genres, from ``genre_parents``.
    influences : known edges (child, parent) from an imported table.
    ages : estimated start of all genres; None if no recording has a year.
    """

    profile_id: str
    profiles: Profiles
    placed: Ints
    space: Floats
    neighbours: Ints
    distances: Floats
    similarity: Floats
    regions: Regions
    coarse_names: list[RegionName]
    fine_names: list[RegionName]
    given: list[tuple[int, int]]
    influences: list[tuple[int, int]]
    ages: Ages | None = None


@dataclass(frozen=True)
class Drawn:
    """One map. ``placed`` are the genres on it, as indices in the list of genres; arrays are in its order."""

    placed: Ints
    places: Floats
    method: str
    instability: Floats
    known: npt.NDArray[np.bool_] | None = None
    moved: float | None = None
    trustworthiness: float | None = None
    continuity: float | None = None
    axes_r2: tuple[float, float] | None = None


def chart(
    songs: Songs,
    genre_ids: Sequence[str],
    names: Sequence[str],
    settings: MapSection,
    parents: Mapping[str, str] | None = None,
    years: Floats | None = None,
    influences: Sequence[tuple[str, str]] = (),
) -> Charted:
    """Compute profiles, neighbours and regions of genres.

    Parameters
    ----------
    songs : vectors and labels of songs.
    genre_ids, names : ids and names of all genres.
    settings : ``[map]``.
    parents : known parents, genre id = parent id; other genres are ignored.
    years : year of each row of ``songs.values``, NaN where unknown.
    influences : further known edges: ids of genres and of the genres that influenced them.

    Raises
    ------
    InputError : too few genres have ``map.min_songs`` songs, or no feature varies.
    """
    profiles = build_profiles(
        songs, len(genre_ids), settings.artist_share, settings.shrink and not settings.genre_means
    )
    least = 1 if settings.genre_means else settings.min_songs
    placed = np.flatnonzero(profiles.songs >= least)
    if len(placed) < FEWEST:
        raise InputError(
            f"{len(placed)} of {len(genre_ids)} genres have {least} or more songs with {settings.feature_set}; a map "
            f"needs {FEWEST}. Lower map.min_songs, or add songs."
        )
    space, kept = standardise(profiles.mean[placed])
    if not kept.any():
        raise InputError(
            f"map.feature_set: all features of {settings.feature_set} are the same for every genre. Name another "
            "feature set."
        )
    near, far = nearest_genres(space, max(_NEAR, settings.neighbours))
    regions = find_regions(near[:, :_NEAR], far[:, :_NEAR], settings.resolutions, settings.seed)
    placed_names = [names[genre] for genre in placed.tolist()]
    size = profiles.effective[placed]
    k = settings.neighbours
    place = {genre_ids[genre]: number for number, genre in enumerate(placed.tolist())}
    edges, others = (
        sorted((place[a], place[b]) for a, b in said if a in place and b in place and a != b)
        for said in ((parents or {}).items(), influences)
    )
    dated = years is not None and bool(np.isfinite(years).any()) and not settings.genre_means
    ages = None
    if dated and years is not None:
        ages = genre_ages(songs, years, len(genre_ids), settings.artist_share, settings.min_dated)
    return Charted(
        profile_id=_profile_id(genre_ids, names, profiles, settings, [*edges, *others], years if dated else None),
        profiles=profiles,
        placed=placed,
        space=space,
        neighbours=near[:, :k],
        distances=far[:, :k],
        similarity=similarity(far[:, :k]),
        regions=regions,
        coarse_names=name_regions(regions.coarse, placed_names, size),
        fine_names=name_regions(regions.fine, placed_names, size),
        given=edges,
        influences=others,
        ages=ages,
    )


def _profile_id(
    genre_ids: Sequence[str],
    names: Sequence[str],
    profiles: Profiles,
    settings: MapSection,
    edges: Sequence[tuple[int, int]],
    years: Floats | None,
) -> str:
    digest = hashlib.sha256()
    for array in (profiles.mean, profiles.spread, profiles.songs, profiles.artists, profiles.effective):
        digest.update(np.ascontiguousarray(array).tobytes())
    if years is not None:
        digest.update(np.nan_to_num(years, nan=0.0).astype(np.int64).tobytes())
    said = settings.model_dump_json(exclude={"lenses", "method", "model", "influences"})
    return stable_id("profiles", VERSION, said, "\n".join((*genre_ids, *names)), edges, digest.hexdigest())


def draw_sound(charted: Charted, songs: Songs, settings: MapSection, last: Floats | None = None) -> Drawn:
    """Draw the unsupervised map of the profiles.

    Parameters
    ----------
    last : (n_placed, 2) positions of the genres on the previous map, NaN for new genres; None: no previous map.
    """
    count = 0 if settings.genre_means else settings.half_samples
    return _draw(charted.placed, charted.space, _profile_halves(charted, songs, settings, count), settings, last)


def draw_shares(shares: Shares, settings: MapSection, last: Floats | None = None) -> Drawn:
    """Draw a map of genres by shared artists or confusions.

    Parameters
    ----------
    shares : genres as distributions.
    last : as in :func:`draw_sound`, for the genres of ``shares``.
    """
    halves = (_share_half(half, settings.seed) for half in shares.halves)
    return _draw(shares.placed, hellinger_space(shares.whole, settings.seed), halves, settings, last)


def _draw(
    placed: Ints,
    space: Floats,
    halves: Iterable[tuple[Ints, Floats]],
    settings: MapSection,
    last: Floats | None,
) -> Drawn:
    """Embed genres in two dimensions, starting from the previous map if possible.

    Parameters
    ----------
    halves : for each half-sample of the songs: indices of the rows of ``space`` that it has, and their space.
    """
    shared = 0 if last is None else int(np.isfinite(last).all(axis=1).sum())
    start = None
    if last is not None and shared >= FEWEST:
        start = start_from(last, nearest_genres(space, _NEAR)[0])
    places = embed(space, settings.perplexity, settings.seed, start, settings.method)
    drift = None
    if start is not None and last is not None:
        places = moved(places, align(places, last))
        both = np.isfinite(last).all(axis=1)
        drift = float(np.sqrt(((places - last)[both] ** 2).sum(axis=1).mean()))
    strayed: list[Floats] = []
    for there, its_space in halves:
        found = np.full((len(placed), 2), np.nan)
        if len(there) >= FEWEST and its_space.shape[1]:
            found[there] = embed(its_space, settings.perplexity, settings.seed, places[there], settings.method)
        strayed.append(found)
    trustworthiness, continuity = neighbourhoods(space, places)
    return Drawn(
        placed=placed,
        places=places,
        method=method_of(len(space), settings.method),
        instability=instability(places, strayed),
        moved=drift,
        trustworthiness=trustworthiness,
        continuity=continuity,
    )


def _profile_halves(charted: Charted, songs: Songs, settings: MapSection, count: int) -> Iterator[tuple[Ints, Floats]]:
    """Profiles of half-samples, without genres that have no song in the half."""
    for number in range(count):
        if number % 2 == 0:
            pair = half_samples(songs, settings.seed + number)
        half = pair[number % 2]
        profiles = build_profiles(half, len(charted.profiles.songs), settings.artist_share, settings.shrink)
        there = np.flatnonzero(profiles.songs[charted.placed] > 0)
        yield there, standardise(profiles.mean[charted.placed[there]])[0]


def _share_half(half: sparse.csr_matrix, seed: int) -> tuple[Ints, Floats]:
    there = np.flatnonzero(np.asarray(half.sum(axis=1)).ravel() > 0)
    return there, hellinger_space(half[there], seed)


def draw_labelled(charted: Charted, coordinates: Floats, settings: MapSection) -> Drawn:
    """Draw the map with the axes of Every Noise.

    Parameters
    ----------
    coordinates : (n_placed, 2) on the Every Noise map in pixels, NaN where unknown.

    Raises
    ------
    ValueError : fewer than :data:`genreatlas.atlas.positions.MIN_LABELLED` genres have coordinates.
    """
    known = np.asarray(np.isfinite(coordinates).all(axis=1))
    axes = label_axes(charted.space, coordinates, settings.seed)
    nothing = np.full(len(known), np.nan)
    return Drawn(charted.placed, axes.places, "regression", nothing, known=known, axes_r2=axes.r2)


def draw_tree(charted: Charted, songs: Songs, names: Sequence[str], settings: MapSection) -> Tree | None:
    """Find possible parents of the placed genres.

    With too few known edges for a model, only known parents are returned.

    Parameters
    ----------
    names : names of all genres.

    Returns
    -------
    None if there are no parents.
    """
    size = np.log(np.maximum(charted.profiles.effective[charted.placed], 1e-9))
    artists = None
    named = songs.artist[songs.song] >= 0
    if named.any():
        pairs = (songs.genre[named], songs.artist[songs.song[named]])
        shape = (len(charted.profiles.songs), int(songs.artist.max()) + 1)
        counted = sparse.csr_matrix((np.ones(int(named.sum())), pairs), shape=shape)[charted.placed]
        artists = sparse.csr_matrix((counted > 0).astype(np.float64))
    born = None if charted.ages is None else charted.ages.born[charted.placed]
    known = Evidence(charted.space, size, artists, born)
    placed_names = [names[genre] for genre in charted.placed.tolist()]
    try:
        return find_parents(
            known, placed_names, charted.given, settings.parent_probability, settings.seed, charted.influences
        )
    except ValueError:
        return known_parents(known, placed_names, charted.given, settings.parent_probability, charted.influences)
