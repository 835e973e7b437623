"""Loudness of a cut, and its normalisation: in float, without a limiter, with a bounded gain."""

import math
import warnings
from dataclasses import dataclass

import numpy as np

from genreatlas.config import ClipSection

#: Gain beyond this would lift noise more than music.
MAX_GAIN_DB = 20.0


@dataclass(frozen=True)
class Loudness:
    """Loudness of a mono cut before normalisation, and the gain that was applied to it.

    ``lufs`` is None below 0.4 s (one block of BS.1770) and where every block lies under its gate of
    -70 LUFS; ``peak_dbfs`` and ``rms_dbfs`` are None for digital silence.
    """

    lufs: float | None
    peak_dbfs: float | None
    rms_dbfs: float | None
    gain_db: float = 0.0


def measure(samples: np.ndarray, sample_rate: int) -> Loudness:
    """Measure a mono signal.

    Parameters
    ----------
    samples : (n,) float, full scale at 1.
    sample_rate : Hz.

    References: ITU-R BS.1770-4 (integrated loudness, by pyloudnorm); peak and RMS relative to full scale,
    so a full-scale sine has an RMS of -3.01 dBFS.
    """
    signal = np.asarray(samples, dtype=np.float64)
    peak = float(np.abs(signal).max()) if len(signal) else 0.0
    rms = math.sqrt(float(np.dot(signal, signal)) / len(signal)) if len(signal) else 0.0
    return Loudness(_integrated(signal, sample_rate), _decibel(peak), _decibel(rms))


def normalise(samples: np.ndarray, sample_rate: int, clip: ClipSection) -> tuple[np.ndarray, Loudness]:
    """Bring a mono cut to the configured loudness; returns it with what was measured before.

    ``[clip] normalise`` is off (the gain is 0 dB), ebur128 or rms. The gain is capped at ±20 dB,
    samples may leave full scale, and a cut whose loudness is undefined is left alone.
    """
    loudness = measure(samples, sample_rate)
    if clip.normalise == "ebur128":
        wanted, is_now = clip.target_lufs, loudness.lufs
    elif clip.normalise == "rms":
        wanted, is_now = clip.target_rms_dbfs, loudness.rms_dbfs
    else:
        return samples, loudness
    if is_now is None:
        return samples, loudness
    gain = min(max(wanted - is_now, -MAX_GAIN_DB), MAX_GAIN_DB)
    scaled = (np.asarray(samples, dtype=np.float64) * 10.0 ** (gain / 20.0)).astype(np.float32)
    return scaled, Loudness(loudness.lufs, loudness.peak_dbfs, loudness.rms_dbfs, gain)


def _integrated(signal: np.ndarray, sample_rate: int) -> float | None:
    import pyloudnorm

    meter = pyloudnorm.Meter(sample_rate)
    if len(signal) < meter.block_size * sample_rate:
        return None
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore")  # the mean over no block above the gate
        value = float(meter.integrated_loudness(signal))
    return value if math.isfinite(value) else None


def _decibel(amplitude: float) -> float | None:
    return 20.0 * math.log10(amplitude) if amplitude > 0.0 else None
