"""Actual length of FLAC and WAV files with missing or wrong lengths in their headers.

Decoders trust the number of samples in the header. Files written to a pipe lack it, and truncated files state their
original length. The actual length is determined without decoding, from the last frame of a FLAC and the chunks of a
WAV, and the decoder is given a corrected header.

References: FLAC format (RFC 9639); RIFF WAVE; RF64 (EBU Tech 3306).
"""

import re
import struct
from dataclasses import dataclass
from typing import NamedTuple

from genreatlas.audio.pieces import Parts, Pieces, Stream
from genreatlas.errors import ClipError, Reason

_STREAMINFO = 42
#: Number of bytes at the end in which the last frame of a FLAC is searched: first, and if none was found.
_NEAR_END, _FARTHER = 1 << 16, 1 << 21
_FLAC_RATES = (0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000)
_FLAC_BITS = (0, 8, 12, 0, 16, 20, 24, 32)
#: Number of last frames that are checked for completeness.
_TRIED = 5
_FLAC_SYNC = re.compile(rb"\xff[\xf8\xf9]")


class _Flac(NamedTuple):
    """Fields of the STREAMINFO block."""

    block: int
    rate: int
    channels: int
    bits: int
    total: int


class _FlacFrame(NamedTuple):
    """Offset of a frame in the searched bytes, and the numbers of its first and end sample."""

    place: int
    first: int
    end: int


def flac_stream(pieces: Pieces, start: int) -> Stream:
    """The FLAC stream at offset ``start``, with the actual number of samples.

    Raises
    ------
    ClipError : the header states no length and no frame is found.
    """
    whole: Parts = ((start, pieces.size),)
    head = pieces.read(start, _STREAMINFO)
    if len(head) < _STREAMINFO or head[4] & 0x7F or head[5:8] != b"\0\0\x22":
        return Stream(whole)
    facts = int.from_bytes(head[18:26], "big")
    block = int.from_bytes(head[10:12], "big")
    info = _Flac(block, facts >> 44, (facts >> 41 & 7) + 1, (facts >> 36 & 31) + 1, facts & 2**36 - 1)
    for reach in (_NEAR_END, _FARTHER):
        at = max(start + _STREAMINFO, pieces.size - reach)
        tail = pieces.read(at, pieces.size - at)
        frames = _flac_frames(tail, info)
        if info.total and any(frame.end == info.total for frame in frames[-8:]):
            return Stream(whole)
        if frames and (found := _flac_end(tail, frames, info)):
            break
    else:
        if info.total:
            return Stream(whole)
        raise ClipError(Reason.DECODE_FAILED, "The FLAC header states no length, and no frame was found at its end.")
    there, breaks_off = found
    patched = head[:18] + (facts >> 36 << 36 | there).to_bytes(8, "big") + head[26:]
    return Stream(
        (patched, (start + _STREAMINFO, pieces.size)),
        promised=info.total if breaks_off and info.total > there else None,
        breaks_off=breaks_off,
        miscounted=bool(info.total) and not breaks_off,
    )


def _flac_frames(tail: bytes, info: _Flac) -> list[_FlacFrame]:
    found = (_flac_frame(tail, match.start(), info) for match in _FLAC_SYNC.finditer(tail))
    return [frame for frame in found if frame]


def _flac_frame(data: bytes, place: int, info: _Flac) -> _FlacFrame | None:
    head = data[place : place + 16]
    if len(head) < 16 or head[3] & 1 or head[3] >> 4 > 10:
        return None
    block_code, rate_code = head[2] >> 4, head[2] & 15
    channels = (head[3] >> 4) + 1 if head[3] >> 4 < 8 else 2
    bits = _FLAC_BITS[head[3] >> 1 & 7]
    if not block_code or rate_code == 15 or channels != info.channels or (bits and bits != info.bits):
        return None
    if 0 < rate_code < 12 and _FLAC_RATES[rate_code] != info.rate:
        return None
    # the number is encoded like a UTF-8 character, in up to seven bytes
    lead = head[4]
    more = 0 if lead < 0x80 else next((n for n in range(1, 7) if lead >> (6 - n) == (1 << (n + 2)) - 2), -1)
    if more < 0:
        return None
    number = lead if not more else lead & (1 << (6 - more)) - 1
    for byte in head[5 : 5 + more]:
        if byte & 0xC0 != 0x80:
            return None
        number = number << 6 | byte & 0x3F
    at = 5 + more
    if block_code == 1:
        block = 192
    elif block_code < 6:
        block = 576 << (block_code - 2)
    elif block_code < 8:
        width = block_code - 5
        block, at = int.from_bytes(data[place + at : place + at + width], "big") + 1, at + width
    else:
        block = 256 << (block_code - 8)
    at += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if place + at >= len(data) or _crc8(data[place : place + at]) != data[place + at]:
        return None
    first = number if head[1] & 1 else number * info.block
    return _FlacFrame(place, first, first + block)


def _flac_end(tail: bytes, frames: list[_FlacFrame], info: _Flac) -> tuple[int, bool] | None:
    """End sample of the last complete frame, and whether an incomplete frame follows."""
    last = {len(tail), len(tail.rstrip(b"\0")), len(tail) - (128 if tail[-128:-125] == b"TAG" else 0)}
    ends = sorted(last, reverse=True)
    for frame in frames[: -_TRIED - 1 : -1]:
        for end in ends:
            # a frame is never longer than its uncompressed samples
            longest = (frame.end - frame.first) * info.channels * (info.bits + 1) // 8 + 1024
            if 0 < end - frame.place <= longest and _crc16(tail[frame.place : end]) == 0:
                return frame.end, end not in last
        ends.append(frame.place)  # the previous frame ends here, unless this match is accidental
    return None


def _crc_table(polynomial: int, bits: int) -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << (bits - 8)
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> (bits - 1) & 1 else 0)
        table.append(value & (1 << bits) - 1)
    return tuple(table)


_CRC8, _CRC16 = _crc_table(0x07, 8), _crc_table(0x8005, 16)


def _crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value = _CRC8[value ^ byte]
    return value


def _crc16(data: bytes) -> int:
    value = 0
    for byte in data:
        value = (value << 8 & 0xFFFF) ^ _CRC16[value >> 8 ^ byte]
    return value


#: Sizes from this value are placeholders, written by programs that write to a pipe and cannot correct the size later.
_UNKNOWN_SIZE = 0x7FFF0000
_MPEG_IN_WAV = (0x50, 0x55)
#: WAV codecs that libsndfile does not support; for some it reports a malformed header.
_UNDECODED_IN_WAV = {
    0x0092: "AC-3", 0x00FF: "AAC", 0x0160: "WMA", 0x0161: "WMA", 0x0162: "WMA", 0x0163: "WMA", 0x1600: "AAC",
    0x1602: "AAC", 0x2000: "AC-3", 0x2001: "DTS",
}  # fmt: skip


@dataclass(frozen=True)
class Wave:
    """A parsed WAV.

    Parameters
    ----------
    tag : format number.
    stream : the parts of the file to decode.
    start, end : offsets of the sound data."""

    tag: int
    stream: Stream
    start: int
    end: int

    @property
    def is_mpeg(self) -> bool:
        """Whether the WAV contains MPEG frames."""
        return self.tag in _MPEG_IN_WAV

    @property
    def undecoded(self) -> str | None:
        """Name of the codec if libsndfile does not support it, else None."""
        return _UNDECODED_IN_WAV.get(self.tag)


def wave_stream(pieces: Pieces, start: int) -> Wave | None:
    """The WAV at offset ``start``, with the actual size of its sound data; None without a data chunk."""
    head = pieces.read(start, 12)
    order = ">" if head[:4] == b"RIFX" else "<"
    position, tag, wide, sizes = start + 12, 0, None, 0
    for _ in range(1000):
        chunk = pieces.read(position, 8)
        if len(chunk) < 8:
            return None
        size = struct.unpack(f"{order}I", chunk[4:])[0]
        if chunk[:4] == b"fmt " and size >= 16:
            fmt = pieces.read(position + 8, 40)
            tag = struct.unpack_from(f"{order}H", fmt)[0]
            if tag == 0xFFFE and len(fmt) >= 26:
                tag = struct.unpack_from(f"{order}H", fmt, 24)[0]
        elif chunk[:4] == b"ds64":
            sizes = position + 16
            wide = struct.unpack("<Q", pieces.read(sizes, 8).ljust(8, b"\0"))[0]
        elif chunk[:4] == b"data":
            break
        position += 8 + size + (size & 1)
    else:
        return None
    begin = position + 8
    left = pieces.size - begin
    if size == 0xFFFFFFFF and wide is not None:
        size = wide
    stream = Stream(((start, pieces.size),))
    if size == 0 and left > 0 and sizes:
        front = pieces.read(start, sizes - start) + struct.pack("<Q", left)
        stream, size = Stream((front, (sizes + 8, pieces.size))), left
    elif size == 0 and left > 0:
        stated = struct.pack(f"{order}I", min(left, 0xFFFFFFFF))
        stream = Stream((pieces.read(start, begin - 4 - start), stated, (begin, pieces.size)))
        size = left
    elif left < size and (size < _UNKNOWN_SIZE or wide is not None):
        stream = Stream(stream.parts, breaks_off=True)
    if head[:4] == b"BW64":
        stream = Stream((b"RF64", (start + 4, pieces.size)), breaks_off=stream.breaks_off)
    return Wave(tag, stream, begin, min(begin + size, pieces.size))
