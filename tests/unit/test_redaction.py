"""No secret stands in what people read: errors, log lines, ``runs.config``, the report's configuration."""

import json
import logging
import time
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace

import pytest

from genreatlas import runner
from genreatlas.config import load_config, to_toml
from genreatlas.counts import Counts
from genreatlas.errors import ConfigError, FetchError, GenreAtlasError, Reason, StoreError
from genreatlas.query import query
from genreatlas.redaction import LEFT_OUT, printable, redact, redact_url, redact_value, shown, shown_log

#: Secrets as people write them into settings, and the part that nobody may see. None is real.
SPELLINGS = {
    "password in an address": ("http://maria:hunter-2x@mlflow.example:5000/api", "hunter-2x"),
    "token as user": ("https://tok-3f9a77@repo.example/simple", "tok-3f9a77"),
    "password with signs": ("https://maria:p@ss/w?rd#7@db.example/x", "w?rd#7"),
    "encoded password": ("postgresql+psycopg2://maria:p%40ss9zz@db.example:5432/mlflow", "p%40ss9zz"),
    "JDBC with parameters": ("jdbc:postgresql://db.example/x?user=maria&password=hunter-2x", "hunter-2x"),
    "JDBC of SQL Server": ("jdbc:sqlserver://db.example;user=maria;password=hunter-2x;encrypt=true", "hunter-2x"),
    "JDBC of Oracle": ("jdbc:oracle:thin:maria/hunter-2x@db.example:1521/x", "hunter-2x"),
    "proxy": ("http://maria:hunter-2x@proxy.example:3128", "hunter-2x"),
    "proxy without scheme": ("maria:hunter-2x@proxy.example:3128", "hunter-2x"),
    "SAS token in an address": (
        "https://acc.blob.core.windows.net/c/f?sv=2022-11-02&se=2027-01-01&sig=aB3%2Fd9x%3D", "aB3%2Fd9x%3D",
    ),
    "SAS token alone": ("sv=2022-11-02&ss=b&srt=sco&sp=rl&sig=aB3%2Fd9x%3D", "aB3%2Fd9x%3D"),
    "signed address": ("https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA&X-Amz-Signature=deadbeef01", "deadbeef01"),
    "user of a bucket": ("s3a://AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI@bucket/path", "wJalrXUtnFEMI"),
    "connection string": (
        "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=Zm9vYmFyYmF6cXV4==;EndpointSuffix=core", "Zm9vYmFy",
    ),
    "access key": ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    "bearer": ("Authorization: Bearer abcDEF0123456789abcDEF", "abcDEF0123456789abcDEF"),
    "basic": ("Proxy-Authorization: Basic bWFyaWE6aHVudGVyLTJ4", "bWFyaWE6aHVudGVyLTJ4"),
    "Databricks": ("dapi0123456789abcdef0123456789abcdef", "dapi0123456789abcdef"),
    "GitHub": ("https://ghp_0123456789abcdefghijABCDEFGHIJ012345@github.com/a/b.git", "ghp_0123456789"),
    "Hugging Face": ("hf_abcdefghijklmnopqrstuvwxyz", "hf_abcdef"),
    "JSON web token": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.sflKxwRJSMeKKF2QT4f", "sflKxwRJSMeKKF2QT4f"),
    "private key": ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----", "MIIEvQIBADANBgkq"),
    "service account": ('{"type": "service_account", "private_key": "MIIEvQIBADANBgkq"}', "MIIEvQIBADANBgkq"),
    "assignment": ("fs.s3a.secret.key=wJalrXUtnFEMI", "wJalrXUtnFEMI"),
    "quoted": ("{'fs.azure.account.key.acc.dfs.core.windows.net': 'Zm9vYmFyYmF6'}", "Zm9vYmFyYmF6"),
}  # fmt: skip

#: Names of Spark settings under which keys are given to object stores, metastores and secure clusters.
SPARK_SETTINGS = (
    "spark.hadoop.fs.s3a.access.key",
    "spark.hadoop.fs.s3a.secret.key",
    "spark.hadoop.fs.s3a.session.token",
    "spark.hadoop.fs.s3a.bucket.music.secret.key",
    "spark.hadoop.fs.azure.account.key.acc.dfs.core.windows.net",
    "spark.hadoop.fs.azure.sas.fixed.token.acc.dfs.core.windows.net",
    "spark.hadoop.fs.azure.account.oauth2.client.secret",
    "spark.hadoop.google.cloud.auth.service.account.private.key",
    "spark.hadoop.fs.gs.auth.service.account.json.keyfile.content",
    "spark.hadoop.javax.jdo.option.ConnectionPassword",
    "spark.hadoop.javax.jdo.option.ConnectionURL",
    "spark.authenticate.secret",
    "spark.ssl.keyStorePassword",
    "spark.driver.extraJavaOptions",
    "spark.executorEnv.AWS_SECRET_ACCESS_KEY",
    "spark.kubernetes.driverEnv.DB",
    "spark.sql.catalog.lake.token",
    "spark.sql.catalog.lake.s3.secret-access-key",
    "spark.databricks.delta.some.password",
    "my.own.setting",
)
SECRET = "wJalrXUtnFEMI-K7MDENG"


@pytest.mark.parametrize(("text", "secret"), SPELLINGS.values(), ids=SPELLINGS)
def test_a_secret_in_any_spelling_stands_in_no_error_line_setting_and_report(text, secret, tmp_path):
    assert secret in text
    for said in (text, f"GET {text}: 403", f"cannot open '{text}', see the log", f"mlflow.tracking_uri = {text}: no"):
        assert secret not in redact(said)
    assert secret not in str(ConfigError(f"mlflow: {text} is refused"))
    assert secret not in str(FetchError(Reason.FORBIDDEN, f"GET {text}"))
    assert secret not in shown(f"note: {text}")
    file = tmp_path / "my.toml"
    for key in ("mlflow.tracking_uri", "spotify.api_url", "every_noise.map", "deezer.api_url", "store.path"):
        section, name = key.split(".")
        file.write_text(f"[{section}]\n{name} = {json.dumps(text)}\n")
        config = load_config([file])
        assert secret not in json.dumps(redact_value("", config.model_dump(mode="json")))
        assert secret not in to_toml(config, comments=False, secrets=False)
        assert json.dumps(text, ensure_ascii=False) in to_toml(
            config
        )  # a configuration that is printed to be read again is whole


@pytest.mark.parametrize("name", SPARK_SETTINGS)
def test_a_spark_setting_that_is_not_known_to_be_harmless_is_left_out(name):
    config = load_config([], [f'spark.settings={{"{name}" = "{SECRET}"}}'])
    written = json.dumps(redact_value("", config.model_dump(mode="json")))
    page = to_toml(config, comments=False, secrets=False)
    assert SECRET not in written + page
    assert name in written and name in page and LEFT_OUT in written


def test_harmless_settings_and_addresses_are_shown_as_they_are():
    config = load_config(
        [],
        [
            'spark.settings={"spark.sql.shuffle.partitions" = "8", "spark.executor.memory" = "2g"}',
            "store.path=abfss://music@acc.dfs.core.windows.net/tables",
            "world.token_lifetime_s=60.0",
        ],
    )
    dumped = config.model_dump(mode="json")
    assert redact_value("", dumped) == dumped
    for text in (
        "summary9: 12 songs, token: none",
        "https://everynoise.com/engenremap-{slug}.html",
        "no access token: invalid_client",
        "the track's time_signature = 4",
        "file:///music/what?/1.mp3",
        "spotify:user:somebody:playlist:1yckyfEZtFkkq7UPXHbLwi",
        "12:30 at maria@music.example",
    ):
        assert redact(text) == text
    assert redact_url("https://a:b@host.example:81/x?sig=1#f") == "https://host.example:81/x"


@pytest.mark.parametrize("part", ["aa:", "a" * 50, "a=", "a:b,", "x@", "://", "password", "-", "a.b.", "'", '"'])
def test_no_long_text_takes_long(part):
    started = time.process_time()
    redact(part * (200_000 // len(part)))
    assert time.process_time() - started < 2.0


def test_a_secret_of_the_environment_stands_in_no_error(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "correct horse battery")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path))
    assert redact("401: correct horse battery is wrong") == f"401: {LEFT_OUT} is wrong"
    assert redact(f"{tmp_path} is no folder") == f"{tmp_path} is no folder"


def test_an_error_about_a_key_on_the_command_line_does_not_repeat_it(tmp_path):
    for override in (f"spark.settings.x={SECRET}", f'spark.settings="fs.s3a.secret.key={SECRET}"'):
        with pytest.raises(ConfigError) as caught:
            load_config([], [override, "train.min_songs=x", "spark.settings.y=[1]"])
        assert SECRET not in str(caught.value)
        assert "spark.settings" in str(caught.value)


class Store:
    """What :func:`genreatlas.runner.run_step` uses of a store; keeps the rows of ``runs``."""

    run_id = "r"
    location = SimpleNamespace(shown="here")

    def __init__(self):
        self.rows = []

    def lease(self, name):
        return nullcontext()

    def frame(self, table, rows):
        return rows

    def append(self, table, rows):
        self.rows += rows


@pytest.mark.parametrize(("text", "secret"), SPELLINGS.values(), ids=SPELLINGS)
def test_a_run_leaves_no_secret_in_its_row_nor_on_the_screen(text, secret, monkeypatch, capsys):
    def failing(error):
        def fail(store, config):
            raise error(f"cannot reach {text}")

        return fail

    store = Store()
    monkeypatch.setattr(runner, "open_store", lambda *_, **__: store)
    settings = {"spark.hadoop.fs.s3a.secret.key": text, "spark.driver.extraJavaOptions": text}
    config = load_config([], [f"mlflow.tracking_uri={json.dumps(text)}"])
    config = config.model_copy(update={"spark": config.spark.model_copy(update={"settings": settings})})
    step = ModuleType("genreatlas.steps.score")
    for error in (StoreError, ValueError):
        step.run = failing(error)
        with pytest.raises(GenreAtlasError) as caught:
            runner.run_step(step, None, config)
        assert secret not in str(caught.value)
    step.run = lambda store, config: Counts(1, 1, notes=(f"logged to {text}",))
    runner.run_step(step, None, config)
    assert len(store.rows) == 3
    written = capsys.readouterr()
    assert "logged to" in written.out
    assert secret not in json.dumps(store.rows, default=str) + written.out + written.err


def test_a_wrong_command_line_says_so_without_repeating_a_key(capsys, tmp_path):
    file = tmp_path / "my.toml"
    file.write_text(f'[spark.settings]\n"fs.s3a.secret.key" = ["{SECRET}"]\n')
    for arguments in (["--conf", str(file), "x"], ["--set", f"spark.settings.a.b={SECRET}", "--set", "x.y=1", "x"]):
        with pytest.raises(SystemExit) as ended:
            query(arguments)
        said = capsys.readouterr()
        assert ended.value.code == 2 and SECRET not in said.out + said.err and "genreatlas: " in said.err


def test_a_log_line_holds_no_secret_and_no_escape(caplog):
    with caplog.at_level(logging.INFO):
        shown_log("genreatlas.test").info("%s stays: %s", "x\x1b[2J", "http://a:hunter-2x@h/")
    assert caplog.messages == ["x\\x1b[2J stays: http://h/"]


def test_no_character_of_a_printed_text_steers_a_terminal_or_turns_its_direction():
    steering = "\x1b[2J\x07\x08\r\x7f\x9b31m\u202e\u2066\u200f\u061c\u2028\ufeff\ud800\U000e0041"
    text = printable(f"a{steering}b")
    assert text.isprintable() and text.startswith("a\\x1b[2J\\x07") and text.endswith("b")
    assert text.encode()
    assert printable("트로트, música,\tאבג\nنص") == "트로트, música,\tאבג\nنص"
