"""Evaluation of stored models on a small library, from features to figures."""

import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss

from conftest import make_config
from genreatlas.config import Config
from genreatlas.steps import evaluate_models
from genreatlas.store import Store
from genreatlas.tables import METRICS, MODELS, PREDICTIONS, QUARANTINE, RELIABILITY
from judged_factory import GENRES, add_library, add_model, add_songs, forest, logistic, songs_of


@pytest.fixture
def config(config: Config) -> Config:
    evaluate = config.evaluate.model_copy(update={"bootstrap": 200, "permutations": 300, "importance_repeats": 2})
    train = config.train.model_copy(update={"min_songs": 1})
    return config.model_copy(update={"evaluate": evaluate, "train": train})


@pytest.fixture(scope="module")
def written(spark, tmp_path_factory):
    """A library of 30 training and 12 test artists, written once; tests work on copies of its tables."""
    config = make_config(tmp_path_factory.mktemp("library"))
    add_library(Store(spark, config.store), 12)
    return config.store.path


@pytest.fixture
def store(spark, config, written):
    shutil.copytree(written, config.store.path)
    return Store(spark, config.store, run_id="test-run")


def fetched(store, table) -> pd.DataFrame:
    return store.read(table).toPandas().sort_values(list(table.key), ignore_index=True)


def figure(metrics: pd.DataFrame, model: str, metric: str, unit: str = "song", genre: str = "*", other: str = "*"):
    keys = {"model_id": model, "metric": metric, "unit": unit, "genre_id": genre, "other": other}
    hit = metrics[np.logical_and.reduce([metrics[name] == wanted for name, wanted in keys.items()])]
    assert len(hit) == 1, f"{len(hit)} rows of {keys}"
    return hit.iloc[0]


def test_models_are_judged_once_and_again_only_when_songs_join(store, config):
    add_model(store, config, "lr", logistic(), engine="spark")
    add_model(store, config, "rf", forest())
    add_model(store, config, "dummy")
    add_model(store, config, "frames", logistic(), feature_set="mfcc")

    counts = evaluate_models.run(store, config)

    assert (counts.read, counts.written, counts.failed, counts.skipped) == (4, 4, 0, 0)
    assert len(counts.notes) == 5 and "95 % intervals over groups" in counts.notes[-1]
    assert "24 songs in 12 groups" in counts.notes[0]
    assert "majority" in counts.notes[-2]
    predictions, metrics = fetched(store, PREDICTIONS), fetched(store, METRICS)
    assert predictions.groupby("model_id").size().to_dict() == dict.fromkeys(("dummy", "frames", "lr", "rf"), 24)

    lr = predictions[predictions["model_id"] == "lr"]
    truth, scores = lr["genres"].str[0], np.array([[row[g] for g in GENRES] for row in map(dict, lr["scores"])])
    assert [GENRES[k] for k in scores.argmax(axis=1)] == lr["predicted"].tolist()
    assert lr["confidence"].tolist() == scores.max(axis=1).tolist()
    assert lr["n_rows_correct"].tolist() == (truth == lr["predicted"]).astype(int).tolist()
    assert lr["votes"].isna().all()
    found = figure(metrics, "lr", "accuracy")
    assert found["value"] == accuracy_score(truth, lr["predicted"])
    assert (found["n_songs"], found["n_groups"], found["grouping"]) == (24, 12, "artist-safe")
    assert found["low"] < found["value"] < found["high"] and found["interval_method"] == "effective songs"
    macro = figure(metrics, "lr", "macro_f1")
    assert (macro["metric_version"], macro["n_absent"]) == (2, 0) and np.isnan(macro["low"])  # 12 groups are too few
    assert figure(metrics, "lr", "macro_f1")["value"] == pytest.approx(
        f1_score(truth, lr["predicted"], average="macro")
    )
    shares = scores / scores.sum(axis=1)[:, None]  # float32 rounding, which scikit-learn would warn of
    assert figure(metrics, "lr", "log_loss")["value"] == pytest.approx(log_loss(truth, shares))
    assert figure(metrics, "lr", "top_3_accuracy")["value"] == 1.0
    upward = {"blues": "roots", "jazz": "roots", "rock": "rock"}
    alike = truth.map(upward) == lr["predicted"].map(upward)
    assert figure(metrics, "lr", "parent_accuracy")["value"] == pytest.approx(alike.mean())
    summed = np.where(scores[:, GENRES.index("blues")] + scores[:, GENRES.index("jazz")] > 0.5, "roots", "rock")
    assert [max(row, key=row.get) for row in map(dict, lr["family_scores"])] == summed.tolist()
    assert figure(metrics, "lr", "summed_parent_accuracy")["value"] == (truth.map(upward) == summed).mean()
    assert figure(metrics, "lr", "recall", genre="jazz")["n_groups"] == 4
    assert np.isnan(figure(metrics, "lr", "recall", genre="jazz")["low"])
    confusion = metrics[(metrics["model_id"] == "lr") & (metrics["metric"] == "confusion")]
    assert confusion["value"].sum() == 24
    assert set(metrics.loc[metrics["model_id"] == "lr", "unit"]) == {"song"}

    frames = predictions[predictions["model_id"] == "frames"]
    assert (frames["n_rows"] == 8).all()
    assert all(sum(dict(votes).values()) == 8 for votes in frames["votes"])
    share = frames["n_rows_correct"].sum() / frames["n_rows"].sum()
    assert figure(metrics, "frames", "accuracy", "row")["value"] == pytest.approx(share)
    assert figure(metrics, "frames", "accuracy", "row")["n_songs"] == 8 * 24
    voted = accuracy_score(frames["genres"].str[0], frames["predicted_by_vote"])
    assert figure(metrics, "frames", "accuracy", "song_vote")["value"] == voted

    reliable = fetched(store, RELIABILITY)
    every = reliable[(reliable["genre_id"] == "*") & (reliable["bin"] == 0)].set_index("model_id")
    assert every.loc["lr", "accuracy"] == pytest.approx(accuracy_score(truth, lr["predicted"]))
    assert every.loc["lr", "confidence"] == pytest.approx(lr["confidence"].mean())
    assert every["n_songs"].tolist() == [24] * 4 and every["coverage"].isna().all()
    again = evaluate_models.run(store, config)
    assert (again.read, again.written, again.notes) == (0, 0, ())
    pd.testing.assert_frame_equal(fetched(store, METRICS), metrics)
    pd.testing.assert_frame_equal(fetched(store, RELIABILITY), reliable)

    add_songs(store, songs_of(range(42, 45), "test"), version=2)
    more = evaluate_models.run(store, config)
    assert (more.read, more.written) == (4, 4)
    assert fetched(store, PREDICTIONS).groupby("model_id").size().to_dict() == dict.fromkeys(
        ("dummy", "frames", "lr", "rf"), 30
    )
    extended = fetched(store, METRICS)
    assert set(extended.loc[extended["metric"] == "accuracy", "n_songs"]) == {30, 8 * 30}
    assert set(extended.loc[extended["metric"] == "p_value", "n_songs"]) == {30}
    assert set(extended.loc[extended["metric"] == "importance_permutation", "n_songs"]) == {30}
    assert evaluate_models.run(store, config).read == 0


@pytest.mark.slow
def test_the_best_model_is_compared_with_all_others_and_explains_itself(store, config):
    add_model(store, config, "rf", forest())
    add_model(store, config, "dummy")
    evaluate_models.run(store, config)
    metrics = fetched(store, METRICS)

    difference = figure(metrics, "rf", "difference", other="dummy")
    assert difference["value"] == pytest.approx(
        figure(metrics, "rf", "macro_f1")["value"] - figure(metrics, "dummy", "macro_f1")["value"]
    )
    assert (difference["n_songs"], difference["n_groups"]) == (24, 12)
    assert figure(metrics, "rf", "p_value", other="dummy")["value"] < 0.05
    assert figure(metrics, "rf", "p_value_holm_accuracy", other="dummy")["value"] < 0.05
    for metric in ("importance_permutation", "importance_impurity"):
        importance = {name: figure(metrics, "rf", metric, other=name)["value"] for name in ("x", "y", "noise")}
        assert importance["noise"] < min(importance["x"], importance["y"])
    assert np.isnan(figure(metrics, "rf", "importance_permutation", other="x")["low"])
    assert metrics[metrics["metric"] == "importance_impurity"]["value"].sum() == pytest.approx(1.0)
    assert metrics[metrics["metric"].str.startswith("importance") & (metrics["model_id"] == "dummy")].empty

    # A better model takes over: what was said under the old best is gone.
    add_model(store, config, "frames", logistic(), feature_set="mfcc")
    counts = evaluate_models.run(store, config)
    assert (counts.read, counts.written) == (1, 1)
    metrics = fetched(store, METRICS)
    compared = metrics[metrics["metric"] == "p_value_holm"]
    assert sorted(zip(compared["model_id"], compared["other"], strict=True)) == [("frames", "dummy"), ("frames", "rf")]
    assert len(metrics[(metrics["model_id"] == "frames") & (metrics["metric"] == "importance_permutation")]) == 2
    assert evaluate_models.run(store, config).read == 0


@pytest.mark.slow
def test_a_model_without_files_fails_alone_and_says_why(store, config):
    add_model(store, config, "dummy")
    add_model(store, config, "lr", logistic(), engine="spark")
    for file in (config.models.path / "lr").iterdir():
        file.unlink()
    counts = evaluate_models.run(store, config)
    assert (counts.read, counts.written, counts.failed) == (2, 1, 1)
    assert "candidate lr" in counts.notes[-1]
    assert [(row.stage, row.key, row.reason) for row in store.read(QUARANTINE).collect()] == [
        ("evaluate_models", "lr", "model_unusable")
    ]
    assert set(fetched(store, PREDICTIONS)["model_id"]) == {"dummy"}


@pytest.mark.slow
def test_a_killed_run_ends_as_if_it_had_not_been_killed(store, config, monkeypatch):
    add_model(store, config, "lr", logistic(), engine="spark")
    add_model(store, config, "dummy")
    for where in ("figures", "comparisons"):
        with monkeypatch.context() as patch:
            patch.setattr(evaluate_models, where, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                evaluate_models.run(store, config)
    predictions = fetched(store, PREDICTIONS)
    assert len(predictions) == 48
    evaluate_models.run(store, config)
    metrics = fetched(store, METRICS)
    store.delete(METRICS, store.read(METRICS).select("model_id"))
    store.delete(PREDICTIONS, store.read(PREDICTIONS).select("model_id"))
    evaluate_models.run(store, config)
    pd.testing.assert_frame_equal(fetched(store, PREDICTIONS), predictions)
    pd.testing.assert_frame_equal(fetched(store, METRICS), metrics)


@pytest.mark.slow
def test_songs_with_several_genres_are_judged_by_ranking(store, config):
    config = config.model_copy(update={"train": config.train.model_copy(update={"labels": "multi"})})
    both = [type(song)(song.number, song.artist, (0, 2), "test") for song in songs_of(range(60, 63), "test")]
    add_songs(store, both)
    add_model(store, config, "rf", forest())
    add_model(store, config, "dummy")
    counts = evaluate_models.run(store, config)
    assert (counts.read, counts.written) == (2, 2)
    assert "macro average precision" in counts.notes[0]
    metrics, predictions = fetched(store, METRICS), fetched(store, PREDICTIONS)
    assert set(map(len, predictions["genres"])) == {1, 2}
    assert predictions["predicted_by_vote"].isna().all()
    for metric in ("macro_average_precision", "micro_average_precision", "macro_roc_auc", "micro_roc_auc"):
        found = figure(metrics, "rf", metric)
        assert 0.5 < found["value"] <= 1.0 and np.isnan(found["low"])
        assert (found["n_songs"], found["n_groups"]) == (30, 15)
    assert figure(metrics, "dummy", "macro_roc_auc")["value"] == 0.5
    assert figure(metrics, "rf", "support", genre="rock")["value"] == 14
    assert figure(metrics, "rf", "p_value", other="dummy")["value"] < 0.05
    assert figure(metrics, "rf", "importance_permutation", other="x")["value"] > 0
    assert "confusion" not in set(metrics["metric"])
    assert evaluate_models.run(store, config).read == 0


def test_without_models_there_is_nothing_to_do(store, config):
    counts = evaluate_models.run(store, config)
    assert (counts.read, counts.written) == (0, 0)
    assert not store.exists(MODELS)
