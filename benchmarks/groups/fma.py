"""Compare ``fma518_44k`` and ``fma518_22k`` with FMA's extractor, including decoding."""

import contextlib
import importlib.util
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import librosa
import numpy as np
from measuring import Context, Result, agreement, compare
from scipy import stats

from genreatlas.audio.decode import read_clip, resample
from genreatlas.audio.engine import FAST_GRAPH
from genreatlas.audio.feature_sets import FEATURE_SETS, compute_sets

_BARS = {"fma518_44k": 7.0, "fma518_22k": 5.5}


def measure(context: Context) -> Iterator[Result]:
    """Ratio of CPU times and agreement of values at both sample rates, on the same samples."""
    paths = context.clips
    for name, bar in _BARS.items():
        rate = FEATURE_SETS[name].sample_rate
        theirs, note = reference(context, rate)
        yield compare(f"{name}_vs_fma", paths, partial(ours, name), theirs, bar, repeats=2, note=note)
        yield from agreement(name, ((ours(name, path), theirs(path)) for path in paths), note)


def ours(name: str, path: str) -> np.ndarray:
    """Features of a file, computed by the package."""
    feature_set = FEATURE_SETS[name]
    signal = read_clip(path)
    samples = resample(signal.samples, signal.sample_rate, feature_set.sample_rate)
    return compute_sets([feature_set], samples, FAST_GRAPH)[name]


def reference(context: Context, rate: int) -> tuple[Callable[[str], np.ndarray], str]:
    """FMA's ``features.py`` if it is in the folder of peers, otherwise a copy of its calls."""
    script = Path(context.peers or "") / "fma" / "features.py"
    if context.peers and script.exists():
        return _from_script(script, rate), f"FMA's features.py at {rate} Hz"
    return partial(_own, rate), f"FMA's features.py is absent: its calls, written again, at {rate} Hz"


def _from_script(script: Path, rate: int) -> Callable[[str], np.ndarray]:
    """FMA's program adapted to current librosa: renamed calls, twelve bins per octave, and one rate for all files."""
    sys.modules["utils"] = types.SimpleNamespace(get_audio_path=lambda _, path: path)
    sys.modules.setdefault("tqdm", types.SimpleNamespace(tqdm=iter))
    spec = importlib.util.spec_from_file_location("fma_features", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    feature = types.SimpleNamespace(**{name: getattr(librosa.feature, name) for name in dir(librosa.feature)})
    feature.rmse = librosa.feature.rms
    feature.chroma_cqt = partial(librosa.feature.chroma_cqt, bins_per_octave=12)
    feature.chroma_cens = partial(librosa.feature.chroma_cens, bins_per_octave=12)
    module.librosa = types.SimpleNamespace(
        feature=feature,
        load=lambda path, sr, mono: librosa.load(path, sr=rate, mono=mono),
        cqt=librosa.cqt,
        stft=librosa.stft,
        power_to_db=librosa.power_to_db,
    )
    module.os.environ["AUDIO_DIR"] = ""

    def extract(path: str) -> np.ndarray:
        with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
            warnings.simplefilter("ignore")  # current pandas warns about its assignments
            return module.compute_features(path).to_numpy(dtype=np.float64)

    return extract


def _own(rate: int, path: str) -> np.ndarray:
    """FMA's features by the same librosa calls in the same order."""
    x, _ = librosa.load(path, sr=rate)
    cqt = np.abs(librosa.cqt(x, sr=rate, bins_per_octave=12, n_bins=84, tuning=None))
    cens = librosa.feature.chroma_cens(C=cqt, bins_per_octave=12)
    spectrum = np.abs(librosa.stft(x))
    mel = librosa.feature.melspectrogram(sr=rate, S=spectrum**2)
    features = (
        cens,
        librosa.feature.chroma_cqt(C=cqt, bins_per_octave=12),
        librosa.feature.chroma_stft(S=spectrum**2),
        librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=20),
        librosa.feature.rms(S=spectrum),
        librosa.feature.spectral_bandwidth(S=spectrum),
        librosa.feature.spectral_centroid(S=spectrum),
        librosa.feature.spectral_contrast(S=spectrum),
        librosa.feature.spectral_rolloff(S=spectrum),
        librosa.feature.tonnetz(chroma=cens),
        librosa.feature.zero_crossing_rate(x),
    )
    moments = (stats.kurtosis, np.max, np.mean, np.median, np.min, stats.skew, np.std)
    return np.concatenate([moment(f, axis=1) for f in features for moment in moments]).astype(np.float32)
