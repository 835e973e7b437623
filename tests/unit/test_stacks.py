"""Stacks: nested folds, weights that are learnt and shown, and a file that is read as it was written."""

from dataclasses import replace

import numpy as np
import pytest

import genreatlas
from conftest import make_config
from genreatlas.audio.whole_files import whole_file
from genreatlas.config import load_config
from genreatlas.config.joined import PLUS
from genreatlas.errors import ModelError
from genreatlas.models import meta, registry
from genreatlas.models.candidates import candidate_errors, expand
from genreatlas.models.engines import get_engine
from genreatlas.models.engines.stacks import stack_facts, stack_models
from genreatlas.models.engines.stacks.stack_models import columns_of, find_weights, loads, members_of_trial
from genreatlas.models.engines.task_fits import GridSettings, MatrixFiles, fit, refit_rows, score_fold
from genreatlas.models.types import FittedModel, FoldTask, Trial
from matrix_factory import make_matrix
from one_file_models import recipe, save_model, sound

SETTINGS = GridSettings("macro_f1", calibrate=True, weights=False)
FEATURES = ("high_a", "high_b", "low_a", "low_b", "noise_a", "noise_b")


@pytest.fixture
def files(tmp_path):
    """Songs of three genres by 24 groups. One set tells the first genre, another the second, and the third nothing."""
    rng = np.random.default_rng(4)
    y = np.arange(240) % 3
    X = rng.normal(size=(240, 6))
    X[:, 0] += 2.0 * (y == 0)
    X[:, 2] += 2.0 * (y == 1)
    group = np.arange(240) // 10
    arrays = {"X": X.astype(np.float32), "y": y.astype(np.int32), "group": group.astype(np.int32),
              "fold": (group % 4).astype(np.int16)}  # fmt: skip
    matrix = make_matrix(tmp_path, songs_per_class=80, **arrays)
    return MatrixFiles(matrix.dataset_id, 3, False, str(tmp_path), FEATURES)


def trial(sets="high+low+noise", **params):
    return Trial("stack", "stack", "weighted", sets, params, 7)


def test_a_stack_is_better_than_its_members_and_tells_their_weights(files):
    both = {"members": ["logistic_regression"]}
    whole = [score_fold(FoldTask("e", trial(**both), fold), files, SETTINGS) for fold in range(4)]
    alone = {
        name: np.mean([score_fold(FoldTask("e", one, fold), files, SETTINGS).score for fold in range(4)])
        for name in ("high", "low")
        for one in [replace(trial(f"{name}+", **both), feature_set=f"{name}+nothing")]
    }
    assert np.mean([one.score for one in whole]) > max(alone.values()) + 0.15
    for one in whole:
        said = one.detail
        assert said.startswith("weights: ") and said.index("noise") > max(said.index("high"), said.index("low"))
    model, _ = fit(trial(**both), files, SETTINGS, np.arange(240))
    weights = dict(zip((part.name.split()[-1] for part in model.parts), model.weights, strict=True))
    assert min(weights["high"], weights["low"]) > 4 * weights["noise"] >= 0.0


def test_no_song_is_judged_by_a_member_that_saw_its_group(files, monkeypatch):
    saw, judged = [], []
    inner = stack_models._fit_member

    def watched(member, X, y, rows, *more):
        saw.append(X[rows][:, 0].tolist())
        return inner(member, X, y, rows, *more)

    find = stack_models.find_weights
    monkeypatch.setattr(stack_models, "_fit_member", watched)
    monkeypatch.setattr(stack_models, "find_weights", lambda *given: judged.append(given[1]) or find(*given))
    X, group, fold = (files.array(name) for name in ("X", "group", "fold"))
    fit(trial(members=["logistic_regression"]), files, SETTINGS, np.flatnonzero(fold != 2))
    groups = [set(group[np.isin(X[:, 0], values)].tolist()) for values in saw]
    held = set(group[fold == 2].tolist())
    assert all(not known & held for known in groups)
    everybody = set(group[fold != 2].tolist())
    left_out = [everybody - known for known in groups]
    # three folds by three members, each without its fold, then three members on all
    assert [len(one) for one in left_out] == [6] * 9 + [0] * 3
    assert set.union(*left_out) == everybody and len(judged[0]) == 180


def test_weights_are_those_that_made_the_genres():
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(3, 4000, 4))
    logits -= logits.mean(axis=2, keepdims=True)
    mixed = 2.0 * logits[0] + 0.5 * logits[1] + np.array([0.5, 0.0, 0.0, -0.5])
    y = np.argmax(mixed + rng.gumbel(size=mixed.shape), axis=1)
    weights, intercepts = find_weights(logits, y, 1000.0, 4)
    np.testing.assert_allclose(weights, [2.0, 0.5, 0.0], atol=0.1)
    np.testing.assert_allclose(intercepts, [0.5, 0.0, 0.0, -0.5], atol=0.1)
    equal, _ = find_weights(logits, y, 1e-7, 4)
    assert np.ptp(equal) < 0.01 and equal.mean() > 0.5
    none, flat = find_weights(logits[:, :0], y[:0], 1.0, 4)
    assert none.sum() == pytest.approx(2.0) and not flat.any()


def test_songs_that_weigh_nothing_do_not_count_for_the_weights():
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(2, 600, 3))
    y = np.argmax(logits[0], axis=1)
    y[300:] = np.argmax(logits[1, 300:], axis=1)
    heard = np.repeat([1.0, 0.0], 300)
    weights, _ = find_weights(logits, y, 100.0, 3, heard)
    assert weights[0] > 10 * weights[1]


def test_a_stack_is_read_as_it_was_written_and_scores_rows_alone_as_in_company(files):
    model, _ = fit(trial(together=True, members=["logistic_regression", "svc", "knn"]), files, SETTINGS, np.arange(240))
    X = files.array("X")
    scores = model.scores(X)
    assert len(model.parts) == 12 and scores.sum(axis=1) == pytest.approx(np.ones(240))
    np.testing.assert_array_equal(loads(model.dumps()).scores(X), scores)
    np.testing.assert_array_equal(np.concatenate([model.scores(X[k : k + 1]) for k in range(20)]), scores[:20])
    columns = get_engine("stack").weights(model, X)
    assert columns.sum() == pytest.approx(model.weights.sum()) and columns[0] > columns[4]


@pytest.mark.parametrize("damage", ["columns", "weights", "kind"])
def test_a_damaged_file_is_refused(files, damage):
    model, _ = fit(trial(members=["logistic_regression"]), files, SETTINGS, np.arange(240))
    if damage == "columns":
        parts = (replace(model.parts[0], columns=np.array([0, 99])), *model.parts[1:])
        content = replace(model, parts=parts).dumps()
    elif damage == "weights":
        content = replace(model, weights=model.weights[:2]).dumps()
    else:
        content = model.parts[0].model.dumps()
    with pytest.raises(ModelError, match="the model file"):
        loads(content)


def test_a_refitted_stack_has_temperatures_and_prediction_sets(files):
    rows = list(refit_rows(trial(members=["logistic_regression"]), files, SETTINGS))
    assert rows[0]["reason"] is None and (rows[0]["format"], rows[0]["score_kind"]) == ("stack", "probability")
    assert rows[0]["confidence"] is not None
    assert loads(b"".join(row["content"] for row in rows)).n_classes == 3


def test_a_set_whose_name_begins_another_ones_keeps_its_columns():
    features = ("bands_e0", "bands_e1", "bands_tags_tag_low", "summary9_rms_mean")
    sets = ("bands", "bands_tags", "summary9")
    assert [columns_of(name, sets, features).tolist() for name in sets] == [[0, 1], [2], [3]]
    assert columns_of("bands", ("bands",), ("e0", "e1")).tolist() == [0, 1]


def test_members_are_named_by_estimator_and_set():
    named = [one.name for one in members_of_trial(trial("high+low", together=True), FEATURES[:4])]
    assert named == [
        "logistic_regression on high", "svc on high", "logistic_regression on low", "svc on low",
        "logistic_regression on all sets", "svc on all sets",
    ]  # fmt: skip


def test_several_genres_a_song_are_refused_with_a_reason(files):
    result = score_fold(FoldTask("e", trial(), 0), replace(files, multi=True), SETTINGS)
    assert result.score is None and "a stack needs one genre per song" in result.detail


def test_stacks_are_tried_on_joined_sets_and_their_grid_is_checked():
    sets = 'train.feature_sets=["gtzan57", ["groove", "summary9"]]'
    config = load_config([], [sets, 'train.candidates=[{engine="stack", estimator="weighted"}]'])
    assert candidate_errors(config.train) == []
    trials = [one for one in expand(config.train, {"gtzan57", "groove", "summary9"}) if one.engine == "stack"]
    assert {one.feature_set for one in trials} == {"groove+summary9"} and len(trials) == 2
    wrong = 'train.candidates=[{engine="stack", estimator="weighted", grid={members=[["svm"]], D=[1]}}]'
    first, second = candidate_errors(load_config([], [sets, wrong]).train)
    assert "members = ['svm'] is not possible. Allowed: a list of logistic_regression, svc" in first
    assert "unknown parameter 'D'" in second
    assert stack_facts.PLUS == PLUS


def test_a_stack_that_is_champion_tells_the_genre_of_a_file(tmp_path):
    config = make_config(tmp_path, "clip.seconds=2.0")
    known = save_model(config, "alone", "loudness+summary9")
    how = recipe(config, known.feature_set)
    found = [whole_file(sound(("noise", "tone")[n % 2], seed=n), how, content=True) for n in range(12)]
    X = np.concatenate([one.windows[0].values for one in found])
    members = members_of_trial(trial(known.feature_set, members=["logistic_regression"]), how.columns)
    model, _ = stack_models.fit_stack(members, X, np.arange(12) % 2, np.arange(12) // 4, 2)
    about = replace(known, model_id="stack", format=model.format)
    registry.save(config, about, FittedModel(model.dumps(), model.format, model.score_kind, 0.0))
    meta.write_alias(config.models.path, "champion", "stack")
    for name in ("noise", "tone"):
        answer = genreatlas.predict(sound(name, seed=77), config.models.path)
        assert (answer.model_id, answer.genre) == ("stack", name) and answer.confidence > 0.6
