"""Networks go the way of every other engine: trained on folds, judged, shown, promoted, scoring tables and files."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from training_library import fill, library, with_train

import genreatlas
from conftest import composed, make_config
from genreatlas.audio.feature_sets import FEATURE_SETS
from genreatlas.audio.layouts import get_layout
from genreatlas.audio.uris import uri_to_path
from genreatlas.config import load_config
from genreatlas.datasets.clip_files import ClipFiles
from genreatlas.datasets.dataset import build_dataset
from genreatlas.datasets.library import read_library
from genreatlas.datasets.sequences import write_sequences
from genreatlas.models.engines import reader_of
from genreatlas.models.training import FeatureSetTraining
from genreatlas.steps import (
    assign_splits,
    evaluate_models,
    extract_features,
    import_folder,
    promote_model,
    score,
    train_models,
    write_report,
)
from genreatlas.store import Store
from genreatlas.tables import CLIPS, EXPERIMENTS, METRICS, MODELS, SCORES

needs_keras = pytest.mark.skipif(
    find_spec("keras") is None or find_spec("jax") is None,
    reason="networks are trained with Keras on JAX: pip install genreatlas[deep]",
)
TINY = Path(__file__).parents[1] / "resources" / "tiny.toml"
SETS = ("timbre_pitch", "rhythm_notes", "groove_bars", "mel128")
SMALL = "crop_rows=[8], epochs=[3], batch=[8]"


@pytest.mark.slow
@needs_keras
def test_candidates_are_fitted_in_tasks_on_whole_clips_and_the_best_is_stored(spark, tmp_path):
    """Spark: tasks read shards that other tasks wrote, and bring ONNX back."""
    config = make_config(tmp_path)
    candidates = tuple(
        {"engine": engine, "estimator": name, "grid": grid}
        for engine, name, grid in (
            ("networks", "cnn_1d", {"crop_rows": [8], "epochs": [3], "batch": [8], "filters": [4]}),
            ("sklearn", "linear_svc", {"C": [1.0]}),
        )
    )
    config = with_train(config, feature_sets=("plain_frames",), candidates=candidates, calibrate=False)
    store = Store(spark, config.store, run_id="test-run")
    fill(store, library())
    train_models.run(store, config)
    rows = {row.engine: row for row in store.read(EXPERIMENTS).where("engine != 'baseline'").collect()}
    assert {row.status for row in rows.values()} == {"done"}
    assert rows["networks"].n_folds == 3 and "epochs, best" in rows["networks"].detail
    assert rows["networks"].dataset_id == rows["sklearn"].dataset_id
    (model,) = store.read(MODELS).where("engine = 'networks'").collect()
    network = reader_of("onnx").open(config.models.path / model.model_id / "model.onnx")
    assert network.scores(np.zeros((1, 8, 3), "f4")).sum() == pytest.approx(1.0)
    assert train_models.run(store, config).written == 0


@pytest.fixture(scope="module")
def judged(spark, tmp_path_factory):
    """A library of sound that networks were trained on: segments, notes, bars and spectrograms.

    Bars need fifteen beats, which songs of six seconds do not have.
    """
    home, music = tmp_path_factory.mktemp("networks"), composed(tmp_path_factory, seconds=14)
    names = json.dumps(SETS)
    candidates = (
        f'[{{engine="networks", estimator="cnn_1d", feature_sets=["timbre_pitch"],'
        f' grid={{columns=["timbre"], filters=[8], {SMALL}}}}},'
        f' {{engine="networks", estimator="gru", feature_sets=["rhythm_notes"], grid={{units=[8], {SMALL}}}}},'
        f' {{engine="networks", estimator="gru", feature_sets=["groove_bars"],'
        f' grid={{columns=["duration+pattern"], units=[8], {SMALL}}}}},'
        f' {{engine="networks", estimator="short_chunk_cnn", feature_sets=["mel128"], grid={{filters=[4], {SMALL}}}}},'
        ' {engine="sklearn", estimator="linear_svc", feature_sets=["mel128"]}]'
    )
    places = {"store.path": "tables", "models.path": "models", "report.path": "report"}
    settings = [f'{key}="{home / name}"' for key, name in places.items()]
    settings += [
        f'folder.path="{music}"', f'folder.manifest="{music / "manifest.csv"}"', f"extract.feature_sets={names}",
        f"train.feature_sets={names}", f"train.candidates={candidates}", "splits.promotion=0.25",
        "retrain.bootstrap=50",
    ]  # fmt: skip
    config = load_config([TINY], settings)
    store = Store(spark, config.store, run_id="test-run")
    for step in (import_folder, extract_features, assign_splits, train_models, evaluate_models, write_report):
        step.run(store, config)
    return store, config


@needs_keras
@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_every_kind_of_sequence_is_learnt_from_judged_and_shown(judged, name):
    store, config = judged
    rows = {row.engine: row for row in store.read(EXPERIMENTS).where(f"feature_set = '{name}'").collect()}
    assert rows["networks"].status == "done"
    if name == "mel128":
        assert (rows["sklearn"].status, rows["sklearn"].reason) == ("skipped", "other_layout")
    (model,) = store.read(MODELS).where(f"feature_set = '{name}' AND engine = 'networks'").collect()
    figures = store.read(METRICS).where(f"model_id = '{model.model_id}'").toPandas()
    assert {"song", "clip"} & set(figures.unit) and "macro_f1" in set(figures.metric)
    page = (config.report.path / "index.html").read_text(encoding="utf-8")
    assert f"Networks · {name}" in page and page.count("kept: epoch") == len(SETS)


@needs_keras
@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_what_tasks_read_of_a_clip_is_what_was_extracted(judged, name, tmp_path):
    store, config = judged
    library = read_library(store, config)
    dataset = build_dataset(store, config, library, name)
    training = FeatureSetTraining(store, config, dataset, dataset)
    clips = write_sequences(dataset, training.matrix, tmp_path / "shards")
    files, X, song = ClipFiles(tmp_path / "shards"), clips.array("X"), clips.array("song")
    trained = dataset.songs[dataset.songs.part == "train"].song_id.tolist()
    assert (clips.n_songs, len(X)) == (len(trained), len(trained))
    layout = get_layout(FEATURE_SETS[name].axis)
    rows = {row.song_id: row for row in store.read(layout.table_name(name)).collect()}
    for place, number in zip(X, song, strict=True):
        row = rows[trained[number]]
        if name == "mel128":
            flat = np.frombuffer(row.frames, np.uint8) * np.float32(row.step) + np.float32(row.lowest)
            wanted = flat.reshape(-1, row.width)
        else:
            columns = [feature.name for feature in FEATURE_SETS[name].features]
            wanted = np.array([row[column] for column in columns], dtype=np.float32).T
        assert np.array_equal(files.rows(place), wanted, equal_nan=True)
    assert clips.array("y").tolist() == [dataset.classes.index(genres[0]) for genres in
        dataset.songs.set_index("song_id").genres[[trained[number] for number in song]]]  # fmt: skip
    training.close()


@needs_keras
@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_a_network_is_promoted_and_scores_tables_and_files_alike(judged, name):
    store, config = judged
    alias = f"{name}_network"
    mine = config.model_copy(update={
        "retrain": config.retrain.model_copy(update={"alias": alias, "engines": ("networks",)}),
        "train": config.train.model_copy(update={"feature_sets": (name,)}),
        "score": config.score.model_copy(update={"model": alias}),
    })  # fmt: skip
    promote_model.run(store, mine)
    model = json.loads((config.models.path / "aliases.json").read_text())[alias]
    n_clips = store.read(CLIPS).count()
    assert 0 < score.run(store, mine).written <= n_clips
    song = store.read(CLIPS).orderBy("clip_id").first()
    folder = config.models.path.parent / alias
    folder.mkdir()
    shutil.copyfile(Path(uri_to_path(song.uri).decode()), folder / "song.mp3")
    counts = score.run(store, mine.model_copy(update={"score": mine.score.model_copy(update={"path": folder})}))
    assert (counts.written, counts.failed) == (1, 0)
    (row,) = store.read(SCORES).where(f"path IS NOT NULL AND model_id = '{model}'").collect()
    alone = genreatlas.predict(folder / "song.mp3", config.models.path, alias)
    assert row.scores == pytest.approx(alone.probabilities, abs=1e-6)
