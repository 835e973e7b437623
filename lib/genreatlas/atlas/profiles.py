"""Profiles of genres: robust mean and spread of their songs' vectors, with weights for recordings and artists."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genreatlas.arrays import AnyArray

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Standard deviation of a normal distribution divided by its median absolute deviation.
_MAD = 1.4826
#: Values are clipped at this number of spreads from the genre's median (Huber).
CLIP = 3.0
#: Number of nearest larger genres toward which a genre is shrunk.
_NEIGHBOURS = 5
#: Maximum weight of shrinkage, in songs: with few genres the estimate of the between variance is poor.
_MOST_PRIOR = 30.0


@dataclass(frozen=True)
class Songs:
    """Vectors and genre labels of songs.

    Attributes
    ----------
    values : (n_songs, n_features); NaN where a feature is undefined.
    recording : (n_songs,) number of the recording; copies share one number.
    artist : (n_songs,) number of the performer, -1 if unknown.
    song, genre : (n_labels,) row in ``values`` and index in the list of genres of each label.
    weight : (n_labels,) confidence of the source in the label, 0 to 1.
    """

    values: npt.NDArray[np.floating]
    recording: Ints
    artist: Ints
    song: Ints
    genre: Ints
    weight: Floats


@dataclass(frozen=True)
class Profiles:
    """Profiles of all genres, in the order of the list of genres; rows of genres without songs are NaN.

    Attributes
    ----------
    mean : (n_genres, n_features) mean after shrinkage.
    spread : (n_genres, n_features) robust standard deviation of songs; NaN for fewer than two songs.
    own : (n_genres,) weight of the genre's own mean after shrinkage toward its nearest larger genres, 0 to 1.
    songs, artists : (n_genres,) number of recordings and of known artists.
    effective : (n_genres,) effective number of songs (Kish's formula).
    """

    mean: Floats
    spread: Floats
    own: Floats
    songs: Ints
    artists: Ints
    effective: Floats


def build_profiles(songs: Songs, n_genres: int, artist_share: float, shrink: bool = True) -> Profiles:
    """Compute the profiles of all genres.

    Copies of a recording count once, with the genres of all copies and the mean of their values. A recording with m
    genres has the weight 1/m in each. An artist has at most ``artist_share`` of a genre's weight; with too few artists
    for that, all have equal weights. Means are computed after clipping at three robust spreads from the weighted
    median.

    Parameters
    ----------
    songs : vectors and labels of songs.
    n_genres : length of the list of genres.
    artist_share : largest share of a genre's weight that one artist may have, 0 to 1.
    shrink : shrink genres with few songs toward their nearest larger genres, see :func:`shrink_profiles`.
    """
    values, artist, label = count_recordings_once(songs)
    n_features = values.shape[1]
    mean = np.full((n_genres, n_features), np.nan)
    spread = mean.copy()
    counts = np.zeros(n_genres, dtype=np.int64)
    artists = np.zeros(n_genres, dtype=np.int64)
    effective = np.zeros(n_genres)
    order = np.argsort(label["genre"], kind="stable")
    bounds = np.searchsorted(label["genre"][order], np.arange(n_genres + 1))
    for genre in range(n_genres):
        mine = order[bounds[genre] : bounds[genre + 1]]
        if not len(mine):
            continue
        rows = label["recording"][mine]
        weight = cap_artists(label["weight"][mine], artist[rows], artist_share)
        counts[genre], artists[genre] = len(mine), len(np.unique(artist[rows][artist[rows] >= 0]))
        effective[genre] = weight.sum() ** 2 / np.sum(weight**2)
        mean[genre], spread[genre] = robust_moments(values[rows], weight)
    own = np.where(counts > 0, 1.0, np.nan)
    if shrink:
        mean, own = shrink_profiles(mean, spread, effective)
    return Profiles(mean, spread, own, counts, artists, effective)


def count_recordings_once(songs: Songs) -> tuple[Floats, Ints, dict[str, AnyArray]]:
    """Merge copies of recordings.

    Returns
    -------
    values : (n_recordings, n_features) mean over copies.
    artist : (n_recordings,) number of the artist, -1 if unknown.
    labels : arrays recording, genre and weight (n_labels,). The weights of a recording sum up to at most 1.
    """
    _, recording = np.unique(songs.recording, return_inverse=True)
    n = int(recording.max()) + 1 if len(recording) else 0
    if n == len(recording):
        values, artist = np.empty(songs.values.shape), np.empty(n, dtype=np.int64)
        values[recording], artist[recording] = songs.values, songs.artist
    else:
        known = np.isfinite(songs.values)
        total, count = np.zeros((n, songs.values.shape[1])), np.zeros((n, songs.values.shape[1]))
        np.add.at(total, recording, np.where(known, songs.values, 0.0))
        np.add.at(count, recording, known)
        values = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
        artist = np.full(n, -1, dtype=np.int64)
        np.maximum.at(artist, recording, songs.artist)
    n_genres = int(songs.genre.max()) + 1 if len(songs.genre) else 1
    pair, place = np.unique(recording[songs.song] * n_genres + songs.genre, return_inverse=True)
    weight = np.zeros(len(pair))
    np.maximum.at(weight, place, songs.weight)
    of = pair // n_genres
    return values, artist, {"recording": of, "genre": pair % n_genres, "weight": weight / np.bincount(of)[of]}


def cap_artists(weight: Floats, artist: Ints, share: float) -> Floats:
    """Reduce weights so that no artist has more than a share of their sum.

    With fewer than 1 / share artists, all artists get equal weights.

    Parameters
    ----------
    weight : (n,) weight of each recording.
    artist : (n,) code of its artist; negative: unknown, each counts as a separate artist.
    share : largest share of one artist, 0 to 1.

    Returns
    -------
    (n,) reduced weights.
    """
    names, place = np.unique(artist, return_inverse=True)
    alone = artist < 0
    place = np.where(alone, len(names) + np.cumsum(alone), place)
    names, place = np.unique(place, return_inverse=True)
    total = np.bincount(place, weight)
    bound = max(share, 1.0 / len(names))
    capped = np.sort(total)[::-1]
    below = total.sum() - np.concatenate([[0.0], np.cumsum(capped)])  # sum without the k largest
    for k in range(len(names)):
        # With the k largest at the bound c: c = bound * (k * c + below[k]).
        room = 1.0 - bound * k
        limit = bound * below[k] / room if room > 1e-12 else capped[-1]
        if capped[k] <= limit + 1e-12 or room <= 1e-12:
            break
    factor = np.minimum(1.0, np.divide(limit, total, out=np.ones_like(total), where=total > 0))
    return np.asarray(weight * factor[place], dtype=np.float64)


def robust_moments(values: npt.NDArray[np.floating], weight: Floats) -> tuple[Floats, Floats]:
    """Clipped mean and robust spread of each column; NaN values are left out.

    Parameters
    ----------
    values : (n, n_features).
    weight : (n,).

    Returns
    -------
    mean, spread : (n_features,) each, in units of the features. The spread is the scaled median absolute deviation,
        or the root mean square deviation from the median if this is 0; NaN for fewer than two values.
    """
    middle = weighted_median(values, weight)
    off = np.abs(values - middle)
    spread = _MAD * weighted_median(off, weight)
    known = np.isfinite(values)
    # If more than half of the values are equal, the median absolute deviation is 0; use the root mean square instead.
    usual = np.sqrt(_average(np.where(known, off, 0.0) ** 2, weight[:, None] * known))
    spread = np.where(spread > 0, spread, usual)
    clipped = np.clip(values, middle - CLIP * spread, middle + CLIP * spread)
    mean = _average(np.where(known, clipped, 0.0), weight[:, None] * known)
    return mean, np.where(known.sum(axis=0) > 1, spread, np.nan)


def weighted_median(values: npt.NDArray[np.floating], weight: Floats) -> Floats:
    """Weighted median of each column.

    Parameters
    ----------
    values : (n, n_features); NaN values are left out.
    weight : (n,).

    Returns
    -------
    (n_features,); NaN where no value is known.
    """
    order = np.argsort(values, axis=0)  # NaN comes last
    ordered = np.take_along_axis(values, order, 0)
    share = np.where(np.isfinite(ordered), weight[order], 0.0)
    upto = np.cumsum(share, axis=0)
    half = upto[-1] / 2
    low = np.argmax(upto >= half * (1 - 1e-12), axis=0)
    high = np.argmax(upto > half * (1 + 1e-12), axis=0)
    columns = np.arange(values.shape[1])
    middle = (ordered[low, columns] + ordered[high, columns]) / 2
    return np.where(upto[-1] > 0, middle, np.nan)


def shrink_profiles(mean: Floats, spread: Floats, effective: Floats) -> tuple[Floats, Floats]:
    """Shrink means of genres with few songs toward the means of their nearest larger genres (empirical Bayes).

    The weight of a genre's own mean is ``own = n / (n + k)`` for n effective songs, as in a normal model. k is the
    ratio of the variance of songs within genres to the variance of genres around their neighbours' means, estimated on
    the larger half of the genres; the median over features is used.

    Parameters
    ----------
    mean, spread : (n_genres, n_features), in units of the features.
    effective : (n_genres,) effective number of recordings; 0: the genre is left out.

    Returns
    -------
    mean (n_genres, n_features), own (n_genres,).
    """
    there = np.flatnonzero(effective > 0)
    own = np.full(len(mean), np.nan)
    own[there] = 1.0
    if len(there) < 3:
        return mean, own
    scaled, _ = standardise(mean[there])
    size = effective[there]
    rank = np.lexsort((there, -size))  # in descending order of size
    prior = np.full((len(there), mean.shape[1]), np.nan)
    for place in range(_NEIGHBOURS, len(there)):
        one, larger = rank[place], rank[:place]
        distance = np.sum((scaled[larger] - scaled[one]) ** 2, axis=1)
        near = larger[np.argpartition(distance, _NEIGHBOURS - 1)[:_NEIGHBOURS]]
        prior[one] = _average(*_filled(mean[there][near]))
    inside = np.nanmedian(np.where(spread[there] > 0, spread[there], np.nan) ** 2, axis=0) if len(there) else 0.0
    large = rank[_NEIGHBOURS : max(len(rank) // 2, _NEIGHBOURS + 1)]
    between = np.nanmean((mean[there][large] - prior[large]) ** 2, axis=0) - inside * np.nanmean(1 / size[large])
    with np.errstate(divide="ignore", invalid="ignore"):
        weighs = np.where(between > 0, inside / between, _MOST_PRIOR)
    weighs = weighs[np.isfinite(weighs)]
    k = float(np.clip(np.median(weighs), 0.0, _MOST_PRIOR)) if len(weighs) else 0.0
    shrunk, has = mean.copy(), np.isfinite(prior).any(axis=1)
    share = np.where(has, size / (size + k), 1.0)
    mixed = share[:, None] * mean[there] + (1 - share[:, None]) * np.where(np.isfinite(prior), prior, mean[there])
    shrunk[there] = np.where(np.isfinite(mixed), mixed, prior)
    own[there] = share
    return shrunk, own


@dataclass(frozen=True)
class Scale:
    """Standardises profiles by mean and standard deviation over genres.

    Attributes
    ----------
    middle, size : (n_kept,) mean and standard deviation over genres of the kept features.
    kept : (n_features,) mask of features that vary between genres.
    """

    middle: Floats
    size: Floats
    kept: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, mean: Floats) -> "Scale":
        """Fit the scale to profiles, ignoring missing values.

        Parameters
        ----------
        mean : (n_genres, n_features).
        """
        with np.errstate(invalid="ignore"):
            known = np.isfinite(mean)
            n = np.maximum(known.sum(axis=0), 1)
            middle = np.where(known, mean, 0.0).sum(axis=0) / n
            off = np.where(known, mean - middle, 0.0)
            size = np.sqrt((off**2).sum(axis=0) / n)
        kept = size > 1e-12 * np.maximum(np.abs(middle), 1e-300)
        return cls(middle[kept], size[kept], kept)

    def apply(self, mean: Floats) -> Floats:
        """Standardise profiles, (n, n_kept). Missing values become 0, the mean."""
        with np.errstate(invalid="ignore"):
            off = mean[:, self.kept] - self.middle
        return np.asarray(np.where(np.isfinite(off), off, 0.0) / self.size, dtype=np.float64)


def standardise(mean: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Standardise profiles by mean and standard deviation over genres.

    Constant features are dropped. Missing values become 0, the mean.

    Parameters
    ----------
    mean : (n, n_features) profiles.

    Returns
    -------
    profiles : (n, n_kept) standardised.
    kept : (n_features,) mask of the kept features.
    """
    scale = Scale.of(mean)
    return scale.apply(mean), scale.kept


def half_samples(songs: Songs, seed: int) -> tuple[Songs, Songs]:
    """Split the recordings of every genre into two random halves, to measure stability.

    Within a genre, recordings in random order go alternately to both halves, so the halves differ by at most one.
    """
    random = np.random.default_rng(seed)
    shuffled = random.permutation(int(songs.recording.max()) + 1 if len(songs.recording) else 0)
    key = shuffled[songs.recording[songs.song]]
    order = np.lexsort((key, songs.genre))
    genre, key = songs.genre[order], key[order]
    fresh = np.concatenate([[True], (genre[1:] != genre[:-1]) | (key[1:] != key[:-1])])
    first = np.flatnonzero(np.concatenate([[True], genre[1:] != genre[:-1]]))
    number = np.cumsum(fresh)
    number = number - np.repeat(number[first], np.diff(np.append(first, len(genre))))
    side = np.empty(len(genre), dtype=np.int64)
    side[order] = number % 2
    one, other = (
        Songs(songs.values, songs.recording, songs.artist, songs.song[keep], songs.genre[keep], songs.weight[keep])
        for keep in (side == 0, side == 1)
    )
    return one, other


def _average(values: Floats, weight: Floats) -> Floats:
    total = weight.sum(axis=0)
    return np.divide((values * weight).sum(axis=0), total, out=np.full(values.shape[1], np.nan), where=total > 0)


def _filled(values: Floats) -> tuple[Floats, Floats]:
    known = np.isfinite(values)
    return np.where(known, values, 0.0), known.astype(np.float64)
