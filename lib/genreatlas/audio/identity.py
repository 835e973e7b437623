"""Hash of a file's sound, independent of tags, cover images and containers.

Nothing is decoded. The hash covers the frames of an MP3 without its information frame (Xing, Info, VBRI), the audio
packets of an Ogg file, and the samples of PCM in any container: FLAC stores the MD5 of its samples, and the same MD5 is
computed for WAV, AIFF and AU, so that a recording has the same hash in FLAC and WAV. Files are read in blocks.

Layouts: ISO/IEC 11172-3 2.4.1 (MPEG audio), ID3v2.4 and APEv2 and Lyrics3 (tags), RFC 9639 (FLAC), RFC 3533 (Ogg),
RFC 5334 and 7845 (headers in Ogg), Microsoft's RIFF and EBU Tech 3306 (RF64), Apple's AIFF-C, Sun's AU.
"""

import hashlib
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from genreatlas.audio.magic import HEAD_BYTES, after_id3, first_mpeg_frame
from genreatlas.audio.mpeg import MpegStream, walk_frames
from genreatlas.audio.pieces import Pieces
from genreatlas.audio.probe import identify
from genreatlas.errors import ClipError

_BLOCK = 1 << 20
#: Sample sizes in bits for which FLAC's MD5 can be computed from a PCM file.
_WHOLE_BYTES = (8, 16, 24, 32)


@dataclass(frozen=True)
class _Pcm:
    """Format of samples.

    Parameters
    ----------
    rate, channels, bits : sample rate in Hz, number of channels, bits per sample.
    big : big-endian.
    unsigned : samples of 8 bits are unsigned.
    codec : name of the codec; empty for integer PCM."""

    rate: int
    channels: int
    bits: int
    big: bool = False
    unsigned: bool = False
    codec: str = ""


def sound_sha256(file: BinaryIO, mime: str, mpeg: MpegStream | None = None) -> str:
    """Hash the sound of an open file.

    Parameters
    ----------
    file : seekable; its position changes.
    mime : media type by content, as in :class:`genreatlas.audio.probe.AudioInfo`.
    mpeg : frames of an MP3, if the whole file was parsed already.

    Returns
    -------
    64 hexadecimal digits, equal for copies of a recording with other tags. If the format cannot be parsed, the hash of
    all bytes without leading and trailing tags, so that equal files always have equal hashes.
    """
    size = file.seek(0, os.SEEK_END)
    start, found = 0, None
    try:
        if mpeg is not None and mime == "audio/mpeg" and _is_whole(file, mpeg, size):
            return _of_frames(file, mpeg.ranges)
        start = identify(Pieces(file))[1]
        if reader := _READERS.get(mime):
            found = reader(file, start, size)
    except (ClipError, struct.error, ValueError, IndexError, KeyError):  # broken headers
        found = None
    if found is None:
        found = _bytes_of(file, start, _before_tags(file, start, size))
    return found


def _before_tags(file: BinaryIO, start: int, end: int) -> int:
    """End offset of the sound: before trailing ID3v1, APEv2, Lyrics3 and ID3v2.4 tags in any order."""
    while end > start:
        file.seek(max(start, end - 5120))
        tail = file.read(end - max(start, end - 5120))
        size = _tag_at_end(tail)
        if not size or size > end - start:
            break
        end -= size
    return end


def _tag_at_end(tail: bytes) -> int:
    """Length of the tag at the end of the bytes; 0 without a tag."""
    if tail[-128:-125] == b"TAG":
        return 128 + (227 if tail[-355:-351] == b"TAG+" else 0)
    if tail[-32:-24] == b"APETAGEX":
        length, flags = struct.unpack("<I4xI", tail[-20:-8])
        return int(length) + (32 if flags >> 31 else 0)
    if tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
        return int(tail[-15:-9]) + 15
    if tail[-9:] == b"LYRICSEND" and (begin := tail.rfind(b"LYRICSBEGIN")) >= 0:
        return len(tail) - begin
    if tail[-10:-7] == b"3DI":
        return after_id3(b"ID3" + tail[-7:]) + 10 - (10 if tail[-5] & 0x10 else 0)
    return 0


def _bytes_of(file: BinaryIO, start: int, end: int) -> str:
    digest = hashlib.sha256(b"bytes\n")
    for block in _blocks(file, start, end):
        digest.update(block)
    return digest.hexdigest()


def _blocks(file: BinaryIO, start: int, end: int, size: int = _BLOCK) -> Iterator[bytes]:
    file.seek(start)
    left = end - start
    while left > 0 and (block := file.read(min(size, left))):
        left -= len(block)
        yield block


def _mpeg(file: BinaryIO, start: int, end: int) -> str | None:
    """Hash all complete audio frames, without tags, information frames and other bytes between frames."""
    first = first_mpeg_frame(Pieces(file, end).read(start, HEAD_BYTES)) or 0  # a truncated file has few frames
    end = _before_tags(file, start, end)  # otherwise an incomplete last frame would include bytes of a tag
    return _of_frames(file, walk_frames(file, start + first, end).ranges)


def _of_frames(file: BinaryIO, ranges: Iterable[tuple[int, int]]) -> str:
    digest = hashlib.sha256(b"mpeg\n")
    for begin, stop in ranges:
        for block in _blocks(file, begin, stop):
            digest.update(block)
    return digest.hexdigest()


def _is_whole(file: BinaryIO, mpeg: MpegStream, size: int) -> bool:
    """Whether parsing up to the trailing tags would find the same frames as parsing the whole file."""
    whole = mpeg.foreign == 0 and not mpeg.cut_short and len(mpeg.ranges) == mpeg.parts == 1
    return whole and mpeg.ranges[0][1] <= _before_tags(file, mpeg.ranges[0][0], size)


def _flac(file: BinaryIO, start: int, end: int) -> str | None:
    """Hash the MD5 of the samples if the encoder stored it, else the frames after the metadata."""
    file.seek(start)
    if file.read(4) != b"fLaC":
        return None
    place, facts, is_last = start + 4, b"", False
    while not is_last:
        file.seek(place)
        head = file.read(4)
        is_last = bool(head[0] & 0x80)
        length = int.from_bytes(head[1:4], "big")
        if head[0] & 0x7F == 0:
            facts = file.read(length)
        place += 4 + length
    if found := _stream_info(facts):
        return found
    digest = hashlib.sha256(b"flac\n")
    for block in _blocks(file, place, _before_tags(file, place, end)):
        digest.update(block)
    return digest.hexdigest()


def _stream_info(facts: bytes) -> str | None:
    """Hash from FLAC's STREAMINFO; None if it has no MD5, as from encoders that write to a pipe."""
    if len(facts) < 34 or not any(facts[18:34]):
        return None
    packed = int.from_bytes(facts[10:18], "big")
    return _of_samples(packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1, facts[18:34])


def _of_samples(rate: int, channels: int, bits: int, md5: bytes) -> str:
    return hashlib.sha256(f"pcm {rate} {channels} {bits}\n".encode() + md5).hexdigest()


def _pcm(file: BinaryIO, start: int, end: int, form: _Pcm) -> str | None:
    """Hash samples like FLAC's MD5: signed, little-endian. Other codecs: little-endian without conversion."""
    width = form.bits // 8
    if form.codec:
        digest = hashlib.sha256(f"{form.codec} {form.rate} {form.channels} {form.bits}\n".encode())
        for block in _blocks(file, start, end):
            digest.update(_swapped(block, width) if form.big and width > 1 else block)
        return digest.hexdigest()
    if form.bits not in _WHOLE_BYTES or form.channels < 1:
        return None
    md5 = hashlib.md5(usedforsecurity=False)
    signed = bytes((value + 128) % 256 for value in range(256))
    whole = (end - start) // (width * form.channels) * (width * form.channels)
    for block in _blocks(file, start, start + whole, 3 * _BLOCK):  # a multiple of 3, for whole samples of 24 bits
        if form.unsigned and width == 1:
            block = block.translate(signed)
        elif form.big and width > 1:
            block = _swapped(block, width)
        md5.update(block)
    return _of_samples(form.rate, form.channels, form.bits, md5.digest())


def _swapped(block: bytes, width: int) -> bytes:
    whole = len(block) // width * width
    return np.frombuffer(block[:whole], np.uint8).reshape(-1, width)[:, ::-1].tobytes() + block[whole:]


def _chunks(file: BinaryIO, place: int, end: int, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Chunks of RIFF and AIFF: name, offset of the content, stated length."""
    while place + 8 <= end:
        file.seek(place)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        yield name, place + 8, length
        place += 8 + length + (length & 1)


def _wav(file: BinaryIO, start: int, end: int) -> str | None:
    file.seek(start)
    magic = file.read(12)
    if magic[8:] != b"WAVE":
        return None
    order = ">" if magic[:4] == b"RIFX" else "<"
    form, tag, long_size = None, 0, 0
    for name, place, length in _chunks(file, start + 12, end, order):
        if name == b"ds64":  # RF64: the true length of chunks above 4 GB
            file.seek(place + 8)
            long_size = int(struct.unpack("<Q", file.read(8))[0])
        elif name == b"fmt ":
            file.seek(place)
            data = file.read(min(length, 40))
            tag, channels, rate, _, align, bits = struct.unpack(f"{order}HHIIHH", data[:16])
            if tag == 0xFFFE and len(data) >= 26:
                tag = int(struct.unpack(f"{order}H", data[24:26])[0])
            in_bytes = 8 * align // channels if channels else 0
            codec = "" if tag == 1 and bits == in_bytes else "float" if tag == 3 else f"wave {tag} {bits}"
            form = _Pcm(rate, channels, in_bytes, order == ">", bits <= 8, codec)
        elif name == b"data" and form is not None:
            if length == 0xFFFFFFFF or (length == 0 and place < end):  # written to a pipe, or RF64
                length = long_size or end - place
            until = min(place + length, end)
            if tag == 0x55:  # MPEG frames in a WAV
                return _mpeg(file, place, until)
            return _pcm(file, place, until, form)
    return None


def _aiff(file: BinaryIO, start: int, end: int) -> str | None:
    file.seek(start)
    magic = file.read(12)
    form = None
    sound: tuple[int, int] | None = None
    for name, place, length in _chunks(file, start + 12, end, ">"):
        if name == b"COMM":
            file.seek(place)
            data = file.read(min(length, 22))
            channels, _, bits = struct.unpack(">hIh", data[:8])
            kind = data[18:22].lower() if magic[8:] == b"AIFC" else b"none"
            plain = kind in (b"none", b"twos", b"sowt", b"in24", b"in32")
            codec = "" if plain else "float" if kind in (b"fl32", b"fl64") else kind.decode("latin-1")
            form = _Pcm(_extended(data[8:18]), channels, bits, kind != b"sowt", False, codec)
        elif name == b"SSND":
            file.seek(place)
            offset = int(struct.unpack(">I4x", file.read(8))[0])
            sound = place + 8 + offset, min(place + length, end)
        if form is not None and sound is not None:
            return _pcm(file, *sound, form)
    return None


def _extended(data: bytes) -> int:
    """Integer from an 80-bit floating point number, AIFF's format of the sample rate."""
    exponent, mantissa = struct.unpack(">HQ", data)
    shift = 63 + 16383 - (exponent & 0x7FFF)
    return int(mantissa >> shift) if 0 <= shift < 64 else 0


def _au(file: BinaryIO, start: int, end: int) -> str | None:
    file.seek(start)
    _, offset, length, encoding, rate, channels = struct.unpack(">4sIIIII", file.read(24))
    place = start + offset
    until = end if length == 0xFFFFFFFF else min(place + length, end)
    bits = {2: 8, 3: 16, 4: 24, 5: 32, 6: 32, 7: 64}.get(encoding, 8)
    codec = "" if encoding in (2, 3, 4, 5) else "float" if encoding in (6, 7) else f"au {encoding}"
    return _pcm(file, place, until, _Pcm(rate, channels, bits, True, False, codec))


class _OggStream:
    """One logical stream: skips its headers and hashes its audio packets, independent of page boundaries."""

    def __init__(self) -> None:
        self.digest: Any = None
        self.samples: str | None = None
        self._headers_left = -1  # -1 before the first packet
        self._packet = b""

    def page(self, lacing: bytes, body: bytes) -> None:
        """Process one page."""
        place = 0
        for size in lacing if self._headers_left else b"":
            self._packet += body[place : place + size]
            place += size
            if size < 255:
                self._header(self._packet)
                self._packet = b""
                if not self._headers_left:
                    break
        if not self._headers_left and self.digest is not None:
            self.digest.update(body[place:])

    def _header(self, packet: bytes) -> None:
        if self._headers_left < 0:
            for magic, codec, headers in _OGG_CODECS:
                if packet.startswith(magic):
                    self.digest, self._headers_left = hashlib.sha256(b"ogg " + codec + b"\n"), headers
            if packet.startswith(b"\x7fFLAC"):
                self.samples = _stream_info(packet[17:51])
                self.digest, self._headers_left = hashlib.sha256(b"flac\n"), 1 << 16
            if self.digest is None:  # a video or skeleton stream
                self._headers_left = 0
        elif self._headers_left > 1 << 15:  # a flag in FLAC's metadata blocks marks the last one
            self._headers_left = 0 if not packet or packet[0] & 0x80 else self._headers_left
        else:
            self._headers_left -= 1


#: First bytes of a stream's first packet, codec, and number of header packets after it.
_OGG_CODECS = ((b"\x01vorbis", b"vorbis", 2), (b"OpusHead", b"opus", 1), (b"Speex   ", b"speex", 1))


def _ogg(file: BinaryIO, start: int, end: int) -> str | None:
    """Hash the packets of every audio stream, in the order in which streams begin."""
    streams: list[_OggStream] = []
    current: dict[int, _OggStream] = {}
    place = start
    while place + 27 <= end:
        file.seek(place)
        head = file.read(27)
        if head[:4] != b"OggS":
            file.seek(place + 1)
            skipped = file.read(_BLOCK).find(b"OggS")
            place += 1 + skipped if skipped >= 0 else _BLOCK - 3
            continue
        flags, serial, count = head[5], int.from_bytes(head[14:18], "little"), head[26]
        lacing = file.read(count)
        body = file.read(sum(lacing))
        if flags & 2 or serial not in current:
            current[serial] = _OggStream()
            streams.append(current[serial])
        current[serial].page(lacing, body)
        place += 27 + count + sum(lacing)
    heard = [stream for stream in streams if stream.digest is not None]
    found = [stream.samples or stream.digest.hexdigest() for stream in heard]
    if len(found) < 2:
        return found[0] if found else None
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


_READERS: dict[str, Callable[[BinaryIO, int, int], str | None]] = {
    "audio/mpeg": _mpeg,
    "audio/flac": _flac,
    "audio/ogg": _ogg,
    "audio/wav": _wav,
    "audio/aiff": _aiff,
    "audio/basic": _au,
}
