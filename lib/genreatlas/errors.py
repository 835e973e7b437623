"""Everything that can go wrong, in two closed sets.

Exceptions end a job: each says what is wrong, where, and what to do. Reason codes are stored in
tables for the one file, song or candidate that could not be used while the job goes on.
"""

import difflib
import errno
from collections.abc import Iterable
from enum import StrEnum

from genreatlas.redaction import redact


class GenreAtlasError(Exception):
    """Base of every error that the package raises on purpose; its text holds no secret."""

    exit_code = 1

    def __str__(self) -> str:
        return redact(super().__str__())


class ConfigError(GenreAtlasError):
    """The configuration or the command line is wrong; nothing was started."""

    exit_code = 2


class InputError(GenreAtlasError):
    """What a source was pointed at cannot be used as a whole (empty folder, wrong columns)."""

    exit_code = 2


class SplitLeakError(GenreAtlasError):
    """A group of songs (one artist, or copies of one recording) lies in more than one part."""


class SplitError(GenreAtlasError):
    """Groups cannot be divided into the configured parts."""

    exit_code = 2


class StoreError(GenreAtlasError):
    """Rows do not fit the table they are written to, or the store cannot be used."""


class LeaseHeldError(StoreError):
    """Another run is writing with the same step."""

    exit_code = 4


class LeaseLostError(StoreError):
    """The lease of this run could not be extended, or another run has taken it: nothing may be written any more."""


class EnvironmentFaultError(GenreAtlasError):
    """Something that every file, clip or candidate needs is missing or full where it is worked on.

    It is nobody's fault among them, so it is not stored as theirs: the step ends, and goes on when it was mended.
    """


class WorkerKilledError(GenreAtlasError):
    """A Python worker of Spark was killed at the same task again and again, as a rule by the system for its memory."""


class UnexpectedError(GenreAtlasError):
    """A step was ended by an exception that is not the package's own, which is its cause; the message is one line."""


class ModelError(GenreAtlasError):
    """A stored model cannot be loaded, or does not fit what it is asked to score."""


class LimitReachedError(GenreAtlasError):
    """A configured limit stopped the work before its end; a later run continues.

    ``counts`` are those of the step up to there, for its line and its row in ``runs``.
    """

    exit_code = 3

    def __init__(self, message: str, counts: object = None) -> None:
        super().__init__(message)
        self.counts = counts


class Reason(StrEnum):
    """Why one file, clip, song, candidate or request was left out. Stored in ``quarantine.reason`` and its kin."""

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
    # never stored: what a worker tells its driver, which ends the step
    ENVIRONMENT_FAULT = "environment_fault"


#: What is said of audio by those who open it, and may be said no more by a later release.
REFUSED_AUDIO = frozenset(
    {
        Reason.NOT_AUDIO, Reason.UNSUPPORTED_FORMAT, Reason.NEEDS_AAC_DECODER, Reason.DECODE_FAILED, Reason.TRUNCATED,
        Reason.TOO_SHORT,
    }
)  # fmt: skip
#: Exceptions of which nobody knows whether the file, the code or its surroundings is to blame: tried again by later
#: runs, so often at most.
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
    "cannot cache function": "numba finds no folder for compiled code that can be written (set NUMBA_CACHE_DIR)",
    "can't start new thread": "no process or thread can be started",
}


def environment_fault(error: BaseException) -> str | None:
    """What is wrong with a worker's surroundings, in one line; None where an exception may have other causes."""
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
    """One file or clip cannot be used; carries the reason that its quarantine row will have."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["ClipError"], tuple[Reason, str]]:
        return ClipError, (self.reason, self.detail)


class FetchError(GenreAtlasError):
    """One request came to nothing, after all its tries; what it says holds no query string and no secret.

    Parameters
    ----------
    reason : what went wrong.
    detail : method, address without its query, and what came back.
    http_status : status of the last response; None where there was none.
    transient : whether the same request may succeed later.
    retry_at : not before this time (seconds since the epoch), where the server said so.
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
    """A provider wants no more requests before ``retry_at``: its work waits for a later run, all other work goes on.

    ``host`` is the one that said so; of a provider that stands for unrelated hosts only that one is left alone.
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
    """Sentence for an error message: the nearest known name, or all of them when none is near (or ``every`` is set)."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {near[0]}?" + (f" Known: {', '.join(names)}." if every else "")
    return f"Known: {', '.join(names)}." if names else "There is none."
