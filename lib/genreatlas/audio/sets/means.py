"""Sets at 22,050 Hz with librosa's defaults: MFCC per frame, and the means of nine features."""

from collections.abc import Iterable, Iterator

from genreatlas.audio.frames import HOP_LENGTH, SAMPLE_RATE
from genreatlas.audio.pitch import PITCH_CLASSES
from genreatlas.audio.sets.definition import Feature, FeatureSet, summary_columns
from genreatlas.audio.statistics import Statistic

CONTRAST_BANDS = ("0_200", "200_400", "400_800", "800_1600", "1600_3200", "3200_6400", "6400_11025")
_MEAN: tuple[Statistic, ...] = ("mean",)


def mfcc_columns(count: int, statistics: Iterable[Statistic]) -> Iterator[Feature]:
    """Yield columns ``mfcc1_mean`` and so on: all statistics of the first coefficient, then of the second, ..."""
    for row in range(count):
        words = f"Mel-frequency cepstral coefficient {row + 1} of {count}"
        yield from summary_columns(f"mfcc{row + 1}", "dB", "mfcc", words, statistics, row)


def shape_columns(statistics: Iterable[Statistic]) -> Iterator[Feature]:
    """Yield columns of level, spectral centroid, bandwidth and roll-off, and zero crossings."""
    for name, unit, node, words in (
        ("rms", "full scale", "rms", "Root mean square of the samples"),
        ("spectral_centroid", "Hz", "spectral_centroid", "Centre of mass of the spectrum"),
        ("spectral_bandwidth", "Hz", "spectral_bandwidth", "Spread around the centroid"),
        ("rolloff", "Hz", "spectral_rolloff", "Frequency with 85 % of the magnitude below"),
        ("zero_crossing_rate", "0..1", "zero_crossing_rate", "Share of sign changes"),
    ):
        yield from summary_columns(name, unit, node, words, statistics)


def _mfcc12() -> Iterator[Feature]:
    for row in range(12):
        words = f"Mel-frequency cepstral coefficient {row + 1} of 12."
        yield Feature(f"mfcc{row + 1}", "dB", words, node="mfcc", row=row)


def _summary9() -> Iterator[Feature]:
    for row, pitch in enumerate(PITCH_CLASSES):
        words = f"Share of pitch class {pitch[0].upper()}{' sharp' * (len(pitch) - 1)} relative to the frame's loudest"
        yield from summary_columns(f"chroma_{pitch}", "0..1", "chroma_stft", words, _MEAN, row)
    for row, band in enumerate(CONTRAST_BANDS):
        words = f"Level of peaks above valleys of the spectrum from {band.replace('_', ' to ')} Hz"
        yield from summary_columns(f"contrast_{band}_hz", "dB", "spectral_contrast", words, _MEAN, row)
    yield from mfcc_columns(20, _MEAN)
    yield from shape_columns(_MEAN)
    yield from summary_columns("flatness", "0..1", "spectral_flatness", "0 for a tone, near 1 for white noise", _MEAN)


MFCC12_FRAMES = FeatureSet(
    name="mfcc12_frames",
    version="2",
    axis="frames",
    sample_rate=SAMPLE_RATE,
    hop_length=HOP_LENGTH,
    features=tuple(_mfcc12()),
    comment="Twelve MFCC per frame, librosa's defaults at 22,050 Hz.",
)
SUMMARY9 = FeatureSet(
    name="summary9",
    version="2",
    axis="summary",
    sample_rate=SAMPLE_RATE,
    hop_length=HOP_LENGTH,
    features=tuple(_summary9()),
    comment="Means over frames of chroma, contrast, MFCC, RMS, centroid, bandwidth, roll-off, crossings, flatness.",
)
