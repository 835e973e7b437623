"""Calibrated probabilities and prediction sets from mean scores, in Spark.

The model's :class:`~genreatlas.models.confidence.Confidence` is applied in Arrow batches, with the same code as in
``genreatlas.predict``.
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

#: Maximum number of scores that are sorted at once: 32 MB.
_CELLS = 4_000_000


def with_confidence(rows: DataFrame, confidence: Confidence | None) -> DataFrame:
    """Calibrate the column ``means``, and add the prediction set of each row.

    Parameters
    ----------
    rows : rows with means array<double>, NULL if nothing could be scored.
    confidence : the model's calibration and prediction sets; None: means are unchanged and sets are NULL.

    Returns
    -------
    The rows with the column ``places`` array<int>: 1-based class indices, the most probable first.
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
    """Lists with the given lengths for the known rows, and NULL for others."""
    sizes = np.zeros(len(known), dtype=np.int64)
    sizes[known] = lengths
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(~known))
