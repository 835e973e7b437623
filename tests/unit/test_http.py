"""The polite client against a real server that throttles, lies, stalls and sends elsewhere."""

import json
import logging
import pickle
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from genreatlas.config import FanOutSection, HostLimit
from genreatlas.errors import FetchError, ProviderPausedError, Reason
from genreatlas.sources.connections import require_public
from genreatlas.sources.hosts import find_limit, forget_hosts
from genreatlas.sources.http import fetch_bytes, fetch_json, polite_session
from genreatlas.sources.outcomes import classify_response
from loopback import Reply, in_turn, serve

GOOD = Reply(body=b'{"data": 1}')
HTML = Reply(body=b"<html>Sorry</html>", kind="text/html")


def settings(**changes) -> FanOutSection:
    quick = {"backoff_s": 0.01, "read_s": 0.3, "connect_s": 1.0, "total_s": 0.6}
    return FanOutSection(**(quick | changes))


def get(server, expects="json", path="/x", **changes):
    return fetch_json(polite_session(settings(**changes), "test", expects), server.url + path)


@pytest.mark.parametrize(
    "fault",
    [
        Reply(500),
        Reply(502, b"<html>", "text/html"),
        Reply(503, headers={"Retry-After": "0"}),
        Reply(504),
        Reply(429, headers={"Retry-After": "0"}),
        Reply(body=b'{"error":{"type":"Exception","message":"Service busy","code":700}}'),
        HTML,
        Reply(body=b"<html>Sorry</html>"),
        Reply(body=b'{"data": [1, 2'),
        Reply(body=b'{"data": [1, 2]}', fault="truncate"),
        Reply(fault="reset"),
        Reply(fault="stall"),
        Reply(fault="trickle"),
    ],
    ids=lambda reply: f"{reply.status}-{reply.fault or reply.kind}",
)
def test_what_may_pass_is_tried_again_and_then_is_as_if_nothing_had_happened(fault):
    with serve(in_turn(fault, fault, GOOD)) as server:
        assert get(server) == {"data": 1}
        assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(400, b'{"error": {"status": 400, "message": "Invalid id"}}'), Reason.BAD_REQUEST),
        (Reply(401, b'{"error": {"status": 401, "message": "The access token expired"}}'), Reason.UNAUTHORIZED),
        (Reply(403, b'{"error": {"status": 403}}'), Reason.FORBIDDEN),
        (Reply(404, b"<html>", "text/html"), Reason.NOT_FOUND),
        (Reply(410), Reason.NOT_FOUND),
        (Reply(451), Reason.FORBIDDEN),
        (Reply(501), Reason.SERVER_ERROR),
        (Reply(304), Reason.BAD_REQUEST),
        (Reply(body=b'{"error":{"type":"DataException","message":"no data","code":800}}'), Reason.NOT_FOUND),
    ],
    ids=lambda value: str(getattr(value, "status", value)),
)
def test_what_is_final_is_asked_for_once(reply, reason):
    with serve(in_turn(reply)) as server:
        with pytest.raises(FetchError) as caught:
            get(server)
        assert (caught.value.reason, caught.value.transient) == (reason, False)
        assert len(server.asked) == 1


def test_a_final_error_is_a_response_to_those_who_ask_requests_itself():
    with serve(in_turn(Reply(403, b'{"error": {"status": 403}}'))) as server:
        response = polite_session(settings(), "test", "json").get(server.url)
        assert (response.status_code, response.json()) == (403, {"error": {"status": 403}})


def test_after_all_tries_the_error_says_what_happened_last_without_the_query():
    with serve(in_turn(Reply(503, b'{"error": {"message": "maintenance"}}'))) as server:
        with pytest.raises(FetchError) as caught:
            get(server, path="/track?sig=s3cret", tries=3)
        assert len(server.asked) == 3
    error = pickle.loads(pickle.dumps(caught.value))
    assert str(error) == f"server_error: GET {server.url}/track: 503 maintenance"
    assert (error.reason, error.http_status, error.transient) == (Reason.SERVER_ERROR, 503, True)


def test_a_retry_after_is_waited_for_by_every_thread():
    with serve(in_turn(Reply(429, headers={"Retry-After": "1"}), GOOD)) as server:
        session = polite_session(settings(), "test", "json")
        assert fetch_json(session, server.url) == {"data": 1}
        first, second = server.asked
        assert second.at - first.at >= 1.0
        server.script = in_turn(Reply(429, headers={"Retry-After": "1"}), GOOD)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: time.sleep(0.05) or fetch_json(session, server.url), range(4)))
        throttled, *rest = server.asked[2:]
        late = [asked for asked in rest if asked.at - throttled.at > 0.3]
        assert late and all(asked.at - throttled.at >= 1.0 for asked in late)


@pytest.mark.parametrize(
    ("reply", "reason", "wait"),
    [
        (Reply(429, headers={"Retry-After": "86400"}), Reason.RATE_LIMITED, 86400),
        (Reply(503, headers={"Retry-After": "3600"}), Reason.SERVER_ERROR, 3600),
        (Reply(429, b'{"error": {"status": 429, "reason": "QUOTA_EXCEEDED"}}'), Reason.QUOTA_EXCEEDED, 900),
    ],
    ids=["a day", "an hour", "quota"],
)
def test_a_wait_above_the_cap_pauses_the_provider_at_once_and_says_until_when(reply, reason, wait):
    with serve(in_turn(reply)) as server:
        session = polite_session(settings(), "deezer", "json")
        for _ in range(2):
            with pytest.raises(ProviderPausedError) as caught:
                fetch_json(session, server.url)
            assert caught.value.provider == "deezer"
            assert caught.value.reason == reason
            assert abs(caught.value.retry_at - time.time() - wait) < 5
        assert len(server.asked) == 1  # the second was not even sent


def test_a_host_that_fails_again_and_again_is_left_alone_then_probed_then_given_up():
    changes = {"breaker_failures": 4, "breaker_wait_s": 0.3, "breaker_probes": 2, "tries": 20}
    with serve(in_turn(Reply(500))) as server:
        session = polite_session(settings(**changes), "deezer", "json")
        with pytest.raises(ProviderPausedError, match="host_down"):
            fetch_json(session, server.url)
        at = [asked.at for asked in server.asked]
        assert len(at) == 4 + 2
        assert at[4] - at[3] >= 0.3 and at[5] - at[4] >= 0.3


def test_a_host_that_recovers_is_asked_as_before():
    changes = {"breaker_failures": 3, "breaker_wait_s": 0.2, "tries": 6}
    with serve(in_turn(*[Reply(500)] * 4, GOOD)) as server:
        session = polite_session(settings(**changes), "deezer", "json")
        assert [fetch_json(session, server.url) for _ in range(3)] == [{"data": 1}] * 3
        at = [asked.at for asked in server.asked]
        assert len(at) == 7 and at[-1] - at[-3] < 0.2


def test_no_window_of_the_servers_clock_holds_more_than_the_limit_however_unlike_the_delays():
    delays = iter([0.25, 0.0, 0.1, 0.0, 0.2, 0.05] * 20)

    def slow(asked):
        return (
            Reply(503, seconds=next(delays)) if len(server.asked) % 5 == 0 else Reply(body=b"{}", seconds=next(delays))
        )

    with serve(slow) as server:
        limits = settings(hosts={server.host: HostLimit(requests=6, window_s=0.5, concurrency=8)})
        sessions = [polite_session(limits, "test", "json") for _ in range(2)]
        started = time.monotonic()
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda n: fetch_json(sessions[n % 2], server.url), range(24)))
        assert server.most_in(0.5) <= 6
        # No history at the start: one whole window passes before the first request.
        assert min(asked.at for asked in server.asked) - started >= 0.5


def test_no_more_requests_are_under_way_than_allowed():
    under_way, most = [], []

    def script(asked):
        under_way.append(1)
        most.append(len(under_way))
        time.sleep(0.03)
        under_way.pop()
        return GOOD

    with serve(script) as server:
        session = polite_session(settings(hosts={server.host: HostLimit(concurrency=3)}), "test", "json")
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda _: fetch_json(session, server.url), range(30)))
    assert max(most) == 3


def test_the_most_specific_entry_of_a_host_holds():
    limits = settings(
        hosts={
            "*.dzcdn.net": HostLimit(requests=2),
            "a.dzcdn.net": HostLimit(requests=3),
            "x.org:81": HostLimit(requests=9),
        }
    )
    found = [
        find_limit(limits, host) for host in ("b.dzcdn.net", "A.dzcdn.net:443", "x.org:81", "x.org", "127.0.0.1:9")
    ]
    assert [name for name, _ in found] == ["*.dzcdn.net", "a.dzcdn.net", "x.org:81", "x.org", "127.0.0.1"]
    assert [limit.requests for _, limit in found] == [2, 3, 9, 5, 0]


@pytest.mark.parametrize("url", ["http://example.org/a", "ftp://example.org/a", "file:///etc/passwd", "nowhere"])
def test_only_https_leaves_this_machine(url):
    with pytest.raises(FetchError, match="bad_address"):
        polite_session(settings(), "test").get(url)


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/", "https://169.254.169.254/latest", "https://192.168.1.1/", "https://[fd00::1]/"]
)
def test_private_addresses_are_refused_before_anything_is_sent(url):
    with pytest.raises(FetchError, match="not a public address"):
        polite_session(settings(), "test").get(url)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.1.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "::1"]
)
def test_a_public_name_with_a_private_address_is_refused(address):
    with pytest.raises(FetchError, match="bad_address"):
        require_public("example.org", address)


def test_public_addresses_pass_and_loopback_where_it_is_named():
    for address in ("93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14"):
        require_public("example.org", address)
    require_public("localhost", "::1")


#: Every block of special addresses, IPv6 forms that embed IPv4 ones among them.
NOT_PUBLIC = (
    "0.0.0.0", "10.1.1.1", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.0.1", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.8", "192.0.0.10", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1",
    "198.19.255.255", "198.51.100.1", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::5db8:d70e", "::ffff:127.0.0.1", "::ffff:100.64.1.1", "::ffff:0:10.0.0.1",
    "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "64:ff9b:1:ffff::5db8:d70e", "100::1",
    "2001::1", "2001:0:5db8:d70e:0:0:f5ff:fffe", "2001:db8::1", "2002:a00:1::", "2002:7f00:1::1", "2002:a9fe:a9fe::",
    "2a00:1450::5efe:10.0.0.1", "2a00:1450::200:5efe:192.168.0.1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254",
    "fe80::1", "fe80::1%eth0", "fec0::1", "feff::1", "ff02::1", "4000::1",
)  # fmt: skip


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_no_special_address_counts_as_public(address):
    with pytest.raises(FetchError, match="bad_address"):
        require_public("example.org", address)


def test_public_addresses_in_every_form_pass():
    for address in (
        "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "198.20.0.1", "223.255.255.255", "2a00:1450:4001::1",
        "2606:4700::1111", "64:ff9b::5db8:d70e", "2002:5db8:d70e::1", "::ffff:1.1.1.1", "2001:200::1",
    ):  # fmt: skip
        require_public("example.org", address)


def test_a_mirror_inside_a_private_network_is_asked_where_it_is_named_and_nothing_else_of_that_network():
    for address in ("10.1.1.1", "fd00::1", "100.64.0.1", "127.0.0.1", "64:ff9b:1::1"):
        require_public("mirror.example", address, named=True, encrypted=False)
        with pytest.raises(FetchError, match="bad_address"):
            require_public("mirror.example", address)
    require_public("mirror.example", "1.1.1.1", named=True)
    for address in ("169.254.169.254", "224.0.0.1", "fe80::1"):  # metadata of clouds are nobody's mirror
        with pytest.raises(FetchError, match="bad_address"):
            require_public("mirror.example", address, named=True)
    with pytest.raises(FetchError, match="without encryption"):
        require_public("mirror.example", "1.1.1.1", named=True, encrypted=False)


def test_a_named_mirror_is_fetched_by_plain_http_and_may_not_send_elsewhere(monkeypatch):
    def resolve(host, port, *rest, **more):
        return real("127.0.0.1" if host in ("mirror.corp.example", "other.example") else host, port, *rest, **more)

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    def script(asked):
        to = f"http://other.example:{server.port}/"
        return Reply(302, headers={"Location": to}) if asked.path == "/away" else GOOD

    with serve(script) as server:
        url = f"http://mirror.corp.example:{server.port}"
        for names in ({"private_hosts": ("*.corp.example",)}, {"hosts": {"mirror.corp.example": HostLimit()}}):
            assert fetch_json(polite_session(settings(**names), "test", "json"), url) == {"data": 1}
        named = polite_session(settings(), "test", "json", named=(f"mirror.corp.example:{server.port}",))
        assert fetch_json(named, url) == {"data": 1}
        asked = len(server.asked)
        for refused in (polite_session(settings(), "test", "json"), polite_session(settings(), "test", named=("x",))):
            with pytest.raises(FetchError, match="bad_address"):
                refused.get(url)
        with pytest.raises(FetchError, match="bad_address"):
            fetch_json(named, f"{url}/away")
        assert len(server.asked) == asked + 1


@pytest.mark.parametrize(
    "url",
    ["https://10.0.0.1/", "https://[fec0::1]/", "https://2130706433/", "https://localhost./", "https://intranet/",
     "https://wiki.internal/x", "http://example.org/"],
)  # fmt: skip
def test_a_proxy_of_the_environment_is_sent_no_request_for_a_private_address(url, monkeypatch):
    with serve(in_turn(GOOD)) as server:
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, server.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "")
        with pytest.raises(FetchError, match="bad_address"):
            polite_session(settings(), "test").get(url)
        assert server.asked == []


@pytest.mark.parametrize("strict", [False, True])
def test_a_name_that_only_the_proxy_can_look_up_is_its_to_decide_or_refused_as_configured(strict, monkeypatch):
    with serve(in_turn(GOOD)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("https_proxy", proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "")
        session = polite_session(settings(tries=1, refuse_unresolved=strict), "test", named=("known.invalid",))
        with pytest.raises(FetchError) as caught:  # what answers here is no proxy for https
            session.get("https://unknown.invalid/")
        assert (caught.value.reason == Reason.BAD_ADDRESS) is strict
        assert ("fan_out.refuse_unresolved" in caught.value.detail) is strict
        assert session.get("http://known.invalid/").json() == {"data": 1}


def test_a_proxy_is_used_for_public_names_within_the_time_and_not_for_this_machine(monkeypatch):
    with serve(in_turn(GOOD)) as server, serve(in_turn(Reply(fault="trickle"))) as proxy:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "")
        assert get(server) == {"data": 1}
        with pytest.raises(FetchError, match="timed_out"):  # the proxy, at a private address itself, was asked
            session = polite_session(settings(tries=1), "test", named=("mirror.corp.example",))
            session.get("http://mirror.corp.example/")
        assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("999999999999", 999999999999.0), ("1e300", 1e300), ("inf", None), ("-inf", None), ("nan", None), ("", None),
        ("soon", None), ("-5", 0.0), ("120, 60", 120.0), ("Sun, 99 Foo 2026 00:00:00 GMT", None),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)  # fmt: skip
def test_a_retry_after_is_a_finite_number_or_a_date_or_nothing(value, wait):
    assert classify_response(429, {"Retry-After": value}, b"").wait_s == wait


def test_a_date_to_come_back_at_is_compared_with_the_clock_of_the_server():
    headers = {"Retry-After": "Thu, 02 Jan 2031 00:01:30 GMT", "Date": "Thu, 02 Jan 2031 00:00:00 GMT"}
    assert classify_response(503, headers, b"").wait_s == 90.0
    assert classify_response(503, headers | {"Date": "Thu, 02 Jan 2031 00:02:00 GMT"}, b"").wait_s == 0.0


@pytest.mark.parametrize("value", ["99999999999", "999999999999", "1e300", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_server_pauses_its_provider_for_longer_than_the_bound(value):
    forget_hosts()
    with serve(in_turn(Reply(429, headers={"Retry-After": value}))) as server:
        session = polite_session(settings(max_pause_days=2.0), "deezer", "json")
        with pytest.raises(ProviderPausedError) as caught:
            fetch_json(session, server.url)
    assert caught.value.retry_at == pytest.approx(time.time() + 2 * 86_400, abs=5)
    assert caught.value.host == server.host and pickle.loads(pickle.dumps(caught.value)).host == server.host


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"error": {"code": [4]}}', b'{"error": {"code": 1e400}}', b'"x"'])
def test_an_odd_body_is_an_answer_and_not_an_exception(body):
    classify_response(429, {}, body, "json")
    classify_response(200, {}, body, "json")


def test_redirects_are_followed_within_bounds_and_checked():
    def script(asked):
        if asked.path == "/loop":
            return Reply(302, headers={"Location": "/loop"})
        return GOOD if asked.path == "/there" else Reply(301, headers={"Location": asked.query["to"]})

    with serve(script) as server:
        assert get(server, path="/go?to=/there") == {"data": 1}
        with pytest.raises(FetchError) as caught:
            get(server, path="/loop", tries=2, max_redirects=3)
        assert (caught.value.reason, caught.value.transient) == (Reason.TOO_MANY_REDIRECTS, True)
        assert server.paths().count("/loop") == 2 * 4
        for target in ("http://example.org/", "https://10.0.0.1/", "ftp://127.0.0.1/"):
            with pytest.raises(FetchError, match="bad_address"):
                get(server, path=f"/go?to={target}")


def test_a_body_above_the_limit_is_not_read_to_its_end():
    with serve(in_turn(Reply(body=b"x" * (3 << 20), kind="audio/mpeg"))) as server:
        with pytest.raises(FetchError, match="too_large"):
            fetch_bytes(polite_session(settings(), "test", "audio", max_body_mb=2), server.url)
        assert len(fetch_bytes(polite_session(settings(), "test", "audio", max_body_mb=3), server.url)) == 3 << 20


def test_the_outcome_table_reads_dates_and_deezers_throttle():
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 60))
    assert 57 < classify_response(429, {"Retry-After": date}, b"").wait_s <= 60
    throttled = classify_response(
        200, {}, b'{"error":{"type":"Exception","message":"Quota limit exceeded","code":4}}', "json"
    )
    assert (throttled.reason, throttled.transient, throttled.wait_s) == (Reason.RATE_LIMITED, True, 5.0)
    assert (
        classify_response(404, {}, json.dumps({"error": "invalid_client", "error_description": "bad"}).encode()).words
        == "bad"
    )


def test_nothing_secret_is_logged_at_any_level(caplog):
    caplog.set_level(logging.DEBUG)
    with serve(in_turn(Reply(500), Reply(fault="reset"), GOOD)) as server:
        session = polite_session(settings(), "test", "json")
        session.get(server.url + "/a?token=s3cret", headers={"Authorization": "Bearer s3cret"})
    assert "try 1" in caplog.text and "s3cret" not in caplog.text


def test_cookies_are_not_kept_and_netrc_is_not_read(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password s3cret")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serve(in_turn(Reply(headers={"Set-Cookie": "a=b"}, body=b"{}"))) as server:
        session = polite_session(settings(), "test", "json")
        session.get(server.url)
        session.get(server.url)
    assert not {"Cookie", "Authorization"} & {name for asked in server.asked for name in asked.headers}
