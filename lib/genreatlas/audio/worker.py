"""Feature extraction in a Spark worker: takes Arrow batches of clips and yields Arrow batches of features.

Each audio is decoded once for all sets to be computed. A faulty clip becomes a row with a reason, so that it does not
fail its Spark task.
"""

import contextlib
import functools
import gc
import hashlib
import io
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from genreatlas.audio import embeddings
from genreatlas.audio.changes import change_clip
from genreatlas.audio.decode import END_TOLERANCE_S, SILENCE_DBFS, Signal, resample
from genreatlas.audio.embeddings import EmbeddingSet
from genreatlas.audio.engine import FAST_GRAPH
from genreatlas.audio.extracted import Extracted
from genreatlas.audio.feature_sets import (
    FEATURE_SETS,
    FeatureSet,
    Registered,
    compute_sets,
    get_feature_set,
    registered,
)
from genreatlas.audio.isolation import run_isolated, stop_helper, time_for, too_much_memory, unknown_fault
from genreatlas.audio.layouts import pack_set
from genreatlas.audio.librosa_loading import librosa
from genreatlas.audio.preprocess import Loudness, prepare
from genreatlas.audio.probe import FileLayout, Source
from genreatlas.audio.uris import FETCHED, uri_to_path
from genreatlas.config import ClipSection, LimitsSection
from genreatlas.errors import ClipError, Reason
from genreatlas.values import Row, RowView

_COPIES = "array<struct<clip_id string, song_id string, uri string, path string, bytes bigint, modified_ns bigint>>"

#: Input columns of :func:`extract_batches`, one row per audio. ``copies`` are the clips with the same cut of the same
#: bytes; ``audio`` contains the bytes of fetched clips, else NULL.
REQUEST_COLUMNS = ("audio_id", "sha256", "start_s", "length_s", "feature_sets", "copies", "audio")

#: Output columns of :func:`extract_batches`: one row per audio and feature set, or one row with a reason and no feature
#: set. A set whose software is missing on the worker has a row without version, with a description in ``detail``.
RESULT = (
    f"audio_id string, copies {_COPIES}, feature_set string, set_version string, values array<double>, "
    "arrays array<array<double>>, frames array<float>, quantised binary, n_frames int, width int, hop_s double, "
    "reason string, detail string"
)

#: Output columns for modified clips.
CHANGED_RESULT = f"{RESULT}, change string"

_COPY = pa.struct(
    [
        ("clip_id", pa.string()),
        ("song_id", pa.string()),
        ("uri", pa.string()),
        ("path", pa.string()),
        ("bytes", pa.int64()),
        ("modified_ns", pa.int64()),
    ]
)
_RESULT = pa.schema(
    [
        ("audio_id", pa.string()),
        ("copies", pa.list_(_COPY)),
        ("feature_set", pa.string()),
        ("set_version", pa.string()),
        ("values", pa.list_(pa.float64())),
        ("arrays", pa.list_(pa.list_(pa.float64()))),
        ("frames", pa.list_(pa.float32())),
        ("quantised", pa.binary()),
        ("n_frames", pa.int32()),
        ("width", pa.int32()),
        ("hop_s", pa.float64()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)
_CHANGED_RESULT = _RESULT.append(pa.field("change", pa.string()))

#: Reasons after which another copy of the same bytes is tried.
_TRY_ANOTHER_COPY = frozenset({Reason.MISSING_FILE, Reason.BROKEN_LINK, Reason.UNREADABLE, Reason.AUDIO_CHANGED})
#: Sample rate of the warm-up signal: that of most files, so that resampling is loaded too.
_USUAL_RATE = 44_100
#: Minimum length of a cut in s. Shorter cuts have no meaningful spectrum and usually a corrupt header.
_SHORTEST_S = 0.01
#: Maximum peak, 1e10 times full scale: the float32 power spectrum of a frame overflows at 3e38.
_HIGHEST_PEAK_DBFS = 200.0


@dataclass(frozen=True)
class ExtractRequest:
    """Settings for all clips of a run, sent to the workers.

    ``registered`` are the layouts and sets of the creating process that are not the package's own.
    """

    clip: ClipSection
    limits: LimitsSection = field(default_factory=LimitsSection)
    registered: Registered = field(default_factory=registered)


def extract_batches(request: ExtractRequest, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Extract features. Yields one batch of :data:`RESULT` per batch of :data:`REQUEST_COLUMNS`.

    If the input has a column ``change`` (a key of :data:`genreatlas.audio.changes.CHANGES`), clips are modified first,
    and the output is :data:`CHANGED_RESULT`.
    """
    request.registered.adopt()
    request = replace(request, registered=Registered())  # the helper is forked with the adopted sets
    for batch in batches:
        rows = batch.to_pylist()
        with contextlib.suppress(Exception):  # an error here recurs for every clip and is reported in its row
            warm_up(frozenset(name for row in rows for name in row["feature_sets"]), request.clip)
        schema = _CHANGED_RESULT if "change" in batch.schema.names else _RESULT
        yield _to_batch([result for row in rows for result in _extract_row(request, row)], schema)


@functools.cache
def warm_up(names: frozenset[str] = frozenset(FEATURE_SETS), clip: ClipSection | None = None) -> None:
    """Load and compile the code that the sets require: 2 s if it is in numba's cache, else 20 s.

    Called when a worker starts, before its helper is forked, so that replacements of the helper are warm too; and once
    during set-up, to fill numba's cache.
    """
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (_USUAL_RATE, 2))
    sound = io.BytesIO()
    librosa()  # first, because it sets the folder of numba's cache
    import soundfile

    soundfile.write(sound, noise, _USUAL_RATE, format="WAV")
    wanted = [feature_set for feature_set in FEATURE_SETS.values() if feature_set.name in names]
    for entry in dict.fromkeys(one.entry for one in wanted if isinstance(one, EmbeddingSet)):
        embeddings.warm_up(entry)
    extract_clip(sound, 0.0, 1.0, clip or ClipSection(), [one for one in wanted if not isinstance(one, EmbeddingSet)])
    stop_helper()  # a helper forked earlier, by an import, lacks the loaded code
    gc.freeze()  # PySpark collects garbage after every task: 85 ms for a worker with numba and librosa loaded


def _extract_row(request: ExtractRequest, row: RowView) -> list[Row]:
    shared = {name: row.get(name) for name in ("audio_id", "copies", "change")}
    try:
        asked = [get_feature_set(name) for name in row["feature_sets"]]
        feature_sets = [one for one in asked if not one.lacking()]
        left_out = [shared | {"feature_set": s.name, "detail": s.lacking()} for s in asked if s not in feature_sets]
        if not feature_sets:
            return left_out
        seconds = time_for(row["copies"][0]["bytes"], request.limits)
        memory_mb = request.limits.clip_memory_mb
        found = run_isolated(_extract_audio, request, row, feature_sets, seconds=seconds, memory_mb=memory_mb)
        return [*(shared | vars(extracted) for extracted in found), *left_out]
    except ClipError as error:
        return [shared | {"reason": error.reason.value, "detail": error.detail}]
    except MemoryError:
        return [shared | {"reason": Reason.TOO_LARGE.value, "detail": too_much_memory(request.limits)}]
    except Exception as error:  # any error that a clip can cause in numpy, librosa or the decoder
        return [shared | unknown_fault(error, Reason.FEATURES_FAILED)]


def _extract_audio(request: ExtractRequest, row: RowView, feature_sets: Sequence[FeatureSet]) -> list[Extracted]:
    """Extract from the first usable copy. If none is usable, the error of the first copy is raised."""
    faults = []
    for copy in row["copies"]:
        try:
            source, start_s, length_s = _source(copy, row), row["start_s"], row["length_s"]
            max_mb = request.limits.max_clip_mb
            if row.get("change"):
                source, length_s = change_clip(source, start_s, length_s, row["change"], max_mb)
                start_s = 0.0
            signal, loudness = prepare(source, start_s, length_s, request.clip, max_mb)
            if copy["uri"].startswith(FETCHED):
                _refuse_unusable(signal, loudness, length_s, request.clip)
            return _features_of(signal, loudness, feature_sets)
        except ClipError as error:
            if error.reason not in _TRY_ANOTHER_COPY:
                raise
            faults.append(error)
    raise faults[0]


def _source(copy: RowView, row: RowView) -> Source:
    """Path of a copy, or its fetched bytes."""
    if copy["uri"].startswith(FETCHED):
        if row["audio"] is None:
            raise ClipError(Reason.MISSING_FILE, "The fetched audio is in another ingest batch.")
        return BytesIO(row["audio"])
    path = uri_to_path(copy["uri"])
    reject_changed(path, copy["bytes"], copy["modified_ns"], row["sha256"])
    return path


def _refuse_unusable(signal: Signal, loudness: Loudness, length_s: float, clip: ClipSection) -> None:
    """Apply the checks of an import that require decoding: fetched audio is decoded here for the first time."""
    if signal.length_s < min(clip.min_seconds, length_s) - END_TOLERANCE_S:
        raise ClipError(Reason.TRUNCATED, f"Only {signal.length_s:.2f} s of sound can be decoded.")
    if loudness.peak_dbfs is None or loudness.peak_dbfs <= SILENCE_DBFS:
        raise ClipError(Reason.SILENT, f"The cut of {signal.length_s:.2f} s is digital silence in its mono mix.")


def extract_clip(
    source: Source,
    start_s: float,
    length_s: float,
    clip: ClipSection,
    feature_sets: Sequence[FeatureSet],
    max_mb: int | None = None,
    layout: FileLayout | None = None,
) -> list[Extracted]:
    """Decode one cut and compute the sets, sharing decoding, resampling and every intermediate.

    Parameters
    ----------
    source : path of the file, or the file.
    start_s, length_s : the cut, in seconds.
    clip : settings of the normalisation.
    feature_sets : sets to compute, in any order.
    max_mb : largest decoded cut; see :func:`genreatlas.audio.decode.read_clip`.
    layout : result of :func:`genreatlas.audio.probe.lay_out`, to avoid repeating it for several cuts of a file.

    Raises
    ------
    ClipError : the cut cannot be decoded.
    ValueError : a value is infinite, or a value of frames is NaN.
    """
    return _features_of(*prepare(source, start_s, length_s, clip, max_mb, layout), feature_sets)


def _features_of(signal: Signal, loudness: Loudness, feature_sets: Sequence[FeatureSet]) -> list[Extracted]:
    if loudness.peak_dbfs is not None and loudness.peak_dbfs > _HIGHEST_PEAK_DBFS:
        raise ClipError(Reason.NOT_FINITE, f"Samples of {loudness.peak_dbfs:.0f} dBFS: their spectrum overflows.")
    if signal.length_s < _SHORTEST_S:
        raise ClipError(Reason.TOO_SHORT, f"{signal.length_s:.4f} s are less than {_SHORTEST_S:g} s.")
    feature_sets = [feature_set for feature_set in feature_sets if not feature_set.lacking()]
    level = asdict(loudness)
    measured: Row = {"loudness_lufs" if name == "lufs" else name: value for name, value in level.items()}
    # traces of recording and encoder are measured before normalisation
    unscaled = signal.samples if not loudness.gain_db else signal.samples * np.float32(10 ** (-loudness.gain_db / 20))
    measured |= {"source_samples": unscaled, "source_rate": signal.sample_rate}
    values: dict[str, npt.NDArray[np.floating]] = {}
    if any(feature_set.sample_rate for feature_set in feature_sets):
        librosa()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # librosa warns about very short clips; results are checked below
        for rate, same_rate in groupby(sorted(feature_sets, key=_rate), key=_rate):
            samples = resample(signal.samples, signal.sample_rate, rate) if rate else signal.samples
            values |= compute_sets(same_rate, samples, FAST_GRAPH, **measured)
    return [pack_set(feature_set, values) for feature_set in feature_sets]


def _rate(feature_set: FeatureSet) -> int:
    return feature_set.sample_rate or 0


def reject_changed(path: bytes, size: int | None, modified_ns: int | None, sha256: str) -> None:
    """Reject a file whose content changed after its import.

    A file with the stored size and modification time counts as unchanged, as in the import; only other files are
    hashed. Hashing takes about 1 ms per megabyte: negligible for an MP3 of 30 s, but more than feature extraction for a
    two-hour WAV.

    Raises
    ------
    ClipError : the content differs. Errors of opening the file are left to the decoder.
    """
    file_path = Path(os.fsdecode(path))
    try:
        status = file_path.stat()
        if (status.st_size, status.st_mtime_ns) == (size, modified_ns):
            return
        with file_path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return
    if found != sha256:
        raise ClipError(Reason.AUDIO_CHANGED, "The file changed after it was imported. Run import_folder again.")


def _to_batch(rows: list[dict[str, object]], schema: pa.Schema) -> pa.RecordBatch:
    columns = [pa.array([_cell(row.get(field.name)) for row in rows], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return [_cell(item) for item in value]
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return [None if np.isnan(number) else number for number in value.tolist()]
    return value
