"""What cannot be read or written is said in one line: what, where, what to do; the original comes with --verbose."""

import errno
import os
import signal
import time
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace

import pytest

from genreatlas import cli, runner
from genreatlas.config import load_config
from genreatlas.counts import Counts
from genreatlas.errors import UnexpectedError
from genreatlas.steps import write_report
from genreatlas.store import explain
from genreatlas.store.reader import Location

TRACE = "\n".join(f"\tat org.apache.spark.sql.Dataset.collect(Dataset.scala:{number})" for number in range(800))

#: What was said, and what of it has to be in the line.
SAID = {
    "missing": (
        "An error occurred while calling o71.collectToPython.\n: org.apache.spark.SparkException: [FAILED_READ_FILE."
        "DBR_FILE_NOT_EXIST] Encountered error while reading file file:///data/tables/songs/part-0.snappy.parquet. "
        "File does not exist.",
        ("songs: damaged", "songs/part-0.snappy.parquet", "move /data/tables/songs aside", "import_folder"),
    ),
    "cut": (
        "org.apache.spark.SparkException: [FAILED_READ_FILE.NO_HINT] Encountered error while reading file "
        "file:/data/tables/features_summary9/part%2D0.parquet. java.lang.RuntimeException: is not a Parquet file",
        ("features_summary9: damaged", "part-0.parquet", "from a copy"),
    ),
    "staged": (
        "[DELTA_LOG_FILE_NOT_FOUND_FOR_STREAMING_SOURCE] /data/tables/_staging/score/_delta_log/0001.json",
        ("_staging/score: damaged", "remove /data/tables/_staging/score and run the job again"),
    ),
    "full": ("java.io.IOException: No space left on device", ("no space is left on the disk", "run the job again")),
    "closed": (
        "java.io.FileNotFoundException: /data/tables/runs/_delta_log/.1.json (Read-only file system)",
        ("/data/tables/runs/_delta_log/.1.json", "cannot be written", "store.path"),
    ),
    "heap": ("java.lang.OutOfMemoryError: Java heap space", ("--driver-memory", "store.max_commit_mb")),
    "killed": (
        "Job aborted due to stage failure: Task 1 failed 4 times: SparkException: Python worker exited "
        "unexpectedly (crashed)",
        ("a Python worker was killed", "Likely cause", "extract.batch_rows", "local[1,4]"),
    ),
    "killed twice": (
        "PythonException: Traceback (most recent call last): genreatlas.errors.WorkerKilledError: a Python worker was "
        "killed 2 times at the same task, most likely because memory was used up: it had grown to 5,812 MB of the "
        "machine's 7,950 MB\n",
        ("killed 2 times", "5,812 MB of the machine's 7,950 MB. Likely cause", "extract.batch_rows"),
    ),
    "gone": ("Answer from Java side is empty", ("Spark's Java process has ended", "run the job again")),
    "missing library": (
        "pyspark.errors.PythonException: An exception was thrown from the Python worker.\nTraceback (most recent call "
        'last):\n  File "worker.py", line 7\nModuleNotFoundError: No module named \'soundfile\'\n',
        ("No module named 'soundfile'", "Install what is missing"),
    ),
    "other": ("[DIVIDE_BY_ZERO] Division by zero. SQLSTATE: 22012", ("RuntimeError: [DIVIDE_BY_ZERO] Division",)),
}  # fmt: skip


@pytest.mark.parametrize("kind", SAID)
def test_hundreds_of_lines_become_one_that_says_where_and_what_to_do(kind):
    said, wanted = SAID[kind]
    line = explain(RuntimeError(f"{said}\n{TRACE}"), "/data/tables", "extract_features")
    assert "\n" not in line and "\tat " not in line and len(line) < 600
    assert line.startswith("extract_features: ") and "--verbose" in line
    for part in wanted:
        assert part in line


def test_an_error_of_the_operating_system_is_known_by_its_number_and_names_its_file():
    full = OSError(errno.ENOSPC, "kein Platz", "/data/report/index.html")
    assert "no space is left" in explain(full, "/data/tables", "write_report")
    closed = OSError(errno.EROFS, "nur lesbar", "/data/report/index.html")
    assert "/data/report/index.html: cannot be written" in explain(closed, "/data/tables", "write_report")


def test_what_an_error_came_from_counts_too():
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as cause:
            raise RuntimeError("could not stage") from cause
    except RuntimeError as error:
        assert "no space is left" in explain(error, "/data/tables")


@pytest.mark.parametrize("name", ["a`b", "a b", "a'b"])
def test_a_path_is_quoted_for_sql(name):
    assert Location(root=f"/x/{name}").sql("songs") == f"delta.`/x/{name.replace('`', '``')}/songs`"


class Broken:
    """A store that takes no row of runs."""

    run_id = "r"
    location = Location(root="/data/tables")

    def lease(self, name):
        return nullcontext()

    def frame(self, table, rows):
        return rows

    def append(self, table, frame):
        raise RuntimeError("second: Permission denied")


def step(run):
    module = ModuleType("genreatlas.steps.housekeeping")
    module.run, module.READS, module.WRITES, module.SECTIONS = run, (), (), ()
    return module


def fail(store, config):
    raise RuntimeError("first: No space left on device")


def test_the_row_of_runs_that_cannot_be_written_hides_neither_the_first_error_nor_itself(monkeypatch):
    monkeypatch.setattr(runner, "open_store", lambda *_, **__: Broken())
    with pytest.raises(UnexpectedError, match="no space is left") as caught:
        runner.run_step(step(fail), None, load_config([], []))
    assert str(caught.value.__cause__).startswith("first")
    with pytest.raises(UnexpectedError, match="cannot be written"):
        runner.run_step(step(lambda store, config: Counts()), None, load_config([], []))


@pytest.mark.parametrize("verbose", [False, True])
def test_a_job_that_cannot_go_on_says_one_line_and_with_verbose_all(monkeypatch, capsys, verbose):
    monkeypatch.setenv("GENREATLAS_VERBOSE", "")
    monkeypatch.setattr(runner, "open_store", lambda *_, **__: Broken())
    monkeypatch.setattr("genreatlas.session.get_spark", lambda *_, **__: SimpleNamespace())
    monkeypatch.setattr(cli, "_step", lambda _: step(fail))
    with pytest.raises(SystemExit) as ended:
        cli.main(step(fail), ["--verbose"] if verbose else [])
    said = capsys.readouterr().err.strip()
    assert ended.value.code == 1
    assert said.splitlines()[-1].startswith("genreatlas: housekeeping: ")
    assert ("Traceback" in said, len(said.splitlines()) > 1) == (verbose, verbose)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_job_that_is_stopped_says_so_in_one_line_and_ends_in_order(monkeypatch, capsys, number, code):
    def wait(store, config):
        os.kill(os.getpid(), number)
        time.sleep(10)

    monkeypatch.setattr(runner, "open_store", lambda *_, **__: Broken())
    monkeypatch.setattr("genreatlas.session.get_spark", lambda *_, **__: SimpleNamespace())
    monkeypatch.setattr(cli, "_step", lambda _: step(wait))
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as ended:
        cli.main(step(wait), [])
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (code, 1)
    assert "stopped by" in said and "run the job again" in said
    assert signal.getsignal(number) == before


@pytest.mark.parametrize(
    "content", ["[]", "[1, 2]", "null", '"x"', "{", "{}", '{"versions": [], "files": []}', "[" * 100_000,
                '{"versions": {}, "files": 5}', '{"versions": {}, "files": [[]]}'],
)  # fmt: skip
def test_a_report_json_of_another_shape_is_as_good_as_none(tmp_path, content):
    (tmp_path / "index.html").touch()
    (tmp_path / "report.json").write_text(content)
    assert write_report._state(tmp_path) == {}
