"""Files that nobody can use, as they turn up in real libraries."""

import io

import numpy as np
import scipy.io.wavfile

from genreatlas.sandbox.instruments import RATE
from genreatlas.sandbox.mp3 import encode
from genreatlas.sandbox.plan import Fault


def broken_bytes(fault: Fault, tags: dict[str, str | list[str]], seconds: float) -> bytes:
    """Return the bytes of an unusable file.

    Parameters
    ----------
    fault : ``text`` (named .mp3), ``cut`` (an MP3 of which half a second is left), ``empty`` (no bytes),
        ``short`` (0.2 s), ``silence`` (all samples 0) or ``nan`` (a WAV of undefined samples).
    tags : ID3 tags of those that are MP3.
    seconds : length of those that have one.
    """
    time = np.arange(round(seconds * RATE)) / RATE
    tone = (0.3 * np.sin(2 * np.pi * 220.0 * time)).astype(np.float32)
    if fault == "text":
        return b"All tracks recorded live in the kitchen. Thanks to everybody who brought cake.\n" * 40
    if fault == "empty":
        return b""
    if fault == "short":
        return encode(_stereo(tone[: RATE // 5]), tags)
    if fault == "silence":
        return encode(_stereo(np.zeros_like(tone)), tags)
    if fault == "nan":
        buffer = io.BytesIO()
        # libsndfile would write the time of day into the file.
        scipy.io.wavfile.write(buffer, RATE, _stereo(np.full_like(tone, np.nan)))
        return buffer.getvalue()
    whole = encode(_stereo(tone), tags)
    # 128 kbit/s are 16,000 bytes a second; the tags lie before them.
    return whole[: len(whole) - int((seconds - 0.5) * 16000)]


def _stereo(mono: np.ndarray) -> np.ndarray:
    return np.stack((mono, mono), axis=1)
