"""What a file is, told by its bytes and never by its name."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import SEEK_CUR, SEEK_END, SEEK_SET
from typing import Any, BinaryIO

from genreatlas.audio.magic import HEAD_BYTES, Kind, after_id3, first_mpeg_frame, sniff
from genreatlas.audio.uris import path_bytes
from genreatlas.errors import ClipError, Reason

#: A path (text or bytes), or an open binary file.
Source = str | bytes | os.PathLike[str] | BinaryIO

#: libsndfile reports a length that it does not know as the largest number it has.
_UNKNOWN_LENGTH = 2**62
#: More than four MPEG frames of any bit rate; this much is read of every cover and text in a library.
_GLANCE_BYTES = 8192


@dataclass(frozen=True)
class AudioInfo:
    """Facts of a source file.

    ``codec`` is named as libsndfile does (``MPEG_LAYER_III``, ``PCM_16``), ``bit_rate`` (bit/s) is
    the mean over the file without a leading ID3 tag, because cover pictures are not sound.
    """

    mime: str
    codec: str
    sample_rate: int
    channels: int
    bit_rate: int
    duration_s: float


@contextmanager
def open_sound(source: Source) -> Iterator[tuple[Any, AudioInfo]]:
    """Open a file for decoding; yields the ``soundfile.SoundFile`` and what it is.

    Raises
    ------
    ClipError : the file is missing, unreadable, empty, not audio, in a format that is not decoded, or broken.
    """
    with open_file(source) as file:
        head = file.read(HEAD_BYTES)
        size = file.seek(0, SEEK_END)
        if size == 0:
            raise ClipError(Reason.EMPTY_FILE, "The file has no bytes.")
        kind, start = identify(file, head)
        with _sound_file(file, kind, start, size) as sound:
            if sound.samplerate <= 0 or sound.channels <= 0 or not 0 <= sound.frames < _UNKNOWN_LENGTH:
                raise ClipError(Reason.DECODE_FAILED, f"The {kind.name} header makes no sense; its length is unknown.")
            duration = sound.frames / sound.samplerate
            tag = after_id3(head) if kind.mime == "audio/mpeg" else 0
            rate = round(max(size - max(tag, start), 0) * 8 / duration) if duration else 0
            yield sound, AudioInfo(kind.mime, sound.subtype, sound.samplerate, sound.channels, rate, duration)


def probe(source: Source) -> AudioInfo:
    """Read the header of a file: format, rate, channels, duration. Nothing is decoded.

    Raises
    ------
    ClipError : see :func:`open_sound`.
    """
    with open_sound(source) as (_, info):
        return info


def is_audio(path: bytes) -> bool:
    """Whether a file starts like audio that is decoded here, or like AAC: for names that promise something else."""
    try:
        with open_file(path) as file:
            head = file.read(_GLANCE_BYTES)
            if tag := after_id3(head):
                file.seek(tag)
                head = file.read(_GLANCE_BYTES)
    except ClipError:
        return False
    kind = sniff(head)
    return kind is not None and kind.reason in (None, Reason.NEEDS_AAC_DECODER)


def identify(file: BinaryIO, head: bytes) -> tuple[Kind, int]:
    """Kind of an open file by its first bytes, and where its sound starts (0 where the decoder finds it by itself).

    Raises
    ------
    ClipError : it is not audio, or in a format that is not decoded.
    """
    tag = after_id3(head)
    if tag:
        file.seek(tag)
        after = file.read(HEAD_BYTES)
    else:
        after = head
    kind = sniff(after)
    if kind is None and (offset := first_mpeg_frame(after)) is not None:
        # Players skip what stands before the first frame (padding, the rest of a cut frame); libsndfile does not.
        kind, start = Kind("MP3", "audio/mpeg"), tag + offset
    else:
        start = tag if kind is not None and kind.mime != "audio/mpeg" else 0
    if kind is None and tag:
        raise ClipError(Reason.TRUNCATED, "An ID3 tag without any sound after it. Fetch the file again.")
    if kind is None:
        raise ClipError(Reason.NOT_AUDIO, "The content is not audio, whatever the name says.")
    if kind.reason is not None:
        raise ClipError(kind.reason, kind.detail)
    return kind, start


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
        raise _refused(error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ClipError(Reason.NOT_AUDIO, "Not a regular file (a directory, a pipe or a device).")
    with os.fdopen(descriptor, "rb") as file:
        try:
            yield file
        except OSError as error:
            raise _refused(error) from None


def _refused(error: OSError) -> ClipError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ClipError(Reason.MISSING_FILE, "The file is gone, or is a link to nothing.")
    if isinstance(error, PermissionError):
        return ClipError(Reason.UNREADABLE, "No permission to read the file. Give the user that runs the job access.")
    return ClipError(Reason.UNREADABLE, f"The file cannot be read: {error.strerror or error}.")


@contextmanager
def _sound_file(file: BinaryIO, kind: Kind, start: int, size: int) -> Iterator[Any]:
    import soundfile

    try:
        sound = soundfile.SoundFile(_From(file, start))
    except soundfile.LibsndfileError as error:
        if size - start < kind.least_bytes:
            raise ClipError(
                Reason.TRUNCATED, f"Cut too short: {size} bytes are less than one {kind.name} frame."
            ) from None
        raise ClipError(Reason.DECODE_FAILED, f"Looks like {kind.name}, but: {_words(error)}.") from None
    try:
        yield sound
    except soundfile.LibsndfileError as error:
        raise ClipError(Reason.DECODE_FAILED, f"The {kind.name} data are broken: {_words(error)}.") from None
    finally:
        sound.close()


def _words(error: Exception) -> str:
    return str(getattr(error, "error_string", "") or error).strip().rstrip(".")


class _From:
    """A file seen from ``start`` on, as far as soundfile looks at it."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file, self._start = file, start
        file.seek(start)

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        if whence == SEEK_SET:
            offset += self._start
        return self._file.seek(offset, whence) - self._start

    def tell(self) -> int:
        return self._file.seek(0, SEEK_CUR) - self._start

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer)  # type: ignore[attr-defined]
