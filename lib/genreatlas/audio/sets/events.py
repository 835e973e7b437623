"""Sets of events at irregular times: segments and notes."""

from collections.abc import Iterator

from genreatlas.audio import notes
from genreatlas.audio.frames import HOP_LENGTH, SAMPLE_RATE
from genreatlas.audio.sets.definition import Feature, FeatureSet

_SEGMENTS = {
    "start": ("s", "Start of the segment, from the start of the cut."),
    "duration": ("s", "Length of the segment."),
    "confidence": ("0..1", "Strength of the onset that it begins with, over the clip's strongest; 1 at the start."),
    "loudness": ("dBFS", "Level of the whole segment."),
    "loudness_start": ("dBFS", "Level at its start."),
    "loudness_max": ("dBFS", "Level of its loudest frame."),
    "loudness_max_time": ("s", "Time of that frame from the segment's start."),
}
_NOTES = {
    "time": ("s", "Onset, from the start of the cut."),
    "beat_phase": ("0..1", "Place between the tracked beats around it; NULL outside of them."),
    "strength": ("0..1", "Rise of its band, over the band's strongest."),
    "band": ("", "0 below 150 Hz, 1 to 2,000 Hz, 2 above."),
    "pitch_class": ("", "0 (C) to 11 (B) of what sounds after it; NULL where none stands out."),
}


def _segment_features() -> Iterator[Feature]:
    for row, name in enumerate(notes.SEGMENT_COLUMNS):
        if name.startswith("timbre"):
            unit, words = "dB", f"Timbre coefficient {name[7:]} of 12; its basis is not Spotify's."
        elif name.startswith("pitch"):
            unit, words = "0..1", f"Pitch class {name[6:].replace('s', ' sharp').capitalize()} over the loudest class."
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
    comment="Segments from onset to onset: loudness, 12 timbre coefficients, 12 pitch classes. Not Spotify's basis.",
)
RHYTHM_NOTES = FeatureSet(
    name="rhythm_notes",
    version="1",
    axis="events",
    sample_rate=SAMPLE_RATE,
    hop_length=HOP_LENGTH,
    features=tuple(Feature(name, *_NOTES[name], node="notes", row=row) for row, name in enumerate(notes.NOTE_COLUMNS)),
    comment="Note onsets in three bands, by time: what a recurrent network on groove eats.",
)
