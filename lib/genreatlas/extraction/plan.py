"""Plan of an extraction: feature sets, pending clips, settings and chunks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas import __version__
from genreatlas.audio.decode import DECODER_RELEASE
from genreatlas.audio.feature_sets import ALWAYS, FeatureSet, adopt_embeddings, get_feature_set, table_of
from genreatlas.audio.preprocess import preprocessing_id, window_rule
from genreatlas.config import ClipSection, Config, ExtractSection, LimitsSection
from genreatlas.extraction.attempts import is_closed
from genreatlas.extraction.fetched_audio import available, count_held, is_fetched
from genreatlas.ids import stable_id
from genreatlas.redaction import shown_log
from genreatlas.store import Reader, Staged, Store
from genreatlas.tables import CLIPS, QUARANTINE

log = shown_log(__name__)

#: Name of the step in quarantine.
STAGE = "extract_features"
#: Name of the staging table of pending audios.
PENDING = "extract_features_plan"


@dataclass(frozen=True)
class Lacking:
    """Number of clips that lack a set: with available audio, and with audio that was dropped or purged."""

    clips: int
    gone: int


@dataclass(frozen=True)
class ExtractionPlan:
    """Feature sets and settings of a run, fixed when it starts. Pending clips are queried from the store.

    Parameters
    ----------
    store : the store.
    feature_sets : the sets of ``[extract] feature_sets`` and those that are always extracted.
    clip, limits : settings of the cut, and limits of extraction.
    sizes : numbers of clips per chunk, per task, and per Arrow batch.
    preprocessing_id : stored in rows of features; see :func:`genreatlas.audio.preprocess.preprocessing_id`.
    version : stored in rows of quarantine; see :func:`quarantine_version`.
    left_out : messages about sets that are skipped because software is missing on this machine.
    """

    store: Store
    feature_sets: tuple[FeatureSet, ...]
    clip: ClipSection
    limits: LimitsSection
    sizes: ExtractSection
    preprocessing_id: str
    version: str
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, store: Store, config: Config) -> "ExtractionPlan":
        """Create the plan of a configuration.

        Raises
        ------
        ConfigError : a configured set does not exist.
        """
        adopt_embeddings(config.extract.embeddings)
        names = dict.fromkeys((*config.extract.feature_sets, *ALWAYS))
        asked = [get_feature_set(name) for name in names]
        feature_sets = tuple(one for one in asked if not one.lacking())
        left_out = tuple(one.lacking() for one in asked if one.lacking())
        preprocessing = preprocessing_id(config.clip)
        version = quarantine_version(preprocessing, feature_sets)
        return cls(store, feature_sets, config.clip, config.limits, config.extract, preprocessing, version, left_out)

    @property
    def has_rows(self) -> bool:
        """Whether the table of any of the sets exists."""
        return any(self.store.exists(table_of(s)) for s in self.feature_sets)

    def lacking(self) -> DataFrame:
        """Clips of the current window rule that lack a set and did not fail: one row per clip and missing set."""
        clips = self.store.live(CLIPS).where(F.col("window_rule") == window_rule(self.clip))
        failed = self.store.read(QUARANTINE).where(
            (F.col("stage") == STAGE) & (F.col("version") == self.version) & is_closed()
        )
        clips = clips.join(failed.select(F.col("key").alias("clip_id")), "clip_id", "left_anti")
        names = F.explode(F.array(*[F.lit(s.name) for s in self.feature_sets])).alias("feature_set")
        done = None
        for feature_set in self.feature_sets:
            rows = self.current_rows(feature_set).select("clip_id", F.lit(feature_set.name).alias("feature_set"))
            done = rows if done is None else done.unionByName(rows)
        wanted = clips.select("*", names)
        return wanted if done is None else wanted.join(done, ["clip_id", "feature_set"], "left_anti")

    def lacking_here(self) -> DataFrame:
        """Rows of :meth:`lacking` whose audio is available."""
        return available(self.store, self.lacking())

    def count_lacking(self) -> Lacking:
        """Count the clips that lack a set, in one pass."""
        return Lacking(*count_held(self.store, self.lacking()))

    def current_rows(self, feature_set: FeatureSet) -> DataFrame:
        """Rows of a set in its current version and preprocessing."""
        return self.store.read(table_of(feature_set)).where(
            (F.col("set_version") == feature_set.version) & (F.col("preprocessing_id") == self.preprocessing_id)
        )

    def pending(self) -> DataFrame:
        """Rows of :data:`genreatlas.audio.worker.REQUEST_COLUMNS`: one per audio, with all clips that have this audio.

        An audio belongs to the ingest batch of the first of its clips.
        """
        copy = F.struct("clip_id", "song_id", "uri", "path", "bytes", "modified_ns")
        return (
            self.lacking_here()
            .groupBy("audio_id", "sha256", "start_s", "length_s")
            .agg(
                F.sort_array(F.collect_set("feature_set")).alias("feature_sets"),
                F.min(F.struct("ingest_batch", "provider", is_fetched().alias("fetched"))).alias("first"),
                F.sort_array(F.collect_set(copy)).alias("copies"),
            )
            .select("*", "first.*")
        )

    def stage(self) -> Staged:
        """Stage the pending audios once, so that not every chunk joins all clips with all features."""
        for left in self.store.staged(
            PENDING
        ):  # left by a killed run, or from before features of equal audios were copied
            left.drop()
        return self.store.stage(self.pending().sortWithinPartitions("ingest_batch"), PENDING, self.store.run_id)

    def chunks(self, pending: DataFrame) -> list[tuple[list[str], int]]:
        """Divide pending audios into chunks: the ingest batches and the number of audios of each."""
        found: list[tuple[list[str], int]] = []
        batches = pending.groupBy("ingest_batch").count().collect()
        for batch, audios in sorted((row["ingest_batch"], row["count"]) for row in batches):
            if found and found[-1][1] + audios <= self.sizes.chunk_clips:
                found[-1] = ([*found[-1][0], batch], found[-1][1] + audios)
            else:
                found.append(([batch], audios))
        return found


@contextmanager
def arrow_batches(store: Reader, rows: int) -> Iterator[None]:
    """Limit the rows of an Arrow batch, and restore the session's setting afterwards.

    Input rows are small, but each yields four output rows with 62 kB of frames.
    """
    key = "spark.sql.execution.arrow.maxRecordsPerBatch"
    conf = store.spark.conf
    before = conf.get(key, None)
    try:
        conf.set(key, str(rows))
    except Exception as error:  # managed platforms may refuse settings
        log.info("%s keeps the platform's value: %s", key, str(error).splitlines()[0])
        yield
        return
    try:
        yield
    finally:
        if before is None:
            conf.unset(key)
        else:
            conf.set(key, before)


def quarantine_version(preprocessing: str, feature_sets: tuple[FeatureSet, ...]) -> str:
    """Version stored with failures. A clip is retried when sets, their versions, preprocessing or release change."""
    versions = (f"{s.name}={s.version}" for s in sorted(feature_sets, key=lambda s: s.name))
    return f"{preprocessing}:{stable_id(*versions, length=8)}:{__version__}.{DECODER_RELEASE}"
