"""collect_songs against a small Spotify on loopback: what is asked, what is stored, what a rerun does."""

from datetime import date

import pandas as pd
import pytest
from deltalake import DeltaTable

from conftest import make_config
from genreatlas.config import PlaylistsEntry, SpotifySection
from genreatlas.errors import ConfigError
from genreatlas.steps import collect_songs
from genreatlas.tables import (
    ARTISTS,
    EVERYNOISE_PLAYLISTS,
    FEATURE_SETS,
    FETCH_ATTEMPTS,
    GENRES,
    PLAYLISTS,
    QUARANTINE,
    SONG_ARTISTS,
    SONG_GENRES,
    SONGS,
    SPOTIFY_ACCESS,
    SPOTIFY_AUDIO,
)
from loopback import serve
from spotify_server import CLIENT, Listing, World, identity, settings, track
from stored_rows import rows

P = {name: f"{name:0>22}" for name in ("rock", "pop", "mine", "gone")}


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    for name, value in CLIENT.items():
        monkeypatch.setenv(name, value)


def collecting(tmp_path, server, *overrides, playlists=(), **changes):
    """A configuration that collects from the server."""
    config = make_config(tmp_path, "fan_out.backoff_s=0.01", "fan_out.retry_delay_s=0", *overrides)
    section = SpotifySection(**(vars(settings(server)) | changes))
    return config.model_copy(update={"spotify": section, "playlists": tuple(playlists)})


def put_genres(store, *names, playlists=P):
    """Genres of an Every Noise map, with their playlists."""
    day = date(2023, 11, 19)
    genres = [
        {"genre_id": name, "snapshot": day, "name": name.title(), "rank": place, "map_position": place, "source": "map"}
        for place, name in enumerate(names)
    ]
    lists = [
        {"genre_id": name, "snapshot": day, "role": "sound", "playlist_id": playlists[name]}
        for name in names
        if name in playlists
    ]
    store.upsert(GENRES, genres)
    store.upsert(EVERYNOISE_PLAYLISTS, lists)


def api(server):
    return [path for path in server.paths() if path.startswith("/v1")]


@pytest.mark.slow
def test_songs_of_genres_are_collected_with_as_few_requests_as_there_can_be_and_a_rerun_asks_once_a_playlist(
    store, tmp_path
):
    put_genres(store, "rock", "pop")
    shared = track(5)
    world = World(
        {
            P["rock"]: Listing([track(n) for n in range(1, 131)], name="The Sound of Rock"),
            P["pop"]: Listing([shared, None, track(201), track(202, is_local=True)], name="The Sound of Pop"),
            P["mine"]: Listing([track(301, artists=[{"name": "ARTIST 1"}])], owner="me"),
        },
        found_tracks={"love": [track(1)]},
    )
    with serve(world) as server:
        mine = PlaylistsEntry(genre="Rock", uris=(f"https://open.spotify.com/playlist/{P['mine']}?si=1",))
        config = collecting(tmp_path, server, playlists=[mine], songs_per_genre=101)
        counts = collect_songs.run(store, config)
        asked = api(server)
        assert asked.count(f"/v1/playlists/{P['rock']}") == 1
        assert asked.count(f"/v1/playlists/{P['pop']}") == 1 + 1  # the other is the probe's
        assert asked.count(f"/v1/playlists/{P['rock']}/tracks") == 1
        assert asked.count("/v1/audio-features") == 1 + 1
        assert world.tokens_given == 1
        assert (counts.read, counts.written, counts.failed) == (3 + 1, 3 + 1, 0)

        songs = rows(store, SONGS)
        assert len(songs) == 51 + 2 + 1 - (identity(5) in set(rock_songs(store)))
        assert set(songs.source) == {"spotify"} and songs.isrc.str.startswith("XXAAA24").all()
        labels = rows(store, SONG_GENRES)
        assert labels.groupby(["genre_id", "playlist_id"]).size().to_dict() == {
            ("rock", P["rock"]): 51, ("rock", P["mine"]): 1, ("pop", P["pop"]): 2,
        }  # fmt: skip
        assert set(labels.label_source) == {"playlist"}
        lists = rows(store, PLAYLISTS).set_index("playlist_id")
        assert lists.loc[P["pop"], ["genre_id", "genre", "kind", "route", "role", "name", "snapshot"]].tolist() == [
            "pop", "Pop", "playlist", "everynoise", "sound", "The Sound of Pop", "v1",
        ]  # fmt: skip
        assert lists.loc[P["pop"], ["total", "entries", "tracks", "kept"]].tolist() == [4, 4, 2, 2]
        assert lists.loc[P["pop"], "left_out"] == {"local": 1, "null": 1}
        names = rows(store, ARTISTS).name.tolist()
        assert "ARTIST 1" in names and "Artist 1" not in names and "Guest" in names
        features = rows(store, SPOTIFY_AUDIO)
        unheard = rows(store, QUARANTINE)
        assert len(features) + len(unheard) == len(songs) and set(unheard.reason) == {"no_audio_features"}
        assert set(features.song_id) < set(songs.song_id)
        assert rows(store, FEATURE_SETS).query("kind == 'categorical'").feature.tolist() == ["key"]
        assert len(rows(store, SONG_ARTISTS)) >= len(songs)

        def of_others():
            labels = rows(store, SONG_GENRES).query("genre_id != 'pop'").reset_index(drop=True)
            others = {SONGS: "song_id", SONG_ARTISTS: "song_id"}
            kept = {table: rows(store, table).set_index(key).loc[labels.song_id] for table, key in others.items()}
            lists = rows(store, PLAYLISTS).query("genre_id != 'pop'").reset_index(drop=True)
            return {SONG_GENRES: labels, PLAYLISTS: lists} | kept

        before = of_others()
        asked = len(api(server))
        world.playlists[P["pop"]] = Listing([track(201, name="New name"), track(203)], snapshot="v2")
        again = collect_songs.run(store, config)
        # Two are as they were, one is another and is read, with the features of the one song that is new.
        unchanged = [f"/v1/playlists/{P[name]}" for name in ("mine", "rock")]
        changed = [f"/v1/playlists/{P['pop']}"] * 2
        assert sorted(api(server)[asked:]) == sorted(["/v1/audio-features", *unchanged, *changed])
        assert again.failed == 0 and "2 playlists are unchanged" in again.notes[-1]
        for table, frame in of_others().items():
            pd.testing.assert_frame_equal(frame, before[table], obj=table.name)
        labels = rows(store, SONG_GENRES).query("genre_id == 'pop'").set_index("song_id")
        left = labels.drop(store.live(SONG_GENRES).toPandas().query("genre_id == 'pop'").song_id)
        labels = labels.drop(left.index).reset_index()
        songs = rows(store, SONGS).set_index("song_id")
        assert songs.loc[left.index, "title"].tolist() == ["Song 5"]  # which the list has no longer
        assert set(songs.loc[labels.song_id, "title"]) == {"New name", "Song 203"}
        assert set(labels.snapshot) == {"v2"}

        for table in (SONGS, SONG_GENRES, PLAYLISTS, SPOTIFY_AUDIO, FETCH_ATTEMPTS, SPOTIFY_ACCESS, QUARANTINE):
            text = DeltaTable(f"{tmp_path}/tables/{table.name}").to_pandas().to_csv()
            assert not any(word in text for word in ("nobody-may-see", "Signature", "Bearer")), table.name


def test_nothing_is_asked_before_the_terms_are_acknowledged(store, tmp_path):
    with serve(World()) as server:
        with pytest.raises(ConfigError, match="developer terms"):
            collect_songs.run(store, collecting(tmp_path, server, acknowledge_terms=False))
        assert server.asked == []


def rock_songs(store):
    labels = rows(store, SONG_GENRES).query("genre_id == 'rock'")
    songs = rows(store, SONGS).set_index("song_id")
    return songs.loc[labels.song_id, "spotify_id"]
