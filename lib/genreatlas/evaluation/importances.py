"""Feature importances: permutation importances, and the impurity-based importances of forests and trees.

For permutation importances the values of a feature are permuted between the evaluated clips, which keeps their
distribution and removes their relation to the genre. The importance of a feature that is correlated with others is
low; importances of correlated features must be interpreted together. Columns of one category (``key=0``, ``key=1``,
...) are permuted together.

Models stored as one file score the rows of the evaluated clips as an array. Others, such as those of Spark ML, score
data frames only, so that every permutation is a copy of the clips.

Impurity-based importances of forests and trees are free, but favour features with many values and are computed on the
training songs. So both kinds are reported (Strobl et al. 2007).

References: Breiman 2001, "Random forests", sec. 10; Fisher, Rudin & Dominici 2019 for any model.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.arrays import AnyArray
from genreatlas.audio.layouts import SUMMARY, Layout, get_layout
from genreatlas.config import Config
from genreatlas.evaluation.cases import Case, truth_of
from genreatlas.evaluation.judging import figure_rows, no_figures, totals
from genreatlas.evaluation.song_outcomes import Outcomes
from genreatlas.evaluation.song_scores import scores_by_song
from genreatlas.ids import stable_id
from genreatlas.metrics import metric_for
from genreatlas.metrics.figures import average_precision, totals_figure
from genreatlas.metrics.intervals import group_weights, interval
from genreatlas.models import registry
from genreatlas.models.engines import have_importances, reads_sequences
from genreatlas.models.engines.judged_rows import JudgedRows
from genreatlas.models.engines.protocol import StoredModel
from genreatlas.store import Reader

PERMUTATION = "importance_permutation"
IMPURITY = "importance_impurity"

#: Maximum number of predictions for the importances of one model: features × permutations × songs. A random forest
#: takes some minutes for half a million; intervals are narrow by then.
MAX_PREDICTIONS = 500_000

#: Maximum number of values read by these predictions: with 6,373 columns, 1,000 permutations of 300 songs.
MAX_VALUES = 2_000_000_000
MAX_SONGS = 1_000
LEAST_SONGS = 50

#: Maximum number of frames per clip, evenly spaced: 1,293 frames × 12 features × 5 permutations would be 77,000 rows
#: per song, and neighbouring frames are alike.
FRAMES_A_CLIP = 50

#: Number of permuted clips per Spark task; a forest scores a few thousand per second.
_CLIPS_A_TASK = 5_000

#: Separator in the ids of permuted clips, ``block/repeat/id``; the id itself may contain it.
_SEPARATOR = "/"


@dataclass(frozen=True)
class Block:
    """Columns of the matrix that are permuted together: a feature, or all columns of a category."""

    feature: str
    columns: tuple[int, ...]


def own_importances(case: Case, config: Config) -> pd.DataFrame:
    """Impurity-based importances of a forest or tree, with model_id, unit and grouping; else no rows.

    The number of songs is NULL, as they are computed on the training songs, not on the evaluated songs.

    Raises
    ------
    ModelError : the model's files cannot be read.
    """
    if not have_importances(case.model["engine"], case.model["estimator"]):  # do not load other models
        return no_figures()
    model = registry.load(case.model, config)
    known = _by_block(model, model.importances())
    if not known:
        return no_figures()
    rows = figure_rows(IMPURITY, list(known.values()), 0, 0, others=list(known))
    rows = rows.assign(n_songs=None, n_groups=None)
    return rows.assign(unit="song", model_id=case.model_id, grouping=case.dataset.grouping)


def _by_block(model: StoredModel, own: Mapping[str, float]) -> dict[str, float]:
    """Sum importances over the columns of a block, such as those of one category (``key=0``, ``key=1``).

    Parameters
    ----------
    own : importances by column; columns that the classifier did not use are missing.
    """
    blocks = model.layout.blocks(model.features)
    columns = {name: [model.features[place] for place in places] for name, places in blocks}
    known = {name: [own[feature] for feature in mine if feature in own] for name, mine in columns.items()}
    return {name: sum(parts) for name, parts in known.items() if parts}


def importances(store: Reader, case: Case, predictor: StoredModel, config: Config) -> pd.DataFrame:
    """Permutation importances of one model on its evaluated songs, with model_id, unit and grouping.

    At most ``evaluate.importance_features`` features are measured: those with the highest weight in the model, or if it
    has no weights, those that separate the genres best (:func:`between_genres`). No rows for models of sequences.
    """
    if reads_sequences(case.model["engine"]):
        return no_figures()
    rows = _by_permutation(store, case, predictor, config)
    return rows.assign(unit="song", model_id=case.model_id, grouping=case.dataset.grouping)


def _by_permutation(store: Reader, case: Case, predictor: StoredModel, config: Config) -> pd.DataFrame:
    settings = config.evaluate
    blocks = feature_blocks(case.dataset.features, case.dataset.layout)
    repeats, seed, width = settings.importance_repeats, settings.seed, len(case.dataset.features)
    most = min(len(blocks), settings.importance_features)
    variants = most * repeats * (len(case.classes) if case.multi else 1)
    kept = set(sampled_songs(case.songs["song_id"].tolist(), variants, seed, width))
    clips = case.clips(store.spark.createDataFrame([(song,) for song in sorted(kept)], "song_id string"))
    rows = judged_rows(clips, case.dataset.axis, width, repeats, seed)
    mine = case.songs["song_id"].isin(rows.songs).to_numpy()
    songs = case.songs[mine].reset_index(drop=True)
    truth = truth_of(replace(case, songs=songs))[:]  # of the sampled songs only: 90,000 songs × 3,000 genres are 270 MB
    if most < len(blocks):
        weights = predictor.weights(rows.judged.X)
        if weights is None:
            weights = between_genres(rows.judged.X, truth[rows.judged.song])
        blocks = most_weighty(blocks, weights, most)
    found = predictor.permuted_answers(store.spark, rows.judged, [block.columns for block in blocks])
    if found is not None:
        answers = {key: one.reshape(len(songs), -1) if case.multi else one for key, one in found.items()}
    else:
        answers = _answers_of_frames(store, case, predictor, clips, blocks, rows.donors)
    if case.multi:
        shuffles = {block.feature: [answers[n, r] for r in range(repeats)] for n, block in enumerate(blocks)}
        return ranking_importance_rows(answers[-1, 0], shuffles, truth, songs["group_id"].nunique())
    true = truth.argmax(axis=1)
    classes, place = judged_classes(case.classes, true)
    groups = songs["group_id"].to_numpy()
    outcomes = {key: Outcomes.of(classes, place[true], place[best], groups) for key, best in answers.items()}
    return importance_rows(
        outcomes[-1, 0],
        {block.feature: [outcomes[n, r] for r in range(repeats)] for n, block in enumerate(blocks)},
        metric_for(config.train.metric, case.multi),
        n_samples=settings.bootstrap,
        min_groups=settings.min_bootstrap_groups,
        seed=seed,
    )


def judged_classes(classes: Sequence[str], true: NDArray[np.int64]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Reduce the classes to the true genres of the evaluated songs, and one class ``*`` for all others.

    This saves time: a thousand songs have at most a third of 3,000 genres. A wrong prediction as another genre still
    lowers the recall of the song's genre.

    Returns
    -------
    The reduced classes, and (n_classes,) the index of each of ``classes`` in them.
    """
    present = np.unique(true)
    if len(present) == len(classes):
        return tuple(classes), np.arange(len(classes))
    place = np.full(len(classes), len(present), dtype=np.int64)
    place[present] = np.arange(len(present))
    return (*(classes[one] for one in present), "*"), place


def _answers_of_frames(
    store: Reader, case: Case, predictor: StoredModel, clips: DataFrame, blocks: Sequence[Block], drawn: pd.DataFrame
) -> dict[tuple[int, int], AnyArray]:
    """Predictions of a model that scores data frames only, with one row per clip, block and repeat."""
    pairs = store.spark.createDataFrame(drawn, "clip_id string, repeat int, donor_id string")
    every = shuffled_clips(clips, pairs, blocks, case.dataset.axis)
    tasks = max(1, len(drawn) * len(blocks) // _CLIPS_A_TASK)
    scored = told_apart(scores_by_song(predictor.predict(every.repartition(tasks, "clip_id"))))
    names = ("block", "repeat", "song_id", *(["means"] if case.multi else ["best"]))
    # Not fetched in parts, as each part would score everything again; MAX_PREDICTIONS limits the size to about 30 MB.
    table = scored.select(*names).toArrow().to_pandas().sort_values("song_id")
    parts: dict[Any, pd.DataFrame] = dict(iter(table.groupby(["block", "repeat"])))
    if case.multi:
        return {key: pd.DataFrame(part["means"].tolist()).to_numpy(float) for key, part in parts.items()}
    return {key: part["best"].to_numpy(int) - 1 for key, part in parts.items()}


def between_genres(X: NDArray[np.float32], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of each column's variance between genres (eta squared), (n_features,); 0 for a constant column."""
    known = ~np.isnan(X)
    counts = truth.T.astype(np.float64) @ known
    mean = np.nansum(X, axis=0, dtype=np.float64) / np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, X - mean, 0.0)
    sums = truth.T.astype(np.float64) @ centred
    between = (np.divide(sums**2, counts, out=np.zeros_like(sums), where=counts > 0)).sum(axis=0)
    total = (centred**2).sum(axis=0)
    return np.divide(between, total, out=np.zeros(X.shape[1]), where=total > 0)


def feature_blocks(features: Sequence[str], layout: Layout = SUMMARY) -> list[Block]:
    """Blocks of columns: one per feature, or for the layout ``vector`` neighbouring dimensions."""
    return [Block(name, places) for name, places in layout.blocks(features)]


def most_weighty(blocks: Sequence[Block], weights: NDArray[np.float64], most: int) -> list[Block]:
    """Select the ``most`` blocks with the largest sums of weights, ties by position; in the order of the matrix.

    Parameters
    ----------
    weights : (n_features,) weight of each column of the matrix.
    """
    sums = np.array([weights[list(block.columns)].sum() for block in blocks])
    return [blocks[place] for place in sorted(np.argsort(-sums, kind="stable")[:most])]


def sampled_songs(songs: Sequence[str], n_variants: int, seed: int, width: int = 1) -> list[str]:
    """Sample the songs for importances: all if there are few, else the first in hash order.

    Parameters
    ----------
    songs : song ids.
    n_variants : number of predictions per song: features × permutations (× genres for multi-label models).
    seed : seed of the hashes.
    width : number of features that a prediction reads.
    """
    room = min(MAX_SONGS, MAX_PREDICTIONS // max(1, n_variants), MAX_VALUES // max(1, n_variants * width))
    room = max(LEAST_SONGS, room)
    return sorted(sorted(songs, key=lambda song: stable_id("importance", str(seed), song))[:room])


def donors(clips: Sequence[str], repeats: int, seed: int) -> pd.DataFrame:
    """Draw one permutation of the clips for each repeat, the same for all features.

    Returns
    -------
    clip_id, repeat, donor_id: the clip whose values a clip gets.
    """
    names = np.asarray(sorted(clips), dtype=object)
    drawn = [np.random.default_rng([seed, repeat]).permutation(len(names)) for repeat in range(repeats)]
    return pd.DataFrame(
        {
            "clip_id": np.tile(names, repeats),
            "repeat": np.repeat(np.arange(repeats), len(names)),
            "donor_id": np.concatenate([names[order] for order in drawn]) if drawn else names[:0],
        }
    )


def importance_rows(
    intact: Outcomes,
    shuffled: Mapping[str, Sequence[Outcomes]],
    metric: str,
    *,
    n_samples: int = 1000,
    min_groups: int = 5,
    seed: int = 7,
) -> pd.DataFrame:
    """Permutation importance of each feature, with intervals over groups.

    Parameters
    ----------
    intact : outcomes without permutation.
    shuffled : feature = outcomes of the same songs, one per permutation.
    metric : accuracy, balanced_accuracy, macro_f1 or weighted_f1.
    n_samples, seed : number of bootstrap samples and their seed.
    min_groups : minimum number of groups for an interval.

    Returns
    -------
    One row per feature (in ``other``): metric of ``intact`` minus the mean over permutations.
    """
    whole = np.ones((intact.n_groups, 1))
    blocks = list(group_weights(intact.n_groups, n_samples, seed)) if intact.n_groups else []

    def samples(outcomes: Outcomes) -> NDArray[np.float64]:
        return np.concatenate([_metric(outcomes, metric, weights) for weights in (whole, *blocks)])

    base, rows = samples(intact), []
    for feature, shuffles in shuffled.items():
        lost = base - np.mean([samples(one) for one in shuffles], axis=0)
        low, high = interval(lost[1:])
        rows.append(
            figure_rows(
                PERMUTATION,
                lost[0],
                intact.n,
                intact.n_groups,
                others=[feature],
                ends=(low, high),
                min_groups=min_groups,
            )
        )
    return pd.concat(rows, ignore_index=True) if rows else no_figures()


def ranking_importance_rows(
    intact: NDArray[np.float64],
    shuffled: Mapping[str, Sequence[NDArray[np.float64]]],
    truth: NDArray[np.bool_],
    n_groups: int,
) -> pd.DataFrame:
    """Permutation importance of each feature for multi-label models, in macro average precision; no intervals.

    Parameters
    ----------
    intact : (n, n_classes) scores without permutation.
    shuffled : feature = scores of the same songs, one array per permutation.
    truth : (n, n_classes) true genres.
    n_groups : number of groups of the songs.
    """

    def macro(scores: NDArray[np.float64]) -> float:
        return float(np.mean([average_precision(s, t) for s, t in zip(scores.T, truth.T, strict=True) if t.any()]))

    base = macro(intact)
    rows = [
        figure_rows(
            PERMUTATION, base - np.mean([macro(one) for one in shuffles]), len(truth), n_groups, others=[feature]
        )
        for feature, shuffles in shuffled.items()
    ]
    return pd.concat(rows, ignore_index=True) if rows else no_figures()


def _metric(outcomes: Outcomes, metric: str, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    drawn = totals(outcomes, weights)
    return totals_figure(metric, drawn.right, drawn.predicted, drawn.support)


def shuffled_clips(clips: DataFrame, donors: DataFrame, blocks: Sequence[Block], axis: str) -> DataFrame:
    """Every clip without permutation, and once per block and repeat with the values of another clip.

    Parameters
    ----------
    clips : song_id, clip_id, and the columns of the layout that models read.
    donors : clip_id, repeat int, donor_id.
    blocks : columns that are replaced together.
    axis : layout of the feature set.

    Returns
    -------
    The columns of ``clips`` with ids prefixed by ``block/repeat/``; block -1 is without permutation. Frames are
    replaced in order; if the donor has fewer frames, they are repeated.
    """
    layout = get_layout(axis)
    values, width = layout.values, layout.width
    mine = _thinned(clips, layout)
    other = mine.select(F.col("clip_id").alias("donor_id"), F.col(values).alias("donor"))
    pairs = mine.select("song_id", "clip_id", *layout.given).join(donors, "clip_id").join(other, "donor_id")
    columns = F.from_json(F.lit(json.dumps([[], *(list(block.columns) for block in blocks)])), "array<array<int>>")
    every = pairs.select("*", F.posexplode(columns).alias("place", "replaced"))
    every = every.where("place > 0 OR repeat = 0").withColumn("block", F.expr("place - 1"))
    swapped = F.expr(
        f"transform({values}, (v, i) -> "
        f"if(array_contains(replaced, cast(i % {width} AS int)), donor[cast(i % size(donor) AS int)], v))"
    )
    prefix = F.concat_ws(_SEPARATOR, F.col("block").cast("string"), F.col("repeat").cast("string"))
    ids = [F.concat_ws(_SEPARATOR, prefix, F.col(name)).alias(name) for name in ("song_id", "clip_id")]
    return every.select(*ids, *[swapped.alias(name) if name == values else F.col(name) for name in layout.given])


def told_apart(songs: DataFrame) -> DataFrame:
    """Split the ids of :func:`shuffled_clips` into the columns block int, repeat int and song_id."""
    parts = F.split("song_id", _SEPARATOR, 3)
    return songs.select(
        parts[0].cast("int").alias("block"),
        parts[1].cast("int").alias("repeat"),
        *[parts[2].alias(name) if name == "song_id" else F.col(name) for name in songs.columns],
    )


def _thinned(clips: DataFrame, layout: Layout) -> DataFrame:
    """Reduce clips to at most :data:`FRAMES_A_CLIP` frames."""
    if not layout.several:
        return clips
    return clips.withColumn(layout.values, F.expr(layout.thinned(FRAMES_A_CLIP)))


@dataclass(frozen=True)
class Fetched:
    """Rows of the evaluated clips, sorted by song and clip.

    Attributes
    ----------
    judged : the rows with their permutations.
    songs : sorted ids of the songs with rows; ``judged.song`` has indices into it.
    donors : permutations of the clips: clip_id, repeat, donor_id.
    """

    judged: JudgedRows
    songs: list[str]
    donors: pd.DataFrame


def judged_rows(clips: DataFrame, axis: str, width: int, repeats: int, seed: int) -> Fetched:
    """Fetch the rows of the sampled clips, with at most :data:`FRAMES_A_CLIP` frames of each.

    Parameters
    ----------
    clips : song_id, clip_id, and the columns of the layout that models read.
    axis : layout of the feature set.
    width : number of features of a row.
    repeats : number of permutations.
    seed : seed of the permutations.
    """
    layout = get_layout(axis)
    values = layout.values
    table = _thinned(clips, layout).select("song_id", "clip_id", values).toArrow()
    table = table.sort_by([("song_id", "ascending"), ("clip_id", "ascending")])
    column = table.column(values).combine_chunks()
    flat = column.flatten().cast(pa.float32()).to_numpy(zero_copy_only=False)
    X = np.array(flat, dtype=np.float32).reshape(-1, max(width, 1))
    lengths = np.asarray(column.value_lengths().fill_null(0)).astype(np.int64) // max(width, 1)
    names, place = np.unique(table.column("song_id").to_numpy().astype(str)[lengths > 0], return_inverse=True)
    clip_ids = table.column("clip_id").to_pylist()
    drawn = donors(clip_ids, repeats, seed)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if len(lengths) else lengths
    clip_of_row = np.repeat(np.arange(len(lengths)), lengths)
    in_clip = np.arange(len(X)) - starts[clip_of_row]
    index = pd.Index(clip_ids)
    donor = np.empty((repeats, len(X)), dtype=np.int64)
    for repeat, part in drawn.groupby("repeat"):
        source = index.get_indexer(pd.Index(part.set_index("clip_id")["donor_id"].loc[clip_ids]))
        # Rows of a shorter donor are repeated; with a donor without rows, a row keeps its own values.
        length = np.maximum(lengths[source][clip_of_row], 1)
        rows = starts[source][clip_of_row] + in_clip % length
        donor[int(str(repeat))] = np.where(lengths[source][clip_of_row] > 0, rows, np.arange(len(X)))
    return Fetched(JudgedRows(X, np.repeat(place, lengths[lengths > 0]), donor), list(names), drawn)
