"""The same pipeline on Spark Connect, whose server has the libraries that workers need, but not this package."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from whole_jobs import ROOT, assert_equal_stores, command, environment, run

from connect_server import connect_server
from genreatlas.session import DELTA_SETTINGS, LOCAL_SETTINGS, jars_folder


@pytest.fixture
def stranger(tmp_path):
    """A Python with everything that is installed here but what is installed as a link to its sources."""
    folder = tmp_path / "stranger"
    venv.create(folder, symlinks=True)
    here, there = (Path(sysconfig.get_path("purelib", vars={"base": base})) for base in (sys.prefix, folder))
    # Links of packages under development are themselves such files, which are not followed from another's folder.
    (there / "beside.pth").write_text(str(here), encoding="utf-8")
    python = str(folder / "bin" / "python")
    alone = environment()
    alone.pop("PYTHONPATH", None)
    assert subprocess.run([python, "-c", "import librosa, pandas, sklearn"], env=alone, check=False).returncode == 0
    assert subprocess.run([python, "-c", "import genreatlas"], env=alone, check=False, capture_output=True).returncode
    return python


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_connect_server_that_does_not_know_the_package_gives_the_same_tables(undisturbed, stranger, tmp_path):
    server = environment(PYSPARK_PYTHON=stranger, SPARK_LOCAL_IP="127.0.0.1")
    server.pop("PYTHONPATH", None)
    jars = ",".join(map(str, sorted(jars_folder().glob("*.jar"))))
    settings = DELTA_SETTINGS | LOCAL_SETTINGS | {"spark.jars": jars, "spark.sql.shuffle.partitions": "2"}
    home = tmp_path / "home"
    with connect_server(tmp_path, server, settings) as (address, _):
        arguments = command("pipeline", home, undisturbed.music)
        job = arguments.index("pipeline")
        done = run([sys.executable, str(ROOT / "jobs" / "pipeline.py"), *arguments[job + 1 :]], SPARK_REMOTE=address)
    assert done.returncode == 0, done.stdout
    assert_equal_stores(undisturbed.home, home)
