"""Aggregate scores of clips and windows to one row per song or file, and stored rows to the input of metrics.

Scores of all genres stay in the workers; the driver gets a few numbers per song, 10 MB instead of 2.4 GB for 100,000
songs × 3,000 genres.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from genreatlas.evaluation.sure_answers import with_confidence
from genreatlas.models.confidence import Confidence, most_genres

#: Schema of :func:`outcome_rows`: one row per model and song.
OUTCOME = (
    "model_id string, song_id string, group_id string, truth string, predicted string, predicted_by_vote string, "
    "n_rows int, n_rows_correct int, score double, n_greater int, n_equal int, confidence double, set_size int, "
    "in_set boolean, predicted_family string"
)

_SCORES = "map<string,double>"

#: Key for sorting the entries of a map by descending value.
_HIGHEST_FIRST = "one -> named_struct('below', -one.value, 'key', one.key)"


@dataclass(frozen=True)
class Families:
    """Families of a model's genres.

    Attributes
    ----------
    names : ids of the families.
    of_class : index of the family of each class.
    """

    names: tuple[str, ...]
    of_class: tuple[int, ...]

    @classmethod
    def of(cls, classes: Sequence[str], tops: Mapping[str, str]) -> "Families | None":
        """Group classes by their topmost genre; None if every class is its own topmost genre.

        Parameters
        ----------
        tops : genre id = topmost genre; a genre without entry is its own.
        """
        families = [tops.get(genre, genre) for genre in classes]
        if families == list(classes):
            return None
        names = tuple(sorted(set(families)))
        return cls(names, tuple(names.index(one) for one in families))


#: Genres of a prediction set: ``places`` are 1-based.
_NAMED = "transform(places, place -> names[place - 1])"


def scores_by_song(predicted: DataFrame, *keys: str) -> DataFrame:
    """Aggregate clips to songs: means of scores and sums of votes.

    Clips are added in the order of their ids, as the last bits of a sum depend on the order.

    Parameters
    ----------
    predicted : one row per clip (:data:`genreatlas.models.types.PREDICTED`).
    keys : columns to group by; song_id by default.

    Returns
    -------
    keys, n_rows int, means array<double>, votes array<int>, best int and best_by_vote int: 1-based index of the class
    with the highest mean score (ties by class index), and with the most votes (ties by mean score).
    """
    by = keys or ("song_id",)
    clips = F.array_sort(F.collect_list(F.struct("clip_id", "n_rows", "score_sum", "votes")))
    songs = predicted.groupBy(*by).agg(clips.alias("clips"))
    songs = songs.select(
        *by,
        F.expr("aggregate(clips, 0, (n, clip) -> n + clip.n_rows)").alias("n_rows"),
        _added("score_sum").alias("sums"),
        _added("votes").alias("votes"),
    )
    songs = songs.select(*by, "n_rows", F.expr("transform(sums, s -> s / n_rows)").alias("means"), "votes")
    voted = F.expr(
        "zip_with(votes, means, (v, m) -> if(v = array_max(votes), m, double('-infinity')))"  # ties by mean score
    )
    return songs.select(
        *by,
        "n_rows",
        "means",
        "votes",
        _place_of_highest(F.col("means")).alias("best"),
        _place_of_highest(voted).alias("best_by_vote"),
    )


def song_predictions(
    predicted: DataFrame,
    songs: DataFrame,
    *,
    model_id: str,
    classes: Sequence[str],
    score_kind: str,
    multi: bool,
    confidence: Confidence | None = None,
    families: Families | None = None,
) -> DataFrame:
    """Rows of the table ``predictions``.

    Parameters
    ----------
    predicted : one row per clip, from :meth:`genreatlas.models.engines.protocol.StoredModel.predict`.
    songs : song_id, group_id, part, genres array<string>.
    model_id : id of the model.
    classes : genre ids in the order of the scores.
    score_kind : probability or margin.
    multi : whether a song may have several genres.
    confidence : the model's calibration and prediction sets; None: no sets, uncalibrated scores.
    families : families over which scores are summed; None: no sums.
    """
    names = F.from_json(F.lit(json.dumps(list(classes))), "array<string>")
    sure = with_confidence(scores_by_song(predicted), confidence)
    rows = songs.join(sure, "song_id").withColumn("names", names)
    nothing = F.lit(None)
    chosen = F.map_filter(F.map_from_arrays("names", "votes"), lambda _, rows_for: rows_for > 0)
    right = F.element_at(F.map_from_arrays("names", "votes"), F.element_at("genres", 1))
    return rows.select(
        F.lit(model_id).alias("model_id"),
        "song_id",
        "group_id",
        "part",
        "genres",
        F.expr("element_at(names, best)").alias("predicted"),
        (nothing if multi else F.expr("element_at(names, best_by_vote)")).cast("string").alias("predicted_by_vote"),
        F.expr("element_at(means, best)").alias("confidence"),
        F.map_from_arrays("names", "means").alias("scores"),
        F.lit(score_kind).alias("score_kind"),
        "n_rows",
        (nothing if multi else right).cast("int").alias("n_rows_correct"),
        F.when(F.col("n_rows") > 1, chosen).cast("map<string,int>").alias("votes"),
        F.size("places").alias("set_size") if confidence else nothing.cast("int").alias("set_size"),
        F.expr("array_contains(places, int(array_position(names, genres[0])))").alias("in_set"),
        nothing.cast("int").alias("higher"),
        nothing.cast("int").alias("equal"),
        _family_sums(families).alias("family_scores"),
    )


def answered_predictions(
    answered: DataFrame,
    songs: DataFrame,
    *,
    model_id: str,
    classes: Sequence[str],
    score_kind: str,
    multi: bool,
    families: Families | None = None,
) -> DataFrame:
    """Rows of the table ``predictions`` of a model with many genres, of which only the highest scores are kept.

    Parameters
    ----------
    answered : one row per song, from :meth:`genreatlas.models.engines.protocol.StoredModel.predict_songs`.
    songs, model_id, classes, score_kind, multi, families : see :func:`song_predictions`.
    """
    family = F.expr("map_from_arrays(transform(family_places, place -> family_names[place]), family_scores)")
    rows = songs.join(answered, "song_id").withColumn("names", _names(classes))
    rows = rows.withColumn("family_names", _names(families.names if families else ()))
    return rows.select(
        F.lit(model_id).alias("model_id"),
        "song_id",
        "group_id",
        "part",
        "genres",
        F.expr("names[best]").alias("predicted"),
        (F.lit(None) if multi else F.expr("names[best_by_vote]")).cast("string").alias("predicted_by_vote"),
        F.expr("scores[0]").alias("confidence"),
        F.expr("map_from_arrays(transform(places, place -> names[place]), scores)").alias("scores"),
        F.lit(score_kind).alias("score_kind"),
        "n_rows",
        "n_rows_correct",
        F.when(F.col("n_rows") > 1, F.expr("map_from_arrays(transform(vote_places, place -> names[place]), votes)"))
        .cast("map<string,int>")
        .alias("votes"),
        "set_size",
        "in_set",
        "higher",
        "equal",
        (family if families else F.lit(None).cast(_SCORES)).alias("family_scores"),
    )


def outcome_rows(predictions: DataFrame) -> DataFrame:
    """Reduce stored predictions to the input of single-label metrics, with the schema :data:`OUTCOME`.

    ``score`` is the true genre's score; ``n_greater`` and ``n_equal`` are the numbers of genres with a higher and with
    the same score (itself included), which give its rank including ties.
    """
    rows = predictions.withColumn("truth", F.element_at("genres", 1))
    rows = rows.withColumn("score", F.expr("element_at(scores, truth)"))
    return rows.select(
        "model_id",
        "song_id",
        "group_id",
        "truth",
        "predicted",
        "predicted_by_vote",
        "n_rows",
        "n_rows_correct",
        "score",
        F.expr("coalesce(higher, size(filter(map_values(scores), s -> s > score)))").alias("n_greater"),
        F.expr("coalesce(equal, size(filter(map_values(scores), s -> s = score)))").alias("n_equal"),
        "confidence",
        "set_size",
        "in_set",
        # Ties by name, as the order of a map's entries is not guaranteed.
        F.expr(f"array_sort(transform(map_entries(family_scores), {_HIGHEST_FIRST}))[0].key").alias("predicted_family"),
    )


def row_confusions(predictions: DataFrame) -> DataFrame:
    """Number of rows (frames or clips) by model, song, true and predicted genre, for songs with several rows.

    Returns
    -------
    model_id, song_id, group_id, truth, predicted, rows int.
    """
    chosen = predictions.where("votes IS NOT NULL").select(
        "model_id", "song_id", "group_id", F.element_at("genres", 1).alias("truth"), F.explode("votes")
    )
    return chosen.withColumnsRenamed({"key": "predicted", "value": "rows"})


def scored_windows(windows: DataFrame, predicted: DataFrame) -> DataFrame:
    """Join windows with their scores; ``n_rows``, ``score_sum`` and ``votes`` are NULL for unusable windows.

    Parameters
    ----------
    windows : one row per window with item_id and window (:data:`genreatlas.audio.whole_files.RESULT`).
    predicted : one row per usable window, with :func:`window_id` as clip_id.
    """
    scores = predicted.select("clip_id", "n_rows", "score_sum", "votes")
    return windows.drop("features").withColumn("clip_id", window_id()).join(scores, "clip_id", "left")


def window_id() -> Column:
    """Id of a window over all files; windows of a file sort by it."""
    return F.format_string("%s#%06d", "item_id", "window")


def file_rows(
    windows: DataFrame,
    model_id: str,
    classes: Sequence[str],
    score_kind: str,
    confidence: Confidence | None = None,
    most: int = 0,
) -> DataFrame:
    """One row per file with the mean over its windows: columns of ``scores`` without time and run.

    Parameters
    ----------
    windows : from :func:`scored_windows`.
    model_id, classes, score_kind, confidence, most : see :func:`clip_rows`.
    """
    facts = windows.groupBy("item_id").agg(
        F.first("path").alias("path"),
        F.first("bytes").alias("bytes"),
        F.first("modified_ns").alias("modified_ns"),
        F.first("duration_s").alias("duration_s"),
        F.count(F.col("n_rows")).cast("int").alias("n_windows"),
        F.count_if(F.col("n_rows").isNull()).cast("int").alias("n_failed_windows"),
    )
    usable = windows.where("n_rows IS NOT NULL").withColumnRenamed("item_id", "song_id")
    means = with_confidence(scores_by_song(usable).withColumnRenamed("song_id", "item_id"), confidence)
    rows = facts.join(means, "item_id").withColumn("names", _names(classes))
    return rows.select(
        F.lit(model_id).alias("model_id"),
        "item_id",
        F.lit(None).cast("string").alias("song_id"),
        "path",
        *_answer("means", "best"),
        F.lit(score_kind).alias("score_kind"),
        "n_windows",
        "n_failed_windows",
        "duration_s",
        "bytes",
        "modified_ns",
        *_set(F.expr(_NAMED), F.size("places"), classes, confidence, most),
    )


def window_rows(
    windows: DataFrame, model_id: str, classes: Sequence[str], confidence: Confidence | None = None
) -> DataFrame:
    """Rows of ``score_windows``.

    Parameters
    ----------
    windows : from :func:`scored_windows`.
    model_id, classes : see :func:`clip_rows`.
    confidence : the model's calibration; None: uncalibrated scores.
    """
    means = F.expr("transform(score_sum, s -> s / n_rows)")
    columns = ("item_id", "window", "start_s", "length_s", "reason")
    sure = with_confidence(windows.select(*columns, means.alias("means")), confidence)
    rows = sure.withColumn("best", F.expr("array_position(means, array_max(means))"))
    return rows.withColumn("names", _names(classes)).select(
        F.lit(model_id).alias("model_id"),
        "item_id",
        "window",
        "start_s",
        "length_s",
        *_answer("means", "best"),
        "reason",
    )


def clip_rows(
    predicted: DataFrame,
    model_id: str,
    classes: Sequence[str],
    score_kind: str,
    confidence: Confidence | None = None,
    most: int = 0,
) -> DataFrame:
    """One row per clip of the store: columns of ``scores`` without time and run.

    Parameters
    ----------
    predicted : one row per clip, from :meth:`genreatlas.models.engines.protocol.StoredModel.predict`.
    model_id : id of the model.
    classes : genre ids in the order of the scores.
    score_kind : probability or margin.
    confidence : the model's calibration and prediction sets; None: no sets, uncalibrated scores.
    most : size of the largest prediction set that counts as an answer
        (:func:`genreatlas.models.confidence.most_genres`).
    """
    sure = with_confidence(scores_by_song(predicted, "song_id", "clip_id_"), confidence)
    scored = sure.withColumn("names", _names(classes))
    answer = [*_answer("means", "best"), *_set(F.expr(_NAMED), F.size("places"), classes, confidence, most)]
    return _of_clips(scored, answer, model_id, score_kind)


def answered_clips(
    answered: DataFrame,
    model_id: str,
    classes: Sequence[str],
    score_kind: str,
    confidence: Confidence | None = None,
    most: int = 0,
) -> DataFrame:
    """:func:`clip_rows` for a model with many genres, of which only the highest scores are kept.

    Parameters
    ----------
    answered : from :meth:`genreatlas.models.engines.protocol.StoredModel.predict_songs` with clips instead of songs:
        ``clip_id_`` is the clip's id, song_id that of its song.
    model_id, classes, score_kind, confidence, most : see :func:`clip_rows`.
    """
    answer = [
        F.expr("names[best]").alias("predicted"),
        F.expr("scores[0]").alias("confidence"),
        F.expr("map_from_arrays(transform(places, place -> names[place]), scores)").alias("scores"),
    ]
    scored = answered.withColumn("names", _names(classes))
    named = F.expr("transform(set_places, place -> names[place])")
    sets = _set(named, F.col("set_size"), classes, confidence, most)
    return _of_clips(scored, [*answer, *sets], model_id, score_kind)


def _of_clips(scored: DataFrame, answer: Sequence[Column], model_id: str, score_kind: str) -> DataFrame:
    nothing = {"path": "string", "duration_s": "double", "bytes": "bigint", "modified_ns": "bigint"}
    return scored.select(
        F.lit(model_id).alias("model_id"),
        F.concat(F.lit("clip:"), "clip_id_").alias("item_id"),
        "song_id",
        *answer,
        F.lit(score_kind).alias("score_kind"),
        F.lit(1).alias("n_windows"),
        F.lit(0).alias("n_failed_windows"),
        *[F.lit(None).cast(kind).alias(name) for name, kind in nothing.items()],
    )


def _family_sums(families: Families | None) -> Column:
    """Sums of ``means`` over each family's genres, added in class order."""
    if families is None:
        return F.lit(None).cast(_SCORES)
    members = [
        [place + 1 for place, one in enumerate(families.of_class) if one == number]
        for number in range(len(families.names))
    ]
    places = F.from_json(F.lit(json.dumps(members)), "array<array<int>>")
    sums = F.transform(
        places, lambda mine: F.aggregate(mine, F.lit(0.0), lambda total, place: total + F.element_at("means", place))
    )
    return F.map_from_arrays(_names(families.names), sums)


def _added(field: str) -> Column:
    return F.expr(
        f"aggregate(slice(clips, 2, size(clips)), clips[0].{field}, "
        f"(sums, clip) -> zip_with(sums, clip.{field}, (a, b) -> a + b))"
    )


def _place_of_highest(values: Column) -> Column:
    return F.array_position(values, F.array_max(values)).cast("int")


def _names(classes: Sequence[str]) -> Column:
    return F.from_json(F.lit(json.dumps(list(classes))), "array<string>")


def _set(named: Column, size: Column, classes: Sequence[str], confidence: Confidence | None, most: int) -> list[Column]:
    """Columns of a prediction set; all are NULL for models without sets, and ``genre_set`` for abstentions."""
    kinds = {"genre_set": "array<string>", "set_size": "int", "set_coverage": "double", "abstains": "boolean"}
    if confidence is None:
        return [F.lit(None).cast(kind).alias(name) for name, kind in kinds.items()]
    largest = most_genres(most, len(classes))
    abstains = (size == 0) | (size > largest)
    return [
        F.when(~abstains, named).alias("genre_set"),
        size.alias("set_size"),
        F.lit(confidence.coverage).alias("set_coverage"),
        abstains.alias("abstains"),
    ]


def _answer(means: str, best: str) -> list[Column]:
    return [
        F.expr(f"element_at(names, cast({best} AS int))").alias("predicted"),
        F.expr(f"element_at({means}, cast({best} AS int))").alias("confidence"),
        F.when(F.col(means).isNotNull(), F.map_from_arrays("names", means)).alias("scores"),
    ]
