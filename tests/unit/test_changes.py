"""Changed clips: what each change does to a sound of known level, pitch and length, through the real decoder."""

import io

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from genreatlas.audio import changes
from genreatlas.audio.changes import CHANGES, change_clip, read_channels
from genreatlas.audio.decode import read_clip
from genreatlas.audio.preprocess import measure
from genreatlas.audio.probe import probe
from genreatlas.audio.uris import path_to_uri
from genreatlas.audio.worker import ExtractRequest, extract_batches
from genreatlas.config import ClipSection
from genreatlas.errors import ClipError

RATE = 44_100


def tone(seconds: float = 4.0, rate: int = RATE, channels: int = 2) -> np.ndarray:
    """440 Hz that swells twice a second, half as loud on each further channel."""
    time = np.arange(round(seconds * rate)) / rate
    mono = 0.2 * np.sin(2 * np.pi * 440 * time) * (0.6 + 0.4 * np.sin(2 * np.pi * 2 * time))
    return (mono[:, None] / np.arange(1, channels + 1)).astype(np.float32)


def file_of(frames: np.ndarray, rate: int = RATE) -> io.BytesIO:
    file = io.BytesIO()
    soundfile.write(file, frames, rate, format="WAV", subtype="FLOAT")
    return file


def changed(name: str, frames: np.ndarray, rate: int = RATE) -> tuple[np.ndarray, int, float]:
    """Samples, rate and stated length after a change of the whole file."""
    content, seconds = change_clip(file_of(frames, rate), 0.0, len(frames) / rate, name)
    samples, found = read_channels(content, 0.0, seconds)
    return samples, found, seconds


def highest_hz(samples: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples[:, 0] * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate / len(samples)


def test_a_gain_scales_every_sample_and_clips_none():
    frames = 3.0 * tone()
    for name, decibel in (("gain_up", 6.0), ("gain_down", -6.0)):
        found, rate, _ = changed(name, frames)
        assert rate == RATE and np.allclose(found, frames * 10 ** (decibel / 20), rtol=1e-6)
    assert np.abs(changed("gain_up", frames)[0]).max() > 1.0


def test_a_normalised_clip_has_the_level_of_broadcasting_and_silence_stays():
    for scale in (0.3, 2.0):
        content, seconds = change_clip(file_of(scale * tone()), 0.0, 4.0, "normalised")
        assert measure(read_clip(content, 0.0, seconds).samples, RATE).lufs == pytest.approx(-23.0, abs=0.02)
    found, *_ = changed("normalised", np.zeros((RATE, 2), np.float32))
    assert not found.any()


def test_a_faster_clip_is_shorter_and_higher():
    for name, factor in (("speed_up", 1.05), ("speed_down", 0.95)):
        found, rate, seconds = changed(name, tone())
        assert rate == RATE and seconds == pytest.approx(4.0 / factor, abs=0.001)
        assert highest_hz(found, rate) == pytest.approx(440 * factor, abs=0.3)


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (48_000, 1), (22_050, 2), (11_025, 1)])
def test_an_mp3_has_64_kbit_a_second_and_every_sample_at_its_time(rate, channels):
    frames = tone(rate=rate, channels=channels)
    content, seconds = change_clip(file_of(frames, rate), 0.0, 4.0, "mp3_64")
    info = probe(content)
    assert info.codec == "MPEG_LAYER_III" and info.bit_rate == pytest.approx(64_000, rel=0.05)
    assert (info.sample_rate, info.channels) == (rate, channels) and seconds == pytest.approx(4.0, abs=0.001)
    found, _ = read_channels(content, 0.0, seconds)
    inside = slice(rate // 2, -rate // 2)
    assert np.corrcoef(found[inside, 0], frames[inside, 0])[0, 1] > 0.99
    assert not np.allclose(found[inside], frames[inside], atol=1e-6)


def test_what_mp3_does_not_know_is_brought_to_what_it_knows():
    content, _ = change_clip(file_of(tone(rate=96_000, channels=3), 96_000), 0.0, 4.0, "mp3_64")
    info = probe(content)
    assert (info.sample_rate, info.channels) == (44_100, 1)


def test_only_the_cut_is_changed():
    frames = np.concatenate([tone(1.0), 2.0 * tone(1.0), tone(1.0)])
    content, seconds = change_clip(file_of(frames), 1.0, 1.0, "gain_up")
    found, _ = read_channels(content, 0.0, seconds)
    assert seconds == pytest.approx(1.0) and np.allclose(found, 2.0 * tone(1.0) * 10 ** (6 / 20), rtol=1e-6)
    with pytest.raises(ClipError, match="before the cut"):
        change_clip(file_of(frames), 3.5, 1.0, "gain_up")
    with pytest.raises(ClipError, match="max_clip_mb = 1"):
        change_clip(file_of(tone(9.0)), 0.0, 9.0, "gain_up", max_mb=1)


def test_without_an_encoder_the_clip_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(changes, "can_encode_mp3", lambda: False)
    with pytest.raises(ClipError, match="pip install -U soundfile") as raised:
        change_clip(file_of(tone()), 0.0, 4.0, "mp3_64")
    assert raised.value.reason == "environment_fault"


def request_row(path, change: str | None = None) -> dict:
    copy = {"clip_id": "clip", "song_id": "song", "uri": path_to_uri(str(path).encode()), "path": path.name,
            "bytes": path.stat().st_size, "modified_ns": path.stat().st_mtime_ns}  # fmt: skip
    row = {"audio_id": "a", "sha256": "s", "start_s": 0.0, "length_s": 4.0, "feature_sets": ["loudness"],
           "copies": [copy], "audio": None}  # fmt: skip
    return row | ({"change": change} if change else {})


def extracted(rows: list[dict]) -> list[dict]:
    request = ExtractRequest(ClipSection())
    return next(iter(extract_batches(request, iter([pa.RecordBatch.from_pylist(rows)])))).to_pylist()


def test_a_worker_extracts_changed_clips_by_the_way_of_all_others(tmp_path):
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(), RATE, subtype="FLOAT")
    plain = extracted([request_row(path)])
    assert "change" not in plain[0]
    rows = extracted([request_row(path, name) for name in CHANGES])
    assert [row["change"] for row in rows] == list(CHANGES) and all(row["reason"] is None for row in rows)
    level = {row["change"]: row["values"][0] for row in rows}
    before = plain[0]["values"][0]
    assert level["gain_up"] - before == pytest.approx(6.0, abs=0.001)
    assert level["gain_down"] - before == pytest.approx(-6.0, abs=0.001)
    assert level["normalised"] == pytest.approx(-23.0, abs=0.02)
    assert level["speed_up"] == pytest.approx(before, abs=0.3)
    assert level["mp3_64"] == pytest.approx(before + 20 * np.log10(0.95), abs=0.1)  # LAME's own scale at so few bits
    (tmp_path / "tone.wav").write_bytes(b"RIFF")
    assert extracted([request_row(path, "gain_up")])[0]["reason"] is not None
