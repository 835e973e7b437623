"""Vector space in which songs are compared: robust scaling of features, fitted once and then fixed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]

#: Standard deviation of a normal distribution divided by its median absolute deviation.
_MAD = 1.4826
#: Scaled features are clipped at this number of spreads, because features such as variances have long tails.
_CLIP = 5.0
_BLOCK = 65536


@dataclass(frozen=True)
class Space:
    """Parameters of a vector space.

    Attributes
    ----------
    features : names of the dimensions.
    centre, spread : (n_features,) median and robust standard deviation of each feature.
    mean : (n_features,) mean of the vectors of the fit.
    variance : mean squared distance of these vectors from the mean.
    """

    features: tuple[str, ...]
    centre: Floats
    spread: Floats
    mean: Floats
    variance: float


def fit_space(values: npt.NDArray[np.floating], features: tuple[str, ...]) -> tuple[Space, Vectors]:
    """Fit a space to songs. Constant features are dropped.

    Parameters
    ----------
    values : (n_songs, n_features), NaN where a feature is undefined.
    features : names of the features.

    Returns
    -------
    space : with n_kept features.
    vectors : (n_songs, n_kept) of the songs.
    """
    centre, spread = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for place in range(values.shape[1]):  # by column: a float64 copy would be twice the size of the matrix
        column = values[:, place].astype(np.float64)
        column = column[np.isfinite(column)]
        if len(column):
            centre[place] = np.median(column)
            off = np.abs(column - centre[place])
            spread[place] = _MAD * np.median(off)
            if not spread[place] > 0:  # more than half of the songs share a value
                spread[place] = np.sqrt(np.mean(off**2))
    kept = spread > 1e-9 * np.maximum(np.abs(centre), 1e-30)
    space = Space(
        tuple(name for name, keep in zip(features, kept, strict=True) if keep),
        centre[kept],
        spread[kept],
        np.zeros(int(kept.sum())),
        0.0,
    )
    vectors = to_vectors(values[:, kept], space)
    mean = vectors.mean(axis=0, dtype=np.float64) if len(vectors) else space.mean
    total = sum(
        float(((vectors[start : start + _BLOCK].astype(np.float64) - mean) ** 2).sum())
        for start in range(0, len(vectors), _BLOCK)
    )
    return Space(space.features, space.centre, space.spread, mean, total / max(len(vectors), 1)), vectors


def to_vectors(values: npt.NDArray[np.floating], space: Space) -> Vectors:
    """Scale values to a space.

    Parameters
    ----------
    values : (n, n_features) values of the space's features, in their units; NaN where unknown.
    space : centre and spread of each feature.

    Returns
    -------
    (n, n_features) float32, in spreads from the centre, clipped; 0 where unknown.
    """
    vectors = np.empty(values.shape, dtype=np.float32)
    for start in range(0, len(values), _BLOCK):
        block = (values[start : start + _BLOCK].astype(np.float64) - space.centre) / space.spread
        block[~np.isfinite(block)] = 0.0
        vectors[start : start + _BLOCK] = np.clip(block, -_CLIP, _CLIP)
    return vectors


def expected_distance(vectors: Vectors, space: Space) -> Floats:
    """Root mean square distance from each vector to all songs that the space was fitted on.

    Parameters
    ----------
    vectors : (n, n_features) from :func:`to_vectors`.

    Returns
    -------
    (n,) in spreads, per feature.
    """
    found = np.empty(len(vectors))
    for start in range(0, len(vectors), _BLOCK):
        off = vectors[start : start + _BLOCK].astype(np.float64) - space.mean
        found[start : start + _BLOCK] = (off**2).sum(axis=1) + space.variance
    return np.sqrt(found / max(len(space.features), 1))


def similarity(distance: Floats, one: Floats, other: Floats) -> Floats:
    """Similarity exp(-d^2 / (s t)): 1 for equal songs, 1/e at the expected distance.

    Parameters
    ----------
    distance : d, (n,) of pairs of songs.
    one, other : s and t, (n,) :func:`expected_distance` of the two songs of each pair.

    References: Zelnik-Manor & Perona 2004, "Self-tuning spectral clustering", with the distance to all songs as scale.
    """
    return np.asarray(np.exp(-np.square(distance) / np.maximum(one * other, 1e-300)), dtype=np.float64)
