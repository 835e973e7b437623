"""Clipping, silence and bandwidth, measured on the decoded samples before any processing.

All of these are confounders of a genre classifier: metal is louder, old jazz recordings have no treble, and encoders
at low bit rates remove treble.
"""

import numpy as np

from genreatlas.audio.frames import Array
from genreatlas.audio.graph import REFERENCE_GRAPH

#: Minimum number of consecutive samples at the clip's peak that counts as clipping.
_FLAT_TOP = 3
#: Tolerance for samples at the peak: half a step of 16 bits.
_AT_PEAK = 1.5e-5
#: Minimum peak for clipping, relative to full scale.
_COULD_CLIP = 0.5
#: Level below which a block of 50 ms is silent, in dBFS.
_SILENT_DBFS = -60.0
_BLOCK_S = 0.05
#: Length of the transforms for the bandwidth, in samples.
_N_FFT = 2048
#: Range below the clip's strongest bin that counts for the bandwidth, in dB. With it nearly all clips of MP3 at
#: 128 kbit/s are within 300 Hz of the encoder's 17.3 kHz; 50 dB miss quiet treble, 90 dB include a soft filter's skirt.
_BANDWIDTH_RANGE_DB = 65.0


@REFERENCE_GRAPH.feature
def clipping_share(source_samples: Array) -> float:
    """Share of samples in runs at the clip's peak, 0 … 1, a sign of clipping before or in the encoder.

    Counts runs of three or more samples within half a 16-bit step of the peak, if the peak is at least half of full
    scale. The share is 1 for a full-scale square wave and almost 0 for a full-scale sine.
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
    """Share of blocks of 50 ms with an RMS below -60 dBFS, 0 … 1."""
    length = max(round(_BLOCK_S * source_rate), 1)
    blocks = np.asarray(source_samples[: len(source_samples) // length * length], np.float64).reshape(-1, length)
    if not len(blocks):
        blocks = np.asarray(source_samples, np.float64)[np.newaxis]
    power = np.einsum("ij,ij->i", blocks, blocks) / max(blocks.shape[1], 1)
    return float(np.mean(power < 10.0 ** (_SILENT_DBFS / 10)))


@REFERENCE_GRAPH.feature
def effective_bandwidth(source_samples: Array, source_rate: int) -> float:
    """Highest frequency with content, Hz; NaN in silence.

    The highest bin whose maximum over the clip's spectra is within 65 dB of the strongest bin. An encoder's low-pass
    attenuates by more than that; the natural roll-off of instruments seldom does.
    """
    from scipy import fft
    from scipy.signal import get_window

    n_fft = min(_N_FFT, max(len(source_samples), 1))
    taper = get_window("blackmanharris", n_fft).astype(np.float32)  # its side lobes are below the range
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
