"""Detect audio formats by their first bytes."""

import functools
import re
from dataclasses import dataclass

from genreatlas.errors import Reason

#: Number of bytes examined. Sufficient for padding and an incomplete frame before the first complete MPEG frame.
HEAD_BYTES = 64 * 1024
#: Number of consecutive frame headers, at the distances given by the headers, required to detect MPEG audio. One header
#: starts with only 11 set bits, which text or images can contain by chance.
_FRAMES_IN_A_ROW = 4

_MP4_DETAIL = "MP4 audio (AAC or ALAC) is not decoded here. Convert it, such as: ffmpeg -i FILE.m4a FILE.flac"
_ADTS_DETAIL = "AAC is not decoded here. Convert it, such as: ffmpeg -i FILE.aac FILE.flac"


#: Brands of MP4 files with sound. HEIC and AVIF images have the same structure with other brands.
_SOUND_BRANDS = (b"m4a", b"m4b", b"m4p", b"m4v", b"mp4", b"iso", b"dash", b"qt", b"3g", b"f4", b"ndx", b"aax", b"mmp4")


@dataclass(frozen=True)
class Kind:
    """A file format; ``reason`` is set if it cannot be decoded."""

    name: str
    mime: str
    reason: Reason | None = None
    detail: str = ""
    least_bytes: int = 2048  #: a smaller file that cannot be opened counts as truncated


def _undecoded(name: str, mime: str) -> Kind:
    detail = f"{name} is not decoded here. Convert it to FLAC, WAV, OGG or MP3."
    return Kind(name, mime, Reason.UNSUPPORTED_FORMAT, detail)


_START = {
    b"fLaC": Kind("FLAC", "audio/flac"),
    b"OggS": Kind("OGG", "audio/ogg"),
    b".snd": Kind("AU", "audio/basic"),
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": _undecoded("Windows Media", "audio/x-ms-wma"),
    b"\x1a\x45\xdf\xa3": _undecoded("Matroska or WebM", "audio/webm"),
    b"MAC ": _undecoded("Monkey's Audio", "audio/x-ape"),
    b"wvpk": _undecoded("WavPack", "audio/x-wavpack"),
    b"MPCK": _undecoded("Musepack", "audio/x-musepack"),
    b"MP+": _undecoded("Musepack", "audio/x-musepack"),
    b"DSD ": _undecoded("DSD", "audio/x-dsf"),
    b"FRM8": _undecoded("DSD", "audio/x-dff"),
    b"caff": Kind("CAF", "audio/x-caf"),
    b"dns.": Kind("AU", "audio/basic"),
    b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1": Kind("W64", "audio/x-w64"),
    b"Creative Voice File\x1a": Kind("VOC", "audio/x-voc"),
    b"NIST_1A\n": Kind("NIST SPHERE", "audio/x-nist"),
    b"MThd": _undecoded("MIDI", "audio/midi"),
    b".RMF": _undecoded("RealAudio", "audio/vnd.rn-realaudio"),
    b"#!AMR": _undecoded("AMR", "audio/amr"),
    b"ADIF": Kind("AAC", "audio/aac", Reason.NEEDS_AAC_DECODER, _ADTS_DETAIL),
}

#: MPEG-1 layer III, II, I and MPEG-2/2.5: bit rates in kbit/s by index.
BIT_RATES = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


#: Header bits shared by all frames of a stream: sync word, MPEG version, layer, sampling frequency.
_SHARED = 0xFFFE0C00
#: The shared bits, and the fields for the length of a frame and the channel mode.
FRAME_KEY = 0xFFFEFEC0
_SYNC = re.compile(rb"\xff[\xe2-\xff]")
#: Range of lengths of free-format frames in bytes: up to 640 kbit/s, more than mpg123 supports.
_SHORTEST_FREE, _LONGEST_FREE = 24, 6000
#: Header bits shared by free-format frames: all except padding, stereo coding and checksum.
_FREE_KEY = 0xFFFEFC00


def sniff(head: bytes) -> Kind | None:
    """Detect the format from the first bytes of a file (after its ID3 tag, if any); None if it is not audio."""
    for magic, kind in _START.items():
        if head.startswith(magic):
            return kind
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        return Kind("WAV", "audio/wav")
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return Kind("AIFF", "audio/aiff")
    if head[:4] == b"FORM" and head[8:12] in (b"8SVX", b"16SV"):
        return Kind("SVX", "audio/x-svx")
    if head[4:8] == b"ftyp" and head[8:12].lower().startswith(_SOUND_BRANDS):
        return Kind("MP4", "audio/mp4", Reason.NEEDS_AAC_DECODER, _MP4_DETAIL)
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return Kind("AAC", "audio/aac", Reason.NEEDS_AAC_DECODER, _ADTS_DETAIL)
    if frames_from(head, 0, whole_file=len(head) < HEAD_BYTES):
        return Kind("MP3", "audio/mpeg")
    return None


def after_id3(head: bytes) -> int:
    """Length in bytes of the ID3v2 tag at the start of a file; 0 without a tag."""
    if len(head) < 10 or head[:3] != b"ID3" or any(byte & 0x80 for byte in head[6:10]):
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)


def first_mpeg_frame(head: bytes) -> int | None:
    """Offset of the first complete MPEG audio frames; None if there are none."""
    for match in _SYNC.finditer(head):
        if frames_from(head, match.start()):
            return match.start()
    return None


def frames_from(head: bytes, position: int, whole_file: bool = False) -> bool:
    """Whether consecutive frames of one kind start at ``position``; a whole file may have fewer than four."""
    lengths = frame_lengths(head, position)
    for count in range(_FRAMES_IN_A_ROW):
        if whole_file and count and position + 4 > len(head):
            break
        length = lengths.get(int.from_bytes(head[position : position + 4], "big") & FRAME_KEY)
        if length is None:
            return False
        position += length
    return True


def frame_lengths(head: bytes, position: int) -> dict[int, int]:
    """Lengths in bytes of all possible frames of the stream, by header bits masked with :data:`FRAME_KEY`.

    Frames of one stream share MPEG version, layer, sampling frequency and the number of channels with the frame at
    ``position``. Empty if there is no frame.
    """
    if position + 4 > len(head) or head[position] != 0xFF or head[position + 1] & 0xE0 != 0xE0:
        return {}
    word = int.from_bytes(head[position : position + 4], "big")
    if word >> 19 & 3 == 1 or word >> 17 & 3 == 0 or word >> 10 & 3 == 3 or word >> 12 & 15 == 15:
        return {}
    free = 0
    if not word >> 12 & 15 and not (free := _free_length(head, position)):
        return {}
    return _lengths(word & _SHARED, word >> 6 & 3 == 3, free)


@functools.lru_cache(maxsize=64)
def _lengths(shared: int, mono: bool, free: int) -> dict[int, int]:
    version, layer, rate = shared >> 19 & 3, 4 - (shared >> 17 & 3), shared >> 10 & 3
    return {
        shared | bits << 12 | padding << 9 | mode << 6: _length(version, layer, bits, rate, padding, free)
        for bits in ((0,) if free else range(1, 15))
        for padding in (0, 1)
        for mode in ((3,) if mono else (0, 1, 2))
    }


def _length(version: int, layer: int, bits: int, rate: int, padding: int, free: int) -> int:
    slot = 4 if layer == 1 else 1
    if free:
        return free + padding * slot
    generation = 1 if version == 3 else 2
    bit_rate, frequency = BIT_RATES[generation, layer][bits] * 1000, RATES[version][rate]
    if layer == 1:
        return (12 * bit_rate // frequency + padding) * slot
    samples_by_8 = 72 if layer == 3 and generation == 2 else 144
    return samples_by_8 * bit_rate // frequency + padding


def _free_length(head: bytes, position: int) -> int:
    """Length without padding of a free-format frame, in bytes; 0 if it is not one.

    The header does not state the length. It is the distance to the next header of the same kind, if the following
    frames have the same length.
    """
    slot = 4 if head[position + 1] >> 1 & 3 == 3 else 1
    same = int.from_bytes(head[position : position + 4], "big") & _FREE_KEY

    def padding(place: int) -> int:
        return (head[place + 2] >> 1 & 1) * slot

    for match in _SYNC.finditer(head, position + _SHORTEST_FREE, position + _LONGEST_FREE):
        length = match.start() - position - padding(position)
        place = position
        for _ in range(_FRAMES_IN_A_ROW):
            if int.from_bytes(head[place : place + 4], "big") & _FREE_KEY != same:
                break
            place += length + padding(place)
        else:
            return length
    return 0
