"""Predictions and figures of the store, as far as the driver needs them."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.evaluation.cases import Case
from genreatlas.evaluation.songs import outcome_rows, row_confusions
from genreatlas.models.fetching import fetch
from genreatlas.store import Store
from genreatlas.tables import METRICS, PREDICTIONS

#: Bytes of a fetched row: ids and genre names of one song, in Arrow.
_ROW_BYTES = 250

#: Rows of ``metrics`` that the driver hands over at once: some 20 MB.
_ROWS_A_COMMIT = 200_000


class Predictions:
    """Stored predictions of some models, fetched once and kept until a model gets new ones."""

    def __init__(self, store: Store, max_mb: int) -> None:
        self.store = store
        self.max_mb = max_mb
        self._outcomes: dict[str, pd.DataFrame] = {}

    def known(self, cases: Sequence[Case], part: str) -> dict[str, pd.Series]:
        """Per model: song_id → genres and group that its prediction was stored with, as one text."""
        rows = self._of(case.model_id for case in cases).where(F.col("part") == part)
        state = F.concat_ws("\n", "group_id", F.array_join("genres", "\n")).alias("state")
        table = fetch(rows.select("model_id", "song_id", state), "song_id", self.max_mb, _ROW_BYTES).to_pandas()
        known = {str(model): group.set_index("song_id")["state"] for model, group in table.groupby("model_id")}
        nothing = pd.Series([], index=pd.Index([], dtype=object), dtype=object)
        return {case.model_id: known.get(case.model_id, nothing) for case in cases}

    def outcomes(self, cases: Sequence[Case]) -> None:
        """Fetch :data:`~genreatlas.evaluation.songs.OUTCOME` rows of several models at once."""
        missing = [case for case in cases if case.model_id not in self._outcomes]
        if not missing:
            return
        rows = outcome_rows(self._of(case.model_id for case in missing))
        table = fetch(rows, "song_id", self.max_mb, _ROW_BYTES).to_pandas()
        parts = {str(model): group for model, group in table.groupby("model_id")}
        for case in missing:
            mine = parts.get(case.model_id, table.iloc[:0])
            self._outcomes[case.model_id] = mine[mine["song_id"].isin(case.songs["song_id"])].reset_index(drop=True)

    def outcomes_of(self, case: Case) -> pd.DataFrame:
        """Outcome rows of one model, of the songs that are judged now."""
        self.outcomes([case])
        return self._outcomes[case.model_id]

    def rows_of(self, case: Case) -> pd.DataFrame:
        """Rows (frames or clips) per song, true and predicted genre, of songs that have several."""
        table = row_confusions(self._of([case.model_id])).toArrow().to_pandas()
        return table[table["song_id"].isin(case.songs["song_id"])]

    def scores(self, case: Case, classes: Sequence[str], songs: pd.Series) -> NDArray[np.float64]:
        """Scores of some genres, (n_songs, n_classes), for songs in the given order."""
        wanted = F.array(*[F.col("scores")[genre] for genre in classes]).alias("scores")
        frame = self._of([case.model_id]).select("song_id", wanted)
        table = fetch(frame, "song_id", self.max_mb, 60 + 8 * len(classes)).to_pandas().set_index("song_id")
        picked = table["scores"].reindex(songs)
        return np.stack(picked.tolist()).astype(np.float64) if len(picked) else np.empty((0, len(classes)))

    def _of(self, model_ids: Iterable[str]) -> DataFrame:
        return self.store.read(PREDICTIONS).where(F.col("model_id").isin(list(model_ids)))


class Figures:
    """The rows of ``metrics`` of some models and one part; those on all genres are kept at hand."""

    def __init__(self, store: Store, part: str, model_ids: Iterable[str]) -> None:
        self.store = store
        self.part = part
        mine = (F.col("part") == part) & F.col("model_id").isin(list(model_ids))
        self._rows = self.store.read(METRICS).where(mine).where("genre_id = '*'").toPandas()

    @property
    def overall(self) -> pd.DataFrame:
        """Rows that concern all genres: figures, comparisons, importances."""
        return self._rows

    def of_songs(self) -> pd.DataFrame:
        """Those of unit song."""
        return self._rows[self._rows["unit"] == "song"]

    def write(self, rows: pd.DataFrame, models: Sequence[str], owned: str = ".*") -> int:
        """Write rows of ``metrics``, then delete what they take the place of.

        Parameters
        ----------
        rows : with model_id, unit and grouping beside the columns of figures.
        models, owned : of these models, stored rows whose metric fits the pattern and that are not among
            ``rows`` are outdated and go.

        Returns
        -------
        Number of rows written.
        """
        written, key = 0, list(METRICS.key)
        rows = rows.assign(part=self.part)
        for start in range(0, len(rows), _ROWS_A_COMMIT):
            written += self.store.upsert(METRICS, rows.iloc[start : start + _ROWS_A_COMMIT], update=True)
        outdated = self._rows["model_id"].isin(models) & self._rows["metric"].str.fullmatch(owned)
        if outdated.any():
            mine = (F.col("part") == self.part) & F.col("model_id").isin(list(models))
            stored = self.store.read(METRICS).where(mine).select(key).toPandas()
            stored = stored[stored["metric"].str.fullmatch(owned)]
            gone = stored[~pd.MultiIndex.from_frame(stored).isin(pd.MultiIndex.from_frame(rows[key]))]
            if len(gone):
                self.store.delete(METRICS, self.store.spark.createDataFrame(gone))
        fresh = rows[rows["genre_id"] == "*"].astype({"n_songs": "Int64", "n_groups": "Int64"})
        kept = self._rows[~outdated]
        self._rows = pd.concat([kept, fresh] if len(kept) else [fresh], ignore_index=True)
        return written
