"""What is looked at in audio that comes over a network, without decoding it.

A broken transfer is noticed here, while it can be mended by asking again. What only decoding tells (damaged
frames, silence, NaN) is told by extraction, in a process of its own. An MP3 is followed frame by frame, which
takes 0.4 ms for a clip of 480 KB; decoding it takes 40. Other formats tell of themselves in their header.
"""

import hashlib
import io
from dataclasses import asdict
from typing import Any

from genreatlas.audio.magic import HEAD_BYTES, after_id3
from genreatlas.audio.mpeg import walk_frames
from genreatlas.audio.probe import AudioInfo, identify, probe
from genreatlas.audio.quality import quality_flags
from genreatlas.audio.window import choose_window, reject_short
from genreatlas.config import ClipSection
from genreatlas.errors import ClipError, Reason
from genreatlas.ids import stable_id

_MP3 = "audio/mpeg"


def check_arrival(data: bytes, clip: ClipSection) -> dict[str, Any]:
    """Facts of a file and its cut, named as the columns of ``clips``.

    Raises
    ------
    ClipError : it is no audio, breaks off, holds other bytes, is shorter than ``clip.min_seconds``, or in a
        format that is not decoded.
    """
    info, sound = _look(data)
    reject_short(clip, info.duration_s)
    start, length = choose_window(clip, info.duration_s)
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "audio_id": stable_id(hashlib.sha256(sound).hexdigest(), start, length),
        "start_s": start,
        "length_s": length,
        **asdict(info),
        "quality_flags": list(quality_flags(info, None, clip.seconds)),
    }


def _look(data: bytes) -> tuple[AudioInfo, memoryview]:
    """Facts of a file, and the bytes that sound: of an MP3 the frames alone, so that tags make no other recording."""
    if not data:
        raise ClipError(Reason.EMPTY_FILE, "The file has no bytes.")
    head = data[:HEAD_BYTES]
    kind, start = identify(io.BytesIO(data), head)
    if kind.mime != _MP3:
        return probe(io.BytesIO(data)), memoryview(data)
    first = max(start, after_id3(head))
    stream = walk_frames(data, first)
    rate = round((len(data) - first) * 8 / stream.duration_s) if stream.samples else 0
    info = AudioInfo(_MP3, stream.codec, stream.sample_rate, stream.channels, rate, stream.duration_s)
    return info, memoryview(data)[first : first + stream.sound_bytes]
