"""Format and length of audio files, determined by their content, not by file names or stated lengths."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from genreatlas.audio.containers import flac_stream, wave_stream
from genreatlas.audio.magic import HEAD_BYTES, Kind, first_mpeg_frame, sniff
from genreatlas.audio.mpeg import MpegStream, tag_size, walk_frames
from genreatlas.audio.ogg import ogg_streams
from genreatlas.audio.pieces import Data, Parts, Pieces, Rest, Stream, View
from genreatlas.audio.uris import path_bytes
from genreatlas.errors import ClipError, Reason

#: A path (text or bytes), or an open binary file.
Source = str | bytes | os.PathLike[str] | BinaryIO

#: Lengths from this number of samples are unknown: libsndfile then reports the largest integer.
_UNKNOWN_LENGTH = 2**62
#: Bytes read to check a file without an audio extension: more than four MPEG frames of any bit rate.
_GLANCE_BYTES = 8192
#: Number of bytes after tags and padding in which the first MPEG frame is searched.
_SEARCHED = 1 << 20
#: Maximum number of tags skipped before the sound. Tagging programs that do not recognise a tag add another one.
_MOST_TAGS = 64
#: Errors not caused by the file: no descriptors, no memory, a library that cannot be loaded (no errno).
_NOT_OF_THE_FILE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, None)
#: Minimum share of the stated length that a file must have.
_LEAST_SHARE = 0.5
#: Upper bound of the length of an MPEG frame, in bytes.
_LONGEST_FRAME = 8192


@dataclass(frozen=True)
class AudioInfo:
    """Facts of a source file.

    ``codec`` is libsndfile's name (``MPEG_LAYER_III``, ``PCM_16``). ``bit_rate`` in bit/s is the mean over the frames
    of an MP3, and over the whole of any other file without leading tags. ``sample_rate`` is in Hz.
    """

    mime: str
    codec: str
    sample_rate: int
    channels: int
    bit_rate: int
    duration_s: float


@dataclass(frozen=True)
class FileLayout:
    """Location of the sound in a file, determined without decoding.

    Parameters
    ----------
    kind : format of the file.
    start : first byte after tags and padding.
    size : size of the file in bytes.
    streams : inputs of the decoder, in their order.
    mpeg : the parsed frames, if the file contains MPEG audio.
    """

    kind: Kind
    start: int
    size: int
    streams: tuple[Stream, ...]
    mpeg: MpegStream | None = None

    @property
    def flags(self) -> frozenset[str]:
        """Flags of :data:`genreatlas.audio.inspection.QUALITY_FLAGS` that are determined without decoding."""
        mpeg, streams = self.mpeg, self.streams
        holds = {
            "foreign_bytes": mpeg is not None and mpeg.foreign > 0,
            "joined": len(streams) > 1 or (mpeg is not None and mpeg.parts > 1),
            "truncated": any(stream.breaks_off for stream in streams) or (mpeg is not None and mpeg.cut_short),
            "wrong_header": any(stream.miscounted for stream in streams) or (mpeg is not None and mpeg.miscounted),
        }
        return frozenset(name for name, is_so in holds.items() if is_so)

    def info(self, codec: str, sample_rate: int, channels: int, frames: int) -> AudioInfo:
        """Facts of the file, from the codec, rate, channels and length (samples per channel) of its sound."""
        duration = frames / sample_rate
        size = self.size - self.start if self.mpeg is None else self.mpeg.sound_bytes
        return AudioInfo(
            self.kind.mime, codec, sample_rate, channels, round(size * 8 / duration) if duration else 0, duration
        )


def lay_out(data: Data) -> FileLayout:
    """Determine the format of a file, the location of its sound, and its length where headers are unreliable.

    Raises
    ------
    ClipError : the file is empty, not audio, in an unsupported format, or has less than half of its stated length.
    """
    pieces = Pieces(data)
    if pieces.size == 0:
        raise ClipError(Reason.EMPTY_FILE, "The file has no bytes.")
    kind, start = identify(pieces)
    whole = Stream(((start, pieces.size),))
    if kind.mime == "audio/mpeg":
        mpeg = walk_frames(data, start)
        return FileLayout(
            kind, start, pieces.size, (whole if mpeg.plain else frames_alone(mpeg),), _at_least_half(mpeg)
        )
    if kind.name == "FLAC":
        return FileLayout(kind, start, pieces.size, (flac_stream(pieces, start),))
    if kind.name == "OGG":
        return FileLayout(kind, start, pieces.size, tuple(ogg_streams(pieces, start)))
    wave = wave_stream(pieces, start) if kind.name == "WAV" else None
    if wave is None:
        return FileLayout(kind, start, pieces.size, (whole,))
    if wave.undecoded:
        detail = f"A WAV that holds {wave.undecoded}, which is not decoded here. Convert it to FLAC."
        raise ClipError(Reason.UNSUPPORTED_FORMAT, detail)
    if wave.is_mpeg and (first := first_mpeg_frame(pieces.read(wave.start, HEAD_BYTES))) is not None:
        mpeg = walk_frames(data, wave.start + first, wave.end)
        return FileLayout(kind, start, pieces.size, (frames_alone(mpeg),), _at_least_half(mpeg))
    return FileLayout(kind, start, pieces.size, (wave.stream,))


def frames_alone(mpeg: MpegStream) -> Stream:
    """The audio frames only, followed by enough zeros for the decoder to read all of them.

    Without an information frame mpg123 estimates the length from the file's size and its first frame, and libsndfile
    reads only up to that length.
    """
    return Stream((*mpeg.ranges, mpeg.frames * _LONGEST_FRAME), mpeg.samples)


def _at_least_half(mpeg: MpegStream) -> MpegStream:
    if mpeg.cut_short and mpeg.promised_s is not None:
        _require_half(mpeg.duration_s, mpeg.promised_s)
    return mpeg


def _require_half(there: float, promised: float) -> None:
    if there < _LEAST_SHARE * promised:
        raise ClipError(
            Reason.TRUNCATED,
            f"The header promises {promised:.2f} s, but the sound ends at {there:.2f} s. Fetch the file again.",
        )


class Sound:
    """A file opened for decoding: the concatenation of its streams, each with its actual length.

    Parameters
    ----------
    files : the ``soundfile.SoundFile`` of each stream.
    lengths, fronts : length of each stream in frames (samples per channel), and number of padding frames before it.
    flags : quality flags determined from the file's content.
    """

    def __init__(self, files: list[Any], lengths: list[int], fronts: list[int], flags: frozenset[str]) -> None:
        self.frames = sum(lengths)
        self.flags = flags
        self._files, self._lengths, self._fronts = files, lengths, fronts
        self._place = 0  # in the current stream
        self._current = 0
        if any(fronts):
            self.seek(0)

    def seek(self, frame: int) -> None:
        """Seek to a frame, counted over all streams."""
        for number, length in enumerate(self._lengths):
            if frame < length or number == len(self._lengths) - 1:
                break
            frame -= length
        self._current, self._place = number, frame
        self._files[number].seek(self._fronts[number] + frame)

    def read(self, frames: int) -> np.ndarray:
        """Read the next frames, (n, channels) float32; fewer at the end."""
        blocks = []
        while frames > 0:
            left = self._lengths[self._current] - self._place
            block = self._files[self._current].read(min(frames, left), dtype="float32", always_2d=True)
            blocks.append(block)
            frames -= len(block)
            self._place += len(block)
            if frames <= 0 or self._current == len(self._files) - 1:
                break
            self._current, self._place = self._current + 1, 0
            self._files[self._current].seek(self._fronts[self._current])
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


@contextmanager
def open_sound(source: Source, layout: FileLayout | None = None) -> Iterator[tuple[Sound, AudioInfo]]:
    """Open a file for decoding. Yields its sound and its facts.

    Parameters
    ----------
    source : path, or open binary file.
    layout : result of :func:`lay_out`, if available.

    Raises
    ------
    ClipError : the file is missing, unreadable, empty, not audio, in an unsupported format, or corrupt.
    """
    with open_file(source) as file, ExitStack() as opened:
        found = layout or lay_out(file)
        kind, mpeg = found.kind, found.mpeg
        streams = found.streams
        try:
            files = [opened.enter_context(_sound_file(file, found, stream)) for stream in streams]
            if mpeg is not None and streams[0].frames is None and files[0].frames != mpeg.samples:
                streams = (frames_alone(mpeg),)  # the decoder interprets the information frame differently
                files = [opened.enter_context(_sound_file(file, found, streams[0]))]
            first = files[0]
            if any((one.samplerate, one.channels) != (first.samplerate, first.channels) for one in files):
                raise ClipError(
                    Reason.DECODE_FAILED,
                    "Parts of different rates or channels were joined in one file. Divide it, or encode it anew.",
                )
            lengths = [_length_of(kind, one, stream) for one, stream in zip(files, streams, strict=True)]
            fronts = [mpeg.front if mpeg is not None and stream.frames is not None else 0 for stream in streams]
            sound = Sound(files, lengths, fronts, found.flags)
            yield sound, found.info(first.subtype, first.samplerate, first.channels, sound.frames)
        except _decoder_error() as error:
            raise ClipError(Reason.DECODE_FAILED, f"The {kind.name} data are broken: {_words(error)}.") from None


def _length_of(kind: Kind, file: Any, stream: Stream) -> int:
    if file.samplerate <= 0 or file.channels <= 0 or not 0 <= file.frames < _UNKNOWN_LENGTH:
        raise ClipError(Reason.DECODE_FAILED, f"The {kind.name} header makes no sense; its length is unknown.")
    length = int(file.frames if stream.frames is None else stream.frames)
    if stream.promised:
        _require_half(length / file.samplerate, stream.promised / file.samplerate)
    return length


def probe(source: Source, layout: FileLayout | None = None) -> AudioInfo:
    """Determine format, rate, channels and duration of a file without decoding.

    Raises
    ------
    ClipError : see :func:`open_sound`.
    """
    with open_sound(source, layout) as (_, info):
        return info


def is_audio(path: bytes) -> bool:
    """Whether the content of a file is supported audio or AAC. Used for files without an audio extension."""
    try:
        with open_file(path) as file:
            head, position = file.read(_GLANCE_BYTES), 0
            for _ in range(_MOST_TAGS):
                if not (tag := tag_size(head, 1 << 40)):
                    break
                position += tag
                file.seek(position)
                head = file.read(_GLANCE_BYTES)
    except ClipError:
        return False
    kind = sniff(head)
    return kind is not None and kind.reason in (None, Reason.NEEDS_AAC_DECODER)


def identify(pieces: Pieces) -> tuple[Kind, int]:
    """Format of a file by its first bytes, and offset of its sound after tags and padding.

    Raises
    ------
    ClipError : the file is not audio, or in an unsupported format.
    """
    position, tags, kind = 0, 0, None
    while position < pieces.size and tags < _MOST_TAGS:
        head = pieces.read(position, HEAD_BYTES)
        if (kind := sniff(head)) is not None:
            break
        if not (skipped := len(head) - len(head.lstrip(b"\0"))):
            if not (skipped := tag_size(head, pieces.size - position)):
                break
            tags += 1
        position += skipped
    if kind is None:
        # As players do, skip bytes before the first frame (the rest of an incomplete frame, a tag with a wrong size).
        for begin in dict.fromkeys((position, 10 if tags else position)):
            if (offset := first_mpeg_frame(pieces.read(begin, _SEARCHED))) is not None:
                return Kind("MP3", "audio/mpeg"), begin + offset
        if tags and position >= pieces.size:
            raise ClipError(Reason.TRUNCATED, "A tag without any sound after it. Fetch the file again.")
        behind = " behind its tag" if tags else ""
        raise ClipError(Reason.NOT_AUDIO, f"The content{behind} is not audio.")
    if kind.reason is not None:
        raise ClipError(kind.reason, kind.detail)
    return kind, position


@contextmanager
def open_file(source: Source) -> Iterator[BinaryIO]:
    """Open a regular file for reading. A file that is already open is rewound.

    Raises
    ------
    ClipError : the file is missing, unreadable, or not a regular file.
    """
    if not isinstance(source, str | bytes | os.PathLike):
        source.seek(0)
        yield source
        return
    try:
        # O_NONBLOCK: otherwise opening a named pipe would wait for a writer forever.
        descriptor = os.open(path_bytes(source), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _NOT_OF_THE_FILE:
            raise
        raise _refused(error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ClipError(Reason.NOT_AUDIO, "Not a regular file (a directory, a pipe or a device).")
    with os.fdopen(descriptor, "rb") as file:
        try:
            yield file
        except OSError as error:
            if error.errno in _NOT_OF_THE_FILE:
                raise
            raise _refused(error) from None


def _refused(error: OSError) -> ClipError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ClipError(Reason.MISSING_FILE, "The file is gone, or is a link to nothing.")
    if isinstance(error, PermissionError):
        return ClipError(Reason.UNREADABLE, "No permission to read the file. Give the user that runs the job access.")
    return ClipError(Reason.UNREADABLE, f"The file cannot be read: {error.strerror or error}.")


@contextmanager
def _sound_file(file: BinaryIO, layout: FileLayout, stream: Stream) -> Iterator[Any]:
    import soundfile

    kind = layout.kind
    parts = stream.parts
    try:
        sound = soundfile.SoundFile(_seen(file, parts, layout))
    except soundfile.LibsndfileError as error:
        if layout.size - layout.start < kind.least_bytes:
            raise ClipError(
                Reason.TRUNCATED, f"Cut too short: {layout.size} bytes are less than one {kind.name} frame."
            ) from None
        reason = Reason.UNSUPPORTED_FORMAT if "unsupported encoding" in str(error) else Reason.DECODE_FAILED
        raise ClipError(reason, f"Looks like {kind.name}, but: {_words(error)}.") from None
    try:
        yield sound
    finally:
        sound.close()


def _seen(file: BinaryIO, parts: Parts, layout: FileLayout) -> Rest | View:
    part = parts[0]
    if len(parts) == len(layout.streams) == 1 and isinstance(part, tuple) and part[1] == layout.size:
        return Rest(file, part[0])
    return View(file, parts)


def _decoder_error() -> type[Exception]:
    import soundfile

    return soundfile.LibsndfileError


def _words(error: Exception) -> str:
    return str(getattr(error, "error_string", "") or error).strip().rstrip(".")
