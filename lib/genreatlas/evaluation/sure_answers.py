"""Calibrated probabilities and prediction sets of mean scores, in Spark.

The sums of a song's rows are made by Spark; what a model's :class:`~genreatlas.models.confidence.Confidence` makes of
them is computed in Arrow batches, by the code that ``genreatlas.predict`` uses.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, IntegerType, StructField, StructType

from genreatlas.models.confidence import Confidence

#: Scores that are sorted at once: 32 MB.
_CELLS = 4_000_000


def with_confidence(rows: DataFrame, confidence: Confidence | None) -> DataFrame:
    """Rows with calibrated ``means``, and the places of the genres in each one's prediction set.

    Parameters
    ----------
    rows : with means array<double>, NULL where nothing could be scored.
    confidence : of the model; without it means stay as they are, and sets are NULL.

    Returns
    -------
    The rows with ``places`` array<int> beside: 1-based places of classes, the most probable first.
    """
    if confidence is None:
        return rows.withColumn("places", F.lit(None).cast("array<int>"))
    schema = StructType([*rows.schema.fields, StructField("places", ArrayType(IntegerType()))])
    return rows.mapInArrow(partial(sure_batches, confidence), schema)


def sure_batches(confidence: Confidence, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Calibrate the column ``means`` of each batch, and add ``places``."""
    n_classes = len(confidence.sharpness)
    step = max(1, _CELLS // n_classes)
    for whole in batches:
        for start in range(0, whole.num_rows, step):
            yield _sure_batch(confidence, n_classes, whole.slice(start, step))


def _sure_batch(confidence: Confidence, n_classes: int, batch: pa.RecordBatch) -> pa.RecordBatch:
    column = batch.column("means")
    known = pc.is_valid(column).to_numpy(zero_copy_only=False)
    means = column.filter(pa.array(known)).flatten().to_numpy(zero_copy_only=False).reshape(-1, n_classes)
    probabilities = confidence.probabilities(means)
    sets = confidence.sets(probabilities)
    columns = {name: batch.column(name) for name in batch.schema.names}
    columns["means"] = _lists(known, [n_classes] * len(means), pa.array(probabilities.ravel()))
    flat = np.concatenate(sets) + 1 if sets else np.zeros(0, dtype=np.int64)
    columns["places"] = _lists(known, [len(one) for one in sets], pa.array(flat.astype(np.int32)))
    return pa.RecordBatch.from_pydict(columns)


def _lists(known: "np.ndarray", lengths: list[int], values: pa.Array) -> pa.ListArray:
    """Lists of some lengths for the rows that are known, and NULL for the others."""
    sizes = np.zeros(len(known), dtype=np.int64)
    sizes[known] = lengths
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(~known))
