"""Preprocessing of a file before feature extraction: choice of the cut, decoding, downmix and loudness normalisation.

One id identifies all settings (:func:`preprocessing_id`). Loudness is normalised in floating point, without a limiter,
with a bounded gain.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np

from genreatlas.audio.decode import DECODER, Signal, read_clip
from genreatlas.audio.probe import FileLayout, Source
from genreatlas.config import ClipSection
from genreatlas.errors import ClipError, Reason
from genreatlas.ids import stable_id

_MONO_RULE = "mean of channels"
_RATE_RULE = "soxr HQ where the rate differs"

#: Maximum gain in dB; a larger gain would mostly amplify noise.
MAX_GAIN_DB = 20.0

#: Parameters of BS.1770: block length and hop in s, absolute gate in LUFS, relative gate in LU.
_BLOCK_S, _HOP_S, _GATE_LUFS, _GATE_LU = 0.4, 0.1, -70.0, 10.0


@dataclass(frozen=True)
class Loudness:
    """Loudness of a mono cut before normalisation, and the gain that was applied to it.

    ``lufs`` is None for cuts shorter than 0.4 s (one block of BS.1770) and if every block is below the gate of
    -70 LUFS; ``peak_dbfs`` and ``rms_dbfs`` are None for digital silence.
    """

    lufs: float | None
    peak_dbfs: float | None
    rms_dbfs: float | None
    gain_db: float = 0.0


def preprocessing_id(clip: ClipSection) -> str:
    """Hash of all preprocessing settings that affect features.

    Window rule and length, mono rule, normalisation with target and bound, rate rule, and name of the decoder. Features
    with different ids must not be mixed in one training matrix.
    """
    target = {"off": None, "ebur128": clip.target_lufs, "rms": clip.target_rms_dbfs}[clip.normalise]
    bound = None if target is None else MAX_GAIN_DB
    rules = (window_rule(clip), _MONO_RULE, clip.normalise, target, bound, _RATE_RULE, DECODER)
    return stable_id("preprocessing", *rules)


def prepare(
    source: Source,
    start_s: float,
    length_s: float,
    clip: ClipSection,
    max_mb: int | None = None,
    layout: FileLayout | None = None,
) -> tuple[Signal, Loudness]:
    """Decode a cut, mix it to mono and normalise it, at the source's sample rate.

    Parameters
    ----------
    source, start_s, length_s, max_mb, layout : see :func:`genreatlas.audio.decode.read_clip`.
    clip : settings of the normalisation.

    Raises
    ------
    ClipError : see :func:`genreatlas.audio.decode.read_clip`.
    """
    signal = read_clip(source, start_s, length_s, max_mb, layout)
    samples, loudness = normalise(signal.samples, signal.sample_rate, clip)
    return Signal(samples, signal.sample_rate, signal.channels, signal.peak, signal.clipped, signal.truncated), loudness


def window_rule(clip: ClipSection) -> str:
    """Name of the rule that chooses the cut: ``middle:30``, ``start:10``, ``12.5:30``."""
    position = clip.position if isinstance(clip.position, str) else f"{clip.position:g}"
    return f"{position}:{clip.seconds:g}"


def choose_window(clip: ClipSection, duration_s: float) -> tuple[float, float]:
    """Start and length of the cut in a file of the given duration, in seconds, to the millisecond.

    A file shorter than the cut is used completely. A cut that would extend beyond the end is shifted to end with the
    file, so that it has its full length whenever the file is long enough.
    """
    length = min(clip.seconds, duration_s)
    last = duration_s - length
    if clip.position == "start":
        start = 0.0
    elif clip.position == "middle":
        start = last / 2
    else:
        start = min(max(float(clip.position), 0.0), last)
    return round(start, 3), round(length, 3)


def reject_short(clip: ClipSection, duration_s: float) -> None:
    """Raise ClipError if the duration of a file, in seconds, is less than ``clip.min_seconds``."""
    if duration_s < clip.min_seconds:
        detail = f"{duration_s:.2f} s are less than clip.min_seconds = {clip.min_seconds:g}."
        raise ClipError(Reason.TOO_SHORT, detail)


def file_windows(clip: ClipSection, duration_s: float, hop_s: float = 0.0, most: int = 0) -> list[tuple[float, float]]:
    """Starts and lengths of the windows that cover a whole file, in seconds, to the millisecond.

    Windows have the length of the cut and start every ``hop_s``. If more than half a hop remains at the end, another
    window ends with the file. A file shorter than the cut is one window.

    Parameters
    ----------
    clip : settings of the cut.
    duration_s : duration of the file, in seconds.
    hop_s : distance between the starts of windows, in seconds; 0: their length.
    most : maximum number of windows, chosen evenly from the first to the last; 0: no limit.
    """
    length = min(clip.seconds, duration_s)
    hop, last = hop_s or length, duration_s - length
    if last <= 0:
        return [(0.0, round(length, 3))]
    count = int(last / hop + 1e-9) + 1
    starts = [number * hop for number in range(count)]
    if last - starts[-1] > hop / 2:
        starts.append(last)
    if most and len(starts) > most:
        places = [round(number * (len(starts) - 1) / (most - 1)) for number in range(most)] if most > 1 else [0]
        starts = [starts[place] for place in places]
    return [(round(start, 3), round(length, 3)) for start in starts]


def measure(samples: np.ndarray, sample_rate: int) -> Loudness:
    """Measure loudness, peak and RMS of a mono signal.

    Parameters
    ----------
    samples : (n,) float, full scale at 1.
    sample_rate : Hz.

    References: ITU-R BS.1770-4 (integrated loudness); peak and RMS relative to full scale,
    so a full-scale sine has an RMS of -3.01 dBFS.
    """
    if not len(samples):
        return Loudness(None, None, None)
    from genreatlas.audio.kernels.waves import chunk_energy

    peak = float(max(samples.max(), -samples.min()))
    rms = math.sqrt(float(chunk_energy(samples, len(samples))[0]) / len(samples))
    return Loudness(integrated(samples, sample_rate), _decibel(peak), _decibel(rms))


def normalise(samples: np.ndarray, sample_rate: int, clip: ClipSection) -> tuple[np.ndarray, Loudness]:
    """Normalise a mono cut to the configured loudness. Returns the cut and its loudness before normalisation.

    ``[clip] normalise`` is off (the gain is 0 dB), ebur128 or rms. The gain is limited to ±20 dB, samples may exceed
    full scale, and a cut of undefined loudness is unchanged.
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


def integrated(signal: np.ndarray, sample_rate: int) -> float | None:
    """Integrated loudness of a mono signal in LUFS; None if shorter than a block or if all blocks are below the gate.

    References: ITU-R BS.1770-4: K-weighting, blocks of 0.4 s every 0.1 s, gates at -70 LUFS and 10 LU below the
    mean of the blocks that pass the first. Filters and block boundaries are pyloudnorm's, so that results are equal.
    """
    from genreatlas.audio.kernels.waves import filtered_energy

    if len(signal) < _BLOCK_S * sample_rate:
        return None
    first = np.arange(int(np.round((len(signal) / sample_rate - _BLOCK_S) / _HOP_S)) + 1) * (_HOP_S / _BLOCK_S)
    bounds = np.stack([first, first + 1.0], axis=1)
    places, which = np.unique((_BLOCK_S * bounds * sample_rate).astype(np.int64).ravel(), return_inverse=True)
    energy = filtered_energy(signal, _k_weighting(sample_rate), np.minimum(places, len(signal)))
    power = np.add.reduceat(np.append(energy, 0.0), which)[::2] / (_BLOCK_S * sample_rate)
    loud = power[_lufs(power) >= _GATE_LUFS]
    if not len(loud):
        return None
    loud = loud[_lufs(loud) > max(_lufs(loud.mean()) - _GATE_LU, _GATE_LUFS)]
    return float(_lufs(loud.mean())) if len(loud) else None


@functools.cache
def _k_weighting(sample_rate: int) -> np.ndarray:
    """Both filters of BS.1770 as (2, 6) second-order sections."""
    from pyloudnorm.iirfilter import IIRfilter

    stages = (
        IIRfilter(4.0, 1 / np.sqrt(2), 1500.0, sample_rate, "high_shelf"),
        IIRfilter(0.0, 0.5, 38.0, sample_rate, "high_pass"),
    )
    return np.array([np.concatenate([stage.passband_gain * stage.b, stage.a]) for stage in stages])


def _lufs(power: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.asarray(-0.691 + 10.0 * np.log10(power))


def _decibel(amplitude: float) -> float | None:
    return 20.0 * math.log10(amplitude) if amplitude > 0.0 else None
