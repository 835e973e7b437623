"""Metrics of stored models: the songs that a model is evaluated on, its stored predictions, and its metrics.

Metrics are by song, by vote and by row (frame or clip), or by ranking if songs have several genres.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.config import Config, EvaluateSection
from genreatlas.datasets.fetching import fetch
from genreatlas.datasets.labels import roots
from genreatlas.datasets.library import read_library
from genreatlas.datasets.sparse_labels import SparseLabels
from genreatlas.datasets.types import Dataset
from genreatlas.errors import GenreAtlasError, InputError, ModelError
from genreatlas.evaluation.average_precisions import average_precision_rows
from genreatlas.evaluation.by_size import by_size
from genreatlas.evaluation.comparison import Comparison, compare, compare_rankings, holm
from genreatlas.evaluation.judging import MultiJudge, compute_metrics, figure_rows
from genreatlas.evaluation.song_outcomes import Outcomes, row_outcomes, song_outcomes, vote_outcomes
from genreatlas.evaluation.song_scores import outcome_rows, row_confusions
from genreatlas.ids import stable_id
from genreatlas.metrics import metric_for
from genreatlas.models import registry
from genreatlas.store import Reader, Store
from genreatlas.tables import METRICS, PREDICTIONS, Table
from genreatlas.values import RowView

#: Metrics of a comparison; for other metrics than the first, the metric's name is appended.
COMPARED = ("difference", "p_value", "p_value_holm")

#: Maximum number of scores (songs × genres) on the driver at once: 160 MB.
_MAX_PAIRS = 20_000_000

#: Size of a fetched row in Arrow, in bytes: ids and genre names of one song.
_ROW_BYTES = 250

#: Maximum number of rows of ``metrics`` in one commit: about 20 MB.
_ROWS_A_COMMIT = 200_000


@dataclass(frozen=True)
class Case:
    """One model and the songs of the evaluated part.

    ``songs`` has song_id (sorted), group_id, part and genres (list). ``parents`` maps genres to their topmost ancestor
    and ``tree`` to their parent; both are empty if no genre of the model has a parent.
    """

    model: RowView
    dataset: Dataset
    songs: pd.DataFrame
    parents: Mapping[str, str]
    tree: Mapping[str, str] = field(default_factory=dict)

    @property
    def model_id(self) -> str:
        """Id of the model."""
        return str(self.model["model_id"])

    @property
    def classes(self) -> tuple[str, ...]:
        """Genre ids in the order of the scores."""
        return self.dataset.classes

    @property
    def multi(self) -> bool:
        """Whether songs have several genres at once."""
        return self.dataset.multi

    def clips(self, songs: DataFrame) -> DataFrame:
        """Clips with features, restricted to the songs of a frame with the column song_id."""
        return self.dataset.frame.join(songs.select("song_id"), "song_id", "left_semi")


def find_cases(
    store: Reader, config: Config, models: Sequence[Mapping[str, object]]
) -> tuple[list[Case], dict[str, GenreAtlasError]]:
    """Find the songs on which each model is evaluated now.

    Songs and genres follow the newest split and labels; classes, columns, version, preprocessing and
    the rules of ``[train]`` are the model's own.

    Returns
    -------
    Cases in the order of ``models``, and by model id the error of each model that cannot be evaluated.
    """
    library = read_library(store, config)
    tops = {genre: top for genre, (top, _) in roots(library.parents).items()}
    datasets: dict[str, Dataset] = {}
    cases: list[Case] = []
    failed: dict[str, GenreAtlasError] = {}
    for model in models:
        try:
            meta = registry.read_meta(model, config)
            # Models with the same values share a data set: most baselines, and the engines of one feature set.
            alike = repr((meta.songs_of, meta.feature_set, meta.set_version, meta.preprocessing_id, meta.classes,
                          meta.features, sorted(meta.train.items())))  # fmt: skip
            if alike not in datasets:
                datasets[alike] = registry.dataset_of(store, config, model, library)
        except (InputError, ModelError) as error:
            failed[str(model["model_id"])] = error
            continue
        dataset = datasets[alike]
        with_parents = dataset.level == "genre" and any(genre in tops for genre in dataset.classes)
        songs = _judged_songs(dataset, config.evaluate.part, own=meta.songs_of[0] == meta.feature_set)
        tree = {genre: parent for genre, (parent, _) in library.parents.items()}
        cases.append(Case(model, dataset, songs, *((tops, tree) if with_parents else ({}, {}))))
    return cases, failed


class StoredPredictions:
    """Stored predictions of some models; each model's outcomes are fetched once and cached."""

    def __init__(self, store: Reader, max_mb: int) -> None:
        self.store = store
        self.max_mb = max_mb
        self._outcomes: dict[str, pd.DataFrame] = {}

    def known(self, cases: Sequence[Case], part: str) -> dict[str, pd.Series]:
        """By model id: song id = group and genres stored with the prediction, joined to one string."""
        rows = self._of(case.model_id for case in cases).where(F.col("part") == part)
        state = F.concat_ws("\n", "group_id", F.array_join("genres", "\n")).alias("state")
        table = fetch(rows.select("model_id", "song_id", state), "song_id", self.max_mb, _ROW_BYTES).to_pandas()
        known = {str(model): group.set_index("song_id")["state"] for model, group in table.groupby("model_id")}
        nothing = pd.Series([], index=pd.Index([], dtype=object), dtype=object)
        return {case.model_id: known.get(case.model_id, nothing) for case in cases}

    def outcomes(self, cases: Sequence[Case]) -> None:
        """Fetch the :data:`~genreatlas.evaluation.song_scores.OUTCOME` rows of several models in one query."""
        missing = [case for case in cases if case.model_id not in self._outcomes]
        if not missing:
            return
        rows = outcome_rows(self._of(case.model_id for case in missing))
        table = fetch(rows, "song_id", self.max_mb, _ROW_BYTES).to_pandas()
        parts = {str(model): group for model, group in table.groupby("model_id")}
        for case in missing:
            mine = parts.get(case.model_id, table.iloc[:0])
            self._outcomes[case.model_id] = mine[mine["song_id"].isin(case.songs["song_id"])].reset_index(drop=True)

    def outcomes_of(self, case: Case) -> pd.DataFrame:
        """Outcome rows of one model for the songs of the case."""
        self.outcomes([case])
        return self._outcomes[case.model_id]

    def rows_of(self, case: Case) -> pd.DataFrame:
        """Number of rows (frames or clips) by song, true and predicted genre, for songs with several rows."""
        table = row_confusions(self._of([case.model_id])).toArrow().to_pandas()
        return table[table["song_id"].isin(case.songs["song_id"])]

    def average_precisions(self, case: Case) -> pd.DataFrame:
        """Average precisions over the songs of the case; see :func:`.average_precision_rows`."""
        rows, max_mb = self._of([case.model_id]), self.max_mb
        return average_precision_rows(rows, self.outcomes_of(case), case.classes, max_mb)

    def scores(self, case: Case, classes: Sequence[str], songs: pd.Series) -> NDArray[np.float64]:
        """Scores (n_songs, n_classes) of given songs and genres; -inf if a score is not stored."""
        wanted = F.array(*[F.coalesce(F.col("scores")[genre], F.lit(-np.inf)) for genre in classes]).alias("scores")
        frame = self._of([case.model_id]).select("song_id", wanted)
        table = fetch(frame, "song_id", self.max_mb, 60 + 8 * len(classes)).to_pandas().set_index("song_id")
        picked = table["scores"].reindex(songs)
        return np.stack(picked.tolist()).astype(np.float64) if len(picked) else np.empty((0, len(classes)))

    def _of(self, model_ids: Iterable[str]) -> DataFrame:
        return self.store.read(PREDICTIONS).where(F.col("model_id").isin(list(model_ids)))


class StoredFigures:
    """The rows of ``metrics`` of some models and one part; rows over all genres are cached."""

    def __init__(self, store: Store, part: str, model_ids: Iterable[str]) -> None:
        self.store = store
        self.part = part
        mine = (F.col("part") == part) & F.col("model_id").isin(list(model_ids))
        self._rows = self.store.read(METRICS).where(mine).where("genre_id = '*'").toPandas()

    @property
    def overall(self) -> pd.DataFrame:
        """Rows over all genres: metrics, comparisons, importances."""
        return self._rows

    def of_songs(self) -> pd.DataFrame:
        """Rows over all genres with the unit ``song``."""
        return self._rows[self._rows["unit"] == "song"]

    def write(self, rows: pd.DataFrame, models: Sequence[str], owned: str = ".*") -> int:
        """Write rows of ``metrics``, then delete outdated rows.

        Parameters
        ----------
        rows : rows with model_id, unit and grouping in addition to the columns of metrics.
        models, owned : stored rows of these models whose metric matches the pattern ``owned`` and that are not in
            ``rows`` are outdated.

        Returns
        -------
        Number of rows written.
        """
        written, key = 0, list(METRICS.key)
        rows = rows.assign(part=self.part)
        for start in range(0, len(rows), _ROWS_A_COMMIT):
            written += self.store.upsert(METRICS, rows.iloc[start : start + _ROWS_A_COMMIT], update=True)
        outdated = self._rows["model_id"].isin(models) & self._rows["metric"].str.fullmatch(owned)
        if outdated.any():
            mine = (F.col("part") == self.part) & F.col("model_id").isin(list(models))
            stored = self.store.read(METRICS).where(mine).select(key).toPandas()
            stored = stored[stored["metric"].str.fullmatch(owned)]
            delete_outdated(self.store, METRICS, stored, rows)
        fresh = rows[rows["genre_id"] == "*"].astype({"n_songs": "Int64", "n_groups": "Int64"})
        kept = self._rows[~outdated]
        self._rows = pd.concat([kept, fresh] if len(kept) else [fresh], ignore_index=True)
        return written


def delete_outdated(store: Store, table: Table, stored: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Delete the stored rows (keys of the table) that are not in ``rows``."""
    key = list(table.key)
    gone = stored[~pd.MultiIndex.from_frame(stored[key]).isin(pd.MultiIndex.from_frame(rows[key]))]
    if len(gone):
        store.delete(table, store.spark.createDataFrame(gone))


def figures(case: Case, predictions: StoredPredictions, settings: EvaluateSection) -> pd.DataFrame:
    """Compute all metrics of one model, with model_id, unit and grouping."""
    if case.multi:
        blocks = {"song": _ranked(case, predictions, settings)}
    else:
        options = {
            "n_samples": settings.bootstrap, "min_groups": settings.min_groups,
            "min_bootstrap_groups": settings.min_bootstrap_groups, "seed": settings.seed,
        }  # fmt: skip
        rows = predictions.outcomes_of(case)
        parents = case.parents or None
        score_kind = str(case.model["score_kind"])
        outcomes = {"song": song_outcomes(rows, case.classes, score_kind, parents, case.tree)}
        if (rows["n_rows"] > 1).any():
            outcomes["song_vote"] = vote_outcomes(rows, case.classes)
            outcomes["row"] = row_outcomes(_with_single_rows(predictions.rows_of(case), rows), case.classes)
        blocks = {unit: compute_metrics(one, **options) for unit, one in outcomes.items()}
        trained = case.dataset.songs.loc[case.dataset.songs["part"] == "train", "genres"].map(lambda genres: genres[0])
        n_trained = {str(genre): int(n) for genre, n in trained.value_counts().items()}
        sizes = by_size(outcomes["song"], n_trained, settings.min_groups)
        more = [some for some in (sizes, predictions.average_precisions(case)) if len(some)]
        blocks["song"] = pd.concat([blocks["song"], *more], ignore_index=True)
    named = [block.assign(unit=unit) for unit, block in blocks.items()]
    return pd.concat(named, ignore_index=True).assign(model_id=case.model_id, grouping=case.dataset.grouping)


def comparisons(
    best: Case, others: Sequence[Case], predictions: StoredPredictions, settings: EvaluateSection, metric: str
) -> pd.DataFrame:
    """Compare the best model with each other model on their common songs, with Holm's correction.

    ``difference``, ``p_value`` and ``p_value_holm`` are for the metric of model selection; with the suffix
    ``_accuracy`` they are for accuracy (single-label only). The best model is chosen on the same songs, so its
    difference is biased upwards a little; the correction covers the number of comparisons, not this choice.
    """
    chosen = metric_for(metric, best.multi)
    metrics = ["macro_average_precision"] if best.multi else list(dict.fromkeys([chosen, "accuracy"]))
    rows = []
    for name in metrics:
        suffix = "" if name == metrics[0] else f"_{name}"
        results = [_compared(best, other, predictions, settings, name) for other in others]
        corrected = holm([result.p_value for result in results])
        for other, result, raised in zip(others, results, corrected, strict=True):
            values = (result.difference, result.p_value, raised)
            for kind, value in zip(COMPARED, values, strict=True):
                rows.append(figure_rows(kind + suffix, value, result.n_songs, result.n_groups, others=[other.model_id]))
    found = pd.concat(rows, ignore_index=True)
    return found.assign(unit="song", model_id=best.model_id, grouping=best.dataset.grouping)


def truth_of(case: Case) -> SparseLabels:
    """True genres of the songs of a case, (n_songs, n_classes) sparse."""
    place = {genre: number for number, genre in enumerate(case.classes)}
    return SparseLabels.of([[place[genre] for genre in genres] for genres in case.songs["genres"]], len(case.classes))


def _judged_songs(dataset: Dataset, part: str, own: bool) -> pd.DataFrame:
    songs = dataset.songs[dataset.songs["part"] == part]
    if not own:  # e.g. songs without a file have no technical features
        present = dataset.frame.where(F.col("part") == part).select("song_id").distinct().toPandas()
        songs = songs[songs["song_id"].isin(present["song_id"])]
    rows = songs[["song_id", "group_id", "part"]].assign(genres=songs["genres"].map(list))
    return rows.sort_values("song_id", ignore_index=True)


def _with_single_rows(rows: pd.DataFrame, songs: pd.DataFrame) -> pd.DataFrame:
    """Add songs with a single row, for which the row's prediction is that of the song."""
    single = songs.loc[songs["n_rows"] == 1, ["song_id", "group_id", "truth", "predicted"]].assign(rows=1)
    return pd.concat([rows[single.columns], single], ignore_index=True)


def _compared(
    best: Case, other: Case, predictions: StoredPredictions, settings: EvaluateSection, metric: str
) -> Comparison:
    options = {"n_permutations": settings.permutations, "min_groups": settings.min_groups, "seed": settings.seed}
    if best.multi:
        songs = best.songs[best.songs["song_id"].isin(other.songs["song_id"])].reset_index(drop=True)
        place = _sampled(songs["group_id"], len(best.classes), settings.seed)
        scores = [predictions.scores(case, best.classes, songs["song_id"].iloc[place]) for case in (best, other)]
        known = pd.Index(best.songs["song_id"]).get_indexer(pd.Index(songs["song_id"].iloc[place]))
        group = pd.factorize(songs["group_id"].iloc[place], sort=True)[0]
        return compare_rankings((scores[0], scores[1]), truth_of(best)[known], group, **options)
    columns = ["song_id", "group_id", "truth", "predicted"]
    mine, theirs = predictions.outcomes_of(best)[columns], predictions.outcomes_of(other)[["song_id", "predicted"]]
    both = mine.merge(theirs, on="song_id", suffixes=("", "_other")).sort_values("song_id")
    index = pd.Index(list(best.classes))
    outcomes = [_plain(both, index, column) for column in ("predicted", "predicted_other")]
    return compare(outcomes[0], outcomes[1], metric, **options)


def _plain(rows: pd.DataFrame, index: "pd.Index[str]", column: str) -> Outcomes:
    truth, predicted = (index.get_indexer(pd.Index(rows[name])) for name in ("truth", column))
    return Outcomes.of(tuple(index), truth, predicted, rows["group_id"].to_numpy())


def _ranked(case: Case, predictions: StoredPredictions, settings: EvaluateSection) -> pd.DataFrame:
    group = pd.factorize(case.songs["group_id"], sort=True)[0]
    truth, songs = truth_of(case), case.songs["song_id"]
    least = settings.min_bootstrap_groups
    judged = MultiJudge(group, n_samples=settings.bootstrap, min_groups=least, seed=settings.seed)
    width = max(1, _MAX_PAIRS // max(1, len(songs)))
    for start in range(0, len(case.classes), width):
        classes = case.classes[start : start + width]
        scores, true = predictions.scores(case, classes, songs), truth.columns(start, start + len(classes))
        for place, genre in enumerate(classes):
            judged.add(genre, scores[:, place], true[:, place])
    pooled = _sampled(case.songs["group_id"], len(case.classes), settings.seed)
    if len(pooled) < len(songs) or width < len(case.classes):
        scores = predictions.scores(case, case.classes, songs.iloc[pooled])
    judged.pool(scores, truth[pooled], group[pooled])
    return judged.rows()


def _sampled(groups: pd.Series, n_classes: int, seed: int) -> NDArray[np.int64]:
    """Indices of a sample of songs: whole groups, in hash order, with at most :data:`_MAX_PAIRS` scores."""
    if len(groups) * n_classes <= _MAX_PAIRS:
        return np.arange(len(groups))
    sizes = groups.value_counts()
    order = sorted(sizes.index, key=lambda group: stable_id("pooled", seed, group))
    kept = sizes[order].cumsum() * n_classes <= _MAX_PAIRS
    return np.flatnonzero(groups.isin(kept.index[kept]))
