"""A decoder that crashes or hangs on some files: C's ``abort``, and a C call that never returns."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

from genreatlas.audio import isolation, worker


@contextmanager
def hostile_decoder() -> Iterator[None]:
    """Abort on files named ``abort*``, hang on files named ``hang*``, and decode all other files normally."""
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
