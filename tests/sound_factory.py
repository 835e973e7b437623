"""Small real audio files with tags."""

import io
import zlib
from pathlib import Path

import mutagen
import numpy as np
import soundfile
from mutagen import aiff, id3, mp3, wave

RATE = 22_050


def sound(path: Path, seconds: float = 1.5, rate: int = RATE, channels: int = 1, container: str = "", **tags) -> Path:
    """Write a sound that depends on the file name, in ``container`` or else in the format of the extension."""
    kind = container or {"ogg": "OGG", "opus": "OGG", "aif": "AIFF"}.get(
        path.suffix[1:].lower(), path.suffix[1:].upper()
    )
    random = np.random.default_rng(
        zlib.crc32(str(path.relative_to(path.parents[1])).encode("utf-8", "surrogateescape"))
    )
    times = np.arange(round(seconds * rate)) / rate
    mono = 0.3 * np.sin(2 * np.pi * random.uniform(200, 900) * times) + 0.01 * random.standard_normal(len(times))
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, channels, format=kind) as file:
        for start in range(0, len(mono), rate):  # libsndfile's Vorbis encoder overflows its stack on long writes
            file.write(np.repeat(mono[start : start + rate, None], channels, axis=1))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    if tags:
        tag(path, **tags)
    return path


def tag(path: Path, **tags: str | list[str]) -> None:
    """Write tags, named by ID3 frames (TCON=...) or Vorbis comments (genre=...)."""
    if path.suffix in (".flac", ".ogg"):
        file = mutagen.File(path)
        for name, value in tags.items():
            file[name] = value
    else:
        file = {".wav": wave.WAVE, ".aif": aiff.AIFF}.get(path.suffix, mp3.MP3)(path)
        file.add_tags()
        for name, value in tags.items():
            file.tags.add(getattr(id3, name)(encoding=3, text=value))
    file.save()
