"""Features of windows of one second, every half second."""

from collections.abc import Iterator
from itertools import pairwise

from genreatlas.audio.frames import SAMPLE_RATE
from genreatlas.audio.sets.definition import Feature, FeatureSet
from genreatlas.audio.windows import BARK_EDGES, WINDOW_HOP_S


def _windows() -> Iterator[Feature]:
    yield Feature("rms", "full scale", "Root mean square of the window's samples.", node="window_rms")
    yield Feature("energy", "", "Sum of the squares of the window's samples.", node="window_energy")
    for row in range(20):
        words = f"Mel-frequency cepstral coefficient {row + 1} of 20: mean over the window's frames."
        yield Feature(f"mfcc{row + 1}_mean", "dB", words, node="window_mfcc", row=row)
    for row, (low, high) in enumerate(pairwise(BARK_EDGES)):
        words = f"Mean magnitude of the window's spectrum from {low} to {high} Hz."
        yield Feature(f"magnitude_{low}_{high}_hz", "full scale", words, node="window_spectrum", row=row)


WINDOWS = FeatureSet(
    name="windows",
    version="1",
    axis="frames",
    sample_rate=SAMPLE_RATE,
    hop_length=round(WINDOW_HOP_S * SAMPLE_RATE),
    features=tuple(_windows()),
    comment="Windows of 1 s, one every 0.5 s from the start: level, MFCC means, spectrum in 23 critical bands.",
)
