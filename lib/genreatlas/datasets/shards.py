"""Write one shard of an exported feature set: concatenated clips with song, labels and split.

Runs on workers and does not import pyspark. Equal rows produce equal bytes.

npz: arrays ``clip_id``, ``song_id``, ``group_id``, ``fold`` (-1 outside the training part), ``genres`` (n_clips,
n_classes; 1 if the clip's song has the genre), ``offsets`` (n_clips + 1) and ``values`` (n_rows, width): the
rows of clip ``i`` are ``values[offsets[i]:offsets[i + 1]]``. Sets stored as bytes have ``lowest`` and ``step``, each
(n_clips,): ``lowest[i] + step[i] * values`` is in dB. Undefined values of events are NaN.

parquet: one row per clip with the same names; a vector is a list, frames are lists with their ``width``, events one
list per feature.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genreatlas.arrays import AnyArray
from genreatlas.audio.layouts import Layout

#: Schema of the row that a worker returns for a written shard.
RESULT = "part string, shard int, file string, n_clips int, n_bytes bigint, sha256 string"

_IDS = ("clip_id", "song_id", "group_id")


@dataclass(frozen=True)
class ShardRequest:
    """Parameters common to all shards of a set, sent to the workers.

    ``classes`` are genre ids; ``features`` are the names of the set's features.
    """

    folder: str
    format: Literal["npz", "parquet"]
    classes: tuple[str, ...]
    features: tuple[str, ...]
    layout: Layout


def write_shard(request: ShardRequest, rows: pa.Table) -> pa.Table:
    """Write the clips of one part and shard to ``<part>-<shard>.<format>``.

    Parameters
    ----------
    rows : part, shard, clip_id, song_id, group_id, fold, genres, and the value columns of the set's table.

    Returns
    -------
    One row of :data:`RESULT`.
    """
    rows = rows.sort_by("clip_id")
    part, shard = rows["part"][0].as_py(), rows["shard"][0].as_py()
    path = Path(request.folder) / f"{part}-{shard:05}.{request.format}"
    path.parent.mkdir(parents=True, exist_ok=True)
    # another attempt of the same task may be writing the same file
    written = path.with_name(f".{path.name}.{os.getpid()}")
    if request.format == "npz":
        with written.open("wb") as file:
            np.savez(file, **_arrays(request, rows))  # type: ignore[arg-type]
    else:
        import pyarrow.parquet as pq

        pq.write_table(rows.drop_columns(["part", "shard"]), written, compression="zstd", row_group_size=256)
    size = written.stat().st_size
    with written.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    written.replace(path)
    return pa.table(
        {
            "part": pa.array([part]),
            "shard": pa.array([shard], pa.int32()),
            "file": pa.array([path.name]),
            "n_clips": pa.array([rows.num_rows], pa.int32()),
            "n_bytes": pa.array([size], pa.int64()),
            "sha256": pa.array([digest]),
        }
    )


def _arrays(request: ShardRequest, rows: pa.Table) -> dict[str, AnyArray]:
    arrays: dict[str, AnyArray] = {name: np.array(rows[name].to_pylist(), dtype=str) for name in _IDS}
    arrays["fold"] = pc.fill_null(rows["fold"], -1).to_numpy().astype(np.int32)
    place = {genre: number for number, genre in enumerate(request.classes)}
    arrays["genres"] = np.zeros((rows.num_rows, len(request.classes)), dtype=np.uint8)
    for row, genres in enumerate(rows["genres"].to_pylist()):
        arrays["genres"][row, [place[genre] for genre in genres]] = 1
    return arrays | request.layout.shard(request.features, dict(zip(rows.column_names, rows.columns, strict=True)))
