"""Clips are fetched and their bytes written once: a run that dies at any point is finished by the next one."""

import hashlib
from collections import Counter

import pytest
from test_fetch_previews import SOUNDS, files_with

from conftest import METASTORE
from genreatlas.steps import extract_features, fetch_previews
from genreatlas.store import Store, arrivals
from genreatlas.tables import CLIP_AUDIO, CLIPS, FETCH_ATTEMPTS
from loopback import Reply, serve
from tests_config import with_sections

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(METASTORE), reason="a catalog's tables are written by Spark"),
]
#: Addresses of a list: 5 lead to one sound, one to none.
PATHS = ("a0", "a1", "b2", "a3", "c4", "a5", "x6", "a7")


class Killed(BaseException):
    pass


def killed(*_, **__):
    raise Killed


#: Where a run dies, and whether it asks again for what it had by then.
POINTS = {
    "after files": ("deltalake.write_deltalake", True),
    "after staging": ("genreatlas.store.writer.Store.publish", False),
    "after moving": ("deltalake.DeltaTable.create_write_transaction", False),
    "after publishing": ("genreatlas.steps.fetch_previews.merge", False),
    "after clips": ("genreatlas.fanout.run.write_attempts", False),
}


@pytest.fixture
def world(config, tmp_path):
    def answer(asked):
        sound = SOUNDS.get(asked.path[1])
        return Reply(body=sound, kind="audio/mpeg") if sound else Reply(404)

    with serve(answer) as server:
        manifest = tmp_path / "list.csv"
        manifest.write_text("url,genre\n" + "".join(f"{server.url}/{name}.mp3,Rock\n" for name in PATHS))
        yield (
            server,
            with_sections(
                config,
                fetch_previews={"providers": ("http",)},
                http={"manifest": manifest, "hosts": (server.host,)},
                fan_out={"retry_delay_s": 0.0, "max_attempts": 2, "backoff_s": 0.01, "chunk_rows": 4, "partitions": 2},
                extract={"feature_sets": ("summary9",), "task_clips": 2},
            ),
        )


@pytest.mark.parametrize("runner", ["driver", "executors"])
def test_a_run_that_dies_at_any_point_is_finished_by_the_next_which_asks_for_nothing_that_was_staged(
    store, world, monkeypatch, runner, tmp_path
):
    server, config = world
    config = with_sections(config, fan_out={"runner": runner})
    for number, (point, (place, again)) in enumerate(POINTS.items()):
        place_of_store = config.store.model_copy(update={"path": str(tmp_path / f"tables{number}")})
        mine = config.model_copy(update={"store": place_of_store})
        server.asked.clear()
        with monkeypatch.context() as kill, pytest.raises(Killed):
            kill.setattr(place, killed)
            fetch_previews.run(Store(store.spark, mine.store, "first"), mine)
        died_after = Counter(server.paths())
        later = Store(store.spark, mine.store, "second")
        with later.lease("fetch_previews"):
            counts = fetch_previews.run(later, mine)
        assert (counts.written, counts.skipped, counts.failed) == (7, 1, 0), point
        asked = Counter(server.paths())
        assert (max(asked.values()) > 1) == again, (point, died_after, asked)
        assert_as_fetched(later, server)
        assert not list((tmp_path / f"tables{number}" / "_arriving").rglob("*.parquet")), point
        assert fetch_previews.run(later, mine).read == 0


def assert_as_fetched(store, server):
    """Every song has its clip and the clip its bytes, which lie on the disk once for each batch that fetched them."""
    clips = {row["path"]: row for row in store.read(CLIPS).collect()}
    hashes = {f"{server.url}/{name}.mp3": hashlib.sha256(SOUNDS[name[0]]).hexdigest() for name in PATHS if name != "x6"}
    assert {path: row["sha256"] for path, row in clips.items()} == hashes
    audio = store.read(CLIP_AUDIO).collect()
    kept = Counter((row["ingest_batch"], row["sha256"], row["provider"]) for row in audio)
    assert kept == Counter({(row["ingest_batch"], row["sha256"], "http") for row in clips.values()})
    assert all(hashlib.sha256(row["audio"]).hexdigest() == row["sha256"] for row in audio)
    assert all(row["bytes"] == len(SOUNDS["a"]) for row in clips.values() if row["path"].rpartition("/")[2][0] == "a")
    assert len(files_with(store.location.folder, SOUNDS["b"][1000:1040])) == 1
    tried = Counter((row["status"], row["reason"]) for row in store.read(FETCH_ATTEMPTS).collect())
    assert tried == {("ok", None): 7, ("final", "link_expired"): 1}


def test_features_of_songs_with_equal_audio_come_from_bytes_that_were_written_once(store, world):
    _, config = world
    fetch_previews.run(store, config)
    assert extract_features.run(store, config).written == 7
    again = with_sections(config, fetch_previews={"retention": "features"})
    assert "dropped the audio of" in extract_features.run(store, again).notes[-1]
    assert store.read(CLIP_AUDIO).count() == 0


def test_retention_leaves_bytes_alone_whose_clips_a_stopped_run_has_not_merged(store, world, monkeypatch):
    _, config = world
    config = with_sections(config, fetch_previews={"retention": "features"})
    with monkeypatch.context() as kill, pytest.raises(Killed):
        kill.setattr("genreatlas.steps.fetch_previews.merge", killed)
        fetch_previews.run(store, config)
    assert store.read(CLIP_AUDIO).count() > 0 and arrivals.staged_batches(store, "fetch_previews")
    extract_features.run(store, config)
    later = Store(store.spark, store.settings, "later")
    assert fetch_previews.run(later, config).written == 7
    assert extract_features.run(later, config).written == 7
