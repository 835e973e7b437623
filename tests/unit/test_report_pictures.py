"""Pictures and their numbers: known inputs, known answers."""

import io
import itertools
import re
from html import unescape

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from genreatlas.report import number_formats
from genreatlas.report.boards import boards, model_name
from genreatlas.report.flags import flags
from genreatlas.report.map_data import MapData, MapGenre, MapLens
from genreatlas.report.page_pictures import genre_medians
from genreatlas.report.plots import Scored, density, dot_and_whisker, mel_picture, ridges, waveform
from genreatlas.report.plots_map import map_picture
from genreatlas.report.plots_matrices import Node, confusion_shares, draw_tree, grow_tree, heatmap_alt, strongest_pairs
from genreatlas.report.svg import Figure, text, ticks
from genreatlas.report.views import drawn_features, separation
from map_factory import map_data
from report_factory import GENRES, frame, metric, model, report_data


def test_confusion_is_shared_out_by_row_and_what_is_not_shown_shares_one_column():
    confusion = frame("genre_id other value", ("a", "a", 3.0), ("a", "b", 1.0), ("b", "c", 2.0), ("c", "a", 9.0))
    shares = confusion_shares(confusion, ["a", "b"])
    assert shares.to_dict("index") == {
        "a": {"a": 0.75, "b": 0.25, "other genres": 0.0},
        "b": {"a": 0.0, "b": 0.0, "other genres": 1.0},
    }
    assert heatmap_alt("it", shares, {"a": "Polka"}) == (
        "Confusion of it, 2 genres. Share right from 0 % to 75 %. "
        "Largest mistake: b taken for other genres, 100 % of its songs."
    )


def test_the_strongest_pairs_come_first_whatever_their_sign():
    correlation = pd.DataFrame(
        [[1.0, 0.2, -0.9], [0.2, 1.0, np.nan], [-0.9, np.nan, 1.0]], index=list("xyz"), columns=list("xyz")
    )
    assert strongest_pairs(correlation).to_numpy().tolist() == [["x", "z", -0.9], ["x", "y", 0.2]]


def test_a_tree_asks_the_one_question_that_parts_two_genres():
    sample = pd.DataFrame(
        {"_genre_id": ["a"] * 8 + ["b"] * 8, "_part": "train", "noise": 1.0, "tempo": [90.0] * 8 + [140.0] * 8}
    )
    unseen = pd.DataFrame({"_genre_id": ["b"], "_part": "test", "noise": 1.0, "tempo": 0.0})
    tree = grow_tree(pd.concat([sample, unseen]), ["noise", "tempo"], seed=1)
    assert tree == Node(16, "a", 8, "tempo", 115.0, Node(8, "a", 8), Node(8, "b", 8))
    drawn = draw_tree("tree", tree, {"tempo": "BPM"}, {"a": "Ada"})
    assert "≤ 115 BPM?" in drawn.body
    assert "8 of 8 songs" in drawn.body
    assert grow_tree(sample[sample["_genre_id"] == "a"], ["tempo"], seed=1) is None


def test_features_that_part_the_genres_are_drawn_where_no_model_names_any():
    sample = frame("_genre_id flat vague clear", ("a", 1.0, 0.0, 5.0), ("a", 1.0, 4.0, 5.0), ("b", 1.0, 2.0, 9.0),
                   ("b", 1.0, 6.0, None))  # fmt: skip
    assert separation(sample, ["flat", "vague", "clear"]) == {"flat": 0.0, "vague": 0.2, "clear": 1.0}
    features = frame("feature unit kind", *[(name, "", "numeric") for name in ("flat", "vague", "clear")])
    data = report_data(sample=sample, features=features)
    assert drawn_features(data, []) == ["clear", "vague", "flat"]
    named = pd.DataFrame([metric("m", "importance_permutation", 0.1, other="vague")])
    assert drawn_features(report_data(sample=sample, features=features, importances=named), ["m"], 2) == [
        "vague",
        "clear",
    ]


def test_a_density_has_area_one_and_few_values_have_none():
    values = np.random.default_rng(1).normal(size=200)
    grid = np.linspace(-6, 6, 500)
    curve = density(values, grid)
    assert np.trapezoid(curve, grid) == pytest.approx(1.0, abs=1e-3)
    assert density(values[:4], grid) is None
    assert density(np.ones(50), grid) is None


def test_ridges_survive_missing_and_constant_values():
    sample = frame("_genre_id x", ("a", None), ("a", None), *[("b", 5.0)] * 9)
    figure = ridges("r", sample, "x", "Hz", ["a", "b"], {"a": "Ada"})
    assert figure.alt == "Density of x in Hz per genre. Medians: b 5."
    assert "nan" not in figure.body


def test_genre_medians_do_not_depend_on_the_unit_of_a_feature():
    sample = frame("_genre_id hz ratio", ("a", 100.0, 0.1), ("a", 200.0, 0.2), ("b", 900.0, 0.9), ("b", 800.0, 0.3))
    medians = genre_medians(sample, ["hz", "ratio"], ["b", "a"])
    scaled = genre_medians(sample.assign(hz=sample.hz / 1000), ["hz", "ratio"], ["b", "a"])
    pd.testing.assert_frame_equal(medians, scaled)
    assert medians.index.tolist() == ["b", "a"]


def test_a_tone_is_one_bright_line_in_its_mel_spectrogram():
    tone = np.sin(2 * np.pi * 1000 * np.arange(22050 * 2) / 22050).astype(np.float32)
    picture = Image.open(io.BytesIO(mel_picture(tone, 22050)))
    levels = np.asarray(picture).astype(int)
    assert picture.mode == "P" and picture.height == 96 and picture.width <= 421
    brightest = 95 - levels.mean(axis=1).argmax()
    import librosa

    assert librosa.mel_frequencies(98, fmax=11025)[brightest + 1] == pytest.approx(1000, rel=0.05)


def test_a_waveform_says_how_long_and_how_loud_it_is():
    figure = waveform("w", np.full(44100, 0.25, dtype=np.float32), 22050, "Song")
    assert figure.alt == "Waveform of Song: 2 s, peak at 0.25 of full scale."
    assert waveform("w", np.array([0.5], dtype=np.float32), 22050, "One sample").body


def test_scores_stand_where_the_scale_says():
    figure = dot_and_whisker("l", [Scored("A", "b", 0.5, 0.25, 1.0)], "Accuracy")
    assert 'cx="50%"' in figure.body
    assert 'x1="25.75%" x2="98.5%"' in figure.body


def test_text_in_pictures_is_escaped():
    assert text(1, 2, "<b> & 'x'") == '<text x="1" y="2">&lt;b&gt; &amp; &#x27;x&#x27;</text>'
    assert 'aria-label="&quot;&gt;"' in Figure("n", '">', "", 10, 10).inline


@pytest.mark.parametrize(
    ("low", "high", "wanted", "expected"),
    [(0, 1, 4, [0, 0.25, 0.5, 0.75, 1]), (-7.5, 8, 4, [-5, 0, 5]), (3, 3, 4, [3]), (float("nan"), 1, 4, [])],
)
def test_ticks_are_round_and_inside(low, high, wanted, expected):
    assert ticks(low, high, wanted) == expected


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (number_formats.score(0.7049), "0.70"),
        (number_formats.score(-0.001), "0.00"),
        (number_formats.score(float("nan")), "–"),
        (number_formats.interval(0.1, None), "–"),
        (number_formats.percent(0.001), "<1 %"),
        (number_formats.count(12345.0), "12,345"),
        (number_formats.amount(1834.2, "Hz"), "1,834 Hz"),
        (number_formats.amount(-0.0123), "−0.0123"),
        (number_formats.duration(205), "3:25 min"),
        (number_formats.length_of_clips(0.045), "2.7 min"),
        (number_formats.length_of_clips(1.2), "72 min"),
        (number_formats.length_of_clips(1250.4), "1,250 h"),
        (number_formats.p_value(0.0004), "<0.001"),
        (number_formats.settings('{"C": 1.0, "max_iter": 5}'), "C 1.0, max iter 5"),
        (number_formats.shortened("a\nlong name", 6), "a lon…"),
        (str(number_formats.exact(0.12345, "0.12")), '<data value="0.12345">0.12</data>'),
    ],
)
def test_numbers_have_sensible_digits(shown, expected):
    assert shown == expected


def test_a_board_holds_the_newest_model_of_each_kind_and_the_configured_board_comes_first():
    old = model(
        "spark", "logistic_regression", "summary9", model_id="old", fitted_at=pd.Timestamp("2026-01-01", tz="UTC")
    )
    new = model("spark", "random_forest", "summary9", model_id="new")
    loud = model("baseline", "loudness", "loudness", model_id="loud")
    dumb = model("baseline", "majority", "summary9", model_id="dumb")
    parent = model("spark", "random_forest", "summary9", model_id="parent", level="parent")
    rows = [metric(name, "macro_f1", value) for name, value in
            (("old", 0.9), ("new", 0.5), ("loud", 0.6), ("dumb", 0.1), ("parent", 0.95))]  # fmt: skip
    found = boards(pd.DataFrame([old, new, loud, dumb, parent]), pd.DataFrame(rows), "macro_f1", "genre", "drop")
    assert [board.rows["model_id"].tolist() for board in found] == [["loud", "new", "dumb"], ["parent"]]
    assert found[0].best["model_id"] == "new"
    assert found[0].best_baseline["model_id"] == "loud"
    assert [model_name(m) for m in found[0].shown_closely] == ["Random forest"]


@pytest.mark.parametrize(
    ("grouping", "title", "serious"),
    [
        ("song-grouped", "Song-grouped, not artist-safe", True),
        ("leaky", "This split leaks", True),
        ("artist-safe", "Artist-safe", False),
        ("artists-shared (2 performers, 7 songs)", "Performers in several parts", True),
    ],
)
def test_what_groups_are_safe_against_is_said_first(grouping, title, serious):
    data = report_data()
    scores = data.scores.assign(grouping=grouping)
    board = boards(data.models, scores, "macro_f1", "genre", "drop")[0]
    found = {flag.title: flag for flag in flags(data, board)}
    assert found[title].serious is serious
    assert ("2 performers, 7 songs" in found[title].text) == ("2 performers" in grouping)
    assert ("Artist-safe" in found) == (grouping == "artist-safe")


def test_a_technical_baseline_near_the_best_model_is_a_serious_flag():
    data = report_data()
    scores = data.scores.copy()
    scores.loc[(scores.model_id == "baseline-technical-technical") & (scores.metric == "macro_f1"), "value"] = 0.63
    board = boards(data.models, scores, "macro_f1", "genre", "drop")[0]
    found = {flag.title: flag for flag in flags(data, board)}
    assert found["The technical baseline"].serious
    assert "is not based on the music" in found["The technical baseline"].text
    assert not found["The loudness baseline"].serious
    assert set(GENRES) == set(board.best["classes"])


def test_the_picture_of_the_map_keeps_distances_and_names_the_largest_genres():
    places = {"a": (0.0, 0.0), "b": (1.0, 0.0), "c": (0.0, 3.0)}
    genres = [MapGenre(name, f"<{name}>", {"sound": place}, n_songs=9, region=0) for name, place in places.items()]
    figure = map_picture(MapData([*genres, MapGenre("d", "nowhere")], [MapLens("sound", "Sound")], regions=["r"]))
    dots = re.findall(r"M([\d.]+) ([\d.]+)h0", figure.body)
    a, b, c = (np.array(dot, dtype=float) for dot in dots)
    assert np.linalg.norm(c - a) == pytest.approx(3 * np.linalg.norm(b - a), abs=0.1)
    assert all(f"&lt;{name}&gt;" in figure.body for name in places) and "nowhere" not in figure.body
    assert figure.alt.startswith("Map of 3 genres in 1 region;")
    assert all(0 <= x <= figure.width and 0 <= y <= figure.height for x, y in (a, b, c))


def test_names_on_the_picture_of_the_map_never_touch_and_a_map_of_one_place_is_drawn():
    figure = map_picture(map_data(900))
    boxes = [(float(x), float(y), float(x) + 6.7 * len(unescape(name)), float(y) + 14)
             for x, y, name in re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)<', figure.body)]  # fmt: skip
    assert len(boxes) > 30
    touching = [(p, q) for p, q in itertools.combinations(boxes, 2)
                if p[0] < q[2] and q[0] < p[2] and p[1] < q[3] and q[1] < p[3]]  # fmt: skip
    assert touching == []
    one = MapData([MapGenre("a", "a", {"sound": (1.0, 1.0)})], [MapLens("sound", "Sound")])
    assert "nan" not in map_picture(one).body
    assert map_picture(MapData([], [MapLens("sound", "Sound")])).body == ""
