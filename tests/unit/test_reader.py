"""What reads a store cannot write to it."""

import inspect
import re

import pytest

from genreatlas.store import Reader, Snapshot, Store, reader

#: What a reader offers. Whoever adds to it asks whether it commits.
READS = {"ended", "exists", "live", "read", "schema", "version"}
WRITES = {"append", "create", "delete", "lease", "retried", "sql", "stage", "staged", "upgrade", "upsert"}


def public(kind):
    return {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}


def test_a_snapshot_is_a_reader_without_a_method_that_writes():
    assert issubclass(Snapshot, Reader) and not issubclass(Snapshot, Store)
    assert public(Reader) == READS
    assert public(Snapshot) == READS | {"read_versions"}
    assert public(Store) >= READS | WRITES


#: What a statement that commits begins with, and the way of frames.
COMMITS = ("ALTER", "CREATE", "DELETE", "INSERT", "MERGE", "OPTIMIZE", "UPDATE", "VACUUM", r"\.write\b", "saveAsTable")


@pytest.mark.parametrize("word", COMMITS)
def test_the_readers_say_nothing_to_spark_that_commits(word):
    assert not re.search(word, inspect.getsource(reader))
