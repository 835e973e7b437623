"""Data classes of genres and artists: keys, chords, grooves, voices, drum kits and mixes."""

from dataclasses import dataclass, field

PITCH_CLASSES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}

# Intervals above the root in semitones, by the chord shorthand of Harte et al. 2005.
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
        """Name such as ``Eb:minor``."""
        return f"{PITCH_CLASSES[self.tonic]}:{self.mode}"

    @property
    def scale(self) -> tuple[int, ...]:
        """Pitch classes of the scale, from the tonic upwards."""
        return tuple((self.tonic + step) % 12 for step in MODES[self.mode])


@dataclass(frozen=True)
class Chord:
    """A root (pitch class) and a quality."""

    root: int
    quality: str

    @property
    def name(self) -> str:
        """Name in the syntax of Harte et al. 2005, such as ``A:min7``."""
        return f"{PITCH_CLASSES[self.root]}:{self.quality}"

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """Pitch classes of the chord, from the root upwards."""
        return tuple((self.root + interval) % 12 for interval in QUALITIES[self.quality])


def near(pitch_class: int, centre: float) -> int:
    """Return the MIDI pitch with this pitch class nearest to `centre`, the lower one of two."""
    base = round(centre) - 6
    return base + (pitch_class - base) % 12


def voicing(chord: Chord, centre: float) -> tuple[int, ...]:
    """Return the chord in close position around the MIDI pitch `centre`, lowest note first.

    All notes are near one centre, so that consecutive chords move by small steps.
    """
    if chord.quality == "5":
        root = near(chord.root, centre - 6)
        return root, root + 7, root + 12
    return tuple(sorted({near(pitch_class, centre) for pitch_class in chord.pitch_classes}))


Span = tuple[float, float]


@dataclass(frozen=True)
class Metre:
    """A time signature: beats per bar and grid steps per beat."""

    name: str
    beats: int
    steps: int

    @property
    def bar(self) -> int:
        """Grid steps in a bar."""
        return self.beats * self.steps


COMMON = Metre("4/4", 4, 4)
TRIPLE = Metre("3/4", 3, 4)
COMPOUND = Metre("6/8", 2, 3)


@dataclass(frozen=True)
class Groove:
    """A rhythm: patterns on the grid of the metre.

    A pattern may be several bars long. Drums: ``X`` accented, ``x`` played, ``o`` soft, ``.`` rest. Bass:
    ``1 3 5 7 8`` chord degrees, ``w`` walking. Comping: ``X x o`` chords, ``a`` the next note of an arpeggio,
    ``_`` a chord held until the next sign. ``tempo`` is in beats of the metre per minute.
    """

    metre: Metre
    tempo: Span
    drums: dict[str, str] = field(default_factory=dict, hash=False)
    bass: str = ""
    comp: str = ""
    swing: Span = (1.0, 1.0)
    swung: str = "sixteenth"
    bars_per_chord: tuple[int, ...] = (1,)


@dataclass(frozen=True)
class Voice:
    """A pitched instrument. `kind` selects the synthesis in ``instruments.py``."""

    name: str
    kind: str
    spectrum: str = "saw"
    brightness: float = 0.5
    attack: float = 0.005
    decay: float = 1.0
    sustain: float = 0.7
    release: float = 0.08
    detune: float = 0.0
    vibrato: float = 0.0
    ratio: float = 1.0
    index: float = 2.0
    drive: float = 0.0
    octave: int = 0
    strum: float = 0.0


@dataclass(frozen=True)
class Kit:
    """A drum kit."""

    style: str
    pitch: float = 1.0
    decay: float = 1.0
    brightness: float = 0.5
    snap: float = 0.5


@dataclass(frozen=True)
class Sound:
    """Instruments of a genre, and ranges of the parameters of its mixes."""

    voices: dict[str, tuple[Voice, ...]] = field(hash=False)
    kits: tuple[str, ...] = ("acoustic",)
    levels: dict[str, float] = field(default_factory=dict, hash=False)
    reverb: Span = (0.5, 1.2)
    wet: Span = (0.08, 0.2)
    tone: tuple[float, float, float] = (0.0, 0.0, 0.0)  # mean gain of lows, mids and highs in dB
    bandwidth: Span = (9000.0, 19000.0)  # Hz
    loudness: Span = (-18.0, -14.0)
    crush: Span = (1.0, 1.5)
    pump: Span = (0.0, 0.0)
    hiss: Span = (-75.0, -62.0)
    texture: Span = (-90.0, -90.0)


@dataclass(frozen=True)
class Harmony:
    """Progressions by mode, as (semitones above the tonic, chord quality)."""

    progressions: dict[str, tuple[tuple[tuple[int, str], ...], ...]] = field(hash=False)


@dataclass(frozen=True)
class Genre:
    """A genre: its grooves, harmony and sound."""

    name: str
    grooves: tuple[Groove, ...]
    harmony: Harmony
    sound: Sound
    lead_density: Span = (0.2, 0.45)
    live: Span = (0.0, 0.0)


@dataclass(frozen=True)
class Mix:
    """Parameters of an artist's mix."""

    low_db: float
    mid_db: float
    mid_hz: float
    high_db: float
    lowpass_hz: float
    reverb_s: float
    wet: float
    damping_hz: float
    width: float
    loudness_dbfs: float
    crush: float
    pump: float
    hiss_dbfs: float
    texture_dbfs: float
    levels: dict[str, float] = field(hash=False)


@dataclass(frozen=True)
class Artist:
    """An artist: settings shared by all songs of the artist."""

    name: str
    genre: Genre
    number: int
    grooves: tuple[Groove, ...]
    pace: float
    keys: tuple[Key, ...]
    voices: dict[str, Voice] = field(hash=False)
    kit: Kit
    lead_density: float
    live: float
    mix: Mix
