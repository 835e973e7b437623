"""The estimators for thousands of genres through every step, and songs judged where only their highest scores are kept.

Spark: that songs are put together from their clips, and scores cut, where they are made is a matter of its partitions.
"""

import numpy as np
import pytest
from training_library import GENRES, fill, library, with_train

from conftest import make_config
from genreatlas.metrics import average_precision
from genreatlas.models import aliases, registry
from genreatlas.models.engines import song_blocks
from genreatlas.models.one_file import load
from genreatlas.models.one_file import score as score_values
from genreatlas.steps import evaluate_models, promote_model, score, train_models
from genreatlas.store import Store
from genreatlas.tables import EXPERIMENTS, METRICS, MODELS, PREDICTIONS, SCORES
from stored_rows import rows

pytestmark = pytest.mark.slow
ESTIMATORS = ("nearest_profile", "lda", "logistic_regression", "multilayer_perceptron", "knn")


def trained(spark, home, songs_per_genre=12):
    """A store after training, its configuration and the counts."""
    config = make_config(
        home, 'retrain.engines=["numpy"]', "evaluate.bootstrap=100", "evaluate.permutations=100",
        "evaluate.importance_repeats=2",
    )  # fmt: skip
    candidates = tuple({"engine": "numpy", "estimator": name} for name in ESTIMATORS)
    config = with_train(config, candidates=candidates)
    store = Store(spark, config.store, run_id="test-run")
    fill(store, library(songs_per_genre))
    return store, config, train_models.run(store, config)


def test_they_are_trained_judged_promoted_and_score_as_one_file_does(spark, tmp_path):
    store, config, counts = trained(spark, tmp_path)
    assert counts.failed == 0, counts.notes
    done = store.read(EXPERIMENTS).where("engine = 'numpy' AND status = 'done'").toPandas()
    assert set(done.estimator) == set(ESTIMATORS) and done.score_mean.max() > 0.6
    assert evaluate_models.run(store, config).failed == 0
    promote_model.run(store, config)
    (model,) = store.read(MODELS).where("engine = 'numpy'").collect()
    assert aliases.resolve(store, "champion").model_id == model.model_id and model.format == "arrays"
    assert score.run(store, config).written == store.read(SCORES).count() == 12 * len(GENRES)
    # The same from the file, without Spark.
    from genreatlas.datasets.library import read_library

    frame = registry.dataset_of(store, config, model, read_library(store, config)).frame.where("part = 'test'")
    clips = frame.select("song_id", "features").toPandas()
    values = [np.array([one], dtype=np.float32) for one in clips.features]
    sums, _ = score_values(load(config.models.path, model.model_id), values)
    stored = {row.song_id: row.scores for row in store.read(SCORES).collect()}
    for song, mine in zip(clips.song_id, sums, strict=True):
        assert [stored[song][genre] for genre in model.classes] == mine.tolist()


def test_figures_are_the_same_where_only_the_highest_scores_are_kept(spark, tmp_path, monkeypatch):
    found = {}
    for kept in (100, 2):
        monkeypatch.setattr(song_blocks, "TOP", kept)
        # The second time songs are scored in several chunks, from features that are staged.
        monkeypatch.setattr(evaluate_models, "_SCORE_BYTES", 24 if kept == 100 else 2_000_000)
        store, config, _ = trained(spark, tmp_path / str(kept), songs_per_genre=30)
        evaluate_models.run(store, config)
        found[kept] = (rows(store, PREDICTIONS), rows(store, METRICS))
    whole, cut = found[100][0], found[2][0]
    same = [name for name in whole.columns if name not in ("scores", "higher", "equal")]
    assert whole[same].equals(cut[same])
    assert cut.set_size.notna().any() and cut.in_set.notna().any()
    assert whole.higher.isna().all() and cut.higher.notna().all()
    for mine, other in zip(whole.itertuples(), cut.itertuples(), strict=True):
        truth = mine.scores[mine.genres[0]]
        assert other.higher == sum(one > truth for one in mine.scores.values())
        highest = sorted(mine.scores, key=lambda genre: (-mine.scores[genre], genre))[:2]
        assert other.scores == {genre: mine.scores[genre] for genre in {*highest, mine.genres[0]}}
    assert {len(scores) for scores in cut.scores} == {2, 3}
    assert found[100][1].equals(found[2][1])


def test_songs_of_several_genres_are_ranked_by_the_scores_that_are_kept(spark, tmp_path, monkeypatch):
    monkeypatch.setattr(song_blocks, "TOP", 2)
    songs = library()
    for number in range(0, len(songs), 5):
        (genre,) = songs[number]["genres"]
        songs[number]["genres"] = (genre, "jazz" if genre == "rock" else "rock")
    quick = ("evaluate.bootstrap=100", "evaluate.permutations=100", "evaluate.importance_repeats=2")
    config = make_config(tmp_path, *quick)
    names = ("logistic_regression", "knn", "lda")
    candidates = tuple({"engine": "numpy", "estimator": name} for name in names)
    config = with_train(config, candidates=candidates, labels="multi")
    store = Store(spark, config.store, run_id="test-run")
    fill(store, songs)
    assert train_models.run(store, config).failed == 0
    states = {row.estimator: row.reason for row in store.read(EXPERIMENTS).where("engine = 'numpy'").collect()}
    assert states == {"logistic_regression": None, "knn": None, "lda": "several_genres"}
    assert evaluate_models.run(store, config).failed == 0
    found = store.read(METRICS).where("metric = 'macro_average_precision' AND unit = 'song'").collect()
    assert len(found) == store.read(MODELS).count() == 5
    for row in found:
        mine = store.read(PREDICTIONS).where(f"model_id = '{row.model_id}'").collect()
        assert {len(song.scores) for song in mine} == {2}
        assert {(song.predicted_by_vote, song.higher, song.set_size) for song in mine} == {(None, None, None)}
        values = np.array([[song.scores.get(genre, -np.inf) for genre in GENRES] for song in mine])
        truth = np.array([[genre in song.genres for genre in GENRES] for song in mine])
        each = [average_precision(one, true) for one, true in zip(values.T, truth.T, strict=True)]
        assert row.value == pytest.approx(np.mean(each)) and truth.sum() > len(mine)
