"""Bring the files of pretrained networks to the workers: as artifacts of the session, named by their hash."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import pyarrow as pa

from genreatlas.audio.embeddings import EmbeddingSet
from genreatlas.audio.feature_sets import FeatureSet, Registered
from genreatlas.audio.onnx_files import file_hash
from genreatlas.audio.whole_files import Recipe, window_batches
from genreatlas.audio.worker import ExtractRequest, extract_batches
from genreatlas.config import EmbeddingEntry
from genreatlas.datasets.sending import locate, send_file

if TYPE_CHECKING:  # workers need no session
    from pyspark.sql import SparkSession


def send_networks(spark: "SparkSession", registered: Registered, names: frozenset[str]) -> None:
    """Send the files of the sets of these names, each once a session.

    One that is gone, or is another by now, is not: workers look for it where the entry says, and tell what is wrong.
    """
    for entry in dict.fromkeys(one.entry for one in registered.feature_sets if _is_one_of(one, names)):
        if entry.file.is_file() and file_hash(entry.file) == entry.sha256:
            send_file(spark, entry.file, _artifact(entry))


def _is_one_of(one: FeatureSet, names: frozenset[str]) -> TypeGuard[EmbeddingSet]:
    return isinstance(one, EmbeddingSet) and one.name in names


def extract_sent(request: ExtractRequest, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """:func:`genreatlas.audio.worker.extract_batches` with the files that were sent."""
    return extract_batches(replace(request, registered=_located(request.registered)), batches)


def windows_sent(recipe: Recipe, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """:func:`genreatlas.audio.whole_files.window_batches` with the files that were sent."""
    return window_batches(replace(recipe, registered=_located(recipe.registered)), batches)


def _located(registered: Registered) -> Registered:
    """Networks with the place of their file on this worker; where none was sent, what the entry says."""
    found = []
    for one in registered.feature_sets:
        if isinstance(one, EmbeddingSet) and (sent := Path(locate(_artifact(one.entry), None))).exists():
            one = replace(one, entry=one.entry.model_copy(update={"file": sent}))
        found.append(one)
    return replace(registered, feature_sets=tuple(found))


def _artifact(entry: EmbeddingEntry) -> str:
    return f"{entry.sha256}.onnx"
