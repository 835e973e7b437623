"""What is looked at in audio that comes over a network, without decoding it.

A broken transfer is noticed here, while it can be mended by asking again. What only decoding tells (damaged
frames, silence, NaN) is told by extraction, in a process of its own. An MP3 is followed frame by frame, which
takes 0.4 ms for a clip of 480 KB; decoding it takes 40. Other formats tell of themselves in their header.
"""

import hashlib
import io
from dataclasses import asdict
from typing import Any

from genreatlas.audio.identity import sound_sha256
from genreatlas.audio.probe import AudioInfo, Layout, lay_out, probe
from genreatlas.audio.quality import quality_flags
from genreatlas.audio.window import choose_window, reject_short
from genreatlas.config import ClipSection
from genreatlas.errors import ClipError, Reason
from genreatlas.ids import stable_id

#: Seconds that a file may lack of its declared length: sources round it, and encoders put silence around the sound.
_DECLARED_TOLERANCE_S = 1.0


def check_arrival(data: bytes, clip: ClipSection, declared_s: float | None = None) -> dict[str, Any]:
    """Facts of a file and its cut, named as the columns of ``clips``.

    A file that breaks off is noticed where its header promises more, or where its last frame is not whole. One that
    was cut between two frames, and promises nothing, differs from a short file only by what its source declares: it
    is used and flagged ``shorter_than_declared``.

    Parameters
    ----------
    declared_s : how long the source says that the file is, in seconds; None where it says nothing.

    Raises
    ------
    ClipError : it is no audio, breaks off, holds other bytes, is shorter than ``clip.min_seconds``, or in a
        format that is not decoded.
    """
    if not data:
        raise ClipError(Reason.EMPTY_FILE, "The file has no bytes.")
    layout = lay_out(data)
    info = _info(data, layout)
    shorter = declared_s is not None and info.duration_s < declared_s - _DECLARED_TOLERANCE_S
    # what has the declared length was cut behind its sound, as some sources cut their previews
    if "truncated" in layout.flags and (shorter or declared_s is None):
        raise ClipError(Reason.TRUNCATED, _what_is_missing(layout, info, declared_s))
    mpeg = layout.mpeg
    if mpeg is not None and mpeg.foreign:
        share = mpeg.foreign_at / len(data)
        raise ClipError(
            Reason.DECODE_FAILED,
            f"No MPEG frame at byte {mpeg.foreign_at} of {len(data)} ({share:.0%}): other bytes got in. "
            "Fetch the file again.",
        )
    reject_short(clip, info.duration_s)
    start, length = choose_window(clip, info.duration_s)
    flags = layout.flags | ({"shorter_than_declared"} if shorter else set())
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "sound_sha256": sound_sha256(io.BytesIO(data), info.mime),
        "audio_id": stable_id(hashlib.sha256(_sound(data, layout)).hexdigest(), start, length),
        "start_s": start,
        "length_s": length,
        **asdict(info),
        "quality_flags": list(quality_flags(info, None, clip.seconds, flags)),
    }


def _info(data: bytes, layout: Layout) -> AudioInfo:
    mpeg = layout.mpeg
    if mpeg is None:
        return probe(io.BytesIO(data), layout)
    return layout.info(mpeg.codec, mpeg.sample_rate, mpeg.channels, mpeg.samples)


def _sound(data: bytes, layout: Layout) -> memoryview:
    """The bytes that sound: of an MP3 the frames alone, so that tags make no other recording."""
    if layout.mpeg is None:
        return memoryview(data)
    return memoryview(data)[layout.start : layout.mpeg.ranges[-1][1]]


def _what_is_missing(layout: Layout, info: AudioInfo, declared_s: float | None) -> str:
    mpeg = layout.mpeg
    promised = mpeg.promised_s if mpeg is not None else None
    if promised is None:
        promised = max((stream.promised or 0 for stream in layout.streams), default=0) / info.sample_rate or declared_s
    if promised:
        return f"{promised:.2f} s are promised, but the sound ends at {info.duration_s:.2f} s. Fetch the file again."
    return f"The last frame breaks off at {info.duration_s:.2f} s. Fetch the file again."
