"""Rhythm features of a clip, with the onset and beat times from which they are computed."""

from collections.abc import Iterator

from genreatlas.audio.beats import BANDS, CYCLES, STEPS
from genreatlas.audio.frames import HOP_LENGTH, SAMPLE_RATE
from genreatlas.audio.rhythm import TEMPI_BPM, TEMPO_RATIOS
from genreatlas.audio.sets.definition import Feature, FeatureSet, summary_columns


def _groove() -> Iterator[Feature]:
    yield from summary_columns("onset_strength", "dB", "onset_strength", "Mean rise of the mel bands", ("mean", "std"))
    yield Feature("onset_rate", "1/s", "Onsets per second, by librosa's onset detection.", node="onset_rate")
    yield Feature("tempo", "bpm", "Tempo of librosa's beat tracker; NULL without onsets.", node="tempo")
    yield Feature(
        "tempo_confidence",
        "0..1",
        "Height of the tempo's peak in the mean tempogram above the median from 40 to 240 bpm.",
        node="tempo_confidence",
    )
    yield Feature(
        "tempo_tracked",
        "bpm",
        "Tempo of the beat tracker in three frequency bands; NULL without beats.",
        node="beat_tempo",
    )
    yield Feature(
        "beat_clarity", "0..1", "Autocorrelation of the weighted onsets after one tracked beat.", node="beat_clarity"
    )
    yield Feature(
        "beat_steadiness", "", "Coefficient of variation of the time between tracked beats.", node="beat_steadiness"
    )
    yield Feature("pulse_clarity", "0..1", "Highest autocorrelation of the onset strength.", node="pulse_clarity")
    for row, (name, unit, words) in enumerate(
        (
            ("mean", "s", "Mean time between onsets."),
            ("median", "s", "Median time between onsets."),
            ("std", "s", "Standard deviation of the time between onsets."),
            ("entropy", "bit", "Entropy of the times between onsets in sixteenths of a beat; 0 if all are equal."),
        )
    ):
        yield Feature(f"inter_onset_{name}", unit, words, node="inter_onset", row=row)
    yield Feature(
        "swing_ratio",
        "",
        "Duration of the long over that of the short note in swung pairs; 1 is straight.",
        node="swing",
        row=0,
    )
    yield Feature(
        "swing_parts", "", "Subdivision of a beat that swings: 2 = eighths, 4 = sixteenths.", node="swing", row=1
    )
    yield Feature(
        "swing_clarity",
        "0..1",
        "Height of the second note of the pair in the mean onset profile of a beat, relative to the highest.",
        node="swing",
        row=2,
    )
    yield Feature(
        "beats_per_bar",
        "",
        "Number of beats after which the music is most self-similar: 3, 4, 5 or 7.",
        node="beats_per_bar",
    )
    yield Feature("bar_confidence", "0..1", "Confidence in the position of the bar line.", node="bar_confidence")
    for row, bpm in enumerate(TEMPI_BPM):
        yield Feature(
            f"tempogram_{bpm:.0f}_bpm", "0..1", f"Mean tempogram at {bpm:.1f} bpm.", node="tempogram_at_tempi", row=row
        )
    for row, (over, under) in enumerate(TEMPO_RATIOS):
        words = f"Mean tempogram at {over}/{under} of the tempo."
        yield Feature(f"tempo_ratio_{over}_{under}", "0..1", words, node="tempo_ratios", row=row)


def _patterns() -> Iterator[Feature]:
    for place, (band, (low, high)) in enumerate(BANDS.items()):
        for step in range(STEPS):
            words = (
                f"Onsets from {low:.0f} to {high:.0f} Hz in step {step + 1} of 16 of a bar, relative to the highest."
            )
            yield Feature(f"pattern_{band}_{step + 1}", "0..1", words, node="step_pattern", row=place * STEPS + step)
    for place, band in enumerate(BANDS):
        for cycle in range(CYCLES):
            words = f"Share of {cycle + 1} cycles per bar in the pattern of the {band} band, for any start of the bar."
            yield Feature(f"cycle_{band}_{cycle + 1}", "0..1", words, node="step_cycles", row=place * CYCLES + cycle)


def _bars() -> Iterator[Feature]:
    yield Feature(
        "start", "s", "Tracked beat that begins the bar, from the start of the cut.", node="bar_patterns", row=0
    )
    yield Feature("duration", "s", "Length of the bar.", node="bar_patterns", row=1)
    for place, (band, (low, high)) in enumerate(BANDS.items()):
        for step in range(STEPS):
            words = f"Onsets from {low:.0f} to {high:.0f} Hz in step {step + 1} of 16, relative to the clip's highest."
            row = 2 + place * STEPS + step
            yield Feature(f"pattern_{band}_{step + 1}", "0..1", words, node="bar_patterns", row=row)


_ARRAYS = (
    Feature("onset_times", "s", "Onsets by librosa's onset detection, from the start of the cut.", node="onset_times"),
    Feature("beat_times", "s", "Beats by librosa's beat tracker.", node="beat_times"),
    Feature(
        "tracked_beat_times", "s", "Beats by the beat tracker in three frequency bands.", node="tracked_beat_times"
    ),
    Feature("downbeat_times", "s", "Tracked beats that begin a bar.", node="downbeat_times"),
)

GROOVE = FeatureSet(
    name="groove",
    version="1",
    axis="summary",
    sample_rate=SAMPLE_RATE,
    hop_length=HOP_LENGTH,
    features=(*_groove(), *_patterns()),
    comment="Tempo, pulse, time between onsets, swing, metre, pattern of a bar, and times of onsets, beats and bars.",
    arrays=_ARRAYS,
)

#: Stored as events, because bars differ in length and the rows of a frame set are equidistant.
GROOVE_BARS = FeatureSet(
    name="groove_bars",
    version="1",
    axis="events",
    sample_rate=SAMPLE_RATE,
    hop_length=HOP_LENGTH,
    features=tuple(_bars()),
    comment="Pattern of onsets of each bar, one row per bar: a sequence for recurrent networks.",
)
