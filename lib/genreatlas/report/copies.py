"""Copies of recordings for the report: kinds of links with examples, doubles by genre, recordings in several parts."""

from typing import get_args

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.recordings.kinds import Kind
from genreatlas.recordings.reading import bridging_recordings, doubles_by_genre
from genreatlas.report.data import Copies
from genreatlas.report.playlists import called
from genreatlas.store import Reader
from genreatlas.tables import LINKED_CLIPS, RECORDING_LINKS, RECORDINGS, SONGS

#: Input tables: the section is outdated when one of their versions changes.
INPUTS = (LINKED_CLIPS, RECORDING_LINKS)
#: Kinds of links in the order of the report's table.
KINDS: tuple[Kind, ...] = get_args(Kind)
_MOST_GENRES = 30
_MOST_BRIDGING = 20


def read_copies(store: Reader, split: str) -> Copies | None:
    """Read the copies of recordings; None if no fingerprints were compared."""
    n_clips = store.read(LINKED_CLIPS).count()
    if not n_clips:
        return None
    links = store.read(RECORDING_LINKS)
    kinds = _kinds(store, links)
    genres = doubles_by_genre(store, store.read(RECORDINGS))
    shown = genres.limit(_MOST_GENRES).toPandas()
    bridging = bridging_recordings(store, split)
    examples = bridging.limit(_MOST_BRIDGING).toPandas()
    names = _names(store, examples["recording_id"].tolist())
    return Copies(
        n_clips=n_clips,
        n_copies=int(kinds.loc[kinds["kind"] == "copy", "n"].sum()),
        n_recordings=links.where("kind = 'copy'").select("recording_id").distinct().count(),
        kinds=kinds,
        genres=shown,
        n_genres=len(shown) if len(shown) < _MOST_GENRES else genres.count(),
        bridging=examples.assign(recording=examples["recording_id"].map(names)),
        n_bridging=len(examples) if len(examples) < _MOST_BRIDGING else bridging.count(),
    )


def _kinds(store: Reader, links: DataFrame) -> pd.DataFrame:
    """Number of songs of each kind of link, with an example: the link with the highest score to another song."""
    other = links.where("song_id <> recording_id")
    surest = F.max_by(F.struct("song_id", "recording_id", "evidence"), F.struct("score", "song_id")).alias("example")
    counted = links.groupBy("kind").agg(F.count_distinct("song_id").alias("n"))
    rows = counted.join(other.groupBy("kind").agg(surest), "kind", "left").select("kind", "n", "example.*").toPandas()
    names = _names(store, [*rows["song_id"].dropna(), *rows["recording_id"].dropna()])
    rows = rows.assign(song=rows["song_id"].map(names), other=rows["recording_id"].map(names))
    order = {kind: place for place, kind in enumerate(KINDS)}
    return rows.sort_values("kind", key=lambda kinds: kinds.map(order), ignore_index=True)


def _names(store: Reader, song_ids: list[str]) -> dict[str, str]:
    """Artist and title by song_id, including retired songs."""
    if not song_ids:
        return {}
    rows = store.read(SONGS).where(F.col("song_id").isin(*song_ids)).select("song_id", "title", "artist").collect()
    return {row["song_id"]: called(row["artist"], row["title"], row["song_id"]) for row in rows}
