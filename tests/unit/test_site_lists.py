"""Genres that fit a list: what is read of playlists, tables and histories, how songs are found, what is refused."""

import io
import json
import re
import zipfile

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("duckdb")
from fastapi.testclient import TestClient

from conftest import make_config
from genreatlas.errors import InputError
from genreatlas.web import apart, lists
from genreatlas.web.app import create_app
from genreatlas.web.fitting import fit
from genreatlas.web.lists import Entry, Heard, read_list
from genreatlas.web.matching import keys_of_credit, keys_of_name
from genreatlas.web.places import prepare
from genreatlas.web.published import Extract
from genreatlas.web.publishing import publish
from site_factory import HOSTILE, site_data

DATA = site_data()
SONGS = DATA.table("songs").to_pylist()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    path = tmp_path_factory.mktemp("home")
    publish(DATA, make_config(path).web.path, "one")
    return path


@pytest.fixture(scope="module")
def extract(home):
    return Extract(make_config(home).web.path / "extracts" / "one")


@pytest.fixture
def client(home, tmp_path):
    config = make_config(home, f"web.database=sqlite:///{tmp_path}/work.sqlite", "web.max_list_mb=1")
    return TestClient(create_app(config), base_url="http://127.0.0.1")


def send(client, content, name, path="/rest/fit"):
    token = re.search(r'name="token" value="(\w+)"', client.get("/fit").text)[1]
    return client.post(path, files={"file": (name, content)}, data={"token": token})


def called(number):
    return f"{SONGS[number]['artist']} - {SONGS[number]['title']}"


def extended(number, played=200_000, **changes):
    row = {"ts": "2024-05-01T10:00:00Z", "ms_played": played, "master_metadata_track_name": SONGS[number]["title"],
           "master_metadata_album_artist_name": SONGS[number]["artist"], "spotify_track_uri": None}  # fmt: skip
    return row | changes


def listen(number, **info):
    return {"listened_at": 1, "track_metadata": {"track_name": SONGS[number]["title"],
            "artist_name": SONGS[number]["artist"], "additional_info": info}}  # fmt: skip


M3U = "\n".join(
    ["#EXTM3U", f"#EXTINF:200,{called(20).upper()}", "a/b.mp3", f"/music/07 - {called(21)} (Remastered 2011).flac",
     f"spotify:track:{23:022d}", "#EXTINF:1,Nobody - Nothing", "c.mp3"]
)  # fmt: skip
CSV = "\n".join(
    ['"Artist Name(s)";Track Name;ISRC', "X;Y;xx-000-00-00022",
     f"{SONGS[24]['artist']} feat. Guest;{SONGS[24]['title']};", "X;Y;"]
) + "\n"  # fmt: skip
ACCOUNT = json.dumps(
    [{"endTime": "2024-01-01 10:00", "artistName": SONGS[n]["artist"], "trackName": SONGS[n]["title"], "msPlayed": ms}
     for n, ms in ((30, 100_000), (30, 90_000), (31, 100_000), (32, 5_000))]
)  # fmt: skip
EXTENDED = json.dumps(
    [extended(40), extended(41, spotify_track_uri=f"spotify:track:{41:022d}", master_metadata_track_name="Renamed"),
     extended(42, 10), extended(43, master_metadata_track_name=None, master_metadata_album_artist_name=None)]
)  # fmt: skip
LISTENS = "\n".join(
    json.dumps(one) for one in (listen(50), listen(50), listen(51, isrc="XX0000000052"), {"track_metadata": None})
) + "\n{broken\n"  # fmt: skip


def archive(**files):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as whole:
        for name, content in files.items():
            whole.writestr(name.replace("__", "/") + ".json", content)
    return made.getvalue()


EXPORT = archive(
    MyData__Streaming_History_Audio_2023_0=EXTENDED,
    MyData__Streaming_History_Audio_2024_1=EXTENDED,
    MyData__Userdata='{"username": "me"}',
    MyData__Streaming_History_Video_2024=EXTENDED,
)


@pytest.mark.parametrize(
    ("content", "name", "matched", "entries", "by", "plays"),
    [
        (M3U, "list.m3u8", 3, 4, (0, 1, 2), (3, 4)),
        (M3U.encode("utf-16"), "list.m3u", 3, 4, (0, 1, 2), (3, 4)),
        (CSV, "table.csv", 2, 3, (1, 0, 1), (2, 3)),
        (ACCOUNT, "StreamingHistory0.json", 2, 2, (0, 0, 2), (3, 3)),
        (EXTENDED, "endsong_0.json", 2, 2, (0, 1, 1), (2, 2)),
        (EXPORT, "my_spotify_data.zip", 2, 2, (0, 1, 1), (4, 4)),
        (LISTENS, "listens.jsonl", 2, 2, (1, 0, 1), (3, 3)),
        (json.dumps({"payload": {"listens": [listen(50)]}}), "api.json", 1, 1, (0, 0, 1), (1, 1)),
    ],
    ids=["m3u", "m3u in utf-16", "csv", "account", "extended", "zip", "listenbrainz", "listenbrainz api"],
)
def test_songs_of_every_kind_of_list_are_found_and_counted_by_key(extract, tmp_path, content, name, matched, entries,
                                                                 by, plays):  # fmt: skip
    path = tmp_path / "list"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    answer = fit(extract, read_list(path, name))
    assert (answer["matched"], answer["entries"]) == (matched, entries)
    assert tuple(answer["by"].values()) == by
    assert (answer["plays_matched"], answer["plays"]) == plays
    assert sum(one["share"] for one in answer["genres"]) == pytest.approx(1.0)


def test_a_genres_share_counts_plays_each_divided_among_the_genres_of_its_song(extract):
    genres = {}
    for row in DATA.table("song_genres").to_pylist():
        genres.setdefault(row["song_id"], []).append(row["genre_id"])
    two = next(number for number in range(120) if len(genres[f"song{number:06d}"]) == 2)
    one = next(number for number in range(30, 120) if genres[f"song{number:06d}"] == ["techno"])
    plays = {Entry(isrc=SONGS[two]["isrc"]): 2, Entry(isrc=SONGS[one]["isrc"]): 3, Entry(called="nobody - x"): 5}
    answer = fit(extract, Heard("made up", plays))
    wanted = dict.fromkeys(genres[f"song{two:06d}"], 0.2) | {"techno": 0.6}
    assert {row["genre_id"]: row["share"] for row in answer["genres"]} == pytest.approx(wanted)
    sizes = {row["genre_id"]: row["n_songs"] for row in extract.listed("genres", 0, 9)}
    techno = answer["genres"][0]
    assert techno["times_lake"] == pytest.approx(0.6 / (sizes["techno"] / sum(sizes.values())))
    assert (answer["plays"], answer["plays_matched"], answer["not_found"]) == (10, 5, ["nobody - x"])


def test_a_song_without_labels_counts_for_what_the_model_says_and_one_without_both_for_nothing(tmp_path):
    tables = {name: table for name, table in DATA.tables.items() if name != "song_genres"}
    folder = tmp_path / "site"
    publish(site_data(tables=tables), folder, "bare")
    plays = {Entry(isrc=SONGS[number]["isrc"]): 1 for number in (3, 100)}
    answer = fit(Extract(folder / "extracts" / "bare"), Heard("made up", plays))
    assert (answer["songs"], answer["songs_labelled"], answer["songs_predicted"]) == (2, 0, 1)
    assert [(row["genre_id"], row["share"]) for row in answer["genres"]] == [("house", 1.0)]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("The Beatles", "Help!"), ("beatles", "help"), True),
        (("Beyoncé feat. JAY-Z", "Déjà Vu"), ("Beyonce", "Deja Vu (feat. Jay-Z)"), True),
        (("Queen", "Bohemian Rhapsody - Remastered 2011"), ("Queen", "Bohemian Rhapsody"), True),
        (("Queen", "Bohemian Rhapsody (Live)"), ("Queen", "Bohemian Rhapsody"), False),
        (("Bowie, David", "Heroes"), ("David Bowie", "Heroes"), True),
        (("Queen", "Help"), ("The Beatles", "Help"), False),
    ],
)
def test_spellings_of_one_song_share_a_key_and_other_songs_do_not(one, other, same):
    assert bool(set(keys_of_credit(*one)) & set(keys_of_credit(*other))) is same


def test_a_dash_in_a_name_hides_no_song_and_nobody_has_no_key():
    assert keys_of_credit("A - B", "C")[0] in keys_of_name("A - B - C")
    assert keys_of_credit("Various Artists", "C") == [] == keys_of_name("no dash at all")


def test_a_list_is_answered_with_its_coverage_by_page_and_rest_and_deleted(client, home):
    answer = send(client, M3U, "list.m3u8")
    assert answer.status_code == 200 and answer.json()["matched"] == 3
    assert answer.headers["cache-control"] == "no-store"
    page = send(client, M3U.replace("Nobody", HOSTILE.replace("\n", "")), f"{HOSTILE}.m3u8", "/fit")
    assert "<strong>3 of 4 entries</strong> (75 %)" in page.text
    assert "0 by ISRC, 1 by Spotify's id, 2 by title and artist" in page.text
    assert "<script>window" not in page.text
    assert list(prepare(make_config(home)).uploads.iterdir()) == []
    assert client.post("/rest/fit", files={"file": ("a.m3u", M3U)}).status_code == 403


BOMB = archive(Streaming_History_Audio_0="[" + " " * (80 << 20) + "]")
DEEP = "[" * 100_000
DIGITS = '[{"track_metadata": ' + "9" * 100_000 + "}]"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"", "empty.csv"),
        (b"\x00\xff\x13" * 500, "noise.csv"),
        (EXPORT[:-60], "cut.zip"),
        (EXPORT[:200] + b"\xff" * 300 + EXPORT[500:], "broken.zip"),
        (BOMB, "bomb.zip"),
        (archive(Userdata="{}"), "other.zip"),
        (b"PK\x03\x04" + b"\x00" * 50, "fake.zip"),
        (DEEP, "deep.json"),
        (DIGITS, "digits.json"),
        (EXTENDED[:-1], "cut.json"),
        (b"[1, 2, 3]", "numbers.json"),
        (b'{"track_metadata": null}', "nothing.jsonl"),
        (b"\xff\xfe{", "half.json"),
        (b"a,b\n1,2\n", "unknown columns.csv"),
        (b"artist,title\n", "no rows.csv"),
        (b"#EXTM3U\n", "no songs.m3u"),
        (b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "entity.xspf"),
        (b"\x1f\x8b\x08" + b"\x00" * 50, "packed.csv.gz"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "",
)
def test_damaged_lists_are_refused_with_a_4xx_that_names_no_file_of_the_site(client, home, content, name):
    answer = send(client, content, name)
    assert answer.status_code == 422, answer.text
    assert str(home) not in answer.text and "Traceback" not in answer.text and ".list" not in answer.text
    assert client.get("/health").status_code == 200
    assert list(prepare(make_config(home)).uploads.iterdir()) == []


def test_a_list_is_bounded_in_bytes_and_entries(client, tmp_path, monkeypatch):
    assert send(client, b"artist,title\n" + b"a,b\n" * 400_000, "large.csv").status_code == 413
    monkeypatch.setattr(lists, "MOST_ENTRIES", 10)
    path = tmp_path / "many.csv"
    path.write_text("artist,title\n" + "".join(f"a,{n}\n" for n in range(11)))
    with pytest.raises(InputError, match="more than 10 different entries"):
        read_list(path, "many.csv")


def test_more_lists_at_once_than_may_be_are_told_to_wait(client, monkeypatch):
    monkeypatch.setattr(apart, "_places", apart.threading.BoundedSemaphore(1))
    apart._places.acquire()
    answer = send(client, M3U, "list.m3u")
    assert answer.status_code == 503 and answer.headers["retry-after"]
