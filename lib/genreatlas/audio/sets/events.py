"""Sets of events at irregular times: segments and notes."""

from collections.abc import Iterator

from genreatlas.audio import notes
from genreatlas.audio.frames import HOP_LENGTH, SAMPLE_RATE
from genreatlas.audio.sets.definition import Feature, FeatureSet

_SEGMENTS = {
    "start": ("s", "Start of the segment, from the start of the cut."),
    "duration": ("s", "Length of the segment."),
    "confidence": (
        "0..1",
        "Strength of the onset at its start, divided by the clip's strongest; 1 at the start of the clip.",
    ),
    "loudness": ("dBFS", "Level of the whole segment."),
    "loudness_start": ("dBFS", "Level at its start."),
    "loudness_max": ("dBFS", "Level of its loudest frame."),
    "loudness_max_time": ("s", "Time of that frame from the segment's start."),
}
_NOTES = {
    "time": ("s", "Onset, from the start of the cut."),
    "beat_phase": (
        "0..1",
        "Position between the previous and the next tracked beat; NULL before the first and after the last.",
    ),
    "strength": ("0..1", "Increase of its band, divided by the band's strongest."),
    "band": ("", "Frequency band: 0 below 150 Hz, 1 up to 2,000 Hz, 2 above."),
    "pitch_class": ("", "Dominant pitch class after the onset, 0 (C) to 11 (B); NULL if none is dominant."),
}


def _segment_features() -> Iterator[Feature]:
    for row, name in enumerate(notes.SEGMENT_COLUMNS):
        if name.startswith("timbre"):
            unit, words = "dB", f"Timbre coefficient {name[7:]} of 12; the basis differs from Spotify's."
        elif name.startswith("pitch"):
            unit, words = (
                "0..1",
                f"Pitch class {name[6:].replace('s', ' sharp').capitalize()} divided by the loudest class.",
            )
        else:
            unit, words = _SEGMENTS[name]
        yield Feature(name, unit, words, node="segments", row=row)


TIMBRE_PITCH = FeatureSet(
    name="timbre_pitch",
    version="1",
    axis="events",
    sample_rate=SAMPLE_RATE,
    hop_length=HOP_LENGTH,
    features=tuple(_segment_features()),
    comment="Segments from onset to onset: loudness, 12 timbre coefficients (in a basis of its own), 12 pitch classes.",
)
RHYTHM_NOTES = FeatureSet(
    name="rhythm_notes",
    version="1",
    axis="events",
    sample_rate=SAMPLE_RATE,
    hop_length=HOP_LENGTH,
    features=tuple(Feature(name, *_NOTES[name], node="notes", row=row) for row, name in enumerate(notes.NOTE_COLUMNS)),
    comment="Note onsets in three frequency bands, ordered by time: a sequence for recurrent networks on rhythm.",
)
