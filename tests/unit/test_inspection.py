"""What a worker says of a file, and how it survives what a decoder does."""

import hashlib
import json
import os
import signal
import time

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from genreatlas.audio.inspection import RESULT, InspectRequest, inspect_batches, inspect_file
from genreatlas.audio.isolation import run_isolated
from genreatlas.audio.uris import path_to_uri
from genreatlas.config import ClipSection
from genreatlas.errors import ClipError, Reason
from genreatlas.sources.folder.tags import read_tags
from sound_factory import RATE, sound

REQUEST = InspectRequest(ClipSection(seconds=1.0), 64)


def write(path, samples, rate=RATE, **how):
    soundfile.write(path, samples, rate, **how)
    return os.fsencode(path)


def reason_of(path: bytes, request: InspectRequest = REQUEST) -> Reason:
    with pytest.raises(ClipError) as caught:
        inspect_file(path, request)
    assert caught.value.detail
    return caught.value.reason


def test_every_fact_of_a_file_is_told(tmp_path):
    path = sound(tmp_path / "x" / "a.flac", seconds=2.0, channels=2, genre="Rock")
    found = inspect_file(os.fsencode(path), InspectRequest(ClipSection(seconds=1.0), 64, read_tags))
    assert found == {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
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
    assert reason_of(path, InspectRequest(ClipSection(seconds=3.0), 2)) == Reason.TOO_LARGE
    assert inspect_file(path, InspectRequest(ClipSection(seconds=2.0), 2))["quality_flags"] == [
        "high_sample_rate",
        "mono",
    ]


def test_a_file_that_breaks_off_late_in_the_cut_is_used_up_to_there(tmp_path):
    path = sound(tmp_path / "x" / "a.mp3", seconds=10.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    found = inspect_file(os.fsencode(path), InspectRequest(ClipSection(seconds=10.0), 64))
    assert "truncated" in found["quality_flags"]
    assert 5.0 < found["length_s"] < 8.0


def test_results_and_errors_come_back_from_the_child():
    assert run_isolated(divmod, 7, 2) == (3, 1)
    with pytest.raises(ClipError) as caught:
        run_isolated(inspect_file, b"/gone.mp3", REQUEST)
    assert caught.value.reason == Reason.MISSING_FILE
    with pytest.raises(ZeroDivisionError):
        run_isolated(divmod, 7, 0)


def test_large_results_come_back_whole():
    assert run_isolated(bytes, 5_000_000) == bytes(5_000_000)


def test_a_crash_is_a_reason():
    with pytest.raises(ClipError, match=r"crashed \(SIGSEGV\)") as caught:
        run_isolated(lambda: os.kill(os.getpid(), signal.SIGSEGV))
    assert caught.value.reason == Reason.DECODE_FAILED
    with pytest.raises(ClipError, match="ended with code 3"):
        run_isolated(os._exit, 3)


def test_a_call_without_end_is_ended():
    start = time.monotonic()
    with pytest.raises(ClipError, match=r"busy after 0\.2 s"):
        run_isolated(time.sleep, 60, seconds=0.2)
    assert time.monotonic() - start < 10


def test_what_decoders_print_is_dropped(capfd):
    run_isolated(os.write, 2, b"libmpg123: warning\n")
    assert capfd.readouterr().err == ""
