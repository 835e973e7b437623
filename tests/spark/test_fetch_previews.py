"""Clips from a provider and from a list: fetched once, extracted, purged for good, fetched again."""

import base64
import io
import json

import numpy as np
import pytest
import soundfile

from genreatlas.audio.feature_sets import FEATURE_SETS, table_of
from genreatlas.audio.worker import extract_clip
from genreatlas.report import queries, sounds
from genreatlas.report.sounds import with_audio
from genreatlas.steps import extract_features, fetch_previews, purge
from genreatlas.tables import CLIP_AUDIO, CLIPS, FETCH_ATTEMPTS, QUARANTINE, SONG_GENRES, SONGS
from loopback import Reply, serve
from tests_config import with_sections

RATE = 22_050


def mp3(seed: int) -> bytes:
    noise = np.random.default_rng(seed).standard_normal(2 * RATE) * 0.1
    file = io.BytesIO()
    soundfile.write(file, noise, RATE, format="MP3")
    return file.getvalue()


SOUNDS = {name: mp3(seed) for seed, name in enumerate("abc")}


def script(server):
    """Deezer's API and files for the ISRCs a, b, x (unknown), t (text as audio), and a list's file c."""

    def answer(asked):
        name = asked.path.removesuffix(".mp3")[-1]
        if asked.path.startswith("/track/"):
            if name == "x":
                return Reply(body=b'{"error":{"type":"DataException","message":"no data","code":800}}')
            preview = f"{server.url}/cdn/{name}.mp3?hmac=s3cret"
            body = {"id": 7, "title": f"Song {name}", "artist": {"name": "A"}, "duration": 200, "preview": preview}
            return Reply(body=json.dumps(body).encode())
        return Reply(body=SOUNDS.get(name, b"<h1>no music</h1>"), kind="audio/mpeg")

    return answer


def files_with(folder, needle: bytes) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file() and needle in path.read_bytes()]


@pytest.fixture
def world(store, config, tmp_path):
    with serve(lambda asked: script(server)(asked)) as server:
        manifest = tmp_path / "list.csv"
        manifest.write_text(f"url,genre,title,artist,licence\n{server.url}/c.mp3?key=s3cret,Rock,C,B,CC BY\n,Rock,,,\n")
        config = with_sections(
            config,
            fetch_previews={"providers": ("deezer", "http")},
            deezer={"acknowledge_terms": True, "api_url": server.url},
            http={"manifest": manifest, "hosts": (server.host,)},
            fan_out={"retry_delay_s": 0.0, "max_attempts": 2, "backoff_s": 0.01},
            extract={"feature_sets": ("summary9",), "task_clips": 2},
        )
        songs = [
            {"song_id": f"song-{name}", "source": "spotify", "title": f"Song {name}", "artist": "A", "isrc": isrc}
            for name, isrc in (("a", "a"), ("b", "b"), ("x", "x"), ("t", "t"), ("silent", None))
        ]
        store.upsert(SONGS, songs)
        yield server, config


@pytest.mark.slow
def test_clips_are_fetched_once_and_what_gave_none_has_its_reason(store, world, tmp_path):
    server, config = world
    counts = fetch_previews.run(store, config)
    assert (counts.read, counts.written, counts.failed, counts.skipped) == (5, 3, 1, 1)
    assert counts.notes == ("given up: not_audio 1, not_found 1",)
    clips = {row["path"]: row.asDict() for row in store.read(CLIPS).collect()}
    listed = clips.pop(f"{server.url}/c.mp3")
    assert (listed["provider"], listed["licence"], listed["mime"]) == ("http", "CC BY", "audio/mpeg")
    songs = {row["song_id"] for row in store.read(CLIPS).collect()}
    assert {"song-a", "song-b"} < songs and len(songs) == 3
    assert [row["genre"] for row in store.read(SONG_GENRES).collect()] == ["Rock"]
    labelled = store.read(SONG_GENRES).select("genre_id", "song_id")
    [(_, heard)] = with_audio(store, queries.with_clip(store, labelled).toPandas()).iterrows()
    shown = sounds.player(heard).source
    assert base64.b64decode(shown.removeprefix("data:audio/mpeg;base64,")) == SOUNDS["c"]
    assert len(sounds.sound(heard).samples) == 2 * RATE
    assert "no longer kept" in sounds.player(heard.drop("audio")).problem
    bad = {(row["key"], row["reason"]) for row in store.read(QUARANTINE).collect()}
    assert ("song-t", "not_audio") in bad and len(bad) == 2
    asked = len(server.asked)
    assert fetch_previews.run(store, config).written == 0
    assert len(server.asked) == asked
    text = " ".join(
        str(row) for name in (CLIPS, FETCH_ATTEMPTS, QUARANTINE, SONGS) for row in store.read(name).collect()
    )
    assert "s3cret" not in text and not files_with(tmp_path / "tables", b"s3cret")

    # the list names another file now: with a row that cannot be read it may still have the first one
    for last, gone in ((",Rock,,,", 0), ("", 1)):
        config.http.manifest.write_text(f"url,genre,title,artist,licence\n{server.url}/b.mp3,Pop,B,B,CC BY\n{last}\n")
        notes = fetch_previews.run(store, config).notes
        assert any(note.startswith("retired: 1 songs" if gone else "1 songs are not in") for note in notes)
        assert [row.song_id for row in store.ended(SONGS).collect()] == [listed["song_id"]] * gone
        assert store.ended(CLIPS).count() == gone
    assert [row["genre"] for row in store.live(SONG_GENRES).collect()] == ["Pop"]


@pytest.mark.slow
def test_clips_are_extracted_purged_for_good_skipped_and_fetched_again(store, world, tmp_path):
    _, config = world
    fetch_previews.run(store, config)
    sounds_before = {row.clip_id: row.sound_sha256 for row in store.read(CLIPS).collect()}
    store.sql(f"UPDATE {store.location.sql('clips')} SET sound_sha256 = NULL")  # as an older release left them
    assert extract_features.run(store, config).written == 3
    assert {row.clip_id: row.sound_sha256 for row in store.read(CLIPS).collect()} == sounds_before
    assert len(set(sounds_before.values())) == 3 and None not in sounds_before.values()
    rows = {row["song_id"]: row.asDict() for row in store.read(table_of(FEATURE_SETS["summary9"])).collect()}
    [alone] = extract_clip(io.BytesIO(SOUNDS["a"]), 0.0, 2.0, config.clip, [FEATURE_SETS["summary9"]])
    names = [feature.name for feature in FEATURE_SETS["summary9"].features]
    np.testing.assert_allclose([rows["song-a"][n] for n in names], alone.values, rtol=1e-12)

    needle = SOUNDS["a"][1000:1040]
    kept = SOUNDS["c"][1000:1040]
    assert files_with(tmp_path / "tables", needle) and files_with(tmp_path / "tables", kept)
    before = store.version(CLIP_AUDIO)
    done = purge.run(store, with_sections(config, purge={"provider": "deezer"}))
    assert done.written == 2
    assert not files_with(tmp_path / "tables", needle) and files_with(tmp_path / "tables", kept)
    with pytest.raises(Exception, match="FILE_NOT_EXIST"):  # Spark's own or py4j's, by its version
        store.read(CLIP_AUDIO, version=before).where("provider = 'deezer'").select("audio").collect()

    more = with_sections(config, extract={"feature_sets": ("summary9", "mfcc12_frames"), "task_clips": 2})
    counts = extract_features.run(store, more)
    assert (counts.written, counts.skipped) == (1, 2) and "audio_gone" in counts.notes[0]
    again = with_sections(more, fetch_previews={"refetch": True, "retention": "features"})
    assert fetch_previews.run(store, again).written == 2
    counts = extract_features.run(store, again)
    assert (counts.written, counts.skipped) == (2, 0)
    assert "dropped the audio of 3 clips" in counts.notes[-1]
    assert not files_with(tmp_path / "tables", needle) and not files_with(tmp_path / "tables", kept)
    assert fetch_previews.run(store, again).read == 0
