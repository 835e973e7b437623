"""Write tagged MP3 files, and unusable files as found in real libraries."""

import io
import struct

import numpy as np
import numpy.typing as npt
import scipy.io.wavfile

from genreatlas.audio.mpeg import walk_frames
from genreatlas.sandbox.instruments import RATE
from genreatlas.sandbox.library_plan import Fault

# Constant bit rate, because with a variable one the bit rate alone would identify genres. At 128 kbit/s the encoder
# keeps 44.1 kHz and a bandwidth of 16 kHz.
_KBITS = 128
#: LAME's default quality. libsndfile always uses the best quality, which takes four times as long.
_QUALITY = 5
#: Encoder delay of LAME, and length of a frame, in samples.
_DELAY, _FRAME = 576, 1152
_HEADER = b"\xff\xfb\x90\x64"  # MPEG-1 layer III without checksum, 128 kbit/s, 44.1 kHz, joint stereo
_FRAME_BYTES = 144 * _KBITS * 1000 // RATE
_SIDE_INFORMATION = 32


def encode(sound: npt.NDArray[np.float32], tags: dict[str, str | list[str]]) -> bytes:
    """Return a tagged MP3 of 128 kbit/s.

    The file states its encoder delay, so that decoders that support it (libsndfile's, ffmpeg's) return samples at
    their original times.

    Parameters
    ----------
    sound : (n, 2) float32 at 44.1 kHz; clipped at full scale.
    tags : values by ID3 frame (TIT2, TPE1, TALB, TCON …); a list for several values.

    Raises
    ------
    ModuleNotFoundError : the extra ``sandbox`` is not installed.
    """
    import lameenc  # lameenc and mutagen are in the extra `sandbox`
    import mutagen.id3

    encoder = lameenc.Encoder()
    encoder.set_in_sample_rate(RATE)
    encoder.set_channels(2)
    encoder.set_bit_rate(_KBITS)
    encoder.set_quality(_QUALITY)
    encoder.silence()
    steps = np.rint(np.clip(sound, -1.0, 1.0) * 32767.0).astype("<i2")
    frames = bytes(encoder.encode(steps.tobytes())) + bytes(encoder.flush())
    head = mutagen.id3.ID3()
    for frame, text in tags.items():
        head.add(getattr(mutagen.id3, frame)(encoding=mutagen.id3.Encoding.UTF8, text=text))
    buffer = io.BytesIO(_facts(frames, len(sound)) + frames)
    head.save(buffer)
    return buffer.getvalue()


def _facts(frames: bytes, samples: int) -> bytes:
    """Information frame with the number of frames and the padding in samples at both ends.

    References: Xing's information frame with LAME's extension, "MP3 Info Tag" specification (rev. 1).
    """
    count = walk_frames(frames, 0).frames
    padding = count * _FRAME - _DELAY - samples
    lame = struct.pack(">9sBBfHHBB", b"LAME3.100", 1, 160, 0.0, 0, 0, 0, _KBITS)
    lame += (_DELAY << 12 | padding).to_bytes(3, "big") + struct.pack(">BBHIHH", 0, 0, 0, len(frames), 0, 0)
    body = b"Info" + struct.pack(">III", 3, count, len(frames) + _FRAME_BYTES) + lame
    return (_HEADER + bytes(_SIDE_INFORMATION) + body).ljust(_FRAME_BYTES, b"\0")


def broken_bytes(fault: Fault, tags: dict[str, str | list[str]], seconds: float) -> bytes:
    """Return the bytes of an unusable file.

    Parameters
    ----------
    fault : ``text`` (named .mp3), ``cut`` (an MP3 truncated to half a second), ``empty`` (no bytes),
        ``short`` (0.2 s), ``silence`` (all samples 0) or ``nan`` (a WAV of NaN samples).
    tags : ID3 tags of MP3 files.
    seconds : length of files with sound.
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
        # libsndfile would write the current time into the file.
        scipy.io.wavfile.write(buffer, RATE, _stereo(np.full_like(tone, np.nan)))
        return buffer.getvalue()
    whole = encode(_stereo(tone), tags)
    # 128 kbit/s are 16,000 bytes per second; the tags precede them.
    return whole[: len(whole) - int((seconds - 0.5) * 16000)]


def _stereo(mono: np.ndarray) -> np.ndarray:
    return np.stack((mono, mono), axis=1)
