"""Writing tagged MP3."""

import io

import mutagen.id3
import numpy as np
import numpy.typing as npt
import soundfile

from genreatlas.sandbox.instruments import RATE

# Constant bit rate: with a variable one the bit rate alone would tell genres apart. This level makes
# 128 kbit/s, at which the encoder keeps 44.1 kHz and the decoded samples begin and end where ours do.
_LEVEL = 0.65


def encode(sound: npt.NDArray[np.float32], tags: dict[str, str | list[str]]) -> bytes:
    """Return a tagged MP3 of 128 kbit/s.

    The file carries its encoder delay, so a decoder that honours it (libsndfile's, ffmpeg's) gives
    back samples at their own times.

    Parameters
    ----------
    sound : (n, 2) float32 at 44.1 kHz.
    tags : by ID3 frame (TIT2, TPE1, TALB, TCON …); a list gives several values.
    """
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", RATE, 2, "MPEG_LAYER_III", format="MP3", bitrate_mode="CONSTANT", compression_level=_LEVEL
    ) as file:
        file.write(sound)
    head = mutagen.id3.ID3()
    for frame, text in tags.items():
        head.add(getattr(mutagen.id3, frame)(encoding=mutagen.id3.Encoding.UTF8, text=text))
    buffer.seek(0)
    head.save(buffer)
    return buffer.getvalue()
