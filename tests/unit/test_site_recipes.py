"""Playlists by recipe from the extract, and where a song lies on the map."""

import re

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("duckdb")
from fastapi.testclient import TestClient

from conftest import make_config
from genreatlas.errors import InputError
from genreatlas.playlists import paths
from genreatlas.web import recipes
from genreatlas.web.app import create_app
from genreatlas.web.published import Extract
from genreatlas.web.publishing import publish
from genreatlas.web.recipes import find_seed, make_recipe
from site_factory import HOSTILE, site_data, song_vectors

DATA = site_data(files=None)
SONGS = DATA.table("songs").to_pylist()
VECTORS = DATA.vectors.values


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    path = tmp_path_factory.mktemp("home")
    publish(site_data(files=path), make_config(path).web.path, "one")
    return path


@pytest.fixture(scope="module")
def extract(home):
    return Extract(make_config(home).web.path / "extracts" / "one")


@pytest.fixture
def client(home, tmp_path):
    config = make_config(home, f"web.database=sqlite:///{tmp_path}/work.sqlite")
    return TestClient(create_app(config), base_url="http://127.0.0.1")


def ids(made):
    return [song["song_id"] for song in made["songs"]]


def number(song_id):
    return int(song_id[4:])


def test_around_a_song_are_those_that_the_lake_lists_as_similar_in_small_steps(extract):
    made = make_recipe(extract, "around", ["song:song000020"], songs=6, songs_per_artist=9, variety=0)
    listed = [song["song_id"] for song in extract.similar("song000020", 5)]
    assert ids(made)[0] == "song000020" and set(ids(made)[1:]) == set(listed)
    assert [song["role"] for song in made["songs"]] == ["seed"] + ["song"] * 5
    assert all("nearest to" in song["reason"] for song in made["songs"][1:])


def test_a_path_starts_and_ends_where_it_is_told_and_goes_steadily_from_one_to_the_other(extract):
    made = make_recipe(extract, "path", ["song:song000002", "song:song000021"], songs=9, songs_per_artist=9, variety=0)
    assert (ids(made)[0], ids(made)[-1]) == ("song000002", "song000021")
    from_start = [np.linalg.norm(VECTORS[number(one)] - VECTORS[2]) for one in ids(made)]
    from_end = [np.linalg.norm(VECTORS[number(one)] - VECTORS[21]) for one in ids(made)]
    along = np.array(from_start) / (np.array(from_start) + np.array(from_end))
    assert len(made["songs"]) == 9 and np.corrcoef(along, np.arange(9))[0, 1] > 0.9


def test_to_explore_leads_outward_along_the_tree_and_to_no_song_of_the_genre_itself(extract):
    made = make_recipe(extract, "explore", ["genre:deephouse"], songs=20, songs_per_artist=9, variety=0)
    genres = {}
    for row in DATA.table("song_genres").to_pylist():
        genres.setdefault(row["song_id"], set()).add(row["genre_id"])
    assert all("deephouse" not in genres[one] for one in ids(made))
    reasons = {re.sub(r".*: ", "", song["reason"]) for song in made["songs"]}
    assert {"Deep House > House", "Deep House > House > Techno"} <= reasons
    steps = [song["reason"].count(" > ") for song in made["songs"]]
    assert steps == sorted(steps)


def test_between_genres_nothing_is_nearer_to_what_is_avoided(extract):
    made = make_recipe(extract, "blend", ["genre:ambient", "genre:techno"], ["genre:house"], songs=10, variety=0)
    assert made["songs"] and all("farther from House" in song["reason"] for song in made["songs"])


def test_predicted_are_songs_that_the_model_calls_so_and_energy_rises_as_it_is_told(extract):
    made = make_recipe(extract, "predicted", ["genre:House"], songs=12, songs_per_artist=9, energy="rising", variety=0)
    assert {number(one) for one in ids(made)} <= set(range(20)) and len(made["songs"]) == 12
    energy = DATA.table("measures").column("energy").to_numpy()[[number(one) for one in ids(made)]]
    assert np.corrcoef(energy, np.arange(12))[0, 1] > 0.8


def test_a_recipe_on_the_songs_near_its_seeds_is_that_on_all_songs(tmp_path, monkeypatch):
    publish(site_data(1200), tmp_path, "large")
    found = Extract(tmp_path / "extracts" / "large")
    asked = [("around", ["song:song000777"]), ("path", ["song:song000001", "song:song000900"]),
             ("around", ["artist:River Band 121"])]  # fmt: skip
    monkeypatch.setattr(paths, "_CORRIDORS", (300, 1 << 62))
    whole = [ids(make_recipe(found, kind, seeds, songs=15)) for kind, seeds in asked]
    monkeypatch.setattr(recipes, "_NEAR", 300)
    assert [ids(make_recipe(found, kind, seeds, songs=15)) for kind, seeds in asked] == whole
    assert len({one for made in whole for one in made}) > 30


def test_copies_of_a_recording_are_taken_once(tmp_path):
    recordings = [None] * 120
    near = np.argsort(np.square(VECTORS - VECTORS[20]).sum(axis=1), kind="stable")[:4]
    for place in near[1:]:
        recordings[place] = "one recording"
    vectors = song_vectors([row["song_id"] for row in SONGS], VECTORS, recordings)
    publish(site_data(vectors=vectors), tmp_path, "copies")
    made = make_recipe(Extract(tmp_path / "extracts" / "copies"), "around", ["song:song000020"], songs=30, variety=0,
                       songs_per_artist=99)  # fmt: skip
    assert len({*near[1:].tolist()} & {number(one) for one in ids(made)}) == 1


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("genre:deephouse", "Deep House"),
        ("genre: DEEP house", "Deep House"),
        ("song:song000010", None),
        ("artist:a3", "Señor Band 3"),
        ("artist:senor band 3", "Señor Band 3"),
    ],
)
def test_a_seed_is_found_by_its_id_and_by_its_name(extract, text, label):
    found = find_seed(extract, text)
    assert found.ranks and (label is None or found.label == label)


def test_a_song_is_a_seed_by_artist_and_title_in_any_spelling(extract):
    text = f"song:{SONGS[50]['artist'].upper()} - {SONGS[50]['title'].lower()}"
    assert find_seed(extract, text).reference == "song:song000050"


@pytest.mark.parametrize("text", ["house", "genre:", "genre:hause", "song:nothing", "artist:nobody", HOSTILE, "x:y"])
def test_a_seed_that_names_nothing_is_said_so(extract, client, text):
    with pytest.raises(InputError):
        find_seed(extract, text)
    answer = client.get("/explore", params={"seed": text})
    assert answer.status_code == 422 and "<script>window" not in answer.text and 'role="alert"' in answer.text
    assert client.get("/rest/playlist", params={"seed": text}).status_code == 422


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"kind": "nothing", "seed": "genre:house"},
        {"kind": "path", "seed": "genre:house"},
        {"kind": "explore", "seed": "song:song000003"},
        {"kind": "predicted", "seed": "song:song000003"},
        {"kind": "path", "seed": ["genre:house", "genre:techno"], "energy": "rising"},
        {"kind": "around", "seed": "genre:house", "slowest": 300, "fastest": 100},
        {"kind": "predicted", "seed": "genre:ambient"},
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused_with_a_reason(client, query):
    answer = client.get("/rest/playlist", params=query)
    assert answer.status_code == 422 and len(answer.json()["detail"]) > 10


def test_a_recipe_is_shown_with_its_reasons_and_exported_with_the_clips_of_the_site(client):
    page = client.get("/explore", params={"kind": "explore", "seed": "genre:techno", "length": 30}).text
    assert "Explore: Techno" in page and "step from Techno: Techno &gt; House" in page
    address = re.search(r'href="(/rest/playlist\?[^"]+)"', page)[1].replace("&amp;", "&")
    lines = client.get(address).text.splitlines()
    assert lines[0] == "#EXTM3U" and len(lines) > 20
    assert any(line.startswith("http://127.0.0.1/clips/") for line in lines)
    assert all(line.startswith(("#EXTINF:", "# ", "http://127.0.0.1/clips/")) for line in lines[1:])
    tempi = client.get("/rest/playlist", params={"seed": "genre:techno", "slowest": 140, "fastest": 152}).json()
    found = DATA.table("measures").column("tempo").to_numpy()[[number(song["song_id"]) for song in tempi["songs"]]]
    assert len(found) and found.min() >= 140 and found.max() <= 152


def test_a_songs_place_on_the_map_is_the_middle_of_its_likeliest_genres(extract):
    places = {"ambient": (0.1, 0.2), "house": (0.5, 0.4), "deephouse": (0.6, 0.5), "techno": (0.9, 0.8)}
    found = extract.place({"house": 0.6, "techno": 0.3, "deephouse": 0.06, "ambient": 0.04, "unplaced": 9.0})
    assert [one["genre_id"] for one in found["between"]] == ["house", "techno"]
    assert (found["x"], found["y"]) == pytest.approx((0.5 * 2 / 3 + 0.9 / 3, 0.4 * 2 / 3 + 0.8 / 3))
    assert extract.place({"unplaced": 1.0}) is None
    one = extract.place({"ambient": 1.0})
    assert (one["x"], one["y"], one["apart"]) == (*places["ambient"], 0.0)
    far, near = extract.place({"ambient": 1, "techno": 1}), extract.place({"house": 1, "deephouse": 1})
    assert far["apart"] > 0.5 > near["apart"]


def test_a_song_page_shows_its_place_and_says_when_it_says_little(client):
    page = client.get("/songs/song000010").text
    assert "Place on the map" in page and 'class="here"' in page and "House</a> (75 %)" in page
    assert (
        client.get("/rest/analysis", params={"song_id": "song000010"}).json()["place"]["between"][0]["name"] == "House"
    )
    labelled = client.get("/songs/song000099").text  # no model said anything of it
    assert 'class="here"' in labelled
