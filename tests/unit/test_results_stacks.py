"""A stack of docs/results.md is compared with the best single model on its feature sets, song by song."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import results_candidates  # noqa: E402
import results_stacks  # noqa: E402

from genreatlas.models.engines.stacks.stack_facts import MEMBERS  # noqa: E402

GENRES = np.array(["folk", "jazz", "rock"])


def model(model_id, engine, estimator, feature_set):
    return {"model_id": model_id, "engine": engine, "estimator": estimator, "feature_set": feature_set,
            "classes": list(GENRES)}  # fmt: skip


def predictions(model_id, truth, wrong, order):
    """Predictions that are wrong on the given songs, in a given order of rows."""
    predicted = np.where(np.isin(np.arange(len(truth)), wrong), (truth + 1) % 3, truth)
    rows = pd.DataFrame({
        "model_id": model_id, "song_id": [f"s{n:03}" for n in range(len(truth))],
        "group_id": [f"g{n // 2:03}" for n in range(len(truth))], "genres": [[GENRES[n]] for n in truth],
        "predicted": GENRES[predicted],
    })  # fmt: skip
    return rows.iloc[order]


@pytest.fixture
def found():
    truth = np.arange(60) % 3
    random = np.random.default_rng(4)
    models = pd.DataFrame([
        model("best", "sklearn", "svc", "b"), model("worse", "sklearn", "knn", "a"),
        model("elsewhere", "sklearn", "svc", "c"), model("spark", "spark", "gbt", "a"),
        model("stack", "stack", "weighted", "a+b"), model("alone", "stack", "quantiles", "d"),
    ])  # fmt: skip
    wrong = {"best": range(10), "worse": range(30), "elsewhere": (), "spark": (), "stack": range(2), "alone": ()}
    rows = [predictions(name, truth, list(songs), random.permutation(60)) for name, songs in wrong.items()]
    return list(results_stacks.stacked(models, pd.concat(rows))), truth


def test_a_stack_is_compared_with_the_best_scikit_learn_model_on_one_of_its_sets(found):
    (one,), truth = found
    assert (one.stack, one.single) == ("weighted, a+b", "svc, b")
    said = [np.where(np.arange(60) < wrong, (truth + 1) % 3, truth) for wrong in (2, 10)]
    assert [one.stack_f1, one.single_f1] == pytest.approx([f1_score(truth, each, average="macro") for each in said])
    assert (one.n_songs, one.n_groups) == (60, 30)
    # the models differ in four groups, where the stack is right: both extremes of 16 equal swaps
    assert one.p_value == pytest.approx(2 / 16, abs=0.02)


def test_the_file_has_the_difference_and_whether_it_is_at_least_zero(found, monkeypatch, tmp_path):
    (one,), _ = found
    monkeypatch.setattr(results_stacks, "FILE", tmp_path / "stacks.json")
    results_stacks.write_file({"run": [one], "empty": []})
    ((key, row),) = json.loads((tmp_path / "stacks.json").read_text()).items()
    assert key == "run_weighted" and row["value"] == round(one.gain, 4) > 0 and row["met"] and row["n"] == 60
    assert results_stacks.section([one]).count("\n") == 2 and results_stacks.section([]) == ""


def test_members_of_stacks_are_candidates_with_the_same_parameters():
    grids = results_candidates.SUMMARY_ONLY["sklearn"] | results_candidates.FRAMES_TOO["sklearn"]
    for member in results_candidates.MEMBERS:
        params = {"scaler": "standard"} | MEMBERS[member]
        assert {name: [value] for name, value in params.items()} == grids[member]
