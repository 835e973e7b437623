"""Pictures of samples: known features, known outliers, known sounds."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import soundfile

from genreatlas.explore import pictures, sound
from genreatlas.explore.samples import Sample
from genreatlas.report import sounds


@pytest.fixture
def sample():
    """Two genres that `apart` and a little `near` tell apart, and `noise` does not."""
    rng = np.random.default_rng(1)
    genre = np.repeat(["house", "techno"], 40)
    rows = pd.DataFrame({
        "_genre_id": genre, "noise": rng.normal(size=80), "apart": rng.normal(size=80) + 9 * (genre == "techno"),
        "near": rng.normal(size=80) + 1 * (genre == "techno"), "constant": 1.0,
    })  # fmt: skip
    rows.loc[3, "apart"] = np.nan
    names = {"house": "House", "techno": "Techno"}
    return Sample("points", rows, ("noise", "apart", "near", "constant"), {"apart": "Hz"}, ("house", "techno"), names)


def test_the_features_that_tell_genres_apart_come_first_and_constants_last(sample):
    assert sample.most_discriminative(4) == ["apart", "near", "noise", "constant"]


def test_every_picture_is_well_formed_and_says_in_words_what_it_shows(sample):
    durations = pd.DataFrame({"genre": ["A"] * 5 + ["B"] * 3, "duration_s": [100, 110, 120, 130, 900, 60, 70, 80]})
    figures = [
        *pictures.densities(sample, ["apart", "noise"]),
        pictures.correlation(sample, ["apart", "near", "constant"]),
        pictures.genre_correlation(sample),
        pictures.pair_plot(sample, ["apart", "near", "noise"]),
        pictures.duration_boxes(durations),
        pictures.mean_lengths(durations),
    ]
    for figure in figures:
        ElementTree.fromstring(figure.inline)
        assert figure.alt.endswith(".")
    assert pictures.html(*figures, caption="a < b").count("<svg") == len(figures)
    assert "a &lt; b" in pictures.html(*figures, caption="a < b")


def test_outliers_lie_more_than_one_and_a_half_boxes_from_the_box():
    assert pictures.outlier_fences(pd.Series([1.0, 2.0, 3.0, 4.0, 5.0])) == (-1.0, 7.0)
    found = pd.DataFrame(
        {"genre": ["A"] * 5 + ["B"] * 2, "song_id": list("abcdefg"), "duration_s": [100, 110, 120, 130, 900, 1, 2]}
    )
    assert pictures.outliers(found)[["song_id", "from_s", "to_s"]].values.tolist() == [["e", 80.0, 160.0]]
    assert list(pictures.outliers(found.tail(2)).columns) == ["genre", "song_id", "duration_s", "from_s", "to_s"]


def test_mean_lengths_are_said_longest_first():
    found = pd.DataFrame({"genre": ["A", "A", "B"], "duration_s": [10.0, 20.0, 60.0]})
    assert pictures.mean_lengths(found).alt == "Mean duration per genre: B 60 s, A 15 s."


def test_a_pair_plot_draws_every_clip_inside_its_frame(sample):
    figure = pictures.pair_plot(sample, ["apart", "near"], per_genre=10)
    circles = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="1.8"', figure.body)
    assert 30 <= len(circles) <= 40  # two cells of two genres, less what lies beyond the percentiles and NaN
    assert all(0 <= float(x) <= figure.width and 0 <= float(y) <= figure.height for x, y in circles)


@pytest.fixture
def clip(tmp_path):
    """Four clicks a second (240 a minute) under a tone of 1 kHz."""
    rate, seconds = 22050, 6
    time = np.arange(rate * seconds) / rate
    samples = 0.05 * np.sin(2 * np.pi * 1000 * time)
    samples[:: rate // 2] = 0.9
    path = tmp_path / "clicks.wav"
    soundfile.write(path, samples, rate)
    return pd.Series({"genre": "Clicks", "genre_id": "clicks", "song_id": "s", "title": "Clicks", "artist": None,
                      "path": "clicks.wav", "uri": path.as_uri(), "start_s": 0.0, "length_s": 6.0, "duration_s": 6.0,
                      "mime": "audio/wav", "bytes": path.stat().st_size})  # fmt: skip


def test_a_clip_is_seen_as_waveform_spectrogram_mel_and_tempogram(clip):
    figures = sound.see(clip)
    assert [figure.name for figure in figures] == ["waveform", "spectrogram", "mel", "tempogram"]
    assert "120 bpm" in figures[3].body
    assert "10 kHz" in figures[1].body
    for figure in figures:
        ElementTree.fromstring(figure.inline)


def test_a_clip_can_be_heard_and_a_file_that_is_gone_says_so(clip):
    gone = clip.copy()
    gone["uri"], gone["title"] = "file:///gone.wav", "<gone>"
    html = sound.listen(pd.DataFrame([clip, gone]))
    assert html.count("<audio") == 1
    assert 'src="data:audio/wav;base64,' in html
    assert "&lt;gone&gt;" in html
    assert "cannot be opened" in html
    assert sound.see(gone) == []


def test_a_clip_that_was_fetched_is_heard_from_its_bytes(clip):
    fetched = clip.copy()
    fetched["audio"] = Path(clip["uri"].removeprefix("file://")).read_bytes()
    fetched["uri"] = "https://cdn.example/clicks.wav"
    assert sound.listen(pd.DataFrame([fetched])) == sound.listen(pd.DataFrame([clip]))
    np.testing.assert_array_equal(sounds.sound(fetched).samples, sounds.sound(clip).samples)


def test_the_map_has_every_genre_and_no_two_names_on_each_other():
    genres = pd.DataFrame(
        {"genre_id": list("abc"), "name": ["Alpha", "Beta", "<Gamma>"], "map_x_scaled": [0.5, 0.51, 1.0],
         "map_y_scaled": [0.5, 0.5, 0.0], "colour": ["#112233"] * 3, "weight": [150.0, 100.0, 100.0]}
    )  # fmt: skip
    drawn = pictures.genre_map(genres)
    assert drawn.body.count("<circle") == 3
    assert "Alpha" in drawn.body and "Beta" not in drawn.body and "&lt;Gamma&gt;" in drawn.body
    ElementTree.fromstring(drawn.inline)
