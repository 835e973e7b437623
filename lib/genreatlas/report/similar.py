"""Similar songs of the songs shown in the report."""

from collections.abc import Sequence

import pandas as pd
from pyspark.sql import functions as F

from genreatlas.report.number_formats import missing
from genreatlas.report.playlists import called
from genreatlas.store import Reader
from genreatlas.tables import NEIGHBOUR_SONGS, NEIGHBOUR_SPACES, SONG_NEIGHBOURS, SONGS

#: Input tables: the section is outdated when one of their versions changes.
INPUTS = (NEIGHBOUR_SPACES, NEIGHBOUR_SONGS, SONG_NEIGHBOURS)
_NEAR = 3


def read_similar(store: Reader, song_ids: Sequence[str]) -> dict[str, list[str]]:
    """Names of the nearest songs by other artists, by song_id, in the newest space; empty if there is no space."""
    spaces = store.read(NEIGHBOUR_SPACES).orderBy(F.desc("sequence")).limit(1).select("space_id").collect()
    if not spaces or not song_ids:
        return {}
    mine = F.col("space_id") == spaces[0]["space_id"]
    rows = store.read(SONG_NEIGHBOURS).where(mine & F.col("song_id").isin(*song_ids))
    rows = rows.select("song_id", "rank", F.col("neighbour_song_id").alias("other"))
    facts = store.read(NEIGHBOUR_SONGS).where(mine).select("song_id", "recording", "artist")
    own = facts.withColumnsRenamed({"recording": "own_recording", "artist": "own_artist"})
    named = store.live(SONGS).select(F.col("song_id").alias("other"), "title", F.col("artist").alias("credit"))
    rows = rows.join(own, "song_id").join(facts.withColumnRenamed("song_id", "other"), "other").join(named, "other")
    return nearest_of_others(rows.toPandas())


def nearest_of_others(rows: pd.DataFrame) -> dict[str, list[str]]:
    """The nearest neighbours of each song by other artists, at most one per artist and recording.

    Parameters
    ----------
    rows : song_id, rank, other, recording, artist, own_recording, own_artist, title, credit.
    """
    found: dict[str, list[str]] = {}
    taken: set[tuple[str, str, object]] = set()
    for row in rows.sort_values(["song_id", "rank"]).to_dict("records"):
        near = found.setdefault(row["song_id"], [])
        same = any(not missing(row[k]) and row[k] == row[f"own_{k}"] for k in ("recording", "artist"))
        keys = {(row["song_id"], k, row[k]) for k in ("recording", "artist") if not missing(row[k])}
        if len(near) == _NEAR or same or keys & taken:
            continue
        taken |= keys
        near.append(called(row["credit"], row["title"], row["other"]))
    return {song: near for song, near in found.items() if near}
