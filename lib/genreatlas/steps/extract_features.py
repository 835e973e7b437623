"""Extract every configured feature set from the clips that lack it.

The set `loudness` is always extracted as well. Clips with identical audio are decoded once. A repeated run does
nothing until there are new clips, another set, a new version of a set, or another preprocessing.
"""

import math
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.audio.embeddings import EmbeddingSet
from genreatlas.audio.feature_sets import FEATURE_SETS, FeatureSet, table_of
from genreatlas.audio.layouts import get_layout
from genreatlas.audio.worker import REQUEST_COLUMNS, RESULT, ExtractRequest
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.errors import UNKNOWN_FAULTS, EnvironmentFaultError, Reason
from genreatlas.extraction.attempts import (
    attempts_so_far,
    end_at_environment_faults,
    end_where_all_fail,
    forget,
    with_attempts,
)
from genreatlas.extraction.fetched_audio import drop_extracted, fill_sounds, with_audio
from genreatlas.extraction.network_files import extract_sent, send_networks
from genreatlas.extraction.plan import ExtractionPlan, arrow_batches
from genreatlas.progress import progress
from genreatlas.store import Staged, Store
from genreatlas.tables import CLIPS, EMBEDDINGS, QUARANTINE
from genreatlas.tables import FEATURE_SETS as FEATURE_SETS_TABLE
from genreatlas.watching import watched

STEP = "extract_features"
READS = (
    "clips",
    "clip_audio",
    "features_<set>",
    "vectors_<set>",
    "frames_<set>",
    "events_<set>",
    "codes_<set>",
    "quarantine",
)
WRITES = (
    "features_<set>",
    "vectors_<set>",
    "frames_<set>",
    "events_<set>",
    "codes_<set>",
    "feature_sets",
    "embeddings",
    "quarantine",
)
SECTIONS = ("extract", "clip", "fetch_previews")
check = checks.extract_features
#: Number of sets merged concurrently. A merge is a series of short jobs and commits with idle cores in between.
PARALLEL = 3


def run(store: Store, config: Config) -> Counts:
    """Add rows to every configured set for clips that have no row of its current version.

    Raises
    ------
    ConfigError : a configured set does not exist.
    """
    plan = ExtractionPlan.of(store, config)
    with arrow_batches(store, plan.sizes.batch_rows):
        counts = Counts(notes=(*plan.left_out, *fill_sounds(store)))
    for staged in store.staged(STEP):
        counts += merge(store, staged)
    lacking = plan.count_lacking()
    if lacking.clips:
        pending = plan.stage()
        if plan.has_rows and copy_known(plan, pending.frame):
            pending = plan.stage()
            left = pending.frame.select(F.explode("copies.clip_id")).distinct().count()
            counts += Counts(read=lacking.clips - left, written=lacking.clips - left)
        describe(plan, plan.feature_sets)
        chunks = plan.chunks(pending.frame)
        with progress(STEP, sum(audios for _, audios in chunks), "clips") as bar:
            for number, (batches, audios) in enumerate(chunks):
                staged = extract_chunk(plan, pending.frame, batches, audios, f"{store.run_id}-{number:06}")
                counts += merge(store, staged, is_first=number == 0)
                bar.advance(audios)
        pending.drop()
        counts = replace(counts, notes=tuple(dict.fromkeys(counts.notes)))  # chunks repeat the same notes
    else:
        describe(plan, [s for s in plan.feature_sets if store.exists(table_of(s))])
    if lacking.gone:
        again = "fetch_previews.refetch = true fetches them again"
        told = f"{lacking.gone} clips skipped: {Reason.AUDIO_GONE.value}. {again}"
        counts += Counts(skipped=lacking.gone, notes=(told,))
    if config.fetch_previews.retention == "features":
        counts += Counts(notes=drop_extracted(store, plan.lacking_here()))
    return counts


def extract_chunk(plan: ExtractionPlan, pending: DataFrame, batches: list[str], audios: int, chunk: str) -> Staged:
    """Extract the pending audio of some ingest batches, and stage rows with features and rows with failures.

    Parameters
    ----------
    pending : staged rows of the plan, one per audio.
    batches : values of ``ingest_batch``.
    audios : number of distinct pending audio cuts in these batches.
    chunk : name of the staged chunk.
    """
    request = ExtractRequest(plan.clip, plan.limits)
    send_networks(plan.store.spark, request.registered, frozenset(one.name for one in plan.feature_sets))
    result = (
        with_audio(plan.store, pending.where(F.col("ingest_batch").isin(batches)), batches)
        .select(*REQUEST_COLUMNS)
        .repartition(math.ceil(audios / plan.sizes.task_clips))
        .mapInArrow(watched(partial(extract_sent, request)), RESULT)
        .withColumn("preprocessing_id", F.lit(plan.preprocessing_id))
        .withColumn("version", F.lit(plan.version))
    )
    with arrow_batches(plan.store, plan.sizes.batch_rows):
        return plan.store.stage(result, STEP, chunk)


def merge(store: Store, staged: Staged, is_first: bool = False) -> Counts:
    """Merge a staged chunk into the tables of its sets and into quarantine, and count its clips.

    Raises
    ------
    EnvironmentFaultError : something that every clip needs is missing, or all clips of the first chunk failed for
        unknown reasons. Successful clips are merged; the others are not stored as failures.
    """
    rows = staged.frame
    found = rows.select(
        "audio_id", "feature_set", "set_version", "reason", "detail", "version", "copies.clip_id"
    ).toArrow()
    found = found.to_pylist()
    earlier = attempts_so_far(store, STEP) if any(row["reason"] in UNKNOWN_FAULTS for row in found) else {}
    if is_first:
        before = {key for key, _ in earlier}
        tried = {row["audio_id"] for row in found if not before.isdisjoint(row["clip_id"])}
        try:
            end_where_all_fail(STEP, [row | {"key": row["audio_id"]} for row in found], tried)
        except EnvironmentFaultError:
            staged.drop()
            raise
    good = {clip for row in found if row["set_version"] is not None for clip in row["clip_id"]}
    bad = {clip for row in found if row["reason"] not in (None, Reason.ENVIRONMENT_FAULT) for clip in row["clip_id"]}
    named = {(row["feature_set"], row["set_version"]) for row in found}
    left_out = dict.fromkeys(row["detail"] for row in found if row["reason"] is None and row["set_version"] is None)
    sets = [s for s in FEATURE_SETS.values() if (s.name, s.version) in named]  # without sets of another release
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda s: store.upsert(table_of(s), feature_rows(rows, s)), sets))  # re-raises errors
    forget(store, STEP, good | bad, {row["version"].rpartition(":")[0] for row in found})
    if bad:
        store.upsert(QUARANTINE, quarantine_rows(store, rows, earlier), update=True)
    staged.drop()
    end_at_environment_faults(STEP, found, len({row["audio_id"] for row in found}))
    notes = tuple(f"{detail} on workers, but not on the driver" for detail in left_out)
    return Counts(read=len(good) + len(bad), written=len(good), failed=len(bad), notes=notes)


def feature_rows(rows: DataFrame, feature_set: FeatureSet) -> DataFrame:
    """Rows of one set's table: one per clip with the audio, one column per feature."""
    values = value_columns(feature_set)
    return (
        rows.where((F.col("feature_set") == feature_set.name) & F.col("set_version").isNotNull())
        .withColumn("copy", F.explode("copies"))
        .select("copy.clip_id", "set_version", "preprocessing_id", "copy.song_id", *values)
    )


def value_columns(feature_set: FeatureSet) -> list[Column]:
    """Value columns of a set's table, computed from the columns of :data:`genreatlas.audio.worker.RESULT`."""
    columns = get_layout(feature_set.axis).columns(feature_set.features, feature_set.arrays)
    return [F.expr(sql).alias(column.name) for column, sql in columns]


def quarantine_rows(store: Store, rows: DataFrame, earlier: Mapping[tuple[str, str], int]) -> DataFrame:
    """Rows of quarantine: one per clip whose audio could not be used.

    Parameters
    ----------
    earlier : number of attempts in earlier runs, by clip and version.
    """
    bad = rows.where(F.col("reason").isNotNull() & (F.col("reason") != Reason.ENVIRONMENT_FAULT.value))
    bad = bad.withColumn("copy", F.explode("copies")).withColumn("key", F.col("copy.clip_id"))
    return with_attempts(store, bad, earlier).select(
        F.lit(STEP).alias("stage"),
        "key",
        "version",
        "reason",
        "detail",
        "copy.path",
        F.lit(store.run_id).alias("run_id"),
        F.lit(datetime.now(UTC)).cast("timestamp").alias("at"),
        "attempts",
    )


def copy_known(plan: ExtractionPlan, pending: DataFrame) -> bool:
    """Copy features that an earlier run extracted from identical audio of another clip.

    Parameters
    ----------
    pending : staged rows of the plan, one per audio.

    Returns
    -------
    Whether there is another clip with identical audio.
    """
    store = plan.store
    wanted = pending.select("audio_id", "feature_sets", F.explode("copies").alias("copy"))
    holders = store.read(CLIPS).select(F.col("clip_id").alias("known_id"), "audio_id")
    elsewhere = holders.join(wanted.select(F.col("copy.clip_id").alias("known_id")), "known_id", "left_anti")
    if pending.join(elsewhere, "audio_id", "left_semi").isEmpty():
        return False
    first = F.row_number().over(Window.partitionBy("audio_id").orderBy("known_id"))
    for feature_set in plan.feature_sets:
        known = plan.current_rows(feature_set).drop("song_id").withColumnRenamed("clip_id", "known_id")
        sources = known.join(holders, "known_id").withColumn("_first", first).where("_first = 1")
        clips = wanted.where(F.array_contains("feature_sets", feature_set.name)).select("audio_id", "copy.*")
        rows = clips.select("clip_id", "song_id", "audio_id").join(sources, "audio_id")
        store.upsert(table_of(feature_set), rows.select(*table_of(feature_set).column_names))
    return True


def describe(plan: ExtractionPlan, feature_sets: Iterable[FeatureSet]) -> None:
    """Write the features of each set with order and preprocessing, and the networks of embedding sets."""
    feature_sets = list(feature_sets)
    described = plan.store.read(FEATURE_SETS_TABLE).select("feature_set", "set_version", "preprocessing_id").distinct()
    known = {tuple(row) for row in described.collect()}
    networks = [
        {
            "feature_set": one.name,
            "set_version": one.version,
            "sha256": one.entry.sha256,
            "licence": one.entry.licence,
            "taught": one.entry.taught,
            "file": str(one.entry.file),
            "entry": one.entry.model_dump_json(exclude={"file"}),
        }
        for one in feature_sets
        if isinstance(one, EmbeddingSet)
    ]
    if networks:
        plan.store.upsert(EMBEDDINGS, networks, update=True)
    rows = [
        {
            "feature_set": s.name,
            "set_version": s.version,
            "position": position,
            "feature": feature.name,
            "kind": feature.kind,
            "axis": s.axis,
            "unit": feature.unit,
            "preprocessing_id": plan.preprocessing_id,
            "source": "registry",
        }
        for s in feature_sets
        if (s.name, s.version, plan.preprocessing_id) not in known
        for position, feature in enumerate(s.features)
    ]
    if rows:
        plan.store.upsert(FEATURE_SETS_TABLE, rows, update=True)
