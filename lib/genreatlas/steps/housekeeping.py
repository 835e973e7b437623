"""Update tables of older releases, merge small files, and delete files of expired table versions.

Secrets that older releases wrote to the table runs are removed, and the files that contained them are deleted at once.
The step takes the lease of every step, and stops without waiting if a step is running. Table versions that are needed
to rebuild a model's training set are kept. With [housekeeping] allow_orphans they may be deleted, and the models
concerned are listed.
"""

import json
from collections import defaultdict
from contextlib import ExitStack

from genreatlas import checks
from genreatlas.audio.feature_sets import FEATURE_SETS as REGISTRY
from genreatlas.audio.feature_sets import table_of
from genreatlas.audio.layouts import LAYOUTS
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.datasets.fetching import fetch_parts
from genreatlas.redaction import redact, redact_value
from genreatlas.store import Reader, Store, upkeep
from genreatlas.store.statements import HISTORY_OF_FILES, HISTORY_OF_LOG
from genreatlas.store.upkeep import Needed
from genreatlas.tables import FEATURE_SETS, MODELS, RUNS, TABLES, Table
from genreatlas.values import Row

READS = ("every table",)
WRITES = ("every table",)
SECTIONS = ("housekeeping", "store")
check = checks.housekeeping


def run(store: Store, config: Config) -> Counts:
    """Maintain every table. Counts are tables; those whose old versions had to be kept count as skipped.

    Raises
    ------
    LeaseHeldError : a step is running.
    """
    with ExitStack() as leases:
        tables = existing_tables(store)
        for step in writers(tables):
            leases.enter_context(store.lease(step))
        needed = needed_versions(store)
        counts = Counts(notes=_redact_runs(store, config))
        for table in tables:
            counts += _keep(store, config, table, needed.get(table.name, []))
        return counts


def existing_tables(store: Reader) -> list[Table]:
    """Existing tables: those defined in :data:`genreatlas.tables.TABLES`, and tables of feature sets."""
    found = {table.name: table for table in (*TABLES, *map(table_of, REGISTRY.values()))}
    for name, axis in store.read(FEATURE_SETS).select("feature_set", "axis").distinct().collect():
        if axis in LAYOUTS:  # a newer release may have written others
            imported = LAYOUTS[axis].table(name, "")
            found.setdefault(imported.name, imported)
    return [table for _, table in sorted(found.items()) if store.exists(table)]


def writers(tables: list[Table]) -> list[str]:
    """Steps that write the tables, and ``retrain``, a job of several steps."""
    return sorted({step for table in tables for step in table.written_by if " " not in step} | {"retrain"})


def needed_versions(store: Reader) -> dict[str, list[Needed]]:
    """Per table, the versions that are needed to rebuild the training sets of stored models."""
    models: dict[tuple[str, int], list[str]] = defaultdict(list)
    for row in store.read(MODELS).select("model_id", "input_versions").collect():
        for name, version in (row["input_versions"] or {}).items():
            models[name, int(version)].append(row["model_id"])
    needed: dict[str, list[Needed]] = defaultdict(list)
    for (name, version), ids in sorted(models.items()):
        needed[name].append(Needed(version, tuple(sorted(ids))))
    return needed


def _keep(store: Store, config: Config, table: Table, needed: list[Needed]) -> Counts:
    settings = config.housekeeping
    lost = upkeep.endangered(store, table, needed) if needed else []
    stays = bool(lost) and not settings.allow_orphans
    notes = upkeep.describe_again(store, table, keep=(HISTORY_OF_FILES, HISTORY_OF_LOG) if stays else ())
    if settings.optimise and table.name not in settings.never_optimise:
        before, after = upkeep.optimise(store, table)
        notes += [f"{before} files became {after}"] if before else []
    if settings.vacuum and not stays:
        upkeep.vacuum(store, table, settings.retain_hours)
    for one in lost:
        what = f"version {one.version}, which {', '.join(one.by)} was trained on, is older than store.history"
        if stays:
            notes.append(f"{what}: kept. housekeeping.allow_orphans = true deletes it")
        else:
            notes.append(f"{what}: its files may be deleted, and the training set cannot be rebuilt then")
    return Counts(read=1, written=int(not stays), skipped=int(stays), notes=tuple(f"{table.name}: {n}" for n in notes))


def _redact_runs(store: Store, config: Config) -> tuple[str, ...]:
    """Remove secrets from rows of ``runs`` written by releases with fewer rules, and from older table versions."""
    if not store.exists(RUNS):
        return ()
    cleaned = 0
    for part in fetch_parts(store.read(RUNS), "run_id", config.store.max_commit_mb, row_bytes=20_000):
        changed = [row | clean for row in part.to_pylist() if (clean := _without_secrets(row))]
        rows = [row | {"versions": dict(row["versions"] or ())} for row in changed]  # Arrow has lists of pairs
        if rows:
            cleaned += store.upsert(RUNS, rows, update=True, compare=("config",))
    if not cleaned:
        return ()
    upkeep.forget_versions(store, RUNS.name)
    return (f"runs: removed secrets from {cleaned} rows, and deleted the files of its older versions",)


def _without_secrets(row: Row) -> Row:
    """Columns of a row of ``runs`` that contain secrets, with the secrets redacted."""
    clean: Row = {}
    if (text := row["config"]) is not None:
        try:
            stored = json.loads(text)
            if (shown := redact_value("", stored)) != stored:
                clean["config"] = json.dumps(shown, sort_keys=True)
        except ValueError:  # truncated, or not JSON
            if (shown := redact(text)) != text:
                clean["config"] = shown
    if (error := row["error"]) is not None and redact(error) != error:
        clean["error"] = redact(error)
    return clean
