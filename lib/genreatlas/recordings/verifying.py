"""Compare two fingerprints by the bit error rate (share of differing bits) at the best alignment.

The error of re-encodings, cuts and gain is below 0.04; that of the same song with another sound font is 0.20 or more,
and that of different songs is about 0.39. Drones and loops are similar to themselves at every offset, and so to
others; therefore the error at the best offset must be much smaller than at other offsets.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from genreatlas.audio.fingerprint import FASTER, HOP_S
from genreatlas.recordings.index import HIGH_FASTER, LOW_FASTER, SAME

Codes = npt.NDArray[np.uint32]

#: Minimum overlap of clips that match by fingerprint alone. [s]
LEAST_OVERLAP_S = 15.0
#: Minimum overlap where names or codes also agree. [s]
SHORT_OVERLAP_S = 4.0
#: Maximum error (share of differing bits) of a match.
MOST_ERROR = 0.15
#: A match over a long overlap is distinct if its error is at most the first, or at most the second and at most the
#: third of the least error at other offsets. Loops repeat, and different loops with equal drums agree at every bar:
#: 32 of 281,000 pairs of loops on one drum machine matched, none of them distinctly; 712 of 720 copies did.
SURE_ERROR, DISTINCT_ERROR, DISTINCT_RATIO = 0.04, 0.09, 0.4
#: Maximum ratio of the error at the best offset to that at other offsets. Copies of 180 songs had at most 0.26, except
#: those driven into clipping; drones that are not copies but matched over 15 s had 0.39 or more.
MOST_OF_OTHERS = 0.3
#: Minimum error at other offsets, for long and short overlaps. Sounds with less hardly change, such as drones.
#: Electronic loops of real music are above 0.1, most songs above 0.3.
LEAST_OTHERS, SHORT_OTHERS = 0.08, 0.2
#: Offsets up to this distance from the best one are not counted as others. [codes]
_NEAR = 8

_ONES = np.array([bin(number).count("1") for number in range(1 << 16)], dtype=np.uint8)


@dataclass(frozen=True)
class Match:
    """Best alignment of two fingerprints.

    Attributes
    ----------
    error : share of differing bits in the overlap.
    others : median error at other offsets; NaN if there are none.
    overlap_s : length of the overlap in seconds.
    offset_s : start of the second in the first in seconds.
    speed : playback speed of the second relative to the first.
    next_error : least error at other offsets; NaN if there are none.
    """

    error: float
    others: float
    overlap_s: float
    offset_s: float
    speed: float
    next_error: float = float("nan")

    @property
    def is_sound(self) -> bool:
        """Whether the fingerprints match in the overlap."""
        changes = self.others >= (LEAST_OTHERS if self.is_long else SHORT_OTHERS)
        return changes and self.error <= min(MOST_ERROR, MOST_OF_OTHERS * self.others)

    @property
    def is_unlike_loops(self) -> bool:
        """Whether the error is so small, or so much smaller than at any other offset, that no loop explains it."""
        apart = math.isnan(self.next_error) or self.error <= DISTINCT_RATIO * self.next_error
        return self.error <= SURE_ERROR or apart

    @property
    def is_distinct(self) -> bool:
        """Whether the match alone shows a copy: no loop explains it, and few bits differ."""
        return self.error <= DISTINCT_ERROR and self.is_unlike_loops

    @property
    def is_long(self) -> bool:
        """Whether the overlap has at least :data:`LEAST_OVERLAP_S` seconds."""
        return self.overlap_s >= LEAST_OVERLAP_S


def bit_count(codes: Codes) -> npt.NDArray[np.uint8]:
    """Number of set bits of each 32-bit code."""
    return _ONES[codes & np.uint32(0xFFFF)] + _ONES[codes >> np.uint32(16)]


def align(one: Codes, other: Codes, least_s: float = SHORT_OVERLAP_S) -> Match | None:
    """Find the offset of two clips' codes with the smallest error.

    Overlaps of at least :data:`LEAST_OVERLAP_S` are tried first; shorter ones only if these do not match.

    Parameters
    ----------
    one, other : (n_codes,) each.
    least_s : shortest overlap that is tried, in seconds.

    Returns
    -------
    Match at speed 1; None if a clip is shorter than ``least_s``.
    """
    least = max(1, round(least_s / HOP_S))
    n, k = len(one), len(other)
    if min(n, k) < least:
        return None
    total = _diagonals(bit_count(one[:, None] ^ other[None, :]))
    offset = np.arange(-(n - 1), k)  # index in other minus index in one
    length = np.minimum(np.minimum(n + offset, k - offset), min(n, k))
    error = total / (32.0 * length)
    for shortest in (max(least, round(LEAST_OVERLAP_S / HOP_S)), least):
        asked = np.flatnonzero(length >= shortest)
        if len(asked):
            best = int(asked[np.argmin(error[asked])])
            others = error[asked[np.abs(asked - best) > _NEAR]]
            around = float(np.median(others)) if len(others) else _usual(error, length, best)
            overlap_s, offset_s = float(length[best] * HOP_S), float(-offset[best] * HOP_S)
            nearest = float(others.min()) if len(others) else float("nan")
            match = Match(float(error[best]), around, overlap_s, offset_s, 1.0, nearest)
            if match.is_sound:
                return match
    return match if len(asked) else None


def _diagonals(matrix: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Sums of the diagonals of a matrix (n, k), from the bottom left to the top right, (n + k - 1,)."""
    n, k = matrix.shape
    padded = np.zeros((n, n + k), dtype=np.uint8)
    padded[:, :k] = matrix[::-1]
    # Reshaped to one column less, each row is shifted right by one relative to the row above: diagonals become columns.
    return padded.reshape(-1)[: n * (n + k - 1)].reshape(n, n + k - 1).sum(axis=0, dtype=np.int64)


def _usual(error: npt.NDArray[np.float64], length: npt.NDArray[np.int64], best: int) -> float:
    """Median error at offsets with at least half of the best offset's overlap, used if no other offset has enough."""
    asked = np.flatnonzero(2 * length >= length[best])
    others = error[asked[np.abs(asked - best) > _NEAR]]
    return float(np.median(others)) if len(others) else float("nan")


def compare(one: tuple[Codes, Codes], other: tuple[Codes, Codes], speed: int | None = None) -> Match | None:
    """Compare two clips by their codes at normal speed and 1 % faster.

    Parameters
    ----------
    one, other : codes and faster codes of each clip.
    speed : which clip's faster codes to use, as in :mod:`genreatlas.recordings.index`; None: try all, return the best.
    """
    found = []
    for way in (SAME, LOW_FASTER, HIGH_FASTER) if speed is None else (speed,):
        match = align(one[way == LOW_FASTER], other[way == HIGH_FASTER])
        if match is not None:
            ratio = {SAME: 1.0, LOW_FASTER: FASTER, HIGH_FASTER: 1.0 / FASTER}[way]
            found.append(replace(match, speed=ratio))
    return min(found, key=lambda match: (not match.is_sound, not match.is_long, match.error), default=None)
