"""Fuzzing with damaged sound files: seeded mutations of valid files of every format, run through the pipeline."""

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile

from genreatlas.audio.feature_sets import FEATURE_SETS
from genreatlas.audio.inspection import InspectRequest, inspect_batches
from genreatlas.audio.uris import path_to_uri
from genreatlas.audio.worker import ExtractRequest, extract_batches
from genreatlas.config import ClipSection, LimitsSection
from genreatlas.errors import Reason
from genreatlas.sources.folder.tags import read_tags

SECONDS = 1.2
#: Name, rate, channels, container, codec.
FORMATS = (
    ("cbr.mp3", 44_100, 2, "MP3", None),
    ("mono.mp3", 22_050, 1, "MP3", None),
    ("low.mp3", 11_025, 1, "MP3", None),
    ("16.flac", 44_100, 2, "FLAC", "PCM_16"),
    ("24.flac", 96_000, 1, "FLAC", "PCM_24"),
    ("vorbis.ogg", 44_100, 2, "OGG", "VORBIS"),
    ("opus.ogg", 48_000, 1, "OGG", "OPUS"),
    ("16.wav", 44_100, 2, "WAV", "PCM_16"),
    ("float.wav", 22_050, 1, "WAV", "FLOAT"),
    ("adpcm.wav", 22_050, 1, "WAV", "IMA_ADPCM"),
    ("wide.wav", 44_100, 2, "WAVEX", "PCM_24"),
    ("surround.wav", 48_000, 6, "RF64", "PCM_16"),
)
_CLIP = ClipSection(seconds=SECONDS, min_seconds=0.2)
#: Values for header fields: 0, 1, the largest values of all widths, and the smallest negative value.
_EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def sound_files() -> dict[str, bytes]:
    """One valid file of each format."""
    random = np.random.default_rng(5)
    return {name: _encode(random, *how) for name, *how in FORMATS}


def _encode(random: np.random.Generator, rate: int, channels: int, container: str, codec: str | None) -> bytes:
    times = np.arange(round(SECONDS * rate)) / rate
    mono = 0.3 * np.sin(2 * np.pi * 330 * times) + 0.1 * np.exp(-20 * (times % 0.25)) * random.standard_normal(
        len(times)
    )
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, channels, codec, format=container) as sound:
        for block in np.array_split(np.repeat(mono[:, None], channels, axis=1), 8):
            sound.write(block)
    return file.getvalue()


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    """Apply one to three random mutations to a file."""
    for _ in range(random.integers(1, 4)):
        data = _DAMAGES[random.integers(len(_DAMAGES))](data, random)
    return data


def _flip_bits(data: bytes, random: np.random.Generator) -> bytes:
    changed = np.frombuffer(data, np.uint8).copy()
    if len(changed):
        where = random.integers(len(changed), size=2 ** random.integers(0, 10))
        changed[where] ^= (1 << random.integers(8, size=len(where))).astype(np.uint8)
    return changed.tobytes()


def _cut_end(data: bytes, random: np.random.Generator) -> bytes:
    return data[: random.integers(len(data) + 1)]


def _cut_start(data: bytes, random: np.random.Generator) -> bytes:
    return data[random.integers(min(len(data), 8192) + 1) :]


def _cut_middle(data: bytes, random: np.random.Generator) -> bytes:
    start, end = sorted(random.integers(len(data) + 1, size=2))
    return data[:start] + data[end:]


def _repeat_middle(data: bytes, random: np.random.Generator) -> bytes:
    start, end = sorted(random.integers(len(data) + 1, size=2))
    return data[:end] + data[start:]


def _overwrite(data: bytes, random: np.random.Generator) -> bytes:
    start, end = sorted(random.integers(len(data) + 1, size=2))
    filling = random.bytes(end - start) if random.integers(2) else bytes(end - start)
    return data[:start] + filling + data[end:]


def _edit_header(data: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(random.integers(1, 5)):
        width = int(random.choice((1, 2, 4)))
        at = int(random.integers(128))
        value = int(random.choice(_EXTREMES)) & (1 << 8 * width) - 1
        changed[at : at + width] = value.to_bytes(width, "little" if random.integers(2) else "big")
    return bytes(changed)


_DAMAGES = (_flip_bits, _flip_bits, _cut_end, _cut_start, _cut_middle, _repeat_middle, _overwrite, _edit_header)
_DAMAGES += (_edit_header, _edit_header)


@dataclass
class Outcome:
    """Results: number of files by reason (empty: features extracted), and faults by file number."""

    reasons: Counter[str] = field(default_factory=Counter)
    faults: dict[int, str] = field(default_factory=dict)


def fuzz(numbers: range, seed: int, folder: Path, limits: LimitsSection) -> Iterator[tuple[int, Outcome]]:
    """Import and extract damaged files in batches. Yields the number of the next file, and the outcome so far.

    File ``i`` is the same in every run with the same seed. A file whose import fails is extracted nevertheless, with
    the cut of the valid file, because a file may be damaged after its import.
    """
    files = list(sound_files().values())
    outcome = Outcome()
    for first in range(numbers.start, numbers.stop, 32):
        batch = range(first, min(first + 32, numbers.stop))
        for number in batch:
            random = np.random.default_rng((seed, number))
            (folder / str(number)).write_bytes(mutated(files[number % len(files)], random))
        _fuzz_batch(batch, folder, limits, outcome)
        for number in set(batch) - outcome.faults.keys():
            (folder / str(number)).unlink()
        yield batch.stop, outcome


def _fuzz_batch(numbers: range, folder: Path, limits: LimitsSection, outcome: Outcome) -> None:
    paths = [folder / str(number) for number in numbers]
    statuses = [path.stat() for path in paths]
    files = [
        {"uri": path_to_uri(path), "version": "", "bytes": status.st_size, "modified_ns": status.st_mtime_ns}
        for path, status in zip(paths, statuses, strict=True)
    ]
    (found,) = inspect_batches(InspectRequest(_CLIP, limits, read_tags), iter([pa.RecordBatch.from_pylist(files)]))
    requests = [
        {
            "audio_id": str(number),
            "sha256": inspected["sha256"] or "",
            "start_s": inspected["start_s"] or 0.0,
            "length_s": inspected["length_s"] or SECONDS,
            "feature_sets": list(FEATURE_SETS),
            "copies": [file | {"clip_id": "", "song_id": "", "path": ""}],
        }
        for number, file, inspected in zip(numbers, files, found.to_pylist(), strict=True)
    ]
    (extracted,) = extract_batches(ExtractRequest(_CLIP, limits), iter([pa.RecordBatch.from_pylist(requests)]))
    rows: dict[int, list[dict]] = {number: [] for number in numbers}
    for row in extracted.to_pylist():
        rows[int(row["audio_id"])].append(row)
    for number, inspected in zip(numbers, found.to_pylist(), strict=True):
        ends = {inspected["reason"] or ""} | {row["reason"] or "" for row in rows[number]}
        fault = _fault(inspected, rows[number])
        outcome.reasons[max(ends)] += 1
        if fault:
            outcome.faults[number] = fault


def _fault(inspected: dict, rows: list[dict]) -> str:
    """Description of a fault in the results of a file; empty if there is none."""
    for row in (inspected, *rows):
        if row["reason"] in (Reason.CRASHED, Reason.TOO_SLOW):
            return f"{row['reason']}: {row['detail']}"
        if row["reason"] and (row["reason"] not in set(Reason) or not row["detail"]):
            return f"no reason is {row['reason']!r} with {row['detail']!r}"
        if row["reason"] == Reason.FEATURES_FAILED:
            return f"features_failed: {row['detail']}"
    if rows[0]["reason"]:
        return "" if len(rows) == 1 else "a reason, and features"
    if [row["feature_set"] for row in rows] != list(FEATURE_SETS):
        return f"features of {[row['feature_set'] for row in rows]}"
    for row in rows:
        for numbers in (row["values"], row["frames"], *(row["arrays"] or ())):
            known = np.array([number for number in numbers or () if number is not None])
            if not np.isfinite(known).all():
                return f"{row['feature_set']}: a value is not finite"
    return ""
