"""Fetching Every Noise's pages from a server that cuts them off, swaps them, and shows a portal instead."""

import pytest

from genreatlas.config import FanOutSection
from genreatlas.errors import FetchError, ProviderPausedError, Reason
from genreatlas.sources.every_noise import parse_map
from genreatlas.sources.every_noise.page_rows import GenrePageFetch, fetch_page, read_rows
from genreatlas.sources.hosts import forget_hosts
from loopback import Reply, serve

QUICK = FanOutSection(tries=3, backoff_s=0.01, read_s=2.0)
MAP = b'<html><body><div id=item1 class="genre">pop<a href="engenremap-pop.html">&raquo;</a></div></body></html>'
PAGE = (
    "<html><body><div class=title>Every Noise at Once &middot; rock &amp; roll</div>"
    '<div id=item1 class="genre scanme" style="font-size: 120%">A &amp; B</div>'
    '<div id=nearbyitem1 class="genre">pop<a href="engenremap-pop.html">&raquo;</a></div></body></html>'
)
ROCK = {"genre_id": "rockroll", "name": "rock & roll"}


def html(body, status=200, **headers):
    return Reply(status, body if isinstance(body, bytes) else body.encode(), "text/html", headers)


@pytest.fixture(autouse=True)
def _strangers():
    forget_hosts()


def answers(*replies):
    """A script that answers with these in turn, and with the last one from then on."""
    left = list(replies)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]


def test_a_map_that_came_cut_off_or_as_a_portal_is_asked_for_again():
    with serve(answers(html(MAP[:60]), html("<html><h1>Free WiFi</h1></html>"), html(MAP))) as server:
        assert fetch_page(QUICK, f"{server.url}/map", lambda page: bool(parse_map(page))) == MAP
        assert len(server.asked) == 3


def test_a_page_that_never_comes_whole_is_an_error_and_one_that_is_never_good_is_for_the_caller_to_judge():
    with serve(answers(html(MAP[:60]))) as server:
        with pytest.raises(FetchError, match="the page is truncated") as raised:
            fetch_page(QUICK, f"{server.url}/map", lambda page: True)
        assert raised.value.reason is Reason.INCOMPLETE_BODY and len(server.asked) == 3
        server.script = answers(html("<html></html>"))
        assert fetch_page(QUICK, f"{server.url}/map", lambda page: False) == b"<html></html>"


def test_a_site_that_asks_for_a_day_is_paused_and_one_that_refuses_is_not_asked_again():
    with serve(answers(html("", 429, **{"Retry-After": "86400"}))) as server:
        with pytest.raises(ProviderPausedError):
            fetch_page(QUICK, f"{server.url}/map", lambda page: True)
        assert len(server.asked) == 1
    with serve(answers(html("Forbidden", 403))) as server:
        with pytest.raises(FetchError, match="403"):
            fetch_page(QUICK, f"{server.url}/map", lambda page: True)
        assert len(server.asked) == 1


def test_a_genre_page_becomes_rows_of_the_genre_that_was_asked_for():
    with serve(answers(html(PAGE))) as server:
        work = GenrePageFetch(f"{server.url}/engenremap-{{slug}}.html")
        assert work.hosts == (server.host,)
        fetched = work.open(QUICK)(ROCK, "every_noise")
        assert server.paths() == ["/engenremap-rockroll.html"]
    found = read_rows([fetched["page_rows"], fetched["page_rows"]])
    assert [(row["genre_id"], row["name"], row["weight"]) for row in found.artists] == [
        ("rockroll", "A & B", 120.0)
    ] * 2
    assert found.neighbours[0] == {
        "genre_id": "rockroll", "box": "nearby", "neighbour_id": "pop", "neighbour": "pop", "position": 1,
        "weight": None, "box_x": None, "box_y": None, "colour": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "reason", "words"),
    [
        (PAGE[:150], Reason.INCOMPLETE_BODY, "is truncated"),
        (PAGE.replace("rock &amp; roll", "polka"), Reason.WRONG_CONTENT, "it is the page of 'polka'"),
        ("<html><h1>Free WiFi</h1></html>", Reason.WRONG_CONTENT, "it is not a genre's page"),
        (
            "<html><div class=title>Every Noise at Once &middot; rock &amp; roll</div></html>",
            Reason.WRONG_CONTENT,
            "neither artists",
        ),
    ],
)
def test_a_page_that_is_cut_off_or_another_one_is_refused_and_may_be_tried_again(body, reason, words):
    with serve(answers(html(body))) as server:
        fetch = GenrePageFetch(f"{server.url}/engenremap-{{slug}}.html").open(QUICK)
        with pytest.raises(FetchError, match=words) as raised:
            fetch(ROCK, "every_noise")
        assert raised.value.reason is reason and raised.value.transient
