"""Keys, chords and their names."""

from dataclasses import dataclass

PITCH_CLASSES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")

MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}

# Intervals above the root, under the shorthand of Harte et al. 2005.
QUALITIES = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "5": (0, 7, 12),
    "sus4": (0, 5, 7),
    "sus2": (0, 2, 7),
    "dim": (0, 3, 6),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "hdim7": (0, 3, 6, 10),
    "maj6": (0, 4, 7, 9),
    "min9": (0, 3, 7, 10, 14),
    "maj9": (0, 4, 7, 11, 14),
}


@dataclass(frozen=True)
class Key:
    """A tonic (pitch class, 0 is C) and a mode."""

    tonic: int
    mode: str

    @property
    def name(self) -> str:
        """Such as ``Eb:minor``."""
        return f"{PITCH_CLASSES[self.tonic]}:{self.mode}"

    @property
    def scale(self) -> tuple[int, ...]:
        """Pitch classes of the scale, from the tonic up."""
        return tuple((self.tonic + step) % 12 for step in MODES[self.mode])


@dataclass(frozen=True)
class Chord:
    """A root (pitch class) and a quality."""

    root: int
    quality: str

    @property
    def name(self) -> str:
        """In the syntax of Harte et al. 2005, such as ``A:min7``."""
        return f"{PITCH_CLASSES[self.root]}:{self.quality}"

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """Pitch classes of the chord, from the root up."""
        return tuple((self.root + interval) % 12 for interval in QUALITIES[self.quality])


def near(pitch_class: int, centre: float) -> int:
    """Return the MIDI pitch with this pitch class that lies nearest to `centre` (the lower one of two)."""
    base = round(centre) - 6
    return base + (pitch_class - base) % 12


def voicing(chord: Chord, centre: float) -> tuple[int, ...]:
    """Return the chord in close position around the MIDI pitch `centre`, lowest note first.

    Keeping every note near one centre makes successive chords move by small steps.
    """
    if chord.quality == "5":
        root = near(chord.root, centre - 6)
        return root, root + 7, root + 12
    return tuple(sorted({near(pitch_class, centre) for pitch_class in chord.pitch_classes}))
