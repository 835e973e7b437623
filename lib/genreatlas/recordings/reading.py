"""What follows from the links between songs: doubles by genre, and recordings that lie in several parts of a split."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from genreatlas.store import Reader
from genreatlas.tables import RECORDING_LINKS, SONG_GENRES, SPLITS


def linked_copies(store: Reader) -> DataFrame:
    """Songs that are copies of one recording by their sound: song_id, recording_id."""
    return store.read(RECORDING_LINKS).where("kind = 'copy'").select("song_id", "recording_id")


def doubles_by_genre(store: Reader, copies: DataFrame) -> DataFrame:
    """Songs and recordings of genres that have doubles, those with the most first.

    Parameters
    ----------
    copies : song_id, recording_id; a song without a row is a recording of its own.

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
    """Recordings whose copies were placed in several parts or folds, before their link was known.

    Copies that the split has left out since do not count.

    Returns
    -------
    DataFrame : recording_id, n_copies, places (sorted, a fold behind its part), by recording_id.
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
