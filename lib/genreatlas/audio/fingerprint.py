"""Acoustic fingerprints: Chromaprint's codes, by which copies of a recording are found.

A code is 32 bits that say how the twelve pitch classes changed over about two seconds; there is one every 0.124 s.
Equal sound has equal codes, whatever its level, its encoder and its format. A speed that differs by 1 % also moves the
pitch, and leaves no code equal. So each clip has its codes twice, as it is and played 1 % faster: the slower of two
copies is found by its faster codes.

Who computes: the library ``libchromaprint``, loaded by ctypes, or the muxer of ffmpeg in the package imageio-ffmpeg.
Both give the same codes. Where neither is there, the set is left out.

References: Lukas Lalinsky, "How does Chromaprint work?", 2011; Ke, Hoiem & Sukthankar 2005, "Computer vision for music
identification"; Jang et al. 2009, "Pairwise boosted audio fingerprint".
"""

import ctypes
import ctypes.util
import functools
import importlib.util
import subprocess
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from genreatlas.audio.frames import Array
from genreatlas.audio.graph import REFERENCE_GRAPH

Codes = npt.NDArray[np.uint32]

#: How much faster the second codes are played. [ratio]
FASTER = 1.01
#: Time between codes: a third of Chromaprint's window of 4,096 samples at its own rate.
HOP_S = 1365 / 11_025
#: Its default algorithm, TEST2: chosen by AcoustID, whose fingerprints are equal to these.
_ALGORITHM = 1
#: Peak that samples are scaled to, in 16 bits: a clip's level changes no bit.
_PEAK = 30_000
#: Names of the shared library where the linker's cache does not tell it.
_LIBRARIES = ("libchromaprint.so.1", "libchromaprint.so.0", "libchromaprint.1.dylib", "chromaprint.dll")

#: What is said where neither is there.
MISSING = (
    "fingerprint is left out: neither the library libchromaprint (Debian: apt-get install libchromaprint1) nor ffmpeg "
    "of the package imageio-ffmpeg (pip install 'genreatlas[fingerprint]') is installed"
)


@REFERENCE_GRAPH.feature
def fingerprint_codes(samples: Array, sample_rate: int) -> Array:
    """Codes of the clip as it is and 1 % faster, (2, n_codes) whole numbers below 2**32.

    The faster ones are those of the same samples at a rate that is 1 % higher. Both are cut to the shorter's length.
    """
    whole = to_16_bits(samples)
    compute = backend()
    if compute is None:
        raise RuntimeError(MISSING)
    rates = (sample_rate, round(sample_rate * FASTER))
    found = [compute(whole, rate) for rate in rates]
    length = min(map(len, found))
    return np.array([codes[:length] for codes in found], dtype=np.float64)


def to_16_bits(samples: Array) -> npt.NDArray[np.int16]:
    """Samples scaled to one peak and turned so that it is positive: neither level nor polarity changes a bit."""
    if not len(samples):
        return np.zeros(0, dtype=np.int16)
    highest, lowest = float(samples.max()), float(samples.min())
    peak = highest if highest >= -lowest else lowest
    if abs(peak) < np.finfo(np.float32).tiny:
        return np.zeros(len(samples), dtype=np.int16)
    return np.rint(np.asarray(samples, dtype=np.float64) / peak * _PEAK).astype(np.int16)


@functools.cache
def backend() -> Callable[[npt.NDArray[np.int16], int], Codes] | None:
    """Function (samples, rate) -> codes: the library's, ffmpeg's, or None."""
    library = _load()
    if library is not None:
        return functools.partial(_by_library, library)
    program = _ffmpeg()
    return functools.partial(by_ffmpeg, program) if program else None


def lacking() -> str:
    """What is missing to compute fingerprints, in words; empty where nothing is."""
    return MISSING if backend() is None else ""


def _load() -> ctypes.CDLL | None:
    found = ctypes.util.find_library("chromaprint")
    for name in [*([found] if found else []), *_LIBRARIES]:
        try:
            library = ctypes.CDLL(name)
            break
        except OSError:
            continue
    else:
        return None
    pointer, number = ctypes.c_void_p, ctypes.c_int
    numbers = ctypes.POINTER(ctypes.c_uint32)
    signatures: dict[str, tuple[type, ...]] = {
        "start": (pointer, number, number),
        "feed": (pointer, pointer, number),
        "finish": (pointer,),
        "get_raw_fingerprint": (pointer, ctypes.POINTER(numbers), ctypes.POINTER(number)),
    }
    for name, arguments in signatures.items():
        function = getattr(library, f"chromaprint_{name}")
        function.argtypes, function.restype = arguments, number
    library.chromaprint_new.argtypes, library.chromaprint_new.restype = (number,), pointer
    library.chromaprint_free.argtypes, library.chromaprint_free.restype = (pointer,), None
    library.chromaprint_dealloc.argtypes, library.chromaprint_dealloc.restype = (pointer,), None
    return library


def _by_library(library: ctypes.CDLL, samples: npt.NDArray[np.int16], rate: int) -> Codes:
    whole = np.ascontiguousarray(samples)
    context = library.chromaprint_new(_ALGORITHM)
    codes, count = ctypes.POINTER(ctypes.c_uint32)(), ctypes.c_int()
    try:
        done = (
            library.chromaprint_start(context, rate, 1)
            and library.chromaprint_feed(context, whole.ctypes.data, len(whole))
            and library.chromaprint_finish(context)
            and library.chromaprint_get_raw_fingerprint(context, ctypes.byref(codes), ctypes.byref(count))
        )
        if not done:
            raise RuntimeError(f"libchromaprint refused {len(whole)} samples at {rate} Hz")
        found = np.ctypeslib.as_array(codes, (count.value,)).copy() if count.value else np.zeros(0, np.uint32)
        library.chromaprint_dealloc(codes)
        return found
    finally:
        library.chromaprint_free(context)


def _ffmpeg() -> str:
    """Path of the program in the package imageio-ffmpeg; empty where it is not there or not made with Chromaprint."""
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        return ""
    import imageio_ffmpeg

    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
        listed = subprocess.run([program, "-v", "error", "-muxers"], capture_output=True, text=True, check=True)
    except (RuntimeError, OSError, subprocess.CalledProcessError):
        return ""
    return program if " chromaprint " in listed.stdout else ""


def by_ffmpeg(program: str, samples: npt.NDArray[np.int16], rate: int) -> Codes:
    """Codes by ffmpeg's muxer, from a pipe to a pipe."""
    if not len(samples):
        return np.zeros(0, dtype=np.uint32)
    command = [
        program, "-v", "error", "-threads", "1", "-f", "s16le", "-ar", str(rate), "-ac", "1", "-i", "pipe:0",
        "-f", "chromaprint", "-algorithm", str(_ALGORITHM), "-fp_format", "raw", "pipe:1",
    ]  # fmt: skip
    done = subprocess.run(command, input=samples.astype("<i2").tobytes(), capture_output=True)
    if done.returncode:
        raise RuntimeError(f"ffmpeg made no fingerprint: {done.stderr.decode(errors='replace').strip()[-200:]}")
    return np.frombuffer(done.stdout, dtype="<u4").astype(np.uint32)
