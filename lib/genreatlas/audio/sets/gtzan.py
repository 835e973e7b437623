"""The columns of the widely used GTZAN table (``features_30_sec.csv``).

The definitions were inferred from the published values: means and variances (``np.var``, divided by n) of librosa's
features at 22,050 Hz with its defaults; one chroma for all pitch classes together; ``harmony`` and ``perceptr`` are the
samples of the two waves of ``librosa.effects.hpss``; ``tempo`` is ``librosa.beat.beat_track``'s (every published value
is 60 * 22050 / 512 divided by a whole number of frames).

The table was made with librosa before 0.9, which padded the signal by reflection where later versions pad with zeros:
the two frames at each end differ, so every column except ``zero_crossing_rate`` differs slightly. It used whole files
(660,000 to 675,808 samples, not 30 s exactly), and ``tempo`` may be another multiple of the same tempo.
"""

from collections.abc import Iterator

from genreatlas.audio.frames import HOP_LENGTH, SAMPLE_RATE
from genreatlas.audio.sets.definition import Feature, FeatureSet, summary_columns
from genreatlas.audio.sets.means import mfcc_columns, shape_columns
from genreatlas.audio.statistics import Statistic

_MEAN_VAR: tuple[Statistic, ...] = ("mean", "var")


def _gtzan57() -> Iterator[Feature]:
    yield from summary_columns(
        "chroma_stft", "", "chroma_cells", "Pitch classes relative to the loudest of their frame, all twelve together",
        _MEAN_VAR,
    )  # fmt: skip
    yield from shape_columns(_MEAN_VAR)
    yield from summary_columns("harmony", "full scale", "harmonic", "Samples of the harmonic part", _MEAN_VAR)
    yield from summary_columns("perceptr", "full scale", "percussive", "Samples of the percussive part", _MEAN_VAR)
    yield Feature("tempo", "bpm", "Tempo of librosa's beat tracker; NULL without onsets.", node="tempo")
    yield from mfcc_columns(20, _MEAN_VAR)


GTZAN57 = FeatureSet(
    name="gtzan57",
    version="2",
    axis="summary",
    sample_rate=SAMPLE_RATE,
    hop_length=HOP_LENGTH,
    features=tuple(_gtzan57()),
    comment="The 57 columns of the widely used GTZAN table, in its order and under its names.",
)
