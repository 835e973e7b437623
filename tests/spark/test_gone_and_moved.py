"""What a source no longer has is retired, and comes back as what it was; what was moved stays the song that it is."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from conftest import make_config
from genreatlas.collecting.spotify_merging import ListMerge
from genreatlas.config import SyncSection
from genreatlas.errors import LimitReachedError
from genreatlas.sources.folder.catalogue import song_id
from genreatlas.sources.spotify.pages import Track
from genreatlas.sources.spotify.song_rows import song_id as spotify_id
from genreatlas.sources.spotify.song_rows import song_row
from genreatlas.steps import import_folder
from genreatlas.store import Staged, Store
from genreatlas.tables import CLIPS, PLAYLISTS, SONG_GENRES, SONGS
from sound_factory import sound


def live_labels(store: Store) -> set[tuple[str, str]]:
    songs = {row.song_id for row in store.live(SONGS).collect()}
    found = {(row.song_id, row.genre_id) for row in store.live(SONG_GENRES).collect()}
    assert {song for song, _ in found} == songs  # a song counts while a label does
    return found


def live_paths(store: Store) -> dict[str, str]:
    return {row.path: row.song_id for row in store.live(CLIPS).collect()}


def move(music: Path, old: str, new: str) -> None:
    (music / new).parent.mkdir(exist_ok=True)
    (music / old).rename(music / new)


@pytest.mark.slow
def test_a_folder_is_followed_as_files_are_moved_deleted_and_put_back(spark, tmp_path):
    music = tmp_path / "music"
    sound(music / "rock" / "a.mp3", TIT2="One")
    for name in ("rock/b.wav", "rock/c.wav", "jazz/d.wav", "jazz/e.wav", "jazz/f.wav"):
        sound(music / name)
    config = make_config(tmp_path)
    store = Store(spark, config.store)
    import_folder.run(store, config)
    first = live_paths(store)
    ids = {name[5:6]: song for name, song in first.items()}  # by the letter of the file
    assert first == {name: song_id(name) for name in first}

    # moved and tagged anew, moved and renamed beside a new file of the old name, deleted
    shutil.copy(music / "jazz" / "d.wav", tmp_path / "d.wav")
    (music / "jazz" / "d.wav").unlink()
    move(music, "rock/a.mp3", "jazz/a.mp3")
    retag(music / "jazz" / "a.mp3")
    move(music, "rock/b.wav", "jazz/renamed.wav")
    sound(music / "rock" / "b.wav", seconds=2.5)
    counts = import_folder.run(store, config)
    after = live_paths(store)
    assert after.pop("rock/b.wav") not in ids.values()
    assert after == {
        "jazz/a.mp3": ids["a"], "jazz/renamed.wav": ids["b"], "rock/c.wav": ids["c"], "jazz/e.wav": ids["e"],
        "jazz/f.wav": ids["f"],
    }  # fmt: skip
    assert {(ids["a"], "jazz"), (ids["b"], "jazz"), (ids["c"], "rock")} < live_labels(store)
    assert len(live_labels(store)) == 6
    retired = {(row.song_id, row.genre_id): row.retired_at for row in store.ended(SONG_GENRES).collect()}
    assert retired.keys() == {(ids["a"], "rock"), (ids["b"], "rock"), (ids["d"], "jazz")}
    assert all(0 <= (datetime.now(UTC) - when.astimezone(UTC)).total_seconds() < 600 for when in retired.values())
    assert [row.song_id for row in store.ended(SONGS).collect()] == [ids["d"]]
    assert (counts.read, counts.written) == (3 + 1, 3 + 1)
    assert any("2 songs have new paths" in note for note in counts.notes)
    assert any("retired: 1 songs and 1 clips" in note for note in counts.notes)

    versions = {table.name: store.version(table) for table in (SONGS, SONG_GENRES, CLIPS)}
    again = import_folder.run(store, config)
    assert again.read == 0 and not any("retired" in note for note in again.notes)
    assert {table.name: store.version(table) for table in (SONGS, SONG_GENRES, CLIPS)} == versions

    # back under another name and genre: the song that it was
    shutil.copy(tmp_path / "d.wav", music / "rock" / "back.wav")
    import_folder.run(store, config)
    assert live_paths(store)["rock/back.wav"] == ids["d"] and (ids["d"], "rock") in live_labels(store)
    assert store.ended(SONGS).count() == 0

    # most of it is gone, as of a disk that is not mounted
    for name in ("jazz/a.mp3", "jazz/e.wav", "jazz/f.wav", "rock/b.wav", "rock/c.wav"):
        shutil.copy(music / name, tmp_path / name.replace("/", "-"))
        (music / name).unlink()
    with pytest.raises(LimitReachedError, match=r"5 of 7 songs are gone, more than sync.max_share = 0.2"):
        import_folder.run(store, config)
    assert len(live_labels(store)) == 7
    kept = import_folder.run(store, make_config(tmp_path, "sync.gone=keep"))
    assert len(live_labels(store)) == 7 and any("5 songs are gone" in note for note in kept.notes)
    import_folder.run(store, make_config(tmp_path, "sync.max_share=1"))
    assert live_paths(store).keys() == {"jazz/renamed.wav", "rock/back.wav"}
    assert store.read(SONGS).count() == 7


def retag(path: Path) -> None:
    from mutagen import id3

    tags = id3.ID3()
    tags.add(id3.TPE1(encoding=3, text="Somebody"))
    tags.save(path)


@pytest.mark.slow
def test_rows_that_left_a_list_are_retired_and_what_cannot_be_seen_is_not(spark, tmp_path):
    music, outside = tmp_path / "music", tmp_path / "outside"
    for name in ("a.wav", "b.wav", "c.wav", "closed/d.wav"):
        sound(music / name)
    sound(outside / "e.wav")
    listed = ["a.wav,Rock,", "b.wav,Rock,s2", "c.wav,Jazz,", "closed/d.wav,Jazz,", f"{outside}/e.wav,Jazz,s5"]
    manifest = tmp_path / "list.csv"

    def write(*rows: str) -> None:
        manifest.write_text("\n".join(["path,genre,song", *rows]) + "\n")

    write(*listed)
    config = make_config(tmp_path, "folder.labels=manifest", f'folder.manifest="{manifest}"')
    store = Store(spark, config.store)
    import_folder.run(store, config)
    assert len(live_labels(store)) == 5

    # one row went, one lost its genre, one song has another name, and one directory leads nowhere for now
    write("b.wav,Rock,two", "c.wav,,", "closed/d.wav,Jazz,", f"{outside}/e.wav,Jazz,s5")
    shutil.move(music / "closed", tmp_path / "closed")
    (music / "closed").symlink_to(tmp_path / "not-mounted")
    import_folder.run(store, config)
    assert live_labels(store) == {(song_id("s2"), "rock"), (song_id("closed/d.wav"), "jazz"), (song_id("s5"), "jazz")}
    names = {row.song_id: row.source_key for row in store.live(SONGS).collect()}
    assert names[song_id("s2")] == "two"

    # the outside file leaves the list; a row comes back
    (music / "closed").unlink()
    shutil.move(tmp_path / "closed", music / "closed")
    write("a.wav,Rock,", "b.wav,Rock,two", "closed/d.wav,Jazz,")
    import_folder.run(store, config)
    assert live_labels(store) == {
        (song_id("a.wav"), "rock"), (song_id("s2"), "rock"), (song_id("closed/d.wav"), "jazz"),
    }  # fmt: skip
    assert import_folder.run(store, config).read == 0


@pytest.mark.slow
def test_another_folder_in_the_same_store_retires_nothing_and_a_library_may_be_mounted_elsewhere(spark, tmp_path):
    for folder in ("one", "two"):
        for name in ("rock/1.wav", "rock/2.wav", "jazz/3.wav", "jazz/4.wav"):
            sound(tmp_path / folder / name.replace("/", f"/{folder}"), seconds=1.5 if folder == "one" else 1.75)
    one, two, three = (make_config(tmp_path, f'folder.path="{tmp_path / name}"') for name in ("one", "two", "three"))
    store = Store(spark, one.store)
    import_folder.run(store, one)
    import_folder.run(store, two)
    assert len(live_labels(store)) == 8
    (tmp_path / "one").rename(tmp_path / "three")
    (tmp_path / "three" / "rock" / "one1.wav").unlink()
    import_folder.run(store, three)
    assert len(live_labels(store)) == 7
    assert (song_id("rock/one1.wav"), "rock") not in live_labels(store)
    assert import_folder.run(store, two).read == 0


def answer(store: Store, tracks: range, genre: str = "rock", snapshot: str = "v1", route: str = "configuration"):
    """What a fan-out stages of a playlist with these tracks."""
    songs = [
        {
            "song": song_row(track(n)), "position": n, "listed_at": None, "genres": [genre],
            "credits": [{"artist_id": f"a{n}", "name": f"Artist {n}", "role": "primary", "position": 0}],
        }
        for n in tracks
    ]  # fmt: skip
    playlist = dict.fromkeys(("name", "owner_id", "owner", "public", "form", "left_out")) | {
        "playlist_id": "P", "kind": "playlist", "snapshot": snapshot, "total": len(songs), "entries": len(songs),
        "tracks": len(songs),
    }  # fmt: skip
    genres = [{"genre_id": genre, "genre": genre.title(), "route": route, "role": None, "number": 50, "weight": 1.0,
               "selection": "s", "kept": len(songs)}]  # fmt: skip
    told = json.dumps({"unchanged": False, "playlist": playlist, "genres": genres, "songs": songs})
    return Staged(store, "x", "x", pa.table({"key": ["P"], "provider": ["spotify"], "answer": [told]}))


def track(number: int) -> Track:
    return Track(f"t{number}", title=f"Song {number}", artists=(f"Artist {number}",))


@pytest.mark.slow
def test_tracks_that_left_a_playlist_are_retired_and_one_that_lost_too_many_is_not_believed(store):
    merge = ListMerge(store, SyncSection())
    merge(answer(store, range(6)))
    assert {song for song, _ in live_labels(store)} == {spotify_id(f"t{n}") for n in range(6)}
    merge(answer(store, range(1, 7), snapshot="v2"))
    assert merge.retired == 1
    assert {song for song, _ in live_labels(store)} == {spotify_id(f"t{n}") for n in range(1, 7)}
    assert [row.song_id for row in store.ended(SONGS).collect()] == [spotify_id("t0")]

    before = live_labels(store)
    with pytest.raises(LimitReachedError, match="Spotify's lists: 5 of 6 labels are gone"):
        ListMerge(store, SyncSection())(answer(store, range(1, 2), snapshot="v3"))
    ListMerge(store, SyncSection(gone="keep"))(answer(store, range(1, 2), snapshot="v3"))
    ListMerge(store, SyncSection(max_share=1))(answer(store, range(1, 2), snapshot=None))  # changed while it was read
    assert live_labels(store) == before

    # back, and named for another genre by the configuration
    ListMerge(store, SyncSection())(answer(store, range(7), genre="metal", snapshot="v4"))
    assert live_labels(store) == {(spotify_id(f"t{n}"), "metal") for n in range(7)}
    stored = {row.genre_id: (row.snapshot, row.kept) for row in store.read(PLAYLISTS).collect()}
    assert stored == {"rock": (None, 0), "metal": ("v4", 7)}
