"""``train.where``: an SQL condition on songs, clips and features."""

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.config import TrainSection
from genreatlas.errors import ConfigError
from genreatlas.models.feature_tables import find_feature_table
from genreatlas.store import Store
from genreatlas.tables import CLIPS, SONGS

#: Column that says whether a row meets the condition; NULL means it does not.
MEETS = "_meets"


def with_condition(store: Store, train: TrainSection, rows: DataFrame) -> DataFrame:
    """Add the column :data:`MEETS`.

    The condition may name columns of ``rows`` (also as ``features.x``), of ``songs`` and ``clips``, and
    features of the other summary sets in ``train.feature_sets`` that ``rows`` lacks, so that one
    condition serves all sets.

    Raises
    ------
    ConfigError : it is no condition on these columns; with Spark's words.
    """
    if not train.where:
        return rows.withColumn(MEETS, F.lit(True))
    joined = rows.alias("features").join(store.read(SONGS).alias("songs"), "song_id", "left")
    joined = joined.join(store.read(CLIPS).drop("song_id").alias("clips"), "clip_id", "left")
    known = set(joined.columns)
    for name in train.feature_sets:
        other = find_feature_table(store, name)
        new = [column for column in other.columns if column not in known]
        if other.axis == "summary" and new:
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
