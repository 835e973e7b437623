"""The asset bundle is what Databricks' own types take, and its jobs are ours."""

import re
from pathlib import Path

import pytest
import yaml
from databricks.bundles.jobs import Job

from genreatlas.cli import JOBS as DOORS
from genreatlas.config import Config, load_config

FOLDER = Path(__file__).parents[2] / "conf" / "databricks"
BUNDLE = yaml.safe_load((FOLDER / "databricks.yml").read_text(encoding="utf-8"))
JOBS = yaml.safe_load((FOLDER / "jobs.yml").read_text(encoding="utf-8"))["resources"]["jobs"]


PIPELINES = [name for name in JOBS if name.startswith("pipeline")]


@pytest.fixture(params=JOBS)
def job(request):
    return Job.from_dict(JOBS[request.param])  # refuses fields that there are not


@pytest.mark.parametrize("name", PIPELINES)
def test_the_pipelines_tasks_are_its_steps(name):
    tasks = [task["task_key"] for task in JOBS[name]["tasks"]]
    assert tasks == [*Config().pipeline.steps, "publish_views"]


def test_every_task_calls_a_job_of_its_name_through_the_wheels_door(job):
    for task in job.tasks:
        wheel = task.python_wheel_task
        assert (wheel.package_name, wheel.entry_point, wheel.parameters[0]) == (
            "genreatlas",
            "genreatlas",
            task.task_key,
        )
        assert task.task_key in DOORS
        assert task.max_retries == 2


def test_every_task_comes_after_those_that_it_needs(job):
    done: set[str] = set()
    for task in job.tasks:
        assert {other.task_key for other in task.depends_on} <= done, task.task_key
        done.add(task.task_key)


@pytest.mark.parametrize("name", PIPELINES)
def test_training_waits_for_features_and_splits(name):
    before = {task.task_key: {other.task_key for other in task.depends_on} for task in Job.from_dict(JOBS[name]).tasks}
    assert before["train_models"] == {"extract_features", "assign_splits"}


def test_retraining_has_a_schedule_of_its_own_and_its_steps_are_those_of_the_configuration():
    retrain, pipeline = (Job.from_dict(JOBS[name]) for name in ("retrain", "pipeline"))
    assert [task.task_key for task in retrain.tasks] == ["retrain", "publish_views"]
    assert retrain.schedule.quartz_cron_expression != pipeline.schedule.quartz_cron_expression
    assert retrain.job_clusters == pipeline.job_clusters
    assert load_config([FOLDER / "atlas.toml"]).retrain.steps == Config().retrain.steps


@pytest.mark.parametrize("name", JOBS)
def test_the_parameters_are_a_configuration_that_loads(name):
    for task in JOBS[name]["tasks"]:
        _, *options = task["python_wheel_task"]["parameters"]
        values = [text.replace("${var.conf}", str(FOLDER / "atlas.toml")) for text in options]
        pairs = list(zip(values[::2], values[1::2], strict=True))
        config = load_config([v for o, v in pairs if o == "--conf"], [v for o, v in pairs if o == "--set"])
        assert (config.store.catalog, config.store.schema_) == ("${var.catalog}", "${var.schema}")
        assert str(config.models.path).startswith("/Volumes/")


def test_every_variable_that_is_used_is_declared_and_the_other_way_round():
    text = "".join((FOLDER / name).read_text(encoding="utf-8") for name in ("databricks.yml", "jobs.yml"))
    assert set(re.findall(r"\$\{var\.(\w+)\}", text)) == set(BUNDLE["variables"])
    assert {name for target in BUNDLE["targets"].values() for name in target.get("variables", {})} <= set(
        BUNDLE["variables"]
    )
    assert set(BUNDLE["targets"]) == {"dev", "prod"}


def test_secrets_come_from_a_scope_and_never_stand_in_the_file():
    cluster = Job.from_dict(JOBS["pipeline"]).job_clusters[0].new_cluster
    assert cluster.spark_env_vars["SPOTIFY_CLIENT_SECRET"] == "{{secrets/${var.secret_scope}/spotify_client_secret}}"
