"""Runs and a registered model in MLflow, on a database of its own; left out where MLflow is not installed."""

import sys

import numpy as np
import pandas as pd
import pytest

import genreatlas
from conftest import make_config
from genreatlas.config import MlflowSection
from genreatlas.errors import ConfigError
from genreatlas.models.tracking import Tracker, params_of
from one_file_models import save_model, sound


def test_without_mlflow_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ConfigError, match=r"mlflow is not installed: pip install mlflow-skinny"):
        Tracker(MlflowSection(tracking_uri="sqlite:///x.db"))


@pytest.mark.slow  # MLflow sets up a database of thirty tables
def test_a_model_is_logged_once_registered_under_its_alias_and_tells_genres_of_audio_and_of_features(
    tmp_path, monkeypatch
):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    config = make_config(tmp_path, "clip.seconds=2.0")
    meta = save_model(config, "m1")
    folder = config.models.path / "m1"
    picture = tmp_path / "leaderboard.svg"
    picture.write_text("<svg/>")
    row = {"engine": "sklearn", "estimator": "logistic_regression", "feature_set": "summary9", "set_version": "1",
           "preprocessing_id": "p", "dataset_id": "d", "split": "default", "split_version": 1, "level": "genre",
           "labels": "drop", "seed": 7, "score_kind": "probability", "grouping": "artist-safe",
           "classes": list(meta.classes), "params": '{"C": 0.1, "scaler": "standard"}'}  # fmt: skip
    settings = MlflowSection(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    tracker = Tracker(settings)
    assert tracker.state("m1") is None
    run_id = tracker.log("m1", "state", "name", params_of(row), {"test.macro_f1": 0.5}, folder, [picture])
    assert tracker.log("m1", "later", "name", params_of(row), {"test.macro_f1": 0.75}, folder, [picture]) == run_id
    assert tracker.state("m1") == "later"
    run = mlflow.tracking.MlflowClient().get_run(run_id)
    assert run.data.metrics == {"test.macro_f1": 0.75}
    assert (run.data.params["estimator"], run.data.params["param.C"]) == ("logistic_regression", "0.1")

    assert tracker.register("m1", folder, "champion", row)
    assert not tracker.register("m1", folder, "champion", row)
    served = mlflow.pyfunc.load_model("models:/genreatlas@champion")
    tone = sound("tone", seed=50)
    answers = served.predict(pd.DataFrame({"audio": [tone, b"no sound"]}))
    alone = genreatlas.predict(tone, config.models.path)
    assert (answers.genre[0], answers.tone[0]) == ("tone", alone.probabilities["tone"])
    assert answers.reason[1] == "not_audio"
    features = pd.DataFrame(np.zeros((2, len(meta.features)), "f4"), columns=list(meta.features))
    assert set(served.predict(features).genre) <= set(meta.classes)
