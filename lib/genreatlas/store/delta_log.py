"""The log of a table on a local folder, read without Spark: its newest version, and whether its files are there."""

import json
import urllib.parse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from genreatlas.errors import StoreError
from genreatlas.store.failures import damaged_table
from genreatlas.values import JsonView, RowView

LOG = "_delta_log"


def commits(table: Path) -> dict[int, Path]:
    """Commits of a table by version; none where it has no log."""
    return {int(file.stem): file for file in (table / LOG).glob("*.json") if file.stem.isdigit()}


def newest_version(name: str, table: Path) -> int | None:
    """Newest version of a table; None where there is no such table.

    Raises
    ------
    StoreError : a commit has no bytes, or the newest one ends early, which Delta reads as a commit with fewer rows; the
        log is gone, and rows are left.
    """
    found = commits(table)
    newest = max(found, default=None)
    for version, file in sorted(found.items()):
        lost = "has no bytes" if not _has_bytes(file) else _lost_end(file) if version == newest else ""
        if lost:
            mend = f"; if there is none, delete the file, which goes back to version {version - 1}"
            what = f"{file} {lost}, as after a crash or on a full disk{mend if version == newest else ''}"
            raise StoreError(damaged_table(name, what, str(table)))
    if newest is not None:
        return newest
    if not has_checkpoint(table) and (table.is_file() or any(table.glob("*.parquet"))):
        what = f"{table} is a file" if table.is_file() else f"{table / LOG} has no commits, and rows lie beside it"
        raise StoreError(damaged_table(name, what, str(table)))
    return None


def _has_bytes(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # an old commit that another process has just cleaned up
        return True


#: Size and time of the newest commit of a table that was found to be whole.
_whole: dict[Path, tuple[Path, int, int]] = {}
#: What an operation says of itself: metrics whose sum is the number of rows in the files that it adds.
_ROWS = {
    "WRITE": ("numOutputRows",),
    "CREATE TABLE AS SELECT": ("numOutputRows",),
    "MERGE": ("numOutputRows",),
    "UPDATE": ("numUpdatedRows", "numCopiedRows"),
    "DELETE": ("numCopiedRows",),
}
#: ... and metrics that are the number of its actions of a kind. (numFiles of WRITE counts files without rows, too.)
_ACTIONS = {
    "remove": ("numTargetFilesRemoved", "numRemovedFiles", "num_removed_files"),
    "add": ("num_added_files",),
}
#: What :mod:`genreatlas.store.arrivals` says in its commits: how many files they add, before the transaction's number.
FILES_ADDED = "filesAdded"
#: Operations that describe the table anew and do nothing else.
_DESCRIBING = frozenset({"ADD COLUMNS", "CHANGE COLUMN", "SET TBLPROPERTIES", "UNSET TBLPROPERTIES"})


def _lost_end(file: Path) -> str:
    """What a commit says of itself and does not hold; empty where nothing is missing, or it does not say.

    A commit that was cut inside a line is none for Delta, either. One that was cut between two lines is: its first line
    says what the operation did, so what the others lack can be told.
    """
    try:
        status = file.stat()
        state = (file, status.st_size, status.st_mtime_ns)
        if _whole.get(file.parent) == state:
            return ""
        actions = [json.loads(line) for line in file.read_bytes().splitlines() if line.strip()]
        lost = missing_actions(actions)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # for Delta to judge
        return ""
    if not lost:
        _whole[file.parent] = state
    return lost and f"ends early: {lost}"


def missing_actions(actions: Sequence[JsonView]) -> str:
    """What the first action of a commit, ``commitInfo``, says of it that the others do not bear out; else empty.

    Only what is too little counts: an operation that does more than it says is no commit that was cut.
    """
    info = actions[0].get("commitInfo") or {} if actions else {}
    operation, metrics = info.get("operation", ""), info.get("operationMetrics") or {}
    parameters = info.get("operationParameters") or {}
    kinds = Counter(kind for action in actions for kind in action)
    creates = operation.startswith("CREATE TABLE")
    if (creates or operation in _DESCRIBING) and not (kinds["metaData"] and (kinds["protocol"] or not creates)):
        return f"{operation} without the table's description"
    clustered = parameters.get("clusterBy") or parameters.get("newClusteringColumns") or "[]"
    if operation in ("CREATE TABLE", "CLUSTER BY") and clustered != "[]" and not kinds["domainMetadata"]:
        return f"{operation} without the clustering that it names"
    for kind, names in _ACTIONS.items():
        stated = max((int(metrics[name]) for name in names if name in metrics), default=0)
        if kinds[kind] < stated:
            return f"{operation} of {stated} files ({kind}) names {kinds[kind]}"
    if operation == "OPTIMIZE" and kinds["add"] < int(metrics.get("numAddedFiles", 0)):
        return f"OPTIMIZE of {metrics['numAddedFiles']} new files names {kinds['add']}"
    if FILES_ADDED in info and (kinds["add"] < int(info[FILES_ADDED]) or not kinds["txn"]):
        return f"{operation} of {info[FILES_ADDED]} files and their transaction names {kinds['add']}"
    stated = sum(int(metrics.get(name, 0)) for name in _ROWS.get(operation, ()))
    if stated and (held := _rows_of(actions)) is not None and held < stated:
        return f"{operation} of {stated} rows names files with {held}"
    return ""


def _rows_of(actions: Sequence[RowView]) -> int | None:
    """Rows in the files that a commit adds; None where their statistics do not say."""
    rows = 0
    for action in actions:
        if "add" in action:
            count = json.loads(action["add"].get("stats") or "{}").get("numRecords")
            if count is None:
                return None
            rows += count
    return rows


def has_checkpoint(table: Path) -> bool:
    """Whether the log was summed up, so that commits before may be gone."""
    return any((table / LOG).glob("*.checkpoint*"))


def is_whole(table: Path) -> bool:
    """Whether a small table has every commit since its first, and every file that these name.

    A table whose log was summed up is taken for whole.
    """
    found = commits(table)
    if has_checkpoint(table):
        return True
    if not found or sorted(found) != list(range(len(found))):
        return False
    live: set[str] = set()
    try:
        for version in sorted(found):
            lines = found[version].read_text(encoding="utf-8").splitlines()
            if not lines:
                return False
            for action in map(json.loads, lines):
                if "add" in action:
                    live.add(action["add"]["path"])
                elif "remove" in action:
                    live.discard(action["remove"]["path"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return all((table / urllib.parse.unquote(path)).exists() for path in live)
