"""The store's tests once more, on tables of a catalog: three-part names, and a Hive metastore of its own."""

import subprocess
import sys

import pytest
from whole_jobs import ROOT, environment


@pytest.mark.slow
def test_tables_of_a_catalog_behave_as_those_below_a_path(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/spark/test_store.py"],
        cwd=ROOT,
        env=environment(GENREATLAS_TEST_METASTORE=str(tmp_path), PYTHONPATH=str(ROOT / "lib")),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=580,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout  # the lease of a local folder
    assert list(tmp_path.glob("db/seg0"))  # Derby's pages: the metastore was really used
