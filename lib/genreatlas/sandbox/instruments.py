"""Pitched instruments: one note at a time, mono, its onset on the first sample."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from genreatlas.sandbox.style import Voice

RATE = 44100
Mono = npt.NDArray[np.float32]

_TABLE = 2048


def frequency(pitch: float) -> float:
    """Return the frequency in Hz of a MIDI pitch (A4 = 69 = 440 Hz)."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def render_note(voice: Voice, pitch: int, hold: int) -> Mono:
    """Render one note that is held for `hold` samples and then released.

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
    # A plucked string decays by itself.
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
    """Phase in cycles; vibrato (in semitones, 5.5 Hz) begins a quarter of a second after the onset."""
    time = np.arange(length) / RATE
    cycles = time * (hz * 2.0 ** (cents / 1200.0))
    if voice.vibrato:
        depth = hz * (2.0 ** (voice.vibrato / 12.0) - 1.0) / (2 * np.pi * 5.5)
        cycles += depth * np.clip(time / 0.25 - 1.0, 0.0, 1.0) * np.sin(2 * np.pi * 5.5 * time)
    return cycles


@lru_cache(maxsize=512)
def _table(spectrum: str, harmonics: int, brightness: float) -> Mono:
    """One band-limited period of a timbre, peak 1, with one more sample for interpolation."""
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
    # Brightness 0 … 1 moves the harmonic above which the spectrum falls by another 12 dB an octave.
    corner = 1.5 * 30.0**brightness
    level = level / (1.0 + (number / corner) ** 2)
    spectrum_bins = np.zeros(_TABLE // 2 + 1, dtype=np.complex128)
    # Phases that avoid one tall spike a period.
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
    """Wavetable synthesis: a dark and a bright table, the bright one fading as a filter would close."""
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
    """Two-operator frequency modulation (Chowning 1973); the index decays, so notes begin bright."""
    cycles = _phase(voice, hz, length)
    # Phases are wrapped before they become float32, or long notes would detune.
    carrier = (2 * np.pi * (cycles - np.floor(cycles))).astype(np.float32)
    modulator_cycles = cycles * voice.ratio
    modulator = (2 * np.pi * (modulator_cycles - np.floor(modulator_cycles))).astype(np.float32)
    fade = np.exp(np.arange(length, dtype=np.float32) / np.float32(-0.4 * max(voice.decay, 0.1) * RATE))
    index = np.float32(voice.index * min(1.0, 2000.0 / (hz * voice.ratio)))
    return np.sin(carrier + index * (np.float32(0.25) + np.float32(0.75) * fade) * np.sin(modulator))


def _pluck(voice: Voice, hz: float, length: int) -> Mono:
    """A plucked string (Karplus & Strong 1983), computed one period at a time.

    The loop's two-point filter delays by `share` of a sample, so a loop of `period` samples sounds at
    ``RATE / (period + share)``; the result is resampled to the exact pitch.
    """
    share = 0.5 - 0.35 * voice.brightness  # 0.5 damps treble most
    period = max(round(RATE / hz - share), 8)
    stretch = (period + share) * hz / RATE
    needed = int(length * stretch) + 2
    noise = np.random.default_rng(period).uniform(-1.0, 1.0, period + 1)
    # A darker pluck: the burst is smoothed; and no pluck excites a string at its very end.
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
