"""Ids that look like Spotify's and hold the number of what they name, so that nothing has to be looked up."""

import hashlib
import string
from enum import IntEnum
from functools import lru_cache

_DIGITS = string.digits + string.ascii_lowercase + string.ascii_uppercase
_VALUE = {digit: value for value, digit in enumerate(_DIGITS)}
_BASE36 = string.digits + string.ascii_uppercase
_LENGTH = 22


class Kind(IntEnum):
    """What an id names."""

    TRACK = 1
    ARTIST = 2
    ALBUM = 3
    PLAYLIST = 4
    EPISODE = 5
    SHOW = 6


class Ids:
    """Ids of one world; those of another seed mean nothing here."""

    def __init__(self, seed: int) -> None:
        self._key = str(seed).encode()
        self.encode = lru_cache(1 << 16)(self._encode)

    def _encode(self, kind: Kind, number: int) -> str:
        """Id of the thing with this number: 22 digits to the base of 62."""
        payload = kind << 56 | number
        mark = self._mark(payload)
        value = mark << 64 | (payload ^ mark)
        digits = []
        for _ in range(_LENGTH):
            value, digit = divmod(value, 62)
            digits.append(_DIGITS[digit])
        return "".join(reversed(digits))

    def decode(self, kind: Kind, text: str) -> int | None:
        """Number in an id; None for any other text, and for ids of other kinds and worlds."""
        if len(text) != _LENGTH or not set(text) <= set(_DIGITS):
            return None
        value = 0
        for digit in text:
            value = value * 62 + _VALUE[digit]
        mark, low = value >> 64, value & (1 << 64) - 1
        payload = low ^ mark
        if payload >> 64 or self._mark(payload) != mark or payload >> 56 != kind:
            return None
        return payload & (1 << 56) - 1

    def _mark(self, payload: int) -> int:
        digest = hashlib.blake2b(payload.to_bytes(8, "big"), key=self._key[:64], digest_size=8).digest()
        return int.from_bytes(digest, "big")


def isrc(number: int) -> str:
    """An ISRC for a recording (ISO 3901): country, registrant, year, and number."""
    registrant, serial = divmod(number, 100_000)
    letters = ""
    for _ in range(3):
        registrant, digit = divmod(registrant, 36)
        letters = _BASE36[digit] + letters
    return f"QZ{letters}{_year(number):02d}{serial:05d}"


def isrc_number(text: str) -> int | None:
    """The number of the recording, or None where no recording has this code."""
    text = text.upper()
    if len(text) != 12 or not text.startswith("QZ") or not text[5:].isdecimal() or not text[2:5].isalnum():
        return None
    registrant = int(text[2:5], 36)
    number = registrant * 100_000 + int(text[7:])
    return number if isrc(number) == text else None


def _year(number: int) -> int:
    return number * 7 % 26
