"""Random access to the bytes of a file, and virtual files assembled from its valid parts for a decoder."""

import contextlib
from bisect import bisect_right
from dataclasses import dataclass
from io import SEEK_CUR, SEEK_END, SEEK_SET
from typing import Any, BinaryIO, Protocol

#: Number of bytes read from a file at once.
_PIECE = 1 << 20
#: Larger than any file. Decoders seek beyond it if a header is wrong.
_FARTHEST = 1 << 48

#: Content of a virtual file for a decoder: ranges of the file (first byte, end), bytes, and numbers of zeros.
Parts = tuple[tuple[int, int] | bytes | int, ...]


@dataclass(frozen=True)
class Stream:
    """One stream of a file.

    Parameters
    ----------
    parts : input of the decoder.
    frames : samples per channel, if known and the decoder would determine another number.
    promised : samples per channel stated by the header, if the file has fewer.
    breaks_off : the stream is truncated.
    miscounted : the header states a wrong length although nothing is missing.
    """

    parts: Parts
    frames: int | None = None
    promised: int | None = None
    breaks_off: bool = False
    miscounted: bool = False


class Readable(Protocol):
    """The required methods of an open binary file."""

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        """Go to a byte."""

    def read(self, size: int = -1, /) -> bytes:
        """Read bytes."""


#: A file's bytes, or the open file.
Data = bytes | Readable


class Pieces:
    """Random access to the bytes of a file up to ``end``."""

    def __init__(self, data: Data, end: int | None = None) -> None:
        self._file = None if isinstance(data, bytes) else data
        self._piece, self._base = (data, 0) if isinstance(data, bytes) else (b"", 0)
        size = len(data) if isinstance(data, bytes) else data.seek(0, 2)
        self.size = size if end is None else min(end, size)

    def piece(self, position: int) -> tuple[bytes, int]:
        """A block of bytes with at least four bytes from ``position``, if the file has them, and its offset."""
        if self._file is not None and not self._base <= position <= self._base + len(self._piece) - 4:
            self._file.seek(position)
            self._piece, self._base = self._file.read(_PIECE), position
        return self._piece, self._base

    def read(self, position: int, size: int) -> bytes:
        """Read up to ``size`` bytes from ``position``."""
        size = max(min(size, self.size - position), 0)
        piece, base = self.piece(position)
        if position - base + size > len(piece) and self._file is not None:
            self._file.seek(position)
            return self._file.read(size)
        return piece[position - base : position - base + size]

    def find(self, wanted: bytes, position: int) -> int:
        """Offset of the next occurrence of ``wanted`` from ``position``; -1 if not found."""
        while position + len(wanted) <= self.size:
            piece, base = self.piece(position)
            found = piece.find(wanted, position - base)
            if found >= 0 or base + len(piece) >= self.size:
                return base + found if found >= 0 else -1
            position = base + len(piece) - len(wanted) + 1
        return -1


def without_front(ranges: list[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """Ranges without their first ``size`` bytes."""
    kept = []
    for start, end in ranges:
        left_out = min(size, end - start)
        size -= left_out
        if start + left_out < end:
            kept.append((start + left_out, end))
    return kept


class Rest:
    """A file from an offset. Optimised for many small reads, because decoders read one frame at a time."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file, self._start = file, start
        self.readinto = file.readinto  # type: ignore[attr-defined]
        self.read = file.read
        file.seek(start)

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Seek, as in any binary file."""
        if abs(offset) < _FARTHEST:
            with contextlib.suppress(OSError, ValueError):  # before the start, because of a wrong header
                return self._file.seek(offset + self._start if whence == SEEK_SET else offset, whence) - self._start
        return self.tell()

    def tell(self) -> int:
        """Return the current position."""
        return self._file.tell() - self._start


class View:
    """A read-only virtual file of parts of another file, bytes and zeros. Has the methods that decoders use."""

    def __init__(self, file: BinaryIO | Pieces, parts: Parts) -> None:
        self._file, self._parts = file, parts
        self._bounds = [0]
        for part in parts:
            size = part if isinstance(part, int) else len(part) if isinstance(part, bytes) else part[1] - part[0]
            self._bounds.append(self._bounds[-1] + size)
        self._position = 0
        self._plain = None if isinstance(file, Pieces) else file

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Seek, as in any binary file."""
        if whence == SEEK_CUR:
            offset += self._position
        elif whence == SEEK_END:
            offset += self._bounds[-1]
        self._position = max(offset, 0)
        return self._position

    def tell(self) -> int:
        """Return the current position."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Read bytes from the current position, by default all."""
        left = self._bounds[-1] - self._position
        data = bytearray(left if size < 0 else min(size, max(left, 0)))
        return bytes(data[: self.readinto(data)])

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer from the current position. Returns the number of bytes read."""
        number = bisect_right(self._bounds, self._position) - 1
        wanted = len(buffer)
        if self._plain is not None and self._position + wanted <= self._bounds[-1]:
            part = self._parts[number]
            if isinstance(part, tuple) and self._position + wanted <= self._bounds[number + 1]:  # the usual case
                self._plain.seek(part[0] + self._position - self._bounds[number])
                read = int(self._plain.readinto(buffer))  # type: ignore[attr-defined]
                self._position += read
                return read
        return self._fill(memoryview(buffer).cast("B"))

    def _fill(self, view: memoryview) -> int:
        done = 0
        while done < len(view) and self._position < self._bounds[-1]:
            number = bisect_right(self._bounds, self._position) - 1
            part, inside = self._parts[number], self._position - self._bounds[number]
            size = min(len(view) - done, self._bounds[number + 1] - self._position)
            piece = view[done : done + size]
            if isinstance(part, bytes):
                piece[:] = part[inside : inside + size]
            elif isinstance(part, int):
                piece[:] = bytes(size)
            else:
                size = _read_into(self._file, part[0] + inside, piece)
                if not size:
                    break
            done += size
            self._position += size
        return done


def _read_into(file: BinaryIO | Pieces, position: int, buffer: memoryview) -> int:
    if isinstance(file, Pieces):
        data = file.read(position, len(buffer))
        buffer[: len(data)] = data
        return len(data)
    file.seek(position)
    return int(file.readinto(buffer))  # type: ignore[attr-defined]
