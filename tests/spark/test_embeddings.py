"""A network's embedding and tags are extracted, trained on, mapped, searched and scored like any other set."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import genreatlas
from genreatlas.audio.feature_sets import FEATURE_SETS, adopt_embeddings
from genreatlas.audio.uris import uri_to_path
from genreatlas.audio.worker import extract_clip
from genreatlas.checks.plan import make_plan
from genreatlas.config import load_config
from genreatlas.errors import ConfigError, EnvironmentFaultError
from genreatlas.sql.registering import register_views
from genreatlas.steps import (
    assign_splits,
    evaluate_models,
    extract_features,
    find_neighbours,
    import_folder,
    map_genres,
    promote_model,
    score,
    train_models,
    write_report,
)
from genreatlas.store import Store
from genreatlas.tables import CLIPS, EMBEDDINGS, GENRE_POSITIONS, MODELS, QUARANTINE, SCORES
from onnx_factory import BANDS, band_means, setting

pytestmark = pytest.mark.slow  # a library goes through every step

TINY = Path(__file__).parents[1] / "resources" / "tiny.toml"
SETS = ("bands", "bands_tags")


@pytest.fixture(scope="module")
def judged(spark, music, tmp_path_factory):
    """A library whose songs were compared, mapped, learnt and judged by the network's sets."""
    home = tmp_path_factory.mktemp("embeddings")
    entry = band_means(home / "network" / "bands.onnx")
    places = {"store.path": "tables", "models.path": "models", "report.path": "report"}
    candidate = '{engine="sklearn", estimator="logistic_regression", grid={C=[1.0]}}'
    settings = [f'{key}="{home / name}"' for key, name in places.items()]
    settings += [
        f'folder.path="{music}"', f'folder.manifest="{music / "manifest.csv"}"', "splits.promotion=0.25",
        f"extract.embeddings={setting(entry)}", f"extract.feature_sets={json.dumps(SETS)}",
        'train.feature_sets=["bands", ["bands", "bands_tags"]]', f"train.candidates=[{candidate}]",
        'map.feature_set="bands"', "map.lenses=['sound']", "map.min_songs=3", "map.half_samples=0",
        'neighbours.feature_set="bands"', "neighbours.per_song=10", "retrain.bootstrap=50",
    ]  # fmt: skip
    config = load_config([TINY], settings)
    store = Store(spark, config.store, run_id="test-run")
    steps = (
        import_folder, extract_features, assign_splits, train_models, evaluate_models, map_genres, find_neighbours,
        promote_model, write_report,
    )  # fmt: skip
    assert make_plan([step.__name__.rpartition(".")[2] for step in steps], config).found() == []
    for step in steps:
        step.run(store, config)
    yield store, config, entry
    adopt_embeddings([])


def test_both_sets_are_stored_as_the_network_gives_them_and_extracted_once(judged):
    store, config, entry = judged
    vectors = {row.clip_id: row for row in store.read("vectors_bands").collect()}
    tags = {row.clip_id: row for row in store.read("features_bands_tags").collect()}
    clips = store.read(CLIPS).collect()
    assert len(vectors) == len(tags) == store.read("features_loudness").count() >= 24
    clip = min(one for one in clips if one.clip_id in vectors)
    sets = [FEATURE_SETS[name] for name in SETS]
    alone = extract_clip(uri_to_path(clip.uri), clip.start_s, clip.length_s, config.clip, sets)
    np.testing.assert_array_equal(np.array(vectors[clip.clip_id].vector, np.float32), alone[0].frames)
    row = tags[clip.clip_id]
    assert [row.tag_low, row.tag_high_clear] == alone[1].values.tolist()
    assert extract_features.run(store, config).read == 0
    stored = {row.feature_set: row for row in store.read(EMBEDDINGS).collect()}
    assert {row.sha256 for row in stored.values()} == {entry.sha256} and set(stored) == set(SETS)
    assert stored["bands"].taught == entry.taught and stored["bands"].licence == entry.licence


def test_sql_names_tags_and_dimensions(judged, spark):
    store, _, _ = judged
    planned = register_views(store)
    (row,) = spark.sql("SELECT avg(tag_low) low, avg(tag_high_clear) high FROM features_bands_tags").collect()
    assert row.low + row.high == pytest.approx(1.0, abs=1e-6)
    names = {row.dimension for row in spark.sql("SELECT DISTINCT dimension FROM dimensions_bands").collect()}
    assert {"e0_mean", f"e{BANDS - 1}_std"} <= names and len(names) == 2 * BANDS
    for view in (*planned.tables, *(one.name for one in planned.views)):
        spark.catalog.dropTempView(view)


def test_models_learnt_from_it_and_the_page_says_what_it_was_taught(judged):
    store, config, entry = judged
    trained = {row.feature_set for row in store.read(MODELS).collect()}
    assert trained >= {"bands", "bands+bands_tags"}
    assert store.read(GENRE_POSITIONS).count()
    page = (config.report.path / "index.html").read_text(encoding="utf-8")
    assert entry.taught in page


def test_files_are_scored_alike_by_the_job_and_alone_without_the_networks_own_file(judged, tmp_path):
    store, config, entry = judged
    song = Path(uri_to_path(store.read(CLIPS).orderBy("clip_id").first().uri).decode())
    folder = tmp_path / "new"
    folder.mkdir()
    shutil.copyfile(song, folder / song.name)
    hidden = entry.file.rename(entry.file.with_suffix(".hidden"))
    adopt_embeddings([])
    try:
        bare = config.model_copy(
            update={
                "score": config.score.model_copy(update={"path": folder}),
                "extract": config.extract.model_copy(update={"embeddings": ()}),
            }
        )
        counts = score.run(store, bare)
        assert (counts.written, counts.failed) == (1, 0)
        (row,) = store.read(SCORES).where("path IS NOT NULL").collect()
        assert row.scores == genreatlas.predict(folder / song.name, config.models.path).probabilities
    finally:
        hidden.rename(entry.file)
        adopt_embeddings(config.extract.embeddings)


def test_a_song_is_found_by_its_sound(judged):
    store, config, _ = judged
    clip = store.read(CLIPS).orderBy("clip_id").first()
    adopt_embeddings([])  # another process, which knows the tables alone
    path = uri_to_path(clip.uri).decode()
    first = genreatlas.similar(path, config.store.path, 3, copies=True)[0]
    assert first.song_id == clip.song_id and first.distance == pytest.approx(0.0, abs=1e-3)
    adopt_embeddings(config.extract.embeddings)


def test_a_network_that_is_gone_ends_the_step_and_no_clip_is_blamed(judged, tmp_path):
    store, config, _ = judged
    axes = ("batch", "mels", "time")  # another file than the one that this session has sent already
    other = band_means(tmp_path / "other.onnx", axes, hop=200)
    mine = config.model_copy(
        update={"extract": config.extract.model_copy(update={"embeddings": (other,), "feature_sets": ("bands",)})}
    )
    other.file.write_bytes(b"another")
    before = store.read(QUARANTINE).count()
    with pytest.raises(EnvironmentFaultError, match="embedding bands"):
        extract_features.run(store, mine)
    assert store.read(QUARANTINE).count() == before
    band_means(other.file, axes)
    assert extract_features.run(store, mine).written == store.read("features_loudness").count()
    adopt_embeddings([])
    with pytest.raises(ConfigError, match=r"bands: the store has its versions .* has no entry of this name"):
        train_models.run(store, config)
    adopt_embeddings(config.extract.embeddings)
