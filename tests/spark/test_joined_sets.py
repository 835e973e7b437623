"""Feature sets that are joined column by column: trained on, judged, rebuilt and scored as one."""

import numpy as np
import pytest
from training_library import GENRES, fill, library, with_train

from conftest import make_config
from genreatlas.audio.layouts import VECTOR
from genreatlas.datasets.dataset import build_dataset
from genreatlas.datasets.library import read_library
from genreatlas.errors import ConfigError, InputError
from genreatlas.models.rebuilding import rebuild
from genreatlas.sql.registering import register_views
from genreatlas.steps import evaluate_models, measure_drift, promote_model, score, train_models
from genreatlas.store import Store
from genreatlas.tables import EXPERIMENTS, FEATURE_SETS, METRICS, MODELS, SCORES, Column, summary_table

pytestmark = pytest.mark.slow

SONGS = library()
#: A table that somebody else made, with a feature of a name that the other set has, and a copy of the genre.
OWN = summary_table("own", "A set for tests.", [Column(name, "double", "") for name in ("tempo", "genre_code")])


@pytest.fixture(scope="module")
def trained(spark, tmp_path_factory):
    """A store with the sets own and plain, trained on the two together, and what training said."""
    config = with_train(
        make_config(tmp_path_factory.mktemp("joined"), "splits.promotion=0.0"),
        feature_sets=(["plain", "own"],),
        candidates=(
            {"engine": "sklearn", "estimator": "logistic_regression", "grid": {"C": [1.0]}},
            {"engine": "spark", "estimator": "naive_bayes"},
        ),
    )
    store = Store(spark, config.store)
    fill(store, SONGS)
    for place, name in enumerate(("tempo", "genre_code")):
        described = {"feature_set": "own", "set_version": "v", "position": place, "feature": name, "kind": "numeric"}
        about = {"axis": "summary", "unit": "", "preprocessing_id": "imported", "source": "own.csv"}
        store.append(FEATURE_SETS, store.frame(FEATURE_SETS, [described | about]))
    rows = [
        {"clip_id": f"clip-{song['song_id']}", "song_id": song["song_id"], "set_version": "v",
         "preprocessing_id": "imported", "tempo": np.random.default_rng(number).normal(),
         "genre_code": float(GENRES.index(song["genres"][0]))}
        for number, song in enumerate(SONGS[2:])
    ]  # fmt: skip
    store.append(OWN, store.frame(OWN, rows))
    return store, config, train_models.run(store, config)


def model_of(store):
    return store.read(MODELS).where("engine = 'sklearn'").collect()[0]


def test_a_model_has_the_columns_of_all_sets_but_copies_of_the_label(trained):
    store, _, counts = trained
    model = model_of(store)
    assert (model.feature_set, model.set_version, model.preprocessing_id) == ("own+plain", "v+1", "imported+prep")
    assert model.features == ["own_tempo", "plain_tempo", "plain_energy", *[f"plain_key={k}" for k in range(3)],
                              "plain_noise"]  # fmt: skip
    assert model.left_out == ["own_genre_code: its value follows from the genre"]
    assert {"features_own", "features_plain"} <= set(model.input_versions)
    assert "own+plain: 2 of 36 clips lack one of its sets (without own: 2) and are left out" in counts.notes
    done = store.read(EXPERIMENTS).where("engine <> 'baseline'").collect()
    assert {(row.engine, row.status, row.n_songs) for row in done} == {("sklearn", "done", 25), ("spark", "done", 25)}


def test_it_is_judged_rebuilt_compared_and_scored_with_all_its_sets(trained, tmp_path):
    store, config, _ = trained
    model = model_of(store)
    evaluate_models.run(store, config)
    weighed = store.read(METRICS).where(f"model_id = '{model.model_id}' AND metric LIKE 'importance%'").collect()
    assert {"own_tempo", "plain_tempo"} <= {row.other for row in weighed}
    assert rebuild(store, config, model, tmp_path / "again").features == tuple(model.features)
    promote_model.run(store, config)
    assert measure_drift.run(store, config).failed == 0
    counts = score.run(store, config)
    assert (counts.written, counts.skipped) == (34, 2)
    assert "2 clips have no features computed with the model's preprocessing, and were not scored" in counts.notes
    scored = {row.song_id for row in store.read(SCORES).collect()}
    assert scored == {song["song_id"] for song in SONGS[2:]}


def test_its_name_finds_the_joined_features_in_sql(trained):
    store, config, _ = trained
    register_views(store, config.splits.name, "SELECT * FROM joined_own_plain")
    rows = store.spark.sql("SELECT count(*) AS n, count(own_tempo) AS a, count(plain_tempo) AS b FROM joined_own_plain")
    assert rows.collect()[0].asDict() == {"n": 34, "a": 34, "b": 34}


def test_dimensions_of_a_vector_stand_beside_features(trained):
    store, config, _ = trained
    table = VECTOR.table("heard", "A set for tests.")
    key = {"set_version": "1", "preprocessing_id": "prep"}
    rows = [{"clip_id": f"clip-{song['song_id']}", "song_id": song["song_id"], "vector": [0.25, 0.5]} for song in SONGS]
    store.append(table, store.frame(table, [row | key for row in rows]))
    for place, name in enumerate(("e0", "e1")):
        described = {"feature_set": "heard", "position": place, "feature": name, "kind": "numeric", "axis": "vector"}
        store.append(FEATURE_SETS, store.frame(FEATURE_SETS, [described | key | {"unit": "", "source": "test"}]))
    dataset = build_dataset(store, config, read_library(store, config), "heard+plain")
    assert dataset.features[:3] == ("heard_e0", "heard_e1", "plain_tempo")
    assert {tuple(row.features[:2]) for row in dataset.frame.select("features").collect()} == {(0.25, 0.5)}


def test_a_condition_names_features_of_any_member_and_what_cannot_be_joined_is_refused(trained):
    store, config, _ = trained
    songs = read_library(store, config)
    some = with_train(config, feature_sets=(["plain", "own"],), where="own.genre_code < 2 AND plain_noise IS NOT NULL")
    assert set(build_dataset(store, some, songs, "own+plain").classes) == {"blues", "jazz"}
    with pytest.raises(ConfigError, match="plain_frames holds frames"):
        build_dataset(store, config, songs, "plain+plain_frames")
    store.delete(OWN, store.read(OWN).select(*OWN.key))
    with pytest.raises(InputError, match=r"none of 36 clips has all sets .* \(without own: 36\)"):
        build_dataset(store, config, read_library(store, config), "own+plain")
