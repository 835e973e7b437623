"""Input of a network: which columns of a clip, their encoding, and the windows of rows.

Shared by training and scoring. Needs neither Spark nor Keras nor ONNX.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from genreatlas.arrays import AnyArray
from genreatlas.values import JsonObject

#: Columns of notes (:mod:`genreatlas.audio.notes`): a set that has them all is encoded as notes.
NOTE_COLUMNS = ("time", "beat_phase", "strength", "band", "pitch_class")
#: Width of an encoded note: time since the previous note (1); sine and cosine of the beat phase and whether it is known
#: (3); strength (1); band, one-hot (3); pitch class, one-hot (12).
NOTE_WIDTH = 1 + 3 + 1 + 3 + 12
#: Maximum pause between notes, in s; longer pauses are clipped.
_LONGEST_PAUSE_S = 2.0

#: Names of columns with the time of an event in s, in order of preference.
TIMES = ("start", "time")

#: Rows of a crop if the number of rows per second is unknown; minimum number of rows of a crop.
_ROWS = 128
_LEAST_ROWS = 8

#: Maximum number of training clips, evenly spread, from which mean, spread and rows per second are computed.
_CLIPS = 2_000

#: Values scored at once: 4 MB of windows.
_VALUES = 1_000_000

#: Columns with a smaller standard deviation are centred but not scaled.
_LEAST_SPREAD = 1e-6

Array = AnyArray


@dataclass(frozen=True)
class Reading:
    """Conversion of clips to windows.

    Attributes
    ----------
    kind : ``columns``: standardised columns, missing values replaced by the mean; or ``notes``.
    places : indices of the columns used, in order.
    mean, spread : mean and standard deviation of each column over training clips; empty for notes.
    rows : number of rows of a window.
    n_columns : number of columns of the clips.
    """

    kind: str
    places: tuple[int, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    rows: int
    n_columns: int

    @property
    def width(self) -> int:
        """Number of values of an encoded row."""
        return NOTE_WIDTH if self.kind == "notes" else len(self.places)

    def encode(self, values: Array) -> NDArray[np.float32]:
        """Encode rows (n_rows, n_columns), NaN = missing, as (n_rows, width)."""
        if self.kind == "notes":
            return encode_notes(values[:, list(self.places)])
        chosen = values[:, list(self.places)].astype(np.float32)
        encoded = (chosen - np.array(self.mean, np.float32)) / np.array(self.spread, np.float32)
        return np.nan_to_num(encoded, nan=0.0, posinf=0.0, neginf=0.0)

    def window(self, values: Array) -> NDArray[np.float32]:
        """Encode one window of :attr:`rows` rows; shorter input is repeated to fill it."""
        if not len(values):
            values = np.full((1, self.n_columns), np.nan, np.float32)
        encoded = self.encode(values[: self.rows])
        return encoded[np.arange(self.rows) % len(encoded)]

    def windows(self, values: Array) -> NDArray[np.float32]:
        """Encode windows that cover a clip, evenly spread, with as little overlap as possible."""
        return np.stack([self.window(values[start:]) for start in starts(len(values), self.rows)])

    def to_json(self) -> JsonObject:
        """Return the fields as stored in the model's file."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: JsonObject) -> "Reading":
        """Read the result of :meth:`to_json`; TypeError or KeyError if it is something else."""
        lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
        return cls(**(fields | lists))


def starts(n_rows: int, rows: int) -> Sequence[int]:
    """First row of each window of a clip with ``n_rows`` rows."""
    last = max(0, n_rows - rows)
    return [int(start) for start in np.rint(np.linspace(0, last, max(1, -(-n_rows // rows))))]


def encode_notes(notes: Array) -> NDArray[np.float32]:
    """Encode notes (n, 5) with the columns :data:`NOTE_COLUMNS` as (n, NOTE_WIDTH), values about 0 to 1."""
    time, phase, strength, band, pitch = np.asarray(notes, dtype=np.float64).T
    out = np.zeros((len(notes), NOTE_WIDTH), dtype=np.float32)
    pause = np.clip(np.nan_to_num(np.diff(time, prepend=time[:1])), 0.0, _LONGEST_PAUSE_S)
    out[:, 0] = 2.0 * np.sqrt(pause)  # a 16th at 120 bpm gives 0.7, half a second 1.4
    known = ~np.isnan(phase)
    angle = 2.0 * np.pi * np.nan_to_num(phase)
    out[:, 1], out[:, 2], out[:, 3] = np.sin(angle) * known, np.cos(angle) * known, known
    out[:, 4] = np.nan_to_num(strength)
    for first, values, n in ((5, band, 3), (8, pitch, 12)):
        there = np.flatnonzero(~np.isnan(values))
        out[there, first + np.clip(values[there].astype(int), 0, n - 1)] = 1.0
    return out


def choose_columns(features: Sequence[str], columns: str) -> tuple[int, ...]:
    """Indices of the columns with one of the prefixes (joined by ``+``; or ``all``); ValueError if there are none."""
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
    """Fit the conversion of clips to windows on training clips.

    Parameters
    ----------
    clip : returns the rows of a clip by index.
    n_clips : number of training clips.
    features : names of the columns of clips.
    hop_s : distance between rows in s; None if rows have times of their own.
    columns : columns to use, see :func:`choose_columns`.
    crop_s, crop_rows : length of a window in s, or in rows. For events, the number of rows is the average number of
        events in ``crop_s``.
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
    """Score the windows of clips, with windows of several clips in one batch.

    Parameters
    ----------
    score : returns scores of windows (n, rows, width).
    clips : functions that return the rows of a clip.

    Returns
    -------
    Number of windows of each clip (n_clips,), and the scores (n_windows, n_classes) of each clip.
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
