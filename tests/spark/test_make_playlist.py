"""Playlists of a small store: made once, made again from the stored recipe, with copies, limits, files and SQL."""

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import requests

from conftest import make_config
from genreatlas.audio.uris import path_to_uri
from genreatlas.config import Config, SandboxSection, WorldSection
from genreatlas.errors import ConfigError, InputError
from genreatlas.sandbox.composed_library import write_library
from genreatlas.sandbox.world import running_world
from genreatlas.sandbox.world.contents import Ids, Kind
from genreatlas.sandbox.world.spotify_service import READ_ONLY
from genreatlas.sql.registering import register_views
from genreatlas.steps import make_playlist
from genreatlas.store import Store
from genreatlas.tables import (
    ARTISTS,
    CLIPS,
    FEATURE_SETS,
    GENERATED_PLAYLIST_SONGS,
    GENERATED_PLAYLISTS,
    GENRE_TREE,
    MAPS,
    NEIGHBOUR_SPACES,
    PLAYLIST_RECIPES,
    PUBLISHED_PLAYLISTS,
    SCORES,
    SONG_ARTISTS,
    SONG_GENRES,
    SONG_NEIGHBOURS,
    SONGS,
    SPOTIFY_AUDIO,
    SPOTIFY_AUDIO_SET,
)
from judged_factory import WHERE, _write, add_model

COLUMNS = ("energy", "valence", "acousticness", "loudness", "tempo", "key", "mode")
RECIPES = (
    '{name="Near", kind="around", seeds=["song:song1-000"], songs=8}',
    '{name="Way", kind="path", seeds=["genre:Genre 0", "genre:Genre 2"], songs=9, songs_per_artist=1}',
    '{name="Out", kind="explore", library="LIBRARY", songs=9, energy="rising", block=["genre:Genre 1"]}',
    '{name="Two only", kind="around", seeds=["genre:Genre 1"], songs=30, songs_per_artist=1, tempo=[60, 200], '
    'block=["artist:Artist 1-0", "genre:Genre 0", "genre:Genre 2"]}',
    '{name="Called", kind="predicted", seeds=["genre:Genre 1"], model="m1", min_confidence=0.8}',
)


def add_music(store: Store, music: Path, songs: range) -> None:
    """Songs of three genres, three by each artist; song 1 of a genre is a copy of song 0 by its ISRC, 3 of 2 by sound.

    Songs with an even number are files, odd ones are known to Spotify.
    """
    random = np.random.default_rng(songs.start)
    rows = [(g, s) for g in range(3) for s in songs]
    ids = [f"song{g}-{s:03d}" for g, s in rows]
    artists = [f"Artist {g}-{s // 3}" for g, s in rows]
    _write(store, SONGS, [
        {"song_id": one, "source": "test", "title": f"Title {g}-{s}", "artist": artist, "duration_ms": 180_000,
         "isrc": f"XX00000{g:02d}{max(s, 1):03d}",
         "spotify_id": Ids(7).encode(Kind.TRACK, 100 * g + s) if s % 2 else None}
        for one, artist, (g, s) in zip(ids, artists, rows, strict=True)
    ])  # fmt: skip
    _write(store, ARTISTS, [{"artist_id": f"id of {name}", "name": name} for name in sorted(set(artists))])
    _write(store, SONG_ARTISTS, [{"song_id": one, "position": 0, "artist_id": f"id of {name}", "role": "primary"}
                                 for one, name in zip(ids, artists, strict=True)])  # fmt: skip
    _write(store, SONG_GENRES, [{"song_id": one, "genre_id": f"genre{g}", "source": "test", "weight": 1.0,
                                 "genre": f"Genre {g}"} for one, (g, _) in zip(ids, rows, strict=True)])  # fmt: skip
    _write(store, CLIPS, [
        {"clip_id": f"clip of {one}", "ingest_batch": "b", "song_id": one, "provider": "folder", "audio_id": one,
         "sha256": f"{g}{s - (s == 3):063d}", "uri": path_to_uri(os.fsencode(music / f"{one} ä.mp3")),
         "window_rule": "start:30", "start_s": 0.0, "length_s": 30.0, "mime": "audio/mpeg", "sample_rate": 44100,
         "channels": 2, "duration_s": 181.0, "bytes": 1}
        for one, (g, s) in zip(ids, rows, strict=True) if s % 2 == 0 or s == 3
    ])  # fmt: skip
    _write(store, SPOTIFY_AUDIO, [
        WHERE | {"clip_id": f"clip of {one}", "song_id": one, "energy": float(random.random()),
                 "valence": float(random.normal(g, 0.2)), "acousticness": float(random.normal(g, 0.2)),
                 "loudness": float(random.normal(-9, 2)), "tempo": float(random.uniform(90, 140)),
                 "key": int(random.integers(12)), "mode": int(random.integers(2))}
        for one, (g, _) in zip(ids, rows, strict=True)
    ])  # fmt: skip


@pytest.fixture
def config(tmp_path) -> Config:
    library = tmp_path / "mine.m3u"
    library.write_bytes("#EXTM3U\r\n#EXTINF:3,x\r\nmusic\\song0-004 ä.mp3\r\nC:\\gone.mp3\r\n".encode("cp1252"))
    recipes = f"playlist.recipes=[{', '.join(RECIPES)}]".replace("LIBRARY", str(library))
    settings = (f'playlist.path="{tmp_path / "lists"}"', f"playlist.feature_set={SPOTIFY_AUDIO_SET}")
    return make_config(tmp_path, *settings, recipes)


def add_tree_and_scores(store: Store, config: Config, music: Path) -> None:
    """Genre 2 is a child of 0 in the newest tree; a model calls five songs, a copy and three files Genre 1."""
    for day, parents in ((1, ("genre1", "genre0")), (2, ("genre0", "genre1"))):
        _write(store, MAPS, [{"map_id": f"m{day}", "profile_id": f"p{day}", "lens": "sound", "sequence": day,
                              "feature_set": "x", "set_version": "1", "features": [], "method": "tsne", "settings": "",
                              "n_genres": 3, "made_at": datetime(2026, 1, day, tzinfo=UTC)}])  # fmt: skip
        _write(store, GENRE_TREE, [{"profile_id": f"p{day}", "genre_id": "genre2", "rank": rank, "genre": "Genre 2",
                                    "parent_id": one, "parent": one, "probability": 0.9, "name_head": False,
                                    "known": False, "drawn": rank == 1, "distance": 1.0}
                                   for rank, one in enumerate(parents, 1)])  # fmt: skip
    music.mkdir()
    (music / "new.mp3").write_bytes(b"one")
    (music / "copy.mp3").write_bytes(b"one")
    add_model(store, config, "m1")
    files = {path_to_uri(os.fsencode(music / f"{name}.mp3")): None for name in ("new", "copy", "gone")}
    called = {f"clip:{s}": f"song1-{s:03d}" for s in (0, 1, 5, 8, 10)} | {"clip:x": "song2-001"} | files
    _write(store, SCORES, [{"model_id": "m1", "item_id": item, "song_id": song, "predicted": "genre1", "scores": {},
                            "confidence": 0.7 if song == "song1-010" else 0.9, "score_kind": "probability",
                            "n_windows": 1, "n_failed_windows": 0} for item, song in called.items()])  # fmt: skip


def add_neighbours(store: Store, song: str, neighbours: list[str], **other: str) -> None:
    """A present space in which a song has these neighbours, the nearest first."""
    number = store.read(NEIGHBOUR_SPACES).count() + 1
    _write(store, NEIGHBOUR_SPACES, [
        {"space_id": f"s{number}", "sequence": number, "feature_set": SPOTIFY_AUDIO_SET, "centre": [], "spread": [],
         "features": [name for name in COLUMNS if name not in ("key", "mode")], "correction": "none", "mean": [],
         "scale_weight": 0.0, "variance": 1.0, "settings": "{}", "n_fitted": 9, "n_songs": 9} | WHERE | other
    ])  # fmt: skip
    _write(store, SONG_NEIGHBOURS, [
        {"space_id": f"s{number}", "song_id": song, "rank": rank, "neighbour_song_id": one, "distance": 1.0,
         "corrected": 1.0, "similarity": 0.5, "method": "exact"} for rank, one in enumerate(neighbours, 1)
    ])  # fmt: skip


def describe_features(store: Store) -> None:
    _write(store, FEATURE_SETS, [
        WHERE | {"feature_set": SPOTIFY_AUDIO_SET, "position": i, "feature": name, "axis": "summary", "unit": "",
                 "kind": "categorical" if name == "key" else "numeric", "source": "spotify"}
        for i, name in enumerate(COLUMNS)
    ])  # fmt: skip


def made(store: Store) -> dict[str, list[str]]:
    """Song ids of the present playlists in order, by name."""
    newest = {row.name: row.playlist_id for row in store.read(GENERATED_PLAYLISTS).orderBy("sequence").collect()}
    rows = store.read(GENERATED_PLAYLIST_SONGS).orderBy("position").collect()
    return {name: [row.song_id for row in rows if row.playlist_id == one] for name, one in newest.items()}


@pytest.mark.slow
def test_playlists_keep_to_their_limits_and_are_made_again_from_the_stored_recipe(spark, tmp_path, config):
    store = Store(spark, config.store)
    with pytest.raises(InputError, match="no songs to make a playlist of"):
        make_playlist.run(store, config)
    describe_features(store)
    add_music(store, tmp_path / "music", range(18))
    add_tree_and_scores(store, config, tmp_path / "music")
    counts = make_playlist.run(store, config)
    assert (counts.read, counts.written, counts.failed) == (5, 5, 0)

    lists = made(store)
    called = lists.pop("Called")
    assert sorted(called)[0].endswith("/music/copy.mp3") and len(called) == 5  # which is new.mp3, too
    assert {"song1-005", "song1-008", "song2-001"} < set(called) and len({"song1-000", "song1-001"} & set(called)) == 1
    assert {name: len(ids) for name, ids in lists.items()} == {"Near": 8, "Way": 9, "Out": 9, "Two only": 5}
    for name, ids in lists.items():
        genre_and_number = [(one[4], int(one[6:])) for one in ids]
        copied = [(g, {1: 0, 3: 2}.get(s, s)) for g, s in genre_and_number]
        assert len(set(copied)) == len(ids), name
        most = 1 if name in ("Way", "Two only") else 2
        artists = [(g, s // 3) for g, s in genre_and_number]
        assert max(artists.count(one) for one in artists) <= most, name
    assert lists["Near"][0] == "song1-000"
    assert lists["Way"][0][4] == "0" and lists["Way"][-1][4] == "2"
    assert "song0-004" not in lists["Out"]
    assert not any(one[4] == "1" and int(one[6:]) < 3 for one in lists["Two only"])
    said = "\n".join(counts.notes)
    assert "Two only: 30 songs were requested, 5 were selected: of " in said and " are blocked, " in said
    assert "Out: 1 of 2 entries of the library are songs of the store; it starts from Genre 0" in said
    assert "Called: 1 scored files are gone or cannot be read" in said
    reasons = {row.reason for row in store.read(GENERATED_PLAYLIST_SONGS).collect()}
    assert {"1 step from the library: Genre 0 > Genre 2"} <= reasons
    assert "nothing was sent (playlist.publish = false)" in said
    assert store.read(PUBLISHED_PLAYLISTS).count() == 0

    listed = (tmp_path / "lists" / "Near.m3u8").read_text(encoding="utf-8")
    assert "\n../music/song1-0" in listed and " ä.mp3\n" in listed and listed.startswith("#EXTM3U\n")
    assert {path.suffix for path in (tmp_path / "lists").glob("Way.*")} == {".m3u8", ".xspf", ".csv"}

    again = config.model_copy(update={"playlist": config.playlist.model_copy(update={"recipes": (), "stored": ("*",)})})
    counts = make_playlist.run(store, again)  # the same songs make the same playlists, from the stored recipes
    assert (counts.read, counts.written, counts.skipped) == (5, 0, 5)
    missing = again.playlist.model_copy(update={"stored": ("Nea",)})
    with pytest.raises(ConfigError, match="Stored: Called, Near, Out, Two only, Way"):
        make_playlist.run(store, again.model_copy(update={"playlist": missing}))
    assert store.read(PLAYLIST_RECIPES).count() == 5

    add_music(store, tmp_path / "music", range(18, 30))
    assert make_playlist.run(store, again).written >= 1
    rows = store.read(GENERATED_PLAYLISTS).where("name = 'Two only'").orderBy("sequence").collect()
    assert [row.sequence for row in rows] == [1, 2] and rows[1].previous_id == rows[0].playlist_id
    assert len(made(store)["Two only"]) == 9

    register_views(store, config.splits.name)
    shown = spark.sql("SELECT * FROM made_playlists ORDER BY name").collect()
    assert [row.name for row in shown] == ["Called", "Near", "Out", "Two only", "Way"]
    assert shown[3].n_songs == 9
    near = spark.sql("SELECT * FROM made_playlist_songs WHERE playlist = 'Near' ORDER BY position").collect()
    assert near[0].title == "Title 1-0" and near[0].reason == "The recipe names it" and near[0].role == "seed"
    assert all(row.artist.startswith("Artist") and row.reason and row.camelot for row in near)

    far = ["song0-017", "song2-020"]
    assert not set(far) & set(made(store)["Near"])
    add_neighbours(store, "song1-000", far)
    make_playlist.run(store, again)
    assert set(far) < set(made(store)["Near"])
    add_neighbours(store, "song1-000", ["song0-026"], set_version="of another set")
    make_playlist.run(store, again)
    assert not {*far, "song0-026"} & set(made(store)["Near"])


@pytest.mark.slow
def test_a_playlist_is_created_at_spotify_once_and_nothing_is_sent_unasked(spark, tmp_path, config, monkeypatch):
    for name, value in (("CLIENT_ID", "id"), ("CLIENT_SECRET", "hidden-secret"), ("REFRESH_TOKEN", "hidden-refresh")):
        monkeypatch.setenv(f"SPOTIFY_{name}", value)
    library = SandboxSection(path=tmp_path / "library", genres=("house",), artists_per_genre=1, songs_per_artist=1,
                             seconds=2.0, broken_files=False)  # fmt: skip
    write_library(library, workers=1)
    store = Store(spark, config.store)
    describe_features(store)
    add_music(store, tmp_path / "music", range(12))
    with running_world(WorldSection(port=0, genres=12, songs=60, app="development"), library) as world:
        address = world.addresses["spotify"]
        changes = {"acknowledge_terms": True, "api_url": f"{address}/v1", "accounts_url": address}
        config = config.model_copy(update={"spotify": config.spotify.model_copy(update=changes)})
        near = config.playlist.model_copy(update={"recipes": config.playlist.recipes[:1], "formats": ()})
        dry = config.model_copy(update={"playlist": near})
        wet = config.model_copy(update={"playlist": near.model_copy(update={"publish": True})})

        def asked(method: str) -> list[str]:
            log = requests.get(f"{world.addresses['everynoise']}/_log?service=spotify", timeout=10).json()
            return [one["path"] for one in log if one["method"] == method and one["path"] != "/api/token"]

        make_playlist.run(store, dry)
        assert (asked("GET"), asked("POST"), asked("PUT")) == ([], [], [])

        monkeypatch.setenv("SPOTIFY_REFRESH_TOKEN", READ_ONLY)
        with pytest.raises(ConfigError, match="authorise --publish"):
            make_playlist.run(store, wet)
        monkeypatch.setenv("SPOTIFY_REFRESH_TOKEN", "hidden-refresh")
        world.control(clear_log=True)
        first = make_playlist.run(store, wet)
        assert any("Near: created at Spotify with " in note for note in first.notes)
        row = store.read(PUBLISHED_PLAYLISTS).collect()[0]
        assert asked("POST") == ["/v1/me/playlists"] and asked("PUT") == [f"/v1/playlists/{row.external_id}/items"]
        assert row.playlist_id == store.read(GENERATED_PLAYLISTS).collect()[0].playlist_id and row.n_left_out > 0

        assert "Near: unchanged at Spotify" in make_playlist.run(store, wet).notes
        store.delete(PUBLISHED_PLAYLISTS, store.read(PUBLISHED_PLAYLISTS).select("service"))  # as if a run was killed
        again = make_playlist.run(store, wet)
        assert any("Near: found again and updated" in note for note in again.notes)
        add_music(store, tmp_path / "music", range(12, 40))
        assert any("Near: updated at Spotify" in note for note in make_playlist.run(store, wet).notes)
        assert asked("POST") == ["/v1/me/playlists"] and len(asked("PUT")) == 3
        assert "hidden" not in "".join(first.notes) + "".join(again.notes)
