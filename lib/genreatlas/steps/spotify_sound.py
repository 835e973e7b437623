"""Audio features and audio analyses of collected songs, merged into their tables."""

from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from genreatlas.errors import Reason
from genreatlas.sources.spotify.client import FEATURES_BATCH
from genreatlas.sources.spotify.rows import SOURCE
from genreatlas.sources.spotify.sound import FEATURES
from genreatlas.steps.spotify_lists import answers, local_frame
from genreatlas.store import Staged, Store
from genreatlas.tables import (
    FEATURE_SETS,
    QUARANTINE,
    SONGS,
    SPOTIFY_AUDIO,
    SPOTIFY_AUDIO_ANALYSIS,
    SPOTIFY_AUDIO_SET,
)

#: Spotify does not say which version its features have.
SET_VERSION = "1"
PREPROCESSING_ID = "spotify"
STAGE = "collect_songs"


def pending_features(store: Store) -> DataFrame:
    """Songs without audio features, in full batches: one request for every hundred of them."""
    heard = store.read(SPOTIFY_AUDIO).where(F.col("set_version") == SET_VERSION).select("song_id")
    unheard = store.read(QUARANTINE).where((F.col("stage") == STAGE) & (F.col("version") == SET_VERSION))
    unheard = unheard.select(F.col("key").alias("spotify_id"))
    songs = _songs(store).join(heard, "song_id", "left_anti").join(unheard, "spotify_id", "left_anti")
    place = F.row_number().over(Window.orderBy("spotify_id")) - 1
    batches = songs.withColumn("batch", F.floor(place / FEATURES_BATCH)).groupBy("batch")
    requests = batches.agg(F.to_json(F.array_sort(F.collect_list("spotify_id"))).alias("request"))
    return _pending(requests, "features", F.md5("request"))


def merge_features(store: Store, staged: Staged) -> None:
    """Write audio features; songs that Spotify has none of are rows of quarantine, so that they are not asked again."""
    rows = [row for batch in answers(staged).values() for row in batch]
    version = {"set_version": SET_VERSION, "preprocessing_id": PREPROCESSING_ID}
    good = [version | {name: row[name] for name in ("clip_id", "song_id", *FEATURES)} for row in rows if row["heard"]]
    store.upsert(SPOTIFY_AUDIO, local_frame(store, SPOTIFY_AUDIO, good))
    about = {
        "stage": STAGE,
        "version": SET_VERSION,
        "reason": Reason.NO_AUDIO_FEATURES.value,
        "detail": "Spotify has no audio features of this track.",
        "run_id": store.run_id,
        "at": datetime.now(UTC),
    }
    store.upsert(QUARANTINE, [about | {"key": row["spotify_id"]} for row in rows if not row["heard"]])


def describe_set(store: Store) -> None:
    """Say in ``feature_sets`` what the set has, so that training knows it."""
    described = [
        {
            "feature_set": SPOTIFY_AUDIO_SET,
            "set_version": SET_VERSION,
            "position": position,
            "feature": name,
            "kind": "categorical" if name == "key" else "numeric",
            "axis": "summary",
            "unit": SPOTIFY_AUDIO.column(name).unit,
            "preprocessing_id": PREPROCESSING_ID,
            "source": "spotify",
        }
        for position, name in enumerate(FEATURES)
    ]
    store.upsert(FEATURE_SETS, described)


def pending_analyses(store: Store) -> DataFrame:
    """Songs without an audio analysis; there is no batched call."""
    known = store.read(SPOTIFY_AUDIO_ANALYSIS).select(F.col("track_key").alias("spotify_id"))
    songs = _songs(store).join(known, "spotify_id", "left_anti")
    quoted = F.concat(F.lit('"'), "spotify_id", F.lit('"'))
    return _pending(songs.select(quoted.alias("request"), "spotify_id"), "analysis", F.col("spotify_id"))


def merge_analyses(store: Store, staged: Staged) -> None:
    """Write audio analyses."""
    store.upsert(SPOTIFY_AUDIO_ANALYSIS, list(answers(staged).values()), update=True)


def _songs(store: Store) -> DataFrame:
    return store.read(SONGS).where(F.col("source") == SOURCE).select("song_id", "spotify_id")


def _pending(rows: DataFrame, kind: str, key: Column) -> DataFrame:
    return rows.select(key.alias("key"), F.lit(kind).alias("kind"), "request")
