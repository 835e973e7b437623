"""MPEG audio without decoding it: every frame header from the first to the last, and what the encoder promised.

Headers as in ISO/IEC 11172-3, 2.4.1.3, and 13818-3 (lower rates); MPEG-2.5 as LAME writes it. The frame of
facts that encoders put in front, Xing's or VBRI's, says how many frames there should be, and LAME's part of
it how many samples its filters put around the sound.
"""

import struct
from dataclasses import dataclass

from genreatlas.audio.magic import BIT_RATES, RATES, frame_length
from genreatlas.errors import ClipError, Reason

#: Sync word, generation, layer, sampling frequency: what all frames of a stream share. The bit rate, padding,
#: and how stereo is coded may change from frame to frame.
_SHARED = 0xFFFE0C00
#: The fields that say how long a frame is.
_LENGTH = 0xFFFEFE00
_MONO = 3
#: Frames that a stream may lack of those that were promised: encoders disagree by one about their own frame.
_MISSING = 2
#: Samples that a decoder itself delays the sound by (ISO/IEC 11172-3 layer III, as LAME and mpg123 count them).
_DECODER_DELAY = 529
#: What may follow the last frame: ID3v1, APEv2, Lyrics3, ID3v2.4 at the end, and padding.
_TRAILERS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3", b"3DI")


@dataclass(frozen=True)
class MpegStream:
    """A whole stream.

    Parameters
    ----------
    frames : frames of sound, without the one of facts in front.
    samples : samples of sound per channel, without what LAME says that its filters added.
    sound_bytes : bytes of all frames.
    """

    codec: str
    sample_rate: int
    channels: int
    frames: int
    samples: int
    sound_bytes: int

    @property
    def duration_s(self) -> float:
        """Length, in seconds."""
        return self.samples / self.sample_rate


@dataclass(frozen=True)
class _Facts:
    """The frame of facts: how many frames follow, and how many samples at the ends are no sound."""

    frames: int | None
    added: int


def walk_frames(data: bytes, start: int) -> MpegStream:
    """Follow the frames of a file from the first one, at ``start``, to the end of the file.

    Raises
    ------
    ClipError : ``truncated`` where fewer frames are there than promised, ``decode_failed`` where something
        else stands between or behind them.
    """
    first = _word(data, start)
    generation, layer, rate = _kind(first)
    lengths = _frame_lengths(first)
    position, end, frames = start, len(data), 0
    while position + 4 <= end:
        length = lengths.get(_word(data, position) & _LENGTH)
        if length is None or position + length > end:
            break
        position += length
        frames += 1
    facts = _facts(data, start, first)
    promised = facts.frames if facts else None
    sound = max(frames - (facts is not None), 0)
    per_frame = {1: 384, 2: 1152, 3: 1152 if generation == 1 else 576}[layer]
    _refuse_foreign(data, position, lengths)
    if promised is not None and sound < promised - _MISSING:
        there, whole = sound * per_frame / rate, promised * per_frame / rate
        detail = f"The header promises {whole:.2f} s, but the frames end at {there:.2f} s. Fetch the file again."
        raise ClipError(Reason.TRUNCATED, detail)
    samples = sound * per_frame - (min(facts.added, sound * per_frame) if facts else 0)
    channels = 1 if first >> 6 & 3 == _MONO else 2
    return MpegStream(f"MPEG_LAYER_{'I' * layer}", rate, channels, sound, samples, position - start)


def _word(data: bytes, position: int) -> int:
    return int(struct.unpack_from(">I", data, position)[0])


def _kind(word: int) -> tuple[int, int, int]:
    """Generation (1, or 2 for MPEG-2 and 2.5), layer, and sampling frequency."""
    version = word >> 19 & 3
    return 1 if version == 3 else 2, 4 - (word >> 17 & 3), RATES[version][word >> 10 & 3]


def _frame_lengths(first: int) -> dict[int, int]:
    """Length of a frame by its header's :data:`_LENGTH` fields, for all headers that may follow ``first``."""
    generation, layer, _ = _kind(first)
    rates = range(1, len(BIT_RATES[generation, layer]))
    words = [first & _SHARED | index << 12 | padding << 9 for index in rates for padding in (0, 1)]
    return {word: frame_length(word.to_bytes(4, "big"), 0) for word in words}


def _facts(data: bytes, start: int, first: int) -> _Facts | None:
    """Read Xing's (Info) or Fraunhofer's (VBRI) frame, where the first frame is one."""
    generation, _, _ = _kind(first)
    mono = first >> 6 & 3 == _MONO
    side = {(1, False): 32, (1, True): 17, (2, False): 17, (2, True): 9}[generation, mono]
    if data[start + 36 : start + 40] == b"VBRI" and len(data) >= start + 54:
        return _Facts(_word(data, start + 50), 0)
    place = start + 4 + side
    if data[place : place + 4] not in (b"Xing", b"Info") or len(data) < place + 8:
        return None
    flags, place = _word(data, place + 4), place + 8
    frames = _word(data, place) if flags & 1 and len(data) >= place + 4 else None
    place += 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
    lame = data[place : place + 24]
    added = 0
    if len(lame) == 24 and lame[:4] in (b"LAME", b"Lavf", b"Lavc"):
        added = (lame[21] << 4 | lame[22] >> 4) + ((lame[22] & 15) << 8 | lame[23])
    return _Facts(frames, added)


def _refuse_foreign(data: bytes, position: int, lengths: dict[int, int]) -> None:
    """Refuse bytes behind the last frame that are neither a tag, nor padding, nor a frame that is cut off."""
    rest = data[position:]
    if not rest.strip(b"\0") or rest.lstrip(b"\0").startswith(_TRAILERS):
        return
    if len(rest) < 4 or (_word(data, position) & _LENGTH) in lengths:
        return  # a frame that breaks off
    share = position / len(data)
    detail = f"No MPEG frame at byte {position} of {len(data)} ({share:.0%}): other bytes got in. Fetch the file again."
    raise ClipError(Reason.DECODE_FAILED, detail)
