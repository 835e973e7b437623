"""What a genre and an artist are made of."""

from dataclasses import dataclass, field

from genreatlas.sandbox.theory import Key

Span = tuple[float, float]


@dataclass(frozen=True)
class Metre:
    """A time signature as it is felt: beats a bar and grid steps a beat."""

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
    ``_`` a chord that is held until the next sign. Tempo counts beats of the metre a minute.
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
    """A pitched instrument; `kind` names the synthesis in ``instruments.py``."""

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
    """The instruments a genre may use, and how it is mixed."""

    voices: dict[str, tuple[Voice, ...]] = field(hash=False)
    kits: tuple[str, ...] = ("acoustic",)
    levels: dict[str, float] = field(default_factory=dict, hash=False)
    reverb: Span = (0.5, 1.2)
    wet: Span = (0.08, 0.2)
    tone: tuple[float, float, float] = (0.0, 0.0, 0.0)  # dB that its engineers give to lows, mids and highs
    bandwidth: Span = (9000.0, 19000.0)  # Hz
    loudness: Span = (-18.0, -14.0)
    crush: Span = (1.0, 1.5)
    pump: Span = (0.0, 0.0)
    hiss: Span = (-75.0, -62.0)
    texture: Span = (-90.0, -90.0)


@dataclass(frozen=True)
class Harmony:
    """Modes, and progressions as (semitones above the tonic, chord quality)."""

    progressions: dict[str, tuple[tuple[tuple[int, str], ...], ...]] = field(hash=False)


@dataclass(frozen=True)
class Genre:
    """How a genre moves (grooves), what it plays (harmony, melody) and how it sounds."""

    name: str
    grooves: tuple[Groove, ...]
    harmony: Harmony
    sound: Sound
    lead_density: Span = (0.2, 0.45)
    live: Span = (0.0, 0.0)


@dataclass(frozen=True)
class Mix:
    """An artist's engineer."""

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
    """One artist's habits: everything that the artist's songs have in common."""

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
