"""Composing: from an artist's habits to the notes of one song."""

from dataclasses import dataclass, replace

import numpy as np

from genreatlas.sandbox.clock import Clock, make_clock
from genreatlas.sandbox.melody import Line, melody, walking_bass
from genreatlas.sandbox.seeds import pick, rng
from genreatlas.sandbox.style import Artist, Groove
from genreatlas.sandbox.theory import QUALITIES, Chord, Key, near, voicing

ACCENTS = {"X": 1.0, "x": 0.78, "o": 0.42, "_": 0.7}
_DEGREES = {"1": 0, "3": 1, "5": 2, "7": -1}


@dataclass(frozen=True)
class Note:
    """One note or hit: `pitch` is a MIDI pitch, or None for a drum, whose piece is `piece`."""

    time: float
    hold: float
    role: str
    velocity: float
    pitch: int | None = None
    piece: str = ""


@dataclass(frozen=True)
class Score:
    """A song on paper."""

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
    artist : who plays; for a song under two genres, the artist with the blended genre's habits.
    seed : seed of the world.
    number : of the song, unique within the artist and genre.
    seconds : length of the clip; notes begin before its end.
    """
    random = rng(seed, "song", artist.genre.name, artist.number, number)
    groove = pick(random, artist.grooves)
    key = pick(random, artist.keys)
    low, high = groove.tempo
    # An artist keeps to about a quarter of the genre's range.
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
    """Join bars of one chord; the first chord begins with the first beat."""
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
    """Say for every bar who plays: sections of four bars (two in short songs), never less than two roles."""
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
    """Play as people do: not quite together, not quite evenly; machines only vary in force."""
    count = len(lines)
    late = np.clip(random.normal(0.0, 1.0, count), -2.5, 2.5) * live
    force = 1.0 + np.clip(random.normal(0.0, 1.0, count), -2, 2) * (0.03 + min(live * 12, 0.1))
    return [
        replace(note, time=max(note.time + float(late[i]), 0.0), velocity=note.velocity * float(force[i]))
        for i, note in enumerate(lines)
    ]


class _Parts:
    """The parts of one song over its clock, chords and layers."""

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
        """A roll in the last beat before a new section, by drummers who play with snare or clap."""
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
            # A long note ends with its chord.
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
