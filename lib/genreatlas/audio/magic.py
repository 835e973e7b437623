"""Formats by their first bytes."""

from dataclasses import dataclass

from genreatlas.errors import Reason

#: Bytes that are looked at. Enough for padding and a cut frame before the first whole MPEG frame.
HEAD_BYTES = 64 * 1024
#: A frame header is 11 set bits, which text or pictures can hold by chance; four in a row, at the
#: distances that they name themselves, they do not.
_FRAMES_IN_A_ROW = 4

_MP4_DETAIL = "MP4 audio (AAC or ALAC) is not decoded here. Convert it, such as: ffmpeg -i FILE.m4a FILE.flac"
_ADTS_DETAIL = "AAC is not decoded here. Convert it, such as: ffmpeg -i FILE.aac FILE.flac"


#: Brands of MP4 files that carry sound; HEIC and AVIF pictures start alike, with brands of their own.
_SOUND_BRANDS = (b"m4a", b"m4b", b"m4p", b"m4v", b"mp4", b"iso", b"dash", b"qt", b"3g", b"f4", b"ndx", b"aax", b"mmp4")


@dataclass(frozen=True)
class Kind:
    """A format; with a reason where it is not decoded."""

    name: str
    mime: str
    reason: Reason | None = None
    detail: str = ""
    least_bytes: int = 2048  #: a file below this that does not open was cut too short


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
    b"caff": _undecoded("Core Audio", "audio/x-caf"),
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


def sniff(head: bytes) -> Kind | None:
    """Tell the format from the first bytes of a file (after an ID3 tag, where it has one); None if it is not audio."""
    for magic, kind in _START.items():
        if head.startswith(magic):
            return kind
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        return Kind("WAV", "audio/wav")
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return Kind("AIFF", "audio/aiff")
    if head[4:8] == b"ftyp" and head[8:12].lower().startswith(_SOUND_BRANDS):
        return Kind("MP4", "audio/mp4", Reason.NEEDS_AAC_DECODER, _MP4_DETAIL)
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return Kind("AAC", "audio/aac", Reason.NEEDS_AAC_DECODER, _ADTS_DETAIL)
    if _frames_from(head, 0, whole_file=len(head) < HEAD_BYTES):
        return Kind("MP3", "audio/mpeg")
    return None


def after_id3(head: bytes) -> int:
    """Length of the ID3v2 tag that a file starts with; 0 without one."""
    if len(head) < 10 or head[:3] != b"ID3" or any(byte & 0x80 for byte in head[6:10]):
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)


def first_mpeg_frame(head: bytes) -> int | None:
    """Where whole MPEG audio frames start behind something else; None where there are none."""
    position = head.find(b"\xff")
    while position != -1:
        if _frames_from(head, position):
            return position
        position = head.find(b"\xff", position + 1)
    return None


def _frames_from(head: bytes, position: int, whole_file: bool = False) -> bool:
    """Whether frames follow each other from here; a whole file that is cut short may end before the fourth."""
    for count in range(_FRAMES_IN_A_ROW):
        if whole_file and count and position + 4 > len(head):
            break
        length = frame_length(head, position)
        if not length:
            return False
        position += length
    return True


def frame_length(head: bytes, position: int) -> int:
    """Bytes of the MPEG audio frame whose header stands at ``position``; 0 if none does."""
    if position + 4 > len(head) or head[position] != 0xFF or head[position + 1] & 0xE0 != 0xE0:
        return 0
    second, third = head[position + 1], head[position + 2]
    version, layer = (second >> 3) & 3, 4 - ((second >> 1) & 3)
    rate_index, bit_index, padding = (third >> 2) & 3, third >> 4, (third >> 1) & 1
    if version == 1 or layer == 4 or rate_index == 3 or bit_index in (0, 15):
        return 0
    generation = 1 if version == 3 else 2
    bits = BIT_RATES[generation, layer][bit_index] * 1000
    rate = RATES[version][rate_index]
    if layer == 1:
        return (12 * bits // rate + padding) * 4
    samples_by_8 = 72 if layer == 3 and generation == 2 else 144
    return samples_by_8 * bits // rate + padding
