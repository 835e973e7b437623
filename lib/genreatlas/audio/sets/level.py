"""The level of the clip before it is normalised."""

from genreatlas.audio.sets.definition import Feature, FeatureSet

LOUDNESS = FeatureSet(
    name="loudness",
    version="1",
    axis="summary",
    sample_rate=None,
    hop_length=None,
    features=tuple(
        Feature(name, unit, comment, node=name)
        for name, unit, comment in (
            ("loudness_lufs", "LUFS", "Integrated loudness (EBU R128) of the cut; NULL below the gate."),
            ("peak_dbfs", "dBFS", "Largest absolute sample of the mono mix; above 0 where it clips."),
            ("rms_dbfs", "dBFS", "Root mean square of the whole cut."),
            ("gain_db", "dB", "Gain that normalisation then applied; 0 where it is off."),
        )
    ),
    comment="Level of the clip before any normalisation: what a classifier should not need.",
)
