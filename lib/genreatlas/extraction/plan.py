"""How much of what is pending goes through the workers at once, and in which portions."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame

from genreatlas.redaction import shown_log
from genreatlas.store import Reader

log = shown_log(__name__)


def chunks(pending: DataFrame, chunk_clips: int) -> list[tuple[list[str], int]]:
    """Divide what is pending into chunks: the ingest batches of each, and how many audios it has."""
    found: list[tuple[list[str], int]] = []
    batches = pending.groupBy("ingest_batch").count().collect()
    for batch, audios in sorted((row["ingest_batch"], row["count"]) for row in batches):
        if found and found[-1][1] + audios <= chunk_clips:
            found[-1] = ([*found[-1][0], batch], found[-1][1] + audios)
        else:
            found.append(([batch], audios))
    return found


@contextmanager
def arrow_batches(store: Reader, rows: int) -> Iterator[None]:
    """Bound the rows of one Arrow batch, and put the session's own setting back after.

    Rows are small on their way in, but each makes four with 62 kB of frames on its way out.
    """
    key = "spark.sql.execution.arrow.maxRecordsPerBatch"
    conf = store.spark.conf
    before = conf.get(key, None)
    try:
        conf.set(key, str(rows))
    except Exception as error:  # a managed platform may refuse any setting
        log.info("%s stays as the platform has it: %s", key, str(error).splitlines()[0])
        yield
        return
    try:
        yield
    finally:
        if before is None:
            conf.unset(key)
        else:
            conf.set(key, before)
