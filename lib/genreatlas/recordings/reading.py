"""Results of links between songs: number of duplicates by genre, and recordings in several parts of a split."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from genreatlas.store import Reader
from genreatlas.tables import RECORDING_LINKS, SONG_GENRES, SPLITS


def linked_copies(store: Reader) -> DataFrame:
    """Songs that are copies of one recording by fingerprint: song_id, recording_id."""
    return store.read(RECORDING_LINKS).where("kind = 'copy'").select("song_id", "recording_id")


def doubles_by_genre(store: Reader, copies: DataFrame) -> DataFrame:
    """Count songs and recordings of genres with duplicates, sorted by descending number of duplicates.

    Parameters
    ----------
    copies : song_id, recording_id; a song without a row is its own recording.

    Returns
    -------
    DataFrame : genre_id, genre, n_songs, n_recordings, n_doubles.
    """
    genres = store.live(SONG_GENRES).groupBy("song_id", "genre_id").agg(F.min("genre").alias("genre"))
    recording = F.coalesce("recording_id", "song_id")
    counts = (
        genres.join(copies, "song_id", "left")
        .groupBy("genre_id")
        .agg(
            F.min("genre").alias("genre"),
            F.count(F.lit(1)).alias("n_songs"),
            F.count_distinct(recording).alias("n_recordings"),
        )
    )
    counts = counts.withColumn("n_doubles", F.col("n_songs") - F.col("n_recordings")).where("n_doubles > 0")
    return counts.orderBy(F.desc("n_doubles"), F.desc("n_songs"), "genre_id")


def bridging_recordings(store: Reader, split: str) -> DataFrame:
    """Recordings whose copies are in several parts or folds, because they were assigned before the link was found.

    Copies that the split excludes are ignored.

    Returns
    -------
    DataFrame : recording_id, n_copies, places (sorted strings: part and fold), sorted by recording_id.
    """
    newest = Window.partitionBy("song_id").orderBy(F.desc("split_version"))
    rows = store.read(SPLITS).where(F.col("split") == split).withColumn("rank", F.row_number().over(newest))
    placed = rows.where("rank = 1 AND part <> 'excluded'").select(
        "song_id", F.concat_ws(" ", "part", F.col("fold").cast("string")).alias("place")
    )
    found = (
        linked_copies(store)
        .join(placed, "song_id")
        .groupBy("recording_id")
        .agg(F.count(F.lit(1)).alias("n_copies"), F.array_sort(F.collect_set("place")).alias("places"))
    )
    return found.where(F.size("places") > 1).orderBy("recording_id")
