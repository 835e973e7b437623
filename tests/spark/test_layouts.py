"""A layout and sets that are registered from outside go through every step, and so does a vector of 200 dimensions."""

import json
import shutil
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from pyspark import cloudpickle

import genreatlas
from genreatlas.audio.feature_sets import FEATURE_SETS, register, table_of
from genreatlas.audio.frames import HOP_LENGTH, SAMPLE_RATE
from genreatlas.audio.layouts import LAYOUTS, Extracted, Layout
from genreatlas.audio.layouts import register as register_layout
from genreatlas.audio.sets.definition import Feature, FeatureSet
from genreatlas.audio.uris import uri_to_path
from genreatlas.config import load_config
from genreatlas.evaluation.cases import find_cases
from genreatlas.evaluation.importances import PERMUTATION, importances
from genreatlas.models import registry
from genreatlas.sql.registering import register_views
from genreatlas.steps import (
    assign_splits,
    evaluate_models,
    export,
    extract_features,
    housekeeping,
    import_folder,
    measure_drift,
    promote_model,
    score,
    train_models,
    write_report,
)
from genreatlas.store import Store
from genreatlas.tables import CLIPS, DRIFT, METRICS, MODELS, SCORES, SPLITS, Column

pytestmark = pytest.mark.slow

TINY = Path(__file__).parents[1] / "resources" / "tiny.toml"


class Eighths(Layout):
    """Frames whose values are whole eighths: a layout of one's own, in twenty lines."""

    name, prefix, word = "eighths", "eighths", "eighth"
    several = True
    read: ClassVar = {
        "frames": "transform(eighths, v -> cast(v / 8 AS float))",
        "width": "cast(size(eighths) / n_frames AS int)",
        "n_frames": "n_frames",
    }

    def columns(self, features, arrays=()):
        numbers = Column("eighths", "array<int>", "Values times eight, frame by frame.", nullable=False)
        count = Column("n_frames", "int", "Number of frames.", nullable=False)
        return [(count, "n_frames"), (numbers, "transform(`values`, v -> cast(v AS int))")]

    def pack(self, feature_set, computed):
        values = np.rint(computed[feature_set.name] * 8)
        flat, (n, width) = values.ravel(), values.shape
        return Extracted(feature_set.name, feature_set.version, flat.astype(np.float64), n_frames=n, width=width)

    def unpack(self, packed):
        return packed.values.reshape(-1, packed.width) / 8


COARSE = FeatureSet(
    "coarse", "1", "eighths", SAMPLE_RATE, HOP_LENGTH,
    tuple(Feature(f"mfcc{k + 1}", "dB", "A coefficient.", node="mfcc", row=k) for k in range(12)), "Rounded cepstra.",
)  # fmt: skip
EMBEDDED = FeatureSet(
    "embedded", "1", "vector", SAMPLE_RATE, HOP_LENGTH,
    tuple(Feature(f"e{k}", "", "Dimension.", node="mfcc_mean_and_covariance", row=k) for k in range(200)), "A vector.",
)  # fmt: skip
SETS = (COARSE.name, EMBEDDED.name)


@pytest.fixture(scope="module")
def judged(spark, music, tmp_path_factory):
    """A library that was extracted in both sets, trained on, judged and reported."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    register_layout(Eighths())
    register(COARSE)
    register(EMBEDDED)
    home = tmp_path_factory.mktemp("layouts")
    names = json.dumps(SETS)
    candidates = (
        '[{engine="sklearn", estimator="logistic_regression", feature_sets=["coarse", "embedded"], grid={C=[1.0]}},'
        ' {engine="spark", estimator="logistic_regression", feature_sets=["coarse"]},'
        ' {engine="spark", estimator="random_forest", feature_sets=["embedded"], grid={numTrees=[10], maxDepth=[3]}}]'
    )
    places = {"store.path": "tables", "models.path": "models", "report.path": "report", "export.path": "export"}
    settings = [f'{key}="{home / name}"' for key, name in places.items()]
    settings += [
        f'folder.path="{music}"', f'folder.manifest="{music / "manifest.csv"}"', f"extract.feature_sets={names}",
        f"train.feature_sets={names}", f"train.candidates={candidates}", "splits.promotion=0.25",
        f"export.feature_sets={json.dumps([EMBEDDED.name])}", "drift.min_rows=1", "retrain.bootstrap=50",
    ]  # fmt: skip
    config = load_config([TINY], settings)
    store = Store(spark, config.store, run_id="test-run")
    for step in (import_folder, extract_features, assign_splits, train_models, evaluate_models, write_report):
        step.run(store, config)
    yield store, config
    for name in SETS:
        del FEATURE_SETS[name]
    del LAYOUTS["eighths"]
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def model_of(store, name, engine="sklearn"):
    return store.read(MODELS).where(f"feature_set = '{name}' AND engine = '{engine}'").orderBy("model_id").collect()[0]


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_stored_as_its_layout_has_it_and_extracted_once(judged, name):
    store, config = judged
    table = table_of(FEATURE_SETS[name])
    assert table.name == {"coarse": "eighths_coarse", "embedded": "vectors_embedded"}[name]
    assert store.read(table).count() == n_clips(store) >= 24
    assert extract_features.run(store, config).read == 0
    assert table.name in {one.name for one in housekeeping.existing_tables(store)}


@pytest.mark.parametrize("name", SETS)
def test_models_learn_from_it_and_are_judged_with_their_importances(judged, name):
    store, config = judged
    blocks = set(dict(LAYOUTS[FEATURE_SETS[name].axis].blocks(feature_names(name))))
    assert len(blocks) == {"coarse": 12, "embedded": 32}[name]
    for engine in ("sklearn", "spark"):
        model = store.read(MODELS).where(f"model_id = '{model_of(store, name, engine).model_id}'").toPandas()
        rows = store.read(METRICS).where(f"model_id = '{model.model_id[0]}'").toPandas()
        least = {"sklearn": 0.3, "spark": 0.0}[engine]  # twelve songs are judged
        assert rows[(rows.metric == "macro_f1") & (rows.unit == "song")].value.tolist() > [least]
        # The step measures and stores the best model of each engine alone.
        (case,), unusable = find_cases(store, config, model.to_dict("records"))
        measured = importances(store, case, registry.load(case.model, config), config)
        assert not unusable and set(measured[measured.metric == PERMUTATION].other) == blocks
        stored = set(rows[rows.metric == PERMUTATION].other)
        assert stored in (set(), blocks)
        if (name, engine) == (EMBEDDED.name, "spark"):  # a forest has importances of its own
            assert set(rows[rows.metric == "importance_impurity"].other) == blocks
    assert name in (config.report.path / "index.html").read_text()


def n_clips(store):
    return store.read("features_loudness").count()


def feature_names(name):
    return [feature.name for feature in FEATURE_SETS[name].features]


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("engine", ["sklearn", "spark"])
def test_a_model_of_it_is_promoted_and_scores_clips_and_files_alike(judged, name, engine):
    store, config = judged
    alias = f"{name}_{engine}"
    mine = config.model_copy(update={
        "retrain": config.retrain.model_copy(update={"alias": alias, "engines": (engine,)}),
        "train": config.train.model_copy(update={"feature_sets": (name,)}),
        "score": config.score.model_copy(update={"model": alias}),
    })  # fmt: skip
    promote_model.run(store, mine)
    assert json.loads((config.models.path / "aliases.json").read_text())[alias]
    assert score.run(store, mine).written == n_clips(store)
    song = Path(uri_to_path(store.read(CLIPS).orderBy("clip_id").first().uri).decode())
    folder = config.models.path.parent / alias
    folder.mkdir()
    shutil.copyfile(song, folder / song.name)
    counts = score.run(store, mine.model_copy(update={"score": mine.score.model_copy(update={"path": folder})}))
    assert (counts.written, counts.failed) == (1, 0)
    if engine == "sklearn":
        scored = store.read(SCORES).where(f"path IS NOT NULL AND model_id = '{model_of_alias(config, alias)}'")
        (row,) = scored.collect()
        alone = genreatlas.predict(folder / song.name, config.models.path, alias)
        assert row.scores == alone.probabilities


def model_of_alias(config, alias):
    return json.loads((config.models.path / "aliases.json").read_text())[alias]


def test_a_vector_is_read_in_sql_and_exported(judged, spark):
    store, config = judged
    planned = register_views(store)
    rows = spark.sql("SELECT clip_id, position, dimension, value FROM dimensions_embedded ORDER BY 1, 2").collect()
    for view in (*planned.tables, *(one.name for one in planned.views)):
        spark.catalog.dropTempView(view)
    assert len(rows) == 200 * n_clips(store)
    first = store.read("vectors_embedded").orderBy("clip_id").first()
    assert [row.value for row in rows[:200]] == first.vector
    assert [row.dimension for row in rows[:3]] == ["e0", "e1", "e2"]
    assert export.run(store, config).written == n_clips(store)
    folder = config.export.path / "embedded"
    index = json.loads((folder / "index.json").read_text())
    assert (index["axis"], index["hop_s"], len(index["features"])) == ("vector", None, 200)
    shards = [np.load(folder / shard["file"]) for shard in index["shards"]]
    assert {shard["values"].shape[1] for shard in shards} == {200}
    place = {clip: values for shard in shards for clip, values in zip(shard["clip_id"], shard["values"], strict=True)}
    assert place[first.clip_id].tolist() == first.vector


@pytest.mark.parametrize("name", SETS)
def test_drift_is_measured_between_the_songs_of_training_and_later_ones(judged, name):
    store, config = judged
    rows = store.read(SPLITS).where("split_version = 1 AND part = 'test'")
    later = [row.asDict() | {"split_version": 2} for row in rows.collect()]
    if later:  # as if these had come after training
        store.delete(SPLITS, rows.select("split", "split_version", "song_id"))
        store.upsert(SPLITS, later)
    alias = f"{name}_sklearn"
    mine = config.model_copy(update={"retrain": config.retrain.model_copy(update={"alias": alias})})
    assert measure_drift.run(store, mine).written
    rows = store.read(DRIFT).where(f"population = 'new_songs' AND model_id = '{model_of_alias(config, alias)}'")
    assert set(feature_names(name)) <= {row["name"] for row in rows.collect()}
