"""Sets on the mel scale: a Gaussian of cepstral frames, and the log-mel spectrogram for networks."""

from collections.abc import Iterator

from genreatlas.audio.cepstral import COEFFICIENTS
from genreatlas.audio.frames import HOP_LENGTH, SAMPLE_RATE
from genreatlas.audio.sets.definition import Feature, FeatureSet


def _mfcc_cov() -> Iterator[Feature]:
    node = "mfcc_mean_and_covariance"
    names = [f"{kind}{row + 1}" for kind in ("mfcc", "delta_mfcc") for row in range(COEFFICIENTS)]
    for row, name in enumerate(names):
        yield Feature(f"{name}_mean", "dB", f"Mean of {name} over frames.", node=node, row=row)
    row = len(names)
    for place, first in enumerate(names):
        for second in names[place:]:
            what = f"Covariance of {first} and {second}" if first != second else f"Variance of {first}"
            name = f"{first}_{second}_cov" if first != second else f"{first}_var"
            yield Feature(name, "dB^2", f"{what} over frames.", node=node, row=row)
            row += 1


MFCC_COV = FeatureSet(
    name="mfcc_cov",
    version="1",
    axis="summary",
    sample_rate=SAMPLE_RATE,
    hop_length=HOP_LENGTH,
    features=tuple(_mfcc_cov()),
    comment="Mean and full covariance of 13 MFCC and their deltas (Mandel & Ellis 2005).",
)
MEL128 = FeatureSet(
    name="mel128",
    version="1",
    axis="quantised",
    sample_rate=SAMPLE_RATE,
    hop_length=HOP_LENGTH,
    features=tuple(
        Feature(
            f"mel{row + 1}",
            "dB",
            f"Power in mel band {row + 1} of 128, at most 80 dB below the loudest.",
            node="mel_db",
            row=row,
        )
        for row in range(128)
    ),
    comment="Log-mel spectrogram of 128 bands as bytes with one scale a clip, for networks (see export).",
)
