"""Compute features, pictures and rhythm of one audio file; runs in an isolated process that may crash."""

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genreatlas.audio.decode import resample
from genreatlas.audio.feature_sets import get_feature_set
from genreatlas.audio.librosa_loading import librosa
from genreatlas.audio.preprocess import choose_window, prepare, reject_short
from genreatlas.audio.probe import lay_out, open_file, probe
from genreatlas.audio.whole_files import Recipe, cut_values
from genreatlas.audio.worker import extract_clip
from genreatlas.errors import ClipError, Reason
from genreatlas.values import JsonObject
from genreatlas.web.rhythm import FEATURE_SET, rhythm_of

_RATE = 22_050
_PEAKS = 480
_COLUMNS = 160
_HOP, _FFT = 2048, 4096
_ONSET_HOP = 512
_TEMPI = np.geomspace(40, 240, 48)
#: Seconds of a clip per segment; a clip has between 2 and 8 segments.
_SEGMENT_S = 6.0


@dataclass(frozen=True)
class Heard:
    """Result of the analysis of a file's audio.

    Attributes
    ----------
    sha256 : SHA-256 of the file.
    duration_s : duration of the file in s.
    start_s, length_s : start and length of the analysed clip in s.
    values : features by recipe, each (n_rows, n_columns).
    pictures : JSON-able data of the page's pictures, from :func:`draw`.
    rhythm : JSON-able beats, bars and groove, with times in s of the file; None if not extracted.
    """

    sha256: str
    duration_s: float
    start_s: float
    length_s: float
    values: tuple[npt.NDArray[np.float32], ...]
    pictures: JsonObject
    rhythm: JsonObject | None


def hear(path: str, recipes: tuple[Recipe, ...]) -> Heard:
    """Decode a clip of a file and compute features, pictures and rhythm.

    Parameters
    ----------
    path : path of the file.
    recipes : at least one; the ``[clip]`` section of the first selects the clip.

    Raises
    ------
    ClipError : the file cannot be used.
    """
    clip, limits = recipes[0].clip, recipes[0].limits
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with open_file(path) as opened:
        layout = lay_out(opened)
    info = probe(path, layout)
    reject_short(clip, info.duration_s)
    start_s, length_s = choose_window(clip, info.duration_s)
    groove = get_feature_set(FEATURE_SET)
    sets = list({one.name: one for recipe in recipes for one in recipe.sets()}.values())
    sets += [] if any(one.name == groove.name for one in sets) else [groove]
    try:
        found = extract_clip(path, start_s, length_s, clip, sets, limits.max_clip_mb, layout)
    except ValueError as error:
        raise ClipError(Reason.FEATURES_FAILED, str(error)) from None
    values = tuple(cut_values(found, start_s, length_s, recipe) for recipe in recipes)
    signal, _ = prepare(path, start_s, length_s, clip, limits.max_clip_mb, layout)
    pictures = draw(resample(signal.samples, signal.sample_rate, _RATE).astype(np.float32), _RATE)
    return Heard(digest, info.duration_s, start_s, length_s, values, pictures, rhythm_of(found, start_s))


def draw(samples: npt.NDArray[np.float32], rate: int) -> JsonObject:
    """Waveform, chroma, tempogram and segments of a signal, quantised for the page.

    Parameters
    ----------
    samples : (n,) mono.
    rate : sample rate in Hz.

    Returns
    -------
    JSON-able: ``waveform``: peak of each of 480 intervals, 0 to 100. ``chroma``: 12 strings of digits 0 to 9, from
    pitch class C. ``tempogram``: the same by ascending tempo (``tempi``, bpm). ``segments``: starts in s. ``seconds``:
    length.

    References: Grosche, Müller & Kurth 2010, "Cyclic tempogram"; McFee et al. 2015, "librosa".
    """
    engine = librosa()
    seconds = len(samples) / rate
    edges = np.linspace(0, len(samples), _PEAKS + 1).astype(int)
    peaks = [float(np.abs(samples[a:b]).max()) if b > a else 0.0 for a, b in pairwise(edges)]
    top = max(peaks) or 1.0
    power = np.abs(engine.stft(samples, n_fft=_FFT, hop_length=_HOP)) ** 2
    chroma = engine.feature.chroma_stft(S=power, sr=rate, n_fft=_FFT, tuning=0.0)
    strength = engine.onset.onset_strength(y=samples, sr=rate, hop_length=_ONSET_HOP)
    tempogram = engine.feature.tempogram(onset_envelope=strength, sr=rate, hop_length=_ONSET_HOP)
    lags = engine.tempo_frequencies(tempogram.shape[0], hop_length=_ONSET_HOP, sr=rate)
    rows = np.argsort(lags[1:]) + 1  # lag 0 has no tempo
    of_tempi = np.stack([np.interp(_TEMPI, lags[rows], column[rows]) for column in _pooled(tempogram).T], axis=1)
    return {
        "seconds": round(seconds, 3),
        "waveform": [round(100 * peak / top) for peak in peaks],
        "chroma": _digits(_pooled(chroma)),
        "tempogram": _digits(of_tempi),
        "tempi": [round(float(one), 1) for one in _TEMPI],
        "segments": _segments(engine, chroma, power, rate, seconds),
    }


def _pooled(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Average neighbouring columns, to at most :data:`_COLUMNS` columns."""
    width = values.shape[1]
    edges = np.unique(np.linspace(0, width, min(width, _COLUMNS) + 1).astype(int))
    return np.stack([values[:, a:b].mean(axis=1) for a, b in pairwise(edges)], axis=1)


def _digits(values: npt.NDArray[np.floating]) -> list[str]:
    """Quantise values to one string of digits per row, from 0 (the minimum) to 9 (the maximum)."""
    known = np.nan_to_num(values.astype(np.float64))
    low, high = known.min(), known.max()
    scaled = np.rint(9 * (known - low) / (high - low if high > low else 1.0)).astype(int)
    return ["".join(map(str, row)) for row in scaled]


def _segments(engine: Any, chroma: Any, power: Any, rate: int, seconds: float) -> list[float]:
    """Starts (s) of segments that are homogeneous in harmony (chroma) and timbre (MFCC)."""
    timbre = engine.feature.mfcc(S=engine.power_to_db(engine.feature.melspectrogram(S=power, sr=rate)), n_mfcc=13)
    both = np.concatenate([chroma, timbre / (np.abs(timbre).max(axis=1, keepdims=True) + 1e-9)])
    wanted = int(np.clip(round(seconds / _SEGMENT_S), 2, 8))
    if both.shape[1] <= wanted:
        return [0.0]
    starts = engine.segment.agglomerative(both, wanted)
    return [round(float(one) * _HOP / rate, 2) for one in sorted({0, *(int(one) for one in starts)})]
