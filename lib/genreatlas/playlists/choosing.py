"""Choose songs of a playlist: the best candidates within its limits, with counts of rejected candidates by reason."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from genreatlas.playlists.music import Floats, Ints, Songs

#: Reasons for which candidates are rejected, in the order of the message.
BLOCKED, NO_TEMPO, TEMPO, NO_LENGTH, COPY, ARTIST, TOO_LONG = (
    "blocked",
    "of unknown tempo",
    "outside the tempo range",
    "of unknown length",
    "copies of selected songs",
    "over the limit of songs per artist",
    "longer than the remaining minutes",
)
_WORDS = (BLOCKED, NO_TEMPO, TEMPO, NO_LENGTH, COPY, ARTIST, TOO_LONG)


@dataclass(frozen=True)
class Limits:
    """Limits of a playlist.

    Attributes
    ----------
    songs : maximum number of songs; 0: limited by ``seconds``.
    seconds : maximum total length in seconds; 0: no limit.
    per_artist : maximum number of songs of one first performer.
    tempo : minimum and maximum in bpm; None: no limits.
    blocked : (n,) mask of songs that are never chosen.
    """

    songs: int
    seconds: float
    per_artist: int
    tempo: tuple[float, float] | None
    blocked: npt.NDArray[np.bool_]


@dataclass
class Basket:
    """Songs chosen so far, within the limits.

    Attributes
    ----------
    songs : all songs.
    limits : limits of the playlist.
    rows : rows of the chosen songs, in order.
    refused : reason by row of rejected songs.
    """

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
        """Whether the requested number of songs is reached."""
        return bool(self.limits.songs) and len(self.rows) >= self.limits.songs

    @property
    def seconds(self) -> float:
        """Total length of the chosen songs of known length, in seconds."""
        return self._seconds

    def why_not(self, row: int) -> str | None:
        """Reason why a song cannot be added; None if it can."""
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
        """Mask of the songs that can be added to the chosen ones; ``rows`` must already :func:`fit` the limits."""
        capped = [artist for artist, count in self._artists.items() if count >= self.limits.per_artist]
        held = [recording for recording, count in self._recordings.items() if count]
        good: npt.NDArray[np.bool_] = ~np.isin(self.songs.recording[rows], held)
        good &= ~np.isin(self.songs.performer[rows], capped)
        if self.limits.seconds:
            good &= self._length[rows] <= self.limits.seconds - self._seconds
        return good

    def look_at(self, rows: Ints) -> None:
        """Record in ``refused`` why songs that were not chosen cannot be added."""
        taken = set(self.rows)
        for row in rows.tolist():
            if row not in taken and (reason := self.why_not(row)) is not None:
                self.refused[row] = reason

    def add(self, row: int, place: int | None = None) -> bool:
        """Add a song at a position (None: at the end). Return False and add nothing if it exceeds a limit."""
        if self.full or (reason := self.why_not(row)) is not None:
            if not self.full:
                self.refused.setdefault(row, reason or "")
            return False
        self.refused.pop(row, None)
        self.rows.insert(len(self.rows) if place is None else place, row)
        self._count(row, 1)
        return True

    def drop(self, row: int) -> None:
        """Remove a song."""
        self.rows.remove(row)
        self._count(row, -1)

    def _count(self, row: int, sign: int) -> None:
        self._recordings[int(self.songs.recording[row])] += sign
        if self.songs.performer[row] >= 0:
            self._artists[int(self.songs.performer[row])] += sign
        self._seconds += sign * float(np.nan_to_num(self._length[row]))

    def shortfall(self, candidates: int) -> str:
        """Message that explains why there are fewer songs than requested; empty if there are enough.

        Parameters
        ----------
        candidates : number of candidates.
        """
        if self.full:
            return ""
        counts = Counter(self.refused.values())
        if self.limits.seconds:
            short = self.limits.seconds - self._seconds
            if short < max(60.0, 0.05 * self.limits.seconds):
                return ""  # no further whole song is expected to fit
            asked = f"{self.limits.seconds / 60:g} minutes were requested, {self._seconds / 60:.1f} were selected"
        else:
            asked = f"{self.limits.songs} songs were requested, {len(self.rows)} were selected"
        why = [f"{counts[word]} are {word}" for word in _WORDS if counts[word]]
        return f"{asked}: of {candidates} candidates {', '.join(why) or 'all are selected'}"


def unfit(songs: Songs, limits: Limits, row: int, length: Floats) -> str | None:
    """Reason why a song alone violates the limits, independent of other songs; None if it does not."""
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
    """Rows of the songs without a reason by :func:`unfit`, vectorised."""
    good = ~limits.blocked[rows]
    if limits.tempo is not None:
        tempo = songs.tempo[rows]
        good &= np.isfinite(tempo) & (tempo >= limits.tempo[0]) & (tempo <= limits.tempo[1])
    if limits.seconds:
        good &= np.isfinite(songs.seconds[rows])
    return rows[good]


def shaken(costs: Floats, variety: float, random: np.random.Generator) -> Floats:
    """Replace costs by the logarithm of their ranks, plus Gumbel noise scaled by ``variety``.

    On the logarithmic scale a move from rank 5 to 10 is as likely as a move from 50 to 100.
    """
    order = np.argsort(costs, kind="stable")
    rank = np.empty(len(costs), dtype=np.float64)
    rank[order] = np.log1p(np.arange(len(costs)))
    return rank + 2.0 * variety * random.gumbel(size=len(costs)) if variety else rank


def take(basket: Basket, rows: Iterable[int]) -> Basket:
    """Add songs in order until the basket is full."""
    for row in rows:
        if basket.full:
            break
        basket.add(int(row))
    return basket


def blocked(songs: Songs, rows: Collection[int] | Ints) -> npt.NDArray[np.bool_]:
    """Mask of the songs in ``rows`` and all their copies, (n,)."""
    named = np.zeros(len(songs), dtype=bool)
    chosen = np.asarray(list(rows), dtype=np.int64)
    if len(chosen):
        named = np.isin(songs.recording, songs.recording[chosen])
    return named
