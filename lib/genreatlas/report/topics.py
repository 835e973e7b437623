"""What the report shows of topics: the genres of each, and songs to hear it in."""

from typing import Any

import pandas as pd
from pyspark.sql import functions as F

from genreatlas.report.data import Topic, TopicSong
from genreatlas.report.playlists import called
from genreatlas.report.queries import with_clip
from genreatlas.store import Reader
from genreatlas.tables import TOPIC_MODELS, TOPICS

#: Tables whose versions decide whether the section is still true.
INPUTS = (TOPIC_MODELS, TOPICS)


def read_topics(store: Reader) -> tuple[list[Topic], pd.DataFrame]:
    """Topics of the last fit, those with the largest share first, and the first clip of each song to hear them in.

    Returns
    -------
    The topics, and rows of :func:`genreatlas.report.queries.with_clip` in the order in which the topics name the songs:
    the first song of each topic, then the second of each.
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
    return [topic_of(row, clips) for row in rows], clips


def in_turns(examples: list[list[str]]) -> list[str]:
    """Songs of all topics, each once: the first of each topic, then the second of each."""
    most = max(map(len, examples), default=0)
    turns = [songs[place] for place in range(most) for songs in examples if place < len(songs)]
    return list(dict.fromkeys(turns))


def topic_of(row: dict[str, Any], clips: pd.DataFrame) -> Topic:
    """A row of ``topics`` as the page shows it.

    Parameters
    ----------
    clips : song_id, title, artist, path, start_s, length_s of its songs.
    """
    known = {str(clip["song_id"]): clip for clip in clips.to_dict("records")}
    songs = []
    for song, share in zip(row["examples"], row["example_shares"], strict=True):
        clip = known.get(song, {})
        name = called(clip.get("artist"), clip.get("title"), song)
        songs.append(TopicSong(song, name, share, clip.get("path"), clip.get("start_s"), clip.get("length_s")))
    genres = tuple(zip(row["genre_names"], row["genre_shares"], row["genre_lifts"], strict=True))
    return Topic(row["feature_set"], row["topic"], row["share"], genres, tuple(songs))
