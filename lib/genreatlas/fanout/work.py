"""Fetch one key from its providers, and represent tasks, attempts and results."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, Protocol, TypeAlias

import pyarrow as pa

from genreatlas.config import FanOutSection
from genreatlas.errors import EnvironmentFaultError, FetchError, ProviderPausedError, Reason, environment_fault
from genreatlas.redaction import shown
from genreatlas.values import RowView

#: Function of a pending row and a provider that returns the columns, or raises FetchError.
FetchOne: TypeAlias = Callable[[Mapping[str, object], str], Mapping[str, object]]

#: Function of a pending row and a provider that returns the host; empty for providers that are paused as a whole.
HostOf: TypeAlias = Callable[[Mapping[str, object], str], str]

#: ok: fetched; retry: tried again when due; final: this provider is not tried again for the key; paused: the provider
#: or host is paused, which does not count as a try of the key.
Status = Literal["ok", "retry", "final", "paused"]

_LONGEST_DETAIL = 500


class Fetch(Protocol):
    """Interface of a fetch; the package's docstring has an example. It must be picklable, as it is sent to executors.

    An optional method ``host_of`` (:data:`HostOf`) returns the host for providers that consist of unrelated hosts, such
    as the addresses of a manifest: if one host is paused, keys at the others continue.
    """

    @property
    def providers(self) -> tuple[str, ...]:
        """Providers in the order in which they are tried."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts of the providers, as in ``[fan_out] hosts``."""

    @property
    def columns(self) -> str:
        """Fetched columns, as Spark DDL."""

    def open(self, settings: FanOutSection) -> FetchOne:
        """Create the fetching function with its sessions. Called once per process or task."""


@dataclass(frozen=True)
class Attempt:
    """One try of one key with one provider; fields are columns of ``fetch_attempts``, except ``host``."""

    provider: str
    attempt: int
    status: Status
    http_status: int | None = None
    reason: str | None = None
    detail: str | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    next_retry_at: datetime | None = None
    host: str | None = None  #: paused host, if not the whole provider is paused


ATTEMPT = (
    "provider string, attempt int, status string, http_status int, reason string, detail string, "
    "at timestamp, next_retry_at timestamp, host string"
)
ATTEMPT_ARROW = pa.struct(
    [
        ("provider", pa.string()),
        ("attempt", pa.int32()),
        ("status", pa.string()),
        ("http_status", pa.int32()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("at", pa.timestamp("us", "UTC")),
        ("next_retry_at", pa.timestamp("us", "UTC")),
        ("host", pa.string()),
    ]
)


@dataclass(frozen=True)
class Task:
    """A pending key with its row and the tries of earlier runs.

    Parameters
    ----------
    tried : number of attempts so far by provider.
    over : providers that are not tried again for the key.
    succeeded : number of the last successful attempt by provider, for keys that are fetched repeatedly.
    """

    key: str
    row: RowView
    tried: Mapping[str, int] = field(default_factory=dict)
    over: frozenset[str] = frozenset()
    succeeded: Mapping[str, int] = field(default_factory=dict)

    def provider(self, providers: Sequence[str]) -> str | None:
        """Next provider to be tried; None if there is none left."""
        return next((provider for provider in providers if provider not in self.over), None)


@dataclass(frozen=True)
class Result:
    """Result of a key.

    Attributes
    ----------
    provider : provider that had the data; None if there was none.
    values : fetched columns; empty without a provider.
    waits : whether a provider is paused, so that the key is left for a later run.
    """

    key: str
    attempts: tuple[Attempt, ...]
    provider: str | None = None
    values: RowView = field(default_factory=dict)
    waits: bool = False

    @property
    def size(self) -> int:
        """Estimated size in bytes."""
        return sum(len(value) for value in self.values.values() if isinstance(value, bytes | str)) + 200


def pause_name(provider: str, host: str | None) -> str:
    """Name of a pause: the provider, followed by the host if only the host is paused."""
    return f"{provider} {host}" if host else provider


def work_on(
    task: Task,
    providers: Sequence[str],
    fetch: FetchOne,
    settings: FanOutSection,
    paused: dict[str, float],
    host_of: HostOf | None = None,
) -> Result:
    """Try the providers for a key in order, until one succeeds, fails with a transient error, or is paused.

    Parameters
    ----------
    paused : end of the pause (seconds since the epoch) by :func:`pause_name`; updated in place.

    Raises
    ------
    EnvironmentFaultError : something that every key needs is missing.
    """
    attempts: list[Attempt] = []
    for provider in providers:
        if provider in task.over:
            continue
        host = host_of(task.row, provider) if host_of is not None else ""
        if paused.get(pause_name(provider, host), 0.0) > time.time():
            return Result(task.key, tuple(attempts), waits=True)
        number = task.tried.get(provider, 0) + 1
        try:
            values = fetch(task.row, provider)
            attempts.append(Attempt(provider, number, "ok"))
            return Result(task.key, tuple(attempts), provider, values)
        except ProviderPausedError as error:
            until = _bounded(error.retry_at or time.time() + settings.pause_s, settings)
            # A redirect may have led to another host than the key's own.
            place = (error.host or host) if host else None
            name = pause_name(provider, place)
            paused[name] = max(until, paused.get(name, 0.0))
            attempts.append(_attempt(error, provider, 0, "paused", paused[name], place))
            return Result(task.key, tuple(attempts), waits=True)
        except FetchError as error:
            failure = error
        except Exception as error:  # an unexpected body must not end the run
            if missing := environment_fault(error):
                raise EnvironmentFaultError(
                    f"nothing can be fetched: {missing}. Fix this and run the step again"
                ) from error
            failure = FetchError(Reason.FETCH_FAILED, f"{type(error).__name__}: {error}", transient=True)
        in_a_row = number - task.succeeded.get(provider, 0)
        attempts.append(_failed(failure, provider, number, in_a_row, settings))
        if attempts[-1].status == "retry":
            break
    return Result(task.key, tuple(attempts))


def _failed(error: FetchError, provider: str, number: int, in_a_row: int, settings: FanOutSection) -> Attempt:
    if not error.transient or in_a_row >= settings.max_attempts:
        return _attempt(error, provider, number, "final", None)
    # The exponent is limited: the maximum is reached before 2**16, and a much larger power would overflow.
    due = time.time() + settings.retry_delay_s * 2 ** min(in_a_row - 1, 16)
    return _attempt(error, provider, number, "retry", _bounded(max(due, error.retry_at or 0.0), settings))


def _bounded(retry_at: float, settings: FanOutSection) -> float:
    """Limit the time of a retry to ``fan_out.max_pause_days`` from now."""
    latest = time.time() + settings.max_pause_days * 86_400.0
    return min(retry_at, latest) if math.isfinite(retry_at) else latest


def _attempt(
    error: FetchError, provider: str, number: int, status: Status, retry_at: float | None, host: str | None = None
) -> Attempt:
    return Attempt(
        provider,
        number,
        status,
        error.http_status,
        error.reason.value,
        shown(error.detail)[:_LONGEST_DETAIL],
        next_retry_at=None if retry_at is None else datetime.fromtimestamp(retry_at, UTC),
        host=host,
    )


def to_batch(results: Sequence[Result], schema: pa.Schema) -> pa.RecordBatch:
    """Convert results to rows of the staging table: ``key``, ``provider``, ``attempts`` and the fetched columns.

    A result with a value that cannot be stored becomes a final failure, and does not end the run.
    """
    try:
        return _batch(results, schema)
    except _NO_VALUE:
        return _batch([_storable(result, schema) for result in results], schema)


#: Errors of Arrow for values of a wrong type, and of Python for text that cannot be encoded.
_NO_VALUE = (pa.ArrowException, ValueError, TypeError, OverflowError)


def _batch(results: Sequence[Result], schema: pa.Schema) -> pa.RecordBatch:
    rows = [
        {
            **result.values,
            "key": result.key,
            "provider": result.provider,
            "attempts": [vars(a) for a in result.attempts],
        }
        for result in results
    ]
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _storable(result: Result, schema: pa.Schema) -> Result:
    """Return the result, if necessary with text made encodable; if it still cannot be stored, a final failure."""
    mended = {name: _encodable(value) for name, value in result.values.items()}
    for values in (result.values, mended):
        try:
            _batch([replace(result, values=values)], schema)
            return replace(result, values=values)
        except _NO_VALUE as problem:
            said = f"the fetched data cannot be stored: {type(problem).__name__}: {problem}"
    failed = replace(
        result.attempts[-1], status="final", reason=Reason.WRONG_CONTENT.value, detail=shown(said)[:_LONGEST_DETAIL]
    )
    return Result(result.key, (*result.attempts[:-1], failed))


def _encodable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list | tuple):
        return [_encodable(item) for item in value]
    if isinstance(value, Mapping):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    return value
