"""The key of a clip, and the correlation with each of the 24 keys."""

from collections.abc import Iterator

from genreatlas.audio.frames import HOP_LENGTH, SAMPLE_RATE
from genreatlas.audio.pitch import PITCH_CLASSES
from genreatlas.audio.sets.definition import Feature, FeatureSet


def _tonality() -> Iterator[Feature]:
    yield Feature("key", "", "Tonic of the key that fits best, 0 (C) to 11 (B).", "categorical", "key", 0)
    yield Feature("minor", "", "1 if this key is minor, 0 if it is major.", node="key", row=1)
    yield Feature("key_clarity", "", "Correlation of the best key minus that of the second best.", node="key", row=2)
    for row in range(24):
        name, mode = PITCH_CLASSES[row % 12], ("major", "minor")[row // 12]
        spelled = name.replace("s", " sharp").capitalize()
        yield Feature(f"fit_{name}_{mode}", "", f"Correlation with {spelled} {mode}.", node="key_fits", row=row)


TONALITY = FeatureSet(
    name="tonality",
    version="1",
    axis="summary",
    sample_rate=SAMPLE_RATE,
    hop_length=HOP_LENGTH,
    features=tuple(_tonality()),
    comment="Key by Krumhansl's profiles, and the correlation with each of the 24 keys.",
)
