"""The 518 columns of FMA (Defferrard et al. 2017), at the rate of its files and at 22,050 Hz.

Eleven features with seven moments over frames each, in the order and with the names of FMA's ``features.csv``: FMA's
column (``chroma_cens``, ``kurtosis``, ``01``) is ``chroma_cens_kurtosis_01``.

FMA's extractor does not pass the sample rate to librosa's spectral features, which then assume 22,050 Hz. At 44.1 kHz
``spectral_centroid``, ``spectral_bandwidth`` and ``spectral_rolloff`` are therefore half of the value in Hz,
``spectral_contrast``'s bands begin at 400 Hz instead of 200, and ``chroma_stft`` has filters of half the width, tuned
as if the signal were an octave lower. ``fma518_44k`` reproduces this, so that it is comparable with the published
table; ``fma518_22k`` has the correct values. MFCC, zero crossings, level and all features of the constant-Q transform
use the true rate in both.
"""

from collections.abc import Iterator

from genreatlas.audio.frames import HOP_LENGTH, SAMPLE_RATE
from genreatlas.audio.sets.definition import Feature, FeatureSet, summary_columns
from genreatlas.audio.statistics import Statistic

#: In the order of FMA's columns, which is alphabetical.
_MOMENTS: tuple[Statistic, ...] = ("kurtosis", "max", "mean", "median", "min", "skew", "std")

#: FMA's name: number of rows, unit, node, node of ``fma518_44k``, description.
_FEATURES = {
    "chroma_cens": (12, "", "chroma_cens", "chroma_cens", "Smoothed, quantised constant-Q chroma (CENS), pitch class"),
    "chroma_cqt": (12, "0..1", "chroma_cqt", "chroma_cqt", "Constant-Q chroma, pitch class"),
    "chroma_stft": (12, "0..1", "chroma_stft", "nominal_chroma", "Chroma of the power spectrum, pitch class"),
    "mfcc": (20, "dB", "mfcc", "mfcc", "Mel-frequency cepstral coefficient"),
    "rmse": (1, "full scale", "rms_spectral", "rms_spectral", "Root mean square of the windowed frame, part"),
    "spectral_bandwidth": (1, "Hz", "spectral_bandwidth", "nominal_bandwidth", "Spread around the centroid, part"),
    "spectral_centroid": (1, "Hz", "spectral_centroid", "nominal_centroid", "Centre of mass of the spectrum, part"),
    "spectral_contrast": (7, "dB", "spectral_contrast", "nominal_contrast", "Level of peaks above valleys, band"),
    "spectral_rolloff": (1, "Hz", "spectral_rolloff", "nominal_rolloff", "85 % of the magnitude are below, part"),
    "tonnetz": (6, "", "tonnetz", "tonnetz", "Tonal centroid, dimension"),
    "zcr": (1, "0..1", "zero_crossing_rate", "zero_crossing_rate", "Share of sign changes, part"),
}


def _fma518(nominal: bool) -> Iterator[Feature]:
    for name, (rows, unit, node, nominal_node, words) in _FEATURES.items():
        as_labelled = nominal and node != nominal_node
        own_unit = "Hz as if at 22,050 Hz" if as_labelled and unit == "Hz" else unit
        own_words = f"{words} (rate taken to be 22,050 Hz)" if as_labelled else words
        for moment in _MOMENTS:
            for row in range(rows):
                yield from summary_columns(
                    name,
                    own_unit,
                    nominal_node if nominal else node,
                    f"{own_words} {row + 1} of {rows}",
                    (moment,),
                    row if rows > 1 else None,
                    suffix=f"_{row + 1:02d}",
                )


FMA518_44K = FeatureSet(
    name="fma518_44k",
    version="3",
    axis="summary",
    sample_rate=44_100,
    hop_length=HOP_LENGTH,
    features=tuple(_fma518(nominal=True)),
    comment="FMA's 518 columns at 44.1 kHz, comparable with its table: some are not in Hz, as there.",
)
FMA518_22K = FeatureSet(
    name="fma518_22k",
    version="3",
    axis="summary",
    sample_rate=SAMPLE_RATE,
    hop_length=HOP_LENGTH,
    features=tuple(_fma518(nominal=False)),
    comment="FMA's 518 columns at 22,050 Hz, where every frequency is in Hz.",
)
