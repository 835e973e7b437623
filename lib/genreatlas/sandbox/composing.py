"""Compose the beats, chords and notes of a song from an artist's settings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from genreatlas.sandbox.made_up_names import pick, rng
from genreatlas.sandbox.style import QUALITIES, Artist, Chord, Groove, Key, Metre, near, voicing

ACCENTS = {"X": 1.0, "x": 0.78, "o": 0.42, "_": 0.7}
_DEGREES = {"1": 0, "3": 1, "5": 2, "7": -1}


@dataclass(frozen=True)
class Clock:
    """Timing of a song.

    Parameters
    ----------
    groove : the groove, with the metre.
    beats : (n,) times of the beats in seconds.
    swing : ratio of long to short step; 1 is straight."""

    groove: Groove
    beats: npt.NDArray[np.float64]
    swing: float

    @property
    def bars(self) -> int:
        """Number of whole bars; the last may end after the clip."""
        return (len(self.beats) - 1) // self.groove.metre.beats

    def time(self, bar: int, step: int) -> float:
        """Return the time of a grid step in seconds. Steps beyond the bar count into later bars."""
        metre = self.groove.metre
        beat, within = divmod(bar * metre.bar + step, metre.steps)
        beat = min(beat, len(self.beats) - 2)
        start, end = self.beats[beat], self.beats[beat + 1]
        return float(start + (end - start) * self._place(within))

    def _place(self, within: int) -> float:
        """Position of a step in its beat, 0 … 1. A swung pair divides its time as swing : 1."""
        steps = self.groove.metre.steps
        if self.swing == 1.0 or steps != 4:
            return within / steps
        long = self.swing / (1.0 + self.swing)
        if self.groove.swung == "eighth":
            return (0.0, long / 2, long, (1.0 + long) / 2)[within]
        return (0.0, long / 2, 0.5, 0.5 + long / 2)[within]


@dataclass(frozen=True)
class Line:
    """Settings of a melody: its metre, the share of eighth notes that sound, and its central MIDI pitch."""

    metre: Metre
    density: float
    centre: float


@dataclass(frozen=True)
class Note:
    """One note or drum hit.

    Parameters
    ----------
    time, hold : onset and length in seconds.
    role : part that plays the note.
    velocity : loudness, relative to 1.
    pitch : MIDI pitch; None for drums.
    piece : piece of the drum kit; empty for notes."""

    time: float
    hold: float
    role: str
    velocity: float
    pitch: int | None = None
    piece: str = ""


@dataclass(frozen=True)
class Score:
    """A composed song: chords as (start s, end s, chord), and notes sorted by time."""

    artist: Artist
    key: Key
    clock: Clock
    tempo: float
    chords: tuple[tuple[float, float, Chord], ...]
    notes: tuple[Note, ...]


def compose(artist: Artist, seed: int, number: int, seconds: float) -> Score:
    """Compose an artist's song.

    Parameters
    ----------
    artist : the artist; for a song under two genres, an artist of the blended genre.
    seed : seed of the world.
    number : number of the song, unique within artist and genre.
    seconds : length of the clip; notes begin before its end.
    """
    random = rng(seed, "song", artist.genre.name, artist.number, number)
    groove = pick(random, artist.grooves)
    key = pick(random, artist.keys)
    low, high = groove.tempo
    # An artist uses about a quarter of the genre's range.
    tempo = low + (high - low) * float(np.clip(artist.pace + random.uniform(-0.12, 0.12), 0.0, 1.0))
    swing = float(random.uniform(*groove.swing))
    clock = make_clock(random, groove, tempo, swing, artist.live, seconds)
    bars = [_chord(key, step) for step in _progression(random, artist, key, groove, clock.bars)]
    layers = _layers(random, artist, clock.bars)
    parts = _Parts(artist, clock, bars, layers, random)
    lines = parts.drums() + parts.bass() + parts.comp() + parts.lead(key) + parts.pad()
    shaken = _played(lines, artist.live, random)
    return Score(
        artist=artist,
        key=key,
        clock=clock,
        tempo=tempo,
        chords=_segments(clock, bars, seconds),
        notes=tuple(
            sorted((n for n in shaken if n.time < seconds - 0.05), key=lambda n: (n.time, n.role, n.pitch or 0))
        ),
    )


def _progression(
    random: np.random.Generator, artist: Artist, key: Key, groove: Groove, bars: int
) -> list[tuple[int, str]]:
    loop = pick(random, artist.genre.harmony.progressions[key.mode])
    length = pick(random, groove.bars_per_chord)
    return [loop[bar // length % len(loop)] for bar in range(bars + 1)]


def _chord(key: Key, step: tuple[int, str]) -> Chord:
    return Chord((key.tonic + step[0]) % 12, step[1])


def _segments(clock: Clock, bars: list[Chord], seconds: float) -> tuple[tuple[float, float, Chord], ...]:
    """Merge consecutive bars of the same chord. The first chord starts at the first beat."""
    segments: list[tuple[float, float, Chord]] = []
    for bar in range(clock.bars):
        start, end = clock.time(bar, 0), clock.time(bar + 1, 0)
        if start >= seconds:
            break
        if segments and segments[-1][2] == bars[bar]:
            segments[-1] = (segments[-1][0], min(end, seconds), bars[bar])
        else:
            segments.append((start, min(end, seconds), bars[bar]))
    return tuple(segments)


def _layers(random: np.random.Generator, artist: Artist, bars: int) -> list[frozenset[str]]:
    """Return the roles that play in each bar: sections of four bars (two in short songs), at least two roles."""
    everyone = frozenset(("drums", "bass", "comp"))
    has_pad = artist.mix.levels["pad"] > -30
    shapes = [
        everyone,
        everyone | {"lead"},
        everyone | ({"pad"} if has_pad else {"lead"}),
        everyone | ({"lead", "pad"} if has_pad else {"lead"}),
        (everyone | {"lead"}) - {pick(random, ("drums", "bass", "comp"))},
    ]
    length = 4 if bars >= 12 else 2
    plan = [shapes[1], shapes[3]] + [pick(random, shapes) for _ in range(bars // length + 1)]
    order = random.permutation(len(plan))
    return [plan[order[bar // length % len(plan)]] for bar in range(bars + 1)]


def _played(lines: list[Note], live: float, random: np.random.Generator) -> list[Note]:
    """Add random deviations of time and velocity; without ``live`` only the velocity varies."""
    count = len(lines)
    late = np.clip(random.normal(0.0, 1.0, count), -2.5, 2.5) * live
    force = 1.0 + np.clip(random.normal(0.0, 1.0, count), -2, 2) * (0.03 + min(live * 12, 0.1))
    return [
        replace(note, time=max(note.time + float(late[i]), 0.0), velocity=note.velocity * float(force[i]))
        for i, note in enumerate(lines)
    ]


class _Parts:
    """Generates the parts of a song from its clock, chords and layers."""

    def __init__(
        self,
        artist: Artist,
        clock: Clock,
        chords: list[Chord],
        layers: list[frozenset[str]],
        random: np.random.Generator,
    ) -> None:
        self.artist, self.clock, self.chords, self.layers, self.random = artist, clock, chords, layers, random
        self.groove = clock.groove
        self.bar = clock.groove.metre.bar

    def _signs(self, pattern: str, role: str) -> list[tuple[int, int, str, int]]:
        """Return (bar, step, sign, steps until the next sign) of a pattern repeated over the song."""
        total = self.clock.bars * self.bar
        places = [i for i in range(total) if pattern[i % len(pattern)] != "."]
        return [
            (place // self.bar, place % self.bar, pattern[place % len(pattern)], following - place)
            for place, following in zip(places, [*places[1:], total], strict=True)
            if role in self.layers[place // self.bar]
        ]

    def _length(self, bar: int, step: int, steps: int) -> float:
        return self.clock.time(bar, step + steps) - self.clock.time(bar, step)

    def drums(self) -> list[Note]:
        notes = []
        for piece in sorted(self.groove.drums):
            for bar, step, sign, _ in self._signs(self.groove.drums[piece], "drums"):
                notes.append(Note(self.clock.time(bar, step), 0.0, "drums", ACCENTS[sign], piece=piece))
        return notes + self._fills()

    def _fills(self) -> list[Note]:
        """Fills in the last beat before a new section, if the groove uses snare, tom or clap."""
        pieces = [piece for piece in ("snare", "tom", "clap") if piece in self.groove.drums]
        if not pieces or self.groove.metre.steps != 4:
            return []
        notes = []
        for bar in range(1, self.clock.bars):
            new_section = self.layers[bar] != self.layers[bar - 1] and "drums" in self.layers[bar - 1]
            if new_section and self.random.random() < 0.6:
                for step in range(self.bar - 3, self.bar):
                    piece = pieces[0] if step % 2 else pieces[-1]
                    notes.append(Note(self.clock.time(bar - 1, step), 0.0, "drums", 0.5, piece=piece))
        return notes

    def bass(self) -> list[Note]:
        notes = []
        for bar, step, sign, steps in self._signs(self.groove.bass, "bass"):
            chord = self.chords[bar]
            root = near(chord.root, 40)
            if sign == "w":
                beat = step // self.groove.metre.steps
                pitch = walking_bass(self.random, chord, self.chords[bar + 1], beat, self.groove.metre.beats)
            elif sign == "8":
                pitch = root + 12
            else:
                intervals = QUALITIES[chord.quality]
                pitch = root + intervals[_DEGREES[sign] if len(intervals) > 2 else 0]
            # Notes do not extend beyond their chord.
            steps = min(steps, self._until_new_chord(bar) * self.bar - step)
            notes.append(Note(self.clock.time(bar, step), self._length(bar, step, steps) * 0.92, "bass", 0.85, pitch))
        return notes

    def _until_new_chord(self, bar: int) -> int:
        return next(
            (i for i in range(1, 9) if bar + i >= len(self.chords) or self.chords[bar + i] != self.chords[bar]), 8
        )

    def comp(self) -> list[Note]:
        notes: list[Note] = []
        touch = float(self.random.uniform(0.45, 0.95))
        turn, centre = 0, float(self.random.uniform(57, 63))
        upward = bool(self.random.random() < 0.5)
        strum = self.artist.voices["comp"].strum
        for bar, step, sign, steps in self._signs(self.groove.comp, "comp"):
            chord = self.chords[bar]
            if sign == "_" and bar and self.chords[bar - 1] == chord:
                continue
            pitches = voicing(chord, centre)
            time = self.clock.time(bar, step)
            if sign == "a":
                walk = (*pitches, pitches[0] + 12, *(pitches[-2:0:-1] if upward else pitches[1:]))
                hold = self._length(bar, step, min(2 * steps, 8))
                notes.append(Note(time, hold, "comp", 0.6 + 0.2 * (step == 0), walk[turn % len(walk)]))
                turn = turn + 1 if step + steps < self.bar or chord == self.chords[bar + 1] else 0
                continue
            steps = min(steps, self._until_new_chord(bar) * self.bar - step)
            hold = self._length(bar, step, steps) * (touch if steps < self.bar else 0.97)
            for string, pitch in enumerate(pitches):
                notes.append(Note(time + strum * string, hold, "comp", ACCENTS[sign], pitch))
        return notes

    def lead(self, key: Key) -> list[Note]:
        line = Line(self.groove.metre, self.artist.lead_density, centre=float(self.random.uniform(68, 76)))
        bars = [bar for bar in range(self.clock.bars) if "lead" in self.layers[bar]]
        return [
            Note(self.clock.time(bar, step), self._length(bar, step, steps) * 0.9, "lead", accent, pitch)
            for bar, step, steps, pitch, accent in melody(self.random, line, key, self.chords, bars)
        ]

    def pad(self) -> list[Note]:
        notes = []
        bar = 0
        while bar < self.clock.bars:
            length = self._until_new_chord(bar)
            if "pad" in self.layers[bar]:
                hold = self._length(bar, 0, length * self.bar) * 0.98
                start = self.clock.time(bar, 0)
                notes += [Note(start, hold, "pad", 0.6, pitch) for pitch in voicing(self.chords[bar], 64)]
            bar += length
        return notes


def make_clock(
    random: np.random.Generator, groove: Groove, tempo: float, swing: float, live: float, seconds: float
) -> Clock:
    """Return the beats of a song that covers `seconds`.

    Parameters
    ----------
    random : random numbers for the first beat's time and the drift.
    groove : the groove, with the metre.
    tempo : beats per minute.
    swing : ratio of long to short step of a pair; 1 is straight.
    live : standard deviation of the timing in seconds; 0: strict time.
    seconds : length of the song; the beats cover one bar more.
    """
    period = 60.0 / tempo
    count = int(np.ceil(seconds / period / 0.94)) + 2 * groove.metre.beats + 1
    count += -(count - 1) % groove.metre.beats
    # Players drift by one or two percent over some bars and return to the tempo.
    drift = np.cumsum(random.normal(0.0, 1.0, count)) if live else np.zeros(count)
    drift -= np.linspace(drift[0], drift[-1], count)
    periods = period * (1.0 + np.clip(drift * live * 0.25, -0.025, 0.025))
    first = float(random.uniform(0.05, 0.5))
    return Clock(groove, first + np.concatenate(([0.0], np.cumsum(periods[:-1]))), swing)


def melody(
    random: np.random.Generator, line: Line, key: Key, chords: Sequence[Chord], bars: Sequence[int]
) -> Iterator[tuple[int, int, int, int, float]]:
    """Yield (bar, step, steps until the next note, MIDI pitch, accent) of a tune.

    Two motifs of one bar each, in the order A A B A, with repeated rhythm and contour. Pitches are from the current
    chord on the beat and from the scale off the beat.
    """
    motifs = [_motif(random, line) for _ in range(2)]
    places: list[tuple[int, int, int]] = []
    for turn, bar in enumerate(bars):
        motif = motifs[1 if turn % 4 == 2 else 0]
        places += [(bar, step, leap) for step, leap in motif]
    height = 0
    for i, (bar, step, leap) in enumerate(places):
        # The distance from the centre is bounded, to stay in the instrument's range.
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
    """Return (step, interval) pairs of one bar. Eighths on the beat are more likely to sound."""
    steps = line.metre.steps
    stride = 2 if steps == 4 else 1
    motif = []
    for step in range(0, line.metre.bar, stride):
        likely = line.density * (1.5 if step % steps == 0 else 0.8)
        if random.random() < likely or (step == 0 and random.random() < 0.5):
            motif.append((step, int(random.integers(-2, 3))))
    return motif


def walking_bass(random: np.random.Generator, chord: Chord, following: Chord, beat: int, beats: int) -> int:
    """Return a walking bass's MIDI pitch: the root, then chord tones, last a semitone from the following root."""
    root = near(chord.root, 40)
    if beat == 0:
        return root
    if beat == beats - 1:
        return near(following.root, 40) + (1 if random.random() < 0.5 else -1)
    return near(chord.pitch_classes[1 + (beat + int(random.integers(2))) % (len(chord.pitch_classes) - 1)], root + 3)
