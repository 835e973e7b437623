"""The page: every number comes from its rows, nothing leaves it, and it renders when parts are missing."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from genreatlas.models.engines.protocol import Losses
from genreatlas.report.data import Playlist, ReportData, Sound
from genreatlas.report.number_formats import percent
from genreatlas.report.page import render
from map_factory import map_data
from report_factory import AT, FEATURES, GENRES, experiment, metric, model, report_data

VOID = {"meta", "link", "img", "br", "input", "hr"}


class Document(HTMLParser):
    """Checks nesting and collects tags, texts and the values of ``<data>`` by the place they stand in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.cells: dict[tuple[str | None, str | None], list[str | None]] = {}
        self._model: str | None = None
        self._metric: str | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if tag == "tr":
            self._model = attributes.get("data-model")
        if tag == "td":
            self._metric = attributes.get("data-metric")
        if tag == "data" and self._model and self._metric:
            self.cells.setdefault((self._model, self._metric), []).append(attributes["value"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> without a start"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page():
    return render(report_data())


@pytest.fixture(scope="module")
def document(page):
    return Document(page.html)


def text_of(html):
    return " ".join(" ".join(Document(html).text).split())


def test_the_page_is_well_formed(document):
    assert document.open == []
    ids = [attributes["id"] for _, attributes in document.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in document.all("a") if a["href"].startswith("#")} <= set(ids)


def test_every_number_of_the_leaderboard_is_the_one_in_metrics(document):
    scores = report_data().scores
    wanted = {
        (row.model_id, row.metric): [repr(float(v)) for v in (row.value, row.low, row.high)]
        for row in scores[scores.unit == "song"].itertuples()
    }
    assert document.cells == wanted


def test_nothing_is_asked_of_any_other_place(page, document):
    for attributes in [attributes for _, attributes in document.tags]:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    assert not re.search(r"url\(|@import", page.html)
    assert not document.all("script")


def test_every_picture_has_words_and_every_table_a_caption(document):
    assert all(attributes.get("alt") for attributes in document.all("img"))
    pictures = [a for a in document.all("svg") if a.get("role") == "img"]
    assert len(pictures) > 20
    assert all(a.get("aria-label") for a in pictures)
    assert all(a.get("aria-hidden") == "true" for a in document.all("svg") if a.get("role") != "img")
    assert len(document.all("caption")) == len(document.all("table"))
    assert all(a.get("aria-label") for a in document.all("audio"))


def test_pictures_lie_beside_the_page_as_files_of_their_own(page):
    stems = ["leaderboard", "confusion_spark", "confusion_sklearn", "decision_tree", "durations"]
    stems += ["correlation_features", "correlation_genres", "distribution_tempo", "waveform_00"]
    stems += ["importance_permutation_sklearn_summary9"]
    assert {"spectrogram_00.png", *(f"{stem}.svg" for stem in stems)} <= set(page.files)
    for name, content in page.files.items():
        if name.endswith(".svg"):
            assert ElementTree.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"
            assert b"prefers-color-scheme: dark" in content
        else:
            assert content.startswith(b"\x89PNG")


HOSTILE = '<script>alert("1")</script>\' onload=x 🎺 & \u202e]]>'


def test_a_map_and_a_playlist_are_shown_and_linked_where_there_are_any():
    before = text_of(render(report_data()).html)
    assert "Open the map" not in before and "Playlist" not in before
    songs = [{"position": 1, "called": "Ann – <b>", "reason": "the nearest to <it>", "seconds": 61.0},
             {"position": 2, "called": "Bob – Song", "reason": "a small step", "seconds": None}]  # fmt: skip
    listed = (
        Playlist(
            "Night & day", 3, 200.0, (("m3u8", "../playlists/Night%20day.m3u8"),), songs, ("Shorter than wanted.",)
        ),
        Playlist("Other", 5, None, (("csv", "../playlists/Other.csv"),)),
    )
    drawn = replace(map_data(30), missing=["A lens is missing."])
    sound = report_data().sounds[0]
    made = render(
        replace(report_data(), map=drawn, playlists=listed, similar={sound.song_id: ["Cy – Near", "Di – Far"]})
    )
    document = Document(made.html)
    said = " ".join(" ".join(document.text).split())
    for words in ("30 genres", "A lens is missing.", "Playlist: Night & day", "3:20 min", "Ann – <b>",
                  "the nearest to <it>", "And 1 more.", "Other (5 songs",
                  "Similar songs", "Cy – Near; Di – Far", "Shorter than wanted."):  # fmt: skip
        assert words in said
    assert document.open == [] and "map.svg" in made.files
    links = {a["href"] for a in document.all("a") if not a["href"].startswith("#")}
    assert links == {"map.html", "map.html#view=tree", "../playlists/Night%20day.m3u8", "../playlists/Other.csv"}
    undated = [replace(genre, tree_parent=None, year=None) for genre in drawn.genres]
    assert "view=tree" not in render(replace(report_data(), map=replace(drawn, genres=undated))).html


def test_hostile_names_stay_text():
    data = report_data()
    data = replace(
        data,
        title=HOSTILE,
        genre_names={**GENRES, "metal": HOSTILE},
        genres=data.genres.assign(genre=HOSTILE),
        confused=data.confused.assign(title=HOSTILE, artist=HOSTILE, path=HOSTILE, predicted_name=HOSTILE),
        quarantine=data.quarantine.assign(path=HOSTILE, detail=HOSTILE),
        sounds=(*data.sounds[:1], Sound("metal", "s", HOSTILE, None, 0, 0.0, HOSTILE)),
        configuration=HOSTILE,
    )
    page = render(data)
    document = Document(page.html)
    assert not document.all("script")
    assert not any("onload" in attributes for _, attributes in document.tags)
    assert HOSTILE in document.text
    for name, content in page.files.items():
        if name.endswith(".svg"):
            ElementTree.fromstring(content)


def test_an_empty_store_still_makes_a_page():
    html = render(ReportData(library=dict.fromkeys(("songs", "clips", "artists", "genres"), 0) | {"hours": 0.0})).html
    assert "No model has been evaluated yet." in text_of(html)
    assert Document(html).open == []


def test_a_page_without_importances_sounds_and_frame_models_renders():
    data = report_data()
    kept = data.models[~data.models.feature_set.str.endswith("frames")]
    html = render(
        replace(
            data,
            models=kept,
            scores=data.scores[data.scores.model_id.isin(kept.model_id)],
            importances=data.importances.iloc[:0],
            comparisons=data.comparisons.iloc[:0],
            sample=data.sample.iloc[:0],
            durations=data.durations.iloc[:0],
            confused=data.confused.iloc[:0],
            sounds=(),
            runs=data.runs.iloc[:0],
        )
    ).html
    text = text_of(html)
    assert "No model has feature importances." in text
    assert "Scores per row and per song" not in text
    assert "The library has no clips: its features were imported." in text


def test_songs_with_several_genres_have_average_precision_and_no_confusion():
    models = pd.DataFrame([model("sklearn", "random_forest", "summary9", labels="multi")])
    model_id = models.model_id[0]
    names = ("macro_average_precision", "micro_average_precision", "macro_roc_auc", "micro_roc_auc")
    data = report_data(
        models=models,
        metric="macro_average_precision",
        labels="multi",
        scores=pd.DataFrame([metric(model_id, name, 0.5) for name in names]),
        genre_scores=pd.DataFrame([metric(model_id, "average_precision", 0.4, genre_id=genre) for genre in GENRES]),
        confusion=report_data().confusion.iloc[:0],
    )
    page = render(data)
    text = text_of(page.html)
    assert "There is no confusion matrix: songs have several genres at once." in text
    assert set(Document(page.html).cells) == {(model_id, name) for name in names}
    assert "reaches a Macro average precision of 0.50" in text


def test_margins_have_no_log_loss_and_the_page_says_why():
    data = report_data()
    margin = "sklearn-linear_svc-mfcc12_frames"
    lost = (data.scores.model_id == margin) & (data.scores.metric == "log_loss")
    scores = data.scores.copy()
    scores.loc[lost, ["value", "low", "high"]] = np.nan
    models = data.models.assign(
        score_kind=["margin" if model_id == margin else "probability" for model_id in data.models.model_id]
    )
    page = render(replace(data, scores=scores, models=models))
    assert (margin, "log_loss") not in Document(page.html).cells
    assert re.search(rf'<tr data-model="{margin}".*?data-metric="log_loss">–</td>', page.html, re.DOTALL)
    assert "Linear SVC: could not be calibrated, so there is no log loss." in text_of(page.html)


def test_three_thousand_genres_make_a_page_of_bounded_size():
    n = 3000
    ids = [f"g{i:04}" for i in range(n)]
    data = report_data()
    genres = pd.DataFrame({"genre_id": ids, "genre": ids, "n_songs": range(n, 0, -1)})
    for column in ("n_clips", "n_train", "n_promotion", "n_test", "n_excluded"):
        genres[column] = 1
    models = data.models.assign(classes=[ids] * len(data.models), class_names=[ids] * len(data.models))
    best = "sklearn-hist_gradient_boosting-summary9"
    per_genre = pd.DataFrame([metric(best, m, 0.5, genre_id=g) for g in ids for m in ("f1", "precision", "recall")])
    wrong = [
        {**metric(best, "confusion", 1.0 + i % 3, genre_id=ids[i], other=ids[i - 1]), "total": 9.0} for i in range(n)
    ]
    families = pd.DataFrame({"family": ["house", "rock"], "by": "name", "n_genres": [9, 7], "n_songs": [90.0, 70.0],
                             "recognised": [0.25, 0.5], "in_family": [0.75, 0.625]})  # fmt: skip
    page = render(
        replace(data, genres=genres.assign(hours=0.1), models=models, genre_scores=per_genre, genre_names={},
                confusion=pd.DataFrame(wrong), taken_for=pd.DataFrame(wrong)[["genre_id", "other", "value"]],
                families=families)
    )  # fmt: skip
    text = text_of(page.html)
    assert len(page.html) < 600_000
    assert "The 60 largest are shown; 2,940 more" in text
    assert "The largest genres and the worst of the others; 2,940 more" in text
    assert "The 16 largest of 3,000 genres" in text
    assert "Families of genres, by words that names share" in text
    assert text.index("Families of genres") < text.index("The largest genres and the worst"), "families before genres"
    assert 'href="genres.html"' in page.html
    every = page.files["genres.html"].decode()
    document = Document(every)
    assert len(every) < 1_500_000 and len(document.all("tr")) == n + 1 and not document.open
    assert "g0001 2, " not in every and '<td class="left">g0000 2</td>' in every, "what g0001 is taken for"


def test_few_genres_have_no_page_of_their_own(page):
    assert "genres.html" not in page.files and "genres.html" not in page.html


def test_the_page_of_every_genre_escapes_what_genres_are_called():
    hostile = "<script>alert(1)</script>"
    data = report_data()
    best = "sklearn-hist_gradient_boosting-summary9"
    ids = [f"g{i}" for i in range(80)]
    per_genre = pd.DataFrame([metric(best, "f1", 0.5, genre_id=g) for g in ids])
    made = render(replace(data, genre_scores=per_genre, genre_names=dict.fromkeys(ids, hostile), title=hostile))
    assert hostile.encode() not in made.files["genres.html"] and b"&lt;script&gt;" in made.files["genres.html"]


def test_probabilities_and_sets_stand_beside_what_was_shown_and_the_worst_genre_comes_first(page):
    data = report_data()
    whole = data.reliability[(data.reliability["genre_id"] == "*") & (data.reliability["bin"] == 0)].iloc[0]
    part = page.html.partition('<section id="reliability">')[2].partition("</section>")[0]
    for value in (whole["confidence"], whole["accuracy"], whole["calibration_error"], whole["coverage"]):
        assert percent(value) in part
    first = re.search(r'id="reliability-genres".*?<tbody><tr><th scope="row">(\w+)', part, re.DOTALL)
    assert first and first[1] == "Waltz", "its sets hold it for half of its songs"
    assert "reliability.svg" in page.files
    without = render(replace(data, reliability=data.reliability.iloc[:0]))
    assert 'id="reliability"' not in without.html and "#reliability" not in without.html


def test_the_loss_of_a_network_is_drawn_with_the_epoch_that_was_kept():
    data = report_data()
    network = data.models.iloc[0]["model_id"]
    losses = Losses((1.5, 0.9, 0.4, 0.2), (1.6, 1.1, 0.8, 0.95), 3)
    shown = render(replace(data, losses_of={network: losses, "a model of another board": losses}))
    text = text_of(shown.html)
    assert "Loss of networks" in text and "kept: epoch 3" in text
    (name,) = [name for name in shown.files if name.startswith("training_")]
    picture = ElementTree.fromstring(shown.files[name])
    lines = [one for one in picture.iter() if one.tag.endswith("path")]
    assert [one.get("d").count("L") for one in lines] == [3, 3]
    assert "1.60 to 0.80 at epoch 3" in shown.files[name].decode()
    assert "Loss of networks" not in text_of(render(data).html)


def test_candidates_without_a_score_stand_with_their_reason():
    data = report_data(experiments=pd.DataFrame([experiment("spark", "naive_bayes", "summary9", None)]))
    text = text_of(render(data).html)
    assert "fit failed ValueError: <b>no</b>" in text


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.123, "Guests and partners may: 12.3% of test songs have a guest or partner who performs a training song."),
        (0.0, "This also holds for guests and partners."),
        (None, "Guests may; assign_splits prints the number of songs."),
    ],
)
def test_artist_safe_is_said_with_the_share_of_test_songs_that_feature_a_training_artist(share, words):
    assert words in render(report_data(featured=share)).html


@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium")
def test_a_phone_shows_the_page_without_scrolling_sideways(page, tmp_path):
    """Load the page in a frame of 390 px, and read how wide it is and what went wrong."""
    probe = "<script>window.errors=[];addEventListener('error',e=>errors.push(e.message),true)</script>"
    told = (
        "<script>addEventListener('load',()=>{document.querySelectorAll('details').forEach(d=>d.open=true);"
        "document.title='width '+document.documentElement.scrollWidth+' of '+innerWidth+' errors '+errors.length;"
        "parent.postMessage(document.title,'*')})</script>"
    )
    html = page.html.replace("<head>", f"<head>{probe}", 1).replace("</body>", f"{told}</body>", 1)
    (tmp_path / "index.html").write_text(html, encoding="utf-8")
    (tmp_path / "phone.html").write_text(
        "<p id=told></p><script>addEventListener('message',e=>told.textContent=e.data)</script>"
        "<iframe src=index.html style='width:390px;height:800px;border:0'></iframe>"
    )
    browser = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
         "--virtual-time-budget=4000", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom",
         (tmp_path / "phone.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert re.search(r'id="told">(.*?)</p>', browser.stdout).group(1) == "width 390 of 390 errors 0"


def test_features_without_a_unit_and_with_one_are_both_named(page):
    text = text_of(page.html)
    assert "spectral_centroid_mean [Hz]" in text
    assert set(FEATURES) >= {"rms_mean"}
    assert "rms_mean []" not in text


def test_decisions_and_drift_of_the_model_in_use_are_shown_where_there_are_any():
    assert "In use" not in render(report_data()).html
    decision = {
        "alias": "champion", "sequence": 2, "action": "kept", "model_id": "0123456789", "difference": 0.0123,
        "low": None, "n_songs": 40, "n_groups": 9, "reason": "Not better <b>by far</b>.", "decided_at": AT,
    }  # fmt: skip
    drift = {
        "model_id": "0123456789", "population": "new_songs", "subject": "feature", "name": "tempo", "psi": 0.31,
        "ks": 0.2, "share_trained": 0.0, "share_new": 0.0, "mean_trained": 120.0, "mean_new": 141.0, "n_trained": 9,
        "n_new": 9,
    }  # fmt: skip
    genre = drift | {"subject": "genre", "name": "drumandbass", "share_trained": 0.2, "share_new": 0.5}
    data = replace(
        report_data(),
        decisions=pd.DataFrame([decision]),
        drift=pd.DataFrame([genre | {"name": "*"}, drift, genre]),
    )
    page = Document(render(data).html)
    text = " ".join(page.text)
    for words in ("In use", "01234567", "Not better <b>by far</b>.", "all genres", "tempo", "141", "Drum & Bass"):
        assert words in text
