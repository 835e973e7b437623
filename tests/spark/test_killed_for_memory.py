"""A worker that the system kills again and again ends the job in one line, after two tries instead of four."""

import os
import signal
from functools import partial

import pytest

from genreatlas.store import explain
from genreatlas.watching import watched


def test_a_worker_that_is_killed_twice_is_not_tried_again_and_the_line_says_what_grew(spark, tmp_path):
    def deadly(folder, batches):
        (folder / str(os.getpid())).touch()
        os.kill(os.getpid(), signal.SIGKILL)
        yield from batches

    rows = spark.range(0, 1, 1, 1).mapInArrow(watched(partial(deadly, tmp_path)), "id bigint")
    with pytest.raises(Exception, match="WorkerKilledError") as error:
        rows.collect()
    assert len(list(tmp_path.iterdir())) == 2
    line = explain(error.value, "/data/tables", "extract_features")
    assert line.startswith("extract_features: a Python worker was killed 2 times at the same task")
    assert "it had grown to" in line and "extract.batch_rows" in line and "\n" not in line
