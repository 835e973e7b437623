"""Which songs a playlist takes: the best candidates that keep to its limits, and a plain count of those that do not."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from genreatlas.playlists.music import Floats, Ints, Songs

#: Why a candidate is not taken, in words for people; the order is that of the sentence.
BLOCKED, NO_TEMPO, TEMPO, NO_LENGTH, COPY, ARTIST, TOO_LONG = (
    "blocked",
    "of unknown tempo",
    "outside the range of tempo",
    "of unknown length",
    "copies of songs that are taken",
    "beyond the number of songs of an artist",
    "too long for the minutes that are left",
)
_WORDS = (BLOCKED, NO_TEMPO, TEMPO, NO_LENGTH, COPY, ARTIST, TOO_LONG)


@dataclass(frozen=True)
class Limits:
    """What a playlist has to keep to.

    Attributes
    ----------
    songs : most songs; 0 where ``seconds`` bounds them.
    seconds : longest playing time; 0: any.
    per_artist : most songs of one first performer.
    tempo : slowest and fastest, in bpm; None: any.
    blocked : (n,) songs that are never taken.
    """

    songs: int
    seconds: float
    per_artist: int
    tempo: tuple[float, float] | None
    blocked: npt.NDArray[np.bool_]


@dataclass
class Basket:
    """Songs that are taken so far; none is taken that breaks a limit."""

    songs: Songs
    limits: Limits
    rows: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    _recordings: Counter[int] = field(default_factory=Counter)
    _artists: Counter[int] = field(default_factory=Counter)
    _seconds: float = 0.0
    _length: Floats = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        self._length = self.songs.seconds

    @property
    def full(self) -> bool:
        """Whether as many songs are taken as were asked for."""
        return bool(self.limits.songs) and len(self.rows) >= self.limits.songs

    @property
    def seconds(self) -> float:
        """Playing time of what is taken, as far as it is known."""
        return self._seconds

    def why_not(self, row: int) -> str | None:
        """Why a song cannot be taken; None where it can."""
        if (never := unfit(self.songs, self.limits, row, self._length)) is not None:
            return never
        if self._recordings[int(self.songs.recording[row])]:
            return COPY
        artist = int(self.songs.performer[row])
        if artist >= 0 and self._artists[artist] >= self.limits.per_artist:
            return ARTIST
        if self.limits.seconds and self._seconds + self._length[row] > self.limits.seconds:
            return TOO_LONG
        return None

    def takes(self, rows: Ints) -> npt.NDArray[np.bool_]:
        """Which of some songs, that :func:`fit`, can be taken beside those that are."""
        capped = [artist for artist, count in self._artists.items() if count >= self.limits.per_artist]
        held = [recording for recording, count in self._recordings.items() if count]
        good: npt.NDArray[np.bool_] = ~np.isin(self.songs.recording[rows], held)
        good &= ~np.isin(self.songs.performer[rows], capped)
        if self.limits.seconds:
            good &= self._length[rows] <= self.limits.seconds - self._seconds
        return good

    def look_at(self, rows: Ints) -> None:
        """Note why each of some songs that are not taken cannot be."""
        taken = set(self.rows)
        for row in rows.tolist():
            if row not in taken and (reason := self.why_not(row)) is not None:
                self.refused[row] = reason

    def add(self, row: int, place: int | None = None) -> bool:
        """Take a song, at a place or at the end; False, and nothing is done, where it breaks a limit."""
        if self.full or (reason := self.why_not(row)) is not None:
            if not self.full:
                self.refused.setdefault(row, reason or "")
            return False
        self.refused.pop(row, None)
        self.rows.insert(len(self.rows) if place is None else place, row)
        self._count(row, 1)
        return True

    def drop(self, row: int) -> None:
        """Give a song back."""
        self.rows.remove(row)
        self._count(row, -1)

    def _count(self, row: int, sign: int) -> None:
        self._recordings[int(self.songs.recording[row])] += sign
        if self.songs.performer[row] >= 0:
            self._artists[int(self.songs.performer[row])] += sign
        self._seconds += sign * float(np.nan_to_num(self._length[row]))

    def shortfall(self, candidates: int) -> str:
        """Why there are fewer songs than were asked for, in a sentence; empty where there are not.

        Parameters
        ----------
        candidates : songs that were looked at.
        """
        if self.full:
            return ""
        counts = Counter(self.refused.values())
        if self.limits.seconds:
            short = self.limits.seconds - self._seconds
            if short < max(60.0, 0.05 * self.limits.seconds):
                return ""  # it is as long as whole songs make it
            asked = f"{self.limits.seconds / 60:g} minutes were asked for, {self._seconds / 60:.1f} are there"
        else:
            asked = f"{self.limits.songs} songs were asked for, {len(self.rows)} are there"
        why = [f"{counts[word]} are {word}" for word in _WORDS if counts[word]]
        return f"{asked}: of {candidates} candidates {', '.join(why) or 'all are taken'}"


def unfit(songs: Songs, limits: Limits, row: int, length: Floats) -> str | None:
    """Why a song fits no playlist with these limits, whatever else is on it; None where it does."""
    if limits.blocked[row]:
        return BLOCKED
    if limits.tempo is not None:
        if not np.isfinite(songs.tempo[row]):
            return NO_TEMPO
        if not limits.tempo[0] <= songs.tempo[row] <= limits.tempo[1]:
            return TEMPO
    if limits.seconds and not np.isfinite(length[row]):
        return NO_LENGTH
    return None


def fit(songs: Songs, limits: Limits, rows: Ints) -> Ints:
    """The songs that :func:`unfit` has nothing against, all at once."""
    good = ~limits.blocked[rows]
    if limits.tempo is not None:
        tempo = songs.tempo[rows]
        good &= np.isfinite(tempo) & (tempo >= limits.tempo[0]) & (tempo <= limits.tempo[1])
    if limits.seconds:
        good &= np.isfinite(songs.seconds[rows])
    return rows[good]


def shaken(costs: Floats, variety: float, random: np.random.Generator) -> Floats:
    """Costs as logarithms of their ranks, with noise of a Gumbel distribution added, as large as variety says.

    On that scale chance moves a song from place 5 to 10 as easily as from 50 to 100.
    """
    order = np.argsort(costs, kind="stable")
    rank = np.empty(len(costs), dtype=np.float64)
    rank[order] = np.log1p(np.arange(len(costs)))
    return rank + 2.0 * variety * random.gumbel(size=len(costs)) if variety else rank


def take(basket: Basket, rows: Iterable[int]) -> Basket:
    """Take songs in their order until the basket is full."""
    for row in rows:
        if basket.full:
            break
        basket.add(int(row))
    return basket


def blocked(songs: Songs, rows: Collection[int] | Ints) -> npt.NDArray[np.bool_]:
    """(n,) those songs, and all copies of them."""
    named = np.zeros(len(songs), dtype=bool)
    chosen = np.asarray(list(rows), dtype=np.int64)
    if len(chosen):
        named = np.isin(songs.recording, songs.recording[chosen])
    return named
