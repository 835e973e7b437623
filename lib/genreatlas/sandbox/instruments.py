"""Synthesis of single notes and drum hits, mono, with the onset at the first sample."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, sosfilt

from genreatlas.sandbox.style import Kit, Voice

RATE = 44100
Mono = npt.NDArray[np.float32]

# Frequency band of each piece's energy, for the ground truth.
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
_TABLE = 2048


def frequency(pitch: float) -> float:
    """Return the frequency in Hz of a MIDI pitch (A4 = 69 = 440 Hz)."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def render_note(voice: Voice, pitch: int, hold: int) -> Mono:
    """Render one note held for `hold` samples and then released.

    Parameters
    ----------
    voice : the instrument.
    pitch : MIDI pitch, before the voice's own octave.
    hold : samples until the release begins.

    Returns
    -------
    (hold + release,) float32, peak about 1.
    """
    hz = frequency(pitch + 12 * voice.octave)
    length = hold + int(voice.release * RATE)
    if voice.kind == "pluck":
        sound = _pluck(voice, hz, length)
    elif voice.kind == "fm":
        sound = _fm(voice, hz, length)
    else:
        sound = _wave(voice, hz, length)
    sound *= _envelope(voice, hold, length)
    if voice.drive:
        sound = np.tanh(sound * np.float32(1.0 + voice.drive)) * np.float32(0.8)
    return sound


def _envelope(voice: Voice, hold: int, length: int) -> Mono:
    """Attack, exponential decay to the sustain level, and a release to exactly 0."""
    time = np.arange(length, dtype=np.float32) / np.float32(RATE)
    # The synthesis of a plucked string already decays.
    floor = np.float32(1.0 if voice.kind == "pluck" else voice.sustain)
    envelope: Mono = floor + (np.float32(1.0) - floor) * np.exp(time / np.float32(-voice.decay))
    rise = max(int(voice.attack * RATE), 16)
    if rise < length:
        envelope[:rise] *= np.linspace(0.0, 1.0, rise, dtype=np.float32)
    else:
        envelope *= np.arange(length, dtype=np.float32) / np.float32(rise)
    envelope[hold:] *= np.linspace(1.0, 0.0, length - hold, dtype=np.float32) ** 2
    return envelope


def _phase(voice: Voice, hz: float, length: int, cents: float = 0.0) -> npt.NDArray[np.float64]:
    """Phase in cycles. Vibrato (in semitones, 5.5 Hz) starts a quarter of a second after the onset."""
    time = np.arange(length) / RATE
    cycles = time * (hz * 2.0 ** (cents / 1200.0))
    if voice.vibrato:
        depth = hz * (2.0 ** (voice.vibrato / 12.0) - 1.0) / (2 * np.pi * 5.5)
        cycles += depth * np.clip(time / 0.25 - 1.0, 0.0, 1.0) * np.sin(2 * np.pi * 5.5 * time)
    return cycles


@lru_cache(maxsize=512)
def _table(spectrum: str, harmonics: int, brightness: float) -> Mono:
    """One band-limited period of a timbre, peak 1, with an additional sample for interpolation."""
    number = np.arange(1, harmonics + 1, dtype=np.float64)
    if spectrum == "sine":
        level = np.where(number == 1, 1.0, np.where(number == 2, 0.12, 0.0))
    elif spectrum == "square":
        level = np.where(number % 2 == 1, 1.0, 0.06) / number
    elif spectrum == "organ":
        level = np.isin(number, (1, 2, 3, 4, 6, 8)) / np.sqrt(number)
    elif spectrum == "reed":
        level = (1.0 + 0.8 * np.cos(number * 1.1)) / number**0.7
    elif spectrum == "flute":
        level = 1.0 / number**2.2
    elif spectrum == "string":
        level = np.abs(np.sin(np.pi * number / 7.3)) / number**0.9
    else:
        level = 1.0 / number
    # Brightness 0 … 1 sets the harmonic above which the spectrum falls by another 12 dB per octave.
    corner = 1.5 * 30.0**brightness
    level = level / (1.0 + (number / corner) ** 2)
    spectrum_bins = np.zeros(_TABLE // 2 + 1, dtype=np.complex128)
    # Phases chosen to avoid a high peak in each period.
    spectrum_bins[1 : harmonics + 1] = level * np.exp(1j * np.pi * number**2 / max(harmonics, 2))
    period = np.fft.irfft(spectrum_bins, _TABLE)
    period /= np.abs(period).max()
    return np.append(period, period[0]).astype(np.float32)


def _look_up(table: Mono, cycles: npt.NDArray[np.float64]) -> Mono:
    position = (cycles - np.floor(cycles)) * _TABLE
    index = position.astype(np.int32)
    fraction = (position - index).astype(np.float32)
    low = table[index]
    return low + (table[index + 1] - low) * fraction


def _wave(voice: Voice, hz: float, length: int) -> Mono:
    """Wavetable synthesis: a dark and a bright table; the bright one fades out like a closing filter."""
    harmonics = int(np.clip(16000.0 / hz, 1, _TABLE // 2 - 1))
    bright = _table(voice.spectrum, harmonics, round(voice.brightness, 2))
    shift = (0.0,) if not voice.detune else (-voice.detune / 2, voice.detune / 2)
    sound = np.zeros(length, dtype=np.float32)
    for cents in shift:
        cycles = _phase(voice, hz, length, cents) + (0.37 if cents > 0 else 0.0)
        if voice.sustain < 0.6:
            dark = _table(voice.spectrum, harmonics, round(voice.brightness * 0.35, 2))
            fade = np.exp(np.arange(length, dtype=np.float32) / np.float32(-0.6 * voice.decay * RATE))
            sound += _look_up(dark, cycles) + fade * (_look_up(bright - dark, cycles))
        else:
            sound += _look_up(bright, cycles)
    return sound / np.float32(len(shift))


def _fm(voice: Voice, hz: float, length: int) -> Mono:
    """Two-operator frequency modulation (Chowning 1973). The index decays, so that notes start bright."""
    cycles = _phase(voice, hz, length)
    # Phases are wrapped before conversion to float32, otherwise long notes would detune.
    carrier = (2 * np.pi * (cycles - np.floor(cycles))).astype(np.float32)
    modulator_cycles = cycles * voice.ratio
    modulator = (2 * np.pi * (modulator_cycles - np.floor(modulator_cycles))).astype(np.float32)
    fade = np.exp(np.arange(length, dtype=np.float32) / np.float32(-0.4 * max(voice.decay, 0.1) * RATE))
    index = np.float32(voice.index * min(1.0, 2000.0 / (hz * voice.ratio)))
    return np.sin(carrier + index * (np.float32(0.25) + np.float32(0.75) * fade) * np.sin(modulator))


def _pluck(voice: Voice, hz: float, length: int) -> Mono:
    """A plucked string (Karplus & Strong 1983), computed one period at a time.

    The loop's two-point filter delays by `share` of a sample, so a loop of `period` samples has a frequency of
    ``RATE / (period + share)``; the result is resampled to the exact pitch.
    """
    share = 0.5 - 0.35 * voice.brightness  # 0.5 damps treble most
    period = max(round(RATE / hz - share), 8)
    stretch = (period + share) * hz / RATE
    needed = int(length * stretch) + 2
    noise = np.random.default_rng(period).uniform(-1.0, 1.0, period + 1)
    # The burst is smoothed for a darker sound, and filtered for a plucking position away from the end of the string.
    smooth = max(int(period * (1.0 - voice.brightness) * 0.22), 1)
    burst = np.convolve(np.tile(noise, 3), np.ones(smooth) / smooth, "same")[period + 1 : 2 * (period + 1)]
    burst -= np.roll(burst, period // 5) * 0.7
    burst -= burst.mean()
    string = np.zeros(needed + period + 1, dtype=np.float64)
    string[: period + 1] = burst / np.abs(burst).max()
    loss = 10.0 ** (-3.0 / (hz * max(voice.decay, 0.05) * 2.2))
    for start in range(period + 1, needed, period):
        stop = start + period
        last, earlier = string[start - period : stop - period], string[start - period - 1 : stop - period - 1]
        string[start:stop] = loss * (1.0 - share) * last + loss * share * earlier
    return np.interp(np.arange(length) * stretch, np.arange(len(string)), string).astype(np.float32)


@lru_cache(maxsize=256)
def render_hit(kit: Kit, piece: str) -> Mono:
    """Render one hit of a piece of a drum kit.

    Parameters
    ----------
    kit : the kit.
    piece : a name in ``BANDS``.

    Returns
    -------
    (n,) float32, onset at the first sample, peak 1.
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
    """A sine whose frequency falls from ``low + extra`` Hz to `low`."""
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
