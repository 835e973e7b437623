"""A decoder that some files kill: C's own ``abort``, and a call that never returns from C."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

from genreatlas.audio import isolation, worker


@contextmanager
def hostile_decoder() -> Iterator[None]:
    """Decode files named ``abort*`` and ``hang*`` as the worst decoder would, and all others as ever."""
    prepare = worker.prepare

    def decode(source, *how):
        name = source.rpartition(b"/")[2] if isinstance(source, bytes) else b""
        if name.startswith(b"abort"):
            ctypes.PyDLL(None).abort()
        if name.startswith(b"hang"):
            ctypes.PyDLL(None).pause()  # with the interpreter's lock held: no Python code runs again
        return prepare(source, *how)

    isolation.stop_helper()
    worker.prepare = decode
    try:
        yield
    finally:
        worker.prepare = prepare
        isolation.stop_helper()
