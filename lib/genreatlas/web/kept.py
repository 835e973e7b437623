"""Answers that a process keeps, so that the second look costs a look-up."""

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")
_MAKERS = 64


class Kept(Generic[Value]):
    """The values that were asked for last, each until its time is over.

    Parameters
    ----------
    most : values that are kept.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._values: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._lock = threading.Lock()
        self._making = tuple(threading.Lock() for _ in range(_MAKERS))

    def making(self, key: Hashable) -> threading.Lock:
        """Held while a value is made, so that many who ask for it at once make it once."""
        return self._making[hash(key) % _MAKERS]

    def get(self, key: Hashable) -> Value | None:
        """A value; None where it is not kept, or its time is over."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            if found[0] <= time.time():
                del self._values[key]
                return None
            self._values.move_to_end(key)
            return found[1]

    def put(self, key: Hashable, value: Value, expires: float = float("inf")) -> Value:
        """Keep a value, and return it."""
        with self._lock:
            self._values[key] = (expires, value)
            self._values.move_to_end(key)
            if len(self._values) > self.most:
                self._values.popitem(last=False)
        return value
