"""Charts of the site, kept by month."""

import csv
import io
import re

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("duckdb")
from fastapi.testclient import TestClient

from conftest import make_config
from genreatlas.errors import StoreError
from genreatlas.web import extract as files
from genreatlas.web.app import create_app
from genreatlas.web.published import Extract
from genreatlas.web.publishing import publish
from genreatlas.web.site_data import SongFeatures
from site_factory import FEATURES, GENRES, site_data

HOSTILE = '=HYPERLINK("http://evil.example")<script>'


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """In September a feature and a genre that are gone, 60 songs; in October 120 songs."""
    home = tmp_path_factory.mktemp("charts")
    config = make_config(home)
    september = site_data(60, month="2026-09")
    tables = dict(september.tables)
    names = [HOSTILE if one == "techno" else GENRES[one] for one in tables["song_genres"]["genre_id"].to_pylist()]
    gone = ["vaporwave" if one == "techno" else one for one in tables["song_genres"]["genre_id"].to_pylist()]
    rows = tables["song_genres"].drop_columns(["genre_id", "genre"])
    tables["song_genres"] = rows.append_column("genre_id", [gone]).append_column("genre", [names])
    values = september.features.values
    kept = np.column_stack([values, values[:, 0] * 2])
    features = SongFeatures("made_up", (*FEATURES, "gone"), ("bpm", "LUFS", "Hz", "dB"),
                            september.features.song_ids, kept)  # fmt: skip
    publish(site_data(60, month="2026-09", tables=tables, features=features), config.web.path, "september")
    publish(site_data(120, month="2026-10"), config.web.path, "october")
    return TestClient(create_app(config), base_url="http://127.0.0.1", follow_redirects=False)


def test_a_month_is_shown_as_it_was_with_features_and_genres_that_are_gone(client):
    page = client.get("/charts", params={"feature": "gone", "month": "2026-09"})
    assert page.status_code == 200
    assert "59 songs" in page.text and " dB" in page.text
    assert "&lt;script&gt;" in page.text and "<script>" not in page.text.replace('<script type="module"', "")
    assert "/genres/vaporwave" not in page.text
    assert "/genres/house?month=2026-09" in page.text
    assert "119 songs" in client.get("/charts", params={"feature": "tempo"}).text
    assert "There are no charts of this feature in 2026-10" in client.get("/charts", params={"feature": "gone"}).text
    assert re.search(r"<option>2026-09</option>\s*<option selected>2026-10</option>", client.get("/charts").text)


def test_a_feature_is_followed_over_the_months(client):
    page = client.get("/charts", params={"feature": "tempo"}).text
    assert re.findall(r'month=(2026-\d\d)">2026', page) == ["2026-09", "2026-10"]
    assert "By month" not in client.get("/charts", params={"feature": "gone", "month": "2026-09"}).text


def test_a_genres_page_shows_the_month_that_was_chosen(client):
    now = client.get("/genres/house").text
    then = client.get("/genres/house", params={"month": "2026-09"}).text
    assert "gone" not in now and "gone</a>" in then
    assert "<option selected>2026-09</option>" in then
    assert "none of its songs had features" in client.get("/genres/techno", params={"month": "2026-09"}).text
    assert client.get("/genres/house", params={"month": "september"}).status_code == 422


def test_rest_and_csv_have_the_months_too(client):
    told = client.get("/rest/charts").json()
    assert (told["months"], set(told["features"])) == (["2026-09", "2026-10"], set(FEATURES))
    assert set(client.get("/rest/charts", params={"month": "2026-09"}).json()["features"]) == {*FEATURES, "gone"}
    (row,) = client.get("/rest/charts", params={"month": "2026-09", "feature": "tempo", "genre_id": "*"}).json()
    assert (row["n"], sum(row["counts"]), row["unit"]) == (59, 59, "bpm")
    answer = client.get("/charts.csv", params={"month": "2026-09", "feature": "loudness"})
    rows = {line["genre_id"]: line for line in csv.DictReader(io.StringIO(answer.text))}
    assert set(rows) == {"*", "ambient", "house", "deephouse", "vaporwave"}
    assert rows["vaporwave"]["genre"] == "'" + HOSTILE
    assert float(rows["*"]["q50"]) < 0  # a number that is below 0 is no formula
    every = client.get("/charts.csv").text.splitlines()
    assert len(every) == 1 + len(FEATURES) * (1 + len(GENRES))


def test_charts_of_a_genre_and_of_a_feature_agree(client):
    found = client.app.app.state.site.site.extract
    for month in ("2026-09", "2026-10"):
        by_feature = [row for name in found.charted(month) for row in found.charts(feature=name, month=month)]
        genres = {row["genre_id"] for row in by_feature}
        by_genre = [row for genre in genres for row in found.charts(genre_id=genre, month=month)]
        assert sorted(map(str, by_feature)) == sorted(map(str, by_genre))


def test_an_extract_of_another_release_is_refused_and_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "VERSION", files.VERSION - 1)
    folder = publish(site_data(30), tmp_path, "old")
    monkeypatch.undo()
    with pytest.raises(StoreError, match="Run publish_site"):
        Extract(folder)
