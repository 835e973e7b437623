"""In-process cache with expiry times."""

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")
_MAKERS = 64


class Kept(Generic[Value]):
    """LRU cache whose values expire; thread-safe.

    Parameters
    ----------
    most : maximum number of values.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._values: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._lock = threading.Lock()
        self._making = tuple(threading.Lock() for _ in range(_MAKERS))

    def making(self, key: Hashable) -> threading.Lock:
        """Lock to hold while a value is computed, so that concurrent requests compute it once."""
        return self._making[hash(key) % _MAKERS]

    def get(self, key: Hashable) -> Value | None:
        """Cached value; None if it is absent or has expired."""
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
        """Store a value and return it; ``expires`` is in seconds since the epoch."""
        with self._lock:
            self._values[key] = (expires, value)
            self._values.move_to_end(key)
            if len(self._values) > self.most:
                self._values.popitem(last=False)
        return value
