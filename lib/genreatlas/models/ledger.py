"""What a store knows of training, read once; and what a run adds to it, written a few times."""

import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType

from pyspark.sql import functions as F

from genreatlas.config import Config
from genreatlas.errors import Reason
from genreatlas.store import Store
from genreatlas.store.row_checks import Rows, records
from genreatlas.tables import EXPERIMENTS, FOLD_SCORES, MODELS, TRAINING_GENRES, Table
from genreatlas.values import RowView

#: A commit takes a second or two, as much as many a fit, so rows wait for each other; a killed run repeats no more.
SECONDS_BETWEEN_COMMITS = 20.0

#: Scores before what rests on them.
_ORDER = (FOLD_SCORES, TRAINING_GENRES, EXPERIMENTS, MODELS)


#: Reasons of experiments that another run may score to their end.
UNFINISHED = (Reason.CUT_EARLY.value, Reason.OVER_BUDGET.value)


class Ledger:
    """Experiments, fold scores and models of one split, level and way of labels.

    Leaving the ``with`` block writes what waits, even where a step failed; a killed process loses it.

    Attributes
    ----------
    experiments : rows of ``experiments``, by their id.
    models : ids of ``models``.
    folds : by experiment and fold, rows of ``fold_scores`` whose experiment has no row yet, or was not scored to its
        end: what a killed run, successive halving or a spent budget left.
    """

    def __init__(self, store: Store, config: Config) -> None:
        self.store = store
        here = (
            (F.col("split") == config.splits.name)
            & (F.col("level") == config.train.level)
            & (F.col("labels") == config.train.labels)
        )
        stored = store.read(EXPERIMENTS).where(here).collect()
        self.experiments = {row["experiment_id"]: row.asDict() for row in stored}
        self.models = {row[0] for row in store.read(MODELS).where(here).select("model_id").collect()}
        ended = F.col("reason").isNull() | ~F.col("reason").isin(*UNFINISHED)
        whole = store.read(EXPERIMENTS).where(ended).select("experiment_id")
        left = store.read(FOLD_SCORES).join(whole, "experiment_id", "left_anti").collect()
        self.folds = {(row["experiment_id"], row["fold"]): row.asDict() for row in left}
        self._waiting: dict[str, list[Mapping[str, object]]] = {table.name: [] for table in _ORDER}
        self._since = time.monotonic()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, Exception):
            self.flush()

    def folds_of(self, experiments: Iterable[str]) -> list[dict[str, object]]:
        """Stored rows of ``fold_scores`` of some experiments."""
        mine = F.col("experiment_id").isin(list(experiments))
        return [row.asDict() for row in self.store.read(FOLD_SCORES).where(mine).collect()]

    def replace(self, folds: Sequence[RowView], experiments: Sequence[RowView]) -> None:
        """Write rows in place of those with the same keys, at once: folds first."""
        self.store.upsert(FOLD_SCORES, folds, update=True)
        self.store.upsert(EXPERIMENTS, experiments, update=True)
        self.experiments |= {row["experiment_id"]: dict(row) for row in experiments}
        written = {(row["experiment_id"], row["fold"]): dict(row) for row in folds}
        self.folds |= {key: row for key, row in written.items() if key in self.folds}

    def add(self, table: Table, rows: Rows) -> None:
        """Keep rows, and write all that wait when it is time."""
        self._waiting[table.name] += records(table, rows)
        if time.monotonic() - self._since >= SECONDS_BETWEEN_COMMITS:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        for table in _ORDER:
            if rows := self._waiting[table.name]:
                self.store.upsert(table, rows, update=table in (EXPERIMENTS, MODELS))
            self._waiting[table.name] = []
        self._since = time.monotonic()
