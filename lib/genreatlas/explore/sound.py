"""Figures and players of a clip: waveform, spectrogram, mel spectrogram, tempogram, audio player."""

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from html import escape

import numpy as np
import pandas as pd
from matplotlib import colormaps
from PIL import Image

from genreatlas.report import sounds
from genreatlas.report.plots import waveform
from genreatlas.report.svg import Figure, element, number, text, ticks

_WIDTH, _HEIGHT, _LEFT, _TOP = 640.0, 150.0, 58.0, 18.0
_RANGE_DB = 80.0
_COLUMNS = 900
_CELL = "text-align:left;vertical-align:middle"  # overrides the notebook's style of tables


def see(clip: pd.Series) -> list[Figure]:
    """Draw waveform, spectrogram, mel spectrogram and tempogram of a clip.

    Parameters
    ----------
    clip : a row of :func:`genreatlas.explore.samples.clips_to_hear`.

    Returns
    -------
    Four figures with the same time axis; an empty list if the file cannot be read from this machine.

    References: McFee et al., librosa, SciPy 2015; Grosche, Müller & Kurth, "Cyclic tempogram", ICASSP 2010.
    """
    import librosa  # takes a second to import

    heard = sounds.sound(clip)
    if heard.samples is None or not len(heard.samples):
        return []
    samples, rate = heard.samples.astype(np.float32), heard.sample_rate
    seconds = len(samples) / rate
    hop = max(256, len(samples) // _COLUMNS)
    magnitude = np.abs(librosa.stft(samples, n_fft=2048, hop_length=hop))
    mel = librosa.feature.melspectrogram(S=magnitude**2, sr=rate, n_mels=96)
    strength = librosa.onset.onset_strength(y=samples, sr=rate, hop_length=512)
    tempogram = librosa.feature.tempogram(onset_envelope=strength, sr=rate, hop_length=512)
    tempi = librosa.tempo_frequencies(tempogram.shape[0], hop_length=512, sr=rate)
    kept = (tempi >= 30) & (tempi <= 300)
    order = np.argsort(tempi[kept])
    upper = rate / 2
    mel_marks = [hz for hz in (128, 512, 2048, 8192) if hz < upper]
    of_mel = librosa.hz_to_mel(np.array([0.0, upper, *mel_marks]))
    return [
        _aligned(waveform("waveform", samples, rate, heard.title)),
        _image("spectrogram", f"Spectrogram of {heard.title}", librosa.amplitude_to_db(magnitude, ref=np.max),
               seconds, [(tick * 1000 / upper, f"{tick:g} kHz") for tick in ticks(0, upper / 1000, 4)]),
        _image("mel", f"Mel spectrogram of {heard.title}", librosa.power_to_db(mel, ref=np.max), seconds,
               [((m - of_mel[0]) / (of_mel[1] - of_mel[0]), f"{hz} Hz") for hz, m in
                zip(mel_marks, of_mel[2:], strict=True)]),
        _tempogram(heard.title, tempogram[kept][order], np.sort(tempi[kept]), seconds),
    ]  # fmt: skip


def listen(clips: pd.DataFrame) -> str:
    """Audio players for clips as HTML, with the audio embedded.

    Parameters
    ----------
    clips : rows of :func:`genreatlas.explore.samples.clips_to_hear`.
    """
    rows = []
    for _, clip in clips.iterrows():
        player = sounds.player(clip)
        heard = (
            f'<audio controls preload="none" src="{player.source}"></audio>'
            if player.source
            else escape(player.problem)
        )
        title = " – ".join(str(clip[name]) for name in ("artist", "title") if isinstance(clip[name], str))
        cells = (f"<b>{escape(str(clip['genre']))}</b>", escape(title), heard)
        rows.append(f"<tr>{''.join(f'<td style={_CELL!r}>{cell}</td>' for cell in cells)}</tr>")
    return f'<table class="listen" style="font:14px ui-sans-serif,system-ui,sans-serif">{"".join(rows)}</table>'


def _aligned(wave: Figure) -> Figure:
    """Align the waveform's time axis with those of the other figures."""
    scale = (_WIDTH - _LEFT) / wave.width
    body = element("g", wave.body, transform=f"translate({_LEFT:g} 0) scale({scale:.5f} 1)")
    return replace(wave, body=body, width=_WIDTH + 8, stretched=False)


def _tempogram(title: str, values: np.ndarray, tempi: np.ndarray, seconds: float) -> Figure:
    """Draw local autocorrelation of the onset strength, with tempo on a logarithmic vertical axis."""
    grid = np.geomspace(30, 300, 110)
    nearest = np.abs(np.log(tempi)[None, :] - np.log(grid)[:, None]).argmin(axis=1)
    decibels = (np.clip(values[nearest], 0, 1) - 1) * _RANGE_DB
    marks = [(float(np.log(bpm / 30) / np.log(10)), f"{bpm} bpm") for bpm in (40, 60, 90, 120, 180, 240)]
    return _image("tempogram", f"Tempogram of {title}", decibels, seconds, marks)


def _image(name: str, title: str, decibels: np.ndarray, seconds: float, marks: Sequence[tuple[float, str]]) -> Figure:
    """Draw a matrix as an image with a time axis and a vertical axis.

    Parameters
    ----------
    name, title : name and title of the figure.
    decibels : (bands, frames) in dB, 0 is the maximum.
    seconds : duration in seconds.
    marks : positions of ticks on the vertical axis from 0 to 1, and their labels.
    """
    levels = np.clip((decibels + _RANGE_DB) / _RANGE_DB * 255, 0, 255).astype(np.uint8)[::-1]
    grey = Image.fromarray(levels)
    size = (min(grey.width, _COLUMNS), min(grey.height, 2 * int(_HEIGHT)))
    picture = grey.resize(size, Image.Resampling.BOX).convert("P")
    picture.putpalette((colormaps["magma"](np.arange(256))[:, :3] * 255).round().astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    uri = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    body = [text(0, 11, title.split(" of ")[0], class_="strong small")]
    body.append(element("image", href=uri, x=_LEFT, y=_TOP, width=_WIDTH - _LEFT, height=_HEIGHT,
                        preserveAspectRatio="none"))  # fmt: skip
    for place, label in marks:
        if 0 <= place <= 1:
            y = _TOP + _HEIGHT * (1 - place)
            body.append(
                text(_LEFT - 6, min(max(y + 4, _TOP + 8), _TOP + _HEIGHT), label, text_anchor="end", class_="soft tiny")
            )
    for tick in ticks(0, seconds, 6):
        x = _LEFT + (_WIDTH - _LEFT) * tick / seconds
        body.append(text(x, _TOP + _HEIGHT + 14, f"{number(float(tick))} s", text_anchor="middle", class_="soft tiny"))
    return Figure(name, f"{title}: {seconds:.0f} s.", "".join(body), _WIDTH + 8, _TOP + _HEIGHT + 20)
