"""Import real folders: every entry accounted for, once, whatever it is and however often it is run."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from conftest import make_config
from genreatlas.ids import stable_id
from genreatlas.sources.folder.catalogue import song_id
from genreatlas.steps import extract_features, import_folder
from genreatlas.store import Store
from genreatlas.tables import ARTISTS, CLIPS, GENRE_PARENTS, QUARANTINE, SONG_ARTISTS, SONG_GENRES, SONGS, Table
from sound_factory import RATE, sound, tag
from stored_rows import rows


def pairs(store: Store, table: Table, key: str, value: str) -> dict:
    return {row[key]: row[value] for row in store.read(table).collect()}


def clip_of(store: Store, path: str) -> pd.Series:
    (row,) = [row for _, row in rows(store, CLIPS).iterrows() if row.path == path and row.replaced_by is None]
    return row


@pytest.fixture
def music(tmp_path) -> Path:
    """Two genres, odd but good music, and everything that cannot be used."""
    root = tmp_path / "music"
    for name in ("blues/1.mp3", "blues/quote\"'.flac", "jazz/line\nbreak.ogg", "jazz/emoji 🎵.wav", "jazz/a:b.aif"):
        sound(root / name)
    sound(root / "jazz" / "8k.wav", rate=8_000)
    sound(root / "jazz" / "96k.flac", rate=96_000, channels=2)
    sound(root / "jazz" / "five.wav", channels=5)
    sound(root / "jazz" / ("x" * 246 + ".mp3"))
    sound(root / "jazz" / "no extension", container="FLAC")
    odd = os.fsencode(root / "jazz") + b"/\xff\xfe.wav"
    shutil.copy(os.fsencode(sound(root / "jazz" / "odd.wav")), odd)
    os.utime(odd, ns=(0, 0))
    noise = np.random.default_rng(0).uniform(-1.5, 1.5, 2 * RATE)
    soundfile.write(root / "blues" / "loud.wav", noise, RATE, subtype="FLOAT")
    # not usable
    (root / "blues" / "text.mp3").write_text("These are the lyrics.\n" * 30)
    (root / "blues" / "cut.mp3").write_bytes((root / "blues" / "1.mp3").read_bytes()[:400])
    (root / "blues" / "empty.mp3").touch()
    sound(root / "blues" / "short.wav", seconds=0.2)
    soundfile.write(root / "blues" / "silent.wav", np.zeros(2 * RATE), RATE)
    noise[RATE] = np.nan
    soundfile.write(root / "blues" / "nan.wav", noise, RATE, subtype="FLOAT")
    (root / "blues" / "large.wav").write_bytes(bytes(2**20 + 1))
    (root / "blues" / "gone.mp3").symlink_to("nowhere.mp3")
    (root / "blues" / "song.m4a").write_bytes(b"\0\0\0 ftypM4A " + bytes(1000))
    os.mkfifo(root / "blues" / "pipe.mp3")
    sound(root / "top.mp3")
    # ignored
    for name in ("blues/cover.jpg", "jazz/notes.txt", ".DS_Store", "jazz/truth.json"):
        (root / name).write_text("{}")
    (root / "jazz" / "loop").symlink_to(root)
    return root


REASONS = {
    "blues/text.mp3": "not_audio", "blues/cut.mp3": "truncated", "blues/empty.mp3": "empty_file",
    "blues/short.wav": "too_short", "blues/silent.wav": "silent", "blues/nan.wav": "not_finite",
    "blues/large.wav": "too_large", "blues/gone.mp3": "broken_link", "blues/song.m4a": "needs_aac_decoder",
    "blues/pipe.mp3": "not_audio", "top.mp3": "no_genre",
}  # fmt: skip


@pytest.mark.slow
def test_every_entry_is_a_clip_in_quarantine_or_ignored(spark, music, tmp_path):
    config = make_config(tmp_path, "limits.max_file_mb=1", "clip.seconds=1.0", "folder.batch_files=15")
    store = Store(spark, config.store)
    counts = import_folder.run(store, config)
    listed = sum(len(files) for _, _, files in os.walk(os.fsencode(music)))
    clips, quarantine = rows(store, CLIPS), rows(store, QUARANTINE)
    assert dict(zip(quarantine.path, quarantine.reason, strict=True)) == REASONS
    assert quarantine.detail.str.len().gt(5).all()
    assert (counts.read, counts.written, counts.failed) == (len(clips) + len(REASONS), len(clips), len(REASONS))
    assert counts.notes[0] == f"{listed} entries: {len(clips)} clips, {len(REASONS)} in quarantine, 4 ignored"
    assert len(clips) + len(quarantine) + 4 == listed
    assert "already listed: 1 (jazz/loop)" in counts.notes[1]
    flags = {path: list(flags) for path, flags in zip(clips.path, clips.quality_flags, strict=True)}
    assert flags["jazz/five.wav"] == ["multichannel"]
    assert flags["jazz/8k.wav"] == ["low_sample_rate", "mono"]
    assert flags["jazz/96k.flac"] == ["high_sample_rate"]
    assert flags["blues/loud.wav"] == ["above_full_scale", "clipped", "mono"]
    assert {"jazz/\ufffd\ufffd.wav", "jazz/line\nbreak.ogg", "jazz/emoji 🎵.wav", "jazz/no extension"} <= set(
        clips.path
    )
    assert set(store.read(SONGS).toPandas().song_id) == set(clips.song_id)

    again = import_folder.run(store, config)
    assert (again.read, again.written, again.failed, again.notes) == (0, 0, 0, counts.notes)
    pd.testing.assert_frame_equal(clips, rows(store, CLIPS))
    pd.testing.assert_frame_equal(quarantine, rows(store, QUARANTINE))

    (music / "blues" / "short.wav").unlink()
    (music / "blues" / "text.mp3").unlink()
    sound(music / "blues" / "text.mp3")
    mended = import_folder.run(store, config)
    assert (mended.read, mended.written) == (1, 1)
    assert set(rows(store, QUARANTINE).path) == REASONS.keys() - {"blues/text.mp3", "blues/short.wav"}


def test_a_row_of_each_table_is_whole(spark, tmp_path):
    path = sound(tmp_path / "music" / "a.mp3", seconds=4.0, rate=44_100, channels=2)
    sound(tmp_path / "music" / "b.mp3")
    (tmp_path / "list.csv").write_text(
        "path,genre,song,artist,title,album,isrc,licence,split\n"
        "a.mp3,Rock;Hip-Hop,s1,Band feat. Guest,Tune,Disc,USRC17607839,CC-BY,train\nb.mp3,Jazz,s2,,,,,,\n"
    )
    config = make_config(
        tmp_path, "folder.labels=manifest", f'folder.manifest="{tmp_path / "list.csv"}"', "clip.seconds=2.0",
        "folder.licence=unknown", 'folder.genre_parents={bebop = "Jazz"}',
    )  # fmt: skip
    store = Store(spark, config.store)
    import_folder.run(store, config)
    song = song_id("s1")
    clip = clip_of(store, "a.mp3").to_dict()
    sha256 = clip["sha256"]
    clip_id = stable_id(song, "folder", sha256, 1.0)
    assert clip | {"quality_flags": list(clip["quality_flags"])} == {
        "clip_id": clip_id, "song_id": song, "provider": "folder",
        "audio_id": stable_id(sha256, 1.0, 2.0), "sha256": sha256,
        "sound_sha256": clip["sound_sha256"], "uri": path.as_uri(), "path": "a.mp3",
        "window_rule": "middle:2", "start_s": 1.0, "length_s": 2.0, "mime": "audio/mpeg", "codec": "MPEG_LAYER_III",
        "sample_rate": 44_100, "channels": 2, "bit_rate": path.stat().st_size * 2, "duration_s": 4.0,
        "bytes": path.stat().st_size, "quality_flags": [], "licence": "CC-BY", "replaced_by": None,
    }  # fmt: skip
    songs = rows(store, SONGS).set_index("song_id")
    known = songs.loc[song].dropna()  # a folder knows nothing of what Spotify says of a song
    assert known.to_dict() == {
        "source": "folder", "source_key": "s1", "title": "Tune", "artist": "Band feat. Guest", "album": "Disc",
        "isrc": "USRC17607839", "declared_split": "train", "licence": "CC-BY",
        "listed_in": (tmp_path / "list.csv").as_uri(),
    }  # fmt: skip
    assert songs.loc[song_id("s2")].licence == "unknown"
    artists = rows(store, SONG_ARTISTS)
    assert list(zip(artists.song_id, artists.position, artists.role, strict=True)) == [
        (song, 0, "primary"),
        (song, 1, "guest"),
    ]
    genres = {(row.song_id, row.genre_id, row.source, row.genre) for row in rows(store, SONG_GENRES).itertuples()}
    assert genres == {
        (song, "rock", "manifest", "Rock"),
        (song, "hiphop", "manifest", "Hip-Hop"),
        (song_id("s2"), "jazz", "manifest", "Jazz"),
    }
    (parent,) = rows(store, GENRE_PARENTS).to_dict("records")
    assert parent == {
        "genre_id": "bebop", "genre": "bebop", "parent_id": "jazz", "parent": "Jazz", "source": "configuration",
    }  # fmt: skip


@pytest.mark.slow
def test_labels_that_change_are_followed_and_files_that_change_get_a_new_clip(spark, tmp_path):
    for name in ("a.wav", "b.wav", "c.wav"):
        sound(tmp_path / "music" / name)
    manifest = tmp_path / "list.csv"
    manifest.write_text("path,genre,artist\na.wav,Rock;Pop,Band\nb.wav,Jazz,Other\nc.wav,Jazz,\nd.wav,Jazz,\n")
    config = make_config(tmp_path, "folder.labels=manifest", f'folder.manifest="{manifest}"')
    store = Store(spark, config.store)
    import_folder.run(store, config)
    first = clip_of(store, "a.wav")
    assert list(rows(store, QUARANTINE).reason) == ["missing_file"]

    manifest.write_text("path,genre,artist\na.wav,Metal,\nb.wav,Jazz,Another\nc.wav,Jazz,\n")
    stat = (tmp_path / "music" / "b.wav").stat()
    os.utime(tmp_path / "music" / "b.wav", ns=(0, stat.st_mtime_ns + 10**9))  # touched, the same content
    sound(tmp_path / "music" / "a.wav", seconds=2.5)
    counts = import_folder.run(store, config)
    assert (counts.read, counts.written) == (2, 2)
    genres = [(row.song_id, row.genre_id) for row in store.live(SONG_GENRES).collect()]
    assert sorted(genres) == sorted(
        [(song_id("a.wav"), "metal"), (song_id("b.wav"), "jazz"), (song_id("c.wav"), "jazz")]
    )
    retired = [(row.song_id, row.genre_id) for row in store.ended(SONG_GENRES).collect()]
    assert sorted(retired) == [(song_id("a.wav"), "pop"), (song_id("a.wav"), "rock")]
    assert [row.song_id for row in rows(store, SONG_ARTISTS).itertuples()] == [song_id("b.wav")]
    second = clip_of(store, "a.wav")
    replaced = pairs(store, CLIPS, "clip_id", "replaced_by")
    assert replaced[first.clip_id] == second.clip_id != first.clip_id
    assert len(replaced) == 4
    assert store.read(QUARANTINE).count() == 0
    assert import_folder.run(store, config).read == 0


@pytest.mark.slow
def test_another_window_takes_the_place_of_the_first_and_back(spark, tmp_path):
    for name in ("rock/a.wav", "jazz/b.wav"):
        sound(tmp_path / "music" / name, seconds=4.0)
    middle, start = (make_config(tmp_path, "clip.seconds=1.0", f"clip.position={p}") for p in ("middle", "start"))
    store = Store(spark, middle.store)
    import_folder.run(store, middle)
    before = rows(store, CLIPS)
    assert import_folder.run(store, start).written == 2
    assert sorted(rows(store, CLIPS).replaced_by.isna()) == [False, False, True, True]
    assert set(store.read(CLIPS).where("replaced_by IS NULL").toPandas().window_rule) == {"start:1"}
    assert import_folder.run(store, middle).written == 2
    live = rows(store, CLIPS)
    pd.testing.assert_frame_equal(before, live[live.replaced_by.isna()].reset_index(drop=True))


@pytest.mark.slow
def test_equal_bytes_are_two_clips_of_two_songs_and_one_of_one(spark, tmp_path):
    sound(tmp_path / "music" / "a.wav")
    sound(tmp_path / "music" / "d.wav")
    for copy in ("b.wav", "c.wav"):
        shutil.copy(tmp_path / "music" / "a.wav", tmp_path / "music" / copy)
    manifest = tmp_path / "list.csv"
    manifest.write_text("path,genre,song\na.wav,Rock,s\nb.wav,Rock,s\nc.wav,Rock,other\nd.wav,Jazz,d\n")
    config = make_config(tmp_path, "folder.labels=manifest", f'folder.manifest="{manifest}"', "folder.batch_files=2")
    store = Store(spark, config.store)
    counts = import_folder.run(store, config)
    assert (counts.written, counts.failed) == (3, 1)
    clips = rows(store, CLIPS)
    assert sorted(clips.path) == ["a.wav", "c.wav", "d.wav"]
    assert clips[clips.path.isin(["a.wav", "c.wav"])].audio_id.nunique() == 1
    (bad,) = rows(store, QUARANTINE).to_dict("records")
    assert (bad["path"], bad["reason"]) == ("b.wav", "duplicate_row")
    assert import_folder.run(store, config).read == 0


def test_a_library_is_imported_by_its_tags(spark, tmp_path):
    root = tmp_path / "music"
    sound(root / "x" / "a.mp3", TCON="(17)", TPE1="Band feat. Guest", TPE2="Album Band", TIT2="One")
    sound(root / "x" / "b.flac", genre=["hip hop", "Jazz"], artist="Someone", albumartist="Various Artists")
    sound(root / "x" / "c.ogg", genre="Hip-Hop")
    sound(root / "x" / "d.mp3")
    config = make_config(tmp_path, "folder.labels=tags", "folder.batch_files=2")
    store = Store(spark, config.store)
    counts = import_folder.run(store, config)
    assert (counts.written, counts.failed) == (3, 1)
    genres = {(row.song_id, row.genre_id, row.genre) for row in rows(store, SONG_GENRES).itertuples()}
    assert genres == {
        (song_id("x/a.mp3"), "rock", "Rock"),
        (song_id("x/b.flac"), "hiphop", "hip hop"),
        (song_id("x/b.flac"), "jazz", "Jazz"),
        (song_id("x/c.ogg"), "hiphop", "hip hop"),
    }
    names = pairs(store, ARTISTS, "artist_id", "name")
    primary = {row.song_id: names[row.artist_id] for row in rows(store, SONG_ARTISTS).itertuples() if row.position == 0}
    assert primary == {song_id("x/a.mp3"): "Band", song_id("x/b.flac"): "Someone"}
    assert list(rows(store, QUARANTINE).reason) == ["no_genre"]
    tag(root / "x" / "b.flac", genre="Blues")
    assert import_folder.run(store, config).written == 1
    blues = store.live(SONG_GENRES).toPandas()
    assert list(blues[blues.song_id == song_id("x/b.flac")].genre_id) == ["blues"]


@pytest.mark.slow
def test_clips_that_an_older_release_cut_by_a_wrong_length_are_cut_anew_and_lose_their_features(spark, tmp_path):
    for name in ("rock/a.mp3", "rock/b.wav", "jazz/c.wav"):
        sound(tmp_path / "music" / name, seconds=3.0)
    config = make_config(tmp_path, "clip.seconds=2", 'clip.position="start"', 'extract.feature_sets=["summary9"]')
    store = Store(spark, config.store)
    import_folder.run(store, config)
    extract_features.run(store, config)
    right = {row.path: row.asDict() for row in store.read(CLIPS).collect()}
    clips = store.location.sql("clips")
    # As an older release held it: a is one second long, b was cut elsewhere; neither had a hash of its sound.
    store.sql(f"UPDATE {clips} SET sound_sha256 = NULL")
    wrong = "duration_s = 1.0, length_s = 1.0, audio_id = 'old'"
    store.sql(f"UPDATE {clips} SET {wrong} WHERE path = 'rock/a.mp3'")
    store.sql(f"UPDATE {clips} SET {wrong}, clip_id = 'elsewhere', start_s = 0.5 WHERE path = 'rock/b.wav'")

    counts = import_folder.run(store, config)
    assert (counts.read, counts.failed) == (2, 0)
    assert "2 clips of an older release had a wrong length; their files are inspected again" in counts.notes
    lasting = [name for name in CLIPS.column_names if name not in CLIPS.volatile]
    now = {row.path: row.asDict() for row in store.live(CLIPS).collect()}
    assert all(now[path][name] == right[path][name] for path in right for name in lasting)
    (old,) = store.ended(CLIPS).collect()
    assert (old.clip_id, old.replaced_by) == ("elsewhere", right["rock/b.wav"]["clip_id"])

    def extracted() -> set[str]:
        return {row.clip_id for row in store.read("features_summary9").collect()}

    assert extracted() == {right["rock/b.wav"]["clip_id"], right["jazz/c.wav"]["clip_id"]}
    extract_features.run(store, config)
    assert extracted() == {row["clip_id"] for row in right.values()}
    assert import_folder.run(store, config).read == 0
