"""Experiments, fold scores and models of a store: read once per run, new rows written in batches."""

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

#: Rows are collected for this time before a commit, as a commit takes 1 to 2 s, as long as many a fit. A killed run
#: repeats at most the fits of this time.
SECONDS_BETWEEN_COMMITS = 20.0

#: Order of writing: scores before the rows that are derived from them.
_ORDER = (FOLD_SCORES, TRAINING_GENRES, EXPERIMENTS, MODELS)


#: Reasons of experiments that another run may complete.
UNFINISHED = (Reason.CUT_EARLY.value, Reason.OVER_BUDGET.value)


class Ledger:
    """Experiments, fold scores and models of one split, level and label rule (``train.labels``).

    Leaving the ``with`` block writes the rows that are not written yet, even after an exception; a killed process
    loses them.

    Attributes
    ----------
    experiments : rows of ``experiments`` by id.
    models : ids of ``models``.
    folds : rows of ``fold_scores`` by experiment and fold, of experiments that have no row yet or were not scored on
        all folds because of a killed run, successive halving or a spent budget.
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
        """Read the rows of ``fold_scores`` of given experiments from the store."""
        mine = F.col("experiment_id").isin(list(experiments))
        return [row.asDict() for row in self.store.read(FOLD_SCORES).where(mine).collect()]

    def replace(self, folds: Sequence[RowView], experiments: Sequence[RowView]) -> None:
        """Replace the rows with the same keys, without waiting for the next commit; folds first."""
        self.store.upsert(FOLD_SCORES, folds, update=True)
        self.store.upsert(EXPERIMENTS, experiments, update=True)
        self.experiments |= {row["experiment_id"]: dict(row) for row in experiments}
        written = {(row["experiment_id"], row["fold"]): dict(row) for row in folds}
        self.folds |= {key: row for key, row in written.items() if key in self.folds}

    def add(self, table: Table, rows: Rows) -> None:
        """Collect rows; write all collected rows if the last commit is :data:`SECONDS_BETWEEN_COMMITS` ago."""
        self._waiting[table.name] += records(table, rows)
        if time.monotonic() - self._since >= SECONDS_BETWEEN_COMMITS:
            self.flush()

    def flush(self) -> None:
        """Write the collected rows."""
        for table in _ORDER:
            if rows := self._waiting[table.name]:
                self.store.upsert(table, rows, update=table in (EXPERIMENTS, MODELS))
            self._waiting[table.name] = []
        self._since = time.monotonic()
