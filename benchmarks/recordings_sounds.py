"""Sounds for the evaluation of copies: songs, planted copies, and different songs that sound similar."""

import io
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lameenc
import numpy as np
import soundfile
import soxr

from genreatlas.sandbox.artists import make_artist
from genreatlas.sandbox.composed_genres import GENRES, PIANO
from genreatlas.sandbox.composing import compose
from genreatlas.sandbox.mixing import render
from genreatlas.sandbox.style import Artist, Kit

RATE = 44_100
SECONDS = 30
Sound = np.ndarray


def mp3(sound: Sound, kbit: int, rate: int = RATE) -> bytes:
    """Encode an MP3 at a constant bit rate by LAME."""
    encoder = lameenc.Encoder()
    encoder.set_bit_rate(kbit)
    encoder.set_in_sample_rate(rate)
    encoder.set_channels(1)
    encoder.set_quality(5)
    encoder.silence()
    whole = np.rint(np.clip(sound, -1, 1) * 32767).astype("<i2")
    return bytes(encoder.encode(whole.tobytes()) + encoder.flush())


def libsndfile(sound: Sound, subtype: str, rate: int = RATE) -> bytes:
    """Encode an Ogg file with Vorbis or Opus."""
    file = io.BytesIO()
    if subtype == "OPUS":
        sound, rate = soxr.resample(sound, rate, 48_000), 48_000
    soundfile.write(file, sound, rate, format="OGG", subtype=subtype)
    return file.getvalue()


def decoded(file: bytes) -> tuple[Sound, int]:
    """Decode to mono samples and sample rate."""
    sound, rate = soundfile.read(io.BytesIO(file), dtype="float32", always_2d=True)
    return sound.mean(axis=1), rate


def _gain(db: float) -> Callable[[Sound], Sound]:
    return lambda sound: np.clip(sound * 10 ** (db / 20), -1, 1)


def _fade(sound: Sound) -> Sound:
    time = np.arange(len(sound)) / RATE
    return sound * np.clip(np.minimum(time, time[-1] - time) / 4.0, 0.0, 1.0)


#: Function that makes a copy, by kind of change; MP3 at 128 kbit/s unless the name gives another format.
COPIES: dict[str, Callable[[Sound], bytes]] = {
    "mp3_64": lambda sound: mp3(sound, 64),
    "mp3_128": lambda sound: mp3(sound, 128),
    "mp3_320": lambda sound: mp3(sound, 320),
    "ogg": lambda sound: libsndfile(sound, "VORBIS"),
    "opus": lambda sound: libsndfile(sound, "OPUS"),
    "louder_9db": lambda sound: mp3(_gain(9)(sound), 128),
    "quieter_9db": lambda sound: mp3(_gain(-9)(sound), 128),
    "resampled_22k": lambda sound: mp3(soxr.resample(sound, RATE, 22_050), 96, 22_050),
    "cut_start_5s": lambda sound: mp3(sound[5 * RATE :], 128),
    "cut_end_5s": lambda sound: mp3(sound[: -5 * RATE], 128),
    "fades_4s": lambda sound: mp3(_fade(sound), 128),
    "silence_3s": lambda sound: mp3(np.concatenate([np.zeros(3 * RATE, sound.dtype), sound])[: len(sound)], 128),
}
SPEEDS: dict[str, Callable[[Sound], bytes]] = {
    "faster_1": lambda sound: mp3(soxr.resample(sound, RATE * 1.01, RATE), 128),
    "slower_1": lambda sound: mp3(soxr.resample(sound, RATE * 0.99, RATE), 128),
}


def at_rate(sound: Sound, rate: int) -> Sound:
    """Resample to RATE."""
    return sound if rate == RATE else soxr.resample(sound, rate, RATE)


def game_music(folder: Path, most: int) -> list[Path]:
    """Paths of one clip per song of real game music."""
    songs: dict[str, Path] = {}
    for path in sorted(folder.glob("*/*.mp3")):
        songs.setdefault(path.stem.rpartition("__")[0], path)
    return list(songs.values())[:most]


def recorded(path: Path) -> Sound:
    """Samples of a file at RATE."""
    return at_rate(*decoded(path.read_bytes()))


def midi_song(path: Path, font: Path) -> Sound:
    """Render 30 s of a MIDI song with a sound font, from 0:50, or from the middle of a shorter song."""
    command = ["timeout", "120", "fluidsynth", "-niq", "-g", "0.5", "-r", str(RATE), "-T", "raw", "-O", "s16", "-F",
               "/dev/stdout", str(font), str(path)]  # fmt: skip
    wanted = 80 * RATE * 4
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as player:
        assert player.stdout is not None
        raw = player.stdout.read(wanted)
        player.kill()
    sound = np.frombuffer(raw[: len(raw) // 4 * 4], dtype="<i2").reshape(-1, 2).mean(axis=1).astype(np.float32) / 32768
    start = 50 * RATE if len(sound) >= 79 * RATE else max(0, (len(sound) - SECONDS * RATE) // 2)
    return sound[start : start + SECONDS * RATE]


def composed(number: int, seed: int = 31) -> Sound:
    """A song of the sandbox's composer; ``number`` cycles through the genres."""
    genre = list(GENRES.values())[number % len(GENRES)]
    artist = make_artist(seed, genre, number // len(GENRES))
    return render(compose(artist, seed, number, SECONDS), SECONDS).mean(axis=1)


def _only(artist: Artist, *roles: str, **voices: object) -> Artist:
    """The artist with only the given roles."""
    levels = {role: level if role in roles else -200.0 for role, level in artist.mix.levels.items()}
    voices = {role: voices.get(role, voice) for role, voice in artist.voices.items()}
    return replace(artist, voices=voices, mix=replace(artist.mix, levels=levels))


def quiet_piano(number: int) -> Sound:
    """A quiet piece for solo piano: chords and a melody."""
    genres = [genre for genre in GENRES.values() if len(genre.harmony.progressions)]
    artist = make_artist(41, genres[number % len(genres)], number // len(genres))
    artist = _only(artist, "comp", "lead", comp=PIANO, lead=PIANO)
    artist = replace(artist, mix=replace(artist.mix, hiss_dbfs=-90.0, texture_dbfs=-120.0))
    sound = render(compose(artist, 41, number, SECONDS), SECONDS).mean(axis=1)
    return 0.02 * sound / max(float(np.abs(sound).max()), 1e-6)


def drone_or_noise(number: int) -> Sound:
    """A held chord with slow beating, or coloured noise, or both."""
    draw = np.random.default_rng(10_000 + number)
    time = np.arange(SECONDS * RATE) / RATE
    sound = np.zeros(len(time), dtype=np.float64)
    kind = number % 3
    if kind != 1:  # roots of a semitone scale: many drones share their pitches
        root = 440.0 * 2.0 ** ((draw.integers(28, 52) - 69) / 12)
        for step in draw.choice([0, 7, 12, 16, 19, 24], size=4, replace=False):
            hz = root * 2.0 ** (step / 12) * (1 + draw.normal(0, 0.0006))
            swell = 1 + 0.4 * np.sin(2 * np.pi * draw.uniform(0.02, 0.2) * time + draw.uniform(0, 6))
            for harmonic in range(1, 6):
                sound += swell * np.sin(2 * np.pi * hz * harmonic * time + draw.uniform(0, 6)) / harmonic**1.5
    if kind != 0:
        spectrum = np.fft.rfft(draw.standard_normal(len(time)))
        hz = np.maximum(np.fft.rfftfreq(len(time), 1 / RATE), 20.0)
        noise = np.fft.irfft(spectrum * hz ** -draw.uniform(0.0, 1.0), len(time))
        sound += draw.uniform(0.05, 1.0) * noise / noise.std()
    return (0.2 * sound / np.abs(sound).max()).astype(np.float32)


def same_drums(number: int) -> Sound:
    """A loop with the same drum machine and one of three patterns for all songs, and individual bass and chords."""
    genre = GENRES["house"]
    artist = make_artist(51, genre, number)
    artist = replace(artist, grooves=(genre.grooves[number % 3],), pace=0.5, live=0.0,
                     kit=Kit("electronic", 1.0, 1.0, 0.5, 0.5))  # fmt: skip
    artist = _only(artist, "drums", "bass", "comp")
    return render(compose(artist, 51, number, SECONDS), SECONDS).mean(axis=1)
