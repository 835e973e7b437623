"""What a network sees of a clip: which columns, how they are encoded, and which windows of rows.

Training and scoring share it, so that a clip is read alike by both. Here is no Spark, no Keras and no ONNX.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray
from genreatlas.values import JsonObject

#: Columns of notes (:mod:`genreatlas.audio.notes`): a set that has them all is encoded as notes.
NOTE_COLUMNS = ("time", "beat_phase", "strength", "band", "pitch_class")
#: Values of a note as a network sees it: the time since the note before, beat phase on a circle and whether it is
#: known, strength, band, pitch class.
NOTE_WIDTH = 1 + 3 + 1 + 3 + 12
#: A longer pause is heard as one of so many seconds.
_LONGEST_PAUSE_S = 2.0

#: Columns with the time of an event in s.
TIMES = ("start", "time")

#: Rows of a crop where nobody knows how many a second has.
_ROWS = 128
_LEAST_ROWS = 8

#: Clips from which mean, spread and rows a second are taken, evenly spread over those of training.
_CLIPS = 2_000

#: Values that are looked at in one go when scoring: 4 MB of windows.
_VALUES = 1_000_000

#: Columns that hardly vary are not blown up.
_LEAST_SPREAD = 1e-6

Array = AnyArray


@dataclass(frozen=True)
class Reading:
    """How clips become windows of numbers.

    Attributes
    ----------
    kind : ``columns``, standardised, missing values as their mean; or ``notes``.
    places : columns that are read, in their order.
    mean, spread : of each of them over the training clips; empty for notes.
    rows : of a window.
    n_columns : of the clips that are read.
    """

    kind: str
    places: tuple[int, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    rows: int
    n_columns: int

    @property
    def width(self) -> int:
        """Values of an encoded row."""
        return NOTE_WIDTH if self.kind == "notes" else len(self.places)

    def encode(self, values: Array) -> NDArray[np.float32]:
        """Rows (n_rows, n_columns) of a clip as the network sees them, (n_rows, width); NaN = missing."""
        if self.kind == "notes":
            return encode_notes(values[:, list(self.places)])
        chosen = values[:, list(self.places)].astype(np.float32)
        encoded = (chosen - np.array(self.mean, np.float32)) / np.array(self.spread, np.float32)
        return np.nan_to_num(encoded, nan=0.0, posinf=0.0, neginf=0.0)

    def window(self, values: Array) -> NDArray[np.float32]:
        """One window of at most :attr:`rows` rows, encoded; a shorter one is repeated until it is full."""
        if not len(values):
            values = np.full((1, self.n_columns), np.nan, np.float32)
        encoded = self.encode(values[: self.rows])
        return encoded[np.arange(self.rows) % len(encoded)]

    def windows(self, values: Array) -> NDArray[np.float32]:
        """Windows that cover a clip, evenly spread and end to end where that comes out even."""
        return np.stack([self.window(values[start:]) for start in starts(len(values), self.rows)])

    def to_json(self) -> JsonObject:
        """As the model's file keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: JsonObject) -> "Reading":
        """What :meth:`to_json` gave; TypeError or KeyError where it is something else."""
        lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
        return cls(**(fields | lists))


def starts(n_rows: int, rows: int) -> Sequence[int]:
    """First rows of the windows of a clip."""
    last = max(0, n_rows - rows)
    return [int(start) for start in np.rint(np.linspace(0, last, max(1, -(-n_rows // rows))))]


def encode_notes(notes: Array) -> NDArray[np.float32]:
    """Notes (n, 5) with the columns :data:`NOTE_COLUMNS` as (n, NOTE_WIDTH) numbers around 0 to 1."""
    time, phase, strength, band, pitch = np.asarray(notes, dtype=np.float64).T
    out = np.zeros((len(notes), NOTE_WIDTH), dtype=np.float32)
    pause = np.clip(np.nan_to_num(np.diff(time, prepend=time[:1])), 0.0, _LONGEST_PAUSE_S)
    out[:, 0] = 2.0 * np.sqrt(pause)  # so that a 16th at 120 bpm is .7 and half a second 1.4
    known = ~np.isnan(phase)
    angle = 2.0 * np.pi * np.nan_to_num(phase)
    out[:, 1], out[:, 2], out[:, 3] = np.sin(angle) * known, np.cos(angle) * known, known
    out[:, 4] = np.nan_to_num(strength)
    for first, values, n in ((5, band, 3), (8, pitch, 12)):
        there = np.flatnonzero(~np.isnan(values))
        out[there, first + np.clip(values[there].astype(int), 0, n - 1)] = 1.0
    return out


def choose_columns(features: Sequence[str], columns: str) -> tuple[int, ...]:
    """Places of the columns whose names begin as asked; ValueError where none does."""
    if columns == "all":
        return tuple(range(len(features)))
    beginnings = tuple(part.strip() for part in columns.split("+") if part.strip())
    places = tuple(place for place, name in enumerate(features) if name.startswith(beginnings))
    if not places:
        raise ValueError(f"no column begins with {' or '.join(beginnings)}. There are: {', '.join(features[:8])} ...")
    return places


def read_clips(
    clip: Callable[[int], Array],
    n_clips: int,
    features: Sequence[str],
    hop_s: float | None,
    columns: str,
    crop_s: float,
    crop_rows: int | None,
) -> Reading:
    """Decide how clips are read, from evenly spread ones of training.

    Parameters
    ----------
    clip : gives the rows of a clip.
    hop_s : distance of rows in s; None where rows have times of their own.
    columns : what is read of them: see :func:`choose_columns`.
    crop_s, crop_rows : length of a window in s, or in rows. Of events a window has as many as clips have on average in
        so many seconds.
    """
    notes = columns == "all" and set(NOTE_COLUMNS) <= set(features)
    places = tuple(features.index(name) for name in NOTE_COLUMNS) if notes else choose_columns(features, columns)
    timed = next((features.index(name) for name in TIMES if name in features), None) if hop_s is None else None
    count, total, squares = (np.zeros(len(places)) for _ in range(3))
    seconds = rows = 0.0
    for number in np.unique(np.linspace(0, n_clips - 1, min(n_clips, _CLIPS)).astype(int)):
        values = clip(int(number))
        chosen = values[:, list(places)].astype(np.float64)
        known = np.isfinite(chosen)
        chosen = np.where(known, chosen, 0.0)
        count, total, squares = count + known.sum(0), total + chosen.sum(0), squares + (chosen**2).sum(0)
        if timed is not None and len(values) > 1:
            seconds += float(np.nanmax(values[:, timed]) - np.nanmin(values[:, timed]))
            rows += len(values) - 1
    a_second = 1.0 / hop_s if hop_s else rows / seconds if seconds > 0 else None
    length = crop_rows or (round(crop_s * a_second) if a_second else _ROWS)
    mean = total / np.maximum(count, 1)
    spread = np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 0.0))
    return Reading(
        kind="notes" if notes else "columns",
        places=places,
        mean=() if notes else tuple(mean.tolist()),
        spread=() if notes else tuple(np.where(spread > _LEAST_SPREAD, spread, 1.0).tolist()),
        rows=max(_LEAST_ROWS, int(length)),
        n_columns=len(features),
    )


def scores_of_clips(
    reading: Reading, score: Callable[[Array], Array], clips: Sequence[Callable[[], Array]], n_classes: int
) -> tuple[NDArray[np.int64], list[Array]]:
    """Number of windows of each clip, and the scores (n_windows, n_classes) of each; windows are scored together.

    Parameters
    ----------
    score : gives scores of windows (n, rows, width).
    clips : each gives the rows of a clip when it is its turn.
    """
    most = max(1, _VALUES // (reading.rows * reading.width))
    counts: list[int] = []
    found: list[Array] = []
    waiting: list[Array] = []

    def flush() -> None:
        if waiting:
            batch = np.concatenate(waiting)
            found.extend(score(batch[at : at + most]) for at in range(0, len(batch), most))
            waiting.clear()

    for clip in clips:
        windows = reading.windows(clip())
        counts.append(len(windows))
        waiting.append(windows)
        if sum(map(len, waiting)) >= most:
            flush()
    flush()
    scores = np.concatenate(found) if found else np.empty((0, n_classes))
    return np.array(counts, dtype=np.int64), np.split(scores, np.cumsum(counts)[:-1]) if counts else []
