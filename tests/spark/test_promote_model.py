"""Who becomes champion, what is written about it, and how it is taken back."""

import json
from datetime import UTC, datetime

import pytest
from sklearn.linear_model import LogisticRegression

from conftest import make_config
from genreatlas.errors import LeaseHeldError, ModelError
from genreatlas.models import aliases
from genreatlas.steps import promote_model, rollback
from genreatlas.store import Store
from genreatlas.tables import EXPERIMENTS, PROMOTION_GENRES, PROMOTIONS
from judged_factory import add_library, add_model, add_songs, logistic, songs_of

pytestmark = pytest.mark.slow


def add_trained(store, config, model_id, estimator, score, day):
    """A model with the mean score over folds that chose it; a later day is a newer training."""
    add_model(store, config, model_id, estimator, fitted_at=datetime(2026, 11, day, tzinfo=UTC))
    row = {
        "experiment_id": f"x-{model_id}", "candidate": model_id, "engine": "sklearn", "feature_set": "points",
        "estimator": "logistic_regression", "params": "{}", "dataset_id": "d", "split": "default", "split_version": 1,
        "level": "genre", "labels": "drop", "seed": 1, "metric": "macro_f1", "status": "done", "n_folds": 2,
        "score_mean": score, "n_classes": 3, "n_songs": 60, "n_rows": 60,
    }  # fmt: skip
    store.upsert(EXPERIMENTS, [row])


def promote(store, config):
    counts = promote_model.run(store, config)
    return counts, aliases.decisions(store, "champion")


def in_use(config):
    return json.loads((config.models.path / "aliases.json").read_text())["champion"]


def test_a_champion_is_only_replaced_by_a_better_model_and_comes_back_with_one_command(spark, tmp_path):
    config = make_config(tmp_path, 'train.feature_sets=["points"]', "retrain.bootstrap=500")
    store = Store(spark, config.store)
    add_library(store)
    add_songs(store, songs_of(range(40, 70), "promotion"))
    # These artists came after the models were trained.
    add_songs(store, songs_of(range(70, 76), "promotion"), version=2)
    counts, decided = promote(store, config)
    assert (counts.read, decided) == (0, [])

    add_trained(store, config, "blunt", LogisticRegression(C=1e-9), 0.5, day=1)
    counts, (first,) = promote(store, config)
    assert (first.action, first.model_id, first.champion_id, in_use(config)) == ("first", "blunt", None, "blunt")
    counts, decided = promote(store, config)
    assert counts.read == 0 and len(decided) == 1 and "still the best" in counts.notes[0]

    add_trained(store, config, "sharp", logistic(), 0.8, day=2)
    counts, (_, second) = promote(store, config)
    assert (second.action, second.model_id, second.champion_id, in_use(config)) == (
        "promoted",
        "sharp",
        "blunt",
        "sharp",
    )
    assert (second.n_songs, second.n_groups, second.known_n_songs, second.known_n_groups) == (72, 36, 60, 30)
    assert second.low > 0 and second.difference == pytest.approx(second.challenger_score - second.champion_score)
    assert (second.genres_fallen, second.n_genres_untested, second.n_decided_before) == ([], 0, 0)
    genres = store.read(PROMOTION_GENRES).orderBy("genre_id").collect()
    assert [(g.sequence, g.genre_id, g.n_songs, g.n_groups) for g in genres] == [
        (2, "blues", 24, 12), (2, "jazz", 24, 12), (2, "rock", 24, 12)
    ]  # fmt: skip
    assert counts.notes[0].startswith("champion: promoted, sharp. Better: macro_f1 0.")

    add_trained(store, config, "lucky", LogisticRegression(C=1e-9), 0.9, day=3)
    counts, decided = promote(store, config)
    kept = decided[-1]
    assert (kept.action, kept.model_id, kept.challenger_id, in_use(config)) == ("kept", "sharp", "lucky", "sharp")
    assert kept.reason.startswith("Not better by more than 0") and kept.n_decided_before == 1
    version = store.version(PROMOTIONS)
    (config.models.path / "aliases.json").unlink()  # as if the run had been killed before it told
    counts, _ = promote(store, config)
    assert counts.read == 0 and "was decided on before" in counts.notes[0]
    assert (store.version(PROMOTIONS), in_use(config)) == (version, "sharp")

    assert aliases.resolve(store, "champion").model_id == "sharp"
    assert aliases.resolve(store, "lucky").model_id == "lucky"
    with pytest.raises(ModelError, match="No model is called 'nobody'"):
        aliases.resolve(store, "nobody")

    counts = rollback.run(store, config)
    assert counts.notes == ("champion: sharp → blunt",) and in_use(config) == "blunt"
    with pytest.raises(ModelError, match="no model was in use before blunt"):
        rollback.run(store, config)
    with Store(spark, config.store, "other").lease("promotions"), pytest.raises(LeaseHeldError, match="run other"):
        rollback.run(store, config)
