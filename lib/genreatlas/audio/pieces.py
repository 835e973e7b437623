"""Files seen in pieces: read here and there, or put together for a decoder from what is good of them."""

import contextlib
from bisect import bisect_right
from dataclasses import dataclass
from io import SEEK_CUR, SEEK_END, SEEK_SET
from typing import Any, BinaryIO, Protocol

#: Bytes that are read of a file at once.
_PIECE = 1 << 20
#: No file is as long; headers that are wrong send decoders there.
_FARTHEST = 1 << 48

#: What a decoder is given in place of a file: ranges of it (first byte, end), bytes, and so many zeros.
Parts = tuple[tuple[int, int] | bytes | int, ...]


@dataclass(frozen=True)
class Stream:
    """One stream of a file.

    Parameters
    ----------
    parts : what the decoder is given.
    frames : samples per channel, where they are known and the decoder would find others.
    promised : those that the header promised, where the file has fewer.
    breaks_off : something is missing at the end.
    miscounted : the header states another length than the stream has, though nothing is missing.
    """

    parts: Parts
    frames: int | None = None
    promised: int | None = None
    breaks_off: bool = False
    miscounted: bool = False


class Readable(Protocol):
    """What is used of an open binary file."""

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        """Go to a byte."""

    def read(self, size: int = -1, /) -> bytes:
        """Read bytes."""


#: A file's bytes, or the open file.
Data = bytes | Readable


class Pieces:
    """The bytes of a file up to ``end``, wherever they are wanted."""

    def __init__(self, data: Data, end: int | None = None) -> None:
        self._file = None if isinstance(data, bytes) else data
        self._piece, self._base = (data, 0) if isinstance(data, bytes) else (b"", 0)
        size = len(data) if isinstance(data, bytes) else data.seek(0, 2)
        self.size = size if end is None else min(end, size)

    def piece(self, position: int) -> tuple[bytes, int]:
        """Many bytes from ``position`` on, and where in the file they begin; four at least, if the file has them."""
        if self._file is not None and not self._base <= position <= self._base + len(self._piece) - 4:
            self._file.seek(position)
            self._piece, self._base = self._file.read(_PIECE), position
        return self._piece, self._base

    def read(self, position: int, size: int) -> bytes:
        """The bytes from ``position`` on: ``size``, or as many as there are."""
        size = max(min(size, self.size - position), 0)
        piece, base = self.piece(position)
        if position - base + size > len(piece) and self._file is not None:
            self._file.seek(position)
            return self._file.read(size)
        return piece[position - base : position - base + size]

    def find(self, wanted: bytes, position: int) -> int:
        """Where some bytes stand next, from ``position`` on; -1 if nowhere."""
        while position + len(wanted) <= self.size:
            piece, base = self.piece(position)
            found = piece.find(wanted, position - base)
            if found >= 0 or base + len(piece) >= self.size:
                return base + found if found >= 0 else -1
            position = base + len(piece) - len(wanted) + 1
        return -1


def without_front(ranges: list[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """Ranges without their first bytes."""
    kept = []
    for start, end in ranges:
        left_out = min(size, end - start)
        size -= left_out
        if start + left_out < end:
            kept.append((start + left_out, end))
    return kept


class Rest:
    """A file from a byte on. Decoders read a frame at a time, so that every step here is felt."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file, self._start = file, start
        self.readinto = file.readinto  # type: ignore[attr-defined]
        self.read = file.read
        file.seek(start)

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Go to a byte, as in any binary file."""
        if abs(offset) < _FARTHEST:
            with contextlib.suppress(OSError, ValueError):  # before the start, by a header that is wrong
                return self._file.seek(offset + self._start if whence == SEEK_SET else offset, whence) - self._start
        return self.tell()

    def tell(self) -> int:
        """Say which byte comes next."""
        return self._file.tell() - self._start


class View:
    """A file made of parts of another, of bytes and of zeros, as far as decoders look at it."""

    def __init__(self, file: BinaryIO | Pieces, parts: Parts) -> None:
        self._file, self._parts = file, parts
        self._bounds = [0]
        for part in parts:
            size = part if isinstance(part, int) else len(part) if isinstance(part, bytes) else part[1] - part[0]
            self._bounds.append(self._bounds[-1] + size)
        self._position = 0
        self._plain = None if isinstance(file, Pieces) else file

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Go to a byte, as in any binary file."""
        if whence == SEEK_CUR:
            offset += self._position
        elif whence == SEEK_END:
            offset += self._bounds[-1]
        self._position = max(offset, 0)
        return self._position

    def tell(self) -> int:
        """Say which byte comes next."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Read bytes from here on, by default all."""
        left = self._bounds[-1] - self._position
        data = bytearray(left if size < 0 else min(size, max(left, 0)))
        return bytes(data[: self.readinto(data)])

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from here on, and say how many bytes there were."""
        number = bisect_right(self._bounds, self._position) - 1
        wanted = len(buffer)
        if self._plain is not None and self._position + wanted <= self._bounds[-1]:
            part = self._parts[number]
            if isinstance(part, tuple) and self._position + wanted <= self._bounds[number + 1]:  # nearly always
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
