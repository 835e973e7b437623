"""What a recording's level and its encoder leave in it, measured on the decoded samples as they are.

A genre classifier can cheat on all of these: metal is louder, old jazz has no treble, a low bit rate
cuts it off.
"""

import numpy as np

from genreatlas.audio.frames import Array
from genreatlas.audio.graph import REFERENCE_GRAPH

#: A run of at least so many samples at the clip's own peak is a flat top. One sample at it is only the peak.
_FLAT_TOP = 3
#: Samples within this of the peak are at it: half a step of 16 bits.
_AT_PEAK = 1.5e-5
#: Below this peak a flat top is no clipping, as full scale is far away. [full scale]
_COULD_CLIP = 0.5
#: A block of 50 ms below this level is silence. [dBFS]
_SILENT_DBFS = -60.0
_BLOCK_S = 0.05
#: Length of the transforms that bandwidth is measured on.
_N_FFT = 2048
#: What lies further below the clip's strongest bin is nothing. Of 128 kbit/s MP3 nearly all clips come out within
#: 300 Hz of the encoder's 17.3 kHz; with 50 dB quiet treble is missed, with 90 dB a soft filter's skirt is heard. [dB]
_BANDWIDTH_RANGE_DB = 65.0


@REFERENCE_GRAPH.feature
def clipping_share(source_samples: Array) -> float:
    """Share of samples on flat tops at the clip's own peak, 0 … 1: what clipping before or in the encoder left.

    A run of three samples or more within half a 16-bit step of the largest one counts, where that is at
    least half of full scale. A full-scale square wave clips throughout; a sine at full scale nearly never.
    """
    peak = float(np.abs(source_samples).max(initial=0.0))
    if peak < _COULD_CLIP:
        return 0.0
    share = 0
    for side in (source_samples, -source_samples):
        at_peak = np.concatenate([[False], side >= min(peak, 1.0) - _AT_PEAK, [False]])
        steps = np.flatnonzero(at_peak[1:] != at_peak[:-1])
        runs = steps[1::2] - steps[::2]
        share += int(runs[runs >= _FLAT_TOP].sum())
    return share / len(source_samples)


@REFERENCE_GRAPH.feature
def silence_share(source_samples: Array, source_rate: int) -> float:
    """Share of blocks of 50 ms whose RMS lies below -60 dBFS, 0 … 1."""
    length = max(round(_BLOCK_S * source_rate), 1)
    blocks = np.asarray(source_samples[: len(source_samples) // length * length], np.float64).reshape(-1, length)
    if not len(blocks):
        blocks = np.asarray(source_samples, np.float64)[np.newaxis]
    power = np.einsum("ij,ij->i", blocks, blocks) / max(blocks.shape[1], 1)
    return float(np.mean(power < 10.0 ** (_SILENT_DBFS / 10)))


@REFERENCE_GRAPH.feature
def effective_bandwidth(source_samples: Array, source_rate: int) -> float:
    """Frequency above which the clip holds nothing, Hz; NaN in silence.

    The highest bin whose level in any of the clip's spectra comes within 65 dB of the strongest bin's: an
    encoder's low-pass takes away more than that, an instrument's own fall seldom does.
    """
    from scipy import fft
    from scipy.signal import get_window

    n_fft = min(_N_FFT, max(len(source_samples), 1))
    taper = get_window("blackmanharris", n_fft).astype(np.float32)  # its side lobes lie below the range
    frames = source_samples[: len(source_samples) // n_fft * n_fft].reshape(-1, n_fft)
    highest = np.zeros(n_fft // 2 + 1)
    for first in range(0, len(frames), 64):
        spectrum = fft.rfft(frames[first : first + 64] * taper, axis=1)
        np.maximum(highest, (spectrum.real**2 + spectrum.imag**2).max(axis=0), out=highest)
    strongest = float(highest.max(initial=0.0))
    if not strongest > 0.0:
        return np.nan
    last = int(np.flatnonzero(highest >= strongest * 10.0 ** (-_BANDWIDTH_RANGE_DB / 10))[-1])
    return last * source_rate / n_fft
