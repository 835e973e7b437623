"""What a worker says of a file."""

import hashlib
import json
import os

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from genreatlas.audio.identity import sound_sha256
from genreatlas.audio.inspection import RESULT, InspectRequest, inspect_batches, inspect_file
from genreatlas.audio.uris import path_to_uri
from genreatlas.config import ClipSection, LimitsSection
from genreatlas.errors import ClipError, Reason
from genreatlas.sources.folder.tags import read_tags
from sound_factory import RATE, sound

REQUEST = InspectRequest(ClipSection(seconds=1.0), LimitsSection())


def write(path, samples, rate=RATE, **how):
    soundfile.write(path, samples, rate, **how)
    return os.fsencode(path)


def reason_of(path: bytes, request: InspectRequest = REQUEST) -> Reason:
    with pytest.raises(ClipError) as caught:
        inspect_file(path, request)
    assert caught.value.detail
    return caught.value.reason


def identity(path):
    with path.open("rb") as file:
        return sound_sha256(file, "audio/flac")


def test_every_fact_of_a_file_is_told(tmp_path):
    path = sound(tmp_path / "x" / "a.flac", seconds=2.0, channels=2, genre="Rock")
    found = inspect_file(os.fsencode(path), InspectRequest(ClipSection(seconds=1.0), LimitsSection(), read_tags))
    assert found == {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "sound_sha256": identity(path),
        "start_s": 0.5,
        "length_s": 1.0,
        "mime": "audio/flac",
        "codec": "PCM_16",
        "sample_rate": RATE,
        "channels": 2,
        "bit_rate": path.stat().st_size * 4,
        "duration_s": 2.0,
        "quality_flags": [],
        "tags": json.dumps({"genre": ["Rock"]}),
    }


def test_one_bad_file_does_not_hurt_its_neighbours(tmp_path):
    good = sound(tmp_path / "x" / "a.wav")
    bad = tmp_path / "x" / "b.mp3"
    bad.write_text("no music")
    gone = tmp_path / "x" / "c.mp3"
    rows = [{"uri": path_to_uri(path), "version": "v", "bytes": 1, "modified_ns": 2} for path in (bad, good, gone)]
    (batch,) = inspect_batches(REQUEST, iter([pa.RecordBatch.from_pylist(rows)]))
    assert [row["reason"] for row in batch.to_pylist()] == ["not_audio", None, "missing_file"]
    assert [field.split()[0] for field in RESULT.split(", ")] == batch.schema.names
    assert [row["uri"] for row in batch.to_pylist()] == [row["uri"] for row in rows]


def test_too_little_sound_silence_and_numbers_that_are_none_have_reasons(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * RATE)
    assert reason_of(write(tmp_path / "a.wav", noise[: RATE // 5])) == Reason.TOO_SHORT
    assert reason_of(write(tmp_path / "b.wav", 0 * noise)) == Reason.SILENT
    noise[RATE] = np.nan
    assert reason_of(write(tmp_path / "c.wav", noise, subtype="FLOAT")) == Reason.NOT_FINITE


def test_a_cut_above_the_limit_is_too_large(tmp_path):
    path = write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, (192_000 * 4, 1)), 192_000)
    limits = LimitsSection(max_clip_mb=2)
    assert reason_of(path, InspectRequest(ClipSection(seconds=3.0), limits)) == Reason.TOO_LARGE
    found = inspect_file(path, InspectRequest(ClipSection(seconds=2.0), limits))
    assert found["quality_flags"] == ["high_sample_rate", "mono"]


def test_a_file_that_breaks_off_late_in_the_cut_is_used_up_to_there(tmp_path):
    path = sound(tmp_path / "x" / "a.mp3", seconds=10.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    found = inspect_file(os.fsencode(path), InspectRequest(ClipSection(seconds=10.0), LimitsSection()))
    assert "truncated" in found["quality_flags"]
    assert 5.0 < found["length_s"] < 8.0
