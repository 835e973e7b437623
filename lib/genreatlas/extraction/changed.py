"""Features of modified clips, extracted on the workers and stored in ``changed_features``.

They are computed by the same worker function as all other features. A clip is modified and extracted only once, even
if several samples contain it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas import __version__
from genreatlas.audio.changes import CHANGES
from genreatlas.audio.decode import DECODER_RELEASE
from genreatlas.audio.feature_sets import FEATURE_SETS, FeatureSet
from genreatlas.audio.layouts import get_layout
from genreatlas.audio.preprocess import preprocessing_id
from genreatlas.audio.worker import CHANGED_RESULT, REQUEST_COLUMNS, ExtractRequest
from genreatlas.config import Config
from genreatlas.errors import Reason
from genreatlas.extraction.fetched_audio import available, is_fetched, with_audio
from genreatlas.extraction.network_files import extract_sent, send_networks
from genreatlas.extraction.plan import arrow_batches
from genreatlas.store import Reader, Staged, Store
from genreatlas.tables import CHANGED_FEATURES, CLIPS
from genreatlas.watching import watched

STEP = "probe"
#: Value of ``feature_set`` in rows of unusable clips.
NONE = "*"
_RELEASE = f"{__version__}.{DECODER_RELEASE}"
_KEY = [name for name in CHANGED_FEATURES.key if name != "clip_id"]


@dataclass(frozen=True)
class Extracted:
    """Numbers of extracted and of failed clips, and a description of software missing on the workers."""

    done: int = 0
    failed: int = 0
    missing: str | None = None


def extract_changed(
    store: Store, config: Config, change: str, sets: Sequence[FeatureSet], songs: DataFrame
) -> Extracted:
    """Extract missing feature sets from the modified clips of some songs.

    Parameters
    ----------
    change : a key of :data:`genreatlas.audio.changes.CHANGES`.
    sets : the feature sets.
    songs : frame with the column song_id.
    """
    for staged in store.staged(STEP):  # left by a killed run
        merge(store, staged)
    pending = _pending(store, config, change, sets, songs)
    found = pending.select("audio_id", "ingest_batch").collect()
    if not found:
        return Extracted()
    batches = sorted({row["ingest_batch"] for row in found})
    request = ExtractRequest(config.clip, config.limits)
    send_networks(store.spark, request.registered, frozenset(one.name for one in sets))
    tasks = math.ceil(
        len(found) / max(1, config.extract.task_clips // 4)
    )  # modified clips take longer, so tasks have fewer of them
    result = (
        with_audio(store, pending, batches)
        .select(*REQUEST_COLUMNS, F.lit(change).alias("change"))
        .repartition(tasks)
        .mapInArrow(watched(partial(extract_sent, request)), CHANGED_RESULT)
        .withColumn("preprocessing_id", F.lit(preprocessing_id(config.clip)))
        .withColumn("change_version", F.lit(CHANGES[change].version))
    )
    with arrow_batches(store, config.extract.batch_rows):
        staged = store.stage(result, STEP, f"{store.run_id}-{change}")
    return merge(store, staged)


def merge(store: Store, staged: Staged) -> Extracted:
    """Write a staged chunk, successes and failures. Missing software is not a fault of a clip and is not stored."""
    rows = staged.frame
    said = rows.select("feature_set", "reason", "detail", F.size("copies").alias("n")).collect()
    bad = F.col("reason").isNotNull()
    stored = F.when(bad, F.col("reason") != Reason.ENVIRONMENT_FAULT.value).otherwise(F.col("set_version").isNotNull())
    kept = rows.where(stored).withColumn("copy", F.explode("copies"))
    changed = kept.select(
        "copy.clip_id", "change", "change_version",
        F.when(bad, F.lit(NONE)).otherwise(F.col("feature_set")).alias("feature_set"),
        F.when(bad, F.lit(_RELEASE)).otherwise(F.col("set_version")).alias("set_version"),
        "preprocessing_id", "copy.song_id", "values", "frames", "n_frames", "width", "hop_s", "reason", "detail",
    )  # fmt: skip
    store.upsert(CHANGED_FEATURES, changed)
    staged.drop()
    missing = [row["detail"] for row in said if row["reason"] == Reason.ENVIRONMENT_FAULT.value]
    failed = sum(row["n"] for row in said if row["reason"] not in (None, Reason.ENVIRONMENT_FAULT.value))
    first = next((row["feature_set"] for row in said if row["reason"] is None), None)
    done = sum(row["n"] for row in said if row["reason"] is None and row["feature_set"] == first)
    return Extracted(done, failed, missing[0] if missing else None)


def changed_rows(store: Reader, config: Config, change: str, feature_set: FeatureSet) -> DataFrame:
    """Rows of modified clips with the columns of the set's own table: clip_id, song_id and values."""
    columns = get_layout(feature_set.axis).columns(feature_set.features)
    rows = _current(store, config, change).where(
        (F.col("feature_set") == feature_set.name) & (F.col("set_version") == feature_set.version)
    )
    return rows.select("clip_id", "song_id", *[F.expr(sql).alias(column.name) for column, sql in columns])


def failures(store: Reader, config: Config, change: str) -> DataFrame:
    """Clips that could not be modified or extracted: clip_id, song_id, reason, detail."""
    rows = _current(store, config, change).where((F.col("feature_set") == NONE) & (F.col("set_version") == _RELEASE))
    return rows.select("clip_id", "song_id", "reason", "detail")


def registered_sets(names: Sequence[str]) -> list[FeatureSet] | None:
    """Registered sets with these names; None if one of them is an imported table."""
    return [FEATURE_SETS[name] for name in names] if all(name in FEATURE_SETS for name in names) else None


def _current(store: Reader, config: Config, change: str) -> DataFrame:
    return store.read(CHANGED_FEATURES).where(
        (F.col("change") == change)
        & (F.col("change_version") == CHANGES[change].version)
        & (F.col("preprocessing_id") == preprocessing_id(config.clip))
    )


def _pending(store: Reader, config: Config, change: str, sets: Sequence[FeatureSet], songs: DataFrame) -> DataFrame:
    """Rows of :data:`genreatlas.audio.worker.REQUEST_COLUMNS` without the audio column, one per audio."""
    clips = store.live(CLIPS).join(songs.select("song_id").distinct(), "song_id", "left_semi")
    clips = clips.join(failures(store, config, change).select("clip_id"), "clip_id", "left_anti")
    names = F.explode(F.array(*[F.lit(one.name) for one in sets])).alias("feature_set")
    versions = F.col("feature_set").isin([one.name for one in sets])
    done = _current(store, config, change).where(versions).select("clip_id", "feature_set", "set_version")
    now = store.spark.createDataFrame([(s.name, s.version) for s in sets], "feature_set string, set_version string")
    done = done.join(now, ["feature_set", "set_version"], "left_semi").select("clip_id", "feature_set")
    lacking = available(store, clips.select("*", names)).join(done, ["clip_id", "feature_set"], "left_anti")
    copy = F.struct("clip_id", "song_id", "uri", "path", "bytes", "modified_ns")
    return (
        lacking.groupBy("audio_id", "sha256", "start_s", "length_s")
        .agg(
            F.sort_array(F.collect_set("feature_set")).alias("feature_sets"),
            F.min(F.struct("ingest_batch", "provider", is_fetched().alias("fetched"))).alias("first"),
            F.sort_array(F.collect_set(copy)).alias("copies"),
        )
        .select("*", "first.*")
    )
