"""The distributed grid of the networks: one task per candidate and fold, on clips stored in shards."""

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

#: Progress files older than this, in s, are left by killed workers: an epoch takes minutes at most.
_FRESH_S = 600.0


class SequenceGrid(TaskGrid):
    """Fits networks on one feature set; see :class:`genreatlas.models.engines.protocol.Fitter`.

    Shards are written to ``train.shared_path`` if it is set, and reused there by later runs; else to a temporary folder
    of this process, which only workers on this machine can read.
    """

    def __init__(self, data: TrainingData) -> None:
        shared = data.train.shared_path
        home = shared.absolute() if shared is not None else scratch_folder("matrix")
        folder = home / f"{data.matrix.dataset_id}-clips"
        self._folder = folder
        super().__init__(replace(data, matrix=write_sequences(data.dataset, data.matrix, folder)))

    def running(self) -> list[str]:
        """Epoch and losses of each running fit whose progress file this process can read."""
        lines = []
        for path in sorted(self._folder.glob(f"{RUNNING}*.json")):
            with suppress(OSError, ValueError, KeyError):  # the fit ended meanwhile
                if time.time() - path.stat().st_mtime < _FRESH_S:
                    lines.append(str(json.loads(path.read_text(encoding="utf-8"))["line"]))
        return lines

    def score_folds(self, tasks: Sequence[FoldTask], tasks_a_core: int | None = None) -> Iterator[list[FoldResult]]:
        """Run one task per core in each Spark job, as fits are long and scores are stored after each job."""
        yield from super().score_folds(tasks, 1)
