"""Results of experiments on confounds for the report."""

import pandas as pd
from pyspark.sql import functions as F

from genreatlas.store import Reader
from genreatlas.tables import PROBES

#: Input tables: the section is outdated when one of their versions changes.
INPUTS = (PROBES,)
#: Kinds of experiments in the order of the table.
KINDS = ("music", "alone", "artist", "change", "apart", "transfer")


def read_probes(store: Reader, split: str) -> pd.DataFrame:
    """Accuracy over all genres of each experiment, ordered by feature set and kind of experiment."""
    mine = (F.col("split") == split) & (F.col("genre_id") == "*") & (F.col("metric") == "accuracy")
    rows = store.read(PROBES).where(mine).toPandas()
    order = {kind: place for place, kind in enumerate(KINDS)}
    rows["_kind"] = rows["kind"].map(order).fillna(len(order))
    return rows.sort_values(["feature_set", "_kind", "name"], ignore_index=True).drop(columns="_kind")
