"""Acoustic fingerprints: Chromaprint's codes, with which copies of a recording are found.

A code of 32 bits, one every 0.124 s, describes the change of the twelve pitch classes over about two seconds. Copies of
a recording have equal codes whatever their level, encoder and format. A difference in speed of 1 % also shifts the
pitch, so that no code is equal. Each clip therefore has codes at its own speed and at 1 % higher speed: the slower of
two copies is found by its faster codes.

The codes are computed by the library ``libchromaprint``, loaded by ctypes, or by the muxer of ffmpeg in the package
imageio-ffmpeg. Both give the same codes. If neither is installed, the set is skipped.

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

#: Speed of the second codes relative to the first.
FASTER = 1.01
#: Time between codes in s: a third of Chromaprint's window of 4,096 samples at its own rate of 11,025 Hz.
HOP_S = 1365 / 11_025
#: Chromaprint's default algorithm, TEST2, which AcoustID uses; fingerprints are equal to AcoustID's.
_ALGORITHM = 1
#: Peak to which samples are scaled before conversion to 16 bits, so that codes do not depend on the level.
_PEAK = 30_000
#: Names of the shared library, tried if the linker's cache does not list it.
_LIBRARIES = ("libchromaprint.so.1", "libchromaprint.so.0", "libchromaprint.1.dylib", "chromaprint.dll")

#: Message if neither is installed.
MISSING = (
    "fingerprint is left out: neither the library libchromaprint (Debian: apt-get install libchromaprint1) nor ffmpeg "
    "of the package imageio-ffmpeg (pip install 'genreatlas[fingerprint]') is installed"
)


@REFERENCE_GRAPH.feature
def fingerprint_codes(samples: Array, sample_rate: int) -> Array:
    """Codes of the clip at its own speed and 1 % faster, (2, n_codes) whole numbers below 2**32.

    The faster codes are computed by declaring a sample rate 1 % higher. Both rows are cut to the shorter length.
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
    """Scale samples to a fixed positive peak and convert to int16, independent of level and polarity."""
    if not len(samples):
        return np.zeros(0, dtype=np.int16)
    highest, lowest = float(samples.max()), float(samples.min())
    peak = highest if highest >= -lowest else lowest
    if abs(peak) < np.finfo(np.float32).tiny:
        return np.zeros(len(samples), dtype=np.int16)
    return np.rint(np.asarray(samples, dtype=np.float64) / peak * _PEAK).astype(np.int16)


@functools.cache
def backend() -> Callable[[npt.NDArray[np.int16], int], Codes] | None:
    """Function (samples, rate) -> codes, by the library or else by ffmpeg; None if neither is installed."""
    library = _load()
    if library is not None:
        return functools.partial(_by_library, library)
    program = _ffmpeg()
    return functools.partial(by_ffmpeg, program) if program else None


def lacking() -> str:
    """Description of the software missing to compute fingerprints; empty if nothing is missing."""
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
    """Path of the program in the package imageio-ffmpeg; empty if missing or built without Chromaprint."""
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
    """Compute codes by ffmpeg's muxer, through pipes."""
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
