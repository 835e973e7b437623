"""Extract every configured feature set from the clips that lack it.

The set `loudness` is always extracted too. Clips with equal audio are decoded once. Running it again
does nothing until there are new clips, another set, a new version of a set, or another preprocessing.
"""

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from genreatlas import __version__, checks
from genreatlas.audio.decode import DECODER_RELEASE
from genreatlas.audio.feature_sets import ALWAYS, FEATURE_SETS, FeatureSet, get_feature_set, table_of
from genreatlas.audio.layouts import get_layout
from genreatlas.audio.preprocess import preprocessing_id, window_rule
from genreatlas.audio.worker import REQUEST_COLUMNS, RESULT, ExtractRequest, extract_batches
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.errors import UNKNOWN_FAULTS, EnvironmentFaultError, Reason
from genreatlas.extraction.attempts import (
    attempts_so_far,
    end_at_environment_faults,
    end_where_all_fail,
    forget,
    is_closed,
    with_attempts,
)
from genreatlas.extraction.fetched_audio import available, drop_extracted, fill_sounds, gone, is_fetched, with_audio
from genreatlas.extraction.plan import arrow_batches, chunks
from genreatlas.ids import stable_id
from genreatlas.progress import progress
from genreatlas.store import Staged, Store
from genreatlas.tables import CLIP_AUDIO, CLIPS, QUARANTINE
from genreatlas.tables import FEATURE_SETS as FEATURE_SETS_TABLE
from genreatlas.watching import watched

STEP = "extract_features"
PLAN = "extract_features_plan"
READS = ("clips", "clip_audio", "features_<set>", "vectors_<set>", "frames_<set>", "events_<set>", "quarantine")
WRITES = ("features_<set>", "vectors_<set>", "frames_<set>", "events_<set>", "feature_sets", "quarantine")
SECTIONS = ("extract", "clip", "fetch_previews")
check = checks.extract_features
#: Sets merged at once: each is a chain of short jobs and commits that leave cores idle between them.
PARALLEL = 3


def run(store: Store, config: Config) -> Counts:
    """Add to every configured set the clips that have no row of its current version.

    Raises
    ------
    ConfigError : a configured set does not exist.
    """
    feature_sets = configured_sets(config)
    with arrow_batches(store, config.extract.batch_rows):
        counts = Counts(notes=fill_sounds(store))
    for staged in store.staged(STEP):
        counts += merge(store, staged)
    there_is_work = not lacking(store, config, feature_sets).isEmpty()
    if there_is_work and any(store.exists(table_of(s)) for s in feature_sets):
        counts += copy_known(store, config, feature_sets)
    describe(store, config, [s for s in feature_sets if there_is_work or store.exists(table_of(s))])
    if there_is_work:
        plan = stage_plan(store, config, feature_sets)
        divided = chunks(plan.frame, config.extract.chunk_clips)
        with progress(STEP, sum(audios for _, audios in divided), "clips") as bar:
            for number, (batches, audios) in enumerate(divided):
                chunk = f"{store.run_id}-{number:06}"
                staged = extract_chunk(store, config, feature_sets, plan.frame, batches, audios, chunk)
                counts += merge(store, staged, is_first=number == 0)
                bar.advance(audios)
        plan.drop()
    counts += audio_gone(store, config, feature_sets)
    if config.fetch_previews.retention == "features":
        counts += Counts(notes=drop_extracted(store, lacking(store, config, feature_sets)))
    return counts


def audio_gone(store: Store, config: Config, feature_sets: list[FeatureSet]) -> Counts:
    """Count the clips that lack a set and whose audio was dropped or purged."""
    if not store.exists(CLIP_AUDIO):
        return Counts()
    clips = gone(store, lacking_any(store, config, feature_sets)).select("clip_id").distinct().count()
    again = f"{clips} clips skipped: {Reason.AUDIO_GONE.value}. fetch_previews.refetch = true fetches them again"
    return Counts(skipped=clips, notes=(again,)) if clips else Counts()


def configured_sets(config: Config) -> list[FeatureSet]:
    """The sets of ``[extract] feature_sets`` and those that are always extracted."""
    return [get_feature_set(name) for name in dict.fromkeys((*config.extract.feature_sets, *ALWAYS))]


def lacking(store: Store, config: Config, feature_sets: list[FeatureSet]) -> DataFrame:
    """Rows of :func:`lacking_any` whose audio is there."""
    return available(store, lacking_any(store, config, feature_sets))


def lacking_any(store: Store, config: Config, feature_sets: list[FeatureSet]) -> DataFrame:
    """Clips of the current window rule that lack a set and did not fail at it: one row a clip and lacking set."""
    clips = store.live(CLIPS).where(F.col("window_rule") == window_rule(config.clip))
    failed = store.read(QUARANTINE).where(
        (F.col("stage") == STEP) & (F.col("version") == quarantine_version(config, feature_sets)) & is_closed()
    )
    clips = clips.join(failed.select(F.col("key").alias("clip_id")), "clip_id", "left_anti")
    names = F.explode(F.array(*[F.lit(s.name) for s in feature_sets])).alias("feature_set")
    done = None
    for feature_set in feature_sets:
        rows = current_rows(store, config, feature_set).select("clip_id", F.lit(feature_set.name).alias("feature_set"))
        done = rows if done is None else done.unionByName(rows)
    wanted = clips.select("*", names)
    return wanted if done is None else wanted.join(done, ["clip_id", "feature_set"], "left_anti")


def current_rows(store: Store, config: Config, feature_set: FeatureSet) -> DataFrame:
    """Rows of a set in its current version and preprocessing."""
    return store.read(table_of(feature_set)).where(
        (F.col("set_version") == feature_set.version) & (F.col("preprocessing_id") == preprocessing_id(config.clip))
    )


def quarantine_version(config: Config, feature_sets: list[FeatureSet]) -> str:
    """State in which a clip failed; with another set, version, preprocessing or release it is tried again."""
    versions = (f"{s.name}={s.version}" for s in sorted(feature_sets, key=lambda s: s.name))
    release = f"{__version__}.{DECODER_RELEASE}"
    return f"{preprocessing_id(config.clip)}:{stable_id(*versions, length=8)}:{release}"


def pending_audios(store: Store, config: Config, feature_sets: list[FeatureSet]) -> DataFrame:
    """Rows of :data:`genreatlas.audio.worker.REQUEST_COLUMNS`: each audio once, with every clip that holds it.

    An audio belongs to the chunk of the first of its clips.
    """
    copy = F.struct("clip_id", "song_id", "uri", "path", "bytes", "modified_ns")
    return (
        lacking(store, config, feature_sets)
        .groupBy("audio_id", "sha256", "start_s", "length_s")
        .agg(
            F.sort_array(F.collect_set("feature_set")).alias("feature_sets"),
            F.min(F.struct("ingest_batch", "provider", is_fetched().alias("fetched"))).alias("first"),
            F.sort_array(F.collect_set(copy)).alias("copies"),
        )
        .select("*", "first.*")
    )


def stage_plan(store: Store, config: Config, feature_sets: list[FeatureSet]) -> Staged:
    """Write down what is pending, once: every chunk would otherwise join all clips with all features again."""
    for left in store.staged(PLAN):  # by a killed run
        left.drop()
    pending = pending_audios(store, config, feature_sets)
    return store.stage(pending.sortWithinPartitions("ingest_batch"), PLAN, store.run_id)


def extract_chunk(
    store: Store,
    config: Config,
    feature_sets: list[FeatureSet],
    plan: DataFrame,
    batches: list[str],
    audios: int,
    chunk: str,
) -> Staged:
    """Extract the planned audios of some ingest batches and stage the result, good rows and bad."""
    tasks = math.ceil(audios / config.extract.task_clips)
    pending = plan.where(F.col("ingest_batch").isin(batches))
    result = (
        with_audio(store, pending, batches)
        .select(*REQUEST_COLUMNS)
        .repartition(tasks)
        .mapInArrow(watched(partial(extract_batches, ExtractRequest(config.clip, config.limits))), RESULT)
        .withColumn("preprocessing_id", F.lit(preprocessing_id(config.clip)))
        .withColumn("version", F.lit(quarantine_version(config, feature_sets)))
    )
    with arrow_batches(store, config.extract.batch_rows):
        return store.stage(result, STEP, chunk)


def merge(store: Store, staged: Staged, is_first: bool = False) -> Counts:
    """Merge a staged chunk into the tables of its sets and into quarantine, and count its clips.

    Raises
    ------
    EnvironmentFaultError : something that every clip needs is missing; or all clips of the first chunk failed, and
        none is known why. What went well is merged, and none of the others is stored as having failed.
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
    good = {clip for row in found if row["reason"] is None for clip in row["clip_id"]}
    bad = {clip for row in found if row["reason"] not in (None, Reason.ENVIRONMENT_FAULT) for clip in row["clip_id"]}
    named = {(row["feature_set"], row["set_version"]) for row in found}
    sets = [s for s in FEATURE_SETS.values() if (s.name, s.version) in named]  # not what another release staged
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda s: store.upsert(table_of(s), feature_rows(rows, s)), sets))  # raises what one raised
    forget(store, STEP, good | bad, {row["version"].rpartition(":")[0] for row in found})
    if bad:
        store.upsert(QUARANTINE, quarantine_rows(store, rows, earlier), update=True)
    staged.drop()
    end_at_environment_faults(STEP, found, len({row["audio_id"] for row in found}))
    return Counts(read=len(good) + len(bad), written=len(good), failed=len(bad))


def feature_rows(rows: DataFrame, feature_set: FeatureSet) -> DataFrame:
    """Rows of one set's table: one per clip that holds the audio, features as columns by name."""
    values = value_columns(feature_set)
    return (
        rows.where(F.col("feature_set") == feature_set.name)
        .withColumn("copy", F.explode("copies"))
        .select("copy.clip_id", "set_version", "preprocessing_id", "copy.song_id", *values)
    )


def value_columns(feature_set: FeatureSet) -> list[Column]:
    """Columns of a set's table behind its key, from the columns of :data:`genreatlas.audio.worker.RESULT`."""
    columns = get_layout(feature_set.axis).columns(feature_set.features, feature_set.arrays)
    return [F.expr(sql).alias(column.name) for column, sql in columns]


def quarantine_rows(store: Store, rows: DataFrame, earlier: Mapping[tuple[str, str], int]) -> DataFrame:
    """Rows of quarantine: one per clip whose audio could not be used.

    Parameters
    ----------
    earlier : attempts of earlier runs, by clip and version.
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


def copy_known(store: Store, config: Config, feature_sets: list[FeatureSet]) -> Counts:
    """Give clips the features of an equal audio that an earlier run extracted for another clip."""
    pending = lacking(store, config, feature_sets)
    holders = store.read(CLIPS).select(F.col("clip_id").alias("known_id"), "audio_id")
    elsewhere = holders.join(pending.select(F.col("clip_id").alias("known_id")), "known_id", "left_anti")
    if pending.join(elsewhere, "audio_id", "left_semi").isEmpty():
        return Counts()
    before = pending.select("clip_id").distinct().count()
    first = F.row_number().over(Window.partitionBy("audio_id").orderBy("known_id"))
    for feature_set in feature_sets:
        known = current_rows(store, config, feature_set).drop("song_id").withColumnRenamed("clip_id", "known_id")
        sources = known.join(holders, "known_id").withColumn("_first", first).where("_first = 1")
        wanted = pending.where(F.col("feature_set") == feature_set.name).select("clip_id", "song_id", "audio_id")
        rows = wanted.join(sources, "audio_id").select(*table_of(feature_set).column_names)
        store.upsert(table_of(feature_set), rows)
    done = before - lacking(store, config, feature_sets).select("clip_id").distinct().count()
    return Counts(read=done, written=done)


def describe(store: Store, config: Config, feature_sets: list[FeatureSet]) -> None:
    """Say in the table `feature_sets` which features each set has, in which order, and with which preprocessing."""
    preprocessing = preprocessing_id(config.clip)
    described = store.read(FEATURE_SETS_TABLE).select("feature_set", "set_version", "preprocessing_id").distinct()
    known = {tuple(row) for row in described.collect()}
    rows = [
        {
            "feature_set": s.name,
            "set_version": s.version,
            "position": position,
            "feature": feature.name,
            "kind": feature.kind,
            "axis": s.axis,
            "unit": feature.unit,
            "preprocessing_id": preprocessing,
            "source": "registry",
        }
        for s in feature_sets
        if (s.name, s.version, preprocessing) not in known
        for position, feature in enumerate(s.features)
    ]
    if rows:
        store.upsert(FEATURE_SETS_TABLE, rows, update=True)
