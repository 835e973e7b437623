"""The heartbeat of a lease in a table: it survives a failure, and ends the run before the lease has ended."""

import re
import threading
import time
from types import SimpleNamespace

import pytest

from genreatlas.errors import LeaseHeldError, LeaseLostError
from genreatlas.store import lease
from genreatlas.store.reader import Location


class Table:
    """``_leases`` in memory, for the statements of a lease; ``away`` says when it cannot be reached."""

    def __init__(self):
        self.rows = {}
        self.away = lambda: False
        self.extended = []

    def run(self, statement):
        if statement.startswith("CREATE"):
            return None
        step = re.search(r"step = '(\w+)'|SELECT '(\w+)' AS step", statement)
        step = step[1] or step[2]
        if statement.startswith("SELECT"):
            row = self.rows.get(step)
            return [{"holder": row[0], "until": row[1]}] if row else []
        holder = re.search(r"'([^']+)' AS holder|holder = '([^']+)'$", statement)
        if statement.startswith("MERGE"):
            until = float(re.search(r"([\d.]+)D AS until", statement)[1])
            dead = re.search(r"t.holder = '([^']*)' AND t.until = ([\d.]+)D", statement)
            if step not in self.rows or (dead and self.rows[step] == (dead[1], float(dead[2]))):
                self.rows[step] = (holder[1], until)
            return None
        until = float(re.search(r"until = ([\d.]+)D", statement)[1])
        if until and self.away():
            raise OSError("the store is away\nwith a second line")
        if self.rows[step][0] != holder[2]:
            return [(0,)]
        self.rows[step] = (holder[2], until)
        self.extended.append(time.monotonic())
        return [(1,)]


@pytest.fixture
def table(monkeypatch):
    monkeypatch.setattr(lease, "LEASE_SECONDS", 3.6)
    monkeypatch.setattr(lease.random, "uniform", lambda *_: 0.0)
    found = Table()

    def read_clock(self):
        self._clock = (found.now(), lease._seconds())
        return found.now()

    found.now = lambda: time.time() + 5000.0  # the table's time is not this machine's
    monkeypatch.setattr(lease._TableLease, "_read_clock", read_clock)
    return found


def store(table, run_id="mine"):
    def rows(statement):
        found = table.run(statement)
        return SimpleNamespace(collect=lambda: found)

    spark = SimpleNamespace(sql=rows, interruptAll=lambda: None)
    return SimpleNamespace(run_id=run_id, location=Location(prefix="`memory`"), spark=spark, retried=rows)


def test_a_lease_is_extended_through_one_failure_and_is_given_back(table):
    failures = iter([True])
    table.away = lambda: next(failures, False)
    with lease.hold(store(table), "score"):
        until = time.monotonic() + 4.5  # longer than a lease is
        while time.monotonic() < until:
            lease.check(store(table))
            time.sleep(0.02)
        assert len(table.extended) >= 3
        with pytest.raises(LeaseHeldError, match="run mine"), lease.hold(store(table, "other"), "score"):
            pass
    with lease.hold(store(table, "other"), "score"):
        pass


def test_a_run_that_cannot_extend_its_lease_is_ended_before_another_can_take_it(table):
    table.away = lambda: True
    why = r"it could not be extended: the store is away\. It has stopped"
    with pytest.raises(LeaseLostError, match=why) as lost, lease.hold(store(table), "score"):
        try:
            time.sleep(60)  # as a long computation, or a call into Java
        finally:
            left = table.rows["score"][1] - table.now()
            with pytest.raises(LeaseLostError):
                lease.check(store(table))
    assert 0 < left < 3.6
    assert "\n" not in str(lost.value)
    time.sleep(left)
    with lease.hold(store(table, "other"), "score"):
        pass
    lease.check(store(table))  # the next step may write again


def test_a_run_whose_lease_was_taken_is_ended_and_does_not_give_the_others_back(table):
    with pytest.raises(LeaseLostError, match="another run has taken it"), lease.hold(store(table), "score"):
        table.rows["score"] = ("other", table.now() + 100)
        time.sleep(60)
    assert table.rows["score"][0] == "other" and table.rows["score"][1] > table.now()


def test_an_error_that_followed_from_the_loss_is_told_as_the_loss(table):
    table.away = lambda: True
    with pytest.raises(LeaseLostError) as lost, lease.hold(store(table), "score"):
        ended = threading.Event()
        while True:
            try:
                ended.wait(60)
            except KeyboardInterrupt:
                raise RuntimeError("the job was cancelled") from None
    assert str(lost.value.__cause__) == "the job was cancelled"


def test_the_clock_goes_on_while_a_process_is_stopped(table, monkeypatch):
    real = lease._seconds
    with pytest.raises(LeaseLostError, match="this process was stopped"), lease.hold(store(table), "score"):
        lease.check(store(table))
        monkeypatch.setattr(lease, "_seconds", lambda: real() + 4.0)
        lease.check(store(table))
