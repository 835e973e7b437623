"""An engine that the package does not know, taken through every step that has to do with models."""

import json
import sys

import numpy as np
import pytest
from pyspark import cloudpickle
from training_library import FEATURES, GENRES, fill, library, with_train

from conftest import make_config
from genreatlas import cli
from genreatlas.config import load_config
from genreatlas.errors import ConfigError, ModelError
from genreatlas.models import aliases, engines, registry
from genreatlas.models.engines.estimators import Facts, number
from genreatlas.models.engines.file_models import RowModel
from genreatlas.models.engines.task_engine import TaskEngine
from genreatlas.steps import evaluate_models, promote_model, score, train_models, write_report
from genreatlas.store import Store
from genreatlas.tables import EXPERIMENTS, METRICS, MODELS, SCORES

pytestmark = pytest.mark.slow

CANDIDATE = '{engine="toy", estimator="nearest_mean", feature_sets=["plain"]}'


class Means(RowModel):
    format, multi, score_kind = "means", False, "probability"

    def __init__(self, means):
        self.means, (self.n_classes, self.n_features) = means, means.shape

    def scores(self, X):
        far = ((np.nan_to_num(X)[:, None] - self.means) ** 2).sum(axis=2)
        near = np.exp((far.min(axis=1, keepdims=True) - far) / 100)
        return near / near.sum(axis=1, keepdims=True)

    def dumps(self):
        return json.dumps(self.means.tolist()).encode()


class Toy(TaskEngine):
    name, title, imputation = "toy", "Toy", "0"
    estimators = {"nearest_mean": Facts({"shrink": number(least=0)}, {"shrink": (0.0, 0.5)}, importances=True)}  # noqa: RUF012
    formats = {"means": "means.json"}  # noqa: RUF012

    def fit(self, trial, files, settings, rows):
        X, y = np.nan_to_num(files.array("X")[rows]), files.array("y")[rows]
        means = np.stack([X[y == genre].mean(axis=0) for genre in range(files.n_classes)])
        return Means(means + trial.params["shrink"] * (X.mean(axis=0) - means)), []

    def loads(self, content):
        return Means(np.array(json.loads(content)))

    def importances(self, model, features):
        return dict(zip(features, model.means.std(axis=0).tolist(), strict=True))


@pytest.fixture(scope="module")
def toy():
    """The engine, known to this process; workers get its class with their tasks."""
    toy, module = Toy(), sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    engines.register(toy)
    yield toy
    engines.forget(toy)
    cloudpickle.unregister_pickle_by_value(module)


@pytest.fixture(scope="module")
def trained(spark, toy, tmp_path_factory):
    """A store after training the toy beside the baselines, its configuration and the counts."""
    home = tmp_path_factory.mktemp("toy")
    config = make_config(
        home, 'retrain.engines=["toy"]', "evaluate.bootstrap=100", "evaluate.permutations=100",
        "evaluate.importance_repeats=2",
    )  # fmt: skip
    config = with_train(config, candidates=({"engine": "toy", "estimator": "nearest_mean"},))
    store = Store(spark, config.store, run_id="test-run")
    fill(store, library())
    return store, config, train_models.run(store, config)


def test_a_configuration_may_name_it_and_a_wrong_name_is_refused_with_the_known_ones(toy):
    assert load_config([], [f"train.candidates=[{CANDIDATE}]"]).train.candidates[0].engine == "toy"
    with pytest.raises(ConfigError, match=r"'toi' is not allowed. Did you mean toy\? Allowed: .*sklearn.*toy"):
        load_config([], ['retrain.engines=["toi"]'])


def test_check_prints_its_candidates_and_finds_what_is_wrong_in_them(toy, capsys):
    with pytest.raises(SystemExit):
        cli.check(["--job", "train_models", "--set", 'train.feature_sets=["plain"]',
                   "--set", f"train.candidates=[{CANDIDATE}]"])  # fmt: skip
    assert "toy nearest_mean: 2 settings on plain" in capsys.readouterr().out
    wrong = '{engine="toy", estimator="nearest_mean", grid={shrink=[-1], shrnk=[1]}}'
    with pytest.raises(SystemExit):
        cli.check(["--job", "train_models", "--set", f"train.candidates=[{wrong}]"])
    said = capsys.readouterr().out
    assert "nearest_mean: shrink = -1 is not possible. Allowed: a number from 0 on." in said
    assert "nearest_mean: unknown parameter 'shrnk'. Did you mean shrink?" in said


def test_it_is_trained_on_the_folds_and_its_best_is_stored_in_its_own_format(trained):
    store, config, counts = trained
    rows = store.read(EXPERIMENTS).where("engine = 'toy'").collect()
    assert {(row.candidate, row.status, row.n_folds) for row in rows} == {
        ("toy nearest_mean on plain (shrink=0.0)", "done", 3),
        ("toy nearest_mean on plain (shrink=0.5)", "done", 3),
    }
    (model,) = store.read(MODELS).where("engine = 'toy'").collect()
    assert (model.format, model.score_kind) == ("means", "probability")
    means = json.loads((config.models.path / model.model_id / "means.json").read_text())
    assert np.shape(means) == (len(GENRES), len(model.features))
    assert any(note.startswith("best toy: ") for note in counts.notes)


def test_it_is_judged_with_both_kinds_of_importances_shown_promoted_and_scores(trained):
    store, config, _ = trained
    counts = evaluate_models.run(store, config)
    assert counts.failed == 0 and any("toy nearest_mean on plain" in note for note in counts.notes), counts.notes
    (model,) = store.read(MODELS).where("engine = 'toy'").collect()
    figures = store.read(METRICS).where(f"model_id = '{model.model_id}'").toPandas()
    overall = figures[(figures.genre_id == "*") & (figures.other == "*") & (figures.unit == "song")]
    assert overall.set_index("metric").value["accuracy"] > 0.6
    for kind in ("importance_permutation", "importance_impurity"):
        found = figures[figures.metric == kind].set_index("other").value
        assert set(found.index) == {feature.name for feature in FEATURES} and found.idxmax() == "tempo", kind

    assert write_report.run(store, config).written == 1
    page = (config.report.path / "index.html").read_text(encoding="utf-8")
    assert "Nearest mean" in page and "Toy · plain" in page

    promote_model.run(store, config)
    assert aliases.resolve(store, "champion").model_id == model.model_id

    assert score.run(store, config).written == store.read(SCORES).count() == 12 * len(GENRES)
    known = registry.load(model, config)
    told = known.predict(registry_frame(store, config, model)).collect()
    assert all(np.isclose(sum(row.score_sum), 1) for row in told)


def registry_frame(store, config, model):
    """The clips of the test part as the model reads them."""
    from genreatlas.datasets.library import read_library

    return registry.dataset_of(store, config, model, read_library(store, config)).frame.where("part = 'test'")


def test_it_is_used_without_spark(trained):
    store, config, _ = trained
    (model,) = store.read(MODELS).where("engine = 'toy'").collect()
    opened = engines.reader_of(model.format).open(config.models.path / model.model_id / "means.json")
    assert opened.scores(np.zeros((1, len(model.features)))).shape == (1, len(GENRES))


def test_names_and_formats_that_are_taken_are_refused_and_those_that_are_unknown_are_named(toy):
    class Another(Toy):
        name = "another"

    for one in (Toy(), Another()):
        with pytest.raises(ValueError, match=r"toy has (toy|means) already"):
            engines.register(one)
    with pytest.raises(ConfigError, match=r"no engine is called 'tou'\. Did you mean toy\?"):
        engines.get_engine("tou")
    with pytest.raises(ModelError, match=r"'pickle'\. Known: .*skops.*, means"):
        engines.reader_of("pickle")
