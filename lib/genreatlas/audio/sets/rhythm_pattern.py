"""Statistics and modulation of the loudness in critical bands."""

from collections.abc import Iterator

from genreatlas.audio.rhythm_pattern import BANDS, BARK_EDGES, MODULATION_HZ, MODULATIONS, RATE
from genreatlas.audio.sets.definition import Feature, FeatureSet, summary_columns
from genreatlas.audio.statistics import Statistic

_STATISTICS: tuple[Statistic, ...] = ("mean", "median", "var", "skew", "kurtosis", "min", "max")


def _ssd_rp() -> Iterator[Feature]:
    edges = (0, *BARK_EDGES)
    for band in range(BANDS):
        words = f"Loudness from {edges[band]} to {edges[band + 1]} Hz"
        yield from summary_columns(f"ssd_bark{band + 1}", "sone", "sonogram", words, _STATISTICS, band)
    for band in range(BANDS):
        for modulation in range(MODULATIONS):
            hertz = (modulation + 1) * MODULATION_HZ
            words = f"Fluctuation strength from {edges[band]} to {edges[band + 1]} Hz at {hertz:.2f} Hz."
            row = band * MODULATIONS + modulation
            yield Feature(f"rp_bark{band + 1}_mod{modulation + 1}", "", words, node="rhythm_pattern", row=row)


SSD_RP = FeatureSet(
    name="ssd_rp",
    version="2",
    axis="summary",
    sample_rate=RATE,
    hop_length=None,
    features=tuple(_ssd_rp()),
    comment="Statistical spectrum descriptors (168) and rhythm patterns (1,440) of Lidy & Rauber 2005.",
)
