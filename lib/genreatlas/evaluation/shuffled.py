"""Clips whose features were swapped with those of other clips, to be scored like any others."""

import json
from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from genreatlas.evaluation.importance import Block

#: Frames of a clip that importances are measured on, evenly spaced: 1,293 frames × 12 features × 5
#: shuffles would be 77,000 rows a song, and neighbouring frames say the same.
FRAMES_A_CLIP = 50

#: Ends block and shuffle in a shuffled id; what follows the second is the id, whatever it holds.
_SEPARATOR = "/"


def shuffled_clips(clips: DataFrame, donors: DataFrame, blocks: Sequence[Block], axis: str) -> DataFrame:
    """Every clip as it is, and once per feature and shuffle with that feature of another clip.

    Parameters
    ----------
    clips : song_id, clip_id, and features (summary) or frames and width (frames).
    donors : clip_id, repeat int, donor_id.
    blocks : what is replaced at once.

    Returns
    -------
    The columns of ``clips`` with ids prefixed by ``block/repeat/``; block -1 is the clip as it is.
    Frames are replaced in their order, from the donor's start again where it has fewer.
    """
    values = "features" if axis == "summary" else "frames"
    mine = clips if axis == "summary" else thinned(clips)
    width = "size(features)" if axis == "summary" else "width"
    kept = ("song_id", "clip_id", values) if axis == "summary" else ("song_id", "clip_id", values, "width")
    other = mine.select(F.col("clip_id").alias("donor_id"), F.col(values).alias("donor"))
    pairs = mine.select(*kept).join(donors, "clip_id").join(other, "donor_id")
    columns = F.from_json(F.lit(json.dumps([[], *(list(block.columns) for block in blocks)])), "array<array<int>>")
    every = pairs.select("*", F.posexplode(columns).alias("place", "replaced"))
    every = every.where("place > 0 OR repeat = 0").withColumn("block", F.expr("place - 1"))
    swapped = F.expr(
        f"transform({values}, (v, i) -> "
        f"if(array_contains(replaced, cast(i % {width} AS int)), donor[cast(i % size(donor) AS int)], v))"
    )
    prefix = F.concat_ws(_SEPARATOR, F.col("block").cast("string"), F.col("repeat").cast("string"))
    ids = [F.concat_ws(_SEPARATOR, prefix, F.col(name)).alias(name) for name in ("song_id", "clip_id")]
    return every.select(*ids, swapped.alias(values), *(["width"] if axis == "frames" else []))


def told_apart(songs: DataFrame) -> DataFrame:
    """Split the ids of :func:`shuffled_clips` again: block int, repeat int, song_id."""
    parts = F.split("song_id", _SEPARATOR, 3)
    return songs.select(
        parts[0].cast("int").alias("block"),
        parts[1].cast("int").alias("repeat"),
        *[parts[2].alias(name) if name == "song_id" else F.col(name) for name in songs.columns],
    )


def thinned(clips: DataFrame) -> DataFrame:
    """Clips with at most :data:`FRAMES_A_CLIP` of their frames."""
    step = f"greatest(1, ceil(size(frames) / width / {FRAMES_A_CLIP}))"
    return clips.withColumn("frames", F.expr(f"filter(frames, (v, i) -> cast(floor(i / width) AS int) % {step} = 0)"))
