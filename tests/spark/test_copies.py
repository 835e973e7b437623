"""Copies of a recording with other tags: one side of the split, one row of training, one song in every count."""

import json
import shutil
from pathlib import Path

import pytest
from mutagen import id3

from conftest import make_config
from genreatlas.audio.uris import uri_to_path
from genreatlas.sources.folder.catalogue import song_id
from genreatlas.sql.registering import register_views
from genreatlas.steps import assign_splits, import_folder, rebuild_training_set, train_models
from genreatlas.store import Store
from genreatlas.tables import CLIPS, EXPERIMENTS, MODELS, RECORDINGS, SPLITS, TRAINING_GENRES
from sound_factory import sound


def tagged(path: Path, artist: str, genre: str) -> None:
    tags = id3.ID3()
    tags.add(id3.TPE1(encoding=3, text=artist))
    tags.add(id3.TCON(encoding=3, text=genre))
    tags.save(path, v1=2)


@pytest.fixture
def library(spark, tmp_path):
    """Two genres of six songs by six artists; one MP3 of each has a copy with other tags, by another artist."""
    music = tmp_path / "music"
    for genre in ("Rock", "Jazz"):
        for number in range(6):
            tagged(sound(music / f"{genre}{number}.mp3", seconds=1.2), f"{genre} artist {number}", genre)
        copy = shutil.copy(music / f"{genre}0.mp3", music / f"{genre}-copy.mp3")
        tagged(copy, f"{genre} impostor", genre)
        assert copy.read_bytes() != (music / f"{genre}0.mp3").read_bytes()
    config = make_config(
        tmp_path, "folder.labels=tags", "splits.test=0.34", "splits.promotion=0", "splits.folds=2", "train.min_songs=6",
        'train.feature_sets=["technical"]', f'rebuild.path="{tmp_path / "rebuilt"}"',
        'train.candidates=[{engine="sklearn", estimator="logistic_regression", feature_sets=["technical"]}]',
    )  # fmt: skip
    store = Store(spark, config.store)
    import_folder.run(store, config)
    return store, config


@pytest.mark.slow
def test_two_tagged_copies_under_two_names_never_straddle_parts_and_count_once(library):
    store, config = library
    # as an older release left them: without a hash of the sound, and divided by the bytes of the files
    store.sql(f"UPDATE {store.location.sql('clips')} SET sound_sha256 = NULL")
    before = store.read(CLIPS).drop("sound_sha256", "ingest_batch").orderBy("clip_id").collect()
    counts = import_folder.run(store, config)
    assert counts.read == 0 and any("sound of 14 clips" in note for note in counts.notes)
    clips = {row.path: row for row in store.read(CLIPS).collect()}
    assert store.read(CLIPS).drop("sound_sha256", "ingest_batch").orderBy("clip_id").collect() == before
    for genre in ("Rock", "Jazz"):
        one, other = clips[f"{genre}0.mp3"], clips[f"{genre}-copy.mp3"]
        assert one.sound_sha256 == other.sound_sha256 is not None and one.sha256 != other.sha256

    counts = assign_splits.run(store, config)
    split = {row.song_id: (row.group_id, row.part, row.fold) for row in store.read(SPLITS).collect()}
    pairs = {genre: {song_id(f"{genre}{end}.mp3") for end in ("0", "-copy")} for genre in ("Rock", "Jazz")}
    assert all(len({split[song] for song in pair}) == 1 for pair in pairs.values())
    assert any(note.startswith("2 songs are copies") for note in counts.notes)
    copies = {row.song_id: row.recording_id for row in store.read(RECORDINGS).collect()}
    assert copies == {song: min(pair) for pair in pairs.values() for song in pair}
    counted = {(part, copies.get(song, song)) for song, (_, part, _) in split.items()}
    n_train, n_test = (sum(part == one for part, _ in counted) for one in ("train", "test"))
    assert n_train + n_test == 12
    assert f"train {n_train} songs in {n_train} groups, test {n_test} songs in {n_test} groups" in counts.notes[0]
    assert assign_splits.run(store, config).read == 0

    train_models.run(store, config)
    kept = {row.genre_id: (row.songs, row.duplicates, row.kept) for row in store.read(TRAINING_GENRES).collect()}
    assert kept == {"rock": (7, 1, 6), "jazz": (7, 1, 6)}
    assert {row.n_songs for row in store.read(EXPERIMENTS).collect()} == {n_train}

    register_views(store, statement="SELECT * FROM genre_sizes")
    sizes = {row.genre_id: (row.n_songs, row.n_alone, row.n_clips) for row in store.sql("TABLE genre_sizes").collect()}
    assert sizes == {"rock": (6, 6, 7), "jazz": (6, 6, 7)}


@pytest.mark.slow
def test_a_model_says_what_it_saw_after_its_songs_are_gone(library):
    store, config = library
    assign_splits.run(store, config)
    train_models.run(store, config)
    split = {row.song_id: (row.group_id, row.part, row.fold) for row in store.read(SPLITS).collect()}
    copies = {row.song_id for row in store.read(RECORDINGS).collect()}
    (n_train,) = {row.n_songs for row in store.read(EXPERIMENTS).collect()}

    # a song that trains is deleted: the next model does without it, the first one is made again with it
    (model,) = store.read(MODELS).where("estimator = 'logistic_regression'").collect()
    gone = sorted(song for song, (_, part, _) in split.items() if part == "train" and song not in copies)[0]
    (path,) = [row.uri for row in store.read(CLIPS).collect() if row.song_id == gone]
    Path(uri_to_path(path).decode()).unlink()
    import_folder.run(store, config)
    assert assign_splits.run(store, config).read == 0
    smaller = config.model_copy(update={"train": config.train.model_copy(update={"min_songs": 5})})
    notes = train_models.run(store, smaller).notes
    assert any(note.startswith("1 songs of the split are left out") for note in notes)
    assert {row.n_songs for row in store.read(EXPERIMENTS).collect()} == {n_train - 1, n_train}
    rebuild = config.rebuild.model_copy(update={"model_id": model.model_id})
    rebuild_training_set.run(store, config.model_copy(update={"rebuild": rebuild}))
    facts = json.loads((config.rebuild.path / model.model_id / "matrix.json").read_text())
    assert gone in facts["songs"] and facts["sha256"] == model.matrix_sha256
    assert {row.song_id: (row.group_id, row.part, row.fold) for row in store.read(SPLITS).collect()} == split
