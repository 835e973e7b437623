"""What a file is, told by its bytes and never by its name, and how long, told by what is there."""

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

#: libsndfile reports a length that it does not know as the largest number it has.
_UNKNOWN_LENGTH = 2**62
#: More than four MPEG frames of any bit rate; this much is read of every cover and text in a library.
_GLANCE_BYTES = 8192
#: Behind tags and padding, the first MPEG frame is looked for in so many bytes.
_SEARCHED = 1 << 20
#: Tags in front of the sound that are passed over: taggers that do not find their own write another.
_MOST_TAGS = 64
#: Errors that say nothing of a file: no descriptors, no memory, a library that cannot be loaded (no number).
_NOT_OF_THE_FILE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, None)
#: A file of which less than this is there is not used.
_LEAST_SHARE = 0.5
#: More bytes than the longest MPEG frame has.
_LONGEST_FRAME = 8192


@dataclass(frozen=True)
class AudioInfo:
    """Facts of a source file.

    ``codec`` is named as libsndfile does (``MPEG_LAYER_III``, ``PCM_16``), ``bit_rate`` (bit/s) is
    the mean over the frames of an MP3, and over the whole of any other file, without tags in front.
    """

    mime: str
    codec: str
    sample_rate: int
    channels: int
    bit_rate: int
    duration_s: float


@dataclass(frozen=True)
class FileLayout:
    """How the sound lies in a file, as its bytes tell without decoding.

    Parameters
    ----------
    start : first byte behind tags and padding.
    size : bytes of the file.
    streams : what the decoder is given, one after the other.
    mpeg : the frames, where it holds MPEG audio.
    """

    kind: Kind
    start: int
    size: int
    streams: tuple[Stream, ...]
    mpeg: MpegStream | None = None

    @property
    def flags(self) -> frozenset[str]:
        """Those of :data:`genreatlas.audio.inspection.QUALITY_FLAGS` that the bytes tell."""
        mpeg, streams = self.mpeg, self.streams
        holds = {
            "foreign_bytes": mpeg is not None and mpeg.foreign > 0,
            "joined": len(streams) > 1 or (mpeg is not None and mpeg.parts > 1),
            "truncated": any(stream.breaks_off for stream in streams) or (mpeg is not None and mpeg.cut_short),
            "wrong_header": any(stream.miscounted for stream in streams) or (mpeg is not None and mpeg.miscounted),
        }
        return frozenset(name for name, is_so in holds.items() if is_so)

    def info(self, codec: str, sample_rate: int, channels: int, frames: int) -> AudioInfo:
        """Facts of the file, given those of its sound."""
        duration = frames / sample_rate
        size = self.size - self.start if self.mpeg is None else self.mpeg.sound_bytes
        return AudioInfo(
            self.kind.mime, codec, sample_rate, channels, round(size * 8 / duration) if duration else 0, duration
        )


def lay_out(data: Data) -> FileLayout:
    """Look at a file: what it is, where its sound lies, and how long it is where a header need not say so.

    Raises
    ------
    ClipError : it is empty, not audio, in a format that is not decoded, or less than half of an MP3 is there.
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
    """The frames of sound alone, and so many zeros behind them that the decoder expects more.

    mpg123 takes a file without facts to be as long as its bytes hold frames like the first one, and libsndfile
    reads no further than that.
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
    """A file that is open for decoding: its streams one after the other, each as long as it is.

    Parameters
    ----------
    files : the ``soundfile.SoundFile`` of each stream.
    lengths, fronts : frames (samples per channel) of each, and frames before them that are no sound.
    """

    def __init__(self, files: list[Any], lengths: list[int], fronts: list[int], flags: frozenset[str]) -> None:
        self.frames = sum(lengths)
        self.flags = flags
        self._files, self._lengths, self._fronts = files, lengths, fronts
        self._place = 0  # in the stream that is read
        self._current = 0
        if any(fronts):
            self.seek(0)

    def seek(self, frame: int) -> None:
        """Go to a frame of the whole."""
        for number, length in enumerate(self._lengths):
            if frame < length or number == len(self._lengths) - 1:
                break
            frame -= length
        self._current, self._place = number, frame
        self._files[number].seek(self._fronts[number] + frame)

    def read(self, frames: int) -> np.ndarray:
        """The next frames, (n, channels) float32; fewer where the sound ends."""
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
    """Open a file for decoding; yields its sound and what it is.

    Parameters
    ----------
    layout : what :func:`lay_out` told of the file, where it was asked before.

    Raises
    ------
    ClipError : the file is missing, unreadable, empty, not audio, in a format that is not decoded, or broken.
    """
    with open_file(source) as file, ExitStack() as opened:
        found = layout or lay_out(file)
        kind, mpeg = found.kind, found.mpeg
        streams = found.streams
        try:
            files = [opened.enter_context(_sound_file(file, found, stream)) for stream in streams]
            if mpeg is not None and streams[0].frames is None and files[0].frames != mpeg.samples:
                streams = (frames_alone(mpeg),)  # the decoder reads the facts otherwise
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
    """Tell format, rate, channels and duration of a file. Nothing is decoded.

    Raises
    ------
    ClipError : see :func:`open_sound`.
    """
    with open_sound(source, layout) as (_, info):
        return info


def is_audio(path: bytes) -> bool:
    """Whether a file starts like audio that is decoded here, or like AAC: for names that promise something else."""
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
    """Kind of a file by its first bytes, and where its sound starts, behind tags and padding.

    Raises
    ------
    ClipError : it is not audio, or in a format that is not decoded.
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
        # Players skip what stands before the first frame (the rest of a cut frame, a tag with a wrong size).
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
    """Open a regular file for reading; a file that is open already is rewound.

    Raises
    ------
    ClipError : it is missing, unreadable, or not a regular file.
    """
    if not isinstance(source, str | bytes | os.PathLike):
        source.seek(0)
        yield source
        return
    try:
        # O_NONBLOCK: opening a named pipe would wait for a writer for ever.
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
