"""What is true of a composed song, for judging what features and trackers hear in it."""

import json
from typing import Any

from genreatlas.sandbox.drums import BANDS
from genreatlas.sandbox.instruments import RATE
from genreatlas.sandbox.score import Note, Score
from genreatlas.sandbox.theory import PITCH_CLASSES

_ROLE_BANDS = {"bass": "low", "comp": "mid", "pad": "mid", "lead": "high"}


def truth(score: Score, seconds: float) -> dict[str, Any]:
    """Return the truth of a song as plain JSON values.

    Times are seconds from the first decoded sample. Keys: ``tempo`` (beats a minute, mean over the clip;
    in 6/8 a beat is a dotted quarter), ``metre``, ``beats_per_bar``, ``beats``, ``downbeats``, ``swing``
    (``ratio`` of the long to the short step, 1 is straight, and the ``unit`` that is swung), ``key``
    (``name`` such as ``Eb:minor``, ``tonic``, ``mode``), ``chords`` (start, end, name after Harte et al. 2005)
    and ``onsets`` as columns of equal length: ``time``, ``voice`` (drum piece, or bass, comp, lead, pad),
    ``band`` (low, mid, high), ``pitch_class`` (0 is C; null for drums), ``attack`` (seconds until the
    note has risen) and ``velocity`` (0 … 1).

    Parameters
    ----------
    score : the song.
    seconds : length of the clip.
    """
    clock, metre = score.clock, score.clock.groove.metre
    beats = clock.beats[clock.beats < seconds]
    return {
        "seconds": seconds,
        "sample_rate": RATE,
        "tempo": round(60.0 * (len(beats) - 1) / float(beats[-1] - beats[0]), 4),
        "metre": metre.name,
        "beats_per_bar": metre.beats,
        "beats": [_round(time) for time in beats],
        "downbeats": [_round(time) for time in beats[:: metre.beats]],
        "swing": {"ratio": round(clock.swing, 4), "unit": clock.groove.swung},
        "key": {"name": score.key.name, "tonic": PITCH_CLASSES[score.key.tonic], "mode": score.key.mode},
        "chords": [
            {"start": _round(start), "end": _round(end), "name": chord.name} for start, end, chord in score.chords
        ],
        "onsets": {
            "time": [_round(round(note.time * RATE) / RATE) for note in score.notes],
            "voice": [note.piece or note.role for note in score.notes],
            "band": [BANDS.get(note.piece) or _ROLE_BANDS[note.role] for note in score.notes],
            "pitch_class": [None if note.pitch is None else note.pitch % 12 for note in score.notes],
            "attack": [_attack(score, note) for note in score.notes],
            "velocity": [round(min(note.velocity, 1.0), 3) for note in score.notes],
        },
    }


def to_json(values: dict[str, Any]) -> bytes:
    """Return the bytes of a truth file: keys sorted, so that one song has one file."""
    return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _attack(score: Score, note: Note) -> float:
    return 0.0 if note.pitch is None else round(score.artist.voices[note.role].attack, 4)


def _round(time: float) -> float:
    return round(float(time), 6)
