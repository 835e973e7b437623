"""What spark-submit.sh hands to Spark: options, a packed environment, and Python."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from genreatlas.session import HARMLESS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def submit(tmp_path):
    """Runs the script in a copy of the repository's top, with a Spark that only tells what it was told."""
    shutil.copy(ROOT / "spark-submit.sh", tmp_path)
    shutil.copytree(ROOT / "jobs", tmp_path / "jobs")
    spark = tmp_path / "spark" / "bin" / "spark-submit"
    spark.parent.mkdir(parents=True)
    spark.write_text('#!/bin/sh\necho "python=$PYSPARK_PYTHON"\nfor word in "$@"; do echo "$word"; done\n')
    spark.chmod(0o755)

    def run(*arguments, **more):
        kept = {name: value for name, value in os.environ.items() if "SPARK" not in name}
        places = {
            "SPARK_HOME": str(spark.parents[1]),
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            "PYTHONPATH": ROOT / "lib",
        }
        return subprocess.run(
            [tmp_path / "spark-submit.sh", *arguments],
            env=kept | {name: str(value) for name, value in places.items()} | more,
            capture_output=True,
            text=True,
            check=False,
        )

    run.packed = tmp_path / "dist" / "cluster-env.tar.gz"
    run.packed.parent.mkdir()
    return run


def test_on_this_machine_workers_run_the_drivers_python_and_nothing_is_sent(submit):
    submit.packed.touch()
    said = submit("score", "--verbose").stdout.splitlines()
    assert said[0] == f"python={sys.executable}"
    assert said[1:5] == ["--master", "local[*,4]", "--driver-memory", "2g"]
    assert "--archives" not in said
    assert said[-2:] == [str(submit.packed.parents[1] / "jobs" / "score.py"), "--verbose"]


def test_a_question_starts_no_java_but_where_options_of_spark_are_given(submit):
    said = submit("query", "--engine", "duckdb", "--set", "store.path=nowhere", "SELECT 1 AS x")
    assert said.returncode == 1 and "nowhere: no tables found" in said.stderr and not said.stdout
    assert submit("--master", "local[1]", "query", "SELECT 1").stdout.splitlines()[-1] == "SELECT 1"


def test_on_a_cluster_the_packed_environment_is_sent_along_where_it_is_there(submit):
    before = submit("--master", "spark://head:7077", "query", "SELECT 1")
    assert before.stdout.splitlines()[0] == "python=" and "--archives" not in before.stdout
    submit.packed.touch()
    after = submit("--master", "spark://head:7077", "query", "SELECT 1")
    assert after.stdout.splitlines()[0] == "python=./environment/bin/python"
    assert f"--archives\n{submit.packed}#environment\n" in after.stdout
    assert "dist/cluster-env.tar.gz" in after.stderr


def test_an_environment_that_was_chosen_by_hand_stays(submit):
    submit.packed.touch()
    own = submit(
        "--master=yarn", "--archives", "hdfs:///own.tar.gz#own", "query", "x", PYSPARK_PYTHON="./own/bin/python"
    )
    assert own.stdout.startswith("python=./own/bin/python\n")
    assert own.stdout.count("--archives") == 1 and "cluster-env" not in own.stdout
    assert "cluster-env" not in submit("--master", "yarn", "query", "x", PYSPARK_PYTHON="/usr/bin/python3").stdout
    assert "cluster-env" not in submit("--remote", "sc://server", "query", "x").stdout


def test_an_unknown_job_is_named_with_those_that_there_are(submit):
    done = submit("dance")
    assert done.returncode == 2
    assert "unknown job dance" in done.stderr and "train_models" in done.stderr


JAVA_SAYS = """\
WARNING: Using incubator modules: jdk.incubator.vector
netlib-blas: dlopen failed: libblas.so.3: cannot open shared object file
WARNING: A terminally deprecated method in sun.misc.Unsafe has been called
12:00:00 ERROR Executor: a fault of Spark
WARNING: of somebody else
"""


def test_what_java_says_at_every_start_is_left_out_and_everything_else_is_shown(submit):
    submit.packed.parents[1].joinpath("spark/bin/spark-submit").write_text(
        f"#!/bin/sh\ncat >&2 <<'END'\n{JAVA_SAYS}END\nexit 3\n"
    )
    done = submit("score")
    assert done.stderr.splitlines() == JAVA_SAYS.splitlines()[3:]
    assert done.returncode == 3
    assert submit("score", "--verbose").stderr == JAVA_SAYS


def test_a_job_that_starts_java_itself_leaves_out_the_same_lines_and_loses_no_other_one(tmp_path):
    java = tmp_path / "java"
    java.write_text("cat >&2\nprintf 'odd: \\377 \\000\\n' >&2\nsleep 1\necho 'last words' >&2\n")
    program = f"""
import os, subprocess
from genreatlas.session import quiet_java
with quiet_java():
    java = subprocess.Popen(["sh", {str(java)!r}], stdin=subprocess.PIPE)
    os.write(2, b"from inside\\n")
java.stdin.write({JAVA_SAYS!r}.encode())
java.stdin.close()
os.write(2, b"from here\\n")
os._exit(3)
"""
    done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 3
    kept = JAVA_SAYS.encode().splitlines()[3:]
    assert sorted(done.stderr.splitlines()) == sorted(
        [b"from inside", b"from here", *kept, b"odd: \xff \0", b"last words"]
    )


def test_both_ways_of_starting_leave_out_the_same():
    script = (ROOT / "spark-submit.sh").read_text()
    told = "".join(re.findall(r"harmless\+?='([^']*)'", script))
    assert told == HARMLESS


def test_a_check_needs_neither_spark_nor_java(submit, tmp_path):
    shutil.rmtree(tmp_path / "spark")
    done = submit("check", "--set", "folder.path=/none/such", JAVA_HOME="/none")
    assert done.returncode == 2
    assert "folder.path = /none/such: no such folder" in done.stdout
