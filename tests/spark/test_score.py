"""Scoring folders, tables and clips with the model in use: like one file from Python, and only what is new."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import genreatlas
from conftest import make_config
from genreatlas.audio.feature_sets import get_feature_set, table_of
from genreatlas.audio.whole_files import whole_file
from genreatlas.errors import InputError, ModelError
from genreatlas.models.confidence import Confidence
from genreatlas.steps import score
from genreatlas.store import Store
from genreatlas.tables import CLIPS, FEATURE_SETS, MODELS, PROMOTIONS, QUARANTINE, SCORE_WINDOWS, SCORES
from one_file_models import recipe, save_model, sound

STRAIGHT = np.array([[0.0, 1.0], [0.0, 1.0]])
#: A temperature of 2 where the first genre leads, and sets that hold a genre with up to 0.4 ahead of it.
SURE = Confidence(np.array([0.5, 1.5]), STRAIGHT, np.array([0.4, 0.4]), 0.9, 100, 50, 1e-4)


def enlist(store, meta):
    """The rows of ``models`` and ``promotions`` that make a saved model the champion."""
    row = {
        "model_id": meta.model_id, "experiment_id": "x", "candidate": "c", "engine": "sklearn", "estimator": "e",
        "feature_set": meta.feature_set, "params": "{}", "dataset_id": "d", "split": "default", "split_version": 1,
        "level": "genre", "labels": "drop", "seed": 1, "classes": list(meta.classes), "format": "skops",
        "class_names": list(meta.class_names), "features": list(meta.features), "score_kind": "probability",
        "grouping": "artist-safe", "set_version": meta.set_version, "preprocessing_id": meta.preprocessing_id,
    }  # fmt: skip
    store.upsert(MODELS, [row])
    decision = {"alias": "champion", "sequence": 1, "action": "first", "model_id": meta.model_id, "reason": "Test."}
    store.upsert(PROMOTIONS, [decision])


def by_path(store):
    return {Path(row.path).name: row for row in store.read(SCORES).where("path IS NOT NULL").collect()}


def timeline(store, item_id):
    rows = store.read(SCORE_WINDOWS).where(f"item_id = '{item_id}'").orderBy("window").collect()
    return [(row.window, row.start_s, row.predicted, row.reason) for row in rows]


@pytest.mark.slow
def test_a_folder_is_scored_like_its_files_one_by_one_and_only_what_is_new_or_changed_is_scored_again(spark, tmp_path):
    folder = tmp_path / "new music"
    config = make_config(tmp_path, "clip.seconds=2.0", f'score.path="{folder}"', "score.task_files=2")
    store = Store(spark, config.store)
    (folder / "deep").mkdir(parents=True)
    with pytest.raises(ModelError, match="No model is called 'champion': it is neither an alias"):
        score.run(store, config)
    enlist(store, save_model(config, "m1", confidence=SURE.to_json()))
    for name, content in (
        ("long.wav", sound("tone", "silence", "noise", "noise", seed=60)),
        ("deep/töne.wav", sound("tone", seed=61)),
        ("silence.wav", sound("silence")),
        ("broken.mp3", b"no music in here"),
        ("notes.txt", b"not audio, and does not promise to be"),
    ):
        (folder / name).write_bytes(content)
    counts = score.run(store, config)
    assert (counts.read, counts.written, counts.failed) == (4, 2, 2)
    found = by_path(store)
    assert set(found) == {"long.wav", "töne.wav"}
    for path in (folder / "long.wav", folder / "deep" / "töne.wav"):
        alone, row = genreatlas.predict(path, config.models.path), found[path.name]
        assert row.scores == alone.probabilities  # to the bit
        assert (row.predicted, row.confidence) == (alone.genre, alone.confidence)
        assert row.genre_set == list(alone.genre_set) == [alone.genre]
        assert (row.set_size, row.set_coverage, row.abstains) == (1, 0.9, False)
    long = found["long.wav"]
    assert (long.n_windows, long.n_failed_windows, long.duration_s, long.model_id) == (3, 1, 8.0, "m1")
    assert timeline(store, long.item_id) == [
        (0, 0.0, "tone", None), (1, 2.0, None, "silent"), (2, 4.0, "noise", None), (3, 6.0, "noise", None)
    ]  # fmt: skip
    refused = {Path(row.path).name: row.reason for row in store.read(QUARANTINE).collect()}
    assert refused == {"silence.wav": "silent", "broken.mp3": "not_audio"}

    assert score.run(store, config).read == 0
    (folder / "long.wav").write_bytes(sound("noise", "tone", seed=62))
    (folder / "more.wav").write_bytes(sound("noise", seed=63))
    counts = score.run(store, config)
    assert (counts.read, counts.written) == (2, 2)
    assert len(timeline(store, long.item_id)) == 2  # the old timeline is gone
    assert by_path(store)["more.wav"].predicted == "noise"

    listed = tmp_path / "listed.csv"
    pd.DataFrame({"path": ["new music/more.wav", "new music/gone.wav"]}).to_csv(listed, index=False)
    counts = score.run(store, config.model_copy(update={"score": config.score.model_copy(update={"path": listed})}))
    assert (counts.read, counts.failed) == (1, 1)  # more.wav is known, whoever lists it
    pd.DataFrame({"file": ["a"]}).to_csv(listed, index=False)
    with pytest.raises(InputError, match="has no column path; it has file"):
        score.run(store, config.model_copy(update={"score": config.score.model_copy(update={"path": listed})}))


def clip(number):
    return {
        "clip_id": f"clip{number}", "ingest_batch": "1", "song_id": f"song{number}", "provider": "folder",
        "audio_id": "a", "sha256": "s", "uri": "file:///x", "window_rule": "middle:2", "start_s": 0.0, "length_s": 2.0,
        "mime": "audio/wav", "sample_rate": 22050, "channels": 1, "duration_s": 2.0, "bytes": 1,
    }  # fmt: skip


@pytest.mark.slow
def test_clips_of_the_store_are_scored_from_features_made_as_the_models_and_others_are_refused(spark, tmp_path):
    config = make_config(tmp_path, "clip.seconds=2.0")
    store = Store(spark, config.store)
    meta = save_model(config, "m1")
    enlist(store, meta)
    features, how = get_feature_set("summary9"), recipe(config, "summary9")
    store.upsert(FEATURE_SETS, [
        {"feature_set": "summary9", "set_version": features.version, "position": place, "feature": feature.name,
         "kind": feature.kind, "axis": "summary", "unit": feature.unit, "source": "registry",
         "preprocessing_id": meta.preprocessing_id} for place, feature in enumerate(features.features)
    ])  # fmt: skip

    def add(number, preprocessing):
        values = whole_file(sound("tone" if number % 2 else "noise", seed=number), how, content=True).windows[0].values
        row = {"clip_id": f"clip{number}", "set_version": features.version, "preprocessing_id": preprocessing,
               "song_id": f"song{number}"}  # fmt: skip
        named = dict(zip(how.columns, np.asarray(values[0], float).tolist(), strict=True))
        store.upsert(CLIPS, [clip(number)])
        store.upsert(table_of(features), [row | named])

    add(0, "made otherwise")
    with pytest.raises(ModelError, match="were computed with other settings"):
        score.run(store, config)
    for number in (70, 71):
        add(number, meta.preprocessing_id)
    counts = score.run(store, config)
    assert (counts.read, counts.written, counts.skipped) == (3, 2, 1)
    rows = {row.item_id: row for row in store.read(SCORES).collect()}
    assert {item: (row.song_id, row.predicted) for item, row in rows.items()} == {
        "clip:clip70": ("song70", "noise"), "clip:clip71": ("song71", "tone")
    }  # fmt: skip
    alone = genreatlas.predict(sound("tone", seed=71), config.models.path)
    assert rows["clip:clip71"].scores == alone.probabilities
    assert (rows["clip:clip71"].genre_set, rows["clip:clip71"].abstains, alone.genre_set) == (None, None, ())
    assert score.run(store, config).written == 0
