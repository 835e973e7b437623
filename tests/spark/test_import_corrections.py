"""Corrections of the site's visitors in the import of a folder."""

import hashlib

import pytest

pytest.importorskip("sqlalchemy")

from conftest import make_config
from genreatlas.steps import import_folder
from genreatlas.store import Store
from genreatlas.tables import CLIPS, SONG_GENRES, SONGS
from genreatlas.web.work import Work
from sound_factory import sound


def labels(store):
    """Path of each song's file = its genres that count, with their source."""
    frame = store.live(SONG_GENRES).join(store.read(SONGS).select("song_id", "source_key"), "song_id")
    found = {}
    for row in frame.select("source_key", "genre", "source").collect():
        found.setdefault(row["source_key"], set()).add((row["genre"], row["source"]))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["directory", "tags"])
def test_what_visitors_corrected_takes_the_place_of_a_songs_labels_until_they_take_it_back(spark, tmp_path, kind):
    music = tmp_path / "music"
    for name, genre in (("Rock/a.wav", "Rock"), ("Rock/b.wav", "Rock"), ("Jazz/c.wav", "Jazz"), ("Jazz/d.wav", "Jazz")):
        sound(music / name, TCON=genre)
    database = tmp_path / "site.sqlite"
    config = make_config(tmp_path, "clip.seconds=1.0", f"folder.labels={kind}")
    corrected = make_config(tmp_path, "clip.seconds=1.0", f"folder.labels={kind}", f'folder.corrections="{database}"')
    store = Store(spark, config.store)
    import_folder.run(store, config)
    before = labels(store)
    assert before["Rock/a.wav"] == {("Rock", kind)}

    song = {row["source_key"]: row["song_id"] for row in store.read(SONGS).collect()}
    work = Work(f"sqlite:///{database}")
    work.correct("one", "jazz", song_id=song["Rock/a.wav"])
    work.correct("one", "rock", sha256=hashlib.sha256((music / "Jazz" / "c.wav").read_bytes()).hexdigest())
    work.correct("one", "rock", sha256="0" * 64)
    counts = import_folder.run(store, corrected)
    assert counts.notes[-1] == (
        "2 songs have labels that visitors of the site corrected; 1 corrections are for songs or files not in the store"
    )
    wanted = {"Rock/a.wav": {("Jazz", "correction")}, "Jazz/c.wav": {("Rock", "correction")}}
    assert labels(store) == before | wanted

    versions = [store.version(table.name) for table in (SONG_GENRES, SONGS, CLIPS)]
    import_folder.run(store, corrected)
    assert [store.version(table.name) for table in (SONG_GENRES, SONGS, CLIPS)] == versions  # nothing is written twice

    work.correct("one", "rock", song_id=song["Rock/a.wav"])  # the visitor says otherwise now
    import_folder.run(store, corrected)
    assert labels(store)["Rock/a.wav"] == {("Rock", "correction")}
    if kind == "directory":
        import_folder.run(store, config)
        assert labels(store) == before
