"""Rows of a store, made comparable."""

import pandas as pd

from genreatlas.store import Store
from genreatlas.tables import Table


def rows(store: Store, table: Table) -> pd.DataFrame:
    """Lasting columns of a table, sorted by key."""
    lasting = [name for name in table.column_names if name not in table.volatile]
    found = store.read(table).select(*lasting).toPandas()
    return found.sort_values(list(table.key)).reset_index(drop=True)
