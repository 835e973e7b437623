"""What is known of models in use: decisions, and how far new music has drifted from the champion's."""

from dataclasses import replace

import pandas as pd
from pyspark.sql import functions as F

from genreatlas.report.data import ReportData
from genreatlas.store import Reader
from genreatlas.tables import DRIFT, PROMOTIONS

_MOST_DECISIONS = 20
_MOST_DRIFTED = 12


def add_in_use(data: ReportData, store: Reader, alias: str) -> ReportData:
    """The last decisions on an alias, newest first, and what drifted most against the model that bears it."""
    mine = store.read(PROMOTIONS).where(F.col("alias") == alias)
    decisions = mine.orderBy(F.desc("sequence")).limit(_MOST_DECISIONS).toPandas()
    if decisions.empty:
        return data
    rows = store.read(DRIFT).where(F.col("model_id") == decisions["model_id"].iloc[0]).toPandas()
    return replace(data, decisions=decisions, drift=_most_drifted(rows))


def _most_drifted(rows: pd.DataFrame) -> pd.DataFrame:
    """The sum over genres of each population first, then single features and genres by their index."""
    ranked = rows.assign(single=rows["name"] != "*")
    ranked = ranked.sort_values(["single", "psi", "population", "name"], ascending=[True, False, True, True])
    most = _MOST_DRIFTED + int((~ranked["single"]).sum())
    return ranked.head(most).drop(columns="single").reset_index(drop=True)
