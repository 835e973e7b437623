"""Exceptions and reason codes.

Exceptions end a job; their messages state what is wrong, where, and what to do. Reason codes are stored in
tables for a single file, song or candidate that could not be used; the job continues.
"""

import difflib
import errno
from collections.abc import Iterable
from enum import StrEnum

from genreatlas.redaction import redact


class GenreAtlasError(Exception):
    """Base class of the package's errors. Secrets are removed from the message."""

    exit_code = 1

    def __str__(self) -> str:
        return redact(super().__str__())


class ConfigError(GenreAtlasError):
    """The configuration or the command line is wrong; nothing was started."""

    exit_code = 2


class InputError(GenreAtlasError):
    """The input of a source cannot be used at all (empty folder, wrong columns)."""

    exit_code = 2


class SplitLeakError(GenreAtlasError):
    """A group of songs (one artist, or copies of one recording) is in more than one part of the split."""


class SplitError(GenreAtlasError):
    """Groups cannot be divided into the configured parts."""

    exit_code = 2


class StoreError(GenreAtlasError):
    """Rows do not fit the table they are written to, or the store cannot be used."""


class LeaseHeldError(StoreError):
    """Another run holds the lease of the same step."""

    exit_code = 4


class LeaseLostError(StoreError):
    """The lease of this run expired or was taken by another run; this run must not write any more."""


class EnvironmentFaultError(GenreAtlasError):
    """A worker's environment is at fault: a full disk, a missing library, no permission, no memory.

    The error is independent of the file, clip or candidate, so it is not stored as its failure. The step ends; after
    a repair, the next run continues.
    """


class WorkerKilledError(GenreAtlasError):
    """A Python worker of Spark was killed repeatedly at the same task, usually by the kernel for lack of memory."""


class UnexpectedError(GenreAtlasError):
    """A step ended with an exception from other code, kept in ``__cause__``; the message is one line."""


class ModelError(GenreAtlasError):
    """A stored model cannot be loaded, or does not fit the data to score."""


class LimitReachedError(GenreAtlasError):
    """A configured limit stopped the work before its end; a later run continues.

    ``counts`` are the step's counts so far, for its summary line and its row in ``runs``.
    """

    exit_code = 3

    def __init__(self, message: str, counts: object = None) -> None:
        super().__init__(message)
        self.counts = counts


class Reason(StrEnum):
    """Why a file, clip, song, candidate or request was left out; stored in ``quarantine.reason`` and the like."""

    # files
    NOT_AUDIO = "not_audio"
    EMPTY_FILE = "empty_file"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    MISSING_FILE = "missing_file"
    BROKEN_LINK = "broken_link"
    NEEDS_AAC_DECODER = "needs_aac_decoder"
    UNSUPPORTED_FORMAT = "unsupported_format"
    DECODE_FAILED = "decode_failed"
    CRASHED = "crashed"
    TOO_SLOW = "too_slow"
    TRUNCATED = "truncated"
    # clips
    TOO_SHORT = "too_short"
    SILENT = "silent"
    NOT_FINITE = "not_finite"
    AUDIO_CHANGED = "audio_changed"
    FEATURES_FAILED = "features_failed"
    INSPECTION_FAILED = "inspection_failed"
    NO_AUDIO_FEATURES = "no_audio_features"
    # labels and rows of manifests and feature tables
    NO_GENRE = "no_genre"
    DUPLICATE_ROW = "duplicate_row"
    BAD_VALUE = "bad_value"
    # splits
    BRIDGES_GROUPS = "bridges_groups"
    DECLARED_LEAK = "declared_leak"
    NOT_DECLARED = "not_declared"
    # requests
    RATE_LIMITED = "rate_limited"
    QUOTA_EXCEEDED = "quota_exceeded"
    SERVER_ERROR = "server_error"
    HOST_DOWN = "host_down"
    CONNECTION_LOST = "connection_lost"
    TIMED_OUT = "timed_out"
    INCOMPLETE_BODY = "incomplete_body"
    WRONG_CONTENT = "wrong_content"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    BAD_REQUEST = "bad_request"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    BAD_ADDRESS = "bad_address"
    BAD_CERTIFICATE = "bad_certificate"
    FETCH_FAILED = "fetch_failed"
    # previews
    NO_PREVIEW = "no_preview"
    VERSION_MISMATCH = "version_mismatch"
    LINK_EXPIRED = "link_expired"
    CHECKSUM_MISMATCH = "checksum_mismatch"
    AUDIO_GONE = "audio_gone"
    # candidates
    TOO_MANY_CLASSES = "too_many_classes"
    TOO_MANY_ROWS = "too_many_rows"
    TOO_MUCH_MEMORY = "too_much_memory"
    SEVERAL_GENRES = "several_genres"
    OTHER_LAYOUT = "other_layout"
    FIT_FAILED = "fit_failed"
    CUT_EARLY = "cut_early"
    OVER_BUDGET = "over_budget"
    MODEL_UNUSABLE = "model_unusable"
    # never stored: returned by a worker to the driver, which ends the step
    ENVIRONMENT_FAULT = "environment_fault"


#: Reasons from decoding audio. A later release may be able to decode the same file.
REFUSED_AUDIO = frozenset(
    {
        Reason.NOT_AUDIO, Reason.UNSUPPORTED_FORMAT, Reason.NEEDS_AAC_DECODER, Reason.DECODE_FAILED, Reason.TRUNCATED,
        Reason.TOO_SHORT,
    }
)  # fmt: skip
#: Reasons whose cause (file, code or environment) is unknown: retried by later runs, up to MAX_TRIES tries in all.
UNKNOWN_FAULTS = frozenset({Reason.FEATURES_FAILED, Reason.INSPECTION_FAILED})
MAX_TRIES = 3

_ENVIRONMENT = {
    errno.ENOSPC: "no space is left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
    errno.ENOMEM: "the machine has no memory left",
    errno.EAGAIN: "no process or thread can be started",
}
_SAID = {
    "No space left on device": "no space is left on the disk",
    "Disk quota exceeded": "the disk quota is used up",
    "cannot load library": "a library cannot be loaded",
    "cannot open shared object file": "a library cannot be loaded",
    "library not found": "a library cannot be loaded",
    "cannot cache function": "numba finds no writable folder for compiled code (set NUMBA_CACHE_DIR)",
    "can't start new thread": "no process or thread can be started",
}


def environment_fault(error: BaseException) -> str | None:
    """Describe the fault of a worker's environment in one line; None where the exception may have other causes."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        words = " ".join(str(one).split())[:300]
        if isinstance(one, ImportError):
            return f"{words}. Install what is missing where the workers run"
        if isinstance(one, OSError) and one.errno in _ENVIRONMENT:
            return f"{_ENVIRONMENT[one.errno]}: {words}"
        for sign, meaning in _SAID.items():
            if sign in words:
                return f"{meaning}: {words}"
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return None


class ClipError(Exception):
    """A file or clip cannot be used; ``reason`` and ``detail`` go to its quarantine row."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["ClipError"], tuple[Reason, str]]:
        return ClipError, (self.reason, self.detail)


class FetchError(GenreAtlasError):
    """A request failed after all its retries. The message contains no query string and no secret.

    Parameters
    ----------
    reason : what went wrong.
    detail : method, address without its query, and the response or error.
    http_status : status of the last response; None if there was no response.
    transient : whether the same request may succeed later.
    retry_at : earliest time of the next request (seconds since the epoch), if the server gave one.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str = "",
        http_status: int | None = None,
        transient: bool = False,
        retry_at: float | None = None,
    ) -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail
        self.http_status = http_status
        self.transient = transient
        self.retry_at = retry_at

    def __reduce__(self) -> tuple[type["FetchError"], tuple[object, ...]]:
        return FetchError, (self.reason, self.detail, self.http_status, self.transient, self.retry_at)


class ProviderPausedError(FetchError):
    """A provider accepts no more requests before ``retry_at``. Its work waits for a later run; other work continues.

    ``host`` is the host that refused. For a provider that comprises unrelated hosts, only that host is paused.
    """

    def __init__(
        self,
        provider: str,
        reason: Reason,
        detail: str,
        http_status: int | None = None,
        retry_at: float = 0.0,
        host: str = "",
    ) -> None:
        super().__init__(reason, detail, http_status, True, retry_at)
        self.provider = provider
        self.host = host

    def __reduce__(self) -> tuple[type["FetchError"], tuple[object, ...]]:
        about = (self.provider, self.reason, self.detail, self.http_status, self.retry_at, self.host)
        return ProviderPausedError, about


def nearest(name: str, known: Iterable[str], every: bool = False) -> str:
    """Sentence for an error message: the known name most similar to ``name``.

    All known names are listed if none is similar or ``every`` is set.
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {near[0]}?" + (f" Known: {', '.join(names)}." if every else "")
    return f"Known: {', '.join(names)}." if names else "There is none."
