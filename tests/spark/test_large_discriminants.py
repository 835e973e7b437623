"""Discriminants of a matrix above ``train.max_matrix_mb``: Spark sums where the rows are, and finds the same ones.

Spark: which rows meet in a task, and in what order, is a matter of its partitions.
"""

from pathlib import Path

import numpy as np
import pytest
from training_library import fill, library, with_train

from conftest import make_config
from genreatlas.errors import ConfigError
from genreatlas.models import training
from genreatlas.models.engines import get_engine
from genreatlas.steps import evaluate_models, train_models
from genreatlas.store import Store
from genreatlas.tables import EXPERIMENTS, FOLD_SCORES, MODELS, PREDICTIONS

pytestmark = pytest.mark.slow

FRAMES = 1000
DISCRIMINANTS = (
    {"engine": "numpy", "estimator": "lda", "grid": {"shrinkage": [0.0, 0.1], "scaler": ["standard", "none"]}},
    {"engine": "numpy", "estimator": "nearest_profile"},
)


def songs():
    """108 songs of the training part have 1,000 frames of three columns each, 1.24 MB; they are told badly."""
    rng = np.random.default_rng(5)
    own = {one["song_id"]: 3 + one["frames"].mean() * 0.2 + rng.normal(0, 0.3) for one in library(48)}
    frames = {name: (shift + rng.normal(size=(FRAMES, 3)) * [1, 5, 0.1]).astype("f4") for name, shift in own.items()}
    return [one | {"frames": frames[one["song_id"]]} for one in library(48)]


def trained(spark, home, max_matrix_mb, candidates=DISCRIMINANTS, **train):
    config = with_train(
        make_config(home, "evaluate.bootstrap=100"), feature_sets=("plain_frames",), candidates=candidates,
        frames_per_song=FRAMES, max_matrix_mb=max_matrix_mb, **train,
    )  # fmt: skip
    store = Store(spark, config.store, run_id="test-run")
    fill(store, songs())
    return store, config, train_models.run(store, config)


def found(store):
    """Scores of folds, and the content of the best discriminant."""
    named = store.read(EXPERIMENTS).select("experiment_id", "candidate", "n_rows")
    folds = store.read(FOLD_SCORES).join(named, "experiment_id").where("reason IS NULL").toPandas()
    columns = ["candidate", "fold", "score", "train_score", "n_absent", "n_rows"]
    (model,) = store.read(MODELS).where("engine = 'numpy'").collect()
    content = (Path(model.path) / "model.npz").read_bytes()
    return folds[columns].sort_values(columns[:2], ignore_index=True), content


@pytest.fixture
def buckets(monkeypatch):
    monkeypatch.setattr(training, "BUCKET_MB", 0.3)


@pytest.fixture
def partitions(spark):
    """Sets how Spark divides rows, and does not let it join small partitions again."""
    names = ("spark.sql.shuffle.partitions", "spark.sql.adaptive.enabled")
    before = {name: spark.conf.get(name) for name in names}
    spark.conf.set("spark.sql.adaptive.enabled", "false")
    yield lambda n: spark.conf.set("spark.sql.shuffle.partitions", str(n))
    for name, value in before.items():
        spark.conf.set(name, value)


def test_it_is_the_one_in_memory_and_the_same_to_the_bit_under_two_and_five_partitions(
    spark, tmp_path, buckets, partitions
):
    large = {}
    for n in (2, 5):
        partitions(n)
        store, config, counts = trained(spark, tmp_path / str(n), 1)
        assert counts.failed == 0 and "its rows stay in Spark" in "\n".join(counts.notes)
        assert "no calibration and no prediction sets" in "\n".join(counts.notes)
        large[n] = found(store)
    folds, content = large[2]
    assert folds.equals(large[5][0]) and content == large[5][1]

    whole, known = found(trained(spark, tmp_path / "whole", 1024)[0])
    assert folds.equals(whole)
    listening = folds[folds.candidate.str.startswith("numpy")]
    assert set(listening.n_rows) == {108 * FRAMES} and 0.3 < listening.score.max() < 1
    mine, other = (get_engine("numpy").loads(one) for one in (content, known))
    for name, array in {**other.arrays, **other.columns.arrays}.items():
        np.testing.assert_allclose(
            {**mine.arrays, **mine.columns.arrays}[name], array, rtol=1e-10, atol=1e-10 * np.abs(array).max()
        )

    assert evaluate_models.run(store, config).failed == 0
    mine = store.read(MODELS).where("engine = 'numpy'").select("model_id")
    assert store.read(PREDICTIONS).join(mine, "model_id").count() == 36
    again = train_models.run(store, config)
    assert (again.read, again.written, again.failed) == (0, 0, 0)


def test_what_needs_the_matrix_is_skipped_with_the_reason(spark, tmp_path, buckets):
    others = (*DISCRIMINANTS, {"engine": "numpy", "estimator": "logistic_regression"})
    store, _, counts = trained(spark, tmp_path, 1, others)
    rows = store.read(EXPERIMENTS).toPandas().set_index("estimator")
    skipped = rows.loc[["logistic_regression"]]
    assert set(skipped.status) == {"skipped"} and set(skipped.reason) == {"too_much_memory"}
    assert skipped.detail.iloc[0].startswith("108,000 rows of 3 features are more than train.max_matrix_mb")
    assert rows.loc["majority"].status == "done" and counts.failed == 0


def test_without_a_discriminant_a_matrix_above_the_limit_is_one_line(spark, tmp_path, buckets):
    other = ({"engine": "numpy", "estimator": "logistic_regression"},)
    with pytest.raises(ConfigError, match=r"plain_frames: the training matrix would take 1 MB") as error:
        trained(spark, tmp_path, 1, other)
    assert "\n" not in str(error.value)
