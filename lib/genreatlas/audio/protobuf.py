"""Parse protocol buffers without their schema, for ONNX files and TensorFlow's checkpoints.

A message is a sequence of fields, each a field number with a value: a varint, 4 or 8 bytes, or length-delimited bytes
(a string, a nested message, or packed numbers). Reference: https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator

Value = int | memoryview

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_LONGEST_VARINT = 10


def varint(data: memoryview, place: int) -> tuple[int, int]:
    """Parse the varint at a position: seven bits per byte, lowest first. Returns the number and the position after it.

    Raises
    ------
    ValueError : the data end within the number, or it has more than 64 bits.
    """
    number = 0
    for step in range(_LONGEST_VARINT):
        if place >= len(data):
            raise ValueError("the data end in the middle of a number")
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << (7 * step)
        if byte < 0x80:
            return number, place
    raise ValueError("a number has more than 64 bits")


def fields(data: memoryview) -> Iterator[tuple[int, Value]]:
    """Yield field number and value of each field of a message: varints as unsigned int, everything else as bytes.

    Raises
    ------
    ValueError : not a valid message.
    """
    place = 0
    while place < len(data):
        key, place = varint(data, place)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, place = varint(data, place)
            yield number, value
            continue
        if kind == _BYTES:
            length, place = varint(data, place)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"a field has the unsupported wire type {kind}")
        if number == 0 or place + length > len(data):
            raise ValueError("a field is longer than its message")
        yield number, data[place : place + length]
        place += length


def text(value: Value) -> str:
    """Value of a string field.

    Raises
    ------
    ValueError : the value is a number, or not UTF-8.
    """
    return bytes(nested(value)).decode("utf-8")


def nested(value: Value) -> memoryview:
    """Value of a field with a message or bytes.

    Raises
    ------
    ValueError : the value is a number.
    """
    if isinstance(value, int):
        raise ValueError("a number instead of a message")
    return value


def whole(value: Value) -> int:
    """Value of a numeric field.

    Raises
    ------
    ValueError : the value is bytes.
    """
    if not isinstance(value, int):
        raise ValueError("bytes instead of a number")
    return value
