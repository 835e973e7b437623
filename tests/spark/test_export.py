"""Export to shards: songs with labels and split leave the tables, and a rerun leaves the same bytes."""

import json

import numpy as np
import pytest

from genreatlas.audio.feature_sets import FEATURE_SETS, table_of
from genreatlas.audio.preprocess import preprocessing_id
from genreatlas.config import load_config
from genreatlas.counts import Counts
from genreatlas.errors import ConfigError, InputError
from genreatlas.steps import export
from genreatlas.store import Store
from genreatlas.tables import CLIPS, SONG_GENRES, SONGS, SPLITS

pytestmark = pytest.mark.slow

SONG_IDS = tuple(f"s{n}" for n in range(6))
#: The last song has no part.
PARTS = {"s0": "train", "s1": "train", "s2": "train", "s3": "train", "s4": "test"}


def frames_of(song: int) -> bytes:
    """A spectrogram of 4,000 frames, half a megabyte, that says whose it is."""
    return bytes([song]) * (4000 * 128)


def key_of(song: str, config) -> dict:
    version = FEATURE_SETS["mel128"].version
    return {
        "clip_id": f"clip-{song}",
        "set_version": version,
        "preprocessing_id": preprocessing_id(config.clip),
        "song_id": song,
    }


@pytest.fixture(scope="module")
def library(spark, tmp_path_factory):
    """A store with six songs of two genres, five of them in a split, and two sets."""
    folder = tmp_path_factory.mktemp("export")
    config = load_config([], [f'store.path="{folder / "tables"}"', f'export.path="{folder / "shards"}"'])
    config = config.model_copy(
        update={"export": config.export.model_copy(update={"feature_sets": ("mel128", "rhythm_notes"), "shard_mb": 1})}
    )
    store = Store(spark, config.store, run_id="test-run")
    store.upsert(SONGS, [{"song_id": song, "source": "folder", "title": song} for song in SONG_IDS])
    store.upsert(
        SONG_GENRES,
        [
            {"song_id": song, "genre_id": genre, "genre": genre.title(), "weight": 1.0, "source": "directory"}
            for n, song in enumerate(SONG_IDS)
            for genre in (("folk", "rock") if n == 0 else ("rock",) if n % 2 else ("folk",))
        ],
    )
    store.upsert(
        SPLITS,
        [
            {"split": "default", "song_id": song, "split_version": 1, "group_id": f"g-{song}", "grouped_by": "song",
             "part": part, "fold": n % 2 if part == "train" else None}
            for n, (song, part) in enumerate(PARTS.items())
        ],
    )  # fmt: skip
    mel = [
        key_of(song, config)
        | {"n_frames": 4000, "width": 128, "hop_s": 512 / 22050, "lowest": -80.0, "step": 0.25, "frames": frames_of(n)}
        for n, song in enumerate(SONG_IDS)
    ]
    store.upsert(table_of(FEATURE_SETS["mel128"]), mel)
    notes = [
        key_of(song, config)
        | {"n_events": n, "time": [0.5 * i for i in range(n)], "beat_phase": [None] * n, "strength": [1.0] * n,
           "band": [2.0] * n, "pitch_class": [None] * n}
        for n, song in enumerate(SONG_IDS)
    ]  # fmt: skip
    store.upsert(table_of(FEATURE_SETS["rhythm_notes"]), notes)
    counts = export.run(store, config)
    return store, config, counts


def index_of(config, name):
    return json.loads((config.export.path / name / "index.json").read_text(encoding="utf-8"))


def test_every_song_of_the_split_is_exported_and_the_others_are_counted(library):
    _, config, counts = library
    assert (counts.read, counts.written, counts.failed, counts.skipped) == (12, 10, 0, 2)
    index = index_of(config, "mel128")
    # 512,000 bytes a clip: a third clip begins within the first megabyte, a fourth does not
    assert [(s["file"], s["n_clips"]) for s in index["shards"]] == [
        ("test-00000.npz", 1),
        ("train-00000.npz", 3),
        ("train-00001.npz", 1),
    ]
    assert (index["classes"], index["split"], index["split_version"]) == (["folk", "rock"], "default", 1)
    assert len(index["features"]) == 128


def test_a_shard_holds_values_labels_and_folds(library):
    _, config, _ = library
    with np.load(config.export.path / "mel128" / "train-00000.npz") as shard:
        assert shard["clip_id"].tolist() == ["clip-s0", "clip-s1", "clip-s2"]
        assert shard["genres"].tolist() == [[1, 1], [0, 1], [1, 0]]
        assert shard["fold"].tolist() == [0, 1, 0]
        assert shard["values"].shape == (12_000, 128)
        assert shard["values"][::4000, 0].tolist() == [0, 1, 2]
    with np.load(config.export.path / "rhythm_notes" / "test-00000.npz") as shard:
        assert shard["values"][:, 0].tolist() == [0, 0.5, 1, 1.5]
        assert np.isnan(shard["values"][:, 4]).all()


def test_a_rerun_does_nothing_and_a_lost_shard_comes_back_as_it_was(library):
    store, config, _ = library
    assert export.run(store, config) == Counts()
    folder = config.export.path / "mel128"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "train-00001.npz").unlink()
    (folder / "train-00007.npz").write_bytes(b"of an earlier, larger library")
    assert export.run(store, config).written == 5
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_set_of_columns_is_left_to_sql_and_one_that_was_not_extracted_is_named(library):
    store, config, _ = library

    def with_set(name):
        return config.model_copy(update={"export": config.export.model_copy(update={"feature_sets": (name,)})})

    with pytest.raises(ConfigError, match="groove is one row of columns a clip"):
        export.run(store, with_set("groove"))
    with pytest.raises(InputError, match=r"events_timbre_pitch does not exist\. Add timbre_pitch"):
        export.run(store, with_set("timbre_pitch"))
    assert store.read(CLIPS).isEmpty()
