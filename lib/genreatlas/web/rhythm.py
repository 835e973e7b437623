"""Beats, bars and groove of a clip, for the animation on its page."""

import math
from collections.abc import Mapping, Sequence

from genreatlas.audio.beats import BANDS, STEPS
from genreatlas.audio.extracted import Extracted
from genreatlas.audio.feature_sets import get_feature_set
from genreatlas.values import JsonObject, Row, RowView

#: Feature set with the data of rhythm.
FEATURE_SET = "groove"
NUMBERS = ("tempo_tracked", "beats_per_bar", "bar_confidence", "swing_ratio")
TIMES = ("tracked_beat_times", "downbeat_times")
PATTERN = tuple(f"pattern_{band}_{step + 1}" for band in BANDS for step in range(STEPS))


def rhythm(numbers: Mapping[str, float | None], times: Mapping[str, Sequence[float]], start_s: float) -> JsonObject:
    """JSON-able data of a clip's rhythm.

    Parameters
    ----------
    numbers : values of :data:`NUMBERS` and :data:`PATTERN`; None or NaN if undefined.
    times : values of :data:`TIMES`, in s from the start of the clip.
    start_s : start of the clip in the played audio, in s.

    Returns
    -------
    ``beats`` in s; ``first``: index of the beat that begins the first whole bar; ``beats_per_bar`` and ``pattern``
    (percent of the band's highest step): None if no bars were found; ``tempo`` in bpm; ``bar_confidence``,
    ``swing_ratio``, ``start_s``.
    """
    known = {name: number for name, number in numbers.items() if number is not None and math.isfinite(number)}
    beats, downbeats = ([round(float(one), 3) for one in times[name]] for name in TIMES)
    first = beats.index(downbeats[0]) if downbeats else 0
    pattern = {
        band: [round(100 * known.get(f"pattern_{band}_{step + 1}", 0.0)) for step in range(STEPS)]
        for band in BANDS
        if f"pattern_{band}_1" in known
    }
    return {
        "start_s": start_s,
        "beats": beats,
        "first": first,
        "beats_per_bar": int(known["beats_per_bar"]) if downbeats and "beats_per_bar" in known else None,
        "tempo": round(known["tempo_tracked"], 2) if "tempo_tracked" in known else None,
        "bar_confidence": known.get("bar_confidence"),
        "swing_ratio": known.get("swing_ratio"),
        "pattern": pattern or None,
    }


def rhythm_of(found: Sequence[Extracted], start_s: float) -> dict[str, object] | None:
    """:func:`rhythm` of the features extracted from a file; None if the feature set is missing."""
    mine = next((one for one in found if one.feature_set == FEATURE_SET), None)
    if mine is None or mine.values is None or mine.arrays is None:
        return None
    chosen = get_feature_set(FEATURE_SET)
    numbers = dict(zip((one.name for one in chosen.features), map(float, mine.values), strict=True))
    times = {one.name: array.tolist() for one, array in zip(chosen.arrays, mine.arrays, strict=True)}
    return rhythm({name: numbers[name] for name in (*NUMBERS, *PATTERN)}, times, start_s)


def rhythm_of_row(row: RowView, start_s: float) -> Row:
    """:func:`rhythm` of a row of the lake, in which :data:`PATTERN` is a list."""
    pattern = dict(zip(PATTERN, row["pattern"] or (), strict=False))
    return rhythm({name: row[name] for name in NUMBERS} | pattern, {name: row[name] or () for name in TIMES}, start_s)
