"""Level of the clip before normalisation, and traces of recording and encoding."""

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
            ("gain_db", "dB", "Gain applied by normalisation; 0 if it is off."),
        )
    ),
    comment="Level of the clip before any normalisation; a genre classifier should not depend on it.",
)

#: Separate from ``loudness``, which is always extracted, so that models can be compared with a model of these alone.
QUALITY = FeatureSet(
    name="quality",
    version="1",
    axis="summary",
    sample_rate=None,
    hop_length=None,
    features=tuple(
        Feature(name, unit, comment, node=node)
        for name, unit, comment, node in (
            (
                "loudness_lufs",
                "LUFS",
                "Integrated loudness (EBU R128) of the cut; NULL below the gate.",
                "loudness_lufs",
            ),
            ("peak_dbfs", "dBFS", "Largest absolute sample of the mono mix; above 0 where it clips.", "peak_dbfs"),
            (
                "clipping_share",
                "0..1",
                "Share of samples in runs of three or more at the peak or at full scale.",
                "clipping_share",
            ),
            ("silence_share", "0..1", "Share of blocks of 50 ms below -60 dBFS.", "silence_share"),
            (
                "effective_bandwidth",
                "Hz",
                "Frequency above which all levels are more than 65 dB below the strongest.",
                "effective_bandwidth",
            ),
        )
    ),
    comment="Possible confounds of a genre classifier: level, clipping, silence, and bandwidth after encoding.",
)
