"""Read the variables of a TensorFlow checkpoint without TensorFlow.

A checkpoint consists of an index and data files. The index is a sorted string table in LevelDB's format: blocks of
entries, an index of blocks, and a footer. Its values are protocol buffers (BundleEntryProto) with the position of each
variable in the data. Reference: tensorflow/core/util/tensor_bundle/tensor_bundle.h
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from genreatlas.audio.protobuf import fields, nested, varint, whole
from genreatlas.errors import InputError

_FOOTER, _MAGIC = 48, 0xDB4775248B80FB57
#: Length of the trailer of a block (compression type and checksum), and the type for uncompressed blocks.
_TRAILER, _UNCOMPRESSED = 5, 0
_DTYPE, _SHAPE, _SHARD, _OFFSET, _SIZE = 1, 2, 3, 4, 5
_DIMENSION, _LENGTH = 2, 1
_FLOAT32 = 1


def read_variables(folder: Path, name: str = "") -> dict[str, npt.NDArray[np.float32]]:
    """Read all float32 variables by name.

    Parameters
    ----------
    folder, name : location of ``<name>.index`` and ``<name>.data-00000-of-00001``.

    Raises
    ------
    InputError : files are missing, truncated, or in another format.
    """
    index, data = folder / f"{name}.index", folder / f"{name}.data-00000-of-00001"
    try:
        content, table = data.read_bytes(), memoryview(index.read_bytes())
        return dict(_variables(table, content))
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}.") from None
    except (ValueError, struct.error) as error:
        raise InputError(f"{index}: not a checkpoint with one shard: {error}.") from None


def _variables(table: memoryview, data: bytes) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    for name, value in _entries(table):
        if not name:  # the header of the bundle
            continue
        entry = dict(fields(memoryview(value)))
        if entry.get(_SHARD):
            raise ValueError("it has several shards")
        if entry.get(_DTYPE) != _FLOAT32:
            continue
        dimensions = fields(nested(entry.get(_SHAPE, memoryview(b""))))
        lengths = (dict(fields(nested(one))).get(_LENGTH, 0) for number, one in dimensions if number == _DIMENSION)
        shape = tuple(map(whole, lengths))
        start, size = whole(entry.get(_OFFSET, 0)), whole(entry.get(_SIZE, 0))
        if start + size > len(data) or size != 4 * int(np.prod(shape, dtype=np.int64)):
            raise ValueError(f"{name.decode()} has an offset beyond the data, or a size that does not match its shape")
        yield name.decode("utf-8"), np.frombuffer(data, dtype="<f4", count=size // 4, offset=start).reshape(shape)


def _entries(table: memoryview) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a sorted string table."""
    if len(table) < _FOOTER or struct.unpack("<Q", table[-8:])[0] != _MAGIC:
        raise ValueError("it does not end like a sorted string table")
    footer, place = table[-_FOOTER:], 0
    handles = []
    for _ in range(4):
        number, place = varint(footer, place)
        handles.append(number)
    for _, handle in _block(table, *handles[2:]):  # the index of blocks
        start, behind = varint(memoryview(handle), 0)
        size, _ = varint(memoryview(handle), behind)
        yield from _block(table, start, size)


def _block(table: memoryview, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a block. Keys are stored without the prefix shared with the previous key."""
    if start + size + _TRAILER > len(table) or table[start + size] != _UNCOMPRESSED:
        raise ValueError("a block is compressed, or extends beyond the end of the file")
    block = table[start : start + size]
    restarts = struct.unpack("<I", block[-4:])[0]
    end, place, key = len(block) - 4 * (restarts + 1), 0, b""
    while place < end:
        shared, place = varint(block, place)
        own, place = varint(block, place)
        length, place = varint(block, place)
        key = key[:shared] + bytes(block[place : place + own])
        yield key, bytes(block[place + own : place + own + length])
        place += own + length
