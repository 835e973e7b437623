"""Render a score as stereo sound: buses, equaliser, reverb, loudness."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, oaconvolve, sosfilt

from genreatlas.sandbox.composing import Note, Score
from genreatlas.sandbox.instruments import BANDS, RATE, Mono, render_hit, render_note
from genreatlas.sandbox.style import Mix

Stereo = npt.NDArray[np.float32]

# Position of each bus between left (-1) and right (1), scaled by the artist's width.
_PLACES = {"drums": 0.0, "cymbals": 0.5, "bass": 0.0, "comp": -0.55, "lead": 0.45, "pad": 0.15}
_SENDS = {"drums": 0.35, "cymbals": 0.4, "bass": 0.1, "comp": 1.0, "lead": 1.0, "pad": 1.0}
# Maximum peak after mastering, so that the encoder does not clip.
_CEILING = 0.84


def render(score: Score, seconds: float) -> Stereo:
    """Render a score.

    Parameters
    ----------
    score : the song, with the artist's mix.
    seconds : length of the result.

    Returns
    -------
    (seconds * 44100, 2) float32 within ±0.84.
    """
    mix, length = score.artist.mix, round(seconds * RATE)
    buses = _buses(score, length)
    if mix.pump:
        kicks = [note.time for note in score.notes if note.piece == "kick"]
        duck = _duck(kicks, length, mix.pump)
        for name in ("bass", "comp", "lead", "pad"):
            if name in buses:
                buses[name] *= duck
    left, right, send = (np.zeros(length, dtype=np.float32) for _ in range(3))
    for name, bus in buses.items():
        angle = (1.0 + mix.width * _PLACES[name]) * np.pi / 4
        left += bus * np.float32(np.cos(angle))
        right += bus * np.float32(np.sin(angle))
        send += bus * np.float32(_SENDS[name] * mix.wet)
    echoes = _impulse(mix.reverb_s, mix.damping_hz)
    dry = np.stack((left, right)) + oaconvolve(send[np.newaxis], echoes, axes=1)[:, :length]
    return _master(_equalise(dry, mix), mix, score)


def _buses(score: Score, length: int) -> dict[str, Mono]:
    """Render every note, cached by pitch and length, and add it to the bus of its role."""
    buses: dict[str, Mono] = {}
    rendered: dict[tuple[str, int, int], Mono] = {}
    for note in score.notes:
        sound = _sound(score, note, rendered)
        name = "cymbals" if note.role == "drums" and BANDS[note.piece] == "high" else note.role
        if name not in buses:
            buses[name] = np.zeros(length, dtype=np.float32)
        bus = buses[name]
        start = round(note.time * RATE)
        stop = min(start + len(sound), length)
        gain = 10.0 ** (score.artist.mix.levels[note.role] / 20) * note.velocity
        bus[start:stop] += sound[: stop - start] * np.float32(gain)
    return buses


def _sound(score: Score, note: Note, rendered: dict[tuple[str, int, int], Mono]) -> Mono:
    if note.pitch is None:
        return render_hit(score.artist.kit, note.piece)
    # Lengths are rounded to 20 ms, so that cached notes are reused.
    hold = max(round(note.hold * 50), 2) * (RATE // 50)
    key = (note.role, note.pitch, hold)
    if key not in rendered:
        rendered[key] = render_note(score.artist.voices[note.role], note.pitch, hold)
    return rendered[key]


def _duck(kicks: list[float], length: int, depth: float) -> Mono:
    """Gain that every kick reduces and that recovers within a fifth of a second."""
    gain = np.ones(length, dtype=np.float32)
    shape = (1.0 - depth * np.exp(-np.arange(int(0.4 * RATE)) / (0.09 * RATE))).astype(np.float32)
    shape[:220] = np.linspace(1.0, shape[220], 220)
    for time in kicks:
        start = round(time * RATE)
        stop = min(start + len(shape), length)
        gain[start:stop] = shape[: stop - start]
    return gain


@lru_cache(maxsize=8)
def _impulse(seconds: float, damping_hz: float) -> Stereo:
    """Impulse response of a room: two channels of noise that decay by 60 dB in `seconds`, treble faster."""
    random = np.random.default_rng(60)
    length = int(seconds * RATE)
    time = np.arange(length) / RATE
    noise = random.standard_normal((2, length))
    dark = sosfilt(butter(1, damping_hz, fs=RATE, output="sos"), noise, axis=1)
    room = 0.6 * noise * np.exp(-13.8 * time / seconds) + dark * np.exp(-6.9 * time / seconds)
    room[:, : int(0.012 * RATE)] = 0.0  # delay of the first reflection
    return (room / np.sqrt((room**2).sum(axis=1, keepdims=True)) * 1.6).astype(np.float32)


def _equalise(sound: Stereo, mix: Mix) -> Stereo:
    sections = np.vstack(
        (
            _shelf(150.0, mix.low_db, high=False),
            _peak(mix.mid_hz, mix.mid_db),
            _shelf(5000.0, mix.high_db, high=True),
            butter(2, mix.lowpass_hz, fs=RATE, output="sos"),
        )
    )
    return np.asarray(sosfilt(sections, sound, axis=1), dtype=np.float32)


def _shelf(hz: float, db: float, high: bool) -> npt.NDArray[np.float64]:
    """A shelving filter of slope 1 (Bristow-Johnson's cookbook)."""
    gain, omega = 10.0 ** (db / 40), 2 * np.pi * hz / RATE
    cosine, alpha = np.cos(omega), np.sin(omega) / 2 * np.sqrt(2.0)
    root, sign = 2 * np.sqrt(gain) * alpha, -1.0 if high else 1.0
    up, down = gain + 1, gain - 1
    b = (gain * (up - sign * down * cosine + root), sign * 2 * gain * (down - sign * up * cosine))
    a = (up + sign * down * cosine + root, -sign * 2 * (down + sign * up * cosine))
    last = (gain * (up - sign * down * cosine - root), up + sign * down * cosine - root)
    return np.array([[b[0], b[1], last[0], a[0], a[1], last[1]]]) / a[0]


def _peak(hz: float, db: float) -> npt.NDArray[np.float64]:
    """A peaking filter 1.5 octaves wide (Bristow-Johnson's cookbook)."""
    gain, omega = 10.0 ** (db / 40), 2 * np.pi * hz / RATE
    alpha, cosine = np.sin(omega) / 1.9, np.cos(omega)
    row = (1 + alpha * gain, -2 * cosine, 1 - alpha * gain, 1 + alpha / gain, -2 * cosine, 1 - alpha / gain)
    return np.array([row]) / row[3]


def _texture(random: np.random.Generator, length: int) -> Stereo:
    """Wind noise: two bands with slow amplitude modulation, delayed in one channel."""
    time = np.arange(length) / RATE
    wind = np.zeros(length)
    for low, high in ((250.0, 900.0), (1800.0, 5200.0)):
        band = butter(2, (low, high), "bandpass", fs=RATE, output="sos")
        swell = 0.6 + 0.4 * np.sin(2 * np.pi * (random.uniform(0.05, 0.15) * time + random.random()))
        wind += sosfilt(band, random.standard_normal(length, dtype=np.float32)) * swell
    both = np.stack((wind, np.roll(wind, RATE // 80)))
    return (both / wind.std()).astype(np.float32)


def _master(sound: Stereo, mix: Mix, score: Score) -> Stereo:
    """Apply the artist's compression and loudness, and add tape hiss and background noise."""
    level = max(float(np.sqrt(np.mean(sound.astype(np.float64) ** 2))), 1e-9)
    sound = np.tanh(sound * np.float32(0.22 * mix.crush / level))
    target = 10.0 ** (mix.loudness_dbfs / 20)
    sound *= np.float32(target / np.sqrt(np.mean(sound.astype(np.float64) ** 2)))
    random = np.random.default_rng(round(score.tempo * 1000))
    length = sound.shape[1]
    sound += random.standard_normal((2, length), dtype=np.float32) * np.float32(10.0 ** (mix.hiss_dbfs / 20))
    if mix.texture_dbfs > -80:
        sound += _texture(random, length) * np.float32(10.0 ** (mix.texture_dbfs / 20))
    fade = min(RATE // 2, length)
    sound[:, -fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32) ** 2
    peak = float(np.abs(sound).max())
    if peak > _CEILING:
        sound *= np.float32(_CEILING / peak)
    return np.ascontiguousarray(sound.T)
