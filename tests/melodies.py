"""Generated music, as samples and as files of real encoders, in which it is known which files are copies."""

import io

import numpy as np
import soundfile

RATE = 44_100


def melody(seed: int, seconds: float = 30.0, rate: int = RATE) -> np.ndarray:
    """A song of chords and a melody, each note with four harmonics. The seed determines the song."""
    draw = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    sound = np.zeros(time.size)
    for low, voices, length in ((48, 3, 1.1), (67, 1, 0.4)):
        at = 0.0
        while at < seconds:
            lasts = length * draw.choice([0.5, 1.0, 1.5])
            part = slice(int(at * rate), int((at + lasts) * rate))
            since = time[part] - at
            for note in low + draw.integers(0, 20, voices):
                hz = 440.0 * 2.0 ** ((note - 69) / 12)
                for harmonic in range(1, 5):
                    sound[part] += np.exp(-2 * since) * np.sin(2 * np.pi * hz * harmonic * since) / harmonic
            at += lasts
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def encoded(samples: np.ndarray, kind: str = "MP3", rate: int = RATE, level: float | None = None) -> bytes:
    """Encode samples as a file. ``level`` is the compression from 0 (best quality) to 1 (smallest file)."""
    file = io.BytesIO()
    subtype = {"OGG": "VORBIS", "OPUS": "OPUS", "MP3": "MPEG_LAYER_III"}.get(kind)
    options = {} if level is None else {"compression_level": level}
    soundfile.write(file, samples, rate, format="OGG" if kind == "OPUS" else kind, subtype=subtype, **options)
    return file.getvalue()


def resampled(samples: np.ndarray, ratio: float) -> np.ndarray:
    """Play samples faster by a ratio, which also raises the pitch."""
    import soxr

    return soxr.resample(samples, RATE * ratio, RATE).astype(np.float32)
