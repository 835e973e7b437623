"""Read the Delta log of a table in a local folder without Spark: its newest version, and whether it is complete."""

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
    """Files of the commits of a table by version; empty if the table has no log."""
    return {int(file.stem): file for file in (table / LOG).glob("*.json") if file.stem.isdigit()}


def newest_version(name: str, table: Path) -> int | None:
    """Newest version of a table; None if there is no such table.

    Raises
    ------
    StoreError : a commit is empty, or the newest one is truncated, which Delta reads as a commit with fewer rows; or
        the log is missing while data files exist.
    """
    found = commits(table)
    newest = max(found, default=None)
    for version, file in sorted(found.items()):
        lost = "is empty" if not _has_bytes(file) else _lost_end(file) if version == newest else ""
        if lost:
            mend = f"; without a copy, delete the file, which restores version {version - 1}"
            what = f"{file} {lost}, as after a crash or on a full disk{mend if version == newest else ''}"
            raise StoreError(damaged_table(name, what, str(table)))
    if newest is not None:
        return newest
    if not has_checkpoint(table) and (table.is_file() or any(table.glob("*.parquet"))):
        what = (
            f"{table} is a file" if table.is_file() else f"{table / LOG} has no commits, but the table has data files"
        )
        raise StoreError(damaged_table(name, what, str(table)))
    return None


def _has_bytes(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # an old commit that another process has just cleaned up
        return True


#: Path, size and time of the newest complete commit, by the table's log folder.
_whole: dict[Path, tuple[Path, int, int]] = {}
#: Per operation, the metrics whose sum is the number of rows in the files that it adds.
_ROWS = {
    "WRITE": ("numOutputRows",),
    "CREATE TABLE AS SELECT": ("numOutputRows",),
    "MERGE": ("numOutputRows",),
    "UPDATE": ("numUpdatedRows", "numCopiedRows"),
    "DELETE": ("numCopiedRows",),
}
#: Per kind of action, the metrics that state the number of such actions. (numFiles of WRITE also counts empty files.)
_ACTIONS = {
    "remove": ("numTargetFilesRemoved", "numRemovedFiles", "num_removed_files"),
    "add": ("num_added_files",),
}
#: Key in commits of :mod:`genreatlas.store.arrivals`: number of files that the commit adds.
FILES_ADDED = "filesAdded"
#: Operations that only change the metadata of the table.
_DESCRIBING = frozenset({"ADD COLUMNS", "CHANGE COLUMN", "SET TBLPROPERTIES", "UNSET TBLPROPERTIES"})


def _lost_end(file: Path) -> str:
    """Text on actions that a commit states but does not contain; empty if none are missing, or if it states nothing.

    Delta itself rejects a commit that was truncated inside a line, but accepts one that was truncated between two
    lines. The first line of a commit states the operation and its metrics, so missing actions can be detected.
    """
    try:
        status = file.stat()
        state = (file, status.st_size, status.st_mtime_ns)
        if _whole.get(file.parent) == state:
            return ""
        actions = [json.loads(line) for line in file.read_bytes().splitlines() if line.strip()]
        lost = missing_actions(actions)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # left to Delta
        return ""
    if not lost:
        _whole[file.parent] = state
    return lost and f"ends early: {lost}"


def missing_actions(actions: Sequence[JsonView]) -> str:
    """Compare the first action of a commit, ``commitInfo``, with the others; return a text if actions are missing.

    Additional actions are accepted, as they cannot result from truncation.
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
    """Number of rows in the files that a commit adds; None if a file has no row count in its statistics."""
    rows = 0
    for action in actions:
        if "add" in action:
            count = json.loads(action["add"].get("stats") or "{}").get("numRecords")
            if count is None:
                return None
            rows += count
    return rows


def has_checkpoint(table: Path) -> bool:
    """Whether the log has a checkpoint, so that earlier commits may be missing."""
    return any((table / LOG).glob("*.checkpoint*"))


def is_whole(table: Path) -> bool:
    """Whether a small table has all commits since its first, and all files that these reference.

    A table with a checkpoint counts as complete.
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
