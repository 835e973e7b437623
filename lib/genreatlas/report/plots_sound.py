"""What a song looks like: waveform and mel spectrogram."""

import io

import numpy as np
from matplotlib import colormaps
from PIL import Image

from genreatlas.report.svg import Figure, element, path

_COLUMNS = 420
_BANDS = 96
_RANGE_DB = 70.0


def waveform(name: str, samples: np.ndarray, sample_rate: int, title: str) -> Figure:
    """The largest and smallest sample of each column, on a scale from −1 to 1.

    Parameters
    ----------
    samples : (n,) mono, full scale = 1.
    sample_rate : Hz.
    """
    width, height = 420.0, 56.0
    edges = np.linspace(0, len(samples), min(_COLUMNS, len(samples)) + 1).astype(int)
    high = np.maximum.reduceat(samples, edges[:-1])
    low = np.minimum.reduceat(samples, edges[:-1])
    xs = np.linspace(0, width, len(high))
    middle = height / 2
    upper = list(zip(xs, middle - np.clip(high, -1, 1) * (middle - 1) - 0.4, strict=True))
    lower = list(zip(xs, middle - np.clip(low, -1, 1) * (middle - 1) + 0.4, strict=True))
    body = element("path", d=path([*upper, *reversed(lower)], close=True), class_="wave")
    seconds = len(samples) / sample_rate
    peak = float(np.abs(samples).max()) if len(samples) else 0.0
    return Figure(
        name,
        f"Waveform of {title}: {seconds:.0f} s, peak at {peak:.2f} of full scale.",
        body,
        width,
        height,
        stretched=True,
    )


def mel_picture(samples: np.ndarray, sample_rate: int) -> bytes:
    """Mel spectrogram as a PNG with a 256-colour palette.

    Parameters
    ----------
    samples : (n,) mono.
    sample_rate : Hz.

    Returns
    -------
    PNG of at most 420 × 96 pixels: time to the right, mel bands upwards, 70 dB below the loudest
    point from dark to bright (magma, readable for the colour-blind and in grey).

    References: McFee et al., librosa, SciPy 2015 (``librosa.feature.melspectrogram``).
    """
    import librosa  # takes a second to import, and only pages with sounds need it

    hop = max(256, int(np.ceil(len(samples) / _COLUMNS)))
    power = librosa.feature.melspectrogram(
        y=samples.astype(np.float32), sr=sample_rate, n_fft=2048, hop_length=hop, n_mels=_BANDS
    )
    decibels = librosa.power_to_db(power, ref=np.max, top_db=_RANGE_DB)
    levels = np.clip((decibels + _RANGE_DB) / _RANGE_DB * 255, 0, 255).astype(np.uint8)[::-1]
    picture = Image.fromarray(levels).convert("P")
    palette = (colormaps["magma"](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
    picture.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
