"""Parse the pages of an Ogg file: its consecutive streams, and the length of each from its packets.

Decoders use the position of the last page as the length, and those of other pages for seeking. The streams of a chain
have their own positions, recordings of a broadcast do not start at 0, and some writers omit the last position. Invalid
positions are recomputed from the packets.

References: Ogg (RFC 3533); Vorbis I, sections 4.2 and 4.3 and annex A; Ogg Opus (RFC 7845, RFC 6716 section 3.1).
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from genreatlas.audio.containers import flac_stream
from genreatlas.audio.pieces import Parts, Pieces, Stream, View, without_front
from genreatlas.errors import ClipError, Reason

#: Codec by the first bytes of a stream's first packet.
_OGG_CODECS = {
    b"\x01vorbis": "Vorbis",
    b"OpusHead": "Opus",
    b"\x7fFLAC": "FLAC",
    b"Speex   ": "Speex",
    b"\x80theora": "Theora",
    b"fishead\0": "Skeleton",
}
#: Bytes before a FLAC stream in its first packet: its name, version, and number of header packets.
_OGG_FLAC_PREFIX = 9
#: Samples in the longest packet of Opus, at 48 kHz.
_OPUS_MOST = 5760
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class _Page(NamedTuple):
    """A page: its offset, length of its header, total length, and fields of the header.

    ``done`` is the number of packets that end in the page.
    """

    place: int
    head: int
    size: int
    flags: int
    position: int
    serial: int
    done: int


@dataclass
class _Link:
    """One stream of a chain, with its pages."""

    codec: str
    pages: list[_Page] = field(default_factory=list)
    serials: set[int] = field(default_factory=set)

    @property
    def end(self) -> int:
        """End offset of the last page."""
        return self.pages[-1].place + self.pages[-1].size


def ogg_streams(pieces: Pieces, start: int) -> list[Stream]:
    """Consecutive streams of an Ogg file, each with valid positions.

    Raises
    ------
    ClipError : no page is complete, or the codec of a stream is not supported.
    """
    links, breaks_off = _links(pieces, start)
    if not links:
        raise ClipError(Reason.TRUNCATED, "Cut too short: not one whole page of the OGG is there.")
    undecoded = [link.codec for link in links if link.codec in ("Speex", "Theora", "")]
    if undecoded:
        name = undecoded[0] or "what it holds"
        raise ClipError(
            Reason.UNSUPPORTED_FORMAT, f"OGG with the codec {name}, which is not supported. Convert it to FLAC."
        )
    return [_stream_of(pieces, link, link is links[-1], breaks_off) for link in links]


def _stream_of(pieces: Pieces, link: _Link, is_last: bool, breaks_off: bool) -> Stream:
    breaks_off = is_last and breaks_off
    if link.codec == "FLAC":
        return _unwrapped(pieces, link, breaks_off)
    parts: Parts = ((link.pages[0].place, pieces.size if is_last and not breaks_off else link.end),)
    alone = len(link.serials) == 1 and link.codec in ("Vorbis", "Opus")
    if alone and (mended := _renumbered(pieces, link)) is not None:
        return Stream((mended,), breaks_off=breaks_off, miscounted=not _is_steady(link))
    return Stream(parts, breaks_off=breaks_off)


def _links(pieces: Pieces, start: int) -> tuple[list[_Link], bool]:
    """The streams of a chain, and whether the last page is incomplete."""
    links: list[_Link] = []
    for page in _pages(pieces, start):
        if page is None:
            return links, True
        if page.flags & 2 and (not links or not links[-1].pages[-1].flags & 2):
            first = pieces.read(page.place + page.head, 8)
            codec = next((name for magic, name in _OGG_CODECS.items() if first.startswith(magic)), "")
            links.append(_Link(codec))
        if links:
            links[-1].pages.append(page)
            links[-1].serials.add(page.serial)
    return links, False


def _pages(pieces: Pieces, position: int) -> Iterator[_Page | None]:
    """Yield every page, and None if the file ends within a page."""
    while position + 27 <= pieces.size:
        head = pieces.read(position, 282)
        if head[:4] != b"OggS":
            found = pieces.find(b"OggS", position + 1)
            if found < 0:
                return
            position = found
            continue
        lacing = head[27 : 27 + head[26]]
        size = 27 + head[26] + sum(lacing)
        if position + size > pieces.size:
            yield None
            return
        granule, serial = struct.unpack_from("<qI", head, 6)
        yield _Page(position, 27 + head[26], size, head[5], granule, serial, len(lacing) - lacing.count(255))
        position += size
    if 0 < pieces.size - position < 27 and pieces.read(position, 4) == b"OggS"[: pieces.size - position]:
        yield None


def _unwrapped(pieces: Pieces, link: _Link, breaks_off: bool) -> Stream:
    """A FLAC stream without its Ogg container, which libsndfile does not always read, and with its actual length."""
    ranges = [(page.place + page.head, page.place + page.size) for page in link.pages]
    ranges = without_front(ranges, _OGG_FLAC_PREFIX)
    found = flac_stream(Pieces(View(pieces, tuple(ranges))), 0)
    parts: Parts = tuple(ranges)
    if isinstance(found.parts[0], bytes):
        parts = (found.parts[0], *without_front(ranges, len(found.parts[0])))
    return Stream(
        parts, promised=found.promised, breaks_off=breaks_off or found.breaks_off, miscounted=found.miscounted
    )


def _is_steady(link: _Link, most: int = _OPUS_MOST) -> bool:
    """Whether positions increase from page to page by at most the maximum length of a page's packets."""
    sound = _sound_pages(link)
    return all(0 <= page.position - before.position <= (page.done + 1) * most for before, page in pairwise(sound)) and (
        not sound or sound[0].position > 0
    )


def _sound_pages(link: _Link) -> list[_Page]:
    """Pages in which an audio packet ends."""
    pages = [page for page in link.pages if page.done and not page.flags & 2]
    while pages and pages[0].position == 0:
        del pages[0]  # headers
    return pages


def _renumbered(pieces: Pieces, link: _Link) -> bytes | None:
    """The stream with positions recomputed from its packets; None if its positions are valid.

    Positions are invalid if a writer did not set them, or if the stream was cut from a longer one.
    """
    sound = _sound_pages(link)
    if link.codec == "Vorbis":
        first = pieces.read(link.pages[0].place + link.pages[0].head, 64)
        most = usual = 1 << max((first[28] >> 4) - 1, 0) if len(first) > 28 else 1 << 14  # half a long block
    else:
        first = pieces.read(sound[0].place + sound[0].head, 2) if sound and not sound[0].flags & 1 else b""
        most, usual = _OPUS_MOST, _opus_samples(first) or 960
    if _is_steady(link, most) and (not sound or sound[0].position <= (sound[0].done + 1) * usual):
        return None
    data = b"".join(pieces.read(page.place, page.size) for page in link.pages)
    counts = _samples_of_pages(data, link)
    return None if counts is None else b"".join(_with_positions(data, link, counts))


def _with_positions(data: bytes, link: _Link, counts: list[int]) -> Iterator[bytes]:
    place = position = 0
    for number, (page, count) in enumerate(zip(link.pages, counts, strict=True)):
        position += count
        trimmed = position
        if number == len(counts) - 1 and page.flags & 4:  # the last page may end within its last packet
            shorter = page.position - link.pages[number - 1].position
            trimmed = position - count + shorter if 0 < shorter < count else position
        body = bytearray(data[place : place + page.size])
        body[6:14] = struct.pack("<q", trimmed if page.done else -1)
        body[18:26] = struct.pack("<II", number, 0)
        body[22:26] = struct.pack("<I", _ogg_checksum(bytes(body)))
        yield bytes(body)
        place += page.size


def _ogg_checksum(data: bytes) -> int:
    """CRC-32 with polynomial 04c11db7, not reflected, initial value 0; computed by zlib with reversed bits."""
    value = zlib.crc32(data.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{value:032b}"[::-1], 2)


def _samples_of_pages(data: bytes, link: _Link) -> list[int] | None:
    """Number of samples in the packets that end in each page, 0 for headers; None if it cannot be determined."""
    packets: list[tuple[int, bytearray]] = []  # index of the page in which a packet ends, and its first bytes
    open_packet: bytearray | None = None
    place = 0
    for number, page in enumerate(link.pages):
        at = place + page.head
        if not page.flags & 1:
            open_packet = None
        lost = page.flags & 1 and open_packet is None  # the end of a packet that began in a missing page
        for length in data[place + 27 : place + page.head]:
            if lost:
                at, lost = at + length, length == 255
                continue
            open_packet = bytearray() if open_packet is None else open_packet
            if len(packets) < 3 or len(open_packet) < 2:
                open_packet += data[at : at + length]
            at += length
            if length < 255:
                packets.append((number, open_packet))
                open_packet = None
        place += page.size
    counts = [0] * len(link.pages)
    headers = 2 if link.codec == "Opus" else 3
    if len(packets) <= headers:
        return None
    if link.codec == "Opus":
        for number, packet in packets[2:]:
            counts[number] += _opus_samples(packet)
        return counts
    modes = _vorbis_modes(bytes(packets[2][1]))
    blocks = packets[0][1][28] if len(packets[0][1]) > 28 else 0
    if modes is None:
        return None
    sizes = (1 << (blocks & 15), 1 << (blocks >> 4))
    before = 0
    bits = (len(modes) - 1).bit_length()
    for number, packet in packets[3:]:
        if not packet or packet[0] & 1:
            continue
        mode = packet[0] >> 1 & (1 << bits) - 1
        block = sizes[modes[mode]] if mode < len(modes) else sizes[1]
        counts[number] += (before + block) // 4 if before else 0
        before = block
    return counts


def _opus_samples(packet: bytes | bytearray) -> int:
    """Number of samples of one packet at 48 kHz, from its first bytes (RFC 6716, 3.1)."""
    if not packet:
        return 0
    config = packet[0] >> 3
    if config < 12:
        size = (480, 960, 1920, 2880)[config & 3]
    elif config < 16:
        size = (480, 960)[config & 1]
    else:
        size = (120, 240, 480, 960)[config & 3]
    frames = (1, 2, 2, (packet[1] & 63) if len(packet) > 1 else 1)[packet[0] & 3]
    return size * frames


def _vorbis_modes(setup: bytes) -> list[int] | None:
    """Whether each mode has long blocks, parsed backwards from the end of the setup header; None if parsing fails.

    The header ends with a set bit, preceded by up to 64 modes of 41 bits (block flag, window and transform of 16 bits,
    which are 0, and mapping of 8 bits), preceded by six bits with the number of modes.
    """
    bits = int.from_bytes(setup, "little")
    end = bits.bit_length() - 1  # the last set bit
    found = None
    modes: list[int] = []
    for count in range(1, 65):
        at = end - 41 * count
        if at < 6 or bits >> (at + 1) & 0xFFFFFFFF or bits >> (at + 33) & 0xFF > 63:
            break
        modes.insert(0, bits >> at & 1)
        if (bits >> (at - 6) & 63) == count - 1:
            found = list(modes)
    return found
