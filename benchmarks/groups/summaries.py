"""Compare ``gtzan57``, ``summary9`` and ``mfcc12_frames`` with one librosa call per feature, and with a lower bound."""

from collections.abc import Iterator

import librosa
import numpy as np
import scipy.fft
from measuring import Context, Result, agreement, compare

from genreatlas.audio.decode import read_clip, resample
from genreatlas.audio.engine import FAST_GRAPH
from genreatlas.audio.feature_sets import FEATURE_SETS, SAMPLE_RATE, compute_sets

Array = np.ndarray


def measure(context: Context) -> Iterator[Result]:
    """Ratios of CPU times without and with decoding, and agreement of values."""
    paths = context.clips
    arrays = [librosa.load(path)[0] for path in paths]
    few = arrays[:: max(1, len(arrays) // 12)]  # plain librosa takes two seconds per clip and run
    few_paths = paths[:: max(1, len(paths) // 12)]
    yield compare("gtzan57_vs_librosa", few, ours("gtzan57"), gtzan57, 25, repeats=2)
    yield compare("gtzan57_vs_librosa_with_decode", few_paths, decoded("gtzan57"), loaded(gtzan57), 16, repeats=2)
    yield from agreement("gtzan57", ((ours("gtzan57")(y), gtzan57(y)) for y in few))
    yield compare("summary9_vs_librosa", arrays, ours("summary9"), summary9, 10)
    yield compare("summary9_vs_librosa_with_decode", paths, decoded("summary9"), loaded(summary9), 5)
    yield from agreement("summary9", ((ours("summary9")(y), summary9(y)) for y in arrays))
    yield compare("mfcc12_vs_librosa_with_decode", paths, decoded("mfcc12_frames"), loaded(mfcc12), 1.6)
    yield frames_agreement(arrays)
    yield compare(
        "summary9_vs_floor", paths, decoded("summary9"), floor, 1.4, "at most", inverse=True,
        note="decode, resample, one STFT",
    )  # fmt: skip


def ours(name: str):
    """The package's features of an array."""
    feature_set = FEATURE_SETS[name]
    return lambda samples: compute_sets([feature_set], samples, FAST_GRAPH)[name]


def decoded(name: str):
    """The package's features of a file."""
    from_array = ours(name)

    def from_file(path: str) -> Array:
        signal = read_clip(path)
        return from_array(resample(signal.samples, signal.sample_rate, SAMPLE_RATE))

    return from_file


def loaded(features):
    """Plain librosa features of a file."""
    return lambda path: features(librosa.load(path)[0])


def floor(path: str) -> Array:
    """Lower bound of any extractor: decoding, resampling, one short-time Fourier transform (by the faster library)."""
    signal = read_clip(path)
    samples = resample(signal.samples, signal.sample_rate, SAMPLE_RATE)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, 1024), 2048)[::512]
    window = np.hanning(2049)[:-1]
    return np.concatenate([scipy.fft.rfft(frames[i : i + 64] * window) for i in range(0, len(frames), 64)])


def gtzan57(y: Array) -> Array:
    """The 57 columns by one librosa call per feature."""
    harmonic, percussive = librosa.effects.hpss(y)
    mfcc = librosa.feature.mfcc(y=y, n_mfcc=20)
    values = (
        librosa.feature.chroma_stft(y=y),
        librosa.feature.rms(y=y),
        librosa.feature.spectral_centroid(y=y),
        librosa.feature.spectral_bandwidth(y=y),
        librosa.feature.spectral_rolloff(y=y),
        librosa.feature.zero_crossing_rate(y),
        harmonic,
        percussive,
    )
    pairs = [statistic(v, dtype=np.float64) for v in values for statistic in (np.mean, np.var)]
    tempo = librosa.beat.beat_track(y=y)[0][0]
    coefficients = [statistic(c, dtype=np.float64) for c in mfcc for statistic in (np.mean, np.var)]
    return np.array([*pairs, tempo, *coefficients])


def summary9(y: Array) -> Array:
    """Means of nine features, with one librosa call each."""
    values = (
        librosa.feature.chroma_stft(y=y),
        librosa.feature.spectral_contrast(y=y),
        librosa.feature.mfcc(y=y, n_mfcc=20),
        librosa.feature.rms(y=y),
        librosa.feature.spectral_centroid(y=y),
        librosa.feature.spectral_bandwidth(y=y),
        librosa.feature.spectral_rolloff(y=y),
        librosa.feature.zero_crossing_rate(y),
        librosa.feature.spectral_flatness(y=y),
    )
    return np.concatenate([np.mean(v, axis=1, dtype=np.float64) for v in values])


def mfcc12(y: Array) -> Array:
    """Twelve MFCCs per frame."""
    return librosa.feature.mfcc(y=y, n_mfcc=12).T


def frames_agreement(arrays: list[Array]) -> Result:
    """Largest difference of an MFCC, as a share of the coefficient's range."""
    worst = 0.0
    for y in arrays:
        expected, found = mfcc12(y), ours("mfcc12_frames")(y)
        worst = max(worst, float((np.abs(found - expected).max(axis=0) / np.ptp(expected, axis=0)).max()))
    return Result("mfcc12_worst", worst, "of the range", 1e-5, "at most", n=len(arrays))
