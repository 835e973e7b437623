"""Weights of held-out songs in the fit of confidence.

A held-out song is scored by a model that was not fitted on its artist, so it represents songs of new artists, as long
as the model was fitted on another artist of its genre. Otherwise the model did not know the genre, no threshold
includes it, and with a tenth of such songs every set would contain every genre; such songs get weight 0. But the final
model knows their genres from one artist each and will be used on songs of these genres. Those are represented by
held-out songs whose genre was known from one artist when they were scored, which therefore get a higher weight.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray

Floats = NDArray[np.float64]

#: Minimum number of songs and of artists for a fit of confidence.
LEAST_SONGS = 50
LEAST_GROUPS = 10


class Weighing(NamedTuple):
    """Weights of held-out songs.

    ``weight`` (n_songs,) is the number of new songs that each song represents, with mean 1 over all weights above 0.
    ``unheard`` is the share of new songs that no held-out song represents: those of genres with a single artist, if too
    few songs were scored by a model that knew one artist of their genre.
    """

    weight: Floats
    unheard: float


def weigh(known: NDArray[np.integer], group: AnyArray) -> Weighing:
    """Compute the weights of held-out songs.

    Parameters
    ----------
    known : (n_songs,) number of artists of the song's genre in the fit that scored the song.
    group : (n_songs,) the song's artist.
    """
    known = np.asarray(known)
    weight = (known > 0).astype(np.float64)
    n_unknown = len(known) - int(weight.sum())
    by_one = np.flatnonzero(known == 1)
    unheard = 0.0
    if len(by_one) >= LEAST_SONGS and len(np.unique(np.asarray(group)[by_one])) >= LEAST_GROUPS:
        weight[by_one] += n_unknown / len(by_one)
    elif n_unknown:
        unheard = n_unknown / len(known)
    inside = weight > 0
    weight[inside] /= weight[inside].mean() if inside.any() else 1.0
    return Weighing(weight, unheard)
