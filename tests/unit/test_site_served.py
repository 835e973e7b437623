"""The site as real processes on loopback: damaged files, killed processes, and a database that goes away."""

import os
import re
import signal
import time
import uuid

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("duckdb")
import requests

import postgres
from mutations import mutated, sound_files
from one_file_models import sound
from site_server import SiteServer

pytestmark = pytest.mark.slow
GONE_S = 20.0


class Visitor:
    """A visitor with a cookie of its own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.session = requests.Session()
        self.token = re.search(r'name="token" value="(\w+)"', self.get("/upload").text)[1]

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.address + path, timeout=60)

    def send(self, content: bytes, name: str = "a.wav") -> requests.Response:
        return self.session.post(
            f"{self.address}/upload", files={"file": (name, content)}, data={"token": self.token}, timeout=60,
            allow_redirects=False,
        )  # fmt: skip

    def accepted(self, content: bytes, name: str = "a.wav") -> str:
        answer = self.send(content, name)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def state(self, address: str) -> dict:
        answer = self.get(f"/rest/analysis?analysis_id={address.rpartition('/')[2]}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ended(self, address: str, seconds: float = 120) -> dict:
        until = time.monotonic() + seconds
        while (told := self.state(address))["state"] not in ("done", "failed"):
            assert time.monotonic() < until, told
            time.sleep(0.1)
        return told


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with SiteServer(tmp_path_factory.mktemp("served")) as made:
        yield made


def tones(n: int) -> list[bytes]:
    return [sound("tone", seconds=3.0, seed=100 + number) for number in range(n)]


def test_fifty_damaged_files_end_as_features_or_as_a_page_that_says_why_and_the_server_lives(server):
    visitor = Visitor(server.address)
    good = list(sound_files().values())
    files = [mutated(good[number % len(good)], np.random.default_rng((20, number))) for number in range(50)]
    ends = []
    for number, content in enumerate(files):
        answer = visitor.send(content, f"{number}.mp3")
        if not content:
            assert answer.status_code == 422
            ends.append("refused")
            continue
        assert answer.status_code == 303, (number, answer.text)
        told = visitor.ended(answer.headers["location"])
        page = visitor.get(answer.headers["location"])
        assert (page.status_code, told["state"]) in ((200, "done"), (422, "failed")), (number, told)
        if told["state"] == "failed":
            assert "could not be analysed" in page.text and "Traceback" not in page.text
            assert told["reason"] not in ("crashed", "not_analysed", "features_failed"), (number, told)
        ends.append(told.get("reason") or "done")
    assert len(ends) - ends.count("done") >= 25, ends
    assert visitor.ended(visitor.accepted(tones(1)[0]))["state"] == "done"
    assert server.process.poll() is None and server.health()["waiting"] == 0
    assert list((server.home / "site/work/uploads").iterdir()) == []


def test_a_second_visitor_with_the_same_file_sees_what_a_first_one_sees_and_nothing_of_the_first(server):
    content = sound("noise", seconds=3.0, seed=321)
    first, second = Visitor(server.address), Visitor(server.address)
    mine = first.accepted(content, "secret name.wav")
    first.ended(mine)
    assert first.accepted(content) == mine  # a look-up
    for queue in server.queues():
        os.kill(queue, signal.SIGSTOP)
    try:
        theirs = second.accepted(content, "another.wav")
        assert theirs != mine
        assert second.state(theirs)["state"] == "queued"  # as a file that nobody has sent before
        for path in (mine, f"/rest/analysis?analysis_id={mine.rpartition('/')[2]}"):
            assert second.get(path).status_code == 404
        nobody = f"/analyses/{uuid.uuid4().hex}"
        assert second.get(mine).text == second.get(nobody).text
        for path in ("/analyses", "/analyses.csv"):
            assert "secret name" not in second.get(path).text
    finally:
        for queue in server.queues():
            os.kill(queue, signal.SIGCONT)
    assert second.ended(theirs)["name"] == "another.wav"


def test_a_killed_queue_loses_no_upload(server):
    visitor = Visitor(server.address)
    places = [visitor.accepted(content) for content in tones(6)]
    for _ in range(2):
        (queue,) = server.queues()
        os.kill(queue, signal.SIGKILL)
        until = time.monotonic() + 30
        while server.queues() in ([], [queue]):
            assert time.monotonic() < until
            time.sleep(0.1)
        pages = [visitor.get(place) for place in places]
        assert {page.status_code for page in pages} == {200}
    assert [visitor.ended(place)["state"] for place in places] == ["done"] * 6


def test_a_killed_server_loses_no_upload_and_its_queues_end(server):
    visitor = Visitor(server.address)
    places = [visitor.accepted(content) for content in [sound("tone", seconds=3.0, seed=500 + n) for n in range(6)]]
    queues = server.queues()
    server.kill()
    with pytest.raises(requests.ConnectionError):
        visitor.get(places[0])
    server.start()
    assert [visitor.ended(place)["state"] for place in places] == ["done"] * 6
    assert [one for one in queues if alive(one)] == []


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def away(server: SiteServer, visitor: Visitor, before: list[str], go, come_back) -> None:
    """Take the database away for 20 s while files are analysed and sent, and look at what visitors see."""
    go()
    gone = time.monotonic()
    took = []
    while time.monotonic() < gone + GONE_S:
        started = time.monotonic()
        page = visitor.get("/songs/song000010")
        assert page.status_code == 200  # the lake needs no database
        took.append(time.monotonic() - started)
        for answer in (visitor.send(tones(1)[0]), visitor.get(before[-1])):
            assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
            assert "No data is lost" in answer.text and "Traceback" not in answer.text
        time.sleep(0.5)
    assert max(took) < GONE_S / 2  # nothing waits until it is back
    come_back()
    assert [visitor.ended(place)["state"] for place in before] == ["done"] * len(before)
    assert visitor.ended(visitor.accepted(sound("noise", seconds=3.0, seed=9)))["state"] == "done"
    assert server.process.poll() is None


def test_an_sqlite_database_that_is_away_for_twenty_seconds_loses_no_upload(tmp_path):
    (tmp_path / "disk").mkdir()

    def go() -> None:
        (tmp_path / "disk").rename(tmp_path / "away")
        (tmp_path / "disk").mkdir()

    def come_back() -> None:
        (tmp_path / "disk").rmdir()
        (tmp_path / "away").rename(tmp_path / "disk")

    with SiteServer(tmp_path, f"web.database=sqlite:///{tmp_path}/disk/site.sqlite") as server:
        visitor = Visitor(server.address)
        away(server, visitor, [visitor.accepted(content) for content in tones(4)], go, come_back)


def test_a_postgresql_server_that_is_switched_off_for_twenty_seconds_loses_no_upload(tmp_path):
    if reason := postgres.missing():
        pytest.skip(reason)
    with (
        postgres.Postgres() as database,
        SiteServer(tmp_path, f"web.database={database.database('site')}") as server,
    ):
        visitor = Visitor(server.address)
        places = [visitor.accepted(content) for content in tones(4)]
        away(server, visitor, places, database.stop, database.start)
