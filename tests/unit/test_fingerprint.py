"""Codes of Chromaprint: who computes them makes no difference, level and polarity neither."""

import io

import numpy as np
import pyarrow as pa
import pytest

from genreatlas.audio import fingerprint
from genreatlas.audio.feature_sets import get_feature_set, table_of
from genreatlas.audio.fingerprint import FASTER, HOP_S, fingerprint_codes, to_16_bits
from genreatlas.audio.layouts import get_layout, pack_set
from genreatlas.audio.uris import path_to_uri
from genreatlas.audio.worker import ExtractRequest, extract_batches, extract_clip
from genreatlas.checks import extract_features, link_recordings
from genreatlas.config import ClipSection, Config
from genreatlas.recordings.index import SILENCE
from melodies import RATE, encoded, melody, resampled

FINGERPRINT = get_feature_set("fingerprint")


@pytest.fixture
def without_chromaprint(monkeypatch):
    monkeypatch.setattr(fingerprint, "_load", lambda: None)
    monkeypatch.setattr(fingerprint, "_ffmpeg", lambda: "")
    fingerprint.backend.cache_clear()
    yield
    fingerprint.backend.cache_clear()


def test_the_library_and_ffmpeg_give_the_same_codes():
    library, program = fingerprint._load(), fingerprint._ffmpeg()
    if library is None or not program:
        pytest.skip("needs both libchromaprint and imageio-ffmpeg")
    samples = to_16_bits(melody(1, 10.0, 22050))
    for rate in (22050, 22270):
        expected = fingerprint._by_library(library, samples, rate)
        assert len(expected) > 50
        np.testing.assert_array_equal(fingerprint.by_ffmpeg(program, samples, rate), expected)


def test_thirty_seconds_have_a_code_every_eighth_of_a_second():
    (row,) = extract_clip(io.BytesIO(encoded(melody(1))), 0.0, 30.0, ClipSection(), [FINGERPRINT])
    assert (row.n_frames, row.set_version) == (218, "1")
    assert 30.0 - row.n_frames * HOP_S < 3.1  # a code looks at the window behind it
    assert all(array.min() >= -(2**31) and array.max() < 2**31 for array in row.arrays)


def test_level_and_polarity_change_no_code():
    samples = melody(2, 8.0, 22050)
    codes = fingerprint_codes(samples, 22050)
    np.testing.assert_array_equal(fingerprint_codes(-0.25 * samples, 22050), codes)


def test_the_faster_codes_of_a_clip_are_the_codes_of_a_faster_clip():
    samples = melody(3, 12.0)
    faster = fingerprint_codes(samples, RATE)[1].astype(np.uint32)
    played = fingerprint_codes(resampled(samples, FASTER), RATE)[0].astype(np.uint32)
    n = min(len(faster), len(played))
    errors = np.unpackbits((faster[:n] ^ played[:n]).view(np.uint8)).mean()
    assert errors < 0.01


def test_silence_has_one_code():
    codes = fingerprint_codes(np.zeros(10 * 22050, np.float32), 22050)
    assert set(codes.ravel()) == {float(SILENCE)}


def test_a_clip_that_is_too_short_has_no_code():
    assert fingerprint_codes(melody(1, 1.0, 22050), 22050).shape == (2, 0)
    assert to_16_bits(np.zeros(0, np.float32)).size == 0


def test_codes_are_stored_with_a_sign_and_read_without():
    values = np.array([[0.0, 1.0], [2.0**31, 2.0**32 - 1]])
    row = pack_set(FINGERPRINT, {"fingerprint": values})
    assert [array.tolist() for array in row.arrays] == [[0.0, -(2.0**31)], [1.0, -1.0]]
    np.testing.assert_array_equal(get_layout("codes").unpack(row), values)
    assert table_of(FINGERPRINT).name == "codes_fingerprint"
    assert table_of(FINGERPRINT).column("codes_faster").type == "array<int>"


def test_without_chromaprint_the_set_is_left_out_and_said_so_in_one_line(without_chromaprint):
    sets = [get_feature_set("loudness"), FINGERPRINT]
    rows = extract_clip(io.BytesIO(encoded(melody(1, 3.0))), 0.0, 3.0, ClipSection(), sets)
    assert [row.feature_set for row in rows] == ["loudness"]
    config = Config.model_validate({"extract": {"feature_sets": ["fingerprint"]}})
    for check in (extract_features, link_recordings):
        (fault,) = check(config)
        assert fault.warning and "fingerprint is left out" in str(fault) and "\n" not in str(fault)


def test_a_worker_without_chromaprint_says_so_and_makes_the_other_sets(without_chromaprint, tmp_path):
    path = tmp_path / "song.mp3"
    path.write_bytes(encoded(melody(1, 3.0)))
    copy = {"clip_id": "c", "song_id": "s", "uri": path_to_uri(path), "path": "song.mp3", "bytes": path.stat().st_size,
            "modified_ns": path.stat().st_mtime_ns}  # fmt: skip
    row = {"audio_id": "a", "sha256": "x", "start_s": 0.0, "length_s": 3.0, "audio": None}
    gone = row | {"audio_id": "b", "copies": [copy | {"uri": path_to_uri(tmp_path / "gone.mp3")}]}
    rows = [
        row | {"copies": [copy], "feature_sets": ["fingerprint", "loudness"]},
        gone | {"feature_sets": ["fingerprint"]},  # is not opened for nothing
        gone | {"feature_sets": ["fingerprint", "loudness"]},
    ]
    (batch,) = extract_batches(ExtractRequest(ClipSection()), iter([pa.RecordBatch.from_pylist(rows)]))
    said = [(r["audio_id"], r["feature_set"], r["set_version"], r["reason"]) for r in batch.to_pylist()]
    assert said == [
        ("a", "loudness", get_feature_set("loudness").version, None),
        ("a", "fingerprint", None, None),
        ("b", "fingerprint", None, None),
        ("b", None, None, "missing_file"),
    ]
    assert [r["detail"] for r in batch.to_pylist() if r["feature_set"] == "fingerprint"] == [fingerprint.MISSING] * 2
