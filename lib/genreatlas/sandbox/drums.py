"""Drum hits, rendered once per kit."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.signal import butter, sosfilt

from genreatlas.sandbox.instruments import RATE, Mono
from genreatlas.sandbox.style import Kit

# Where the energy of a piece lies, for the truth.
BANDS = {
    "kick": "low",
    "tom": "low",
    "snare": "mid",
    "clap": "mid",
    "rim": "mid",
    "brush": "high",
    "hat": "high",
    "open": "high",
    "pedal": "high",
    "ride": "high",
    "shaker": "high",
}


@lru_cache(maxsize=256)
def render_hit(kit: Kit, piece: str) -> Mono:
    """Render one hit of a kit's piece.

    Parameters
    ----------
    kit : the kit.
    piece : a name in ``BANDS``.

    Returns
    -------
    float32 samples, the onset on the first one, peak 1.
    """
    sound = _PIECES[piece](kit, np.random.default_rng(sorted(BANDS).index(piece)))
    fade = min(len(sound), 441)
    sound[-fade:] *= np.linspace(1.0, 0.0, fade)
    hit: Mono = (sound / np.abs(sound).max()).astype(np.float32)
    hit.setflags(write=False)
    return hit


def _time(seconds: float) -> np.ndarray:
    return np.arange(int(seconds * RATE)) / RATE


def _noise(random: np.random.Generator, length: int, low: float, high: float) -> np.ndarray:
    band = butter(2, (low, min(high, 19000.0)), "bandpass", fs=RATE, output="sos")
    return np.asarray(sosfilt(band, random.standard_normal(length)))


def _metal(time: np.ndarray, pitch: float) -> np.ndarray:
    """Six inharmonic square waves, as in the circuits of early drum machines."""
    partials = (205.3, 304.4, 369.6, 522.7, 540.0, 800.0)
    return np.sum([np.sign(np.sin(2 * np.pi * 8 * pitch * hz * time)) for hz in partials], axis=0) / 6


def _sweep(time: np.ndarray, low: float, extra: float, fall: float) -> np.ndarray:
    """A sine that falls from ``low + extra`` Hz to `low`."""
    return np.sin(2 * np.pi * (low * time + extra * fall * (1.0 - np.exp(-time / fall))) + 0.6)


def _kick(kit: Kit, random: np.random.Generator) -> np.ndarray:
    electronic = kit.style == "electronic"
    decay = (0.16 if electronic else 0.09) * kit.decay
    time = _time(min(5 * decay, 0.7))
    low, extra = (46.0, 260.0) if electronic else (62.0, 110.0)
    body = _sweep(time, low * kit.pitch, extra * kit.pitch, 0.022) * np.exp(-time / decay)
    click = _noise(random, len(time), 1500.0, 3000.0 + 7000.0 * kit.brightness) * np.exp(-time / 0.004)
    return np.tanh(1.6 * body) + (0.15 + 0.5 * kit.snap) * click


def _snare(kit: Kit, random: np.random.Generator) -> np.ndarray:
    decay = (0.09 if kit.style != "brushes" else 0.06) * kit.decay
    time = _time(6 * decay)
    tone = _sweep(time, 178.0 * kit.pitch, 60.0, 0.01) + 0.5 * np.sin(2 * np.pi * 331.0 * kit.pitch * time)
    rattle = _noise(random, len(time), 900.0, 5000.0 + 9000.0 * kit.brightness)
    return (0.9 - 0.5 * kit.snap) * tone * np.exp(-time / (0.6 * decay)) + (0.5 + kit.snap) * rattle * np.exp(
        -time / decay
    )


def _clap(kit: Kit, random: np.random.Generator) -> np.ndarray:
    time = _time(0.3)
    envelope = 0.7 * np.exp(-time / (0.07 * kit.decay))
    for burst in (0.0, 0.011, 0.022):
        envelope += (time >= burst) * np.exp(-np.maximum(time - burst, 0.0) / 0.004)
    return _noise(random, len(time), 800.0 * kit.pitch, 2500.0 + 4000.0 * kit.brightness) * envelope


def _cymbal(decay: float, tone: float, low: float) -> Callable[[Kit, np.random.Generator], np.ndarray]:
    def render(kit: Kit, random: np.random.Generator) -> np.ndarray:
        fall = decay * kit.decay
        time = _time(min(5 * fall, 1.6))
        high = 9000.0 + 9000.0 * kit.brightness
        metal = _metal(time, kit.pitch) * tone * (1.4 if kit.style == "electronic" else 0.7)
        band = butter(2, (low, high), "bandpass", fs=RATE, output="sos")
        sound = np.asarray(sosfilt(band, metal + random.standard_normal(len(time))))
        ping = np.exp(-time / 0.012) * (0.4 + kit.snap)
        return sound * (np.exp(-time / fall) + ping)

    return render


def _ride(kit: Kit, random: np.random.Generator) -> np.ndarray:
    time = _time(1.1 * kit.decay)
    ping = sum(np.sin(2 * np.pi * hz * kit.pitch * time) for hz in (2890.0, 3407.0, 4689.0, 5911.0))
    wash = _noise(random, len(time), 4000.0, 9000.0 + 8000.0 * kit.brightness)
    stick = _noise(random, len(time), 2000.0, 8000.0) * np.exp(-time / 0.005)
    return 0.2 * ping * np.exp(-time / (0.18 * kit.decay)) + 0.35 * wash * np.exp(-time / (0.3 * kit.decay)) + stick


def _tom(kit: Kit, random: np.random.Generator) -> np.ndarray:
    time = _time(0.45 * kit.decay)
    stick = _noise(random, len(time), 500.0, 4000.0) * np.exp(-time / 0.005)
    return _sweep(time, 105.0 * kit.pitch, 45.0, 0.04) * np.exp(-time / (0.13 * kit.decay)) + kit.snap * 0.3 * stick


def _rim(kit: Kit, random: np.random.Generator) -> np.ndarray:
    time = _time(0.09)
    tone = np.sin(2 * np.pi * 1720.0 * kit.pitch * time + 1.0) + 0.6 * np.sin(
        2 * np.pi * 535.0 * kit.pitch * time + 1.0
    )
    return tone * np.exp(-time / (0.012 * kit.decay)) + 0.3 * _noise(random, len(time), 2000.0, 9000.0) * np.exp(
        -time / 0.004
    )


def _brush(kit: Kit, random: np.random.Generator) -> np.ndarray:
    time = _time(0.28)
    swish = _noise(random, len(time), 1500.0, 6000.0 + 7000.0 * kit.brightness)
    return swish * (0.35 * np.exp(-time / (0.09 * kit.decay)) + np.exp(-time / 0.012))


def _shaker(kit: Kit, random: np.random.Generator) -> np.ndarray:
    time = _time(0.12)
    grains = _noise(random, len(time), 4500.0 * kit.pitch, 10000.0 + 8000.0 * kit.brightness)
    return grains * np.minimum(time / 0.004, 1.0) * np.exp(-time / (0.028 * kit.decay))


_PIECES: dict[str, Callable[[Kit, np.random.Generator], np.ndarray]] = {
    "kick": _kick,
    "tom": _tom,
    "snare": _snare,
    "clap": _clap,
    "rim": _rim,
    "brush": _brush,
    "hat": _cymbal(0.03, 0.8, 6000.0),
    "open": _cymbal(0.16, 0.8, 5000.0),
    "pedal": _cymbal(0.018, 0.5, 4000.0),
    "ride": _ride,
    "shaker": _shaker,
}
