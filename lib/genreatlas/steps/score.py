"""Write genre probabilities of clips or files with the model in use: ``--set score.path=/music``.

With score.path, features of every window of every file below a folder (or listed in a CSV or Parquet with a column
path) are extracted with the preprocessing of the model's training clips, and scored. The mean over windows is written
to scores, the timeline to score_windows. Without score.path, the store's clips are scored from features computed with
the model's preprocessing. Only new files and clips are scored.
"""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas import __version__, checks
from genreatlas.audio.decode import DECODER_RELEASE
from genreatlas.audio.feature_sets import registered
from genreatlas.audio.layouts import get_layout
from genreatlas.audio.probe import is_audio
from genreatlas.audio.uris import path_to_uri
from genreatlas.audio.whole_files import REQUEST, RESULT, Recipe, check_recipe
from genreatlas.config import Config
from genreatlas.config.joined import members_of
from genreatlas.counts import Counts
from genreatlas.datasets.feature_tables import FeatureTable, find_feature_table, model_columns
from genreatlas.datasets.fetching import fingerprint, fingerprints
from genreatlas.errors import UNKNOWN_FAULTS, EnvironmentFaultError, ModelError, Reason
from genreatlas.evaluation.song_scores import (
    answered_clips,
    clip_rows,
    file_rows,
    scored_windows,
    window_id,
    window_rows,
)
from genreatlas.extraction.attempts import (
    attempts_so_far,
    end_at_environment_faults,
    end_where_all_fail,
    forget,
    is_closed,
    with_attempts,
)
from genreatlas.extraction.network_files import send_networks, windows_sent
from genreatlas.models import aliases, registry
from genreatlas.models.confidence import most_genres
from genreatlas.models.engines.protocol import StoredModel
from genreatlas.models.meta import Meta
from genreatlas.models.network_files import networks_of
from genreatlas.models.topic_files import topics_of
from genreatlas.sources.scoring_list import Item, Refused, list_items
from genreatlas.store import Staged, Store
from genreatlas.tables import CLIPS, QUARANTINE, SCORE_WINDOWS, SCORES
from genreatlas.watching import watched

READS = (
    "promotions", "models", "scores", "clips", "feature_sets", "features_<set>", "vectors_<set>", "frames_<set>",
    "events_<set>", "quarantine",
)  # fmt: skip
WRITES = ("scores", "score_windows", "quarantine")
SECTIONS = ("score", "models", "limits")
check = checks.score

STEP = "score"
_RELEASE = f"{__version__}.{DECODER_RELEASE}"
#: Staging table of a chunk's scores, which are written to two tables.
_PREDICTED = "score_predicted"

#: Maximum number of scores in one commit of clips: 24 bytes each in memory, a third of that on disk.
_SCORES_A_COMMIT = 20_000_000

#: Maximum number of stored scores per clip; the highest ones are stored. Models of Spark ML have at most 2,000 genres.
_MOST_STORED = 2_000


def run(store: Store, config: Config) -> Counts:
    """Score files or clips that the model has not scored yet.

    Raises
    ------
    ModelError : there is no such model, or its preprocessing cannot be reproduced here.
    InputError : score.path cannot be used.
    """
    row = aliases.resolve(store, config.score.model)
    meta = registry.read_meta(row, config)
    scoring = _Scoring(store, config, meta, registry.load(row, config))
    for leftover in store.staged(_PREDICTED):
        leftover.drop()
    return scoring.clips() if config.score.path is None else scoring.files(config.score.path)


class _Scoring:
    def __init__(self, store: Store, config: Config, meta: Meta, predictor: StoredModel) -> None:
        self.store = store
        self.config = config
        self.meta = meta
        self.predictor = predictor
        self.confidence = predictor.confidence

    def files(self, path: Path) -> Counts:
        settings = self.config.score
        clip = self.meta.clip_section()
        folder = self.config.models.path.absolute() / self.meta.model_id
        recipe = Recipe(
            self.meta.feature_set,
            clip,
            self.config.limits,
            self.meta.features,
            settings.hop_s,
            settings.max_windows,
            registered().beside((*networks_of(folder), *topics_of(folder))),
        )
        send_networks(self.store.spark, recipe.registered, frozenset(members_of(self.meta.feature_set)))
        check_recipe(self.meta.model_id, self.meta.set_version, self.meta.preprocessing_id, recipe)
        counts = Counts()
        for staged in self.store.staged(STEP):
            counts += self._merge(staged)
        refused: list[Refused] = []
        pending = self._pending(_items(list_items(path, is_audio, self.config.score.encoding), refused))
        counts += self._quarantine(path, refused)
        size = settings.batch_files
        for number, start in enumerate(range(0, len(pending), size)):
            chunk = f"{self.meta.model_id}-{self.store.run_id}-{number:06}"
            counts += self._merge(self._extract(pending[start : start + size], recipe, chunk), is_first=number == 0)
        return counts

    def _quarantine(self, path: Path, refused: Sequence[Refused]) -> Counts:
        """Write quarantine rows for list entries without a usable file, and delete those of an earlier list."""
        prefix = f"{path_to_uri(os.fsencode(path.absolute()))}#"
        rows = [
            {
                "stage": STEP,
                "key": f"{prefix}{one.place.replace(' ', '=')}",
                "version": self.meta.model_id,
                "reason": one.reason.value,
                "detail": one.detail,
                "path": path.name,
                "run_id": self.store.run_id,
                "at": datetime.now(UTC),
            }
            for one in refused
        ]
        stored = self.store.read(QUARANTINE).where((F.col("stage") == STEP) & F.col("key").startswith(prefix))
        keys = {row["key"] for row in rows}
        gone = [(STEP, row["key"]) for row in stored.select("key").distinct().collect() if row["key"] not in keys]
        if gone:
            self.store.delete(QUARANTINE, self.store.spark.createDataFrame(gone, "stage string, key string"))
        changed = self.store.upsert(QUARANTINE, rows, update=True) if rows else 0
        return Counts(read=changed, failed=changed)

    def clips(self) -> Counts:
        table = find_feature_table(self.store, self.meta.feature_set, self.meta.set_version, self.meta.preprocessing_id)
        rows = table.rows(self.store)
        known = self._known().where(F.col("item_id").startswith("clip:"))
        done = known.select(F.substring(F.col("item_id"), 6, 1 << 30).alias("clip_id"))
        pending = rows.join(done, "clip_id", "left_anti")
        count = pending.count()
        otherwise = self._made_otherwise(rows)
        if not count and otherwise and not known.limit(1).count():
            raise ModelError(
                f"model {self.meta.model_id}: no clip has {self.meta.feature_set} with the model's preprocessing "
                f"(version {self.meta.set_version}, preprocessing {self.meta.preprocessing_id}); the stored ones were "
                "computed with other settings. Extract them with the [clip] section of the model, or train again."
            )
        stored = len(self.meta.classes) if self.meta.multi else min(len(self.meta.classes), _MOST_STORED)
        chunks = max(1, math.ceil(count * stored / _SCORES_A_COMMIT))
        written = 0
        for number in range(chunks if count else 0):
            chunk = pending.where(F.pmod(F.xxhash64("clip_id"), F.lit(chunks)) == number)
            answers = self._clip_rows(self._encoded(table, chunk))
            staged = self.store.stage(answers, _PREDICTED, f"clips-{number:06}")
            written += self.store.upsert(SCORES, self._stamped(staged.frame))
            staged.drop()
        notes = (
            (f"{otherwise} clips have no features computed with the model's preprocessing, and were not scored",)
            if otherwise
            else ()
        )
        return Counts(read=count + otherwise if count else 0, written=written, skipped=otherwise, notes=notes)

    def _clip_rows(self, clips: DataFrame) -> DataFrame:
        about = (
            self.meta.model_id, self.meta.classes, self.meta.score_kind, self.confidence, self.config.score.max_set,
        )  # fmt: skip
        alone = clips.withColumn("song_id", F.col("clip_id")).withColumn("truth", F.lit(None).cast("int"))
        most = most_genres(self.config.score.max_set, len(self.meta.classes))
        if (answered := self.predictor.predict_songs(alone, most)) is not None:
            of_clip = answered.withColumnRenamed("song_id", "clip_id_")
            songs = clips.select("song_id", F.col("clip_id").alias("clip_id_"))
            return answered_clips(of_clip.join(songs, "clip_id_"), *about)
        return clip_rows(self.predictor.predict(clips).withColumn("clip_id_", F.col("clip_id")), *about)

    def _encoded(self, table: FeatureTable, rows: DataFrame) -> DataFrame:
        _, columns = model_columns(rows, table.layout, table.columns, self.meta.features)
        return rows.select("song_id", "clip_id", *columns)

    def _made_otherwise(self, rows: DataFrame) -> int:
        clips = self.store.live(CLIPS).select("clip_id")
        return clips.join(rows.select("clip_id"), "clip_id", "left_anti").count()

    def _known(self) -> DataFrame:
        return self.store.read(SCORES).where(F.col("model_id") == self.meta.model_id)

    def _pending(self, items: Iterable[Item]) -> list[Item]:
        """Files that are new or changed since they were scored, without files that failed in their current state.

        The driver keeps a hash of 16 bytes for each known file: a million files take 90 MB.
        """
        max_mb = self.config.store.max_commit_mb
        scored_files = self._known().where(~F.col("item_id").startswith("clip:"))
        failed = self.store.read(QUARANTINE).where((F.col("stage") == STEP) & is_closed())
        known = fingerprints(scored_files, ("item_id", "bytes", "modified_ns"), max_mb)
        refused = fingerprints(failed, ("key", "version"), max_mb)
        pending = []
        for item in items:
            uri = path_to_uri(item.path)
            if fingerprint(uri, item.size, item.modified_ns) in known:
                continue
            if fingerprint(uri, self._version(item.size, item.modified_ns)) not in refused:
                pending.append(item)
        return pending

    def _version(self, size: int, modified_ns: int) -> str:
        return f"{self.meta.model_id}:{size}:{modified_ns}:{_RELEASE}"

    def _extract(self, items: Sequence[Item], recipe: Recipe, chunk: str) -> Staged:
        uris = [path_to_uri(item.path) for item in items]
        rows = [(uri, uri, one.text, one.size, one.modified_ns) for uri, one in zip(uris, items, strict=True)]
        tasks = math.ceil(len(rows) / self.config.score.task_files)
        frame = self.store.spark.createDataFrame(rows, REQUEST).repartition(tasks)
        return self.store.stage(frame.mapInArrow(watched(partial(windows_sent, recipe)), RESULT), STEP, chunk)

    def _merge(self, staged: Staged, is_first: bool = False) -> Counts:
        """Score the windows of a chunk, and write scores, score_windows and quarantine.

        Raises
        ------
        EnvironmentFaultError : something that every file needs is missing, or all files of the first chunk failed for
            unknown reasons. Successful files are written; the others are not stored as failures.
        """
        if not staged.chunk.startswith(f"{self.meta.model_id}-"):  # a killed run of another model
            staged.drop()
            return Counts()
        rows = staged.frame
        said = [row.asDict() for row in rows.select("item_id", "window", "reason", "detail").distinct().collect()]
        files = [row | {"key": row["item_id"]} for row in said if row["window"] is None]
        earlier = attempts_so_far(self.store, STEP) if any(row["reason"] in UNKNOWN_FAULTS for row in files) else {}
        if is_first and len(files) == len(said):
            try:
                end_where_all_fail(STEP, files, {key for key, _ in earlier})
            except EnvironmentFaultError:
                staged.drop()
                raise
        usable = rows.where("features IS NOT NULL").withColumn("clip_id", window_id())
        usable = usable.withColumnRenamed("item_id", "song_id")
        layout = get_layout(self.meta.axis)
        usable = usable.withColumnRenamed("features", layout.values)
        # Quantised values in tables come with their scale; windows of files have the values themselves.
        usable = usable.withColumns(
            {name: F.lit(None).cast("double") for name in layout.given if name not in usable.columns}
        )
        predicted = self.predictor.predict(usable)
        whole = self.store.stage(scored_windows(rows.where("window IS NOT NULL"), predicted), _PREDICTED, staged.chunk)
        windows = whole.frame
        again = self._known().join(windows.select("item_id").distinct(), "item_id", "left_semi")
        self.store.delete(SCORE_WINDOWS, again.select("model_id", "item_id"))
        timeline = window_rows(windows, self.meta.model_id, self.meta.classes, self.confidence)
        self.store.upsert(SCORE_WINDOWS, timeline, update=True)
        answers = file_rows(
            windows,
            self.meta.model_id,
            self.meta.classes,
            self.meta.score_kind,
            self.confidence,
            self.config.score.max_set,
        )
        written = self.store.upsert(SCORES, self._stamped(answers), update=True, compare=("modified_ns",))
        bad = rows.where(F.col("window").isNull() & (F.col("reason") != Reason.ENVIRONMENT_FAULT.value))
        failed = bad.count()
        forget(self.store, STEP, {row["item_id"] for row in said}, {self.meta.model_id})
        if failed:
            self.store.upsert(QUARANTINE, self._refused(bad, earlier), update=True)
        whole.drop()
        staged.drop()
        end_at_environment_faults(STEP, files, len({row["item_id"] for row in said}))
        return Counts(read=written + failed, written=written, failed=failed)

    def _stamped(self, rows: DataFrame) -> DataFrame:
        now = F.lit(datetime.now(UTC)).cast("timestamp")
        return rows.withColumn("scored_at", now).withColumn("run_id", F.lit(self.store.run_id))

    def _refused(self, rows: DataFrame, earlier: Mapping[tuple[str, str], int]) -> DataFrame:
        version = F.concat_ws(":", F.lit(self.meta.model_id), F.col("bytes"), F.col("modified_ns"), F.lit(_RELEASE))
        named = rows.withColumn("key", F.col("item_id")).withColumn("version", version)
        return with_attempts(self.store, named, earlier).select(
            F.lit(STEP).alias("stage"),
            "key",
            "version",
            "reason",
            "detail",
            "path",
            F.lit(self.store.run_id).alias("run_id"),
            F.lit(datetime.now(UTC)).cast("timestamp").alias("at"),
            "attempts",
        )


def _items(listed: Iterable[Item | Refused], refused: list[Refused]) -> Iterator[Item]:
    """Yield the files of a list, and collect refused entries in ``refused``."""
    for one in listed:
        if isinstance(one, Refused):
            refused.append(one)
        else:
            yield one
