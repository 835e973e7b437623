"""What runs in a Spark worker during an import: file names in, what each file is and holds out.

Each file is opened once: hashed, told by its content, its cut decoded and looked at, its tags read.
What is wrong with one file becomes a row with a reason and never fails its neighbours.
"""

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import pyarrow as pa

from genreatlas.audio.decode import read_open, reject_silence
from genreatlas.audio.identity import sound_sha256
from genreatlas.audio.isolation import run_isolated, time_for, too_much_memory, unknown_fault
from genreatlas.audio.pieces import Pieces
from genreatlas.audio.probe import Source, identify, open_file, open_sound
from genreatlas.audio.quality import quality_flags
from genreatlas.audio.uris import uri_to_path
from genreatlas.audio.window import choose_window, reject_short, window_rule
from genreatlas.config import ClipSection, LimitsSection
from genreatlas.errors import ClipError, Reason

#: Columns that `inspect_batches` is given: one row per file.
REQUEST = "uri string, version string, bytes bigint, modified_ns bigint"

#: What it gives back: one row per file. Without a reason every fact is set; ``tags`` is JSON, tag = values.
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


#: Columns that :func:`sound_batches` is given, and what it gives back: without a hash where a file changed since.
SOUND_REQUEST = "key string, uri string, mime string, bytes bigint, modified_ns bigint"
SOUND_RESULT = "key string, sha256 string, sound_sha256 string"
_SOUND_RESULT = pa.schema([("key", pa.string()), ("sha256", pa.string()), ("sound_sha256", pa.string())])


@dataclass(frozen=True)
class InspectRequest:
    """What is the same for every file of a run; it travels to the workers.

    Parameters
    ----------
    clip : which cut is looked at.
    limits : bounds that no file may pass.
    read_tags : given the open file and its media type, returns tag = values; None where tags are not asked for.
    """

    clip: ClipSection
    limits: LimitsSection
    read_tags: Callable[[BinaryIO, str], Mapping[str, list[str]]] | None = None


def inspect_batches(request: InspectRequest, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Inspect every file of :data:`REQUEST`; one batch of :data:`RESULT` per batch."""
    with contextlib.suppress(Exception):  # here, so that no helper imports them again; what fails stands in the rows
        import soundfile  # noqa: F401

        if request.read_tags:
            import mutagen  # noqa: F401

    for batch in batches:
        rows = [row | _inspected(request, row) for row in batch.to_pylist()]
        columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in _RESULT]
        yield pa.RecordBatch.from_arrays(columns, schema=_RESULT)


def sound_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Hash files and their sound; nothing is decoded, and ``mime`` need not be known."""
    for batch in batches:
        rows = [{"key": row["key"]} | _sound_of(row) for row in batch.to_pylist()]
        yield pa.RecordBatch.from_pylist(rows, schema=_SOUND_RESULT)


def fetched_sound_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Hash the sound of fetched audio: key, mime and audio in, :data:`SOUND_RESULT` out."""
    for batch in batches:
        rows = [
            {"key": row["key"], "sound_sha256": sound_sha256(io.BytesIO(row["audio"]), row["mime"])}
            for row in batch.to_pylist()
        ]
        yield pa.RecordBatch.from_pylist(rows, schema=_SOUND_RESULT)


def _sound_of(row: Mapping[str, Any]) -> dict[str, str]:
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


def _rewound(file: BinaryIO) -> Any:
    file.seek(0)
    return file


def _inspected(request: InspectRequest, row: Mapping[str, Any]) -> dict[str, Any]:
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
    except Exception as error:  # anything that a file can do to a decoder or a tag reader
        return rule | unknown_fault(error, Reason.INSPECTION_FAILED)


def inspect_file(path: Source, request: InspectRequest) -> dict[str, Any]:
    """Facts of one file and its cut, named as the columns of :data:`RESULT`.

    A file that breaks off inside the cut, but not before its middle, is used up to there.

    Raises
    ------
    ClipError : the file cannot be used.
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
