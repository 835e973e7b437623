"""One key's way through its providers, and the pool that works on many, without Spark."""

import time

import pytest

from genreatlas.config import FanOutSection, HostLimit
from genreatlas.errors import ConfigError, FetchError, ProviderPausedError, Reason
from genreatlas.fanout.runners import count_slots, results
from genreatlas.fanout.work import Task, work_on
from genreatlas.sources.http import fetch_json, polite_session
from loopback import Reply, serve

SETTINGS = FanOutSection(max_attempts=3, retry_delay_s=100.0)


def outcome(task, answers, paused=None):
    """Work on a key whose providers answer with a value or an error each."""

    def fetch(row, provider):
        answer = answers[provider]
        if isinstance(answer, Exception):
            raise answer
        return {"value": answer}

    result = work_on(task, tuple(answers), fetch, SETTINGS, {} if paused is None else paused)
    return result, [(a.provider, a.attempt, a.status, a.reason) for a in result.attempts]


def test_the_next_provider_is_asked_where_one_has_nothing():
    result, attempts = outcome(Task("k", {}), {"a": FetchError(Reason.NOT_FOUND), "b": 7})
    assert (result.provider, result.values) == ("b", {"value": 7})
    assert attempts == [("a", 1, "final", "not_found"), ("b", 1, "ok", None)]


def test_a_provider_that_may_have_it_later_is_waited_for_longer_each_time_and_then_given_up():
    failure = FetchError(Reason.TIMED_OUT, transient=True)
    delays = []
    for tried in (0, 1):
        result, attempts = outcome(Task("k", {}, {"a": tried}), {"a": failure, "b": 7})
        assert attempts == [("a", tried + 1, "retry", "timed_out")] and result.provider is None
        delays.append(result.attempts[0].next_retry_at.timestamp() - time.time())
    assert delays == pytest.approx([100, 200], abs=2)
    _, attempts = outcome(Task("k", {}, {"a": 2}), {"a": failure, "b": 7})
    assert attempts == [("a", 3, "final", "timed_out"), ("b", 1, "ok", None)]


def test_a_key_that_is_fetched_again_and_again_is_given_up_for_failures_in_a_row_only():
    failure = FetchError(Reason.TIMED_OUT, transient=True)
    _, attempts = outcome(Task("k", {}, {"a": 7}, succeeded={"a": 6}), {"a": failure})
    assert attempts == [("a", 8, "retry", "timed_out")]
    _, attempts = outcome(Task("k", {}, {"a": 8}, succeeded={"a": 6}), {"a": failure})
    assert attempts == [("a", 9, "final", "timed_out")]


def test_a_paused_provider_costs_its_keys_no_try_and_no_request():
    paused = {}
    retry_at = time.time() + 1000
    result, attempts = outcome(
        Task("k", {}), {"a": ProviderPausedError("a", Reason.RATE_LIMITED, "", 429, retry_at)}, paused
    )
    assert result.waits and attempts == [("a", 0, "paused", "rate_limited")] and paused == {"a": retry_at}
    result, attempts = outcome(Task("k", {}), {"a": AssertionError}, paused)
    assert result.waits and attempts == []
    # A key that is through with it goes on.
    assert outcome(Task("k", {}, over=frozenset("a")), {"a": AssertionError, "b": 7}, paused)[0].provider == "b"


def test_whatever_a_body_does_to_a_parser_is_a_try_with_its_reason_and_without_the_signature():
    result, attempts = outcome(Task("k", {}), {"a": KeyError("https://cdn.org/x?sig=s3cret")})
    assert attempts == [("a", 1, "retry", "fetch_failed")]
    assert result.attempts[0].detail == "KeyError: 'https://cdn.org/x'"


class Files:
    """Fetches files of a list, whose hosts have nothing to do with each other."""

    providers = ("http",)
    columns = "n int"
    hosts = ()

    def host_of(self, row, provider):
        return row["host"]

    def open(self, settings):
        def fetch(row, provider):
            if row["host"] == "bad.example":
                raise ProviderPausedError("http", Reason.RATE_LIMITED, "", 429, 9e11, "bad.example")
            return {"n": 1}

        return fetch


def test_a_host_of_a_list_that_wants_to_be_left_alone_stops_no_other_host_and_not_for_ever():
    tasks = [Task(str(n), {"host": "bad.example" if n % 2 else "good.example"}) for n in range(54)]
    paused = {}
    found = list(results(tasks, Files(), FanOutSection(threads=2), paused))
    assert sum(result.provider == "http" for result in found) == 27
    assert sum(result.waits for result in found) == 27
    assert list(paused) == ["http bad.example"]
    assert paused["http bad.example"] == pytest.approx(time.time() + 7 * 86_400, abs=5)
    marks = [attempt for result in found for attempt in result.attempts if attempt.status == "paused"]
    assert {(mark.host, mark.provider) for mark in marks} == {("bad.example", "http")}
    assert all(mark.next_retry_at.year < 2100 for mark in marks)


class Numbers:
    """Fetches a number's page."""

    providers = ("first",)
    columns = "n int"
    hosts = ("127.0.0.1",)

    def __init__(self, url):
        self.url = url

    def open(self, settings):
        session = polite_session(settings, "first", "json")
        return lambda row, _: {"n": fetch_json(session, f"{self.url}/{row['n']}")}


def test_the_pool_runs_ahead_of_its_caller_by_half_a_chunk_and_no_more():
    with serve(lambda asked: Reply(body=asked.path[1:].encode())) as server:
        settings = FanOutSection(threads=4, chunk_rows=12)
        found = results([Task(str(n), {"n": n}) for n in range(40)], Numbers(server.url), settings, {})
        first = [next(found) for _ in range(5)]
        time.sleep(0.3)  # the caller commits; the pool goes on with what it has
        assert 5 <= len(server.asked) <= 5 + 6
        rest = list(found)
    assert sorted(int(result.key) for result in first + rest) == list(range(40))
    assert all(result.values["n"] == int(result.key) for result in first + rest)


def test_tasks_are_no_more_than_the_requests_that_they_share():
    class Session:
        def __init__(self, **conf):
            self.conf = conf

    fetch = Numbers("")
    for limit, slots in (
        (HostLimit(concurrency=9), 5),
        (HostLimit(requests=3, concurrency=9), 3),
        (HostLimit(concurrency=2), 2),
    ):
        settings = FanOutSection(partitions=8, hosts={"127.0.0.1": limit, "*": HostLimit(requests=5, concurrency=5)})
        assert count_slots(Session(), fetch, settings) == slots
    with pytest.raises(ConfigError, match=r"spark\.speculation"):
        count_slots(Session(**{"spark.speculation": "true"}), fetch, FanOutSection())
