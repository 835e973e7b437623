"""Topics for the report: their genres and example songs."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from pyspark.sql import functions as F

from genreatlas.report.data import Topic, TopicSong
from genreatlas.report.playlists import called
from genreatlas.report.queries import with_clip
from genreatlas.store import Reader
from genreatlas.tables import TOPIC_MODELS, TOPICS

#: Input tables: the section is outdated when one of their versions changes.
INPUTS = (TOPIC_MODELS, TOPICS)


def read_topics(store: Reader) -> tuple[list[Topic], pd.DataFrame]:
    """Read the topics of the last fit, and the first clips of their example songs.

    Returns
    -------
    topics : topics in descending order of their share.
    clips : rows of :func:`genreatlas.report.queries.with_clip`: the first song of each topic, then the second of each.
    """
    fits = store.read(TOPIC_MODELS).select("feature_set", "set_version", "made_at", "sequence")
    last = fits.orderBy(F.desc("made_at"), F.desc("sequence")).limit(1).collect()
    if not last:
        return [], pd.DataFrame()
    mine = (F.col("feature_set") == last[0]["feature_set"]) & (F.col("set_version") == last[0]["set_version"])
    rows = [row.asDict() for row in store.read(TOPICS).where(mine).collect()]
    rows.sort(key=lambda row: (-row["share"], row["topic"]))
    songs = in_turns([row["examples"] for row in rows])
    asked = store.spark.createDataFrame([(song,) for song in songs], "song_id string")
    clips = with_clip(store, asked).toPandas().set_index("song_id", drop=False) if songs else pd.DataFrame()
    if songs:
        clips = clips.loc[songs].reset_index(drop=True)
    by_song = {str(clip["song_id"]): clip for clip in clips.to_dict("records")}
    return [topic_of(row, by_song) for row in rows], clips


def in_turns(examples: list[list[str]]) -> list[str]:
    """Songs of all topics without duplicates: the first of each topic, then the second of each."""
    most = max(map(len, examples), default=0)
    turns = [songs[place] for place in range(most) for songs in examples if place < len(songs)]
    return list(dict.fromkeys(turns))


def topic_of(row: dict[str, Any], clips: Mapping[str, Mapping[Any, Any]]) -> Topic:
    """Convert a row of ``topics`` to the entry that the page shows.

    Parameters
    ----------
    clips : song_id = title, artist, path, start_s and length_s of the clip that is played.
    """
    songs = []
    for song, share in zip(row["examples"], row["example_shares"], strict=True):
        clip = clips.get(song, {})
        name = called(clip.get("artist"), clip.get("title"), song)
        songs.append(TopicSong(song, name, share, clip.get("path"), clip.get("start_s"), clip.get("length_s")))
    genres = tuple(zip(row["genre_names"], row["genre_shares"], row["genre_lifts"], strict=True))
    return Topic(row["feature_set"], row["topic"], row["share"], genres, tuple(songs))
