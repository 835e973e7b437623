"""The only code that writes Delta tables: reads, staging, merges, leases."""

from genreatlas.store.faults import explain
from genreatlas.store.snapshot import Snapshot
from genreatlas.store.staging import Staged
from genreatlas.store.statements import quote
from genreatlas.store.store import Store, open_store
from genreatlas.store.upgrading import missing

__all__ = ["Snapshot", "Staged", "Store", "explain", "missing", "open_store", "quote"]
