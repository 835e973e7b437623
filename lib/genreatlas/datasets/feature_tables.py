"""Tables of feature sets: which one holds a set now, conditions on its rows, and its columns as those of a matrix."""

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

#: What is known of a file without hearing it. What a model makes of these is not music.
TECHNICAL = "technical"
#: Preprocessing of features that somebody else made: how is for whoever made them to know.
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
    """Where the rows of a feature set are, and what its columns are.

    ``columns`` maps column name to kind (numeric or categorical), in the order of the matrix. Sets that are joined are
    ``members``; their columns have the member's name before their own.
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
        """Columns that somebody else made."""
        if self.members:
            return {column_of(one.feature_set, name) for one in self.members for name in one.imported}
        return set(self.columns) if self.preprocessing_id == IMPORTED else set()

    @property
    def layout(self) -> Layout:
        """Layout of the feature set."""
        return get_layout(self.axis)

    def rows(self, store: Reader) -> DataFrame:
        """Rows of the version, with clip_id, song_id and the features, of clips and songs that still count."""
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
        """How many clips have some of the sets that are joined and not all, in a sentence; nothing where none has.

        Raises
        ------
        InputError : no clip has them all.
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
    """Feature sets that the store has rows of; ``technical`` too, where there are clips."""
    sets = {row[0] for row in store.read(FEATURE_SETS).select("feature_set").distinct().collect()}
    return sets | ({TECHNICAL} if store.read(CLIPS).limit(1).count() else set())


def find_feature_table(
    store: Reader, feature_set: str, set_version: str | None = None, preprocessing_id: str | None = None
) -> FeatureTable:
    """Look a feature set up in ``feature_sets``, at its current version unless another is asked for.

    Parameters
    ----------
    feature_set : its name, or that of several that are joined (:mod:`genreatlas.config.joined`).
    set_version, preprocessing_id : of a joined one, those of its members.

    Raises
    ------
    ConfigError : there is no such set (the message has the nearest name), or models cannot learn from its shape.
    InputError : the code's version of the set was not extracted yet.
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
    if set_version is None and unknown and len(versions) > 1:  # those of networks are hashes: none is the last
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
            raise ConfigError(f"train.feature_sets: two columns of {name} would be called {twice[0]}. Join other sets.")
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


#: Column that says whether a row meets the condition; NULL means it does not.
MEETS = "_meets"


def with_condition(store: Reader, train: TrainSection, rows: DataFrame) -> DataFrame:
    """Add the column :data:`MEETS`.

    The condition may name columns of ``rows`` (also as ``features.x``), of ``songs`` and ``clips``, and
    features of the other summary sets in ``train.feature_sets`` that ``rows`` lacks, so that one
    condition serves all sets, joined ones too.

    Raises
    ------
    ConfigError : it is no condition on these columns; with Spark's words.
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
    """What Spark says of the condition, in one line."""
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
    """What models read of a feature table: the names of the matrix's columns, and the expressions with the values.

    Parameters
    ----------
    rows, columns, features, training : see :func:`encode`.
    layout : of the feature set.
    without : columns of the matrix to leave out, of a layout with one row a clip.
    """
    reading = layout.reading(tuple(columns))
    if reading is None:
        encoded = encode(rows, columns, features, training)
        encoded = {name: values for name, values in encoded.items() if name not in without}
        # One look for NaN at the whole array: with one for each column, Spark is minutes over thousands of them.
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
    """Numbers as they are, names one-hot.

    A category is a column ``name=value``, 1 or 0. NULL, and a value that training did not see, is no
    category: 0 in all of them. In numeric columns NULL and NaN stay.

    Parameters
    ----------
    rows : the table's columns.
    columns : column = kind (numeric or categorical), in order.
    features : the columns of a model that is to be judged, which may have left some out; None: all, with the
        categories of the training part.
    training : tells the rows of the training part, whose categories count; None: all.

    Returns
    -------
    Matrix column = expression (a number), in order.
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
    """A category as text; 3, 3.0 and '3' are one."""
    return F.regexp_replace(F.col(f"`{name}`").cast("string"), r"\.0$", "")


def _categories(rows: DataFrame, names: list[str]) -> dict[str, list[str]]:
    if not names:
        return {}
    found = rows.agg(*[F.sort_array(F.collect_set(_text(name))) for name in names])
    return {name: list(values) for name, values in zip(names, found.collect()[0], strict=True)}
