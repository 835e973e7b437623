"""The fan-out against a real server: nothing lost, nothing doubled, never too fast, in both runners."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import fetching
import pytest
from fetching import PageFetch
from pyspark import cloudpickle
from pyspark.sql import functions as F

from genreatlas.config import FanOutSection, HostLimit
from genreatlas.fanout import fan_out
from genreatlas.fanout.tries import stored_pauses
from genreatlas.sources.hosts import forget_hosts
from genreatlas.tables import FETCH_ATTEMPTS, Column, Table
from loopback import Reply, serve

# Spark's workers cannot import the tests, so what is sent there goes as code.
cloudpickle.register_pickle_by_value(fetching)

PAGES = Table(
    name="pages",
    comment="What a test fetched.",
    written_by=("test",),
    key=("key",),
    columns=(Column("key", "string", ""), Column("body", "binary", ""), Column("provider", "string", "")),
)


def page(asked):
    return Reply(body=f"page of {asked.path}".encode(), kind="audio/mpeg")


class Work:
    """Pending keys, fetched from a server into the table ``pages``."""

    def __init__(self, store, server, keys, providers=("first",), **settings):
        self.store = store
        self.fetch = PageFetch(server.url, server.host, providers)
        quick = {"backoff_s": 0.01, "tries": 2, "retry_delay_s": 0.0, "chunk_rows": 6, "read_s": 2.0}
        self.settings = FanOutSection(**(quick | settings))
        rows = [(f"k{number:02}", f"w{number}") for number in range(keys)]
        self.upstream = store.spark.createDataFrame(rows, "key string, word string")
        self.merges = 0

    def pending(self):
        return self.upstream.join(self.store.read(PAGES), "key", "left_anti")

    def merge(self, staged):
        self.merges += 1
        rows = staged.frame.where(F.col("provider").isNotNull())
        assert all(row["words"] == [f"w{int(row['key'][1:])}"] for row in rows.collect())
        self.store.upsert(PAGES, rows.select("key", "body", "provider"))

    def run(self):
        return fan_out(self.store, self.settings, "pages", self.pending, self.fetch, self.merge)

    def pages(self):
        return {row["key"]: bytes(row["body"]).decode() for row in self.store.read(PAGES).collect()}

    def attempts(self):
        rows = self.store.read(FETCH_ATTEMPTS).orderBy("key", "provider", "attempt").collect()
        return [(r["key"], r["provider"], r["attempt"], r["status"], r["reason"]) for r in rows]


# The driver takes half a chunk at a time: so both commit twice in a pass.
@pytest.mark.slow
@pytest.mark.parametrize(("runner", "chunk"), [("driver", 12), ("executors", 6)])
def test_every_key_is_fetched_once_or_has_its_reasons_and_no_window_holds_more_than_the_rate(store, runner, chunk):
    asked_for = Counter()
    lock = threading.Lock()

    def script(asked):
        _, provider, key = asked.path.split("/")
        with lock:
            asked_for[provider, key] += 1
        if key == "k01" or (key == "k02" and asked_for[provider, key] <= 3):
            return Reply(500)
        if provider == "first" and key in ("k03", "k04"):
            return Reply(404)
        if provider == "second" and key == "k04":
            return Reply(body=b"nonsense", kind="audio/mpeg")
        return page(asked)

    with serve(script) as server:
        limit = HostLimit(requests=7, window_s=0.5, concurrency=6)
        changes = {
            "runner": runner,
            "chunk_rows": chunk,
            "partitions": 2,
            "max_attempts": 2,
            "hosts": {server.host: limit},
        }
        work = Work(store, server, 8, ("first", "second"), **changes)
        counts = work.run()
        assert server.most_in(0.5) <= 7
        good = {"k00", "k02", "k05", "k06", "k07"}
        assert work.pages() == {k: f"page of /first/{k}" for k in good} | {"k03": "page of /second/k03"}
        assert (counts.fetched, counts.left, counts.stopped()) == (6, 0, "")
        assert counts.given_up == {"server_error": 1, "fetch_failed": 1}
        # Two requests a try for what the server is to blame for, one for everything else.
        expected = {("first", key): 1 for key in ("k00", "k03", "k04", "k05", "k06", "k07")}
        expected |= {("second", "k03"): 1, ("second", "k04"): 2}
        assert asked_for == expected | {("first", "k01"): 4, ("first", "k02"): 4, ("second", "k01"): 4}
        assert [row for row in work.attempts() if row[0] in ("k01", "k02", "k03", "k04", "k05")] == [
            ("k01", "first", 1, "retry", "server_error"),
            ("k01", "first", 2, "final", "server_error"),
            ("k01", "second", 1, "retry", "server_error"),
            ("k01", "second", 2, "final", "server_error"),
            ("k02", "first", 1, "retry", "server_error"),
            ("k02", "first", 2, "ok", None),
            ("k03", "first", 1, "final", "not_found"),
            ("k03", "second", 1, "ok", None),
            ("k04", "first", 1, "final", "not_found"),
            ("k04", "second", 1, "retry", "fetch_failed"),
            ("k04", "second", 2, "final", "fetch_failed"),
            ("k05", "first", 1, "ok", None),
        ]
        stored = " ".join(str(row) for row in store.read(FETCH_ATTEMPTS).collect())
        assert "cannot read" in stored and "s3cret" not in stored
        asked = len(server.asked)
        assert work.run().fetched == 0
        assert len(server.asked) == asked
        assert not store.exists("_staging/pages")


@pytest.mark.slow
def test_a_pause_and_a_failure_that_is_not_due_outlast_the_run_and_a_killed_runs_chunk_is_not_lost(store):
    class Killed(BaseException):
        pass

    replies = {"k00": Reply(503), "k05": Reply(429, headers={"Retry-After": "86400"})}
    with serve(lambda asked: replies.get(asked.path[-3:]) or page(asked)) as server:
        work = Work(store, server, 8, threads=1, chunk_rows=4, retry_delay_s=3600.0)

        def killed(staged):
            if work.merges == 1:
                raise Killed
            Work.merge(work, staged)

        work.merge = killed
        with pytest.raises(Killed):
            work.run()
        assert sorted(work.pages()) == ["k01"]  # k00 failed; two keys are a chunk here
        del work.merge
        counts = work.run()
        assert sorted(work.pages()) == ["k01", "k02", "k03", "k04"]
        assert "3 keys are left" in counts.stopped() and "first until" in counts.stopped()
        assert "1 keys failed and are retried" in counts.notes[0]
        # The staged chunk was merged and not fetched again; what was under way may be asked for twice.
        asked_for = Counter(server.paths())
        assert asked_for["/first/k02"] == asked_for["/first/k03"] == 1
        asked = len(server.asked)
        assert work.run().left == 3
        assert len(server.asked) == asked
        replies.clear()
        attempts = store.location.sql("fetch_attempts")
        store.sql(f"UPDATE {attempts} SET next_retry_at = now() - INTERVAL 1 MINUTE")
        # Earlier releases believed a server that asked for three thousand years.
        far = "at = now() - INTERVAL 8 DAYS, next_retry_at = TIMESTAMP '5195-01-01 00:00:00'"
        store.sql(f"UPDATE {attempts} SET {far} WHERE key = '*'")
        now = datetime.now(UTC)
        pause = {"task": "t", "provider": "http", "attempt": 0, "status": "paused", "at": now, "run_id": "r"}
        hours = {"a.example": 1, "b.example": 99}
        store.upsert(FETCH_ATTEMPTS, [
            pause | {"key": f"* {host}", "next_retry_at": now + timedelta(hours=n)} for host, n in hours.items()
        ])  # fmt: skip
        found = stored_pauses(store, ("first", "http"), 86_400.0)
        assert {name: round((until - now.timestamp()) / 3600) for name, until in found.items()} == {
            "http a.example": 1,
            "http b.example": 24,
        }
        forget_hosts()  # as a new process would
        assert work.run().fetched == 4
        assert sorted(work.pages()) == [f"k{n:02}" for n in range(8)]
