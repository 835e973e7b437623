"""Send the files of pretrained networks to the workers, as artifacts of the session named by their hash."""

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

if TYPE_CHECKING:  # workers do not import pyspark's session
    from pyspark.sql import SparkSession


def send_networks(spark: "SparkSession", registered: Registered, names: frozenset[str]) -> None:
    """Send the network files of the named sets, each once per session.

    A file that is missing or has another hash is not sent: workers then open the path in its entry and report the
    error.
    """
    for entry in dict.fromkeys(one.entry for one in registered.feature_sets if _is_one_of(one, names)):
        if entry.file.is_file() and file_hash(entry.file) == entry.sha256:
            send_file(spark, entry.file, _artifact(entry))


def _is_one_of(one: FeatureSet, names: frozenset[str]) -> TypeGuard[EmbeddingSet]:
    return isinstance(one, EmbeddingSet) and one.name in names


def extract_sent(request: ExtractRequest, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Call :func:`genreatlas.audio.worker.extract_batches` with the paths of the sent files."""
    return extract_batches(replace(request, registered=_located(request.registered)), batches)


def windows_sent(recipe: Recipe, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Call :func:`genreatlas.audio.whole_files.window_batches` with the paths of the sent files."""
    return window_batches(replace(recipe, registered=_located(recipe.registered)), batches)


def _located(registered: Registered) -> Registered:
    """Replace the path of each network by its path on this worker; files that were not sent keep the entry's path."""
    found = []
    for one in registered.feature_sets:
        if isinstance(one, EmbeddingSet) and (sent := Path(locate(_artifact(one.entry), None))).exists():
            one = replace(one, entry=one.entry.model_copy(update={"file": sent}))
        found.append(one)
    return replace(registered, feature_sets=tuple(found))


def _artifact(entry: EmbeddingEntry) -> str:
    return f"{entry.sha256}.onnx"
