"""Run one step under its lease, print its line, and keep the row of the table ``runs``."""

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
    """A step is called as its module is."""
    return step.__name__.rpartition(".")[2]


def hold(spark: SparkSession, config: Config, lease: str) -> AbstractContextManager[None]:
    """Keep other runs of a job of several steps away for the length of a ``with`` block; no lease, no bar.

    Raises
    ------
    LeaseHeldError : on entry, when another live run holds it.
    """
    return open_store(spark, config.store).lease(lease) if lease else nullcontext()


def sandbox_world(config: Config) -> "AbstractContextManager[World | None]":
    """The sandbox world for the length of a ``with`` block, where the configuration asks for it; None elsewhere.

    Raises
    ------
    ConfigError : on entry: its port is in use, or aiohttp is missing.
    """
    if not config.world.start:
        return nullcontext()
    from genreatlas.sandbox.world import running_world

    # The world takes any credentials; without some, nothing would be asked.
    for name in ("SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET", "SPOTIFY_REFRESH_TOKEN"):
        os.environ.setdefault(name, "sandbox")
    # A proxy to the outside does not know this machine's own addresses.
    for name in ("no_proxy", "NO_PROXY"):
        known = [host for host in os.environ.get(name, "").split(",") if host and host != "127.0.0.1"]
        os.environ[name] = ",".join([*known, "127.0.0.1"])
    return running_world(config.world, config.sandbox)


def run_step(step: ModuleType, spark: SparkSession, config: Config) -> int:
    """Run a step and return its exit code.

    Returns
    -------
    0 done, 1 too much failed.

    Raises
    ------
    GenreAtlasError : the step failed; its row of ``runs`` has the message, too.
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
    """Append the row of ``runs``; where the step has failed, that error is told and not what follows from it."""
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
    """The one line that a step prints."""
    line = (
        f"{name}: read {counts.read}, wrote {counts.written}, failed {counts.failed}, "
        f"skipped {counts.skipped}, {seconds:.1f} s"
    )
    return line if counts.read else f"{line}: nothing was left to do"


def too_much_failed(counts: Counts, limit: float) -> bool:
    """Whether more than the allowed share failed, or nothing at all could be done."""
    if not counts.failed:
        return False
    return counts.failed > limit * counts.read or counts.written == 0


def run_steps(names: Sequence[str], spark: SparkSession, config: Config) -> None:
    """Run steps by name, one after the other, as the job ``pipeline`` does; for notebooks.

    Raises
    ------
    ConfigError : a step would not find what it needs; none was run.
    StoreError : more than the allowed share of a step's work failed; steps after it were not run.
    """
    make_plan(names, config).require()
    for name in names:
        if run_step(importlib.import_module(f"genreatlas.steps.{name}"), spark, config):
            raise StoreError(
                f"{name}: more than limits.max_failed_share of the work failed, or none of it could be done. The view "
                "quarantine_reasons says why."
            )
