"""The step that writes the site's extract, on a store with known answers."""

import hashlib

import pytest

pytest.importorskip("deltalake")
from deltalake import DeltaTable

from genreatlas.audio.feature_sets import FEATURE_SETS as REGISTRY
from genreatlas.audio.feature_sets import table_of
from genreatlas.config import load_config
from genreatlas.errors import ModelError
from genreatlas.steps import publish_site
from genreatlas.store import Store
from genreatlas.web import publishing
from genreatlas.web.published import Extract
from sql_factory import TABLE, TEMPO, THEN, write, write_listening, write_store


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = write_listening(write_store(tmp_path_factory.mktemp("site") / "tables"))
    audio = b"the bytes of a clip"
    digest = hashlib.sha256(audio).hexdigest()
    clip = {"song_id": "heard", "provider": "deezer", "audio_id": digest, "sha256": digest, "start_s": 0.0,
            "window_rule": "start:30", "length_s": 30.0, "mime": "audio/mpeg", "sample_rate": 44100, "channels": 2,
            "duration_s": 30.0, "bytes": len(audio), "fetched_at": THEN, "ingest_batch": "f"}  # fmt: skip
    write(home, TABLE["songs"], [{"song_id": "retired", "source": "folder", "source_key": "x", "title": "Gone",
                                  "added_at": THEN, "retired_at": THEN},
                                 {"song_id": "heard", "source": "spotify", "source_key": "z", "title": "Heard",
                                  "added_at": THEN}])  # fmt: skip
    write(home, TABLE["song_genres"], [{"song_id": "heard", "genre_id": "house", "source": "tags", "genre": "House",
                                        "weight": 1.0}])  # fmt: skip
    write(home, TABLE["clips"], [clip | {"clip_id": "a fetched clip", "uri": "clip_audio:a fetched clip"}])
    write(home, TABLE["clip_audio"], [{"ingest_batch": "f", "sha256": digest, "provider": "deezer", "bytes": len(audio),
                                       "audio": audio}])  # fmt: skip
    groove = REGISTRY["groove"]
    write(home, TABLE["feature_sets"], [
        {"feature_set": "groove", "set_version": groove.version, "position": place, "feature": one.name,
         "kind": one.kind, "axis": groove.axis, "unit": one.unit, "preprocessing_id": "p2", "source": "registry"}
        for place, one in enumerate(groove.features)
    ])  # fmt: skip
    beats = {"clip_id": "a fetched clip", "song_id": "heard", "set_version": groove.version, "preprocessing_id": "p2",
             "tempo_tracked": 120.0, "beats_per_bar": 4.0, "bar_confidence": 0.5, "swing_ratio": None,
             "tracked_beat_times": [0.5, 1.0, 1.5, 2.0, 2.5], "downbeat_times": [1.0],
             "pattern_low_1": 1.0}  # fmt: skip
    write(home, table_of(groove), [beats, beats | {"preprocessing_id": "p1", "tempo_tracked": 60.0}])
    return home


def settings(home, *more):
    return load_config([], [f'store.path="{home}"', f'web.path="{home.parent}/site"', "web.feature_set=gtzan57", *more])


@pytest.fixture
def store(spark, home):
    return Store(spark, settings(home).store, run_id="r2")


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_extract_holds_what_the_tables_say_and_a_rerun_writes_nothing(store, home):
    config = settings(home)
    counts = publish_site.run(store, config)
    assert (counts.read, counts.written) == (25, 25)
    folder = publishing.current(config.web.path)
    found = Extract(folder)
    assert found.facts["model"]["model_id"] == "best"
    assert found.search("gone", "songs", 5) == []
    sizes = {row["genre_id"]: row["n_songs"] for row in found.listed("genres", 0, 9)}
    assert sizes == {"ambient": 8, "house": 11, "techno": 9}
    song = found.song("song-techno-3-1")
    assert [one["artist_id"] for one in song["artists"]] == ["techno3"]
    assert (song["prediction"]["predicted"], song["prediction"]["held_out"]) == ("house", True)
    tempo = next(one for one in song["features"] if one["feature"] == "tempo")
    assert (tempo["value"], tempo["unit"]) == (TEMPO["techno"] + 3.5, "bpm")
    assert found.song("song-ambient-0-0")["features"] and len(found.features) == 4
    near = found.similar("song-techno-0-0", 3)
    assert [one["song_id"] for one in near] == ["song-techno-0-1", "song-techno-1-0", "song-techno-1-1"]
    assert near[0]["similarity"] == pytest.approx(0.5)
    playlist = found.playlist("second", 0, 9)
    assert [one["song_id"] for one in playlist["songs"]] == ["song-ambient-0-0", "song-ambient-1-0"]
    assert found.rank("playlists", "first") is None  # the playlist of the name before it
    assert found.song("heard")["clip"]["url"] == "/clips/a%20fetched%20clip"
    path, mime = found.clip("a fetched clip")
    assert (path.read_bytes(), mime) == (b"the bytes of a clip", "audio/mpeg")
    beats = found.rhythm("a fetched clip")
    assert (beats["beats"], beats["first"], beats["beats_per_bar"]) == ([0.5, 1.0, 1.5, 2.0, 2.5], 1, 4)
    assert (beats["tempo"], beats["pattern"]["low"][:2]) == (120.0, [100, 0])
    before = files(folder)
    assert publish_site.run(store, config).read == 0
    assert files(folder) == before


@pytest.mark.slow
def test_equal_tables_make_equal_bytes_and_a_change_makes_another_extract(store, home):
    config = settings(home)
    publish_site.run(store, config)
    folder = publishing.current(config.web.path)
    before = files(folder)
    (config.web.path / publishing.CURRENT).unlink()
    publish_site.run(store, config)
    assert publishing.current(config.web.path) == folder
    assert files(folder) == before
    write(home, TABLE["songs"], [{"song_id": "new song", "source": "folder", "source_key": "y", "title": "Brand New",
                                  "added_at": THEN}])  # fmt: skip
    assert publish_site.run(store, config).written == 26
    assert publishing.current(config.web.path) != folder
    assert (
        DeltaTable(str(home / "songs")).version()
        == Extract(publishing.current(config.web.path)).facts["versions"]["songs"]
    )


@pytest.mark.slow
def test_a_model_that_is_not_there_is_said_so_and_without_features_songs_are_published(store, home):
    with pytest.raises(ModelError, match="no model has this id"):
        publish_site.run(store, settings(home, "web.model=nobody"))
    config = settings(home, "web.feature_set=rhythm_onsets", f'web.path="{home.parent}/other"')
    publish_site.run(store, config)
    found = Extract(publishing.current(config.web.path))
    assert (found.features, found.charts(genre_id="*")) == ((), [])
