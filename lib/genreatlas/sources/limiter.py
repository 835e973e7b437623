"""A limit on requests in any rolling window, as the server's clock sees it."""

import heapq
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: Clocks and networks jitter: what is counted by our own clock gets this much more room.
MARGIN = 1.05


class RollingWindow:
    """At most so many requests in any window of so many seconds, by the server's clock.

    There are as many slots as requests in a window. A slot is taken before a request is sent and rests
    from then for the window and 5 %, and from the response for a whole window. The server saw the
    request before it answered, so the next request of the same slot reaches it a whole window later,
    however unlike their ways there are.

    A limiter that starts has no history: what another process sent just before is not known to it. So
    every slot rests for one window first.

    Parameters
    ----------
    requests : slots.
    window_s : length of the window, in seconds.
    """

    def __init__(self, requests: int, window_s: float) -> None:
        self.requests, self.window_s = requests, window_s
        self._changed = threading.Condition()
        self._rested: list[float] = []
        self._taken = 0
        self.forget()

    def forget(self) -> None:
        """Start without history, because others may have asked the host in the meantime."""
        with self._changed:
            rested = time.monotonic() + self.window_s * MARGIN
            self._rested = [rested] * (self.requests - self._taken)
            self._changed.notify_all()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a slot, and hold it while the request is under way."""
        self._take()
        sent = time.monotonic()
        try:
            yield
        finally:
            rested = max(sent + self.window_s * MARGIN, time.monotonic() + self.window_s)
            with self._changed:
                self._taken -= 1
                heapq.heappush(self._rested, rested)
                self._changed.notify()

    def _take(self) -> None:
        with self._changed:
            while True:
                wait = self._rested[0] - time.monotonic() if self._rested else None
                if wait is not None and wait <= 0:
                    heapq.heappop(self._rested)
                    self._taken += 1
                    return
                self._changed.wait(wait)
