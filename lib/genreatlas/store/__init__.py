"""The only code that writes Delta tables: reads, staging, merges, leases."""

from genreatlas.store.staging import Staged
from genreatlas.store.statements import quote
from genreatlas.store.store import Store, open_store

__all__ = ["Staged", "Store", "open_store", "quote"]
