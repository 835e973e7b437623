"""Leases in a table: lost before they end where they cannot be extended, and no write by who has lost one."""

import shutil
import time

import pytest

from conftest import METASTORE
from genreatlas.errors import LeaseHeldError, LeaseLostError
from genreatlas.store import Store, lease, staging
from genreatlas.tables import ARTISTS


def artist(key):
    return {"artist_id": key, "name": key}


def names(store):
    return sorted(row.artist_id for row in store.read(ARTISTS).collect())


@pytest.fixture
def remote(store, monkeypatch):
    """A store whose leases are rows, as where it is no local folder."""
    if not METASTORE:
        monkeypatch.setattr(type(store.location), "folder", None)
    store.upsert(ARTISTS, [artist("before")])
    return store


@pytest.mark.slow
def test_a_holder_that_was_stopped_for_longer_than_its_lease_writes_nothing_when_it_wakes(remote, monkeypatch):
    """What it had begun to write is fenced, what it would begin is refused, and the other's rows are all there."""
    monkeypatch.setattr(lease, "LEASE_SECONDS", 3600.0)  # nothing extends it meanwhile
    other = Store(remote.spark, remote.settings, run_id="other")
    real = lease._seconds
    with (
        pytest.raises(LeaseLostError, match="import_folder: the run has lost its lease"),
        remote.lease("import_folder"),
    ):
        remote.upsert(ARTISTS, [artist("mine")])
        with monkeypatch.context() as elsewhere:  # the other machine's clock is wrong: the table's time counts
            elsewhere.setattr(time, "time", lambda: 1e10)
            with pytest.raises(LeaseHeldError, match="run test-run"), other.lease("import_folder"):
                pass
        remote.spark.sql(f"UPDATE {remote.location.sql('_leases')} SET until = 1D WHERE step = 'import_folder'")
        leases = lease._held[remote.location.shown]
        mine = list(leases)
        leases.clear()
        with other.lease("import_folder"):
            other.upsert(ARTISTS, [artist("other")])
            its_own = list(leases)
            leases[:] = mine
            with monkeypatch.context() as asleep:  # it was checked before the process was stopped
                asleep.setattr(lease, "check", lambda store: None)
                remote.upsert(ARTISTS, [artist("late insert")])
                remote.append(ARTISTS, remote.frame(ARTISTS, [artist("late append")]))
                remote.upsert(ARTISTS, [artist("other") | {"name": "late update"}], update=True)
                assert remote.delete(ARTISTS, remote.spark.createDataFrame([("other",)], "artist_id string")) == 0
            with monkeypatch.context() as awake:
                awake.setattr(lease, "_seconds", lambda: real() + 2 * lease.LEASE_SECONDS)
                with pytest.raises(LeaseLostError, match="not extended in time"):
                    remote.upsert(ARTISTS, [artist("refused")])
            leases[:] = its_own
            assert names(remote) == ["before", "mine", "other"]
            assert remote.read(ARTISTS).where("name = 'other'").count() == 1
        leases[:] = mine


@pytest.mark.skipif(bool(METASTORE), reason="a catalog's staging tables are no folders")
def test_a_kill_while_a_staged_chunk_is_removed_leaves_nothing_that_a_later_run_stumbles_over(store, monkeypatch):
    def killed(folder, **_):
        (folder / "_delta_log").rename(folder / "_removed")
        raise KeyboardInterrupt

    staged = store.stage(store.spark.range(3), "some_step", "chunk-1")
    with monkeypatch.context() as kill:
        kill.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            staged.drop()
    assert store.staged("some_step") == []
    assert store.stage(store.spark.range(2), "some_step", "chunk-2").frame.count() == 2
    with store.lease("some_step"):
        folder = store.location.local_path("_staging")
        assert sorted(path.name for path in folder.iterdir()) == ["some_step"]
    # Older releases removed the folder under its own name: the rows may be gone and the log there, or half of it.
    for damage in ("_chunk=chunk-2", "_delta_log"):
        shutil.rmtree(folder / "some_step" / damage)
        assert store.staged("some_step") == []
        assert not (folder / "some_step").exists()
        store.stage(store.spark.range(2), "some_step", "chunk-2")
    staging.sweep(store.location)
    assert [staged.frame.count() for staged in store.staged("some_step")] == [2]
