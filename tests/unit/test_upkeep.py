"""Which old versions of a table are in danger."""

from datetime import datetime, timedelta

from genreatlas.store.upkeep import Needed, expiring

NOW = datetime(2026, 11, 24)


def committed(*days_ago):
    """Time of commits 0, 1, 2, ..."""
    return {version: NOW - timedelta(days=days) for version, days in enumerate(days_ago)}


def test_a_version_is_in_danger_once_the_commit_after_it_is_older_than_the_retention():
    versions = [Needed(number, ("m",)) for number in range(4)]
    history = committed(400, 300, 20, 10)
    assert [one.version for one in expiring(versions, history, NOW - timedelta(days=100))] == [0]
    assert [one.version for one in expiring(versions, history, NOW - timedelta(days=15))] == [0, 1]


def test_the_newest_version_is_never_in_danger_and_one_that_is_gone_cannot_be_lost():
    history = committed(400, 300)
    history.pop(0)
    assert expiring([Needed(0, ("m",)), Needed(1, ("m",))], history, NOW) == []
