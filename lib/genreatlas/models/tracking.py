"""Log stored models to MLflow as runs and registered models."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from genreatlas.config import MlflowSection
from genreatlas.errors import ConfigError
from genreatlas.redaction import redact
from genreatlas.values import Params, Row, RowView

_MODEL_ID = "genreatlas.model_id"
_STATE = "genreatlas.state"


class Tracker:
    """One MLflow experiment and one registered model.

    Parameters
    ----------
    settings : section ``[mlflow]`` with a tracking URI.

    Raises
    ------
    ConfigError : MLflow is not installed, or the server cannot be used.
    """

    def __init__(self, settings: MlflowSection) -> None:
        try:
            import mlflow
            from mlflow.tracking import MlflowClient
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"mlflow.tracking_uri is set, and {error.name} is not installed: pip install mlflow-skinny"
            ) from None
        # MLflow would print where it logs to, user and password included.
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        self._name = settings.model_name
        registry = settings.registry_uri or settings.tracking_uri
        try:
            mlflow.set_tracking_uri(settings.tracking_uri)
            mlflow.set_registry_uri(registry)
            self._client = MlflowClient(settings.tracking_uri, registry)
            found = self._client.get_experiment_by_name(settings.experiment)
            self._experiment = found.experiment_id if found else self._client.create_experiment(settings.experiment)
        except Exception as error:  # MLflow's stores raise exceptions of other libraries
            raise ConfigError(f"mlflow.tracking_uri = {settings.tracking_uri}: {_first_line(error)}") from None

    def state(self, model_id: str) -> str | None:
        """State of a model when it was logged last; None if it was not logged."""
        run = self._run(model_id)
        return run.data.tags.get(_STATE) if run else None

    def log(
        self,
        model_id: str,
        state: str,
        name: str,
        params: Params,
        metrics: Mapping[str, float],
        folder: Path,
        pictures: Iterable[Path],
    ) -> str:
        """Log one model as a run; a later call for the same model updates that run.

        Returns
        -------
        Id of the run.
        """
        run = self._run(model_id)
        if run is None:
            run = self._client.create_run(self._experiment, tags={_MODEL_ID: model_id}, run_name=name)
            for key, value in params.items():
                self._client.log_param(run.info.run_id, key, redact(str(value)))
            self._client.log_artifacts(run.info.run_id, str(folder), "model_files")
        run_id = str(run.info.run_id)
        for key, value in metrics.items():
            self._client.log_metric(run_id, key, value)
        for picture in pictures:
            self._client.log_artifact(run_id, str(picture), "pictures")
        self._client.set_tag(run_id, _STATE, state)
        self._client.set_terminated(run_id)
        return run_id

    def register(self, model_id: str, folder: Path, alias: str, row: RowView) -> bool:
        """Register a model that needs no Spark as a pyfunc and set the alias; return whether anything changed."""
        import mlflow

        from genreatlas.models.pyfunc import GenreModel

        if self._holder(alias) == model_id:
            return False
        run = self._run(model_id)
        if run is None:
            return False
        with mlflow.start_run(run_id=run.info.run_id):
            logged = mlflow.pyfunc.log_model(
                name="pyfunc",
                python_model=GenreModel(),
                artifacts={"model": str(folder)},
                pip_requirements=["genreatlas"],
            )
        try:
            self._client.get_registered_model(self._name)
        except Exception:  # "not found" differs between registries; the next line raises on other errors
            self._client.create_registered_model(
                self._name, description="Predicts the genre of a piece of music from its audio."
            )
        version = self._client.create_model_version(
            self._name, logged.model_uri, run.info.run_id, tags={_MODEL_ID: model_id, "classes": len(row["classes"])}
        )
        self._client.set_registered_model_alias(self._name, alias, version.version)
        return True

    def _holder(self, alias: str) -> str | None:
        try:
            version = self._client.get_model_version_by_alias(self._name, alias)
        except Exception:  # no such model, or no such alias
            return None
        return version.tags.get(_MODEL_ID)

    def _run(self, model_id: str) -> Any:
        found = self._client.search_runs([self._experiment], f"tags.`{_MODEL_ID}` = '{model_id}'", max_results=1)
        return found[0] if found else None


def params_of(row: RowView) -> Row:
    """Parameters of an MLflow run: the candidate, its parameters, and its data set."""
    names = ("engine", "estimator", "feature_set", "set_version", "preprocessing_id", "dataset_id", "split",
             "split_version", "level", "labels", "seed", "score_kind", "grouping")  # fmt: skip
    own = {f"param.{key}": value for key, value in json.loads(row["params"]).items()}
    return {name: row[name] for name in names} | {"n_classes": len(row["classes"])} | own


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
