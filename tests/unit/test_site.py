"""The site without a browser: pages, REST endpoints, uploads, and what is refused."""

import csv
import io
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile

pytest.importorskip("fastapi")
pytest.importorskip("duckdb")
from fastapi.testclient import TestClient

from conftest import make_config
from genreatlas.sources.folder.tags import read_tags
from genreatlas.web.app import create_app
from genreatlas.web.places import prepare
from genreatlas.web.publishing import publish
from genreatlas.web.queue import Queue
from genreatlas.web.rest import KEPT
from genreatlas.web.safety import Rate
from one_file_models import save_model, sound
from site_factory import HOSTILE, site_data

BASE = "http://127.0.0.1"
PAGES = ("/", "/search?q=night", "/songs/song000010", "/songs/song000000", "/artists/a0", "/genres", "/genres/house",
         "/playlists", "/playlists/p2", "/charts", "/charts?feature=tempo", "/map", "/upload", "/fit",
         "/explore", "/explore?kind=explore&seed=genre:house", "/rest")  # fmt: skip


class Elements(HTMLParser):
    """Elements of a page with their attributes, as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))


def check_inert(text: str) -> None:
    """Nothing on a page runs or is fetched but what the site's templates say, and nothing is hidden in it."""
    for name, attributes in Elements(text).elements:
        assert not [one for one in attributes if one.startswith("on") or one == "style"], (name, attributes)
        assert attributes.get("href", "/").startswith(("/", "?", "#", "data:,")), attributes
        assert attributes.get("src", "/").startswith("/"), attributes
        assert name not in ("style", "img", "iframe", "object", "base", "math"), name
        if name == "script":
            assert "src" in attributes or attributes["type"] == "application/json"
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\x1b\ud800-\udfff]|\\$\\{49\\}|{{49}}", text)


def hostile_names(n: int) -> list[str]:
    """Names that would do harm in markup, scripts, templates, addresses, SQL, logs or the eye."""
    random = np.random.default_rng(7)
    parts = [
        "<script>window.hurt=1</script>",
        "</script>",
        "<img src=x onerror=hurt()>",
        '"><svg onload=hurt()>',
        "' onfocus='hurt()",
        "javascript:hurt()",
        "{{7*7}}",
        "${7*7}",
        "{% raw %}",
        "&lt;b&gt;",
        "]]>",
        "<!--",
        "--><base href=//evil>",
        "../../etc/passwd",
        "%00",
        "\u202egpj.exe",
        "\u2066",
        "\x00",
        "\x1b[31m",
        "\r\nSet-Cookie: a=b",
        "\u2028",
        "'; DROP TABLE songs; --",
        '" OR ""="',
        "*",
        "NEAR(a b)",
        "\ufeff",
        "a" * 300,
        "\u0301" * 40,
        "\U0001f468\u200d\U0001f469",
        "\u202e\u05d8",
        "<math><mi>",
        "`hurt()`",
        "#EXTINF:1",
        "=HYPERLINK(1)",
        "\\",
        "/",
        "?",
        "#",
        "//evil.example/x",
    ]
    return ["".join(random.choice(parts, random.integers(1, 5))) + f" {number}" for number in range(n)]


def settings(path: Path, *more: str):
    return make_config(path, "clip.seconds=2.0", *more)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    path = tmp_path_factory.mktemp("home")
    config = settings(path)
    meta = save_model(config, "m1")
    facts = {"model_id": "m1", "candidate": "sklearn logistic", "feature_set": "summary9", "n_genres": 2,
             "set_version": meta.set_version, "score_kind": meta.score_kind}  # fmt: skip
    publish(site_data(files=path, model=facts), config.web.path, "one")
    return path


def client_of(config) -> TestClient:
    return TestClient(create_app(config), base_url=BASE, follow_redirects=False)


@pytest.fixture
def config(home, tmp_path):
    """The extract of ``home`` with a database of its own."""
    return settings(home, f"web.database=sqlite:///{tmp_path}/work.sqlite")


@pytest.fixture
def client(config):
    return client_of(config)


def token(client: TestClient, page: str = "/upload") -> str:
    return re.search(r'name="token" value="(\w+)"', client.get(page).text)[1]


def send(client: TestClient, content: bytes, name: str = "mine.wav", **form: str):
    form = {"token": token(client), **form}
    return client.post("/upload", files={"file": (name, content, "audio/wav")}, data=form)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_served_with_headers_that_protect_and_no_inline_script(client, page):
    answer = client.get(page)
    assert answer.status_code == 200, answer.text
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["permissions-policy"].startswith("microphone=()")
    check_inert(answer.text)


def test_a_thousand_hostile_names_are_text_on_every_page(tmp_path):
    names = hostile_names(1000)
    tables = dict(site_data(1000).tables)
    songs = tables["songs"].drop_columns(["title", "artist", "album"])
    for column in ("title", "artist", "album"):
        songs = songs.append_column(column, pa.array(names))
    tables["songs"] = songs
    artists = tables["artists"].num_rows
    tables["artists"] = pa.table({"artist_id": tables["artists"]["artist_id"], "name": names[:artists]})
    labels = tables["song_genres"].drop_columns("genre")
    tables["song_genres"] = labels.append_column(
        "genre", pa.array([names[int(song[4:]) % 4] for song in labels["song_id"].to_pylist()])
    )
    lists = [f"p{number}" for number in range(200)]
    tables["playlists"] = pa.table({"playlist_id": lists, "name": names[-200:], "kind": ["playlist"] * 200})
    tables["playlist_songs"] = pa.table({"playlist_id": lists, "song_id": tables["songs"]["song_id"].slice(0, 200)})
    config = settings(tmp_path, "web.requests_per_minute=100000")
    publish(site_data(1000, tables=tables), config.web.path, "hostile")
    client = client_of(config)
    pages = [
        f"/genres/{genre}?start={start}"
        for genre in ("house", "ambient", "techno", "deephouse")
        for start in range(0, 300, 50)
    ]
    pages += [f"/songs/song{number:06d}" for number in range(0, 1000, 25)] + ["/", "/genres", "/charts"]
    pages += [f"/playlists?start={start}" for start in range(0, 200, 50)] + ["/playlists/p3", "/artists/a0", "/upload"]
    albums = [client.get("/rest/analysis", params={"song_id": f"song{one:06d}"}).json()["album_id"]
              for one in range(0, 1000, 100)]  # fmt: skip
    pages += [f"/albums/{one}" for one in albums if one] + ["/charts?feature=loudness", "/tempo", "/fit", "/analyses"]
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200, page
        check_inert(answer.text)
    for name in names[::50]:
        answer = client.get("/search", params={"q": name[:200]})
        assert answer.status_code == 200
        check_inert(answer.text)
    lines = client.get("/rest/playlist", params={"song_id": "song000000", "length": 100, "format": "m3u8"}).text.split(
        "\n"
    )
    assert all(line.startswith(("#EXTM3U", "#EXTINF:", "# ", BASE)) or not line for line in lines)


def test_the_rest_endpoints_answer_and_are_described(client):
    found = client.get("/rest/search", params={"q": "hou"}).json()
    assert [one["name"] for one in found["genres"]] == ["House", "Deep House"]
    assert client.get("/rest/analysis", params={"song_id": "song000010"}).json()["prediction"]["name"] == "House"
    assert len(client.get("/rest/similar", params={"song_id": "song000010", "limit": 3}).json()) == 3
    assert (
        client.get("/rest/playlist_tracks", params={"playlist_id": "p1"}).json()["songs"][0]["song_id"] == "song000010"
    )
    assert client.get("/rest/categories").json()[0]["name"] == "House"
    assert {one["genre_id"] for one in client.get("/rest/charts", params={"feature": "tempo"}).json()} > {"*", "house"}
    assert len(client.get("/rest/map").json()["ids"]) == 60
    paths = client.get("/rest/openapi.json").json()["paths"]
    wanted = "search categories playlists playlist_tracks album_tracks analysis genres map similar playlist charts fit"
    assert {f"/rest/{name}" for name in wanted.split()} <= set(paths)
    assert "post" in paths["/rest/analysis"]
    for name in KEPT:
        assert client.get(f"/rest/{name}").status_code == 404


def test_what_does_not_exist_or_makes_no_sense_is_said_so(client):
    for path in ("/songs/none", "/genres/none", "/clips/none", "/analyses/none", "/nothing", "/static/../app.py"):
        assert client.get(path).status_code == 404, path
    for path in ("/rest/similar", "/rest/search?q=", "/rest/charts?month=x", "/rest/genres?start=-1", "/rest/analysis"):
        assert client.get(path).status_code == 422, path


def test_a_playlist_around_a_song_starts_with_it_and_is_a_file_whose_names_stay_in_their_lines(client):
    query = {"song_id": "song000000", "length": 10, "per_artist": 1}
    songs = client.get("/rest/playlist", params=query).json()["songs"]
    assert songs[0]["song_id"] == "song000000"
    assert len({one["song_id"] for one in songs}) == 10 == len({one["artist"] for one in songs})
    lines = client.get("/rest/playlist", params={"song_id": "song000000", "format": "m3u8"}).text.splitlines()
    assert lines[0] == "#EXTM3U"
    assert all(line.startswith(("#EXTINF:", "# ", BASE)) for line in lines[1:])


def test_clips_are_played_in_part_too(client):
    whole = client.get("/clips/clip3")
    part = client.get("/clips/clip3", headers={"range": "bytes=100-199"})
    assert whole.headers["content-type"] == "audio/wav"
    assert (part.status_code, part.content) == (206, whole.content[100:200])


def test_another_host_name_another_sites_form_and_too_many_requests_are_refused(home, tmp_path):
    config = settings(home, f"web.database=sqlite:///{tmp_path}/w.sqlite", "web.requests_per_minute=5")
    client = client_of(config)
    assert client.get("/", headers={"host": "evil.example"}).status_code == 421
    assert client.get("/", headers={"host": "127.0.0.1.evil.example:80"}).status_code == 421
    assert client.post("/corrections", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client.post("/corrections", headers={"origin": "http://evil.example"}).status_code == 403
    assert [client.get("/health").status_code for _ in range(5)][:3] == [200, 200, 200]
    refused = client.get("/")
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1


def test_what_was_not_used_adds_up_to_one_minutes_requests():
    now = [0.0]
    rate = Rate(60, clock=lambda: now[0])
    assert [rate.wait("a") for _ in range(60)] == [0.0] * 60
    assert rate.wait("a") == pytest.approx(1.0)
    assert rate.wait("b") == 0.0
    now[0] = 600.0
    assert [rate.wait("a") for _ in range(60)] == [0.0] * 60
    assert rate.wait("a") > 0


def test_forms_need_the_token_of_their_visitor(client, config):
    mine, theirs = token(client), token(client_of(config))
    for wrong in ("", theirs, mine[:-1]):
        assert send(client, sound("tone"), token=wrong).status_code == 403
        answer = client.post("/corrections", data={"genre": "house", "song_id": "song000003", "token": wrong})
        assert answer.status_code == 403
    assert list(prepare(config).uploads.iterdir()) == []


def test_uploads_are_bounded_in_number_and_bytes_with_and_without_a_length(home, tmp_path):
    url = f"web.database=sqlite:///{tmp_path}/w.sqlite"
    config = settings(home, url, "web.max_upload_mb=1", "web.max_queue=1")
    client = client_of(config)
    assert send(client, b"x" * (3 << 20)).status_code == 413
    form = token(client)

    def body():
        yield b'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\n' + form.encode() + b"\r\n"
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        for _ in range(40):
            yield b"x" * (1 << 17)
        yield b"\r\n--b--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert client.post("/upload", content=body(), headers=headers).status_code == 413
    assert client.post("/corrections", content=b"x" * 100_000).status_code == 413
    assert send(client, b"").status_code == 422
    assert send(client, sound("tone")).status_code == 303
    assert send(client, sound("noise")).status_code == 503
    assert len(list(prepare(config).uploads.iterdir())) == 1


def test_an_upload_is_analysed_once_shown_to_its_visitor_alone_and_its_file_deleted(client, config):
    queue = Queue(config, prepare(config))
    content = sound("tone", seconds=4.0, seed=99)
    address = send(client, content, name=HOSTILE).headers["location"]
    waiting = client.get(address)
    assert "Waiting in the queue" in waiting.text and "<script>window" not in waiting.text
    job = queue.work.take()
    queue.do(job)
    page = client.get(address)
    assert page.status_code == 200, page.text
    answer = client.get("/rest/analysis", params={"analysis_id": job.analysis_id}).json()["answer"]
    assert answer["genres"][0]["genre_id"] == "tone" and answer["genres"][0]["score"] > 0.9
    assert sum(one["score"] for one in answer["genres"]) == pytest.approx(1.0)
    assert (answer["duration_s"], answer["start_s"], answer["length_s"]) == (4.0, 1.0, 2.0)
    assert "the 2 seconds from 0:01 were analysed" in page.text
    assert answer["reasons"][0]["effect"] > 0
    assert len(answer["pictures"]["chroma"]) == 12
    assert not Path(job.source).exists()
    assert send(client, content).headers["location"] == address  # the second look is a lookup
    assert queue.work.waiting() == 0
    other = client_of(config)
    assert other.get(address).status_code == 404
    assert other.get("/rest/analysis", params={"analysis_id": job.analysis_id}).status_code == 404
    assert send(other, content).headers["location"] != address  # nobody learns that somebody else has the file


def test_several_files_make_a_table_of_their_visitor_in_which_no_name_is_a_formula(client, config):
    queue = Queue(config, prepare(config))
    form = {"token": token(client)}
    for name, kind in (("=cmd|' /C calc'!A0.wav", "tone"), ("plain.wav", "noise")):
        files = {"file": (name, sound(kind, seconds=3.0), "audio/wav")}
        assert client.post("/rest/analysis", files=files, data=form).status_code == 202
        queue.do(queue.work.take())
    rows = list(csv.DictReader(io.StringIO(client.get("/analyses.csv").text)))
    assert [(row["file"], row["state"], row["genre"]) for row in rows] == [
        ("plain.wav", "done", "Noise"), ("'=cmd|' /C calc'!A0.wav", "done", "Tone"),
    ]  # fmt: skip
    assert all(0.9 < float(row["score"]) <= 1 and row["genre"] in row["genres"] for row in rows)
    assert client.get("/analyses").text.count("<tr>") == 3
    assert "plain.wav" not in client_of(config).get("/analyses").text


def test_files_that_are_kept_make_tagged_copies_of_their_visitor_with_the_genre_that_was_said(client, config):
    queue = Queue(config, prepare(config))
    form = {"token": token(client)}
    contents = {name: sound(kind, seconds=3.0, seed=5) for name, kind in (("../one.wav", "tone"), ("two.wav", "noise"))}
    for name, content in contents.items():
        files = {"file": (name, content, "audio/wav")}
        assert client.post("/rest/analysis", files=files, data={**form, "keep": "true"}).status_code == 202
        queue.do(job := queue.work.take())
    files = {"file": ("not kept.wav", sound("tone", seconds=3.0), "audio/wav")}
    client.post("/rest/analysis", files=files, data=form)
    queue.do(queue.work.take())
    client.post("/corrections", data={**form, "analysis_id": job.analysis_id, "genre": "Deep House"})
    assert "2 are kept for tagged copies" in client.get("/analyses").text
    answer = client.get("/analyses.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["one.wav", "two.wav", "genres.csv"]
        genres = {}
        for name in ("one.wav", "two.wav"):
            genres[name] = read_tags(io.BytesIO(archive.read(name)), "audio/wav")["genre"]
            original = contents[name.replace("one", "../one")]
            copied, first = (soundfile.read(io.BytesIO(data))[0] for data in (archive.read(name), original))
            assert (copied == first).all()
    assert genres == {"one.wav": ["Tone"], "two.wav": ["Deep House"]}
    table = {row["file"]: row for row in csv.DictReader(io.StringIO(client.get("/analyses.csv").text))}
    assert (table["two.wav"]["genre"], table["two.wav"]["score"]) == ("Deep House", "")
    left = [path.read_bytes() for path in prepare(config).uploads.glob("*.kept")]
    assert sorted(left) == sorted(contents.values())
    assert not list(prepare(config).uploads.glob("*.zip"))
    assert client_of(config).get("/analyses.zip").status_code == 404


def test_no_more_is_kept_of_a_visitor_than_is_bounded(home, tmp_path):
    client = client_of(settings(home, f"web.database=sqlite:///{tmp_path}/w.sqlite", "web.max_kept_mb=1"))
    answers = [send(client, sound("noise", seconds=10.0, seed=seed), keep="true").status_code for seed in range(4)]
    assert answers[0] == 303 and answers[-1] == 413
    assert send(client, sound("noise", seconds=10.0, seed=9)).status_code == 303


def test_a_song_of_the_lake_is_analysed_for_everybody(client, config):
    answer = client.post("/songs/song000003/analyse", data={"token": token(client)})
    job = Queue(config, prepare(config)).work.take()
    other = client_of(config)
    assert other.get(answer.headers["location"]).status_code == 200
    again = other.post("/songs/song000003/analyse", data={"token": token(other)})
    assert again.headers["location"] == answer.headers["location"] == f"/analyses/{job.analysis_id}"


@pytest.mark.parametrize(
    "content",
    [b"not audio at all", sound("tone")[:60], sound("silence"), b"RIFF" + b"\xff" * 999],
    ids=["text", "cut off", "silent", "broken header"],
)
def test_files_that_cannot_be_used_are_told_why_with_a_4xx(client, config, content):
    address = send(client, content).headers["location"]
    queue = Queue(config, prepare(config))
    job = queue.work.take()
    queue.do(job)
    page = client.get(address)
    assert page.status_code == 422
    assert "could not be analysed" in page.text and "Traceback" not in page.text
    assert not Path(job.source).exists()


def test_a_killed_queue_loses_nothing_and_a_file_that_kills_every_queue_fails(client, config):
    send(client, sound("tone"))
    work = Queue(config, prepare(config)).work
    first = work.take(now=1e9)
    later = [work.take(now=2e9 + 100 * number) for number in range(3)]
    assert {one.analysis_id for one in later if one} == {first.analysis_id}
    assert later[-1] is None
    page = client.get(f"/analyses/{first.analysis_id}")
    assert page.status_code == 422 and "crashed" in page.text


def test_uploads_and_results_are_deleted_when_their_time_is_over(client, config):
    queue = Queue(config, prepare(config))
    address = send(client, sound("tone")).headers["location"]
    job = queue.work.get(address.rpartition("/")[2], queue.work.take().visitor)
    assert Path(job.source).exists()
    assert queue.work.expire(now=job.expires + 1) == [Path(job.source)]
    assert client.get(address).status_code == 404


def test_a_correction_is_stored_once_a_visitor_with_what_the_model_said(client, config):
    form = {"token": token(client), "song_id": "song000003"}
    assert client.post("/corrections", data={**form, "genre": "Techno"}).status_code == 200
    assert client.post("/corrections", data={**form, "genre": "ambient"}).status_code == 200
    assert client.post("/corrections", data={**form, "genre": "no such genre"}).status_code == 422
    (row,) = Queue(config, prepare(config)).work.corrections()
    assert (row["song_id"], row["genre_id"], row["said"], row["model_id"]) == ("song000003", "ambient", "house", "m1")


def test_a_song_that_was_not_imported_from_a_folder_takes_no_correction_and_its_page_says_so(client, config):
    page = client.get("/songs/song000001").text
    assert 'action="/corrections"' not in page and "playlists and searches of Spotify" in page
    assert 'action="/corrections"' in client.get("/songs/song000003").text
    form = {"token": token(client), "song_id": "song000001", "genre": "Techno"}
    assert client.post("/corrections", data=form).status_code == 409
    assert Queue(config, prepare(config)).work.corrections() == []


def test_without_a_database_accepted_nothing_is_promised_and_pages_of_the_lake_live(home, tmp_path):
    config = settings(home, f"web.database=sqlite:///{tmp_path}/missing/work.sqlite")
    client = client_of(config)
    assert client.get("/songs/song000010").status_code == 200
    answer = send(client, sound("tone"))
    assert answer.status_code == 503 and "No data is lost" in answer.text
    assert client.get("/health").status_code == 503
    (tmp_path / "missing").mkdir()
    assert send(client, sound("tone")).status_code == 303


def test_a_new_extract_is_served_without_a_restart(tmp_path):
    config = settings(tmp_path)
    publish(site_data(30), config.web.path, "one")
    client = client_of(config)
    assert client.get("/health").json()["songs"] == 30
    publish(site_data(60), config.web.path, "two")
    assert client.get("/health").json() == {"songs": 60, "extract": "two", "waiting": 0}


def test_the_site_never_imports_spark():
    import subprocess
    import sys

    code = (
        "import sys, genreatlas.web.app, genreatlas.web.queue, genreatlas.web.serving; "
        "print([name for name in sys.modules if name.split('.')[0] in ('pyspark', 'delta')])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
