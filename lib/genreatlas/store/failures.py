"""Summarise errors of Spark, Delta and the operating system in one line: what failed, where, and what to do.

A damaged file, a full disk or a lost worker raises a Java exception with hundreds of lines. A job prints the line of
:func:`explain`; ``--verbose`` prints the original exception as well.
"""

import errno
import getpass
import re
import shutil
import tempfile
import urllib.parse
from pathlib import Path

from genreatlas.tables import TABLES

#: A file path in a message of Spark or Delta.
_FILE = re.compile(r"(?:file:(?://)?)?(/[^\s'\"`\]\[<>|{}]*[^\s'\"`\]\[<>|{}.,;:()])")
_FULL = ("No space left on device", "Disk quota exceeded", "not enough space")
_CLOSED = (
    "Read-only file system", "Permission denied", "Operation not permitted", "AccessControlException",
    "AccessDeniedException", "Mkdirs failed", "mkdirs failed", "DELTA_CANNOT_CREATE_LOG_PATH", "Unable to create",
)  # fmt: skip
#: Texts of errors caused by missing, truncated or overwritten files; errors of plans or statements are not included.
_DAMAGED = (
    "DELTA_LOG_FILE_NOT_FOUND", "DELTA_TRUNCATED_TRANSACTION_LOG", "DELTA_STATE_RECOVER", "DELTA_MISSING_PART_FILES",
    "DELTA_VERSIONS_NOT_CONTIGUOUS", "DELTA_FILE_NOT_FOUND", "DELTA_CHECKPOINT", "DELTA_NO_COMMITS",
    "DELTA_SCHEMA_NOT_SET", "DELTA_INVALID_COMMITTED_VERSION", "DELTA_CORRUPT", "FAILED_READ_FILE",
    "Could not read footer", "is not a Parquet file", "SparkFileNotFoundException", "JsonParseException",
    "MalformedInputException", "JsonEOFException", "MismatchedInputException", "CANNOT_READ_FILE", "can not read class",
    "Unable to read file", "corrupt", "is too small", "Expected magic number", "ChecksumException", "EOFException",
)  # fmt: skip
_MISSING = re.compile(r"\b(ModuleNotFoundError|ImportError): ([^\n]+)")
_MEMORY_OF_JAVA = ("OutOfMemoryError", "GC overhead limit exceeded", "Java heap space")
_WORKER_DIED = (
    "WorkerKilledError", "Python worker exited unexpectedly", "Python worker process terminated",
    "ExecutorLostFailure", "exit code 137",
    "exited with 137", "code 137", "SIGKILL",
)  # fmt: skip
#: Message of :class:`genreatlas.watching.Before`.
_KILLED = re.compile(r"a Python worker was killed \d+ times[^\n]*? MB\b[^\n]*? MB\b")
_SPARK_GONE = (
    "Answer from Java side is empty", "An error occurred while trying to connect to the Java server",
    "Connection refused", "Error while sending or receiving", "SparkContext was shut down", "StatusCode.UNAVAILABLE",
)  # fmt: skip

#: Per step, what uses the most memory, and the settings that reduce it.
_GROWS = {
    "train_models": "a fit or the training matrix; lower train.max_songs or train.frames_per_song",
    "extract_features": "the clips of a task; lower extract.batch_rows or limits.max_clip_mb",
    "evaluate_models": "the songs that are scored at once; lower store.max_commit_mb",
    "score": "the files of a task; set score.task_files = 1 or score.max_windows",
    "import_folder": "the files of a task; lower limits.max_file_mb",
    "fetch_previews": "the clips of a chunk; lower fan_out.chunk_mb",
}


def explain(error: BaseException, store: str, step: str = "") -> str:
    """One line on an exception that is not defined by this package.

    Parameters
    ----------
    store : folder, address or schema of the store.
    step : name of the running step or job.

    Returns
    -------
    What failed, where, and what to do; without line breaks.
    """
    text = _text(error)
    if isinstance(error, ImportError):
        text = f"ImportError: {error}"
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT) or _says(text, _FULL):
        line = _full(text, store)
    elif number in (errno.EROFS, errno.EACCES, errno.EPERM) or _says(text, _CLOSED):
        line = _closed(error, text, store)
    elif missing := _MISSING.search(text):
        line = (
            f"{missing[2].strip()}. Install what is missing where the job and its workers run, and run it again. "
            "Nothing of this was stored as an error of the data"
        )
    elif _says(text, _MEMORY_OF_JAVA):
        line = (
            "Spark's Java process ran out of memory. Give it more: ./spark-submit.sh --driver-memory 4g (on a cluster "
            "--executor-memory), or lower store.max_commit_mb"
        )
    elif _says(text, _WORKER_DIED):
        grows = _GROWS.get(step, "the rows of a task; give it fewer")
        known = _KILLED.search(text)
        said = known[0] if known else "a Python worker was killed, most likely because memory was used up"
        line = f"{said}. Likely cause: {grows}; or run fewer workers at once: ./spark-submit.sh --master 'local[1,4]'"
    elif _says(text, _SPARK_GONE):
        line = (
            "Spark's Java process has ended; it was stopped, or the machine ran out of memory. Nothing that was "
            "committed is lost: run the job again"
        )
    elif _says(text, _DAMAGED):
        line = damaged(text, store)
    else:
        line = f"{type(error).__name__}: {first_line(text)}"
    return (
        f"{step}: {line}. --verbose shows the full message." if step else f"{line}. --verbose shows the full message."
    )


def is_damage(error: BaseException) -> bool:
    """Whether an exception is caused by missing, truncated or overwritten files of a table."""
    text = _text(error)
    return _says(text, _DAMAGED) and not _says(text, (*_FULL, *_CLOSED, *_MEMORY_OF_JAVA, *_WORKER_DIED, *_SPARK_GONE))


def damaged(text: str, store: str, table: str = "") -> str:
    """Message on a damaged table and how to repair it.

    Parameters
    ----------
    text : error message, which may contain the path of a file.
    store : folder or address of the store.
    table : name of the table, if known.
    """
    files = [urllib.parse.unquote(found) for found in _FILE.findall(text)]
    below = [file for file in files if store and file.startswith(store.rstrip("/") + "/")]
    file = next((one for one in below if one.endswith((".parquet", ".json", ".crc"))), below[0] if below else "")
    if not file and table:
        return damaged_table(table, first_line(text), f"{store.rstrip('/')}/{table}")
    if not file:
        return f"{store}: a file of the store is damaged: {first_line(text)}. Restore it from a copy"
    parts = file.removeprefix(store.rstrip("/") + "/").split("/")
    name = "/".join(parts[:2]) if parts[0] == "_staging" else parts[0]
    return damaged_table(name, f"{file} is missing, truncated or overwritten", f"{store.rstrip('/')}/{name}")


def damaged_table(name: str, what: str, folder: str) -> str:
    """Message on a damaged table and how to repair it; ``what`` is the damage, ``folder`` the table's folder."""
    if name.startswith("_staging/"):
        return f"{name}: damaged: {what}. It holds intermediate results only: remove {folder} and run the job again"
    steps = next((table.written_by for table in TABLES if table.name == name), ())
    again = f", or move {folder} aside and run {' or '.join(steps[:3])} again" if steps and " " not in steps[0] else ""
    return f"{name}: damaged: {what}. Restore the file from a copy{again}"


def _full(text: str, store: str) -> str:
    folders = [store, tempfile.gettempdir()]
    free = {folder: _free(folder) for folder in folders if Path(folder).exists()}
    where = min(free, key=lambda folder: free[folder]) if free else store
    named = next((file for file in _FILE.findall(text) if Path(file).parent.is_dir()), where)
    if named not in folders and _free(str(Path(named).parent)) <= free.get(where, 0):
        where = str(Path(named).parent)
    temporary = "" if where == store else ", or name another folder for temporary files: TMPDIR and spark.local.dir"
    return (
        f"{where}: no space is left on the disk. Free some{temporary}, and run the job again. Earlier commits are "
        "complete"
    )


def _closed(error: BaseException, text: str, store: str) -> str:
    named = getattr(error, "filename", None)
    files = [str(named)] if named else [urllib.parse.unquote(file) for file in _FILE.findall(text)]
    below = [file for file in files if store and file.startswith(store.rstrip("/"))]
    place = (below or files or [store])[0]
    return (
        f"{place}: cannot be written by {_user()}: the folder or its file system is read-only, or is owned by another "
        "user. Give that user permission, or set store.path, models.path or report.path to another folder"
    )


def _free(folder: str) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 1 << 62


def _user() -> str:
    try:
        return f"the user {getpass.getuser()}"
    except (KeyError, OSError):  # a container's user id without a name
        return "this user"


def _text(error: BaseException) -> str:
    """Messages of an exception and of its causes."""
    said, seen = [], set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        said.append(str(one))
        one = one.__cause__ or one.__context__
    return "\n".join(said)


def _says(text: str, signs: tuple[str, ...]) -> bool:
    return any(sign in text for sign in signs)


def first_line(text: str) -> str:
    """First meaningful line of a message, without the name of a Java call."""
    lines = [line.strip().removeprefix(": ") for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("An error occurred while calling", "at "))]
    line = re.sub(r" SQLSTATE: \w+.*$", "", lines[0]) if lines else "no message"
    return line[:300].rstrip(".")
