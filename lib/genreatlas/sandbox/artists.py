"""Artists: settings drawn once per artist and shared by all songs of the artist."""

from dataclasses import replace

import numpy as np

from genreatlas.sandbox.composed_genres import GENRES, blend
from genreatlas.sandbox.groove_pairs import PAIRED
from genreatlas.sandbox.made_up_names import artist_name, pick, rng
from genreatlas.sandbox.style import Artist, Genre, Key, Kit, Mix, Sound, Voice


def make_artist(seed: int, genre: Genre, number: int) -> Artist:
    """Return the artist with this number in a genre.

    Parameters
    ----------
    seed : seed of the world.
    genre : the genre that the artist plays.
    number : from 0; unique within the genre.
    """
    random = rng(seed, "artist", genre.name, number)
    modes = sorted(genre.harmony.progressions)
    tonics = random.permutation(12)
    order = random.permutation(len(genre.grooves))
    return Artist(
        name=_name(seed, genre.name.split(";")[0], number),
        genre=genre,
        number=number,
        grooves=tuple(genre.grooves[i] for i in order[: 2 if len(order) > 1 else 1]),
        pace=float(random.uniform(0.12, 0.88)),
        keys=tuple(Key(int(tonic), pick(random, modes)) for tonic in tonics[:2]),
        voices={role: _own(random, pick(random, voices)) for role, voices in genre.sound.voices.items()},
        kit=_kit(random, genre.sound),
        lead_density=float(random.uniform(*genre.lead_density)),
        live=float(random.uniform(*genre.live)),
        mix=_mix(random, genre.sound),
    )


def make_borrower(seed: int, genre: Genre, number: int) -> Artist:
    """Return an artist with the rhythm of `genre`, and sound and harmony of one of the composer's genres.

    The other genre is chosen by ``number`` in turn, so artists with equal numbers have the sound of the same genre.
    """
    return make_artist(seed, blend(genre, tuple(GENRES.values())[number % len(GENRES)]), number)


def make_guest(seed: int, genre: Genre, other: Genre, number: int) -> Artist:
    """Return an artist of `genre` with a song that is also of the genre `other`.

    Rhythm, timing, drum kit and mix are the artist's own; chords and instruments are the other genre's.
    """
    own, borrowed = make_artist(seed, genre, number), make_artist(seed, blend(genre, other), number)
    return replace(
        borrowed,
        grooves=own.grooves,
        pace=own.pace,
        kit=own.kit,
        live=own.live,
        mix=replace(own.mix, levels=borrowed.mix.levels),
    )


def _name(seed: int, genre: str, number: int) -> str:
    """Name of a genre's artist. Names in the composer's other genres do not depend on the paired genres."""
    if genre in PAIRED:
        return f"Young {artist_name(seed, list(PAIRED).index(genre) + number * len(PAIRED))}"
    return artist_name(seed, list(GENRES).index(genre) + number * len(GENRES))


def _own(random: np.random.Generator, voice: Voice) -> Voice:
    """Return the voice with this artist's variation of its parameters."""
    return replace(
        voice,
        brightness=float(np.clip(voice.brightness + random.uniform(-0.2, 0.2), 0.05, 0.95)),
        decay=voice.decay * float(random.uniform(0.7, 1.4)),
        detune=voice.detune * float(random.uniform(0.4, 1.6)),
        index=voice.index * float(random.uniform(0.6, 1.6)),
        drive=voice.drive * float(random.uniform(0.6, 1.4)),
    )


def _kit(random: np.random.Generator, sound: Sound) -> Kit:
    return Kit(
        style=pick(random, sound.kits),
        pitch=float(random.uniform(0.82, 1.22)),
        decay=float(random.uniform(0.7, 1.4)),
        brightness=float(random.uniform(0.15, 0.9)),
        snap=float(random.uniform(0.15, 0.85)),
    )


def _mix(random: np.random.Generator, sound: Sound) -> Mix:
    """Draw the artist's mix. Its equaliser is the largest difference between artists of one genre."""
    low, mid, high = sound.tone
    return Mix(
        low_db=low + float(random.uniform(-2, 2)),
        mid_db=mid + float(random.uniform(-3, 3)),
        mid_hz=float(np.exp(random.uniform(np.log(400), np.log(2500)))),
        high_db=high + float(random.uniform(-3, 2.5)),
        lowpass_hz=float(np.exp(random.uniform(*np.log(sound.bandwidth)))),
        reverb_s=float(random.uniform(*sound.reverb)),
        wet=float(random.uniform(*sound.wet)),
        damping_hz=float(random.uniform(2000, 7000)),
        width=float(random.uniform(0.3, 0.9)),
        loudness_dbfs=float(random.uniform(*sound.loudness)),
        crush=float(random.uniform(*sound.crush)),
        pump=float(random.uniform(*sound.pump)),
        hiss_dbfs=float(random.uniform(*sound.hiss)),
        texture_dbfs=float(random.uniform(*sound.texture)),
        levels={role: level + float(random.uniform(-2.5, 2.5)) for role, level in sound.levels.items()},
    )
