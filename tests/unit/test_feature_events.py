"""Segments, notes, and rhythm patterns, on signals whose events are known."""

import numpy as np
import pytest

from genreatlas.audio import notes
from genreatlas.audio.engine import FAST_GRAPH
from genreatlas.audio.feature_sets import FEATURE_SETS, compute_sets
from genreatlas.audio.pitch import PITCH_CLASSES
from genreatlas.audio.rhythm_pattern import BANDS, CONTOUR_HZ, CONTOURS, MODULATION_HZ, MODULATIONS

RATE = 22050
TIME = np.arange(6 * RATE) / RATE


def rows(samples, name):
    """Features of a set of events by name, each (n_events,)."""
    feature_set = FEATURE_SETS[name]
    values = compute_sets([feature_set], np.asarray(samples, np.float32), FAST_GRAPH)[name]
    return dict(zip([f.name for f in feature_set.features], values.T, strict=True))


def three_notes():
    """A at 1 s, E at 2.5 s and A again, louder, at 4 s, each dying away."""
    samples = np.zeros(TIME.size)
    for start, hertz, level in ((1.0, 440.0, 0.2), (2.5, 659.26, 0.2), (4.0, 440.0, 0.4)):
        after = TIME[start <= TIME] - start
        samples[start <= TIME] += level * np.sin(2 * np.pi * hertz * after) * np.exp(-2.5 * after)
    return samples + 1e-3 * np.random.default_rng(0).standard_normal(TIME.size)


@pytest.fixture(scope="module")
def heard():
    return rows(three_notes(), "timbre_pitch")


def test_a_set_of_segments_has_start_loudness_timbre_and_pitch():
    names = [feature.name for feature in FEATURE_SETS["timbre_pitch"].features]
    assert names[:7] == [
        "start", "duration", "confidence", "loudness", "loudness_start", "loudness_max", "loudness_max_time",
    ]  # fmt: skip
    assert names[7:19] == [f"timbre_{n}" for n in range(1, 13)]
    assert names[19:] == [f"pitch_{name}" for name in PITCH_CLASSES]
    assert tuple(names) == notes.SEGMENT_COLUMNS


def segment_at(heard, time):
    """The segment that most of the time after an onset lies in."""
    return int(np.flatnonzero(heard["start"] <= time + 0.2)[-1])


def test_a_segment_begins_with_each_note_and_none_is_left_out(heard):
    np.testing.assert_allclose(heard["start"][1:], (heard["start"] + heard["duration"])[:-1])
    assert heard["start"][0] == 0.0
    assert heard["start"][-1] + heard["duration"][-1] == pytest.approx(6.0)
    for time in (1.0, 2.5, 4.0):
        assert np.abs(heard["start"] - time).min() < 0.06


@pytest.mark.parametrize(("time", "pitch"), [(1.0, "a"), (2.5, "e"), (4.0, "a")])
def test_a_segment_has_the_pitch_of_its_note(heard, time, pitch):
    place = segment_at(heard, time)
    values = {name: heard[f"pitch_{name}"][place] for name in PITCH_CLASSES}
    assert max(values, key=values.get) == pitch
    assert values[pitch] == 1.0


def test_a_note_twice_as_high_is_six_decibels_louder(heard):
    first, last = segment_at(heard, 1.0), segment_at(heard, 4.0)
    assert heard["loudness_max"][last] - heard["loudness_max"][first] == pytest.approx(20 * np.log10(2), abs=0.7)
    assert heard["loudness_start"][last] <= heard["loudness_max"][last]
    assert 0 <= heard["loudness_max_time"][last] < 0.15
    assert heard["timbre_1"][last] > heard["timbre_1"][first]


def test_a_note_that_dies_away_falls_in_loudness_over_its_segment(heard):
    assert heard["timbre_10"][segment_at(heard, 4.0)] > 5  # the first cosine falls from 1 to -1


def test_silence_is_one_segment_without_loudness_or_pitch():
    values = rows(np.zeros(2 * RATE), "timbre_pitch")
    assert (values["start"].tolist(), values["duration"].tolist(), values["confidence"].tolist()) == ([0], [2], [1])
    undefined = {name for name, value in values.items() if np.isnan(value[0])}
    assert undefined == {"loudness", "loudness_start", "loudness_max"} | {f"pitch_{p}" for p in PITCH_CLASSES}


def beats_and_notes():
    """A kick every half second from 0.25 s on, and an A in the middle of every second beat."""
    rng = np.random.default_rng(0)
    samples = 1e-3 * rng.standard_normal(TIME.size)
    for place, start in enumerate(np.arange(0.25, 5.7, 0.5)):
        after = TIME[start <= TIME] - start
        samples[start <= TIME] += 0.5 * np.sin(2 * np.pi * 60 * after) * np.exp(-25 * after)
        if place % 2 == 0:
            after = TIME[start + 0.25 <= TIME] - start - 0.25
            samples[start + 0.25 <= TIME] += 0.2 * np.sin(2 * np.pi * 880 * after) * np.exp(-8 * after)
    return samples


def test_notes_have_time_band_beat_phase_and_pitch():
    found = rows(beats_and_notes(), "rhythm_notes")
    assert tuple(found) == notes.NOTE_COLUMNS
    assert (np.diff(found["time"]) >= 0).all()
    low, mid = found["band"] == 0, found["band"] == 1
    for time in np.arange(0.75, 5.3, 0.5):
        nearest = np.argmin(np.abs(found["time"][low] - time))
        assert abs(found["time"][low][nearest] - time) < 0.04
        phase = found["beat_phase"][low][nearest]
        assert min(phase, 1 - phase) < 0.08
    for time in np.arange(1.5, 5.3, 1.0):
        nearest = np.argmin(np.abs(found["time"][mid] - time))
        assert abs(found["time"][mid][nearest] - time) < 0.04
        assert found["beat_phase"][mid][nearest] == pytest.approx(0.5, abs=0.1)
        assert PITCH_CLASSES[int(found["pitch_class"][mid][nearest])] == "a"
    assert ((found["strength"] > 0) & (found["strength"] <= 1)).all()
    assert np.isnan(found["pitch_class"][found["band"] == 2]).all()


def test_silence_has_no_notes():
    assert all(len(values) == 0 for values in rows(np.zeros(2 * RATE), "rhythm_notes").values())


PATTERN_TIME = np.arange(13 * 44100) / 44100


def ssd_rp(samples):
    feature_set = FEATURE_SETS["ssd_rp"]
    values = compute_sets([feature_set], np.asarray(samples, np.float32), FAST_GRAPH)["ssd_rp"]
    return dict(zip([f.name for f in feature_set.features], values.tolist(), strict=True))


def test_a_tone_that_pulses_four_times_a_second_fluctuates_at_four_hertz_in_its_band():
    pulsing = 0.3 * np.sin(2 * np.pi * 1000 * PATTERN_TIME) * (1 + np.sin(2 * np.pi * 4 * PATTERN_TIME)) / 2
    values = ssd_rp(pulsing)
    pattern = np.array([value for name, value in values.items() if name.startswith("rp_")]).reshape(BANDS, MODULATIONS)
    band, modulation = np.unravel_index(np.argmax(pattern), pattern.shape)
    assert band == 8  # 920 to 1080 Hz
    assert (modulation + 1) * MODULATION_HZ == pytest.approx(4.0, abs=0.25)


def test_one_kilohertz_at_forty_decibels_is_about_one_sone_and_ten_decibels_more_are_twice_as_loud():
    levels = [
        ssd_rp(10 ** ((level - 96) / 20) * np.sin(2 * np.pi * 1000 * PATTERN_TIME))["ssd_bark9_mean"]
        for level in (40, 50, 60)
    ]
    assert levels[0] == pytest.approx(1.0, rel=0.2)
    assert np.array(levels[1:]) / np.array(levels[:-1]) == pytest.approx([2, 2], rel=0.02)


#: ISO 226:2003: levels of tones that are as loud as 1 kHz at 40 phon, dB SPL.
AS_LOUD_AS_40_PHON = {
    50: 77.8, 100: 64.4, 200: 53.4, 500: 43.1, 1000: 40.0, 2000: 39.2, 3150: 35.6, 5000: 40.0, 10000: 54.3,
}  # fmt: skip


def test_the_contours_have_the_shape_of_the_standard():
    forty_phon = dict(zip(CONTOUR_HZ, CONTOURS[2], strict=True))
    assert [forty_phon[hz] for hz in (100, 200, 500, 1000, 2000, 5000, 10000)] == [51, 43, 41, 40, 38, 35, 46]
    ours = np.interp(list(AS_LOUD_AS_40_PHON), CONTOUR_HZ, CONTOURS[2])
    apart = list(AS_LOUD_AS_40_PHON.values()) - ours
    # the standard of 2003 raised low frequencies by up to 15 dB over that of 1987, which the contours follow
    assert (np.abs(apart) <= 15).all()
    assert np.abs(apart)[3:8].max() <= 5
    assert (np.diff(CONTOURS, axis=0) > 0).all()


@pytest.mark.parametrize(("hertz", "band", "level", "phon"), [(1000, 9, 80, 80), (100, 1, 88, 80), (2000, 13, 56, 60)])
def test_a_tone_is_as_loud_as_its_contour_says(hertz, band, level, phon):
    """At a band's upper edge, where its contour holds; spreading adds a little of the band's own."""
    tone = 10 ** ((level - 96) / 20) * np.sin(2 * np.pi * (hertz - 25) * PATTERN_TIME)
    sone = ssd_rp(tone)[f"ssd_bark{band}_mean"]
    assert 40 + 10 * np.log2(sone) == pytest.approx(phon, abs=2.5)


def test_a_steady_tone_has_a_spectrum_and_no_rhythm():
    values = ssd_rp(0.3 * np.sin(2 * np.pi * 1000 * PATTERN_TIME))
    assert values["ssd_bark9_mean"] == max(value for name, value in values.items() if name.endswith("_mean"))
    assert values["ssd_bark9_max"] == pytest.approx(values["ssd_bark9_min"], rel=0.01)
    assert max(value for name, value in values.items() if name.startswith("rp_")) < 1e-3 * values["ssd_bark9_mean"]


def test_a_clip_shorter_than_a_segment_has_loudness_but_no_pattern():
    values = ssd_rp(0.3 * np.sin(2 * np.pi * 1000 * PATTERN_TIME[: 3 * 44100]))
    assert all(
        np.isnan(value) == name.startswith("rp_") for name, value in values.items() if "_mean" in name or "rp" in name
    )


def bars_of(orders, bpm=120.0):
    """Bars of four beats: on each beat a kick (k) or a snare (s), and a hat on every half beat."""
    beat, rng = 60.0 / bpm, np.random.default_rng(0)
    samples = np.zeros(int((len(orders) * beat + 1.0) * RATE))

    def hit(time, values):
        start = round(time * RATE)
        samples[start : start + len(values)] += values[: len(samples) - start]

    after = np.arange(int(0.15 * RATE)) / RATE
    kick = 0.8 * np.sin(2 * np.pi * 60.0 * after) * np.exp(-25 * after)
    snare = 0.5 * np.sin(2 * np.pi * 700.0 * after) * np.exp(-30 * after)
    hat = 0.1 * rng.standard_normal(len(after)) * np.exp(-80 * after)
    for number, drum in enumerate(orders):
        hit(0.25 + number * beat, kick if drum == "k" else snare)
        hit(0.25 + number * beat, hat)
        hit(0.25 + (number + 0.5) * beat, hat)
    return samples


def test_every_bar_has_a_row_and_bars_keep_their_order():
    found = rows(bars_of("kkss" * 4 + "ksks" * 4), "groove_bars")
    assert list(found)[:3] == ["start", "duration", "pattern_low_1"] and len(found) == 50
    n_bars = len(found["start"])
    assert 5 <= n_bars <= 8
    assert found["duration"] == pytest.approx(np.full(n_bars, 2.0), abs=0.05)
    assert np.diff(found["start"]) == pytest.approx(found["duration"][:-1])
    steps = np.stack([found[f"pattern_low_{n}"] for n in (1, 5, 9, 13)], axis=1) > 0.5  # kicks on the beats
    shape = steps.sum(axis=1)
    assert (shape == 2).mean() > 0.7, "two kicks a bar in either half"
    alternating = steps[:, 0] == steps[:, 2]
    assert not alternating[:2].any() and alternating[-2:].all(), "the halves of the clip differ in order alone"


def test_the_mean_of_the_bars_is_the_pattern_of_the_groove():
    samples = bars_of("kkss" * 4 + "ksks" * 4)
    found, groove = rows(samples, "groove_bars"), rows(samples, "groove")
    for band in ("low", "mid", "high"):
        names = [f"pattern_{band}_{n}" for n in range(1, 17)]
        mean = np.array([found[name].mean() for name in names])
        np.testing.assert_allclose(mean / mean.max(), [groove[name] for name in names], atol=1e-9)


def test_what_has_no_bars_has_no_rows_of_them():
    assert all(len(values) == 0 for values in rows(np.zeros(2 * RATE), "groove_bars").values())
