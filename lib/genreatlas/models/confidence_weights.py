"""For how many songs of new artists each held-out song stands, when confidence is fitted.

A new artist is to the artists of the training part what one of these is to the others. So a held-out artist's songs
show what a model makes of new ones as long as the genre has another artist to be learned from. Where it has none, they
show nothing: the fit did not know the genre, no probability ahead of it is enough, and with a tenth of such songs every
set would hold every genre. They stand for no song. But the kept model knows those genres by one artist each, and songs
of theirs will come: songs of genres that were known by one artist when they were scored stand for these, too.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray

Floats = NDArray[np.float64]

#: Fewer songs or artists than these say nothing about a model's confidence.
LEAST_SONGS = 50
LEAST_GROUPS = 10


class Weighing(NamedTuple):
    """What held-out songs stand for.

    ``weight`` (n_songs,) has the mean 1 over all songs above 0; ``unheard`` is the share of new songs that none stands
    for: those of genres of one artist, where too few songs were scored with one artist of their genre known.
    """

    weight: Floats
    unheard: float


def weigh(known: NDArray[np.integer], group: AnyArray) -> Weighing:
    """Weight held-out songs.

    Parameters
    ----------
    known : (n,) artists of the song's genre that were fitted on when it was scored.
    group : (n,) the song's artist.
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
