"""The judged clips of a model as an array on the driver, for importances."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame

from genreatlas.evaluation.importance import donors
from genreatlas.evaluation.shuffled import thinned
from genreatlas.models.sklearn_permuted import JudgedRows


@dataclass(frozen=True)
class Fetched:
    """Rows of the judged clips, by song and clip.

    Attributes
    ----------
    judged : the rows, with the place of the row that each takes a value from, per repeat.
    songs : ids of the songs that have rows, sorted; ``judged.song`` are places in it.
    donors : the same by clip: clip_id, repeat, donor_id.
    """

    judged: JudgedRows
    songs: list[str]
    donors: pd.DataFrame


def judged_rows(clips: DataFrame, axis: str, width: int, repeats: int, seed: int) -> Fetched:
    """Fetch the rows of at most some thousand songs, frames thinned out.

    Parameters
    ----------
    clips : song_id, clip_id, and features (summary) or frames and width (frames).
    width : features of a row.
    """
    values = "features" if axis == "summary" else "frames"
    table = (clips if axis == "summary" else thinned(clips)).select("song_id", "clip_id", values).toArrow()
    table = table.sort_by([("song_id", "ascending"), ("clip_id", "ascending")])
    column = table.column(values).combine_chunks()
    flat = column.flatten().cast(pa.float32()).to_numpy(zero_copy_only=False)
    X = np.array(flat, dtype=np.float32).reshape(-1, max(width, 1))
    lengths = np.asarray(column.value_lengths().fill_null(0)).astype(np.int64) // max(width, 1)
    names, place = np.unique(table.column("song_id").to_numpy().astype(str)[lengths > 0], return_inverse=True)
    clip_ids = table.column("clip_id").to_pylist()
    drawn = donors(clip_ids, repeats, seed)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if len(lengths) else lengths
    clip_of_row = np.repeat(np.arange(len(lengths)), lengths)
    in_clip = np.arange(len(X)) - starts[clip_of_row]
    index = pd.Index(clip_ids)
    donor = np.empty((repeats, len(X)), dtype=np.int64)
    for repeat, part in drawn.groupby("repeat"):
        source = index.get_indexer(pd.Index(part.set_index("clip_id")["donor_id"].loc[clip_ids]))
        # A donor that is shorter starts again; one without rows gives nothing, and the row keeps its own.
        length = np.maximum(lengths[source][clip_of_row], 1)
        rows = starts[source][clip_of_row] + in_clip % length
        donor[int(str(repeat))] = np.where(lengths[source][clip_of_row] > 0, rows, np.arange(len(X)))
    return Fetched(JudgedRows(X, np.repeat(place, lengths[lengths > 0]), donor), list(names), drawn)
