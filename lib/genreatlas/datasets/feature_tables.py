"""Tables of feature sets: find the current table of a set, filter its rows, and convert its columns to a matrix."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ByteType, DoubleType, FloatType, IntegerType, LongType, ShortType

from genreatlas.audio import feature_sets as registry
from genreatlas.audio.layouts import LAYOUTS, SUMMARY, Layout, get_layout
from genreatlas.config import TrainSection, former
from genreatlas.config.joined import PLUS, column_of, feature_sets_of, members_of, not_joined
from genreatlas.errors import ConfigError, InputError, nearest
from genreatlas.store import Reader
from genreatlas.tables import CLIPS, FEATURE_SETS, SONGS

#: Feature set of technical properties of files (codec, bit rate, ...). Models trained on it do not use the music.
TECHNICAL = "technical"
#: preprocessing_id of imported features, whose preprocessing is unknown.
IMPORTED = "imported"
_NUMBERS = (ByteType, ShortType, IntegerType, LongType, FloatType, DoubleType)
_TECHNICAL_COLUMNS = {
    "sample_rate": "numeric",
    "channels": "numeric",
    "bit_rate": "numeric",
    "duration_s": "numeric",
    "codec": "categorical",
    "provider": "categorical",
}


@dataclass(frozen=True)
class FeatureTable:
    """Table, version and columns of a feature set.

    ``columns`` maps column name to kind (numeric or categorical), in the order of the matrix. For joined sets,
    ``members`` are the single sets, and column names are prefixed with the member's name.
    """

    feature_set: str
    table: str
    set_version: str
    preprocessing_id: str
    axis: str
    columns: dict[str, str]
    members: tuple["FeatureTable", ...] = ()

    @property
    def imported(self) -> set[str]:
        """Names of columns that were imported."""
        if self.members:
            return {column_of(one.feature_set, name) for one in self.members for name in one.imported}
        return set(self.columns) if self.preprocessing_id == IMPORTED else set()

    @property
    def layout(self) -> Layout:
        """Layout of the feature set."""
        return get_layout(self.axis)

    def rows(self, store: Reader) -> DataFrame:
        """Rows of the version: clip_id, song_id and features; without retired or replaced clips and songs."""
        if self.members:
            frames = [one.rows(store) for one in self.members]
            named = [
                frame.select(
                    "clip_id",
                    *(["song_id"] if frame is frames[0] else []),
                    *[
                        F.expr(one.layout.feature(name, place)).alias(column_of(one.feature_set, name))
                        for place, name in enumerate(one.columns)
                    ],
                )
                for one, frame in zip(self.members, frames, strict=True)
            ]
            return reduce(lambda left, right: left.join(right, "clip_id"), named)
        if self.feature_set == TECHNICAL:
            return store.live(CLIPS).select("clip_id", "song_id", *self.columns)
        frame = store.read(self.table).where(
            (F.col("set_version") == self.set_version) & (F.col("preprocessing_id") == self.preprocessing_id)
        )
        frame = frame.join(store.ended(CLIPS).select("clip_id"), "clip_id", "left_anti")
        # Imported features have no clips.
        frame = frame.join(store.ended(SONGS).select("song_id"), "song_id", "left_anti")
        return frame.drop("set_version", "preprocessing_id")

    def incomplete(self, store: Reader) -> tuple[str, ...]:
        """Describe in one line how many clips lack some of the joined sets; empty if none does.

        Raises
        ------
        InputError : no clip has all joined sets.
        """
        if not self.members:
            return ()
        names = [one.feature_set for one in self.members]
        frames = [one.rows(store).select("clip_id", F.lit(one.feature_set).alias("_set")) for one in self.members]
        clips = (
            reduce(lambda left, right: left.union(right), frames)
            .groupBy("clip_id")
            .agg(F.collect_set("_set").alias("_sets"))
        )
        incomplete = F.count(F.when(F.size("_sets") < len(names), 1)).alias("_some")
        lacking = [F.count(F.when(~F.array_contains("_sets", name), 1)).alias(name) for name in names]
        found = clips.agg(F.count(F.lit(1)).alias("_all"), incomplete, *lacking).collect()[0]
        lacks = ", ".join(f"without {name}: {found[name]}" for name in names if found[name])
        if found["_all"] == found["_some"]:
            raise InputError(
                f"{self.feature_set}: none of {found['_all']} clips has all sets that are to be joined ({lacks}). "
                "Extract them from the same clips; rows of an imported table are not clips of another set."
            )
        left_out = f"{self.feature_set}: {found['_some']} of {found['_all']} clips lack one of its sets ({lacks})"
        return (f"{left_out} and are left out",) if lacks else ()


def known_feature_sets(store: Reader) -> set[str]:
    """Names of the feature sets in the store, including ``technical`` if there are clips."""
    sets = {row[0] for row in store.read(FEATURE_SETS).select("feature_set").distinct().collect()}
    return sets | ({TECHNICAL} if store.read(CLIPS).limit(1).count() else set())


def find_feature_table(
    store: Reader, feature_set: str, set_version: str | None = None, preprocessing_id: str | None = None
) -> FeatureTable:
    """Look up a feature set in the table ``feature_sets``.

    Parameters
    ----------
    store : the store.
    feature_set : name of a set, or of joined sets (:mod:`genreatlas.config.joined`).
    set_version, preprocessing_id : version to use, for joined sets in the same notation; None for the current one.

    Raises
    ------
    ConfigError : there is no such set (the message has the nearest name), or its layout cannot be used for training.
    InputError : the current version of the set is not extracted yet.
    """
    if len(names := members_of(feature_set)) > 1:
        return _joined_table(store, names, set_version, preprocessing_id)
    if feature_set == TECHNICAL:
        return FeatureTable(TECHNICAL, CLIPS.name, "1", "source", SUMMARY.name, dict(_TECHNICAL_COLUMNS))
    rows = store.read(FEATURE_SETS).toPandas()
    mine = rows[rows.feature_set == feature_set]
    if mine.empty:
        known = sorted(set(rows.feature_set))
        raise ConfigError(
            f"the store has no feature set {feature_set!r}. {nearest(feature_set, known)} "
            "Sets come from extract_features and import_features."
        )
    versions = set(mine.set_version.map(str))
    unknown = feature_set not in registry.FEATURE_SETS and "registry" in set(mine.source)
    if set_version is None and unknown and len(versions) > 1:  # versions of networks are hashes and have no order
        raise ConfigError(
            f"{feature_set}: the store has its versions {', '.join(sorted(versions))}, and extract.embeddings has no "
            "entry of this name. Add it."
        )
    version = set_version or registry.current_version(feature_set, versions, set(mine.source))
    mine = mine[mine.set_version == version].sort_values("position")
    if mine.empty:
        raise InputError(
            f"{feature_set}: version {version} has no features yet. Run extract_features, then train_models."
        )
    layout = get_layout(former.present_name("axis", mine.axis.iloc[0]))
    if not layout.learns:
        learnt = [other.name for other in LAYOUTS.values() if other.learns]
        raise ConfigError(
            f"train.feature_sets: {feature_set} holds {layout.name}, which no engine can train on. Train on a set "
            f"of the axis {', '.join(learnt[:-1])} or {learnt[-1]}; `export` writes this one for training elsewhere."
        )
    return FeatureTable(
        feature_set=feature_set,
        table=layout.table_name(feature_set),
        set_version=version,
        preprocessing_id=preprocessing_id or str(mine.preprocessing_id.iloc[0]),
        axis=layout.name,
        columns=dict(zip(mine.feature, mine.kind, strict=True)),
    )


def _joined_table(
    store: Reader, names: tuple[str, ...], set_version: str | None, preprocessing_id: str | None
) -> FeatureTable:
    versions: Sequence[str | None] = members_of(set_version) if set_version else [None] * len(names)
    made: Sequence[str | None] = members_of(preprocessing_id) if preprocessing_id else [None] * len(names)
    members = tuple(find_feature_table(store, *one) for one in zip(names, versions, made, strict=True))
    name = PLUS.join(names)
    columns: dict[str, str] = {}
    for one in members:
        if not one.layout.joins:
            raise ConfigError(not_joined(name, one.feature_set, one.axis))
        mine = {column_of(one.feature_set, column): kind for column, kind in one.columns.items()}
        if twice := sorted(columns.keys() & mine.keys()):
            raise ConfigError(
                f"train.feature_sets: two columns of {name} would have the name {twice[0]}. Join other sets."
            )
        columns |= mine
    return FeatureTable(
        feature_set=name,
        table="",
        set_version=PLUS.join(one.set_version for one in members),
        preprocessing_id=PLUS.join(one.preprocessing_id for one in members),
        axis=SUMMARY.name,
        columns=columns,
        members=members,
    )


#: Boolean column: whether a row meets the condition; NULL means it does not.
MEETS = "_meets"


def with_condition(store: Reader, train: TrainSection, rows: DataFrame) -> DataFrame:
    """Add the column :data:`MEETS`, the value of ``train.where``.

    The condition may use columns of ``rows`` (also as ``features.x``), of ``songs`` and ``clips``, and features of the
    other summary sets in ``train.feature_sets`` that ``rows`` lacks, so that one condition can be used for all sets,
    also joined ones.

    Raises
    ------
    ConfigError : the text is not a condition on these columns; the message contains Spark's error.
    """
    if not train.where:
        return rows.withColumn(MEETS, F.lit(True))
    joined = rows.alias("features").join(store.read(SONGS).alias("songs"), "song_id", "left")
    joined = joined.join(store.read(CLIPS).drop("song_id").alias("clips"), "clip_id", "left")
    known = set(joined.columns)
    for name in feature_sets_of(train.feature_sets):
        other = find_feature_table(store, name)
        new = [column for column in other.columns if column not in known]
        if other.layout.by_column and new:
            joined = joined.join(other.rows(store).select("clip_id", *new).alias(name), "clip_id", "left")
            known.update(new)
    own = [name if name in ("song_id", "clip_id") else f"features.`{name}`" for name in rows.columns]
    try:
        flagged = joined.select(*own, F.expr(train.where).alias(MEETS))
        kind = flagged.schema[MEETS].dataType.simpleString()
    except PySparkException as error:
        raise bad_condition(train, error) from None
    if kind != "boolean":
        raise ConfigError(f"train.where = {train.where!r}: its value is {kind}, not true or false.")
    return flagged


def bad_condition(train: TrainSection, error: PySparkException) -> ConfigError:
    """Error with Spark's message about the condition, in one line."""
    lines = str(error).partition("JVM stacktrace")[0].strip().splitlines()
    return ConfigError(f"train.where = {train.where!r}: {lines[0].strip() if lines else type(error).__name__}")


def model_columns(
    rows: DataFrame,
    layout: Layout,
    columns: Mapping[str, str],
    features: tuple[str, ...] | None = None,
    training: Column | None = None,
    without: Collection[str] = (),
) -> tuple[tuple[str, ...], list[Column]]:
    """Columns of the matrix for a feature table: their names, and the expressions that compute the values.

    Parameters
    ----------
    rows, columns, features, training : see :func:`encode`.
    layout : layout of the feature set.
    without : columns of the matrix to leave out, for layouts with one row per clip.

    Returns
    -------
    names : names of the matrix columns.
    expressions : Spark columns: ``features``, or those of a layout with several rows per clip.
    """
    reading = layout.reading(tuple(columns))
    if reading is None:
        encoded = encode(rows, columns, features, training)
        encoded = {name: values for name, values in encoded.items() if name not in without}
        # NaN is replaced in the whole array at once: one expression per column takes Spark minutes for thousands.
        numbers = F.array(*encoded.values()).cast("array<float>")
        return tuple(encoded), [F.transform(numbers, lambda number: F.when(~F.isnan(number), number)).alias("features")]
    read = [F.expr(sql).alias(name) for name, sql in reading.items()]
    names = tuple(name for name in columns if name not in without and (not features or name in features))
    if layout.several or len(names) == len(columns):
        return tuple(columns), read
    every = F.expr(reading["features"])
    place = {name: number for number, name in enumerate(columns)}
    places = F.from_json(F.lit(json.dumps([place[name] for name in names])), "array<int>")
    return names, [F.transform(places, lambda number: every[number]).alias("features")]


def encode(
    rows: DataFrame, columns: Mapping[str, str], features: tuple[str, ...] | None, training: Column | None = None
) -> dict[str, Column]:
    """Encode columns as numbers: numeric columns are unchanged, categorical columns are one-hot encoded.

    A category becomes a column ``name=value`` with 1 or 0. NULL and values that do not occur in the training part are
    0 in all these columns. In numeric columns NULL and NaN are kept.

    Parameters
    ----------
    rows : rows of the feature table.
    columns : kind (numeric or categorical) by column, in order.
    features : matrix columns of a model to evaluate, a subset; None for all columns, with the categories of the
        training part.
    training : boolean expression that selects the rows of the training part; None for all rows.

    Returns
    -------
    Expression (a number) by matrix column, in order.
    """
    numbers = {field.name: isinstance(field.dataType, _NUMBERS) for field in rows.schema}
    categorical = [name for name, kind in columns.items() if kind == "categorical"]
    if features is None:
        values = _categories(rows if training is None else rows.where(training), categorical)
    else:
        values = {
            name: [feature.partition("=")[2] for feature in features if feature.startswith(f"{name}=")]
            for name in categorical
        }
    encoded: dict[str, Column] = {}
    for name, kind in columns.items():
        if kind == "categorical":
            for value in values[name]:
                encoded[f"{name}={value}"] = F.coalesce(_text(name) == value, F.lit(False)).cast("float")
        elif not features or name in features:
            column = F.col(f"`{name}`")
            encoded[name] = column if numbers[name] else column.cast("float")
    return encoded


def _text(name: str) -> Column:
    """Category as text; 3, 3.0 and '3' are the same category."""
    return F.regexp_replace(F.col(f"`{name}`").cast("string"), r"\.0$", "")


def _categories(rows: DataFrame, names: list[str]) -> dict[str, list[str]]:
    if not names:
        return {}
    found = rows.agg(*[F.sort_array(F.collect_set(_text(name))) for name in names])
    return {name: list(values) for name, values in zip(names, found.collect()[0], strict=True)}
