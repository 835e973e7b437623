"""Inspection of audio files, in a Spark worker during an import or when they are downloaded.

During an import each file is hashed and identified by its content, its cut is decoded and checked, and its tags are
read. A faulty file becomes a row with a reason and does not affect other files.

Downloaded files are not decoded (:func:`check_arrival`). Incomplete transfers are detected at once, while the download
can be repeated. Faults that only decoding reveals (damaged frames, silence, NaN) are detected by extraction, in a
separate process. MP3 is parsed frame by frame, which takes 0.4 ms for a clip of 480 KB; decoding takes 40 ms. For other
formats the header is read.
"""

import contextlib
import gc
import hashlib
import io
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, BinaryIO

import pyarrow as pa

from genreatlas.audio.decode import Signal, read_open, reject_silence
from genreatlas.audio.identity import sound_sha256
from genreatlas.audio.isolation import run_isolated, time_for, too_much_memory, unknown_fault
from genreatlas.audio.pieces import Pieces
from genreatlas.audio.preprocess import choose_window, reject_short, window_rule
from genreatlas.audio.probe import AudioInfo, FileLayout, Source, identify, lay_out, open_file, open_sound, probe
from genreatlas.audio.uris import uri_to_path
from genreatlas.config import ClipSection, LimitsSection
from genreatlas.errors import ClipError, Reason
from genreatlas.ids import stable_id
from genreatlas.values import Row, RowView

#: Input columns of :func:`inspect_batches`: one row per file.
REQUEST = "uri string, version string, bytes bigint, modified_ns bigint"

#: Output columns of :func:`inspect_batches`: one row per file. ``reason`` and ``detail`` are NULL for
#: usable files, all other columns are set. ``tags`` is a JSON object of tag to values.
RESULT = (
    f"{REQUEST}, window_rule string, sha256 string, sound_sha256 string, start_s double, length_s double, "
    "mime string, codec string, sample_rate int, channels int, bit_rate int, duration_s double, "
    "quality_flags array<string>, tags string, reason string, detail string"
)
_RESULT = pa.schema(
    [
        ("uri", pa.string()),
        ("version", pa.string()),
        ("bytes", pa.int64()),
        ("modified_ns", pa.int64()),
        ("window_rule", pa.string()),
        ("sha256", pa.string()),
        ("sound_sha256", pa.string()),
        ("start_s", pa.float64()),
        ("length_s", pa.float64()),
        ("mime", pa.string()),
        ("codec", pa.string()),
        ("sample_rate", pa.int32()),
        ("channels", pa.int32()),
        ("bit_rate", pa.int32()),
        ("duration_s", pa.float64()),
        ("quality_flags", pa.list_(pa.string())),
        ("tags", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)

#: Input and output columns of :func:`sound_batches`. The hashes are NULL for a file that changed since its import.
SOUND_REQUEST = "key string, uri string, mime string, bytes bigint, modified_ns bigint"
SOUND_RESULT = "key string, sha256 string, sound_sha256 string, duration_s double"
_SOUND_RESULT = pa.schema(
    [("key", pa.string()), ("sha256", pa.string()), ("sound_sha256", pa.string()), ("duration_s", pa.float64())]
)

#: Flags of unusual but usable files, by which users of ``clips`` can filter, and their descriptions, which the data
#: dictionary and the report print.
QUALITY_FLAGS = {
    "above_full_scale": "a sample of the cut is above full scale (usual for loud MP3s)",
    "clipped": "at least three runs of three samples in a row at or above full scale",
    "foreign_bytes": "bytes between the frames that are neither audio nor tags; they are skipped",
    "high_sample_rate": "more than 48 kHz",
    "joined": "several files in one, such as a chained Ogg or concatenated MP3s: it may contain more than one song",
    "long_file": "an hour or more: a mix or an album rather than a song",
    "low_bit_rate": "less than 64 kbit/s",
    "low_sample_rate": "less than 22.05 kHz: no energy at high frequencies that some features measure",
    "mono": "one channel",
    "multichannel": "more than two channels, mixed with equal weights",
    "shorter_than_declared": "more than a second shorter than its source states; possibly an incomplete transfer",
    "shorter_than_window": "the whole file is shorter than the configured cut",
    "truncated": "the file ends before the length in its header, or in the middle of a frame",
    "wrong_header": "the header states a length other than that of the file; the actual length is used",
}
_CLIPPED_RUNS = 3

#: Tolerance for the declared length in s: sources round it, and encoders pad the sound with silence.
_DECLARED_TOLERANCE_S = 1.0


@dataclass(frozen=True)
class InspectRequest:
    """Settings for all files of a run, sent to the workers.

    Parameters
    ----------
    clip : rule for the cut.
    limits : limits on size, time and memory.
    read_tags : function (open file, media type) -> values by tag; None to read no tags.
    """

    clip: ClipSection
    limits: LimitsSection
    read_tags: Callable[[BinaryIO, str], Mapping[str, list[str]]] | None = None


def inspect_batches(request: InspectRequest, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Inspect files. Yields one batch of :data:`RESULT` per batch of :data:`REQUEST`."""
    _load(request.read_tags is not None)
    for batch in batches:
        rows = [row | _inspected(request, row) for row in batch.to_pylist()]
        columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in _RESULT]
        yield pa.RecordBatch.from_arrays(columns, schema=_RESULT)


@cache
def _load(with_tags: bool) -> None:
    """Import the libraries once per worker, before helpers are forked; errors are reported in the rows."""
    with contextlib.suppress(Exception):
        import soundfile  # noqa: F401

        if with_tags:
            import mutagen  # noqa: F401
    gc.freeze()  # PySpark collects garbage after each task, which takes 25 ms with these libraries


def _inspected(request: InspectRequest, row: RowView) -> Row:
    rule = {"window_rule": window_rule(request.clip)}
    try:
        seconds = time_for(row["bytes"], request.limits)
        memory_mb = request.limits.clip_memory_mb
        found = run_isolated(inspect_file, uri_to_path(row["uri"]), request, seconds=seconds, memory_mb=memory_mb)
        return rule | found
    except ClipError as error:
        return rule | {"reason": error.reason.value, "detail": error.detail}
    except MemoryError:
        return rule | {"reason": Reason.TOO_LARGE.value, "detail": too_much_memory(request.limits)}
    except Exception as error:  # any error that a file can cause in a decoder or a tag reader
        return rule | unknown_fault(error, Reason.INSPECTION_FAILED)


def inspect_file(path: Source, request: InspectRequest) -> Row:
    """Inspect one file and its cut. Returns values by the column names of :data:`RESULT`.

    A file that ends within the cut, but not in its first half, is used up to its end.

    Raises
    ------
    ClipError : the file is not usable.
    """
    clip = request.clip
    with open_sound(path) as (sound, info):
        start, length = choose_window(clip, info.duration_s)
        reject_short(clip, info.duration_s)
        signal = read_open(sound, info, start, length, request.limits.max_clip_mb)
        flags = sound.flags
    if signal.length_s < min(clip.min_seconds, length):
        raise ClipError(Reason.TRUNCATED, f"Only {signal.length_s:.2f} s of sound are left in the file.")
    reject_silence(signal)
    with open_file(path) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        heard = sound_sha256(file, info.mime)
        tags = request.read_tags(file, info.mime) if request.read_tags else {}
    return {
        "sha256": sha256,
        "sound_sha256": heard,
        "start_s": start,
        "length_s": round(signal.length_s, 3) if signal.truncated else length,
        **asdict(info),
        "quality_flags": list(quality_flags(info, signal, clip.seconds, flags)),
        "tags": json.dumps(tags, sort_keys=True),
    }


def check_arrival(data: bytes, clip: ClipSection, declared_s: float | None = None) -> dict[str, object]:
    """Check a downloaded file. Returns values by the column names of ``clips``.

    A truncated file is detected if its header states a greater length or its last frame is incomplete. A file cut
    between two frames that states no length can only be recognised by the length declared by its source: such a file is
    used and flagged ``shorter_than_declared``.

    Parameters
    ----------
    data : content of the file.
    clip : rule for the cut.
    declared_s : length declared by the source, in seconds; None if not declared.

    Raises
    ------
    ClipError : the file is not audio, is truncated, has foreign bytes between frames, is shorter than
        ``clip.min_seconds``, or has an unsupported format.
    """
    if not data:
        raise ClipError(Reason.EMPTY_FILE, "The file has no bytes.")
    layout = lay_out(data)
    info = _info(data, layout)
    shorter = declared_s is not None and info.duration_s < declared_s - _DECLARED_TOLERANCE_S
    # a file of the declared length was cut after its sound, as some sources cut their previews
    if "truncated" in layout.flags and (shorter or declared_s is None):
        raise ClipError(Reason.TRUNCATED, _what_is_missing(layout, info, declared_s))
    mpeg = layout.mpeg
    if mpeg is not None and mpeg.foreign:
        share = mpeg.foreign_at / len(data)
        raise ClipError(
            Reason.DECODE_FAILED,
            f"No MPEG frame at byte {mpeg.foreign_at} of {len(data)} ({share:.0%}): foreign bytes. "
            "Fetch the file again.",
        )
    reject_short(clip, info.duration_s)
    start, length = choose_window(clip, info.duration_s)
    flags = layout.flags | ({"shorter_than_declared"} if shorter else set())
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "sound_sha256": sound_sha256(io.BytesIO(data), info.mime, mpeg),
        "audio_id": stable_id(hashlib.sha256(_sound(data, layout)).hexdigest(), start, length),
        "start_s": start,
        "length_s": length,
        **asdict(info),
        "quality_flags": list(quality_flags(info, None, clip.seconds, flags)),
    }


def quality_flags(
    info: AudioInfo, signal: Signal | None, window_s: float, known: Collection[str] = ()
) -> tuple[str, ...]:
    """Flags of a file and its cut, sorted.

    Parameters
    ----------
    info : facts of the file.
    signal : the decoded cut; None omits flags that require it.
    window_s : configured length of the cut, in seconds.
    known : flags already set from the file's bytes.
    """
    holds = {
        "above_full_scale": signal is not None and signal.peak > 1.0,
        "clipped": signal is not None and signal.clipped >= _CLIPPED_RUNS,
        "high_sample_rate": info.sample_rate > 48_000,
        "long_file": info.duration_s >= 3600,
        "low_bit_rate": info.bit_rate < 64_000,
        "low_sample_rate": info.sample_rate < 22_050,
        "mono": info.channels == 1,
        "multichannel": info.channels > 2,
        "shorter_than_window": info.duration_s < window_s - 0.5,
        "truncated": signal is not None and signal.truncated,
    }
    return tuple(sorted(flag for flag in QUALITY_FLAGS if flag in known or holds.get(flag)))


def sound_batches(batches: Iterator[pa.RecordBatch], limits: LimitsSection | None = None) -> Iterator[pa.RecordBatch]:
    """Hash files and their sound without decoding. ``mime`` may be NULL.

    Parameters
    ----------
    batches : columns of :data:`SOUND_REQUEST`.
    limits : if given, also determine the length of each file, within these limits.
    """
    for batch in batches:
        rows = [{"key": row["key"]} | _sound_of(row) | _length_of(row, limits) for row in batch.to_pylist()]
        yield pa.RecordBatch.from_pylist(rows, schema=_SOUND_RESULT)


def fetched_sound_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Hash the sound of fetched audio. Input: columns key, mime and audio. Output: :data:`SOUND_RESULT`."""
    for batch in batches:
        rows = [
            {"key": row["key"], "sound_sha256": sound_sha256(io.BytesIO(row["audio"]), row["mime"])}
            for row in batch.to_pylist()
        ]
        yield pa.RecordBatch.from_pylist(rows, schema=_SOUND_RESULT)


def _sound_of(row: RowView) -> dict[str, str]:
    try:
        with open_file(uri_to_path(row["uri"])) as file:
            status = os.fstat(file.fileno())
            if (status.st_size, status.st_mtime_ns) != (row["bytes"], row["modified_ns"]):
                return {}
            mime = row["mime"] or identify(Pieces(file))[0].mime
            sha256 = hashlib.file_digest(_rewound(file), "sha256").hexdigest()
            return {"sha256": sha256, "sound_sha256": sound_sha256(file, mime)}
    except (ClipError, OSError):
        return {}


def _length_of(row: RowView, limits: LimitsSection | None) -> dict[str, float]:
    """Length of a file as determined by the current release; empty if it fails."""
    if limits is None:
        return {}
    try:
        seconds = time_for(row["bytes"], limits)
        info = run_isolated(probe, uri_to_path(row["uri"]), seconds=seconds, memory_mb=limits.clip_memory_mb)
        return {"duration_s": info.duration_s}
    except Exception:  # the file's inspection reports the fault
        return {}


def _rewound(file: BinaryIO) -> Any:
    file.seek(0)
    return file


def _info(data: bytes, layout: FileLayout) -> AudioInfo:
    mpeg = layout.mpeg
    if mpeg is None:
        return probe(io.BytesIO(data), layout)
    return layout.info(mpeg.codec, mpeg.sample_rate, mpeg.channels, mpeg.samples)


def _sound(data: bytes, layout: FileLayout) -> memoryview:
    """The bytes that identify the recording: for an MP3 its frames without tags, else the whole file."""
    if layout.mpeg is None:
        return memoryview(data)
    return memoryview(data)[layout.start : layout.mpeg.ranges[-1][1]]


def _what_is_missing(layout: FileLayout, info: AudioInfo, declared_s: float | None) -> str:
    mpeg = layout.mpeg
    promised = mpeg.promised_s if mpeg is not None else None
    if promised is None:
        promised = max((stream.promised or 0 for stream in layout.streams), default=0) / info.sample_rate or declared_s
    if promised:
        return f"{promised:.2f} s are promised, but the sound ends at {info.duration_s:.2f} s. Fetch the file again."
    return f"The last frame breaks off at {info.duration_s:.2f} s. Fetch the file again."
