"""The acoustic fingerprint, with which copies of a recording are found."""

from genreatlas.audio.fingerprint import lacking
from genreatlas.audio.frames import SAMPLE_RATE
from genreatlas.audio.sets.definition import Feature, FeatureSet

FINGERPRINT = FeatureSet(
    name="fingerprint",
    version="1",
    axis="codes",
    sample_rate=SAMPLE_RATE,
    hop_length=None,
    features=(
        Feature(
            "codes", "", "Chromaprint's codes as signed numbers, one every 0.124 s.", "numeric", "fingerprint_codes", 0
        ),
        Feature("codes_faster", "", "Codes of the clip played 1 % faster.", "numeric", "fingerprint_codes", 1),
    ),
    comment="Acoustic fingerprint by Chromaprint, with which link_recordings finds copies of a recording.",
    lacking=lacking,
)
