"""Lines of single notes: tunes and walking basses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from genreatlas.sandbox.style import Metre
from genreatlas.sandbox.theory import Chord, Key, near


@dataclass(frozen=True)
class Line:
    """How a tune goes: its metre, the share of eighth notes that sound, and the MIDI pitch it circles."""

    metre: Metre
    density: float
    centre: float


def melody(
    random: np.random.Generator, line: Line, key: Key, chords: Sequence[Chord], bars: Sequence[int]
) -> Iterator[tuple[int, int, int, int, float]]:
    """Yield (bar, step, steps until the next note, MIDI pitch, accent) of a tune.

    Two motifs of a bar each, in the order A A B A: the rhythm and the contour return, and the pitches
    fit the chord of the moment on the beat and the scale off it.
    """
    motifs = [_motif(random, line) for _ in range(2)]
    places: list[tuple[int, int, int]] = []
    for turn, bar in enumerate(bars):
        motif = motifs[1 if turn % 4 == 2 else 0]
        places += [(bar, step, leap) for step, leap in motif]
    height = 0
    for i, (bar, step, leap) in enumerate(places):
        # The tune is drawn back to its centre, so that it never leaves the instrument.
        height = int(np.clip(height + leap, -6, 6))
        target = line.centre + 1.7 * height
        on_beat = step % line.metre.steps == 0
        allowed = chords[bar].pitch_classes if on_beat else key.scale
        pitch = min((near(pitch_class, target) for pitch_class in allowed), key=lambda p: (abs(p - target), p))
        gap = line.metre.bar - step
        if i + 1 < len(places) and places[i + 1][0] == bar:
            gap = places[i + 1][1] - step
        yield bar, step, gap, pitch, 0.9 if on_beat else 0.7


def _motif(random: np.random.Generator, line: Line) -> list[tuple[int, int]]:
    """Return (step, leap in scale steps) over one bar; sounding eighths are likelier on the beat."""
    steps = line.metre.steps
    stride = 2 if steps == 4 else 1
    motif = []
    for step in range(0, line.metre.bar, stride):
        likely = line.density * (1.5 if step % steps == 0 else 0.8)
        if random.random() < likely or (step == 0 and random.random() < 0.5):
            motif.append((step, int(random.integers(-2, 3))))
    return motif


def walking_bass(random: np.random.Generator, chord: Chord, following: Chord, beat: int, beats: int) -> int:
    """Return the MIDI pitch of a walking bass: the root first, then chord tones, last a step from the next root."""
    root = near(chord.root, 40)
    if beat == 0:
        return root
    if beat == beats - 1:
        return near(following.root, 40) + (1 if random.random() < 0.5 else -1)
    return near(chord.pitch_classes[1 + (beat + int(random.integers(2))) % (len(chord.pitch_classes) - 1)], root + 3)
