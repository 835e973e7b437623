"""Whether two fingerprints are of one sound: the share of bits that differ, where they lie on each other best.

Re-encodings, cuts and gain stay below 0.04; the same song by another sound font starts at 0.20, and different songs lie
at 0.39. A drone, or a loop, is like itself at every offset, and so like others: the best offset must stand out of the
rest, or there is no proof.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genreatlas.audio.fingerprint import FASTER, HOP_S
from genreatlas.recordings.index import HIGH_FASTER, LOW_FASTER, SAME

Codes = npt.NDArray[np.uint32]

#: Seconds that two clips have in common at least, to be told by their sound alone.
LEAST_OVERLAP_S = 15.0
#: The same where names or codes agree, too.
SHORT_OVERLAP_S = 4.0
#: Share of bits that may differ.
MOST_ERROR = 0.15
#: Of the error at other offsets, the share that the error at the best one may have. Copies of 180 songs, but for those
#: that were driven into clipping, had at most 0.26; drones that are no copies, but matched over 15 s, 0.39 and more.
MOST_OF_OTHERS = 0.3
#: The error at other offsets is at least this: less is a sound that hardly changes, such as a drone. Electronic
#: loops of real music lie above 0.1, most songs above 0.3.
LEAST_OTHERS, SHORT_OTHERS = 0.08, 0.2
#: Offsets so near to the best one are not others. [codes]
_NEAR = 8

_ONES = np.array([bin(number).count("1") for number in range(1 << 16)], dtype=np.uint8)


@dataclass(frozen=True)
class Match:
    """Where two fingerprints lie on each other best.

    Attributes
    ----------
    error : share of bits that differ.
    others : median of that share at other offsets; NaN where there are none.
    overlap_s : length of what they have in common.
    offset_s : where the second begins in the first.
    speed : how much faster the second is played than the first.
    """

    error: float
    others: float
    overlap_s: float
    offset_s: float
    speed: float

    @property
    def is_sound(self) -> bool:
        """Whether it is one sound, as far as the overlap goes."""
        changes = self.others >= (LEAST_OTHERS if self.is_long else SHORT_OTHERS)
        return changes and self.error <= min(MOST_ERROR, MOST_OF_OTHERS * self.others)

    @property
    def is_long(self) -> bool:
        """Whether the overlap is long enough to be proof."""
        return self.overlap_s >= LEAST_OVERLAP_S


def bit_count(codes: Codes) -> npt.NDArray[np.uint8]:
    """How many of the 32 bits of each code are set."""
    return _ONES[codes & np.uint32(0xFFFF)] + _ONES[codes >> np.uint32(16)]


def align(one: Codes, other: Codes, least_s: float = SHORT_OVERLAP_S) -> Match | None:
    """Lay one clip's codes on another's at every offset, and take the best; None where both are too short.

    The best has the least error among overlaps of :data:`LEAST_OVERLAP_S`; only where that is no match, shorter
    overlaps are asked.

    Parameters
    ----------
    least_s : shortest overlap that is asked.
    """
    least = max(1, round(least_s / HOP_S))
    n, k = len(one), len(other)
    if min(n, k) < least:
        return None
    total = _diagonals(bit_count(one[:, None] ^ other[None, :]))
    offset = np.arange(-(n - 1), k)  # place in other less place in one
    length = np.minimum(np.minimum(n + offset, k - offset), min(n, k))
    error = total / (32.0 * length)
    for shortest in (max(least, round(LEAST_OVERLAP_S / HOP_S)), least):
        asked = np.flatnonzero(length >= shortest)
        if len(asked):
            best = int(asked[np.argmin(error[asked])])
            others = error[asked[np.abs(asked - best) > _NEAR]]
            around = float(np.median(others)) if len(others) else _usual(error, length, best)
            match = Match(float(error[best]), around, float(length[best] * HOP_S), float(-offset[best] * HOP_S), 1.0)
            if match.is_sound:
                return match
    return match if len(asked) else None


def _diagonals(matrix: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Sums of the diagonals of a matrix (n, k), from the lowest left to the highest right, (n + k - 1,)."""
    n, k = matrix.shape
    padded = np.zeros((n, n + k), dtype=np.uint8)
    padded[:, :k] = matrix[::-1]
    # with one column less, each row lies one place further right than the row above: diagonals stand upright
    return padded.reshape(-1)[: n * (n + k - 1)].reshape(n, n + k - 1).sum(axis=0, dtype=np.int64)


def _usual(error: npt.NDArray[np.float64], length: npt.NDArray[np.int64], best: int) -> float:
    """Median error at offsets with half of the best one's overlap, where none has enough."""
    asked = np.flatnonzero(2 * length >= length[best])
    others = error[asked[np.abs(asked - best) > _NEAR]]
    return float(np.median(others)) if len(others) else float("nan")


def compare(one: tuple[Codes, Codes], other: tuple[Codes, Codes], speed: int | None = None) -> Match | None:
    """Compare two clips by their codes as they are and 1 % faster.

    Parameters
    ----------
    one, other : codes and faster codes of each.
    speed : the way to compare them, as in :mod:`genreatlas.recordings.index`; None: each, of which the best counts.
    """
    found = []
    for way in (SAME, LOW_FASTER, HIGH_FASTER) if speed is None else (speed,):
        match = align(one[way == LOW_FASTER], other[way == HIGH_FASTER])
        if match is not None:
            ratio = {SAME: 1.0, LOW_FASTER: FASTER, HIGH_FASTER: 1.0 / FASTER}[way]
            found.append(Match(match.error, match.others, match.overlap_s, match.offset_s, ratio))
    return min(found, key=lambda match: (not match.is_sound, not match.is_long, match.error), default=None)
