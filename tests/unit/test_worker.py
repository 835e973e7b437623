"""The worker on real files: WAV and MP3 bytes, good and bad."""

import hashlib
import io
import os
import sys
from pathlib import Path

import librosa
import numpy as np
import pyarrow as pa
import pytest
import soundfile

from genreatlas.audio.engine import FAST_GRAPH
from genreatlas.audio.feature_sets import FEATURE_SETS, compute_sets
from genreatlas.audio.uris import FETCHED, path_to_uri
from genreatlas.audio.worker import ExtractRequest, extract_batches, reject_changed
from genreatlas.config import ClipSection, LimitsSection
from genreatlas.errors import ClipError, Reason
from hostile_decoder import hostile_decoder

RATE = 22050
ALL_SETS = ["mfcc12_frames", "summary9", "gtzan57", "loudness"]


def music(seconds: float = 3.0, rate: int = RATE) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    beat = np.exp(-30 * (time % 0.5)) * np.random.default_rng(1).standard_normal(time.size) * 0.2
    return 0.2 * np.sin(2 * np.pi * 330 * time) + beat


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "söng 'one'.wav"
    soundfile.write(path, music(), RATE, subtype="FLOAT")
    return path


def copy_of(path: Path, **changes) -> dict:
    status = path.stat() if path.exists() else None
    return {
        "clip_id": "clip",
        "song_id": "song",
        "uri": path_to_uri(path),
        "path": path.name,
        "bytes": status.st_size if status else 0,
        "modified_ns": status.st_mtime_ns if status else 0,
    } | changes


def request_row(*copies: dict, **changes) -> dict:
    return {
        "audio_id": "audio",
        "sha256": "not compared while size and time are those that were stored",
        "start_s": 0.0,
        "length_s": 3.0,
        "feature_sets": ALL_SETS,
        "copies": list(copies),
    } | changes


def extract(*rows: dict, clip: ClipSection | None = None, **limits) -> list[dict]:
    batches = iter([pa.RecordBatch.from_pylist(list(rows))])
    (batch,) = extract_batches(ExtractRequest(clip or ClipSection(), LimitsSection(**limits)), batches)
    return batch.to_pylist()


def extract_one(*rows: dict, clip: ClipSection | None = None) -> dict[str, dict]:
    return {row["feature_set"]: row for row in extract(*rows, clip=clip)}


def test_one_row_comes_back_per_set_with_version_values_and_the_clips_it_is_for(wav):
    copy = copy_of(wav)
    rows = extract(request_row(copy))
    assert [row["feature_set"] for row in rows] == ALL_SETS
    assert all(row["set_version"] == FEATURE_SETS[row["feature_set"]].version for row in rows)
    assert all(row["copies"] == [copy] and row["audio_id"] == "audio" and row["reason"] is None for row in rows)


def test_values_are_those_of_the_sets_on_the_decoded_samples(wav):
    samples = music().astype(np.float32)
    rows = extract_one(request_row(copy_of(wav)))
    expected = compute_sets([FEATURE_SETS[name] for name in ALL_SETS[:3]], samples, FAST_GRAPH)
    assert rows["gtzan57"]["values"] == expected["gtzan57"].tolist()
    assert rows["summary9"]["values"] == expected["summary9"].tolist()
    frames = rows["mfcc12_frames"]
    assert (frames["n_frames"], frames["width"], frames["hop_s"]) == (1 + samples.size // 512, 12, 512 / RATE)
    assert frames["frames"] == expected["mfcc12_frames"].reshape(-1).tolist()


def test_only_the_sets_that_a_row_asks_for_are_extracted(wav):
    rows = extract(request_row(copy_of(wav), feature_sets=["loudness"]))
    assert [row["feature_set"] for row in rows] == ["loudness"]
    assert len(rows[0]["values"]) == 4
    assert rows[0]["frames"] is None


def test_loudness_is_measured_before_normalisation_and_names_the_gain(tmp_path):
    path = tmp_path / "quiet.wav"
    time = np.arange(3 * 48000) / 48000
    soundfile.write(path, 0.05 * np.sin(2 * np.pi * 1000 * time), 48000, subtype="FLOAT")
    clip = ClipSection(normalise="rms", target_rms_dbfs=-20.0)
    rows = extract_one(request_row(copy_of(path)), clip=clip)
    lufs, peak, rms, gain = rows["loudness"]["values"]
    assert peak == pytest.approx(20 * np.log10(0.05), abs=1e-3)
    assert rms == pytest.approx(20 * np.log10(0.05) - 3.0103, abs=1e-3)
    assert lufs == pytest.approx(rms, abs=0.1)  # 1 kHz: the weighting is 0.69 dB, which LUFS subtracts again
    assert gain == pytest.approx(-20.0 - rms, abs=1e-6)
    names = [feature.name for feature in FEATURE_SETS["gtzan57"].features]
    assert rows["gtzan57"]["values"][names.index("rms_mean")] == pytest.approx(0.1, rel=0.02)


def test_an_mp3_at_another_rate_is_cut_mixed_down_and_resampled(tmp_path):
    path = tmp_path / "song.mp3"
    time = np.arange(6 * 44100) / 44100
    tones = np.where(time < 3, np.sin(2 * np.pi * 440 * time), np.sin(2 * np.pi * 1760 * time))
    soundfile.write(path, np.stack([tones, tones], axis=1) * 0.3, 44100, format="MP3")
    rows = extract_one(request_row(copy_of(path), start_s=3.5, length_s=2.0))
    names = [feature.name for feature in FEATURE_SETS["gtzan57"].features]
    assert rows["mfcc12_frames"]["n_frames"] == 1 + 2 * RATE // 512
    assert rows["gtzan57"]["values"][names.index("rolloff_mean")] == pytest.approx(1760, abs=25)


def test_what_is_undefined_is_null_and_never_nan(tmp_path):
    path = tmp_path / "tone.wav"
    soundfile.write(path, 0.2 * np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE), RATE, subtype="FLOAT")
    values = extract_one(request_row(copy_of(path)))["gtzan57"]["values"]
    names = [feature.name for feature in FEATURE_SETS["gtzan57"].features]
    assert [name for name, value in zip(names, values, strict=True) if value is None] == ["tempo"]
    assert np.isfinite([value for value in values if value is not None]).all()


def test_a_file_that_is_no_audio_is_one_row_with_its_reason(tmp_path, wav):
    path = tmp_path / "text.mp3"
    path.write_text("not music at all")
    good, bad = copy_of(wav), copy_of(path, clip_id="bad")
    rows = extract(request_row(bad, audio_id="bad"), request_row(good, feature_sets=["loudness"]))
    assert [(row["audio_id"], row["feature_set"], row["reason"]) for row in rows] == [
        ("bad", None, "not_audio"),
        ("audio", "loudness", None),
    ]
    assert rows[0]["values"] is None
    assert rows[0]["copies"] == [bad]
    assert rows[0]["detail"]


def test_any_other_exception_is_a_row_with_its_words(wav, monkeypatch):
    def explode(*_, **__):
        raise FloatingPointError("the matrix is singular")

    monkeypatch.setattr("genreatlas.audio.worker.compute_sets", explode)
    (row,) = extract(request_row(copy_of(wav)))
    assert (row["reason"], row["detail"]) == ("features_failed", "FloatingPointError: the matrix is singular")


@pytest.mark.parametrize("name", ["mfcc12_frames", "summary9"])
def test_samples_so_loud_that_their_spectrum_overflows_are_left_out(tmp_path, name):
    path = tmp_path / "loud.wav"
    soundfile.write(path, music() * 1e30, RATE, subtype="FLOAT")
    (row,) = extract(request_row(copy_of(path), feature_sets=[name]))
    assert row["reason"] == "not_finite"
    assert "their spectrum overflows" in row["detail"]


def test_samples_at_forty_times_full_scale_are_used(tmp_path):
    path = tmp_path / "loud.wav"
    soundfile.write(path, music() * 40, RATE, subtype="FLOAT")
    assert [row["reason"] for row in extract(request_row(copy_of(path)))] == [None] * 4


@pytest.mark.parametrize(("name", "value"), [("gtzan57", np.inf), ("mfcc12_frames", np.nan)])
def test_a_value_that_no_table_may_hold_is_a_row_with_a_reason(wav, monkeypatch, name, value):
    shape = (3, 12) if name == "mfcc12_frames" else 57
    monkeypatch.setattr("genreatlas.audio.worker.compute_sets", lambda *_, **__: {name: np.full(shape, value)})
    rows = extract(request_row(copy_of(wav), feature_sets=[name]))
    assert [(row["feature_set"], row["reason"]) for row in rows] == [(None, "features_failed")]
    assert "finite" in rows[0]["detail"] or "infinite: chroma_stft_mean" in rows[0]["detail"]


def test_clips_that_kill_their_decoder_or_keep_it_for_ever_are_rows_with_reasons(tmp_path):
    paths = [tmp_path / name for name in ("a.wav", "abort.wav", "hang.wav", "b.wav")]
    for path in paths:
        soundfile.write(path, music(1.0), RATE, subtype="FLOAT")
    requests = [request_row(copy_of(path), audio_id=path.stem, feature_sets=["loudness"]) for path in paths]
    with hostile_decoder():
        rows = extract(*requests, clip_seconds=2.0)
    assert [(row["audio_id"], row["reason"]) for row in rows] == [
        ("a", None),
        ("abort", "crashed"),
        ("hang", "too_slow"),
        ("b", None),
    ]
    assert rows[1]["detail"] == "The decoder crashed (SIGABRT)."


def test_a_cut_that_is_larger_than_the_limit_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "bomb.flac"
    soundfile.write(path, np.zeros((3 * 192_000, 8)), 192_000)
    assert path.stat().st_size < 100_000  # and 18 MB of samples
    (row,) = extract(request_row(copy_of(path)), max_clip_mb=8)
    assert row["reason"] == "too_large"
    assert row["detail"] == "3 s of 8 channels at 192000 Hz are more than limits.max_clip_mb = 8."


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its memory")
def test_a_clip_that_needs_more_memory_than_it_may_have_is_refused(tmp_path, wav):
    path = tmp_path / "long.wav"
    soundfile.write(path, music(600.0), RATE, subtype="FLOAT")
    long = request_row(copy_of(path), length_s=600.0, audio_id="long", feature_sets=["summary9"])
    rows = extract(long, request_row(copy_of(wav), feature_sets=["summary9"]), clip_memory_mb=40)
    assert [(row["audio_id"], row["reason"]) for row in rows] == [("long", "too_large"), ("audio", None)]
    assert "limits.clip_memory_mb = 40" in rows[0]["detail"]


def test_a_file_that_changed_after_its_import_is_left_out(wav):
    digest = hashlib.sha256(wav.read_bytes()).hexdigest()
    before = copy_of(wav)
    soundfile.write(wav, music() * 0.5, RATE, subtype="FLOAT")
    os.utime(wav, ns=(0, before["modified_ns"] + 1))
    (row,) = extract(request_row(before, sha256=digest))
    assert (row["feature_set"], row["reason"]) == (None, "audio_changed")


def test_a_file_that_was_only_touched_is_hashed_and_used(wav):
    digest = hashlib.sha256(wav.read_bytes()).hexdigest()
    before = copy_of(wav)
    os.utime(wav, ns=(0, before["modified_ns"] + 1))
    assert len(extract(request_row(before, sha256=digest))) == len(ALL_SETS)


def test_a_file_with_the_stored_size_and_time_is_not_hashed(wav):
    status = wav.stat()
    reject_changed(os.fsencode(wav), status.st_size, status.st_mtime_ns, "never compared")
    with pytest.raises(ClipError) as error:
        reject_changed(os.fsencode(wav), status.st_size + 1, status.st_mtime_ns, "compared")
    assert error.value.reason is Reason.AUDIO_CHANGED


def test_when_one_copy_is_gone_the_next_one_is_used(tmp_path, wav):
    gone = copy_of(tmp_path / "gone.wav", clip_id="gone")
    here = copy_of(wav, clip_id="here")
    rows = extract(request_row(gone, here))
    assert [row["reason"] for row in rows] == [None] * 4
    assert rows[0]["copies"] == [gone, here]


def test_when_every_copy_is_gone_the_first_ones_fault_is_reported(tmp_path):
    gone = [copy_of(tmp_path / name) for name in ("a.wav", "b.wav")]
    (row,) = extract(request_row(*gone))
    assert row["reason"] == "missing_file"


def test_fetched_audio_that_holds_no_sound_or_cannot_be_decoded_is_a_row_with_its_reason():
    whole = encoded(music())
    damaged = bytearray(whole)
    damaged[2000:] = bytes(len(whole) - 2000)

    def fetched(audio: bytes) -> dict:
        copy = {"clip_id": "clip", "song_id": "song", "uri": f"{FETCHED}clip", "path": "p", "bytes": len(audio)}
        return request_row(copy | {"modified_ns": None}, audio=audio, feature_sets=["loudness"])

    rows = extract(fetched(whole), fetched(encoded(np.zeros(3 * RATE))), fetched(bytes(damaged)))
    assert [row["reason"] for row in rows] == [None, "silent", "truncated"]


def encoded(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="MP3")
    return file.getvalue()


def test_an_empty_batch_gives_an_empty_batch(wav):
    template = pa.RecordBatch.from_pylist([request_row(copy_of(wav))])
    (batch,) = extract_batches(ExtractRequest(ClipSection()), iter([template.slice(0, 0)]))
    assert batch.num_rows == 0
    assert batch.schema.names == [
        "audio_id", "copies", "feature_set", "set_version", "values", "arrays", "frames", "quantised",
        "n_frames", "width", "hop_s", "reason", "detail",
    ]  # fmt: skip


def test_librosa_is_held_to_one_thread(wav):
    import threadpoolctl

    extract(request_row(copy_of(wav)))
    assert librosa.__version__
    assert {pool["num_threads"] for pool in threadpoolctl.threadpool_info()} == {1}
