"""Run one step under its lease, print its summary line, and write its row of the table ``runs``."""

import importlib
import json
import logging
import os
import time
import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from types import ModuleType
from typing import TYPE_CHECKING

from pyspark.sql import SparkSession

from genreatlas.checks.plan import make_plan
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.errors import GenreAtlasError, LimitReachedError, StoreError, UnexpectedError
from genreatlas.provenance import git_commit, versions
from genreatlas.redaction import redact_value, shown
from genreatlas.store import Store, explain, open_store
from genreatlas.tables import RUNS
from genreatlas.values import Row

if TYPE_CHECKING:
    from genreatlas.sandbox.world import World

log = logging.getLogger(__name__)


def step_name(step: ModuleType) -> str:
    """Name of a step: the last part of its module's name."""
    return step.__name__.rpartition(".")[2]


def hold(spark: SparkSession, config: Config, lease: str) -> AbstractContextManager[None]:
    """Hold the lease of a job of several steps during a ``with`` block; an empty ``lease`` holds nothing.

    Raises
    ------
    LeaseHeldError : on entry, if another live run holds the lease.
    """
    return open_store(spark, config.store).lease(lease) if lease else nullcontext()


def sandbox_world(config: Config) -> "AbstractContextManager[World | None]":
    """Run the sandbox world during a ``with`` block if ``world.start`` is set; otherwise yield None.

    Raises
    ------
    ConfigError : on entry: its port is in use, or aiohttp is missing.
    """
    if not config.world.start:
        return nullcontext()
    from genreatlas.sandbox.world import running_world

    # The sandbox accepts any credentials; without credentials no requests would be made.
    for name in ("SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET", "SPOTIFY_REFRESH_TOKEN"):
        os.environ.setdefault(name, "sandbox")
    # Requests to this machine must bypass a proxy.
    for name in ("no_proxy", "NO_PROXY"):
        known = [host for host in os.environ.get(name, "").split(",") if host and host != "127.0.0.1"]
        os.environ[name] = ",".join([*known, "127.0.0.1"])
    return running_world(config.world, config.sandbox)


def run_step(step: ModuleType, spark: SparkSession, config: Config) -> int:
    """Run a step and return its exit code.

    Returns
    -------
    0 on success, 1 if more than ``limits.max_failed_share`` of the work failed or none of it could be done.

    Raises
    ------
    GenreAtlasError : the step failed; the message is also stored in its row of ``runs``.
    """
    name = step_name(step)
    store = open_store(spark, config.store, run_id=uuid.uuid4().hex)
    started, clock = datetime.now(UTC), time.monotonic()
    counts, status, error = Counts(), "failed", None
    try:
        with store.lease(name):
            counts = step.run(store, config)
        status = "done"
    except LimitReachedError as problem:
        status, error = "stopped", str(problem)
        if isinstance(problem.counts, Counts):
            counts = problem.counts
            _say(name, counts, clock)
        raise
    except GenreAtlasError as problem:
        error = str(problem)
        raise
    except Exception as problem:
        error = explain(problem, store.location.shown, name)
        raise UnexpectedError(error) from problem
    except BaseException as problem:
        error = str(problem) or type(problem).__name__
        raise
    finally:
        row = {
            "run_id": store.run_id,
            "step": name,
            "status": status,
            "started_at": started,
            "ended_at": datetime.now(UTC),
            "n_read": counts.read,
            "n_written": counts.written,
            "n_failed": counts.failed,
            "n_skipped": counts.skipped,
            "error": None if error is None else shown(error),
            "versions": versions(),
            "config": json.dumps(redact_value("", config.model_dump(mode="json")), sort_keys=True),
            "git_commit": git_commit(),
        }
        _record(store, row, failed=error is not None)
    _say(name, counts, clock)
    return 1 if too_much_failed(counts, config.limits.max_failed_share) else 0


def _record(store: Store, row: Row, failed: bool) -> None:
    """Append the row of ``runs``. If the step failed, a failure here is only logged: the step's error is raised."""
    try:
        store.append(RUNS, store.frame(RUNS, [row]))
    except Exception as problem:
        if not failed:
            raise UnexpectedError(explain(problem, store.location.shown, row["step"])) from problem
        log.debug("runs has no row of this run: %s", problem)


def _say(name: str, counts: Counts, clock: float) -> None:
    print(
        summary_line(name, counts, time.monotonic() - clock), *(f"  {shown(note)}" for note in counts.notes), sep="\n"
    )


def summary_line(name: str, counts: Counts, seconds: float) -> str:
    """Summary line of a step."""
    line = (
        f"{name}: read {counts.read}, wrote {counts.written}, failed {counts.failed}, "
        f"skipped {counts.skipped}, {seconds:.1f} s"
    )
    return line if counts.read else f"{line}: nothing was left to do"


def too_much_failed(counts: Counts, limit: float) -> bool:
    """Whether more than the share ``limit`` failed, or some failed and nothing was written."""
    if not counts.failed:
        return False
    return counts.failed > limit * counts.read or counts.written == 0


def run_steps(names: Sequence[str], spark: SparkSession, config: Config) -> None:
    """Run steps by name in the given order, as the job ``pipeline`` does; for notebooks.

    Raises
    ------
    ConfigError : the requirements of a step are not met; no step was run.
    StoreError : more than ``limits.max_failed_share`` of a step's work failed; the steps after it were not run.
    """
    make_plan(names, config).require()
    for name in names:
        if run_step(importlib.import_module(f"genreatlas.steps.{name}"), spark, config):
            raise StoreError(
                f"{name}: more than limits.max_failed_share of the work failed, or none of it could be done. The view "
                "quarantine_reasons says why."
            )
