"""Parse MPEG audio without decoding: all frame headers, and the encoder's information frame.

Headers as in ISO/IEC 11172-3, 2.4.1.3, and 13818-3 (lower rates); MPEG-2.5 as LAME writes it. The information frame at
the start (Xing or VBRI; called "facts" in this module) states the number of frames, and its LAME extension the number
of samples that filters added at both ends. The frames in the file take precedence: the facts are wrong if the encoder
did not know its length, files were joined or a tag was inserted.
"""

import re
import struct
from dataclasses import dataclass, field

from genreatlas.audio.magic import FRAME_KEY, RATES, after_id3, frame_lengths
from genreatlas.audio.pieces import Data, Pieces
from genreatlas.errors import ClipError, Reason

_MONO = 3
#: Tolerance for the stated number of frames: encoders differ in counting the information frame itself.
_MISSING = 2
#: Tolerance for the stated number of bytes: some encoders count the information frame or trailing tag, some do not.
_MISSING_BYTES = 1600
#: Delay of the decoder in samples (ISO/IEC 11172-3 layer III, as counted by LAME and mpg123).
_DECODER_DELAY = 529
#: Number of bytes searched at once for frames and tags.
_AHEAD = 1 << 16
#: Maximum share of foreign bytes in an MP3; a file with more is rejected.
_MOST_FOREIGN = 0.2
_WORD = struct.Struct(">I")
#: Start of a frame or tag.
_MARKS = re.compile(rb"\xff[\xe2-\xff]|ID3|APETAGEX|LYRICSBEGIN")


@dataclass(frozen=True)
class MpegStream:
    """A parsed MPEG audio stream.

    Parameters
    ----------
    codec, sample_rate, channels : name of the codec, sample rate in Hz, number of channels.
    frames : number of audio frames, without information frames.
    samples : number of samples per channel, without those added by filters according to LAME.
    sound_bytes : size of all frames in bytes, including information frames.
    ranges : first and end byte of every run of audio frames, without information frames: the input of a decoder.
    front : number of samples before the sound, added by the filters of encoder and decoder.
    promised : number of frames stated by information frames, over all parts; None if not stated.
    parts : number of joined streams, separated by tags or information frames.
    foreign : number of bytes between or after frames that are neither tags nor padding; the first is at ``foreign_at``.
    cut_short : there are fewer frames and bytes than stated or, if nothing is stated, the last frame is incomplete.
    plain : a single run of frames with correct facts, so that any decoder determines its length.
    """

    codec: str
    sample_rate: int
    channels: int
    frames: int
    samples: int
    sound_bytes: int
    ranges: tuple[tuple[int, int], ...]
    front: int
    promised: int | None
    parts: int
    foreign: int
    foreign_at: int
    cut_short: bool
    plain: bool

    @property
    def duration_s(self) -> float:
        """Length, in seconds."""
        return self.samples / self.sample_rate

    @property
    def promised_s(self) -> float | None:
        """Length stated by information frames, in seconds; None if not stated."""
        return None if self.promised is None else self.promised / self.frames * self.duration_s

    @property
    def miscounted(self) -> bool:
        """Whether the stated number of frames is wrong although no frames are missing."""
        return self.promised is not None and not self.cut_short and abs(self.frames - self.promised) > _MISSING


@dataclass(frozen=True)
class _Facts:
    """The information frame: stated numbers of frames and bytes, and number of padding samples at both ends."""

    frames: int | None
    size: int | None
    front: int
    back: int
    xing: bool


@dataclass
class _Part:
    """One of several joined streams: its facts, number of audio frames, and size with the information frame."""

    facts: _Facts | None
    frames: int = 0
    size: int = 0

    @property
    def promised(self) -> int | None:
        """Number of frames stated by the information frame."""
        return self.facts.frames if self.facts else None

    def is_short(self, breaks_off: bool) -> bool:
        """Whether frames are missing, rather than the stated number being wrong.

        Frames are missing if bytes are missing too or, if no size is stated, if the last frame is incomplete.
        """
        if self.promised is None or self.frames >= self.promised - _MISSING:
            return False
        size = self.facts.size if self.facts else None
        return breaks_off if size is None else self.size < size - _MISSING_BYTES

    @property
    def is_whole(self) -> bool:
        """Whether the stream reaches the end stated by its information frame."""
        if self.promised is None or self.frames >= self.promised:
            return True
        return self.facts is not None and self.facts.size is not None and self.size >= self.facts.size


@dataclass
class _Walk:
    """State of parsing a file."""

    parts: list[_Part] = field(default_factory=list)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    foreign: int = 0
    foreign_at: int = 0
    breaks_off: bool = False

    def add(self, start: int, end: int, frames: int) -> None:
        """Add a run of frames."""
        self.parts[-1].frames += frames
        self.parts[-1].size += end - start
        if self.ranges and self.ranges[-1][1] == start:
            start, _ = self.ranges.pop()
        if end > start:
            self.ranges.append((start, end))

    def skip(self, start: int, end: int) -> None:
        """Count foreign bytes."""
        if end > start:
            self.foreign_at = self.foreign_at if self.foreign else start
            self.foreign += end - start


def walk_frames(data: Data, start: int, end: int | None = None) -> MpegStream:
    """Parse the frames of a file from the first one, at ``start``, to ``end`` or the end of the file.

    Tags, padding and foreign bytes between frames of the same kind are skipped.

    Parameters
    ----------
    data : content of the file, or the open file.
    start, end : range in bytes.

    Raises
    ------
    ClipError : ``truncated`` if there is no complete audio frame; ``decode_failed`` if there is no frame at ``start``
        or more than 20 % of the file are foreign bytes.
    """
    pieces = Pieces(data, end)
    head = pieces.read(start, _AHEAD)
    lengths = frame_lengths(head, 0)
    if not lengths:
        raise ClipError(Reason.DECODE_FAILED, f"No MPEG frame at byte {start}.")
    first = _WORD.unpack_from(head)[0]
    walk = _follow(pieces, start, lengths, first)
    promised = walk.parts[0].promised
    if promised is not None and walk.parts[0].frames > promised + _MISSING:
        walk = _follow(pieces, start, lengths, first, closely=True)
    return _stream(walk, first, pieces.size)


def _stream(walk: _Walk, first: int, size: int) -> MpegStream:
    generation, layer, rate = _kind(first)
    frames, sound = sum(part.frames for part in walk.parts), sum(part.size for part in walk.parts)
    if not frames:
        raise ClipError(Reason.TRUNCATED, f"Cut too short: {size} bytes are less than one MP3 frame of sound.")
    if walk.foreign > _MOST_FOREIGN * (walk.foreign + sound):
        share = walk.foreign / (walk.foreign + sound)
        raise ClipError(
            Reason.DECODE_FAILED,
            f"No MPEG frame of the same kind at byte {walk.foreign_at} of {size}, and {share:.0%} of the file is "
            "something else, such as sound at another rate. Fetch it again, or encode it anew.",
        )
    per_frame = {1: 384, 2: 1152, 3: 1152 if generation == 1 else 576}[layer]
    head, tail = walk.parts[0], walk.parts[-1]
    short = any(part.is_short(walk.breaks_off and part is tail) for part in walk.parts)
    breaks_off = walk.breaks_off and tail.promised is None
    front = head.facts.front if head.facts else 0
    back = tail.facts.back if tail.facts and tail.is_whole and not walk.breaks_off else 0
    promised = sum(part.frames if part.promised is None else part.promised for part in walk.parts)
    return MpegStream(
        codec=f"MPEG_LAYER_{'I' * layer}",
        sample_rate=rate,
        channels=1 if first >> 6 & 3 == _MONO else 2,
        frames=frames,
        samples=max(frames * per_frame - front - back, 0),
        sound_bytes=sound,
        ranges=tuple(walk.ranges),
        front=front,
        promised=promised if any(part.promised is not None for part in walk.parts) else None,
        parts=len(walk.parts),
        foreign=walk.foreign,
        foreign_at=walk.foreign_at,
        cut_short=short or breaks_off,
        plain=len(walk.ranges) == len(walk.parts) == 1
        and head.promised == frames
        and bool(head.facts and head.facts.xing),
    )


def _kind(word: int) -> tuple[int, int, int]:
    """MPEG version (1, or 2 for MPEG-2 and 2.5), layer, and sampling frequency in Hz."""
    version = word >> 19 & 3
    return 1 if version == 3 else 2, 4 - (word >> 17 & 3), RATES[version][word >> 10 & 3]


def _follow(pieces: Pieces, start: int, lengths: dict[int, int], first: int, closely: bool = False) -> _Walk:
    """Parse frame by frame. ``closely`` checks each frame for facts, which joined files have between their frames."""
    walk = _Walk()
    position, is_new = start, True
    while True:
        if is_new or closely:
            head = pieces.read(position, 512)
            facts = _read_facts(head, first)
            if is_new or facts:
                walk.parts.append(_Part(facts))
            length = lengths.get(_WORD.unpack_from(head)[0] & FRAME_KEY) if len(head) >= 4 else None
            if facts and length and position + length <= pieces.size:
                walk.parts[-1].size = length
                position += length
                is_new = False
                continue
        end, frames, last = _run(pieces, position, lengths, 1 if closely else 1 << 62)
        if end > pieces.size:  # the last frame is incomplete
            walk.breaks_off = True
            walk.add(position, end - last, frames - 1)
            return walk
        if closely and frames:
            walk.add(position, end, frames)
            position, is_new = end, False
            continue
        if frames and (inside := _inside(pieces, end - last, last, lengths)):
            walk.add(position, end - last, frames - 1)
            walk.skip(end - last, end - last + inside)
            end += inside - last
        else:
            walk.add(position, end, frames)
        resumed, is_new = _resume(pieces, end, lengths, walk)
        if resumed is None:
            return walk
        position = resumed


def _run(pieces: Pieces, position: int, lengths: dict[int, int], most: int) -> tuple[int, int, int]:
    """A run of consecutive frames: its end offset, number of frames, and length of the last frame."""
    frames, length = 0, 0
    while True:
        piece, base = pieces.piece(position)
        place, limit = position - base, min(len(piece), pieces.size - base) - 4
        get, word_at = lengths.get, _WORD.unpack_from
        while place <= limit and frames < most:
            step = get(word_at(piece, place)[0] & FRAME_KEY)
            if step is None:
                return base + place, frames, length
            length = step
            place += step
            frames += 1
        position = base + place
        if frames >= most or position + 4 > pieces.size:
            return position, frames, length


def _inside(pieces: Pieces, start: int, length: int, lengths: dict[int, int]) -> int:
    """Offset in the last frame of a run at which other frames or a tag begin; 0 if the frame is complete."""
    after = pieces.read(start + length, _AHEAD)
    left = pieces.size - start - length
    if left < 4 or tag_size(after, left) or _goes_on(after, lengths, left):
        return 0
    head = pieces.read(start, length + _AHEAD)
    found = _search(head, lengths, left + length)
    return found if found < length else 0


def _resume(pieces: Pieces, position: int, lengths: dict[int, int], walk: _Walk) -> tuple[int | None, bool]:
    """Offset at which frames continue, None at the end of the file, and whether a tag precedes them."""
    tagged, padded = False, 0
    while (head := pieces.read(position, _AHEAD)) and len(head) >= 4:
        zeros = len(head) - len(head.lstrip(b"\0"))
        size = zeros or tag_size(head, pieces.size - position)
        if size:
            tagged, padded = tagged or not zeros, padded + zeros
            position += size
        elif _goes_on(head, lengths, pieces.size - position):
            if padded and not tagged:
                walk.skip(position - padded, position)
            return position, tagged
        else:
            found = _search(head, lengths, pieces.size - position)
            if _ends_ape(head[found:], found):
                tagged, found = True, found + 32
            else:
                walk.skip(position, position + found)
            position += found
    return None, tagged


def _ends_ape(head: bytes, before: int) -> bool:
    """Whether an APE tag without header, whose items are the preceding bytes, ends here."""
    return head[:8] == b"APETAGEX" and len(head) >= 16 and int.from_bytes(head[12:16], "little") == before + 32


def _goes_on(head: bytes, lengths: dict[int, int], left: int) -> bool:
    """Whether four frames follow here, or fewer up to the end of the file or a tag."""
    place = 0
    for count in range(4):
        length = lengths.get(int.from_bytes(head[place : place + 4], "big") & FRAME_KEY)
        if length is None:
            return count > 0 and (place == left or tag_size(head[place:], left - place) > 0)
        place += length
    return True


def _search(head: bytes, lengths: dict[int, int], left: int) -> int:
    """Offset of the next frames or tag; if there are none, the length of ``head`` or slightly less."""
    for match in _MARKS.finditer(head, 1):
        rest = head[match.start() :]
        if rest[0] == 0xFF:
            if lengths.get(int.from_bytes(rest[:4], "big") & FRAME_KEY) and _goes_on(
                rest, lengths, left - match.start()
            ):
                return match.start()
        elif tag_size(rest, left - match.start()):
            return match.start()
    return len(head) if len(head) == left else max(len(head) - 32, 1)


def tag_size(head: bytes, left: int) -> int:
    """Length in bytes of the tag at the start of ``head``, at most ``left``; 0 without a tag."""
    if head[:3] == b"ID3" and len(head) > 3 and head[3] < 5:
        return min(after_id3(head), left)
    if head[:3] == b"TAG":
        return min(227 if head[3:4] == b"+" else 128, left)
    if head[:8] == b"APETAGEX" and len(head) >= 32:
        size, _, flags = struct.unpack_from("<III", head, 12)
        return min(32 + (size if flags & 1 << 29 else 0), left)
    if head[:11] == b"LYRICSBEGIN":
        end = max(head.find(b"LYRICS200"), head.find(b"LYRICSEND"))
        return end + 9 if end > 0 else min(left, len(head))
    if head[:3] == b"3DI":
        return min(10, left)
    return 0


def _read_facts(head: bytes, first: int) -> _Facts | None:
    """Read a Xing (Info) or Fraunhofer (VBRI) information frame at the start of ``head``; None if it is not one."""
    if head[36:40] == b"VBRI" and len(head) >= 54:
        size, frames = struct.unpack_from(">II", head, 46)
        return _Facts(frames, size, 0, 0, False)
    generation, layer, _ = _kind(first)
    mono = first >> 6 & 3 == _MONO
    place = 4 + {(1, False): 32, (1, True): 17, (2, False): 17, (2, True): 9}[generation, mono]
    if len(head) > 1 and not head[1] & 1 and head[place : place + 4] not in (b"Xing", b"Info"):
        place += 2  # after a checksum
    if layer != 3 or head[place : place + 4] not in (b"Xing", b"Info") or len(head) < place + 16:
        return None
    flags, place = _WORD.unpack_from(head, place + 4)[0], place + 8
    frames = _WORD.unpack_from(head, place)[0] if flags & 1 else None
    place += 4 * (flags & 1)
    size = _WORD.unpack_from(head, place)[0] if flags & 2 else None
    place += 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
    lame = head[place : place + 24].ljust(24, b"\0")
    # as in mpg123: delays are used if the encoder's name is given; the decoder's delay is always removed
    named = lame[0] != 0
    delay = (lame[21] << 4 | lame[22] >> 4) if named else 0
    padding = ((lame[22] & 15) << 8 | lame[23]) if named else 0
    return _Facts(frames, size, delay + _DECODER_DELAY, max(padding - _DECODER_DELAY, 0), True)
