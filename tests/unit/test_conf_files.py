"""The configurations that come with the project."""

from pathlib import Path

import pytest

from genreatlas.cli import STEPS
from genreatlas.config import Config, load_config
from genreatlas.models.candidates import expand

CONF = Path(__file__).parents[2] / "conf"


FILES = sorted(CONF.rglob("*.toml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_candidates_of_a_configuration_that_comes_along_can_all_be_expanded(file):
    config = load_config([file])
    trials = expand(config.train, {*config.train.feature_sets, "technical", "loudness"})
    assert {trial.engine for trial in trials} > {"baseline"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_configuration_that_comes_along_is_valid_and_names_steps_that_exist(file):
    assert set(load_config([file]).pipeline.steps) <= set(STEPS)


def test_the_fan_out_asks_for_nothing_before_terms_were_acknowledged():
    config = load_config([CONF / "fanout.toml"])
    assert not config.spotify.acknowledge_terms and not config.deezer.acknowledge_terms


def test_the_demo_asks_this_machine_alone():
    config = load_config([CONF / "demo.toml"])
    places = (
        config.every_noise.map, config.every_noise.list, config.every_noise.pages, config.spotify.api_url,
        config.spotify.accounts_url, config.deezer.api_url,
    )  # fmt: skip
    ports = range(config.world.port, config.world.port + 4)
    assert all(place.startswith(tuple(f"http://127.0.0.1:{port}" for port in ports)) for place in places)


def test_every_setting_for_a_cluster_says_why():
    lines = (CONF / "cluster.toml").read_text(encoding="utf-8").splitlines()
    settings = load_config([CONF / "cluster.toml"]).spark.settings
    assert len(settings) == sum(line.startswith('"') for line in lines) > 15
    blocks = "\n".join(lines).split("[spark.settings]")[1].split("\n\n")
    for block in blocks:
        explained = False
        for line in block.strip().splitlines():
            if line.startswith("# -- "):
                explained = False
            elif line.startswith("#"):
                explained = True
            else:
                assert explained, line


def test_a_cluster_gets_nothing_that_belongs_to_a_site_and_never_two_copies_of_a_task():
    settings = load_config([CONF / "cluster.toml"]).spark.settings
    assert settings["spark.speculation"] == "false"
    assert not settings.keys() & {
        "spark.master",
        "spark.executor.memory",
        "spark.executor.cores",
        "spark.driver.memory",
    }
    changed = load_config([CONF / "cluster.toml"])
    defaults = Config()
    assert changed.model_copy(update={"spark": defaults.spark, "extract": defaults.extract}) == defaults
    assert changed.extract.model_copy(update={"chunk_clips": defaults.extract.chunk_clips}) == defaults.extract
