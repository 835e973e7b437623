"""Layers, overrides, and errors that tell where and what."""

from importlib import import_module
from pathlib import Path

import pytest

from genreatlas.config import Config, load_config, to_toml
from genreatlas.errors import ConfigError


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_an_empty_table_takes_the_place_of_the_files_and_another_is_laid_over_theirs(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text('[import_features]\nsplit_lists = { train = "a.txt" }\n', encoding="utf-8")

    def lists(*overrides):
        return load_config([file], overrides).import_features.split_lists

    more = 'import_features.split_lists={ test = "b.txt" }'
    assert lists(more) == {"train": Path("a.txt"), "test": Path("b.txt")}
    assert lists("import_features.split_lists={}") == {}
    assert lists("import_features.split_lists={}", more) == {"test": Path("b.txt")}


def test_later_files_win_key_by_key_and_overrides_win_over_files(tmp_path):
    first = write(tmp_path / "a.toml", "[train]\nmin_songs = 3\nmax_songs = 9\n")
    second = write(tmp_path / "b.toml", "[train]\nmin_songs = 4\n")
    config = load_config([first, second], ["train.seed=11", "folder.path=/music", "folder.genre_aliases={a='b'}"])
    assert (config.train.min_songs, config.train.max_songs, config.train.seed) == (4, 9, 11)
    assert str(config.folder.path) == "/music"
    assert config.folder.genre_aliases == {"a": "b"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[trian]\nmin_songs = 3", "a.toml: unknown key trian. Did you mean train?"),
        ("[train]\nmin_song = 3", "a.toml: unknown key train.min_song. Did you mean train.min_songs?"),
        ("[train]\nmin_songs = 'many'", "a.toml: train.min_songs = 'many' is not a whole number\\.$"),
        ("[splits]\ntest = 0.9\npromotion = 0.2", "test \\+ promotion must be less than 1"),
        ("[[train.candidates]]\nengine = 'sklearn'\nestimater = 'svc'", "Did you mean train.candidates.0.estimator?"),
        ("[train", "a.toml: not valid TOML"),
    ],
)
def test_a_wrong_key_or_type_names_file_key_and_nearest_valid_key(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        load_config([write(tmp_path / "a.toml", text)])


def test_the_top_level_seed_is_that_of_every_section_without_one_of_its_own(tmp_path):
    file = write(tmp_path / "a.toml", "seed = 9\n[train]\nseed = 3\n[splits]\nfolds = 4\n")
    config = load_config([file])
    assert (config.seed, config.train.seed, config.splits.seed, config.map.seed) == (9, 3, 9, 9)
    assert load_config([file], ["seed=11"]).splits.seed == 11
    assert load_config([file], ["splits.seed=2"]).splits.seed == 2
    assert load_config([write(tmp_path / "printed.toml", to_toml(config))]) == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.min_songs=0", "train.min_songs = 0 must be greater than 0."),
        ("splits.folds=1", "splits.folds = 1 must be at least 2."),
        ("train.calibrate=maybe", "train.calibrate = 'maybe' is neither true nor false."),
        ("clip.position=end", "clip.position = 'end' is not allowed. Allowed: start, middle or a number."),
        ('train.candidates=[{engine="sklearn"}]', "train.candidates.0.estimator is missing."),
        ("map.resolutions=[1.0]", "map.resolutions has too few values."),
        ("store.history=3", "store.history = 3 is not a string."),
        ("splits.test=0.95", "splits: test + promotion must be less than 1, so that songs remain for training"),
        ("seed=many", "seed = 'many' is not a whole number."),
    ],
)
def test_a_wrong_value_is_one_line_that_says_what_is_wrong_with_it(override, message):
    with pytest.raises(ConfigError) as error:
        load_config([], [override])
    assert str(error.value) == f"--set {override}: {message}"


def test_help_names_the_words_of_a_closed_set_once_and_lists_expert_keys_apart(capsys):
    from genreatlas import cli

    with pytest.raises(SystemExit):
        cli.main(import_module("genreatlas.steps.train_models"), ["--help"])
    usual, _, expert = capsys.readouterr().out.partition("Expert keys, seldom changed:")
    assert "# Train on genres or on their parents. One of: genre, parent." in usual
    assert "(multi)." in usual and "One of: drop" not in usual
    assert "max_matrix_mb" in expert and "max_matrix_mb" not in usual


def test_a_missing_file_and_a_malformed_override_are_one_line_each():
    with pytest.raises(ConfigError, match=r"^nowhere.toml: no such configuration file$"):
        load_config(["nowhere.toml"])
    with pytest.raises(ConfigError, match=r"expected section\.key=value"):
        load_config([], ["verbose"])


def test_the_printed_defaults_read_back_as_the_defaults(tmp_path):
    assert load_config([write(tmp_path / "base.toml", to_toml(Config()))]) == Config()


def test_conf_base_toml_is_what_the_defaults_print():
    from pathlib import Path

    printed = Path(__file__).parents[2] / "conf" / "base.toml"
    assert printed.read_text(encoding="utf-8").partition("\n\n")[2] == to_toml(Config()), "run `make conf`"


@pytest.mark.parametrize("name", ["demo", "local"])
def test_the_configurations_in_conf_are_valid(name):
    from pathlib import Path

    load_config([Path(__file__).parents[2] / "conf" / f"{name}.toml"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            'retrain.engines=["sklern"]',
            "retrain.engines = 'sklern' is not allowed. Did you mean sklearn? Allowed: spark",
        ),
        ("purge.provider=spotfy", "purge.provider = 'spotfy' is not allowed. Did you mean spotify? Allowed: empty, sp"),
        ('spotify.roles=["sounds"]', "spotify.roles = 'sounds' is not allowed. Did you mean sound? Allowed: sound, in"),
        (
            'pipeline.steps=["train"]',
            "pipeline.steps = 'train' is not allowed. Did you mean train_models? Allowed: comp",
        ),
        ("folder.subset=smal", "folder.subset = 'smal' is not allowed. Did you mean small?"),
        ('http.columns={titel="x"}', "http.columns.titel = 'titel' is not allowed. Did you mean title?"),
        ("pipeline.steps=score", "pipeline.steps = 'score' is not a list. Put it into [brackets]."),
        ('train.candidates=[{engine="skl", estimator="svc"}]', "train.candidates.0.engine = 'skl' is not allowed."),
    ],
)
def test_a_word_that_is_not_in_a_closed_set_is_refused_with_its_key_and_the_allowed_ones(override, message):
    with pytest.raises(ConfigError) as error:
        load_config([], [override])
    assert message in str(error.value)
    assert str(error.value).count("\n") == 0
