"""Rows of a store for comparison."""

import pandas as pd

from genreatlas.store import Store
from genreatlas.tables import Table


def rows(store: Store, table: Table) -> pd.DataFrame:
    """Rows of a table without volatile columns, sorted by key."""
    lasting = [name for name in table.column_names if name not in table.volatile]
    found = store.read(table).select(*lasting).toPandas()
    return found.sort_values(list(table.key)).reset_index(drop=True)
