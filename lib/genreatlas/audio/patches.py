"""Patches of log-mel spectrograms, the input of pretrained networks.

Bands and frames are computed as in librosa. The network's entry in ``[[extract.embeddings]]`` sets the parameters.
"""

import functools

import numpy as np
import numpy.typing as npt

from genreatlas.audio.librosa_loading import librosa
from genreatlas.config import EmbeddingEntry

Floats = npt.NDArray[np.float32]


def log_mel(samples: Floats, entry: EmbeddingEntry) -> Floats:
    """Log-mel spectrogram of a clip.

    Parameters
    ----------
    samples : (n,) mono float32, at the entry's rate.
    entry : parameters of the spectrogram.

    Returns
    -------
    (n_frames, n_mels) float32, at least one frame.
    """
    bands = mel_bands(samples, entry)
    if entry.logarithm == "none":
        return bands
    # in place, in float32: float16, used by the original code of some networks, overflows in loud music
    bands *= np.float32(entry.log_scale)
    bands += np.float32(entry.log_shift)
    return (np.log10 if entry.logarithm == "log10" else np.log)(bands, out=bands)


def mel_bands(samples: Floats, entry: EmbeddingEntry) -> Floats:
    """Sums of magnitudes or powers in mel bands, (n_frames, n_mels) float32."""
    import scipy.fft

    size, hop = entry.n_fft, entry.hop
    before = size // 2 if entry.centred else 0
    short = max(0, size - (len(samples) + 2 * before))
    padded = np.pad(np.asarray(samples, dtype=np.float32), (before, before + short))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    spectrum = scipy.fft.rfft(frames * _window(size, entry.window or size), axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return np.asarray((np.sqrt(power) if entry.power == 1 else power) @ _filters(entry).T, dtype=np.float32)


def cut(frames: Floats, entry: EmbeddingEntry) -> list[Floats]:
    """Patches of a spectrogram, each (patch, n_mels). Frames after the last whole patch are dropped.

    A spectrogram shorter than a patch is repeated to the length of one.
    """
    length = entry.patch
    if len(frames) < length:
        frames = np.tile(frames, (-(-length // len(frames)), 1))[:length]
    return [frames[start : start + length] for start in range(0, len(frames) - length + 1, entry.patch_hop)]


@functools.lru_cache(maxsize=8)
def _window(size: int, length: int) -> Floats:
    """Hann window of ``length``, centred in a frame of ``size``, as in librosa."""
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)
    before = (size - length) // 2
    return np.pad(window, (before, size - length - before)).astype(np.float32)


@functools.lru_cache(maxsize=8)
def _filters(entry: EmbeddingEntry) -> Floats:
    """Mel filters, (n_mels, 1 + n_fft / 2)."""
    return np.asarray(
        librosa().filters.mel(
            sr=entry.sample_rate,
            n_fft=entry.n_fft,
            n_mels=entry.n_mels,
            fmin=entry.low_hz,
            fmax=entry.high_hz or None,
            htk=entry.mel_scale == "htk",
            norm="slaney" if entry.mel_norm == "slaney" else None,
        ),
        dtype=np.float32,
    )
