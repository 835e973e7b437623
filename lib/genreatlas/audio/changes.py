"""Modifications of a clip that should not change its genre: gain, MP3 at a low bit rate, small changes of speed.

A modified clip is encoded as a file again, so that it passes through the same decoder, downmix and extraction as other
clips. All channels are kept: stereo at 64 kbit/s is degraded more than its mono mix at 64 kbit/s.
"""

import inspect
import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreatlas.audio.decode import downmix
from genreatlas.audio.preprocess import MAX_GAIN_DB, measure
from genreatlas.audio.probe import Source, open_sound
from genreatlas.errors import ClipError, Reason

Frames = NDArray[np.float32]

#: Target loudness of the change ``normalised``: EBU R 128.
TARGET_LUFS = -23.0
GAIN_DB = 6.0
SPEED = 0.05
MP3_KBITS = 64
#: (lowest sample rate, bit rate in kbit/s at libsndfile's compression level 0, bit rate at level 1).
_KBITS = ((32_000, 320, 32), (16_000, 160, 8), (0, 64, 8))
#: Sample rates of MPEG audio; signals of other rates are resampled to 44.1 kHz, as encoders do.
_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
#: Frames before the cut that are decoded and dropped, because MP3 frames depend on earlier ones.
_PREROLL = 16_384


@dataclass(frozen=True)
class Change:
    """One modification of a clip.

    Attributes
    ----------
    words : description that completes "after ...".
    version : increase it whenever the modification changes.
    apply : function (frames (n, channels), sample rate) -> content of the modified file.
    """

    words: str
    version: str
    apply: Callable[[Frames, int], bytes]


def change_clip(
    source: Source, start_s: float, length_s: float, name: str, max_mb: int | None = None
) -> tuple[io.BytesIO, float]:
    """Decode a cut with all its channels and modify it.

    Parameters
    ----------
    source : path or open binary file.
    start_s, length_s : the cut, in seconds.
    name : a key of :data:`CHANGES`.
    max_mb : largest cut, in 2**20 bytes of float32 samples over all channels.

    Returns
    -------
    The modified file, and its length in seconds.

    Raises
    ------
    ClipError : the cut cannot be decoded, or no MP3 encoder is installed.
    """
    frames, rate = read_channels(source, start_s, length_s, max_mb)
    content = io.BytesIO(CHANGES[name].apply(frames, rate))
    with open_sound(content) as (sound, info):
        seconds = sound.frames / info.sample_rate
    content.seek(0)
    return content, seconds


def read_channels(source: Source, start_s: float, length_s: float, max_mb: int | None = None) -> tuple[Frames, int]:
    """Decode a cut to (n, channels) float32 and its sample rate; see :func:`genreatlas.audio.decode.read_clip`."""
    with open_sound(source) as (sound, info):
        start = round(start_s * info.sample_rate)
        wanted = min(round(length_s * info.sample_rate), sound.frames - start)
        if wanted <= 0:
            raise ClipError(Reason.TOO_SHORT, f"The file ends at {info.duration_s:.2f} s, before the cut.")
        if max_mb is not None and wanted * info.channels * 4 > max_mb * 2**20:
            raise ClipError(Reason.TOO_LARGE, f"The cut is larger than limits.max_clip_mb = {max_mb}.")
        before = min(start, _PREROLL)
        if start:
            sound.seek(start - before)
        frames = sound.read(before + wanted)[before:]
    if not np.isfinite(frames).all():
        raise ClipError(Reason.NOT_FINITE, "NaN or infinite samples.")
    return frames, info.sample_rate


def can_encode_mp3() -> bool:
    """Whether the installed soundfile writes MP3 at a given bit rate (0.13 with libsndfile 1.1, or newer)."""
    import soundfile

    knows = "compression_level" in inspect.signature(soundfile.SoundFile.__init__).parameters
    return knows and "MP3" in soundfile.available_formats()


def _gain(decibel: float) -> Callable[[Frames, int], bytes]:
    def apply(frames: Frames, rate: int) -> bytes:
        return _wave(_scaled(frames, decibel), rate)

    return apply


def _speed(factor: float) -> Callable[[Frames, int], bytes]:
    """Change the playback speed; pitch and tempo change together."""

    def apply(frames: Frames, rate: int) -> bytes:
        import soxr

        return _wave(np.asarray(soxr.resample(frames, rate * factor, rate, quality="HQ"), dtype=np.float32), rate)

    return apply


def _normalised(frames: Frames, rate: int) -> bytes:
    """Normalise the mono mix to :data:`TARGET_LUFS`; clips of undefined loudness are unchanged."""
    lufs = measure(downmix(frames), rate).lufs
    gain = 0.0 if lufs is None else float(np.clip(TARGET_LUFS - lufs, -MAX_GAIN_DB, MAX_GAIN_DB))
    return _wave(_scaled(frames, gain), rate)


def _mp3(frames: Frames, rate: int) -> bytes:
    """Encode as MP3 at a constant bit rate. More than two channels are mixed to one; samples are clipped."""
    import soundfile

    if not can_encode_mp3():
        detail = "MP3 is encoded by soundfile 0.13 or newer with libsndfile 1.1: pip install -U soundfile"
        raise ClipError(Reason.ENVIRONMENT_FAULT, detail)
    if frames.shape[1] > 2:
        frames = downmix(frames)[:, None]
    if rate not in _MP3_RATES:
        import soxr

        frames, rate = np.asarray(soxr.resample(frames, rate, 44_100, quality="HQ"), dtype=np.float32), 44_100
    highest, lowest = next((most, least) for bound, most, least in _KBITS if rate >= bound)
    level = (highest - MP3_KBITS) / (highest - lowest)
    content = io.BytesIO()
    channels = frames.shape[1]
    with soundfile.SoundFile(
        content, "w", rate, channels, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode="CONSTANT",
        compression_level=level,
    ) as file:  # fmt: skip
        file.write(np.clip(frames, -1.0, 1.0))
    return content.getvalue()


def _scaled(frames: Frames, decibel: float) -> Frames:
    return (frames.astype(np.float64) * 10.0 ** (decibel / 20.0)).astype(np.float32)


def _wave(frames: Frames, rate: int) -> bytes:
    """Encode as WAV of float samples, which a gain cannot clip."""
    import soundfile

    content = io.BytesIO()
    soundfile.write(content, frames, rate, format="WAV", subtype="FLOAT")
    return content.getvalue()


#: Modifications by name. ``[probe] changes`` lists the names to test.
CHANGES = {
    "normalised": Change(f"bringing every clip to {TARGET_LUFS:g} LUFS", "1", _normalised),
    "mp3_64": Change(f"encoding as MP3 at {MP3_KBITS} kbit/s", "1", _mp3),
    "gain_up": Change(f"a gain of {GAIN_DB:g} dB", "1", _gain(GAIN_DB)),
    "gain_down": Change(f"a gain of -{GAIN_DB:g} dB", "1", _gain(-GAIN_DB)),
    "speed_up": Change(f"playing {100 * SPEED:g} % faster", "1", _speed(1.0 + SPEED)),
    "speed_down": Change(f"playing {100 * SPEED:g} % slower", "1", _speed(1.0 - SPEED)),
}
