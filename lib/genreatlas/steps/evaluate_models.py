"""Evaluate every trained model on songs that it was not trained on, with intervals over artists.

Predictions are stored. A run scores only songs that were added to the evaluated part since the last run. For the
models concerned, it then computes all metrics again from the table ``predictions``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce

import pandas as pd
import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.errors import ModelError, Reason
from genreatlas.evaluation import leaderboard
from genreatlas.evaluation.cases import (
    COMPARED,
    Case,
    StoredFigures,
    StoredPredictions,
    comparisons,
    delete_outdated,
    figures,
    find_cases,
)
from genreatlas.evaluation.importances import PERMUTATION, importances, own_importances
from genreatlas.evaluation.reliability import reliability_rows
from genreatlas.evaluation.song_scores import Families, answered_predictions, song_predictions
from genreatlas.metrics import metric_for, version_of
from genreatlas.models import registry
from genreatlas.models.engines import get_engine
from genreatlas.models.engines.protocol import StoredModel
from genreatlas.models.engines.song_blocks import TOP
from genreatlas.progress import progress, tracked
from genreatlas.store import Staged, Store
from genreatlas.tables import MODELS, PREDICTIONS, QUARANTINE, RELIABILITY

READS = (
    "models", "splits", "songs", "song_artists", "song_genres", "genre_parents", "clips", "feature_sets",
    "features_<set>", "vectors_<set>", "frames_<set>", "events_<set>", "predictions", "metrics", "reliability",
    "recording_links",
)  # fmt: skip
WRITES = ("predictions", "metrics", "reliability", "quarantine")
SECTIONS = ("evaluate", "models", "train", "splits")
check = checks.evaluate_models

STEP = "evaluate_models"
#: Staging table of features from which several chunks of songs are scored.
_CLIPS = "evaluate_clips"

#: Estimated bytes of one class score in a staged row: the genre's id and a double.
_SCORE_BYTES = 24


@dataclass(frozen=True)
class Batch:
    """Songs to be scored by one model."""

    case: Case
    songs: pd.DataFrame

    @property
    def n_bytes(self) -> int:
        """Estimated size of the batch's predictions in bytes."""
        stored = len(self.case.classes)
        if stored > TOP and not get_engine(str(self.case.model["engine"])).needs_spark:
            stored = TOP + 1
        return len(self.songs) * (200 + _SCORE_BYTES * stored)


def run(store: Store, config: Config) -> Counts:
    """Score songs without predictions, and compute missing or outdated metrics. Counts are models."""
    for staged in store.staged(STEP):
        store.upsert(PREDICTIONS, staged.frame, update=True)
        staged.drop()
    for leftover in store.staged(_CLIPS):
        leftover.drop()
    models = leaderboard.current_models(
        store.read(MODELS).toPandas(), split=config.splits.name, level=config.train.level, labels=config.train.labels
    )
    if models.empty:
        return Counts(notes=("No model was trained yet with this split, level and labels: run train_models.",))
    return _Evaluation(store, config).run(models)


class _Evaluation:
    def __init__(self, store: Store, config: Config) -> None:
        self.store = store
        self.config = config
        self.part = config.evaluate.part
        self.max_mb = config.store.max_commit_mb
        self.predictors: dict[str, StoredModel] = {}
        self.failed: dict[str, str] = {}
        self.clips: dict[int, DataFrame] = {}

    def run(self, models: pd.DataFrame) -> Counts:
        rows = [{str(name): value for name, value in row.items()} for row in models.to_dict("records")]
        cases, unusable = find_cases(self.store, self.config, rows)
        for row in rows:
            if error := unusable.get(row["model_id"]):
                self._fail(row, error)
        predictions = StoredPredictions(self.store, self.max_mb)
        table = StoredFigures(self.store, self.part, [case.model_id for case in cases])
        known = predictions.known(cases, self.part)
        waiting = {case.model_id: _not_scored(case, known[case.model_id]) for case in cases}
        todo = [case for case in cases if len(waiting[case.model_id]) or not _judged(case, table.overall)]
        batches = [Batch(case, waiting[case.model_id]) for case in todo if len(waiting[case.model_id])]
        if batches:
            self._score(batches)
            known |= predictions.known([batch.case for batch in batches], self.part)
        cases = [_scored_only(case, known[case.model_id]) for case in cases if case.model_id not in self.failed]
        names = {case.model_id for case in todo}
        fresh = [case for case in cases if case.model_id in names and len(case.songs)]
        if fresh:
            predictions.outcomes([case for case in fresh if not case.multi])
            told = tracked(fresh, f"{STEP}: figures", len(fresh), "models")
            judged = [figures(case, predictions, self.config.evaluate) for case in told]
            judged += [importance for case in fresh if len(importance := self._own_importances(case))]
            table.write(pd.concat(judged, ignore_index=True), [case.model_id for case in fresh])
        self._reliability([case for case in cases if len(case.songs)], predictions, names)
        changed = self._explain([case for case in cases if len(case.songs)], predictions, table, names)
        notes = self._leaderboard(cases, table) if todo or changed else []
        notes += [f"could not be used: {why}" for why in sorted(self.failed.values())]
        done, failed = len(fresh) or changed, len(self.failed)
        skipped = sum(case.songs.empty for case in cases if case.model_id in names)
        return Counts(done + failed + skipped, done, failed, skipped, tuple(notes))

    def _score(self, batches: Sequence[Batch]) -> None:
        songs = sum(len(batch.songs) for batch in batches)
        chunks = list(_chunks(batches, self.max_mb << 20))
        staged = self._stage_clips(chunks)
        with progress(f"{STEP}: scoring", songs, "songs of models") as bar:
            for number, chunk in enumerate(chunks):
                self._score_chunk(chunk, f"{self.store.run_id}-{number:06d}")
                bar.advance(sum(len(batch.songs) for batch in chunk))
        for one in staged:
            one.drop()

    def _stage_clips(self, chunks: Sequence[Sequence[Batch]]) -> list[Staged]:
        """Stage the evaluated part's features if several chunks read them: each would repeat the joins of all tables.

        Data sets of frames are not staged.
        """
        if len(chunks) < 2:
            return []
        staged: list[Staged] = []
        for dataset in {id(one): one for chunk in chunks for batch in chunk for one in [batch.case.dataset]}.values():
            if dataset.layout.several:  # a copy of frames would take gigabytes
                continue
            clips = dataset.frame.where(F.col("part") == self.part)
            staged.append(self.store.stage(clips, _CLIPS, f"{self.store.run_id}-{len(staged):06d}"))
            self.clips[id(dataset)] = staged[-1].frame
        return staged

    def _score_chunk(self, chunk: Sequence[Batch], name: str) -> None:
        usable = [batch for batch in chunk if self._load(batch.case) is not None]
        if not usable:
            return
        try:
            frame = reduce(DataFrame.unionByName, [self._predicted(batch) for batch in usable])
            staged = self.store.stage(frame, STEP, name)
        except (PySparkException, ModelError) as error:
            if len(usable) == 1:
                self._fail(usable[0].case.model, error)
            else:  # find the model that made the chunk fail
                for number, batch in enumerate(usable):
                    self._score_chunk([batch], f"{name}-{number:04d}")
            return
        self.store.upsert(PREDICTIONS, staged.frame, update=True)
        staged.drop()

    def _predicted(self, batch: Batch) -> DataFrame:
        case = batch.case
        songs = self.store.spark.createDataFrame(
            batch.songs, "song_id string, group_id string, part string, genres array<string>"
        )
        predictor = self.predictors[case.model_id]
        sums = not case.multi and predictor.score_kind == "probability"
        families = Families.of(predictor.classes, case.parents) if sums else None
        if (answered := self._answered(predictor, batch, songs, families)) is not None:
            return answered_predictions(
                answered,
                songs,
                model_id=case.model_id,
                classes=predictor.classes,
                score_kind=predictor.score_kind,
                multi=case.multi,
                families=families,
            )
        return song_predictions(
            predictor.predict(self._clips(case, songs)),
            songs,
            model_id=case.model_id,
            classes=predictor.classes,
            score_kind=predictor.score_kind,
            multi=case.multi,
            confidence=predictor.confidence,
            families=families,
        )

    def _reliability(self, cases: Sequence[Case], predictions: StoredPredictions, fresh: set[str]) -> None:
        """Write the reliability of models with new songs or without stored reliability rows."""
        sure = [case for case in cases if not case.multi and case.model["score_kind"] == "probability"]
        ids = [case.model_id for case in sure]
        mine = (F.col("part") == self.part) & F.col("model_id").isin(ids)
        stored = self.store.read(RELIABILITY).where(mine).select(list(RELIABILITY.key)).toPandas()
        new = [case for case in sure if case.model_id in fresh or case.model_id not in set(stored["model_id"])]
        if not new:
            return
        predictions.outcomes(new)
        blocks = []
        for case in new:
            confidence = registry.read_meta(case.model, self.config).sureness()
            stated = None if confidence is None else confidence.coverage
            found = reliability_rows(predictions.outcomes_of(case), case.classes, stated)
            blocks.append(found.assign(model_id=case.model_id, part=self.part))
        if not (blocks := [one for one in blocks if len(one)]):
            return
        rows = pd.concat(blocks, ignore_index=True)
        self.store.upsert(RELIABILITY, rows, update=True)
        stored = stored[stored["model_id"].isin([case.model_id for case in new])]
        delete_outdated(self.store, RELIABILITY, stored, rows)

    def _answered(
        self, predictor: StoredModel, batch: Batch, songs: DataFrame, families: Families | None
    ) -> DataFrame | None:
        """Predictions of whole songs by a model of many genres; None if the model predicts clips with all scores."""
        case = batch.case
        place = {genre: number for number, genre in enumerate(predictor.classes)}
        genres = batch.songs["genres"]
        # For songs with several genres only the highest scores are kept: their metrics rank songs, not genres.
        truth = [None] * len(genres) if case.multi else [place[mine[0]] for mine in genres]
        known = pd.DataFrame({"song_id": batch.songs["song_id"], "truth": pd.array(truth, dtype="Int32")})
        table = self.store.spark.createDataFrame(pa.Table.from_pandas(known, preserve_index=False))
        clips = self._clips(case, songs).join(table, "song_id")
        return predictor.predict_songs(clips, families=families.of_class if families else None)

    def _clips(self, case: Case, songs: DataFrame) -> DataFrame:
        """Clips with features of the given songs."""
        staged = self.clips.get(id(case.dataset))
        return case.clips(songs) if staged is None else staged.join(songs.select("song_id"), "song_id", "left_semi")

    def _explain(
        self, cases: Sequence[Case], predictions: StoredPredictions, table: StoredFigures, fresh: set[str]
    ) -> int:
        """Write missing importances of the best model of each engine, and compare the best model with all others.

        Returns
        -------
        Number of models with new importances, plus one if the comparison was written.
        """
        board = self._board(cases, table)
        by_id, first = {case.model_id: case for case in cases}, leaderboard.best_per_engine(board)
        known = table.overall
        explained = set(known.loc[known["metric"] == PERMUTATION, "model_id"])
        unexplained = [by_id[model_id] for model_id in first if model_id not in explained]
        predictors = [(case, self._load(case)) for case in unexplained]
        told = tracked(predictors, f"{STEP}: importances", len(predictors), "models")
        rows = [importances(self.store, case, one, self.config) for case, one in told if one is not None]
        best = next((by_id[model_id] for model_id in [*first, *board["model_id"]]), None)
        others = [case for case in cases if best and case is not best and case.classes == best.classes]
        compared = known[known["metric"] == COMPARED[0]]
        stored = set(zip(compared["model_id"], compared["other"], strict=True))
        if best and others and (fresh or stored != {(best.model_id, other.model_id) for other in others}):
            if not best.multi:
                predictions.outcomes([best, *others])
            settings, metric = self.config.evaluate, self.config.train.metric
            against = comparisons(best, others, predictions, settings, metric)
            table.write(pd.concat([*rows, against], ignore_index=True), list(by_id), owned=f"({'|'.join(COMPARED)}).*")
            return len(rows) + 1
        if rows:
            table.write(pd.concat(rows, ignore_index=True), [], owned="")
        return len(rows)

    def _own_importances(self, case: Case) -> pd.DataFrame:
        try:
            return own_importances(case, self.config)
        except ModelError as error:  # scored in an earlier run, but its files were deleted since
            self._fail(case.model, error)
            return pd.DataFrame()

    def _board(self, cases: Sequence[Case], table: StoredFigures) -> pd.DataFrame:
        models = pd.DataFrame([case.model for case in cases], columns=MODELS.column_names)
        return leaderboard.ranked(models, table.of_songs(), self._metric(cases))

    def _metric(self, cases: Sequence[Case]) -> str:
        return metric_for(self.config.train.metric, any(case.multi for case in cases))

    def _leaderboard(self, cases: Sequence[Case], table: StoredFigures) -> list[str]:
        board = self._board(cases, table)
        if board.empty and cases:
            return [f"No song of the part {self.part} has features and a genre that a model knows."]
        return leaderboard.lines(board, table.of_songs(), self._metric(cases))

    def _load(self, case: Case) -> StoredModel | None:
        if case.model_id in self.failed:
            return None
        if case.model_id not in self.predictors:
            try:
                self.predictors[case.model_id] = registry.load(case.model, self.config)
            except ModelError as error:
                self._fail(case.model, error)
                return None
        return self.predictors[case.model_id]

    def _fail(self, model: Mapping[str, object], error: Exception) -> None:
        why = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        model_id = str(model["model_id"])
        self.failed[model_id] = f"{model['candidate']}: {why}"
        row = {
            "stage": STEP,
            "key": model_id,
            "version": self.part,
            "reason": Reason.MODEL_UNUSABLE.value,
            "detail": self.failed[model_id],
            "run_id": self.store.run_id,
            "at": datetime.now(UTC),
        }
        self.store.upsert(QUARANTINE, [row])


def _not_scored(case: Case, known: pd.Series) -> pd.DataFrame:
    """Songs without a prediction, and songs whose genres or group changed since they were predicted."""
    state = case.songs["group_id"] + "\n" + case.songs["genres"].map("\n".join)
    return case.songs[(case.songs["song_id"].map(known) != state).to_numpy()]


def _judged(case: Case, overall: pd.DataFrame) -> bool:
    """Whether the stored metrics cover the current number of songs and have the metric's current version."""
    metric = "macro_average_precision" if case.multi else "macro_f1"
    mine = overall[(overall["model_id"] == case.model_id) & (overall["metric"] == metric) & (overall["unit"] == "song")]
    found = list(zip(mine["n_songs"], mine["metric_version"].fillna(0), strict=True))
    return found == [(len(case.songs), version_of(metric))] or (mine.empty and case.songs.empty)


def _scored_only(case: Case, known: pd.Series) -> Case:
    return replace(case, songs=case.songs[case.songs["song_id"].isin(known.index)].reset_index(drop=True))


def _chunks(batches: Sequence[Batch], n_bytes: int) -> Iterator[list[Batch]]:
    """Group batches into chunks of at most ``n_bytes`` of predictions, and cut larger batches, to bound commits."""
    chunk: list[Batch] = []
    size = 0
    for batch in batches:
        step = max(1, n_bytes * len(batch.songs) // batch.n_bytes)
        for start in range(0, len(batch.songs), step):
            part = Batch(batch.case, batch.songs.iloc[start : start + step])
            if chunk and size + part.n_bytes > n_bytes:
                yield chunk
                chunk, size = [], 0
            chunk.append(part)
            size += part.n_bytes
    if chunk:
        yield chunk
