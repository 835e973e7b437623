"""The grid of the networks: tasks as of the other engines that fit on one core, on clips that lie in shards."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from genreatlas.datasets.sequences import write_sequences
from genreatlas.models.engines.networks.network_fits import RUNNING
from genreatlas.models.engines.protocol import TrainingData
from genreatlas.models.engines.task_grid import TaskGrid
from genreatlas.models.types import FoldResult, FoldTask
from genreatlas.scratch import scratch_folder

#: What was written longer ago is of a worker that was killed: an epoch takes minutes at most.
_FRESH_S = 600.0


class SequenceGrid(TaskGrid):
    """Fits networks on one feature set; see :class:`genreatlas.models.engines.protocol.Fitter`.

    The shards lie in ``train.shared_path`` where it is named, and are found there again by a later run; else in a
    temporary folder of this process, which workers on this machine can read.
    """

    def __init__(self, data: TrainingData) -> None:
        shared = data.train.shared_path
        home = shared.absolute() if shared is not None else scratch_folder("matrix")
        folder = home / f"{data.matrix.dataset_id}-clips"
        self._folder = folder
        super().__init__(replace(data, matrix=write_sequences(data.dataset, data.matrix, folder)))

    def running(self) -> list[str]:
        """Epoch and losses of each fit that is under way, where this process sees what its worker writes."""
        lines = []
        for path in sorted(self._folder.glob(f"{RUNNING}*.json")):
            with suppress(OSError, ValueError, KeyError):  # it ended meanwhile
                if time.time() - path.stat().st_mtime < _FRESH_S:
                    lines.append(str(json.loads(path.read_text(encoding="utf-8"))["line"]))
        return lines

    def score_folds(self, tasks: Sequence[FoldTask], tasks_a_core: int | None = None) -> Iterator[list[FoldResult]]:
        """One task a core in each Spark job: a fit is long, and what is scored is written down after each job."""
        yield from super().score_folds(tasks, 1)
