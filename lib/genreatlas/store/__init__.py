"""Tables of a store: readers, snapshots, and the only code that writes Delta tables."""

from genreatlas.store.arrivals import Arriving, BatchFile
from genreatlas.store.failures import explain
from genreatlas.store.reader import Reader, Snapshot, missing
from genreatlas.store.staging import Staged
from genreatlas.store.statements import quote
from genreatlas.store.writer import Store, open_store

__all__ = [
    "Arriving", "BatchFile", "Reader", "Snapshot", "Staged", "Store", "explain", "missing", "open_store", "quote",
]  # fmt: skip
