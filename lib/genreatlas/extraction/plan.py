"""The plan of an extraction: which feature sets are made of which clips, how, and in which portions."""

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

#: The step whose rows of quarantine tell which clips failed.
STAGE = "extract_features"
#: Where what is pending is written down.
PENDING = "extract_features_plan"


@dataclass(frozen=True)
class Lacking:
    """How many clips lack a set: those whose audio is there, and those whose audio was dropped or purged."""

    clips: int
    gone: int


@dataclass(frozen=True)
class ExtractionPlan:
    """What one run extracts, fixed when it begins; what it is to be extracted from is asked of the store.

    Parameters
    ----------
    feature_sets : those of ``[extract] feature_sets`` and those that are always extracted.
    clip, limits : how audio is cut, and what a worker refuses.
    sizes : clips of a chunk, of a task, and of an Arrow batch.
    preprocessing_id : state of the cut and of the decoder, which rows of features have.
    version : state in which a clip fails, which rows of quarantine have.
    left_out : lines about sets that this machine lacks something for.
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
        """The plan that a configuration asks for.

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
        """Whether something was extracted before, by this configuration or another."""
        return any(self.store.exists(table_of(s)) for s in self.feature_sets)

    def lacking(self) -> DataFrame:
        """Clips of the current window rule that lack a set and did not fail at it: one row a clip and lacking set."""
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
        """Rows of :meth:`lacking` whose audio is there."""
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
        """Rows of :data:`genreatlas.audio.worker.REQUEST_COLUMNS`: each audio once, with every clip that holds it.

        An audio belongs to the chunk of the first of its clips.
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
        """Write down what is pending, once: every chunk would otherwise join all clips with all features again."""
        for left in self.store.staged(PENDING):  # by a killed run, or before features of equal audios were copied
            left.drop()
        return self.store.stage(self.pending().sortWithinPartitions("ingest_batch"), PENDING, self.store.run_id)

    def chunks(self, pending: DataFrame) -> list[tuple[list[str], int]]:
        """Divide what is pending into chunks: the ingest batches of each, and how many audios it has."""
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
    """Bound the rows of one Arrow batch, and put the session's own setting back after.

    Rows are small on their way in, but each makes four with 62 kB of frames on its way out.
    """
    key = "spark.sql.execution.arrow.maxRecordsPerBatch"
    conf = store.spark.conf
    before = conf.get(key, None)
    try:
        conf.set(key, str(rows))
    except Exception as error:  # a managed platform may refuse any setting
        log.info("%s stays as the platform has it: %s", key, str(error).splitlines()[0])
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
    """State in which a clip failed; with another set, version, preprocessing or release it is tried again."""
    versions = (f"{s.name}={s.version}" for s in sorted(feature_sets, key=lambda s: s.name))
    return f"{preprocessing}:{stable_id(*versions, length=8)}:{__version__}.{DECODER_RELEASE}"
