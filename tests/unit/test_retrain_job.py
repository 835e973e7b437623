"""The job of a schedule: its steps, its configuration, and what it tells a scheduler."""

import pytest

from genreatlas import cli
from genreatlas.config import Config
from genreatlas.errors import LeaseHeldError, LimitReachedError


def test_the_default_steps_of_retrain_exist_decide_and_leave_a_map_and_neighbours():
    assert set(Config().retrain.steps) <= set(cli.STEPS)
    assert Config().retrain.steps[-4:] == ("promote_model", "measure_drift", "map_genres", "find_neighbours")


def test_an_unknown_step_is_a_wrong_configuration_and_is_named_before_anything_starts(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.retrain(["--set", 'retrain.steps=["train_models", "dance"]'])
    assert stopped.value.code == 2
    assert "retrain.steps = 'dance' is not allowed. Allowed: compose_library" in capsys.readouterr().err


def test_a_scheduler_can_tell_a_run_that_is_in_the_way_from_a_limit_and_from_a_failure():
    assert (LeaseHeldError.exit_code, LimitReachedError.exit_code) == (4, 3)


def test_help_says_which_exit_codes_there_are(capsys):
    with pytest.raises(SystemExit):
        cli.retrain(["--help"])
    assert "4 another run is in progress" in capsys.readouterr().out


def test_a_job_that_is_done_returns_and_one_that_failed_exits(monkeypatch):
    import genreatlas.runner
    import genreatlas.session

    monkeypatch.setattr(genreatlas.session, "get_spark", lambda settings: None)
    codes = iter([0, 1])
    monkeypatch.setattr(genreatlas.runner, "run_step", lambda step, spark, config: next(codes))
    monkeypatch.setattr("sys.argv", ["genreatlas", "publish_views"])
    cli.console()
    with pytest.raises(SystemExit) as stopped:
        cli.console()
    assert stopped.value.code == 1
