"""The extract that the site is served from: what is found in it, and how it takes the place of another."""

import threading

import numpy as np
import pytest

from genreatlas.errors import StoreError
from genreatlas.web.distributions import charts, share_below
from genreatlas.web.extract import build
from genreatlas.web.published import Extract, Site
from genreatlas.web.publishing import current, publish
from genreatlas.web.words import match_expression, words
from site_factory import FEATURES, HOSTILE, site_data

pytest.importorskip("duckdb")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return site_data(files=tmp_path_factory.mktemp("music"))


@pytest.fixture(scope="module")
def extract(data, tmp_path_factory):
    return Extract(publish(data, tmp_path_factory.mktemp("site"), "one"))


def titles(songs):
    return [song["title"] for song in songs]


def test_words_are_found_however_they_are_typed():
    assert words("Señor ZÜRICH's 東京-No.1") == ["senor", "zurich", "s", "東京", "no", "1"]
    assert match_expression('" OR name MATCH *') == '"or"* "name"* "match"*'
    assert match_expression("!!! \"'*") == ""


def test_a_search_finds_the_beginnings_of_words_in_any_order_with_the_artist(extract, data):
    song = data.tables["songs"].slice(40, 1).to_pylist()[0]
    first, _, number = song["title"].split()
    band = song["artist"].split()[-1]
    found = extract.search(f"{number} {first[:2].upper()} band {band}", "songs", 10)
    assert titles(found) == [song["title"]]


def test_an_equal_name_comes_before_names_that_begin_with_it_and_those_before_others(extract):
    assert [one["name"] for one in extract.search("house", "genres", 5)] == ["House", "Deep House"]
    assert titles(extract.search("TWICE", "songs", 5)) == ["Twice", "Twice"]


def test_a_query_without_words_finds_nothing_and_a_hostile_name_is_found_by_itself(extract):
    assert extract.search("?!", "songs", 5) == []
    assert extract.search(HOSTILE, "songs", 5)[0]["title"] == HOSTILE


def test_every_song_of_the_lake_is_found_by_its_title(extract, data):
    for row in data.tables["songs"].to_pylist():
        assert row["song_id"] in [one["song_id"] for one in extract.search(row["title"], "songs", 5)]


def test_a_song_is_told_with_artists_genres_prediction_and_where_its_features_lie(extract):
    song = extract.song("song000010")
    assert [one["artist_id"] for one in song["artists"]] == ["a1"]
    assert {one["genre_id"] for one in song["genres"]} == {"house", "deephouse"}
    assert (song["prediction"]["name"], song["prediction"]["held_out"]) == ("House", False)
    assert extract.song("song000009")["prediction"]["held_out"] is True
    tempo = song["features"][0]
    assert (tempo["feature"], tempo["unit"]) == ("tempo", "bpm")
    everybody = np.load(extract.folder / "features.npy")[:, 0]
    everybody = everybody[np.isfinite(everybody)]
    assert abs(tempo["below_all"] - (everybody < tempo["value"]).mean()) < 0.05
    assert set(tempo["below_genre"]) == {"house", "deephouse"}
    assert extract.song("song000005")["features"][0]["value"] is None
    assert extract.song("no song") is None


def test_similar_songs_are_those_of_the_table_in_its_order(extract, data):
    rows = [row for row in data.tables["neighbours"].to_pylist() if row["song_id"] == "song000030"]
    expected = [row["neighbour_song_id"] for row in sorted(rows, key=lambda row: row["rank"])]
    found = extract.similar("song000030", 6)
    assert [one["song_id"] for one in found] == expected[:6]
    assert found[0]["similarity"] == pytest.approx(0.9)


def test_pages_of_artist_album_genre_and_playlist_hold_their_songs(extract):
    assert extract.artist("a2", 0, 4)["n_songs"] == 6
    assert len(extract.artist("a2", 4, 4)["songs"]) == 2
    album = extract.song("song000013")["album_id"]
    assert [one["song_id"] for one in extract.album(album, 0, 9)["songs"]] == ["song000012", "song000013"]
    playlist = extract.playlist("p1", 0, 9)
    assert [one["song_id"] for one in playlist["songs"]] == [f"song{n:06d}" for n in (10, 9, 8, 7, 6)]
    house = extract.genre("house", 0, 3)
    assert all(one["clip"] for one in house["songs"])
    assert [one["name"] for one in house["near"]] == ["Deep House", "Techno"]
    assert extract.genre("deephouse", 0, 1)["parent_id"] == "house"


def test_families_hold_every_genre_once(extract):
    families = {one["name"]: {genre["genre_id"] for genre in one["genres"]} for one in extract.categories()}
    assert families == {"House": {"house", "deephouse"}, "Other genres": {"ambient", "techno"}}


def test_charts_of_a_genre_count_its_songs(extract):
    (tempo,) = extract.charts(feature="tempo", genre_id="techno")
    members = extract.genre("techno", 0, 999)["songs"]
    assert tempo["n"] == sum(tempo["counts"]) == len(members)
    assert {one["genre_id"] for one in extract.charts(feature="tempo")} == {
        "*",
        "ambient",
        "deephouse",
        "house",
        "techno",
    }
    assert [one["feature"] for one in extract.charts(genre_id="*")] == sorted(FEATURES)
    assert extract.charts(feature="tempo", month="1999-01") == []


def test_shares_by_a_histogram_are_near_those_of_the_values():
    values = np.random.default_rng(0).normal(size=(5000, 1)).astype(np.float32)
    row = charts(["x"], values, {}).to_pylist()[0]
    for value in (-2.0, -0.3, 0.0, 1.4):
        assert abs(share_below(value, row["low"], row["high"], row["counts"]) - (values < value).mean()) < 0.01
    assert share_below(99.0, row["low"], row["high"], row["counts"]) == 1.0


def test_a_clip_is_played_from_its_file_as_long_as_that_is_what_was_imported(tmp_path):
    data = site_data(files=tmp_path)
    extract = Extract(publish(data, tmp_path / "site", "one"))
    path, mime = extract.clip("clip3")
    assert (path, mime) == (tmp_path / "3 #1?.wav", "audio/wav")
    copied, _ = extract.clip("clip14")
    assert copied.read_bytes() in data.audio.values()
    path.write_bytes(b"something else")
    assert extract.clip("clip3") is None
    assert extract.clip("../../etc/passwd") is None


def test_equal_data_make_equal_bytes(data, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        build(data, tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) > 18
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes(), path


def test_a_new_extract_takes_the_place_of_the_old_one_while_it_is_read(tmp_path):
    site = Site(tmp_path)
    with pytest.raises(StoreError, match="Run publish_site"):
        _ = site.extract
    publish(site_data(60), tmp_path, "first")
    before = site.extract
    faults, going_on = [], threading.Event()

    def read() -> None:
        while not going_on.is_set():
            try:
                assert site.extract.count("songs") in (60, 90)
                assert site.extract.search("night", "songs", 5)
            except Exception as fault:
                faults.append(fault)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for one in readers:
        one.start()
    for number in range(6):
        publish(site_data(60 if number % 2 else 90, month="2026-12"), tmp_path, f"later{number}")
    going_on.set()
    for one in readers:
        one.join()
    assert faults == []
    assert site.extract.count("songs") == 60
    assert site.extract.months == ["2026-11", "2026-12"]
    assert before.count("songs") == 60  # what was opened is read to its end
    assert len(list((tmp_path / "extracts").iterdir())) == 2
    assert current(tmp_path).name == "later5"


def test_a_lake_with_songs_alone_makes_an_extract(tmp_path):
    tables = {"songs": site_data(30).tables["songs"]}
    found = Extract(publish(site_data(30, tables=tables, features=None, vectors=None, map_content=None), tmp_path, "x"))
    song = found.song("song000003")
    assert (song["genres"], song["clip"], song["prediction"], song["features"]) == ([], None, None, [])
    assert found.similar("song000003", 5) == []
    assert (found.charts(feature="tempo"), found.map_page(), found.categories()) == ([], None, [])
